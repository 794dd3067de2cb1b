"""A service that the operator named, asked over HTTP: bounded answers, no redirects, and each write sent once."""

import asyncio
import json
import ssl
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import cast

import aiohttp
from yarl import URL

from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.tool import CallContext, ToolError
from infra.tools.addresses import checked_url, connector, not_connected, reach
from infra.tools.http import REDIRECTS, ResponseLost, checks_before_sending, send_once
from sandbox.script import Json

_WORDS = 300
_SMALL = 64 * 1024
"""What is read as JSON where it holds others up."""


def base_address(text: str) -> str:
    """Return the address of a service without the slash at its end.

    Raises:
        ValueError: it is no http address, or holds more than scheme, host, port and path.
    """
    url = URL(text)
    if url.scheme not in ("http", "https") or not url.host or url.query_string or url.fragment or url.user:
        raise ValueError("not an address, such as https://metrics.example.com")
    return str(url).rstrip("/")


def is_open_to_others(address: str) -> bool:
    """Return whether others on the way can read what is sent to an address."""
    url = URL(address)
    if url.scheme == "https" or url.host == "localhost":
        return False
    try:
        return not ip_address(url.host or "").is_loopback
    except ValueError:
        return True


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Whether there was more than may be read.
    truncated: bool

    def words(self, key: str) -> str:
        """Return what the service says of an error, in one line: under a key of its object, or as text."""
        start = self.body[:_SMALL]
        said = (json_object_in(start) or {}).get(key) or start.decode("utf-8", "replace")
        return words_of(said) or "it says nothing more"

    async def json_object(self) -> Mapping[str, Json]:
        """Return the body, read in a thread when it is large.

        Raises:
            ToolError: `bad_answer`: it is no object in JSON; `too_much`: it is longer than may be read.
        """
        if self.truncated:
            raise ToolError("too_much", f"The answer has more than {len(self.body)} bytes. Ask for less.")
        large = len(self.body) > _SMALL
        found = await asyncio.to_thread(json_object_in, self.body) if large else json_object_in(self.body)
        if found is None:
            raise ToolError("bad_answer", f"The answer ({self.status}) is no object in JSON.")
        return found


def json_object_in(body: bytes) -> Mapping[str, Json] | None:
    """Return the object in JSON that a body is; None when it is none."""
    try:
        found: object = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Json]", found) if isinstance(found, dict) else None


def _refuse(constant: str) -> None:
    """Refuse NaN and infinities, which Python reads and JSON does not have."""
    raise ValueError(constant)


@dataclass(frozen=True, kw_only=True)
class Service:
    """Where a service is, and how it knows us."""

    #: For people, as in "the cluster prod".
    name: str
    address: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    #: How its certificate is checked; None: as certificates of the web are.
    tls: ssl.SSLContext | None = None
    #: The name that its certificate must have; None: that of the address.
    server_name: str | None = None
    seconds: float
    #: The most that is read of an answer.
    answer_bytes: int

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        sent_for: CallContext | None = None,
    ) -> Answer:
        """Return the answer, whatever its status; a redirect is none.

        With `sent_for` the request is a write of that red call: it is sent once, and not when it is late.

        Raises:
            ToolError: there is no answer; `outcome_unknown` when a write may have been sent.
            TooLate: see the class.
        """
        allowed = reach({"": self.address}, (), allow_private=True)
        url = checked_url(str(URL(self.address).joinpath(path.lstrip("/"))), allowed).with_query(list(query))
        writes = sent_for is not None
        try:
            async with AsyncExitStack() as stack:
                session = await stack.enter_async_context(
                    aiohttp.ClientSession(
                        connector=connector(allowed),
                        timeout=aiohttp.ClientTimeout(total=self.seconds),
                        middlewares=(send_once,) if writes else (),
                        trace_configs=[checks_before_sending(sent_for)] if sent_for is not None else [],
                        auto_decompress=False,
                    )
                )
                response = await stack.enter_async_context(
                    session.request(
                        method,
                        url,
                        data=data,
                        headers={"Accept-Encoding": "identity", **self.headers, **(headers or {})},
                        allow_redirects=False,
                        ssl=self.tls or True,
                        server_hostname=self.server_name,
                    )
                )
                answer = await _read(response, self.answer_bytes)
        except aiohttp.ClientSSLError as error:
            words = f"The connection to {self.name} is not safe: {type(error).__name__}. Nothing was sent."
            raise ToolError("untrusted", words) from error
        except aiohttp.ConnectionTimeoutError as error:
            raise ToolError("unreachable", f"{self.name} takes no connection; nothing was sent.") from error
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise not_connected(url, error) from error
        except (TimeoutError, ResponseLost, aiohttp.ClientError, ValueError) as error:
            raise self._lost(error, writes=writes) from error
        if answer.status in REDIRECTS or "Content-Encoding" in answer.headers:
            code = OUTCOME_UNKNOWN if writes else "bad_answer"
            raise ToolError(code, f"{self.name} sends us elsewhere ({answer.status}), or an encoding nobody asked for.")
        return answer

    def _lost(self, error: Exception, *, writes: bool) -> ToolError:
        if writes:
            words = f"{self.name} gave no usable answer; whether it did what was asked is not known."
            return ToolError(OUTCOME_UNKNOWN, words)
        if isinstance(error, TimeoutError):
            return ToolError("timeout", f"{self.name} did not answer in {self.seconds:g} s.")
        if isinstance(error, aiohttp.ClientConnectionError):
            return ToolError("unreachable", f"{self.name} hung up without an answer.")
        return ToolError("bad_answer", f"{self.name} did not answer in HTTP: {type(error).__name__}.")


async def _read(response: aiohttp.ClientResponse, most: int) -> Answer:
    raw = bytearray()
    while len(raw) <= most and (part := await response.content.read(min(most + 1 - len(raw), 65536))):
        raw += part
    names = ("Retry-After", "Content-Encoding")
    headers = {name: value for name in names if (value := response.headers.get(name)) not in (None, "identity")}
    return Answer(status=response.status, headers=headers, body=bytes(raw[:most]), truncated=len(raw) > most)


def words_of(text: object) -> str:
    """Return a service's own words in one line of bounded length."""
    words = " ".join(str(text)[: 4 * _WORDS].split())
    return words if len(words) <= _WORDS else f"{words[:_WORDS]}..."


def trust_in(ca: str) -> ssl.SSLContext:
    """Return what trusts these certificates (PEM) and no others. Blocks.

    Raises:
        ValueError: they are none.
    """
    try:
        return ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError):
        raise ValueError("no certificates in PEM") from None
