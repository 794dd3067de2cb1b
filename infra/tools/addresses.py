"""The hosts that a tool may reach: those on the public internet and, only when allowed, private ones.

The machine itself, its link and a cloud's metadata service are reached only by a name that the operator listed: what
answers there trusts whoever asks from inside.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
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


_LOCAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this machine
        "127.0.0.0/8",
        "169.254.0.0/16",  # the link; clouds serve their metadata at 169.254.169.254
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "192.0.0.192/32",  # of Oracle Cloud
        "168.63.129.16/32",  # of Azure
        "::/96",  # this machine, and IPv4 addresses in a form that is no longer used
        "fe80::/10",  # the link
        "fec0::/10",
        "fd00:ec2::254/128",  # metadata of AWS
        "fd20:ce::254/128",  # of Google Cloud
    )
)
"""The machine itself, its link, and the metadata services of clouds."""


class AddressRefused(OSError):
    """The tool may not reach the host at this address."""


def is_public(address: str) -> bool:
    """Return whether an IP address is on the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = _embedded_ipv4(ip) if isinstance(ip, ipaddress.IPv6Address) else None
    if inner is not None:
        ip = inner
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)


def is_local(address: str) -> bool:
    """Return whether an IP address is the machine itself, on its link, or a cloud's metadata service."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = _embedded_ipv4(ip) if isinstance(ip, ipaddress.IPv6Address) else None
    return any((inner or ip) in network for network in _LOCAL)


def host_name(text: str) -> str:
    """Return a host of a configuration's list.

    Raises:
        ValueError: it is no host, such as an address with a scheme or a port.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", text):
        raise ValueError("not a host, such as api.example.com or 10.1.2.3")
    return text


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a tool may reach."""

    #: Whether addresses off the public internet may be reached, local ones only of `named` hosts.
    allow_private: bool = False
    #: The hosts that the operator listed, in the one spelling of `_spelt`.
    named: AbstractSet[str] = frozenset()
    #: Whether other hosts are refused.
    only_named: bool = False

    def names(self, host: str) -> bool:
        """Return whether the operator listed the host."""
        return _spelt(host) in self.named

    def allows(self, host: str, address: str) -> bool:
        """Return whether the host may be reached at this address."""
        return is_public(address) or (self.allow_private and (self.names(host) or not is_local(address)))


def reach(known: Mapping[str, str], hosts: Iterable[str], *, allow_private: bool) -> Reach:
    """Return what a tool may reach: with `hosts`, only those and the hosts of its `known` services."""
    listed = frozenset(map(_spelt, hosts))
    services = frozenset(_spelt(host) for url in known.values() if (host := _host_of(url)))
    return Reach(allow_private=allow_private, named=listed | services, only_named=bool(listed))


def _host_of(url: str) -> str:
    try:
        return URL(url).host or ""
    except ValueError:
        return ""


def _spelt(host: str) -> str:
    """Return one spelling for all of a host."""
    if (address := _address(host)) is None:
        return host.removesuffix(".").lower()
    ip = ipaddress.ip_address(address)
    return str((isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped) or ip)


def _embedded_ipv4(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address inside an IPv6 address: mapped, 6to4, Teredo or NAT64 (RFC 6052)."""
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.sixtofour or (ip.teredo[1] if ip.teredo is not None else None)


def checked_url(text: str, reach: Reach) -> URL:
    """Return the URL.

    Raises:
        ToolError: it is no http URL, or the tool may not reach its host, whichever way that is spelt.
    """
    try:
        url = URL(text)
        valid = url.scheme in ("http", "https") and bool(url.host)
    except ValueError:
        raise ToolError("bad_url", f"{text!r} is not a URL.") from None
    if not valid:
        raise ToolError("bad_url", f"{text!r} is not an absolute http or https URL.")
    host = url.host or ""
    if reach.only_named and _spelt(host) not in reach.named:
        raise ToolError("host_not_allowed", f"{host} is not among the hosts that this tool may reach.")
    if (address := _address(host)) is not None and not reach.allows(host, address):
        raise private_address(url)
    return url


def private_address(url: URL) -> ToolError:
    """Return the error for a host at an address that the tool may not reach."""
    return ToolError("private_address", f"{url.host} is not on the public internet; this tool may not reach it.")


def connector(reach: Reach) -> aiohttp.TCPConnector:
    """Return a connector for one session; it raises `AddressRefused` instead of connecting where it may not.

    It checks names after resolution, so that a later DNS response cannot differ, and every socket again, however its
    address was found.
    """
    gate = _Gate(reach)
    return aiohttp.TCPConnector(limit=1, resolver=gate, socket_factory=gate.socket)


def not_connected(url: URL, error: aiohttp.ClientConnectorError | aiohttp.InvalidURL) -> ToolError:
    """Return the error for a connection that was never established; nothing was sent."""
    if isinstance(error, aiohttp.InvalidURL):
        return ToolError("bad_url", f"{str(url)!r} names no host that can be reached.")
    if isinstance(error.os_error, AddressRefused):
        return private_address(url)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ToolError("unknown_host", f"There is no host named {url.host}.")
    return ToolError("unreachable", f"Nothing answers at {url.host}:{url.port}.")


class _Gate(AbstractResolver):
    """Resolves names and opens sockets, and refuses those at an address that may not be reached."""

    def __init__(self, reach: Reach) -> None:
        self._inner = ThreadedResolver()
        self._reach = reach
        #: The addresses of names that passed.
        self._passed: set[str] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the host's addresses; refuse the host when any of them may not be reached."""
        results = await self._inner.resolve(host, port, family)
        found = {result["host"] for result in results}
        if not all(self._reach.allows(host, address) for address in found):
            raise AddressRefused(host)
        self._passed |= found
        return results

    async def close(self) -> None:
        await self._inner.close()

    def socket(self, info: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        """Return a socket for the address."""
        family, kind, protocol = info[:3]
        address = str(info[4][0])
        if address not in self._passed and not self._reach.allows(address, address):
            raise AddressRefused(address)
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
