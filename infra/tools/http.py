"""`http_get`: fetch a URL and give status, time and body; any status is a value, only no answer is an error."""

import ipaddress
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from agent.ids import ToolName
from agent.tools.registry import CallContext, Colour, Tool, ToolError
from sandbox.script import Json

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {"url": {"type": "string", "description": "An absolute http or https URL.", "maxLength": 2048}},
    "required": ["url"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class HttpConfig:
    """What `http_get` may reach. `known` is service name -> URL, named to the model.

    With `allow_private` false, hosts that are not on the public internet are refused, after name
    resolution and at every redirect.
    """

    known: Mapping[str, str] = field(default_factory=dict[str, str])
    allow_private: bool = False
    timeout_seconds: float = 10.0
    body_bytes: int = 1024 * 1024


class AddressRefused(OSError):
    """The host is not on the public internet."""


class PublicResolver(AbstractResolver):
    """Resolves names and refuses those that lead to an address that is not public."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the host's addresses; one private address among them refuses the host."""
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise AddressRefused(host)
        return found

    async def close(self) -> None:
        """Give back nothing: the inner resolver holds nothing."""
        await self._inner.close()


def is_public(address: str) -> bool:
    """Tell whether an IP address is reachable on the public internet and nowhere nearer."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = _carried(ip) if isinstance(ip, ipaddress.IPv6Address) else None
    if inner is not None:
        ip = inner
    return ip.is_global and not ip.is_multicast


def _carried(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to: mapped, 6to4, Teredo or NAT64 (RFC 6052)."""
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.sixtofour or (ip.teredo[1] if ip.teredo is not None else None)


def http_get(config: HttpConfig) -> Tool:
    """Return the tool."""
    getter = _Getter(config)
    return Tool(
        name=ToolName("http_get"),
        description=_description(config),
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        call=getter.call,
        timeout_seconds=config.timeout_seconds + 5,
        retryable=True,
    )


def _description(config: HttpConfig) -> str:
    words = (
        "Fetch a URL with GET. Returns status, milliseconds, body (parsed when it is JSON, else text) and truncated. "
        "Every HTTP status is a result, also 4xx and 5xx; the call fails only when nothing answers."
    )
    known = ", ".join(f"{name} = {url}" for name, url in config.known.items())
    return f"{words} Known services: {known}" if known else words


class _Getter:
    """The tool's work."""

    def __init__(self, config: HttpConfig) -> None:
        self._config = config

    async def call(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        """Fetch `url`, following redirects."""
        url = self._allowed(str(args["url"]))
        started = time.monotonic()
        resolver = None if self._config.allow_private else PublicResolver()
        connector = aiohttp.TCPConnector(resolver=resolver, limit=1)
        timeout = aiohttp.ClientTimeout(total=self._config.timeout_seconds)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
                for _ in range(MAX_REDIRECTS + 1):
                    async with session.get(url, allow_redirects=False) as response:
                        target = response.headers.get("Location")
                        if response.status not in REDIRECTS or target is None:
                            return await self._result(response, started)
                        url = self._allowed(str(response.url.join(URL(target))))
        except TimeoutError as error:
            raise ToolError("timeout", f"{url.host} did not answer in {self._config.timeout_seconds:g} s.") from error
        except AddressRefused as error:
            raise _private(url) from error
        except aiohttp.ClientConnectorDNSError as error:
            if isinstance(error.os_error, AddressRefused):
                raise _private(url) from error
            raise ToolError("unknown_host", f"There is no host named {url.host}.") from error
        except aiohttp.ClientConnectionError as error:
            raise ToolError("unreachable", f"Nothing answers at {url.host}:{url.port}.") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise ToolError("bad_answer", f"{url.host} did not answer in HTTP: {type(error).__name__}.") from error
        raise ToolError("too_many_redirects", f"More than {MAX_REDIRECTS} redirects, the last to {url}.")

    def _allowed(self, text: str) -> URL:
        """Return the URL.

        Raises:
            ToolError: it is no http URL, or its host is a literal address that may not be reached (the
                resolver never sees those).
        """
        try:
            url = URL(text)
            valid = url.scheme in ("http", "https") and bool(url.host)
        except ValueError:
            raise ToolError("bad_url", f"{text!r} is not a URL.") from None
        if not valid:
            raise ToolError("bad_url", f"{text!r} is not an absolute http or https URL.")
        if not self._config.allow_private and _is_address(url.host or "") and not is_public(url.host or ""):
            raise _private(url)
        return url

    async def _result(self, response: aiohttp.ClientResponse, started: float) -> Json:
        raw = await _head(response, self._config.body_bytes + 1)
        milliseconds = round((time.monotonic() - started) * 1000)
        truncated = len(raw) > self._config.body_bytes
        return {
            "status": response.status,
            "milliseconds": milliseconds,
            "body": _body(raw[: self._config.body_bytes], response, truncated),
            "truncated": truncated,
        }


async def _head(response: aiohttp.ClientResponse, size: int) -> bytes:
    """Return the first `size` bytes of the body."""
    parts: list[bytes] = []
    missing = size
    while missing > 0 and (part := await response.content.read(min(missing, 65536))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _body(raw: bytes, response: aiohttp.ClientResponse, truncated: bool) -> Json:
    subtype = response.content_type.rpartition("/")[2]
    if not truncated and (subtype == "json" or subtype.endswith("+json")):
        try:
            return json.loads(raw, parse_constant=_refused)
        except (ValueError, RecursionError):
            pass
    try:
        return raw.decode(response.charset or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _refused(constant: str) -> None:
    """NaN and infinities are Python's, not JSON's."""
    raise ValueError(constant)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _private(url: URL) -> ToolError:
    return ToolError("private_address", f"{url.host} is not on the public internet; this tool may not reach it.")
