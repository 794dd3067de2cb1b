"""`[accounts]`: the providers at which people connect their accounts, and the address where they come back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from infra.tools.secret import Secret

CALLBACK = "/accounts/callback"
CONNECT = "/accounts/connect"
CLIENT = "/accounts/client.json"
"""The document that describes this client, where a provider takes its address for the client's id."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_loopback(url: str) -> bool:
    """Return whether an address is on this very machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _secure(url: str) -> str:
    """Return an address over which secrets may be sent: https, or http within the machine."""
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        good = good and bool(parts.hostname) and parts.username is None and not parts.fragment and parts.port != 0
    except ValueError:
        good = False
    if url and not good:
        raise ValueError("an address begins with https://, or with http:// on this machine, and holds no credentials")
    return url


_Url = Annotated[str, AfterValidator(_secure)]


@dataclass(frozen=True, kw_only=True)
class ProviderConfig:
    """`[accounts.NAME]`: a provider of OAuth 2.1, and the client that this app is there."""

    #: Its name for people; empty: the table's name.
    title: str = field(default="", metadata={"max_length": 80})
    #: The rest is found by its metadata (RFC 8414, OpenID Connect Discovery).
    issuer: _Url = ""
    #: The address of an MCP server or another API that names its provider itself (RFC 9728).
    resource: _Url = ""
    #: In place of metadata, or of what is missing there.
    authorize_url: _Url = ""
    token_url: _Url = ""
    revoke_url: _Url = ""
    #: Where it says who a person is there.
    userinfo_url: _Url = ""
    #: Empty: the app registers itself, where the provider offers that.
    client_id: str = ""
    client_secret: Secret | None = None
    scopes: tuple[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")], ...] = ()
    #: Further parameters of the address where people log in, such as `prompt`.
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout_seconds: float = field(default=10.0, metadata={"gt": 0, "le": 60})


def _known_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a provider's name is a small letter, then up to 39 small letters, digits, _ and -")
    return name


def _whole(config: ProviderConfig) -> ProviderConfig:
    if not (config.issuer or config.resource or (config.authorize_url and config.token_url)):
        raise ValueError("it has issuer, or resource, or both authorize_url and token_url")
    if config.issuer and config.resource:
        raise ValueError("a resource names its issuer itself")
    if config.client_secret is not None and not config.client_id:
        raise ValueError("client_secret is of a client_id")
    return config


def _listen(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) < 2**16:
        raise ValueError("listen is HOST:PORT, such as 127.0.0.1:8420")
    return address


def _base(url: str) -> str:
    return _secure(url).rstrip("/")


_KEYS = frozenset({"listen", "public_url", "providers"})


def _split(table: object) -> object:
    """Take every table of the file's `[accounts]` for a provider."""
    if not isinstance(table, dict):
        return table
    given = cast("dict[str, object]", table)
    providers: dict[str, object] = {
        name: value for name, value in given.items() if isinstance(value, dict) and name not in _KEYS
    }
    return {name: value for name, value in given.items() if name not in providers} | {"providers": providers}


class AccountsTable(BaseModel):
    """`[accounts]`: without a provider nobody has an account, and nothing listens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Where the app listens for people who come back from a provider.
    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8420"
    #: The address that leads there from people's browsers; empty: `http://` and `listen`.
    public_url: Annotated[str, AfterValidator(_base)] = ""
    providers: dict[Annotated[str, AfterValidator(_known_name)], Annotated[ProviderConfig, AfterValidator(_whole)]] = (
        Field(default_factory=dict[str, ProviderConfig])
    )

    @property
    def base_url(self) -> str:
        """The beginning of our own addresses."""
        return self.public_url or f"http://{self.listen}"

    def title(self, provider: str) -> str:
        """Return a provider's name for people."""
        config = self.providers.get(provider)
        return (config.title if config else "") or provider


AccountsSettings = Annotated[AccountsTable, BeforeValidator(_split)]
"""`[accounts]` as the file has it: the providers stand beside the other keys."""
