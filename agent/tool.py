"""Tools: what a plan may call, and the colour that decides whether a person is asked first."""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol
from urllib.parse import urlsplit

from agent.ids import Digest, NodeId, ThreadId, ToolName, UserId
from agent.plan.effects import Inverse
from agent.plan.files import FileOrigin
from agent.plan.operations import Node, NodeKind
from agent.preview import Previewer
from agent.roles import SubagentRole, workers_of
from sandbox.script import Json


class Colour(StrEnum):
    """Green only reads; red changes something and waits for a person. Unknown is red."""

    GREEN = "green"
    RED = "red"


class Reversibility(StrEnum):
    """Whether the effect of a red call can be taken back. Unknown is final."""

    #: Another call undoes it, as if it had not happened.
    REVERSIBLE = "reversible"
    #: Another call makes up for it; that it happened stays seen.
    COMPENSABLE = "compensable"
    FINAL = "final"


class ToolError(Exception):
    """A tool could not do its work. `code` is a short machine word; the text is for the model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooLate(Exception):
    """A red call was not sent: this process may have a successor by now, which asks people what became of the call."""


class WorldChanged(Exception):
    """A red call had no effect: what it was to change is no longer as the card showed, and a person is asked anew."""


@dataclass(frozen=True, kw_only=True)
class InputAsked:
    """What a tool wants to know from a person before it goes on; until then its call has no effect."""

    #: Who asks, for people.
    by: str
    #: The question's key -> `{"message": text, "schema": JSON Schema of a flat object}`, or with `"url"` in place of
    #: the schema: a page to visit.
    questions: Mapping[str, Json]
    #: Goes back with the answers as it is; shown to nobody.
    state: str = field(default="", repr=False)
    #: The provider at which the author must connect their account; then there are no questions.
    account: str = ""


class InputRequired(Exception):
    """A call had no effect: a person is asked, and then it is made again with `CallContext.given`."""

    def __init__(self, asked: InputAsked) -> None:
        super().__init__(asked.by)
        self.asked = asked


@dataclass(frozen=True, kw_only=True)
class InputGiven:
    """The answers to `InputAsked`, for the call that goes on."""

    #: The question's key -> `{"action": "accept", "content": {...}}`, or `"decline"` or `"cancel"` without content.
    answers: Mapping[str, Json] = field(repr=False)
    state: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Account:
    """Whose account at a provider a call runs as."""

    #: The provider's name in the configuration.
    provider: str
    #: Who the person is there, in the provider's words; empty: it does not say.
    subject: str = ""


class AuthorAccount(Protocol):
    """The account of a call's author at the provider that its tool needs."""

    @property
    def provider(self) -> str:
        """The provider's name in the configuration."""
        ...

    async def token(self, refused: str = "") -> str:
        """Return an access token; never the one that was `refused`.

        Raises:
            InputRequired: the author must connect the account first.
            ToolError: `unavailable`: the provider cannot be reached.
        """
        ...


def uptime_seconds() -> float:
    """Return seconds that go on while this process is stopped and while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, kw_only=True)
class CallContext:
    """On whose behalf and from where a tool is called."""

    thread: ThreadId
    node: NodeId
    #: The person whose rights count.
    author: UserId
    #: Equal for every try of the same red call, different for all others. Tools that can pass it on do.
    idempotency_key: Digest
    #: Returns the `uptime_seconds` after which nothing may be sent; moves on as long as the process is known to live.
    not_after: Callable[[], float] = field(default=lambda: math.inf, repr=False, compare=False)
    #: What the tool's `precondition` returned for the card; None: it has none, or could not read it. A tool whose write
    #: can depend on it makes it depend on it, and raises WorldChanged when it was refused for that.
    expected: Json = field(default=None, repr=False)
    #: The answers that the call before this one asked for by `InputRequired`.
    given: InputGiven | None = field(default=None, repr=False)
    #: Takes in how the effect of a call that ended can be taken back.
    note_inverse: Callable[[Inverse], None] = field(default=lambda _: None, repr=False, compare=False)
    #: Returns what follows, for whoever reads it, from where the call's output comes; None: nobody can tell.
    origin: Callable[[], FileOrigin | None] = field(default=lambda: None, repr=False, compare=False)
    #: Shows one short line beside the running step, in words of our own: how far it is.
    note_detail: Callable[[str], None] = field(default=lambda _: None, repr=False, compare=False)
    #: The author's account; None: the call runs as the app.
    account: AuthorAccount | None = field(default=None, repr=False, compare=False)

    async def token(self, refused: str = "") -> str:
        """Return the author's access token; see `AuthorAccount.token`.

        Raises:
            InputRequired, ToolError: as there; and `no_account` where a call runs for nobody in particular.
        """
        if self.account is None:
            raise ToolError("no_account", "this needs the account of the person who asks, and nobody's is known here")
        return await self.account.token(refused)

    def check_not_late(self) -> None:
        """Return if the call may be sent now. Every red tool asks right before it sends, each time that it sends.

        Raises:
            TooLate: see the class.
        """
        if uptime_seconds() > self.not_after():
            raise TooLate


@dataclass(frozen=True, kw_only=True)
class Egress:
    """A green tool's way out: it sends what a plan writes to whichever host a plan names."""

    #: The argument with the URL.
    argument: str
    #: The hosts that the operator named, in lower case.
    known: AbstractSet[str]


@dataclass(frozen=True, kw_only=True)
class Undoing:
    """How the effects of a red tool's calls can be taken back."""

    #: Returns what takes the effect of a call back, from its arguments, its whole output, and what `before` returned
    #: right before it. Pure.
    inverse: Callable[[CallContext, Mapping[str, Json], Json, Json], Inverse]
    #: Reads what a call is about to replace, and changes nothing. It may raise; then there is nothing (None).
    before: Callable[[CallContext, Mapping[str, Json]], Awaitable[Json]] | None = None
    #: Returns the reversibility of a call, from what `before` returns as the card is made. None: always the tool's.
    reversibility: "Callable[[Mapping[str, Json], Json], Reversibility] | None" = None


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One callable tool."""

    name: ToolName
    description: str
    #: A JSON Schema (draft 2020-12) of an object; `"x-confidential": true` marks what only those who may decide see.
    arguments: Mapping[str, Json]
    colour: Colour
    #: Returns the output or raises ToolError or InputRequired; a red one also TooLate (`CallContext.check_not_late`)
    #: and WorldChanged.
    #: Any other exception is a fault of the tool and is shown as one.
    call: Callable[[CallContext, Mapping[str, Json]], Awaitable[Json]] = field(repr=False)
    #: Raises ToolError for a call that cannot succeed, before people are asked about it. In doubt it raises nothing.
    check: Callable[[CallContext, Mapping[str, Json]], Awaitable[None]] | None = field(default=None, repr=False)
    reversibility: Reversibility = Reversibility.FINAL
    #: None: no call takes back what one did.
    undoing: Undoing | None = field(default=None, repr=False)
    #: How its arguments look on a card. Pure; it sees no confidential value.
    preview: Previewer | None = field(default=None, repr=False)
    #: Returns what the call would do, without doing it, or raises ToolError. Called once, before people are asked.
    dry_run: Callable[[CallContext, Mapping[str, Json]], Awaitable[Json]] | None = field(default=None, repr=False)
    #: Reads what the call is about to change, and changes nothing: a version, a row count, a channel's state. Small;
    #: None: there is nothing to compare. Read for the card and again right before the call, which a difference stops.
    precondition: Callable[[CallContext, Mapping[str, Json]], Awaitable[Json]] | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0
    #: Only ever true for green tools.
    retryable: bool = False
    #: How often a retryable tool's call is made again at most.
    retries: int = 2
    #: How long a green tool's result is returned again for the same author and arguments. 0: never.
    cache_seconds: float = 0.0
    #: The arguments that say what a call changes, of a red tool; None: each one may. A grant never leaves one open.
    targets: tuple[str, ...] | None = None
    #: The arguments of which the call gets a large value by reference (`agent/tools/large_arguments.py`).
    by_reference: frozenset[str] = frozenset()
    #: None: it reaches only what the operator chose. See `agent/reading/egress.py`.
    egress: Egress | None = None
    #: The argument with the URL whose host a call asks; None: it asks the same ones each time.
    url_argument: str | None = None
    #: What its calls need, by the name that people know, where several tools need the same: an MCP server, say.
    service: str | None = None
    #: Its output is what this very person may see: no other person's step gets it.
    personal: bool = False
    #: The provider with the author's account at which it calls, or the provider by the origin (`https://host:port`) of
    #: the URL that a call asks. Then it is `personal`, and never runs as the app there.
    account: str | Mapping[str, str] = ""
    #: Its output holds text that strangers wrote: pages, logs, messages, rows. Who approves reads where it went.
    returns_outside_text: bool = False
    #: Changes when the tool returns something else for the same arguments.
    version: str = "1"

    @property
    def summary(self) -> str:
        """The first sentence of its description, without the full stop."""
        return " ".join(self.description.partition("\n")[0].partition(". ")[0].split()).rstrip(".")

    @property
    def providers(self) -> frozenset[str]:
        """The providers at which calls may need the author's account."""
        if isinstance(self.account, str):
            return frozenset({self.account} - {""})
        return frozenset(self.account.values())

    def account_for(self, args: Mapping[str, Json]) -> str:
        """Return the provider with the author's account at which a call runs; empty: it runs as the app."""
        if isinstance(self.account, str):
            return self.account
        url = None if self.url_argument is None else args.get(self.url_argument)
        return self.account.get(origin_of(url), "") if isinstance(url, str) else ""

    def host(self, args: Mapping[str, Json]) -> str | None:
        """Return the host that a call with these arguments asks, if they name one."""
        url = None if self.url_argument is None else args.get(self.url_argument)
        try:
            return urlsplit(url).hostname if isinstance(url, str) else None
        except ValueError:
            return None


_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """Return the origin of a URL, its default port left out; empty when it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


class Registry:
    """The tools of this installation, by name, in the order they were given, and the roles that work with them."""

    def __init__(self, tools: Iterable[Tool] = (), roles: Iterable[SubagentRole] = ()) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._roles = {role.name: role for role in roles}

    @property
    def roles(self) -> tuple[SubagentRole, ...]:
        """The roles of subagents, in their order."""
        return tuple(self._roles.values())

    def role(self, name: str) -> SubagentRole | None:
        """Return the role of that name, or None."""
        return self._roles.get(name)

    def find(self, name: str) -> Tool | None:
        """Return the tool of that name, or None."""
        return self._tools.get(ToolName(name))

    def is_personal(self, name: ToolName) -> bool:
        """Return whether the tool's output is only for the person whose rights its call took."""
        found = self.find(name)
        return found is not None and found.personal

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)


def colour_of(node: Node, registry: Registry) -> Colour:
    """Return red when a person must be asked first; a plan can make a node stricter, never laxer.

    A template does nothing itself: each of its items has its own colour. Neither does a script or subagent that calls
    red tools: each of these calls becomes a red node. A subagent has no tool that is not known here.
    """
    if node.for_each or node.given is not None:
        return Colour.GREEN
    if node.require_human_approval:
        return Colour.RED
    if node.kind is NodeKind.SUBAGENT or asks_inside(node, registry):
        return Colour.GREEN
    names = (node.tool or "",) if node.kind is NodeKind.TOOL else node.tools
    tools = [registry.find(name) for name in names]
    green = all(tool is not None and tool.colour is Colour.GREEN for tool in tools)
    return Colour.GREEN if green else Colour.RED


def asks_inside(node: Node, registry: Registry) -> bool:
    """Return whether calls of a node become nodes: those of red tools of a script or subagent, and a lead's workers.

    None does of a script that asks as a whole, or that has a tool which is not known here.
    """
    if node.kind is NodeKind.TOOL or (node.kind is NodeKind.PACKAGE and node.require_human_approval):
        return False
    tools = [registry.find(name) for name in node.tools]
    red = any(tool is not None and tool.colour is not Colour.GREEN for tool in tools)
    if node.kind is NodeKind.SUBAGENT:
        return red or bool(workers_for(node, registry))
    return None not in tools and red


def workers_for(node: Node, registry: Registry) -> tuple[SubagentRole, ...]:
    """Return the roles that a subagent may hand work to; one that was handed out itself may not."""
    role = registry.role(node.role) if node.kind is NodeKind.SUBAGENT and node.position is None else None
    return () if role is None else workers_of(role, registry.roles)


def tools_of_role(role: SubagentRole, registry: Registry) -> tuple[ToolName, ...]:
    """Return the tools of a role that are known here, in the order of the role's names."""
    named = (tool.name for pattern in role.tools for tool in registry if _fits(pattern, tool))
    return tuple(dict.fromkeys(named))


def _fits(pattern: str, tool: Tool) -> bool:
    if "*" in pattern:
        return tool.colour is Colour.GREEN and fnmatchcase(tool.name, pattern)
    return tool.name == pattern


def drawn_colour(node: Node, registry: Registry) -> Colour:
    """Return the colour of a node in a drawing: of a template, that of the nodes it will become."""
    return colour_of(replace(node, for_each=""), registry)
