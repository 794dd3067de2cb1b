"""`http_get` against real servers on loopback."""

import asyncio
import gzip
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import pytest
from aiohttp import web

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.tool import CallContext, ToolError
from infra.tools.http import HttpGetConfig, http_get
from sandbox.script import Json

CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("0" * 64))
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncGenerator[Serve]:
    runners: list[web.AppRunner] = []

    async def started(handler: Handler) -> str:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/"

    yield started
    for runner in runners:
        await runner.cleanup()


async def get(url: str, *, allow_private: bool = True, timeout_seconds: float = 10, body_bytes: int = 1000) -> Json:
    config = HttpGetConfig(
        known={"here": "http://127.0.0.1/"}, allow_private=allow_private, timeout_seconds=timeout_seconds
    )
    return await http_get(config, body_bytes=body_bytes).call(CONTEXT, {"url": url})


async def refused(url: str, *, allow_private: bool = True, timeout_seconds: float = 10) -> str:
    """Return the code of the ToolError that the call must end in."""
    with pytest.raises(ToolError) as caught:
        await get(url, allow_private=allow_private, timeout_seconds=timeout_seconds)
    return caught.value.code


def answering(response: Callable[[], web.StreamResponse]) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return response()

    return handler


def body_of(result: Json) -> Json:
    assert isinstance(result, Mapping)
    return result["body"]


@pytest.mark.parametrize("status", [200, 404, 500, 503])
async def test_every_status_is_a_value(serve: Serve, status: int) -> None:
    url = await serve(answering(lambda: web.json_response({"status": "so"}, status=status)))
    result = await get(url)
    assert isinstance(result, Mapping)
    milliseconds = result["milliseconds"]
    assert isinstance(milliseconds, int)
    assert result == {
        "status": status,
        "milliseconds": milliseconds,
        "body": {"status": "so"},
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b'{"a":[1,null]}', "application/json", {"a": [1, None]}),
        (b'{"a":1}', "application/problem+json; charset=utf-8", {"a": 1}),
        (b'{"a":', "application/json", '{"a":'),
        (b'{"a":NaN}', "application/json", '{"a":NaN}'),
        (b"[" * 900, "application/json", "[" * 900),
        (b'{"a":1}', "text/plain", '{"a":1}'),
        ("größe".encode("latin-1"), "text/plain; charset=latin-1", "größe"),
        (b"\xff", "text/plain", "\ufffd"),
        (b"x", "text/plain; charset=klingon", "x"),
        (b"", "text/plain", ""),
    ],
    ids=[
        "json",
        "problem json",
        "cut json",
        "nan",
        "deep json",
        "text",
        "charset",
        "not utf-8",
        "odd charset",
        "empty",
    ],
)
async def test_body_is_json_when_it_is_json_and_else_text(
    serve: Serve, body: bytes, content_type: str, expected: Json
) -> None:
    url = await serve(answering(lambda: web.Response(body=body, headers={"Content-Type": content_type})))
    assert body_of(await get(url)) == expected


async def test_long_body_is_cut_and_says_so(serve: Serve) -> None:
    url = await serve(answering(lambda: web.Response(text="x" * 5000)))
    result = await get(url)
    assert isinstance(result, Mapping)
    assert (result["body"], result["truncated"]) == ("x" * 1000, True)


async def test_endless_body_is_cut(serve: Serve) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 1000)

    assert body_of(await get(await serve(endless))) == "x" * 1000


async def test_compressed_bomb_is_cut(serve: Serve) -> None:
    bomb = gzip.compress(b"x" * 10_000_000)
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    url = await serve(answering(lambda: web.Response(body=bomb, headers=headers)))
    assert body_of(await get(url)) == "x" * 1000


async def test_redirects_are_followed(serve: Serve) -> None:
    async def hop(request: web.Request) -> web.StreamResponse:
        if request.path == "/":
            raise web.HTTPFound("/there")
        return web.Response(text=request.path)

    assert body_of(await get(await serve(hop))) == "/there"


async def test_redirect_loop_ends(serve: Serve) -> None:
    async def loop(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/again")

    assert await refused(await serve(loop)) == "too_many_redirects"


async def test_redirect_leads_to_no_other_scheme(serve: Serve) -> None:
    async def leave(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("file:///etc/passwd")

    assert await refused(await serve(leave)) == "bad_url"


async def test_silent_server_is_a_timeout(serve: Serve) -> None:
    async def silent(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    assert await refused(await serve(silent), timeout_seconds=0.2) == "timeout"


async def test_closed_port_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert await refused(f"http://127.0.0.1:{taken.getsockname()[1]}/") == "unreachable"


async def test_unknown_host_is_told() -> None:
    assert await refused("http://nowhere.invalid/") == "unknown_host"


async def test_answer_that_is_not_http_is_told() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await refused(f"http://127.0.0.1:{port}/") == "bad_answer"


@pytest.mark.parametrize("url", ["ftp://example.com/", "/health", "http://", "http://[::1", "javascript:alert(1)", ""])
async def test_url_that_is_none_is_refused(url: str) -> None:
    assert await refused(url) == "bad_url"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"])
async def test_private_host_is_refused_unless_allowed(host: str) -> None:
    assert await refused(f"http://{host}:9/", allow_private=False) == "private_address"


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0", "0x7f000001"])
async def test_address_in_disguise_is_refused(host: str) -> None:
    assert await refused(f"http://{host}:9/", allow_private=False) in ("bad_url", "private_address", "unknown_host")


async def test_redirect_to_a_private_host_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = [True]

    def public(_address: str) -> bool:
        return bool(outside)

    async def inward(request: web.Request) -> web.StreamResponse:
        outside.clear()
        raise web.HTTPFound(f"http://127.0.0.1:{request.url.port}/inside")

    # Every server a test can start is on loopback: this one counts as public until it has answered.
    monkeypatch.setattr("infra.tools.addresses.is_public", public)
    assert await refused(await serve(inward), allow_private=False) == "private_address"
    assert not outside


async def test_redirect_leads_from_a_host_the_operator_named_only_to_another_such_host(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[str] = []

    async def onward(request: web.Request) -> web.StreamResponse:
        reached.append(request.path_qs)
        raise web.HTTPFound(f"http://127.0.0.2:{request.url.port}/away?q=secret")

    # Every server a test can start is on loopback.
    monkeypatch.setattr("infra.tools.addresses._LOCAL", ())
    result = await get(await serve(onward))
    assert isinstance(result, Mapping)
    assert result["status"] == 302
    assert str(result["location"]).endswith("/away?q=secret")
    assert reached == ["/"]
