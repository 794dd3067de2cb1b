"""`http_request` against real servers on loopback: sent once, and only to where the approval said."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.outcomes import Failed, Succeeded
from agent.tool import CallContext, Colour, TooLate, uptime_seconds
from agent.tools.call import call_tool
from infra.tools.http import HttpRequestConfig, http_request, origin_of
from sandbox.script import Json

KEY = "5" * 64
CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest(KEY))


HERE = {"here": "http://127.0.0.1/"}


@dataclass
class Service:
    """A service that keeps what it was sent."""

    url: str = ""
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(
        default_factory=list[tuple[str, Mapping[str, str], bytes]]
    )
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.headers, await request.read()))
        return await self.answer(request) if self.answer else web.json_response({"done": True}, status=201)


@pytest.fixture
async def service() -> AsyncGenerator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    await runner.cleanup()


async def send(config: HttpRequestConfig | None = None, **arguments: Any) -> Succeeded | Failed:
    return await call_tool(
        http_request(config or HttpRequestConfig(known=HERE, allow_private=True)), CONTEXT, arguments
    )


async def sent(config: HttpRequestConfig | None = None, **arguments: Any) -> Mapping[str, Any]:
    outcome = await send(config, **arguments)
    assert isinstance(outcome, Succeeded), outcome
    assert isinstance(outcome.value, Mapping)
    return outcome.value


async def refused(config: HttpRequestConfig | None = None, **arguments: Any) -> str:
    outcome = await send(config, **arguments)
    assert isinstance(outcome, Failed), outcome
    return outcome.error


def test_it_is_red_and_never_tried_again() -> None:
    tool = http_request(HttpRequestConfig())
    assert tool.colour is Colour.RED
    assert not tool.retryable
    assert not tool.cache_seconds


async def test_nothing_is_sent_once_another_process_may_have_the_thread(service: Service) -> None:
    late = replace(CONTEXT, not_after=lambda: uptime_seconds() - 1)
    with pytest.raises(TooLate):
        await call_tool(
            http_request(HttpRequestConfig(known=HERE, allow_private=True)),
            late,
            {"method": "POST", "url": service.url},
        )
    assert service.requests == []


async def test_the_deadline_is_looked_at_when_the_connection_stands(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped while it connects has a successor when it goes on."""
    deadline = math.inf
    connect = aiohttp.TCPConnector.connect

    async def slow(*args: Any, **more: Any) -> Any:
        nonlocal deadline
        connected = await connect(*args, **more)
        deadline = uptime_seconds() - 1
        return connected

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", slow)
    context = replace(CONTEXT, not_after=lambda: deadline)
    with pytest.raises(TooLate):
        await call_tool(
            http_request(HttpRequestConfig(known=HERE, allow_private=True)),
            context,
            {"method": "POST", "url": service.url},
        )
    assert service.requests == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_body_and_idempotency_key_arrive(service: Service, method: str) -> None:
    result = await sent(method=method, url=service.url, json={"größe": [1, None]})
    assert (result["status"], result["body"], result["truncated"]) == (201, {"done": True}, False)
    ((verb, headers, body),) = service.requests
    assert verb == method
    assert headers["Idempotency-Key"] == KEY
    assert headers["Content-Type"] == "application/json"
    assert body == '{"größe": [1, null]}'.encode()


async def test_text_is_sent_as_it_is(service: Service) -> None:
    await sent(
        method="POST", url=service.url, text="a=1", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    ((_, headers, body),) = service.requests
    assert (headers["Content-Type"], body) == ("application/x-www-form-urlencoded", b"a=1")


async def test_credentials_go_to_their_origin_only(service: Service) -> None:
    here = {origin_of(service.url): {"Authorization": "Bearer s3cret"}}
    elsewhere = {"http://127.0.0.1:9": {"Authorization": "Bearer s3cret"}}
    await sent(HttpRequestConfig(known=HERE, allow_private=True, headers=here), method="POST", url=f"{service.url}/a/b")
    await sent(
        HttpRequestConfig(known=HERE, allow_private=True, headers=elsewhere), method="POST", url=f"{service.url}/a/b"
    )
    assert [headers.get("Authorization") for _, headers, _ in service.requests] == ["Bearer s3cret", None]


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "idempotency-key", "Authorization"])
async def test_plan_sets_no_header_of_the_operator_or_the_connection(service: Service, name: str) -> None:
    config = HttpRequestConfig(
        known=HERE, allow_private=True, headers={service.url: {"Authorization": "Bearer s3cret"}}
    )
    assert await refused(config, method="POST", url=service.url, headers={name: "1"}) == "bad_header"
    assert service.requests == []


async def test_header_cannot_smuggle_another(service: Service) -> None:
    assert await refused(method="POST", url=service.url, headers={"X-A": "1\r\nX-B: 2"}) == "bad_arguments"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "post", "TRACE"])
async def test_other_methods_are_no_business_of_it(service: Service, method: str) -> None:
    assert await refused(method=method, url=service.url) == "bad_arguments"


async def test_two_bodies_are_refused(service: Service) -> None:
    assert await refused(method="POST", url=service.url, json=1, text="1") == "bad_arguments"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_shown_and_not_followed(service: Service, status: int) -> None:
    async def elsewhere(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    service.answer = elsewhere
    result = await sent(method="POST", url=service.url, json={})
    assert (result["status"], result["location"]) == (status, "/elsewhere")
    assert len(service.requests) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_server_that_hangs_up_is_not_asked_again(service: Service, method: str) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        raise asyncio.CancelledError

    service.answer = hang_up
    assert await refused(method=method, url=service.url, json={}) == "outcome_unknown"
    assert len(service.requests) == 1


async def test_silent_server_leaves_the_outcome_unknown(service: Service) -> None:
    async def silent(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    service.answer = silent
    config = HttpRequestConfig(known=HERE, allow_private=True, timeout_seconds=0.3)
    assert await refused(config, method="PUT", url=service.url) == "outcome_unknown"
    assert len(service.requests) == 1


async def test_where_nothing_listens_nothing_was_sent() -> None:
    assert await refused(method="POST", url="http://127.0.0.1:1/") == "unreachable"
    assert await refused(method="POST", url="http://nowhere.invalid/") == "unknown_host"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433", "0x7f.1"])
async def test_private_host_is_refused_unless_allowed(host: str) -> None:
    assert await refused(HttpRequestConfig(), method="POST", url=f"http://{host}:9/") == "private_address"


@pytest.mark.parametrize(
    "text", ["https://a.example/path", "a.example", "https://", "https://u:p@a.example", "ftp://a"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        origin_of(text)


async def test_credentials_are_in_no_description() -> None:
    config = HttpRequestConfig(headers={"https://a.example": {"Authorization": "Bearer s3cret"}})
    assert "s3cret" not in repr(config) + repr(http_request(config))


@pytest.mark.parametrize(
    ("method", "version", "sent"),
    [
        ("PUT", {"status": 200, "etag": '"a"', "last_modified": "then"}, {"If-Match": '"a"'}),
        ("DELETE", {"status": 200, "etag": 'W/"a"', "last_modified": "then"}, {"If-Unmodified-Since": "then"}),
        ("PATCH", {"status": 200, "etag": 'W/"a"'}, {}),
        ("PUT", {"status": 404, "etag": '"page"'}, {"If-None-Match": "*"}),
        ("DELETE", {"status": 404}, {}),
        ("PUT", {"status": 403, "etag": '"page"'}, {}),
        ("PUT", None, {}),
    ],
    ids=["etag", "weak etag and a time", "weak etag", "new", "gone", "refused", "not read"],
)
async def test_a_write_depends_on_the_version_that_the_card_showed(
    service: Service, method: str, version: Json, sent: Mapping[str, str]
) -> None:
    tool = http_request(HttpRequestConfig(known=HERE, allow_private=True))
    await call_tool(tool, replace(CONTEXT, expected=version), {"method": method, "url": service.url})
    (_, headers, _), *asked_after = service.requests
    assert all(asked in ("HEAD", "GET") for asked, _, _ in asked_after), "the version that it left"
    assert {name: value for name, value in headers.items() if name.startswith("If-")} == sent


async def test_a_condition_of_the_plan_stays_alone(service: Service) -> None:
    tool = http_request(HttpRequestConfig(known=HERE, allow_private=True))
    args: Mapping[str, Json] = {"method": "PUT", "url": service.url, "headers": {"If-Match": "*"}}
    await call_tool(tool, replace(CONTEXT, expected={"status": 200, "etag": '"a"'}), args)
    ((_, headers, _),) = service.requests
    assert headers["If-Match"] == "*"
