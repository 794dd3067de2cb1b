"""Private addresses stay closed whichever way a request gets there: spelling, redirect, DNS answer, socket."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.tool import CallContext, ToolError
from infra.tools import addresses
from infra.tools.addresses import Reach, checked_url, connector, is_public
from infra.tools.http import HttpGetConfig, http_get

CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("0" * 64))

SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.1",
    "127.0.0.1.",
    "１２７.0.0.1",
    "127。0。0。1",
    "0",
    "0.0.0.0",  # noqa: S104 - refused here
    "localhost",
    "LOCALHOST",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1%25lo]",
    "[fec0::1]",
    "[fd00:ec2::254]",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "[::ffff:a9fe:a9fe]",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "10.0.0.1",
    "224.0.0.1",
]


async def fetched(url: str) -> Any:
    return await http_get(HttpGetConfig(timeout_seconds=5)).call(CONTEXT, {"url": url})


async def refusal(url: str) -> str:
    with pytest.raises(ToolError) as caught:
        await fetched(url)
    return caught.value.code


@pytest.mark.parametrize("host", SPELLINGS)
async def test_private_host_is_refused_in_every_spelling(host: str) -> None:
    assert await refusal(f"http://{host}:9/") == "private_address"


OF_THE_NETWORK = {"[fec0::1]", "10.0.0.1", "224.0.0.1"}
"""Spellings of addresses that are private and not the machine's own."""


@pytest.mark.parametrize("host", [host for host in SPELLINGS if host not in OF_THE_NETWORK])
async def test_allowing_private_hosts_opens_neither_this_machine_nor_a_metadata_service(host: str) -> None:
    with pytest.raises(ToolError) as caught:
        await http_get(HttpGetConfig(timeout_seconds=5, allow_private=True)).call(CONTEXT, {"url": f"http://{host}:9/"})
    assert caught.value.code == "private_address"


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_gets_past_the_socket(host: str) -> None:
    """As if nothing had looked at the URL before."""
    async with aiohttp.ClientSession(connector=connector(Reach())) as session:
        with pytest.raises((aiohttp.ClientConnectorError, aiohttp.InvalidURL)) as caught:
            await session.get(f"http://{host}:9/")
    if isinstance(caught.value, aiohttp.ClientConnectorError):
        assert isinstance(caught.value.os_error, addresses.AddressRefused)


@pytest.fixture
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[str]:
    """A server at 127.0.0.1, which counts as public here, so that a request can start somewhere; its URL."""

    async def redirect(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(request.query["to"])

    def is_public_or_here(address: str) -> bool:
        return address == "127.0.0.1" or is_public(address)

    monkeypatch.setattr(addresses, "is_public", is_public_or_here)
    app = web.Application()
    app.router.add_get("/", redirect)
    app.router.add_get("/open", _open)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _open(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="open")


async def test_redirect_to_a_public_address_is_followed(here: str) -> None:
    assert (await fetched(f"{here}/?to=/open"))["body"] == "open"


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:9/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:10.0.0.1]/",
        "http://2852039166/",
        "//10.0.0.1/",
        "http://localhost:9/",
    ],
)
async def test_redirect_to_a_private_address_is_refused(
    here: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "localhost" in target:
        _answer_dns(monkeypatch, ["127.0.0.3"])
    assert await refusal(f"{here}/?to={target}") == "private_address"


@pytest.mark.parametrize(
    "answers",
    [["10.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["::ffff:169.254.169.254"], ["fd00::1"], ["0.0.0.0"]],  # noqa: S104
    ids=str,
)
async def test_name_that_leads_to_one_private_address_is_refused(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _answer_dns(monkeypatch, answers)
    assert await refusal("http://rebinding.example/") == "private_address"


async def test_name_is_resolved_once_so_that_no_second_answer_differs(
    here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was looked at is the one connected to; a later answer would be private."""
    asked = _answer_dns(monkeypatch, ["127.0.0.1"], then=["10.0.0.1"])
    port = here.rpartition(":")[2]
    assert (await fetched(f"http://rebinding.example:{port}/open"))["body"] == "open"
    assert asked == ["rebinding.example"]


def _answer_dns(monkeypatch: pytest.MonkeyPatch, answers: list[str], then: list[str] | None = None) -> list[str]:
    """Let names resolve to `answers`, the next time to `then`; return the list of names that are asked for.

    An address resolves to itself.
    """
    asked: list[str] = []
    resolve = socket.getaddrinfo

    async def answered(host: str, port: int, **options: Any) -> list[Any]:
        if _is_address(host):
            return resolve(host, port, type=socket.SOCK_STREAM)
        found = then if asked and then is not None else answers
        asked.append(host)
        return [info for address in found for info in resolve(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answered)
    return asked


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("url", ["http://93.184.215.14/", "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/"])
def test_public_address_passes(url: str) -> None:
    assert str(checked_url(url, Reach())) == url


async def test_redirect_to_a_host_that_is_not_on_the_list_is_refused(here: str) -> None:
    config = HttpGetConfig(hosts=frozenset({"127.0.0.1"}), timeout_seconds=5)
    with pytest.raises(ToolError) as caught:
        await http_get(config).call(CONTEXT, {"url": f"{here}/?to=https://example.com/"})
    assert caught.value.code == "host_not_allowed"


async def test_host_is_named_for_its_own_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public name on the list that leads to this machine is reached; one that is not on it is refused."""
    _answer_dns(monkeypatch, ["127.0.0.1"])
    codes: list[str] = []
    for known in ({"in": "http://inside.example/"}, {"out": "http://outside.example/"}):
        config = HttpGetConfig(known=known, allow_private=True, timeout_seconds=5)
        with pytest.raises(ToolError) as caught:
            await http_get(config).call(CONTEXT, {"url": "http://inside.example:9/"})
        codes.append(caught.value.code)
    assert codes == ["unreachable", "private_address"]
