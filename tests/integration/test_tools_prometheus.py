"""`prometheus_query` and `prometheus_alerts` against a real Prometheus, and against servers that misbehave."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.outcomes import Failed, Succeeded
from agent.tool import CallContext, Colour, Tool
from agent.tools.call import call_tool
from infra.tools.prometheus import PROMETHEUS_TOOLS, PrometheusConfig, prometheus_tools
from infra.tools.secret import Secret
from sandbox.script import Json
from tests.fakes.kubernetes_api import certificate
from tests.fakes.prometheus_server import PASSWORD, USER, basic_auth, prometheus

CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("5" * 64))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusConfig]:
    """The settings of a real server that asks for no credentials."""
    with prometheus(tmp_path_factory.mktemp("prometheus")) as url:
        yield PrometheusConfig(url=url)


async def at_once(_seconds: float) -> None:
    """Let no time pass between two tries."""


async def outcome(config: PrometheusConfig, tool: str, /, **args: Json) -> Succeeded | Failed:
    tools: dict[str, Tool] = {tool.name: tool for tool in prometheus_tools(config)}
    return await call_tool(tools[f"prometheus_{tool}"], CONTEXT, args, pause=at_once)


async def got(config: PrometheusConfig, tool: str, /, **args: Json) -> Mapping[str, Any]:
    found = await outcome(config, tool, **args)
    assert isinstance(found, Succeeded), found
    return cast("Mapping[str, Any]", found.value)


async def refused(config: PrometheusConfig, tool: str, /, **args: Json) -> Failed:
    failed = await outcome(config, tool, **args)
    assert isinstance(failed, Failed), failed
    return failed


def test_both_only_read() -> None:
    tools = prometheus_tools(PrometheusConfig(url="http://localhost:9090"))
    assert {tool.name for tool in tools} == PROMETHEUS_TOOLS
    assert all(tool.colour is Colour.GREEN and tool.returns_outside_text and tool.retryable for tool in tools)


async def test_a_query_about_a_moment_returns_numbers_by_labels(server: PrometheusConfig) -> None:
    found = await got(server, "query", query='up{job="itself"}')
    assert found["type"] == "vector"
    (series,) = found["series"]
    assert series["labels"]["job"] == "itself"
    assert series["value"] in (0.0, 1.0)
    assert abs(series["time"] - time.time()) < 3600


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("scalar(vector(2))", {"type": "scalar", "value": 2.0}),
        ('"text"', {"type": "string", "value": "text"}),
        ("nothing_of_this_name", {"type": "vector", "series": []}),
    ],
)
async def test_results_of_every_type_are_read(
    server: PrometheusConfig, query: str, expected: Mapping[str, Any]
) -> None:
    found = await got(server, "query", query=query)
    assert {key: value for key, value in found.items() if key != "time"} == expected


async def test_what_is_no_number_stays_a_text(server: PrometheusConfig) -> None:
    values = [
        (await got(server, "query", query=f"vector({of})"))["series"][0]["value"] for of in ("1/0", "0/0", "-1/0")
    ]
    assert values == ["+Inf", "NaN", "-Inf"]


async def test_a_span_of_time_returns_points(server: PrometheusConfig) -> None:
    found = await got(server, "query", query="vector(3)", start="2026-11-24T07:00:00Z", end="1795503660", step="30s")
    assert found["type"] == "matrix"
    assert found["step_seconds"] == 30
    assert found["series"] == [{"labels": {}, "points": [[1795503600 + 30 * at, 3.0] for at in range(3)]}]
    last = await got(server, "query", query="vector(3)", last="1h")
    assert len(last["series"][0]["points"]) == 61
    assert last["step_seconds"] == 60


async def test_the_moment_of_a_query_can_be_named(server: PrometheusConfig) -> None:
    found = await got(server, "query", query="time()", time="2026-11-24T08:00:00+01:00")
    assert found["value"] == datetime(2026, 11, 24, 7, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ({"query": "sum("}, "bad_query", "parse error"),
        ({"query": "up", "start": "yesterday", "end": "now"}, "bad_time", "yesterday"),
        ({"query": "up", "start": "1"}, "bad_arguments", "end"),
        ({"query": "up", "start": "2", "end": "1"}, "bad_arguments", "before the start"),
        ({"query": "up", "last": "1h", "time": "1"}, "bad_arguments", "exclude each other"),
        ({"query": "up", "last": "one hour"}, "bad_arguments", "last"),
        ({"query": "up", "last": "1y", "step": "1s"}, "too_much", "longer step"),
        ({"query": "up", "last": "1h", "step": "0s"}, "too_much", "longer step"),
    ],
)
async def test_what_cannot_be_asked_is_told(
    server: PrometheusConfig, args: Mapping[str, Json], code: str, words: str
) -> None:
    failed = await refused(server, "query", **args)
    assert failed.error == code
    assert words in failed.message


async def test_too_many_series_are_refused_with_how_to_choose(server: PrometheusConfig) -> None:
    failed = await refused(replace(server, series=3), "query", query='{__name__=~"go_.*"}')
    assert failed.error == "too_much"
    assert "More than 3 series" in failed.message
    assert "sum by" in failed.message


async def test_too_many_points_are_refused_with_how_to_choose(server: PrometheusConfig) -> None:
    labelled = " or ".join(f'label_replace(vector({at}), "n", "{at}", "", "")' for at in range(10))
    failed = await refused(replace(server, samples=100), "query", query=labelled, last="1h")
    assert failed.error == "too_much"
    assert "610 points, more than 100" in failed.message


async def test_a_query_gets_no_more_time_than_the_call(server: PrometheusConfig) -> None:
    slow = "sum(count_over_time(vector(1)[20d:1s]))"
    failed = await refused(replace(server, timeout_seconds=0.000001), "query", query=slow)
    assert failed.error == "query_timeout"
    assert "timed out" in failed.message


async def test_alerts_that_fire_are_returned(server: PrometheusConfig) -> None:
    (alert,) = (await got(server, "alerts"))["alerts"]
    assert (alert["name"], alert["state"], alert["value"]) == ("CheckoutDown", "firing", 7.0)
    assert alert["labels"] == {"severity": "page", "team": "shop"}
    assert alert["annotations"] == {"summary": "Checkout answers with errors"}
    assert datetime.fromisoformat(alert["since"]).tzinfo is not None


@pytest.mark.parametrize(
    ("args", "names"),
    [
        ({"state": "pending"}, ["DiskFillsUp"]),
        ({"state": "all"}, ["CheckoutDown", "DiskFillsUp"]),
        ({"state": "all", "labels": {"severity": "ticket"}}, ["DiskFillsUp"]),
        ({"labels": {"team": "nobody"}}, []),
    ],
)
async def test_alerts_are_chosen_by_state_and_labels(
    server: PrometheusConfig, args: Mapping[str, Json], names: list[str]
) -> None:
    assert [alert["name"] for alert in (await got(server, "alerts", **args))["alerts"]] == names


async def test_more_alerts_than_may_be_are_counted(server: PrometheusConfig) -> None:
    found = await got(replace(server, series=1), "alerts", state="all")
    assert ([alert["name"] for alert in found["alerts"]], found["left_out"]) == (["CheckoutDown"], 1)


async def test_alerting_rules_are_returned_on_request(server: PrometheusConfig) -> None:
    rules = (await got(server, "alerts", rules=True))["rules"]
    assert [(rule["name"], rule["state"], rule["query"]) for rule in rules] == [
        ("CheckoutDown", "firing", "vector(7)"),
        ("DiskFillsUp", "pending", "vector(1)"),
    ]
    assert rules[1]["for_seconds"] == 5 * 3600


async def test_credentials_go_over_tls_to_a_server_that_proves_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, _ = await certificate(tmp_path)
    with prometheus(tmp_path, basic_auth(ca, tmp_path / "127.0.0.1-key.pem")) as url:
        monkeypatch.setenv("PROMETHEUS_PASSWORD", PASSWORD)
        password = Secret(env="PROMETHEUS_PASSWORD")
        config = PrometheusConfig(url=url, username=USER, password=password, ca_file=ca)
        assert (await got(config, "query", query="vector(1)"))["series"][0]["value"] == 1.0
        assert (await refused(replace(config, ca_file=None), "query", query="vector(1)")).error == "untrusted"
        monkeypatch.setenv("PROMETHEUS_PASSWORD", "another-password")
        assert (await refused(config, "query", query="vector(1)")).error == "unauthorized"
        monkeypatch.delenv("PROMETHEUS_PASSWORD")
        assert (await refused(config, "alerts")).error == "no_secret"


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncGenerator[PrometheusConfig]:
    """Serve with this answer to everything."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield PrometheusConfig(url=f"http://127.0.0.1:{runner.addresses[0][1]}/under/a/path", timeout_seconds=25)
    await runner.cleanup()


def saying(body: str, status: int = 200) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, status=status, content_type="application/json")

    return answer


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b" " * 65536)
    except ConnectionError:
        return response


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (endless, "too_much"),
        (saying("<html>"), "bad_answer"),
        (saying('{"status": "success", "data": 1}'), "bad_answer"),
        (saying('{"status": "success", "data": ' + "[" * 100_000), "bad_answer"),
        (saying('{"status": "error", "errorType": "timeout", "error": "query timed out"}', 503), "query_timeout"),
        (saying("Service Unavailable", 503), "unavailable"),
        (saying("no such page", 404), "not_found"),
        (saying("slow down", 429), "rate_limited"),
        (saying("", 401), "unauthorized"),
    ],
    ids=["endless", "no JSON", "no data", "deep", "timeout", "away", "404", "429", "401"],
)
async def test_a_server_that_misbehaves_only_fails_the_call(answer: Answer, code: str) -> None:
    async with answering(answer) as config:
        for tool, args in (("query", {"query": "up"}), ("alerts", {})):
            assert (await refused(config, tool, **args)).error == code


@pytest.mark.parametrize("data", ['{"resultType": "vector", "result": [1, {"metric": 7, "value": [1]}]}', "{}", "[]"])
async def test_data_of_odd_shapes_break_no_tool(data: str) -> None:
    async with answering(saying(f'{{"status": "success", "data": {data}}}')) as config:
        for tool, args in (("query", {"query": "up"}), ("alerts", {"rules": True})):
            assert isinstance(await outcome(config, tool, **args), Succeeded)


async def test_a_redirect_is_not_followed_with_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[web.Request] = []

    async def listens(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        return web.Response()

    async with answering(listens) as elsewhere:

        async def sends_on(_request: web.Request) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": elsewhere.url})

        async with answering(sends_on) as config:
            monkeypatch.setenv("PROMETHEUS_TOKEN", "token-0123456789")
            bearer = replace(config, token=Secret(env="PROMETHEUS_TOKEN"))
            assert (await refused(bearer, "query", query="up")).error == "bad_answer"
    assert asked == []


async def test_the_token_and_the_bounds_are_sent_under_the_path_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str, Mapping[str, Any]]] = []

    async def keeps(request: web.Request) -> web.StreamResponse:
        seen.append((request.path, request.headers.get("Authorization", ""), dict(await request.post())))
        data: dict[str, Json] = {"resultType": "vector", "result": []}
        return web.json_response({"status": "success", "data": data, "warnings": ["a replica is away"]})

    async with answering(keeps) as config:
        monkeypatch.setenv("PROMETHEUS_TOKEN", "token-0123456789")
        bearer = replace(config, token=Secret(env="PROMETHEUS_TOKEN"), series=7)
        found = await got(bearer, "query", query="up")
    assert found["warnings"] == ["a replica is away"]
    form = {"query": "up", "timeout": "25.000000", "limit": "8"}
    assert seen == [("/under/a/path/api/v1/query", "Bearer token-0123456789", form)]


async def test_a_silent_server_is_given_up() -> None:
    async def silent(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with answering(silent) as config:
        tool = prometheus_tools(replace(config, timeout_seconds=0.1))[0]
        outcome = await call_tool(replace(tool, retryable=False), CONTEXT, {"query": "up"})
    assert isinstance(outcome, Failed)
    assert outcome.error == "timeout"
    assert "Prometheus did not answer" in json.dumps(outcome.message)
