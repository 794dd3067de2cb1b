"""The hosts that a tool may reach: those on the public internet and, only when allowed, private ones."""

import ipaddress
import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from agent.tool import ToolError

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""The allocated part of IPv6 (RFC 4291, section 2.4); all other addresses are local in some way."""

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocol assignments; one cloud serves its metadata at 192.0.0.192
        "192.88.99.0/24",  # the 6to4 relays, deprecated
        "168.63.129.16/32",  # a public address at which Azure serves each machine locally
        "3fff::/20",  # documentation (RFC 9637)
    )
)
"""Networks that `ipaddress` of Python 3.11 wrongly calls global, or that the machine's own host serves."""


class AddressRefused(OSError):
    """The host is not on the public internet."""


def is_public(address: str) -> bool:
    """Return whether an IP address is on the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = _embedded_ipv4(ip) if isinstance(ip, ipaddress.IPv6Address) else None
    if inner is not None:
        ip = inner
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)


def _embedded_ipv4(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address inside an IPv6 address: mapped, 6to4, Teredo or NAT64 (RFC 6052)."""
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.sixtofour or (ip.teredo[1] if ip.teredo is not None else None)


def checked_url(text: str, *, allow_private: bool) -> URL:
    """Return the URL.

    Raises:
        ToolError: it is no http URL, or its host is a private address in any spelling, and those are not allowed.
    """
    try:
        url = URL(text)
        valid = url.scheme in ("http", "https") and bool(url.host)
    except ValueError:
        raise ToolError("bad_url", f"{text!r} is not a URL.") from None
    if not valid:
        raise ToolError("bad_url", f"{text!r} is not an absolute http or https URL.")
    if not allow_private and (address := _address(url.host or "")) is not None and not is_public(address):
        raise private_address(url)
    return url


def private_address(url: URL) -> ToolError:
    """Return the error for a host that is not on the public internet."""
    return ToolError("private_address", f"{url.host} is not on the public internet; this tool may not reach it.")


def connector(*, allow_private: bool) -> aiohttp.TCPConnector:
    """Return a connector for one session; it raises `AddressRefused` instead of connecting to a private address.

    It checks names after resolution, so that a later DNS response cannot differ, and every socket again, however its
    address was found.
    """
    if allow_private:
        return aiohttp.TCPConnector(limit=1)
    return aiohttp.TCPConnector(limit=1, resolver=_PublicResolver(), socket_factory=_public_socket)


def not_connected(url: URL, error: aiohttp.ClientConnectorError | aiohttp.InvalidURL) -> ToolError:
    """Return the error for a connection that was never established; nothing was sent."""
    if isinstance(error, aiohttp.InvalidURL):
        return ToolError("bad_url", f"{str(url)!r} names no host that can be reached.")
    if isinstance(error.os_error, AddressRefused):
        return private_address(url)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ToolError("unknown_host", f"There is no host named {url.host}.")
    return ToolError("unreachable", f"Nothing answers at {url.host}:{url.port}.")


class _PublicResolver(AbstractResolver):
    """Resolves names, and refuses those with an address that is not public."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the host's addresses; refuse the host when any of them is private."""
        results = await self._inner.resolve(host, port, family)
        if not all(is_public(result["host"]) for result in results):
            raise AddressRefused(host)
        return results

    async def close(self) -> None:
        await self._inner.close()


def _public_socket(info: AddrInfoType) -> socket.socket:  # pyright: ignore[reportUnknownParameterType] - a bare tuple
    family, kind, protocol = info[:3]
    host = str(info[4][0])  # pyright: ignore[reportUnknownArgumentType] - the same
    if not is_public(host):
        raise AddressRefused(host)
    return socket.socket(family, kind, protocol)


def _address(host: str) -> str | None:
    """Return a host that is an IP address, also in spellings that only the C library knows (`0x7f.1`, `2130706433`)."""
    bare = host.partition("%")[0].removesuffix(".")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(bare))
    except (OSError, UnicodeEncodeError):
        return None
