"""How often a tool may be called, and what keeps failing: calls wait, say so on the board, and none is half-sent."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import URL

from infra.config.file import ConfigurationError, parse_configuration
from infra.dev.demo.thread_observer import ThreadObserver
from infra.doctor.examination import process_finding
from infra.process_health import published_health
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, rows, states
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, results_told, tool
from tests.acceptance.test_stop import say_stop

SCRIPTS = [ENDS, ANSWERS]


def limited(limits: Mapping[str, Mapping[str, float]], **breaker: float) -> Callable[[dict[str, object]], None]:
    """Return what puts rate limits, and the settings of the circuit breaker, into a configuration."""

    def configured(table: dict[str, object]) -> None:
        known: Any = table["tools"]
        known["http_request"] = {"known": known["http_get"]["known"], "allow_private": True}
        table["approvals"] = {"http_request": {"self_approval": False}}
        table["rate_limits"] = limits
        table["circuit_breaker"] = breaker

    return configured


def change(id: str, url: str, **more: Any) -> dict[str, Any]:
    """Return a red `http_request`."""
    return tool(id, "http_request", {"method": "POST", "url": url, "text": "x"}, **more)


def shown(observer: ThreadObserver, task: str) -> str:
    """Return everything that the board said of a step."""
    return " | ".join(look.text for look in observer.tasks().get(task, []))


async def test_calls_beyond_a_limit_wait_their_turn_and_the_board_says_for_what_and_how_long(
    database_url: URL, tmp_path: Path
) -> None:
    limits = {"http_get": {"calls": 2, "seconds": 4}}
    async with app_scene(database_url, tmp_path, SCRIPTS, configuration=limited(limits)) as scene:
        scene.model.add(planned(*(fetch(f"n{number}", f"{scene.effects.url}/{number}") for number in range(3))))
        async with scene.asked("fetch three") as observer:
            await observer.until(answered, "the answer")
            said = " ".join(shown(observer, f"n{number}") for number in range(3))
            assert "running: waits about" in said
            assert "for its rate limit (http_get)" in said
        assert sorted(scene.effects.calls.items()) == [("0", 1), ("1", 1), ("2", 1)]


async def test_one_persons_limit_holds_up_their_steps_alone_and_fails_in_clear_words(
    database_url: URL, tmp_path: Path
) -> None:
    limits = {"http_*": {"per_person": 1, "seconds": 600, "wait_seconds": 3}}
    async with app_scene(database_url, tmp_path, SCRIPTS, configuration=limited(limits)) as scene:
        for word in ("first", "second", "third"):
            scene.model.add(planned(fetch(word, f"{scene.effects.url}/{word}"), contains=word))
        async with scene.asked("first") as observer:
            await observer.until(answered, "the answer")
        async with scene.asked("second") as late:
            await late.until(lambda seen: "your rate limit" in shown(seen, "second"), "that it waits")
            async with scene.asked("third", by="Grace") as observer:
                await observer.until(answered, "Grace's answer")
            await late.until(answered, "the answer")
            assert "no place was free within 3 s, and nothing was called" in shown(late, "second")
            assert "at most 1 of one person's calls in 10 min" in shown(late, "second")
        assert sorted(scene.effects.calls) == ["first", "third"]


async def test_a_red_call_waits_before_its_ledger_row_and_then_runs_once(database_url: URL, tmp_path: Path) -> None:
    limits = {"http_request": {"calls": 1, "seconds": 6}}
    async with app_scene(database_url, tmp_path, SCRIPTS, configuration=limited(limits)) as scene:
        scene.model.add(planned(change("one", f"{scene.effects.url}/one"), contains="first"))
        scene.model.add(planned(change("two", f"{scene.effects.url}/two"), contains="second"))
        async with scene.asked("first") as first, scene.asked("second") as second:
            await second.until(lambda seen: bool(seen.cards()), "the second card")
            await scene.click(first, "Grace", "approved")
            await first.until(answered, "the first answer")
            await scene.click(second, "Grace", "approved")
            waits = "for its rate limit (http_request)"
            await second.until(lambda seen: waits in shown(seen, "two"), "that it waits")
            assert await rows(database_url, "SELECT node FROM ledger") == [("one",)]
            assert list(scene.effects.calls) == ["one"]
            await second.until(answered, "the answer")
        assert sorted(scene.effects.calls.items()) == [("one", 1), ("two", 1)]


async def test_a_red_call_that_is_stopped_while_it_waits_is_never_sent(database_url: URL, tmp_path: Path) -> None:
    limits = {"http_request": {"calls": 1, "seconds": 600, "wait_seconds": 600}}
    async with app_scene(database_url, tmp_path, SCRIPTS, configuration=limited(limits)) as scene:
        scene.model.add(planned(change("one", f"{scene.effects.url}/one"), contains="first"))
        scene.model.add(planned(change("two", f"{scene.effects.url}/two"), contains="second"))
        async with scene.asked("first") as observer:
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        async with scene.asked("second") as observer:
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: "waits about 10 min" in shown(seen, "two"), "that it waits")
            await say_stop(scene, observer)
            await observer.until(lambda seen: seen.says("Stopped"), "the end")
        assert list(scene.effects.calls) == ["one"]
        assert await rows(database_url, "SELECT node FROM ledger") == [("one",)]


async def test_an_approved_call_that_gets_no_place_in_time_fails_and_nothing_was_sent(
    database_url: URL, tmp_path: Path
) -> None:
    limits = {"http_request": {"calls": 1, "seconds": 600, "wait_seconds": 1}}
    async with app_scene(database_url, tmp_path, SCRIPTS, configuration=limited(limits)) as scene:
        for word in ("first", "second"):
            scene.model.add(planned(change(word, f"{scene.effects.url}/{word}"), contains=word))
            async with scene.asked(word) as observer:
                await scene.click(observer, "Grace", "approved")
                await observer.until(answered, "the answer")
        assert "no place was free within 1 s, and nothing was called" in states(observer)["second"]
        assert list(scene.effects.calls) == ["first"]
        assert await rows(database_url, "SELECT node FROM ledger") == [("first",)]


class Service:
    """A service that is down, or not, and counts its calls."""

    def __init__(self) -> None:
        self.down = True
        self.calls: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["Service"]:
        app = web.Application()
        app.router.add_route("*", "/{name}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.calls.append(f"{request.method} {request.match_info['name']}")
        return web.json_response({"fine": not self.down}, status=503 if self.down else 200)


@asynccontextmanager
async def service_scene(url: URL, data: Path, pause: float) -> AsyncGenerator[tuple[AppScene, Service]]:
    """Open a scene with a service that is down; two failures open its breaker."""
    service = Service()
    async with service.serving():

        def configured(table: dict[str, object]) -> None:
            known: Any = table["tools"]
            known["http_get"]["known"]["service"] = service.url
            limited({}, failures=2, pause_seconds=pause)(table)

        async with app_scene(url, data, SCRIPTS, configuration=configured) as scene:
            yield scene, service


def in_a_row(service: Service, *names: str) -> list[dict[str, Any]]:
    """Return fetches that follow each other."""
    return [
        fetch(name, f"{service.url}/{name}", depends_on=[{"id": before, "on": "finished"}] if before else [])
        for name, before in zip(names, ("", *names), strict=False)
    ]


async def test_what_keeps_failing_is_left_alone_tried_by_one_call_and_used_again(
    database_url: URL, tmp_path: Path
) -> None:
    async with service_scene(database_url, tmp_path, pause=3) as (scene, service):
        scene.model.add(
            planned(*in_a_row(service, "a", "b", "c"), fetch("other", f"{scene.effects.url}/x"), contains="1st")
        )
        async with scene.asked("1st") as observer:
            await observer.until(answered, "the answer")
            assert "failed several times in a row, so nothing was sent" in shown(observer, "c")
            assert "it is tried again from" in shown(observer, "c")
            assert states(observer)["other"].startswith("complete")
        assert service.calls == ["GET a", "GET b"]
        told = results_told(scene.model.requests_of("conclude")[-1])
        assert "tried again" in str(told["c"])
        service.down = False
        await asyncio.sleep(3)
        scene.model.add(planned(*in_a_row(service, "d", "e"), contains="2nd"))
        async with scene.asked("2nd") as observer:
            await observer.until(answered, "the answer")
            assert [states(observer)[name][:8] for name in "de"] == ["complete", "complete"]
        assert service.calls[2:] == ["GET d", "GET e"]


async def test_the_doctor_says_what_is_left_alone(database_url: URL, tmp_path: Path) -> None:
    async with service_scene(database_url, tmp_path, pause=600) as (scene, service):
        scene.model.add(planned(*in_a_row(service, "a", "b")))
        async with scene.asked("both") as observer:
            await observer.until(answered, "the answer")
        async with published_health(tmp_path / "now", ["worker"]):  # written at once
            said = process_finding({"GREENLIGHT_DATA": str(tmp_path / "now")}).says
        address = service.url.removeprefix("http://")
        assert f"calls to {address} failed 2 times in a row, so none is made for now" in said


async def test_a_red_call_to_what_keeps_failing_waits_and_nobody_approves_what_cannot_be_sent(
    database_url: URL, tmp_path: Path
) -> None:
    async with service_scene(database_url, tmp_path, pause=5) as (scene, service):
        scene.model.add(planned(*in_a_row(service, "a", "b"), contains="1st"))
        async with scene.asked("1st") as observer:
            await observer.until(answered, "the answer")
        scene.model.add(planned(change("red", f"{service.url}/red"), contains="2nd"))
        async with scene.asked("2nd") as observer:
            await observer.until(lambda seen: "keeps failing" in shown(seen, "red"), "that it waits")
            assert observer.cards() == []
            service.down = False
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            assert states(observer)["red"].startswith("complete")
        assert service.calls.count("POST red") == 1


async def test_a_call_approved_before_its_service_broke_down_waits_and_is_sent_once(
    database_url: URL, tmp_path: Path
) -> None:
    async with service_scene(database_url, tmp_path, pause=5) as (scene, service):
        service.down = False
        scene.model.add(planned(change("red", f"{service.url}/red"), contains="1st"))
        scene.model.add(planned(*in_a_row(service, "a", "b"), contains="2nd"))
        async with scene.asked("1st") as asking:
            await asking.until(lambda seen: bool(seen.cards()), "the card")
            service.down = True
            async with scene.asked("2nd") as observer:
                await observer.until(answered, "the answer")
            await scene.click(asking, "Grace", "approved")
            await asking.until(lambda seen: "keeps failing" in shown(seen, "red"), "that it waits")
            assert await rows(database_url, "SELECT node FROM ledger") == []
            service.down = False
            await asking.until(answered, "the answer")
            assert states(asking)["red"].startswith("complete")
        assert service.calls.count("POST red") == 1


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"rate_limits": {"http_gett": {"calls": 1}}}, "no tool is called 'http_gett'"),
        ({"rate_limits": {"package": {"calls": 1}}}, "no tool is called 'package'"),
        ({"rate_limits": {"http_get": {"seconds": 1}}}, "calls or per_person is needed"),
        ({"rate_limits": {"http_get": {"calls": 0}}}, "rate_limits.http_get"),
        ({"circuit_breaker": {"pause_seconds": 0}}, "circuit_breaker.pause_seconds"),
    ],
    ids=["unknown", "no tool", "nothing", "zero", "no pause"],
)
def test_limits_that_would_mean_nothing_are_refused(table: Mapping[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse_configuration(table, "the test")
