"""`[mcp.NAME]`: an MCP server whose tools a plan may call, and the bounds that hold it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NewType

from pydantic import AfterValidator

from agent.plan.file_names import FILE_TOOLS
from agent.tool import Colour
from infra.tools.catalogue import TOOL_NAMES
from infra.tools.git.catalogue import GIT_TOOLS

ServerName = NewType("ServerName", str)

PINS_FILE = "mcp.lock.json"
"""The file of the pins, beside the configuration file."""

_NAME = re.compile(r"[a-z][a-z0-9]{0,19}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TAKEN = frozenset(name.partition("_")[0] for name in TOOL_NAMES - FILE_TOOLS - GIT_TOOLS)
"""Names whose servers' tools would look like ours. Servers `files` and `git` are usual ones: the tools of a server
`git` are `git_git_log` and the like, and of one `files` its `read` alone is refused."""


@dataclass(frozen=True, kw_only=True)
class McpServerConfig:
    """`[mcp.NAME]`: how a server is reached, what is believed of it, and how much it may send."""

    #: The program to run, with which it speaks over its standard input and output.
    command: str = ""
    args: tuple[str, ...] = ()
    #: Variables that the program gets besides PATH, LANG and a HOME of its own.
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    #: Names of variables of Greenlight's environment that it gets, too.
    env_from: tuple[str, ...] = ()
    #: Its address, for streamable HTTP; in place of `command`.
    url: str = ""
    #: Header -> the name of the variable of Greenlight's environment with its value.
    headers_from: Mapping[str, str] = field(default_factory=dict[str, str])
    #: The provider with whose account people are known there (`[accounts.NAME]`): then each call runs as who asks for
    #: it, and `headers_from` count for pinning alone.
    account: str = ""
    #: Colours of tools, by the server's own names.
    colours: Mapping[str, Colour] = field(default_factory=dict[str, Colour])
    #: Whether a tool without a colour here is green when the server says that it only reads.
    trusted_hints: bool = False
    connect_seconds: float = field(default=20.0, metadata={"gt": 0, "le": 600})
    call_seconds: float = field(default=60.0, metadata={"gt": 0, "le": 3600})
    #: What each process of the program may use, where the machine can hold it to that.
    memory_megabytes: int = field(default=2048, metadata={"ge": 16, "le": 1024 * 1024})
    #: The most that one answer may come to.
    result_bytes: int = field(default=1024 * 1024, metadata={"ge": 1024, "le": 16 * 1024 * 1024})
    #: The most tools that it may offer.
    tools: int = field(default=100, metadata={"ge": 1, "le": 1_000})
    #: The most that one tool's description may come to, and its schema.
    description_characters: int = field(default=4_000, metadata={"ge": 1, "le": 100_000})
    schema_bytes: int = field(default=16 * 1024, metadata={"ge": 2, "le": 256 * 1024})


def _known_name(name: str) -> ServerName:
    """Return a server's name; without `_`, so that no two servers' tools have the same name."""
    if not _NAME.fullmatch(name):
        raise ValueError("a server's name is a small letter, then up to 19 small letters and digits")
    if name in _TAKEN:
        raise ValueError(f"the names of tools that are here already begin with {name}_")
    return ServerName(name)


def _one_way(config: McpServerConfig) -> McpServerConfig:
    """Return the table when it says in one way how the server is reached."""
    if bool(config.command) == bool(config.url):
        raise ValueError("it has either command or url")
    if config.url and (config.args or config.env or config.env_from):
        raise ValueError("args, env and env_from are of a command")
    if config.command and (config.headers_from or config.account):
        raise ValueError("headers_from and account are of a url")
    if config.url and not re.match(r"https?://[^/@\s]+(/|$)", config.url):
        raise ValueError("url is http:// or https://, and holds no credentials: headers_from names where they are")
    variables = [*config.env, *config.env_from, *config.headers_from.values()]
    if not all(map(_VARIABLE.fullmatch, variables)):
        raise ValueError("a variable's name is letters, digits and _")
    if not all(map(_HEADER.fullmatch, config.headers_from)):
        raise ValueError("headers_from: not the name of a header")
    return config


McpTables = dict[Annotated[str, AfterValidator(_known_name)], Annotated[McpServerConfig, AfterValidator(_one_way)]]
"""`[mcp]`: the servers by name."""


@dataclass(frozen=True, kw_only=True)
class McpServer:
    """A configured server, with what it gets from Greenlight's environment."""

    name: ServerName
    config: McpServerConfig
    #: The whole environment of its process.
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    #: Sent with every request to its address.
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    #: Its process's own folder.
    home: Path
    #: The variables that the configuration names and that are not set.
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class McpSettings:
    """The configured servers, and the file of their pins."""

    servers: tuple[McpServer, ...] = ()
    pins: Path = Path(PINS_FILE)


def mcp_settings(
    tables: Mapping[str, McpServerConfig], given: Mapping[str, str], file: Path | None, data: Path
) -> McpSettings:
    """Return the servers of the configuration `file`, with the variables that they get of `given`."""
    servers = tuple(_server(ServerName(name), config, given, data) for name, config in tables.items())
    return McpSettings(servers=servers, pins=(file.parent if file else Path()) / PINS_FILE)


def _server(name: ServerName, config: McpServerConfig, given: Mapping[str, str], data: Path) -> McpServer:
    home = (data / "mcp" / name).absolute()
    base = {variable: given[variable] for variable in ("PATH", "LANG") if variable in given}
    passed = {variable: given[variable] for variable in config.env_from if variable in given}
    named = [*config.env_from, *config.headers_from.values()]
    return McpServer(
        name=name,
        config=config,
        environment={**base, "HOME": str(home), **passed, **config.env},
        headers={header: given[variable] for header, variable in config.headers_from.items() if variable in given},
        home=home,
        missing=tuple(variable for variable in named if variable not in given),
    )
