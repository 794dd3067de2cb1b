"""`[tools.git]`: the repositories that plans may read, and the forges through which they may change them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from yarl import URL

from infra.tools.git.names import is_branch
from infra.tools.secret import Secret

Transport = Literal["https", "ssh", "file"]

_ADDRESSES: Mapping[Transport, re.Pattern[str]] = {
    "https": re.compile(r"https://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?/[A-Za-z0-9._~/+-]{1,500}"),
    "ssh": re.compile(
        r"ssh://([a-z_][a-z0-9_-]{0,31}@)?[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5})?/[A-Za-z0-9._~/+-]{1,500}"
        r"|[a-z_][a-z0-9_-]{0,31}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}:[A-Za-z0-9_~/][A-Za-z0-9._~/+-]{0,499}"
    ),
    "file": re.compile(r"/[^\x00-\x1f]{1,1000}"),
}
"""The addresses of remotes by transport. None begins with a dash, and none holds a credential."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def transport_of(address: str) -> Transport:
    """Return how a remote is reached.

    Raises:
        ValueError: it is none of the three.
    """
    for transport, pattern in _ADDRESSES.items():
        if pattern.fullmatch(address):
            return transport
    raise ValueError("neither https://host/path nor ssh://user@host/path nor user@host:path nor an absolute path")


def _address(text: str) -> str:
    transport_of(text)
    return text


def _branch(text: str) -> str:
    if not is_branch(text):
        raise ValueError("not the name of a branch")
    return text


def _api(text: str) -> str:
    """Return the address of a repository's REST API."""
    url = URL(text)
    local = url.scheme == "http" and url.host in _LOOPBACK
    if not (url.scheme == "https" or local) or not url.host or url.user or url.query_string or url.fragment:
        raise ValueError("not an https address such as https://api.github.com/repos/OWNER/NAME")
    return text.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class RepositoryConfig:
    """`[tools.git.repositories.NAME]`: one repository."""

    #: Where it is cloned from.
    address: Annotated[str, AfterValidator(_address)]
    #: The branch that is meant when a plan names none.
    branch: Annotated[str, AfterValidator(_branch)] = "main"
    #: Its address in the forge's REST API; without one it is only read.
    api: Annotated[str, AfterValidator(_api)] | None = None
    #: What the forge knows us by, for the API and for cloning over https.
    token: Secret | None = None
    #: The user name that goes with the token when cloning over https.
    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "x-access-token"

    def __post_init__(self) -> None:
        """Refuse an API without a token, and a token for nothing.

        Raises:
            ValueError: see above.
        """
        if self.api is not None and self.token is None:
            raise ValueError("api needs a token")
        if self.token is not None and self.api is None and not self.address.startswith("https:"):
            raise ValueError("token is for https and for api")


@dataclass(frozen=True, kw_only=True)
class GitConfig:
    """`[tools.git]`: the repositories, and what reading them may take."""

    #: The folder that holds the clones.
    folder: Path
    repositories: Mapping[
        Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")],
        RepositoryConfig,
    ] = field(default_factory=dict[str, RepositoryConfig])
    #: How old what a clone knows of its remote may be.
    fresh_seconds: float = field(default=30.0, metadata={"ge": 0, "le": 24 * 3600})
    #: How long fetching may take, the first clone included.
    fetch_seconds: float = field(default=120.0, metadata={"gt": 0, "le": 3600})
    #: How long one command on a clone may take.
    command_seconds: float = field(default=20.0, metadata={"gt": 0, "le": 600})
    #: The most that one call returns; a longer diff or file is cut.
    output_bytes: int = field(default=64 * 1024, metadata={"ge": 1024, "le": 8 * 1024 * 1024})
