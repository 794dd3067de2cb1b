"""Executes a node's own work: its arguments, then its tool call or script. When it may start is not decided here."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias, assert_never

from agent.approval import WorldState
from agent.card_facts import CardFacts, DryRun, account_json
from agent.errors import StoreUnavailable
from agent.events import NodeChanged
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.limits import Limits as WorkLimits
from agent.llm.tool_search import ToolSearch
from agent.plan.artifacts import fits_inline
from agent.plan.confidential import confidential_places
from agent.plan.effects import NoInverse
from agent.plan.json_schema import schema_issues
from agent.plan.json_values import truncated
from agent.plan.operations import Node, NodeKind, call_arguments, digest_of
from agent.plan.outcomes import NOT_UNDONE, OUTCOME_UNKNOWN, Failed, NodeState, Outcome, Succeeded, outcome_json
from agent.plan.references import references_in
from agent.plan.script_calls import MAY_BEGIN, DecidedCalls, Suspended
from agent.planning.system_messages import SystemMessages
from agent.ports import (
    Accounts,
    AgentModel,
    Artifacts,
    Attempts,
    Bound,
    LanguageModel,
    Progress,
    ResultCache,
    SubagentSteps,
)
from agent.roles import SubagentRole
from agent.scripts.runner import PackageDependencies, ScriptRunner
from agent.tool import (
    Account,
    CallContext,
    Colour,
    InputAsked,
    InputRequired,
    Registry,
    Reversibility,
    Tool,
    TooLate,
    WorldChanged,
    asks_inside,
    colour_of,
)
from agent.tools.access import ToolAccess
from agent.tools.binding import bind_object
from agent.tools.call import cached_call, hopeless, inverse_of, issue_words, unless_in_doubt, value_before, world_state
from agent.tools.call import dry_run as dry_run_of
from agent.tools.call_bounds import CallBounds, Learn
from agent.tools.circuit_breakers import CircuitBreakers
from agent.tools.given_files import file_names, with_handed
from agent.tools.large_arguments import with_references, with_values
from agent.tools.output import files_kept, moved_out
from agent.tools.rate_limits import RateLimits
from agent.tools.shared_bounds import SharedBounds
from sandbox.script import Json, Limits, Sandbox

DRY_RUNS_AT_ONCE = 8
"""Of one process: a plan may ask about many calls at once."""

DETAIL_SECONDS = 1.0
"""Between two lines that a tool shows beside its step."""

_DETAIL_CHARACTERS = 60

_PUT_AFTER_SECONDS = (0.0, 0.5, 2.0)

GIVEN_VALUE = ToolName("given_value")
"""Stands in the place of a tool where a person set the result; there is none of this name."""

_NO_DECISIONS = DecidedCalls()
_NOT_ASKED = Failed(error="internal", message="its script called a red tool where nobody can be asked")

_RunSubagent: TypeAlias = Callable[
    [Node, SubagentRole, Bound, CallContext, DecidedCalls], Awaitable[Succeeded | Failed | Suspended]
]

_NOT_STORED = Failed(error="store_unavailable", message="the work was done, but its output could not be stored")

_log = logging.getLogger(__name__)


class NodeExecutor:
    """The `NodeWork`.

    Without `sandbox` packages fail; without `model` a crashed script is not repaired; without `attempts` a package
    whose process died starts over at its first attempt; without `agents` and `steps` subagents fail; without `cache`
    every tool is called; without `access` everybody may use every tool; without `rates` as often as they like; without
    `accounts` no tool works that needs a person's. `systems` writes the system messages of repairs.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        sandbox: Sandbox | None,
        artifacts: Artifacts,
        progress: Progress,
        systems: SystemMessages | None = None,
        model: LanguageModel | None,
        agents: AgentModel | None = None,
        steps: SubagentSteps | None = None,
        attempts: Attempts | None = None,
        cache: ResultCache | None = None,
        access: ToolAccess | None = None,
        rates: RateLimits | None = None,
        breakers: CircuitBreakers | None = None,
        learn: Learn | None = None,
        accounts: Accounts | None = None,
        limits: WorkLimits | None = None,
        script_limits: Limits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._registry = registry
        self._access = access
        self._accounts = accounts
        self._artifacts = artifacts
        self._pause = pause
        self._progress = progress
        self._clock = clock
        self._cache = cache
        limits = limits or WorkLimits()
        self._bounds = CallBounds(limits, rates=rates, breakers=breakers, learn=learn)
        self._dry_runs = asyncio.Semaphore(DRY_RUNS_AT_ONCE)
        self._node_calls = limits.fan_out
        self._agents = agents
        self._steps = steps
        self._packages: PackageDependencies | None = None
        if sandbox is not None:
            default = SystemMessages(tools=ToolSearch(registry), access=access, dialect=sandbox.dialect)
            self._packages = PackageDependencies(
                registry=registry,
                sandbox=sandbox,
                system=(systems or default).of,
                progress=progress,
                attempts=attempts,
                model=model,
                bounds=self._bounds,
                red_calls=limits.fan_out,
                repairs=SharedBounds(limits.repairs_at_once),
                limits=script_limits or Limits(),
                clock=clock,
                pause=pause,
                as_author=self._as_author,
            )

    def colour(self, node: Node) -> Colour:
        """Return red when a person must be asked first."""
        return colour_of(node, self._registry)

    def asks_inside(self, node: Node) -> bool:
        """Return whether calls of the node become nodes: it is a script or subagent."""
        return asks_inside(node, self._registry)

    def personal(self, tool: ToolName) -> bool:
        """Return whether the tool's output is only for the person whose rights its call took."""
        return self._registry.is_personal(tool)

    def outside(self, tool: ToolName) -> bool:
        """Return whether the tool's output holds text that strangers wrote."""
        found = self._registry.find(tool)
        return found is None or found.returns_outside_text

    async def bind(self, thread: ThreadId, node: Node, outcomes: Mapping[NodeId, Outcome]) -> Bound | Failed:
        """Resolve the node's references and check a tool's arguments against its schema."""
        if node.given is not None:
            return Bound(tool=GIVEN_VALUE, args={}, digest=node.digest)
        written = call_arguments(node)
        args = await bind_object(thread, written, outcomes, self._artifacts)
        if node.handed and not isinstance(args, Failed):
            args = await with_handed(thread, args, node.handed, self._artifacts)
        if isinstance(args, Failed):
            return args
        name = node.tool if node.kind is NodeKind.TOOL and node.tool else ToolName(node.kind.value)
        if node.kind is NodeKind.TOOL and (failed := await self._argument_failure(name, args)):
            return failed
        tool = self._registry.find(name) if node.kind is NodeKind.TOOL else None
        if tool is not None and tool.by_reference:
            args = await with_references(thread, node.id, args, tool.by_reference, self._artifacts)
        sources = {node: outcomes[node] for _, reference in references_in(written) for node in reference.nodes}
        covered: Json = {
            "tool": name,
            "args": args,
            "node": node.digest,
            "from": {source: digest_of(outcome_json(outcome)) for source, outcome in sources.items()},
        }
        return Bound(tool=name, args=args, digest=digest_of(covered), file_names=file_names(node, outcomes))

    async def _argument_failure(self, name: ToolName, args: Mapping[str, Json]) -> Failed | None:
        tool = self._registry.find(name)
        if tool is None:
            return Failed(error="unknown_tool", message=f"there is no tool {name!r} here")
        wrong = await schema_issues(args, tool.arguments)
        if not wrong:
            return None
        message = f"/args{wrong[0].pointer}: {issue_words(tool, wrong[0])}"
        return Failed(error="bad_arguments", message=message)

    async def hopeless(self, node: Node, bound: Bound, context: CallContext) -> Failed | None:
        """Return how the call would certainly fail; None when it may succeed."""
        tool = self._registry.find(bound.tool) if node.kind is NodeKind.TOOL else None
        if (refused := await self._refused(node, context)) is not None or tool is None:
            return refused
        return await hopeless(tool, self._as_author(tool, context, bound.args), bound.args)

    def _as_author(self, tool: Tool, context: CallContext, args: Mapping[str, Json]) -> CallContext:
        """Return the context of a call with the author's account, where its tool needs one."""
        provider = tool.account_for(args)
        if not provider or self._accounts is None:
            return context
        account = AccountOfAuthor(
            accounts=self._accounts, thread=context.thread, author=context.author, provider=provider
        )
        return replace(context, account=account)

    async def _check_connected(self, node: Node, context: CallContext) -> None:
        """Return when the author has every account that a script's tools always need.

        Raises:
            InputRequired: they must connect one first.
        """
        for tool in filter(None, map(self._registry.find, node.tools)):
            if isinstance(tool.account, str) and tool.account and self._accounts is not None:
                await AccountOfAuthor(
                    accounts=self._accounts, thread=context.thread, author=context.author, provider=tool.account
                ).connected()

    async def _refused(self, node: Node, context: CallContext) -> Failed | None:
        """Return how a step fails whose author may not use its tools here; None when they may."""
        if self._access is None:
            return None
        tools = (node.tool,) if node.tool else node.tools
        fresh = self.colour(node) is Colour.RED
        return await self._access.refusal(context.thread, context.author, tools, fresh=fresh)

    async def reachable(self, node: Node, bound: Bound, context: CallContext) -> Failed | None:
        """Wait while nothing is called where the call goes; return how it ends when that lasts too long."""
        tool = self._registry.find(bound.tool) if node.kind is NodeKind.TOOL else None
        if tool is None:
            return None
        with self._detail(context.thread, node.id) as note_detail:
            return await self._bounds.reachable(tool, replace(context, note_detail=note_detail), bound.args)

    async def admitted(self, node: Node, bound: Bound, context: CallContext) -> Failed | None:
        """Wait until a red call may be sent; return how it ends when that is not so in time."""
        tool = self._registry.find(bound.tool) if node.kind is NodeKind.TOOL else None
        if tool is None or tool.colour is Colour.GREEN:  # a green one waits as it is called
            return None
        with self._detail(context.thread, node.id) as note_detail:
            return await self._bounds.admitted(tool, replace(context, note_detail=note_detail), bound.args)

    async def state(self, node: Node, bound: Bound, context: CallContext) -> WorldState | None:
        """Return what the call is about to change as it is now, and whose account it runs as.

        Of no tool, or one that is not known, nothing.

        Raises:
            InputRequired: the author must connect that account first.
        """
        tool = self._registry.find(bound.tool) if node.kind is NodeKind.TOOL else None
        if tool is None:
            return None
        context = self._as_author(tool, context, bound.args)
        account = await context.account.connected() if isinstance(context.account, AccountOfAuthor) else None
        state = await world_state(tool, context, bound.args)
        return state if account is None else {**(state or {}), "account": account_json(account)}

    async def facts(
        self,
        node: Node,
        bound: Bound,
        context: CallContext,
        *,
        dry_run: bool,
        reversibility: Reversibility | None = None,
    ) -> CardFacts:
        """Return what a card shows of the call; of a tool that is not known, or of no tool, the effect is final."""
        tool = self._registry.find(bound.tool) if node.kind is NodeKind.TOOL else None
        if tool is None:
            return CardFacts()
        context = self._as_author(tool, context, bound.args)
        return CardFacts(
            account=await self._account(tool, context, bound),
            reversibility=reversibility or await self._reversibility(tool, context, bound),
            dry_run=await self._dry_run(tool, context, bound) if dry_run and tool.dry_run is not None else None,
            confidential=confidential_places(tool.arguments),
            targets=tool.targets,
        )

    async def _account(self, tool: Tool, context: CallContext, bound: Bound) -> Account | None:
        """Return whose account a call runs as; None where nobody has any."""
        if self._accounts is None:
            return None
        if not (provider := tool.account_for(bound.args)):
            return Account(provider="")
        found = await self._accounts.account(context.thread, context.author, provider)
        return found or Account(provider=provider)

    async def _reversibility(self, tool: Tool, context: CallContext, bound: Bound) -> Reversibility:
        if tool.undoing is None or tool.undoing.reversibility is None:
            return tool.reversibility
        return tool.undoing.reversibility(bound.args, await value_before(tool, context, bound.args))

    async def _dry_run(self, tool: Tool, context: CallContext, bound: Bound) -> DryRun | None:
        async with self._dry_runs:
            return await dry_run_of(tool, context, bound.args)

    async def perform(self, node: Node, bound: Bound, context: CallContext) -> Outcome:
        """Do the work. Raises only CancelledError, InputRequired, and of a red call TooLate and WorldChanged."""
        tool = self._registry.find(bound.tool) if node.kind is NodeKind.TOOL else None
        colour = Colour.GREEN if tool is None else tool.colour
        try:
            outcome = await self._work(node, bound, context)
            if isinstance(outcome, Failed):
                return outcome
            return await self._kept(outcome, context, colour, as_file=_is_read_as_file(node))
        except (TooLate, WorldChanged, InputRequired):
            raise
        except Exception as error:  # noqa: BLE001 -- the boundary of a node: a bug in one must not end the others
            _log.exception("node %s of %s broke", node.id, context.thread)
            failed = Failed(error="internal", message=f"something here broke ({type(error).__name__})")
            return unless_in_doubt(colour, failed)

    async def _work(self, node: Node, bound: Bound, context: CallContext) -> Succeeded | Failed:
        if node.given is not None:
            return Succeeded(value=node.given.get("value"))
        match node.kind:
            case NodeKind.TOOL:
                tool = self._registry.find(bound.tool)
                if tool is None:
                    return Failed(error="unknown_tool", message=f"there is no tool {bound.tool!r} here")
                if (refused := await self._refused(node, context)) is not None:
                    return refused
                context = self._as_author(tool, context, bound.args)
                args = await with_values(context.thread, bound.args, tool.by_reference, self._artifacts)
                if isinstance(args, Failed):
                    return args
                before = await value_before(tool, context, bound.args)
                with self._detail(context.thread, node.id) as note_detail:
                    called_for = replace(context, note_detail=note_detail)
                    outcome = await cached_call(
                        tool,
                        context,
                        bound.args,
                        None if context.account is not None else self._cache,
                        lambda: self._bounds.call(tool, called_for, args, self._pause),
                    )
                await self._bounds.learn(context.thread, tool, outcome)
                return _with_inverse(node, tool, context, bound, outcome, before)
            case NodeKind.SUBAGENT if self.colour(node) is Colour.RED:
                return MAY_BEGIN  # its work is `run_script`: it may wait for people and workers
            case NodeKind.PACKAGE | NodeKind.SUBAGENT:
                ended = await self._run(node, bound, context, _NO_DECISIONS)
                return _NOT_ASKED if isinstance(ended, Suspended) else ended
            case _:
                assert_never(node.kind)

    @contextmanager
    def _detail(self, thread: ThreadId, node: NodeId) -> Generator[Callable[[str], None]]:
        """Yield what shows a line beside a running node: each line once, one in a second, none after its end."""
        last, shown_at, over = "", -math.inf, False

        def note(line: str) -> None:
            nonlocal last, shown_at
            now = self._clock()
            if over or line == last or now.timestamp() - shown_at < DETAIL_SECONDS:
                return
            last, shown_at = line, now.timestamp()
            change = NodeChanged(node=node, state=NodeState.RUNNING, at=now, detail=truncated(line, _DETAIL_CHARACTERS))
            self._progress.note(thread, change)

        try:
            yield note
        finally:
            over = True

    async def run_script(
        self, node: Node, bound: Bound, context: CallContext, decided: DecidedCalls
    ) -> Outcome | Suspended:
        """Run a script or subagent whose calls become nodes. Raises only CancelledError and InputRequired."""
        try:
            ended = await self._run(node, bound, context, decided)
            if isinstance(ended, Failed | Suspended):
                return ended
            return await self._kept(ended, context, Colour.GREEN)
        except InputRequired:
            raise
        except Exception as error:  # noqa: BLE001 -- the boundary of a node: a bug in one must not end the others
            _log.exception("node %s of %s broke", node.id, context.thread)
            return Failed(error="internal", message=f"something here broke ({type(error).__name__})")

    async def _run(
        self, node: Node, bound: Bound, context: CallContext, decided: DecidedCalls
    ) -> Succeeded | Failed | Suspended:
        if node.kind is NodeKind.SUBAGENT:
            return await self._run_subagent(node, bound, context, decided)
        if (refused := await self._refused(node, context)) is not None:
            return refused
        if self._packages is None:
            return Failed(error="no_sandbox", message="there is no sandbox in this installation to run scripts in")
        await self._check_connected(node, context)
        with self._detail(context.thread, node.id) as note_detail:
            called_for = replace(context, note_detail=note_detail)
            runner = ScriptRunner(self._packages, node, bound.args, called_for, decided)
            ended = await runner.run()
        if not (isinstance(ended, Succeeded) and runner.files):
            return ended
        return await self._with_files(ended, runner.files, context)

    async def _run_subagent(
        self, node: Node, bound: Bound, context: CallContext, decided: DecidedCalls
    ) -> Succeeded | Failed | Suspended:
        role = self._registry.role(node.role)
        if role is None:
            return Failed(error="unknown_role", message=f"there is no role {truncated(node.role, 64)!r} here")
        if self._agents is None or self._steps is None:
            return Failed(error="no_model", message="there is no model here for subagents")
        if self._access is not None:
            usable = await self._access.usable(context.thread, context.author, node.tools)
            node = replace(node, tools=tuple(tool for tool in node.tools if tool in usable))
        run = await asyncio.to_thread(self._subagents, self._agents, self._steps)
        return await run(node, role, bound, context, decided)

    def _subagents(self, agents: AgentModel, steps: SubagentSteps) -> "_RunSubagent":
        # Imported here, in a thread: langchain's agents take most of a second, and few processes run any.
        from agent.subagents.runner import SubagentDependencies, SubagentRunner

        dependencies = SubagentDependencies(
            registry=self._registry,
            model=agents,
            steps=steps,
            artifacts=self._artifacts,
            progress=self._progress,
            bounds=self._bounds,
            node_calls=self._node_calls,
            clock=self._clock,
            pause=self._pause,
            as_author=self._as_author,
        )

        async def run(
            node: Node, role: SubagentRole, bound: Bound, context: CallContext, decided: DecidedCalls
        ) -> Succeeded | Failed | Suspended:
            return await SubagentRunner(dependencies, node, role, bound, context, decided).run()

        return run

    async def _with_files(
        self, outcome: Succeeded, files: Mapping[str, str], context: CallContext
    ) -> Succeeded | Failed:
        """Return the outcome of a script with the files that it kept; they are stored before anybody sees it."""
        if (origin := context.origin()) is None:
            return Failed(error="no_files", message="files cannot be kept here")
        for seconds in _PUT_AFTER_SECONDS:
            await self._pause(seconds)
            try:
                kept = await files_kept(context.thread, files, self._artifacts, origin)
            except StoreUnavailable:
                continue
            return replace(outcome, files=tuple(kept))
        return _NOT_STORED

    async def _kept(
        self, outcome: Succeeded, context: CallContext, colour: Colour, *, as_file: bool = False
    ) -> Outcome:
        """Return the outcome with a big value moved to an artifact; with `as_file` any."""
        if fits_inline(outcome.value) and not as_file:
            return outcome
        for seconds in _PUT_AFTER_SECONDS:
            await self._pause(seconds)
            try:
                return await moved_out(context.thread, context.node, outcome, self._artifacts, context.origin())
            except StoreUnavailable:
                continue
        return unless_in_doubt(colour, _NOT_STORED)


def _is_read_as_file(node: Node) -> bool:
    """Return whether steps read a node's set value as the file that the old result was."""
    return node.given is not None and bool(node.given.get("file"))


@dataclass(frozen=True, kw_only=True)
class AccountOfAuthor:
    """The `AuthorAccount` of a call."""

    accounts: Accounts
    thread: ThreadId
    author: UserId
    provider: str

    async def token(self, refused: str = "") -> str:
        """Return an access token."""
        token = await self.accounts.token(self.thread, self.author, self.provider, refused=refused)
        if token is None:
            raise self._missing()
        return token

    async def connected(self) -> Account:
        """Return the account.

        Raises:
            InputRequired: the author must connect it first.
        """
        found = await self.accounts.account(self.thread, self.author, self.provider)
        if found is None:
            raise self._missing()
        return found

    def _missing(self) -> InputRequired:
        return InputRequired(InputAsked(by=self.accounts.title(self.provider), questions={}, account=self.provider))


def _with_inverse(
    node: Node, tool: Tool, context: CallContext, bound: Bound, outcome: Succeeded | Failed, before: Json
) -> Succeeded | Failed:
    """Note how the call can be taken back; return its outcome, which of one that was to undo another is no success
    when it undid nothing.
    """
    if tool.colour is Colour.GREEN or not isinstance(outcome, Succeeded):
        return outcome
    inverse = inverse_of(tool, context, bound.args, outcome.value, before)
    context.note_inverse(inverse)
    if node.undoes is None or not isinstance(inverse, NoInverse):
        return outcome
    if inverse is NoInverse.IN_DOUBT:
        return Failed(error=OUTCOME_UNKNOWN, message="the answer does not say whether it was undone")
    return Failed(error=NOT_UNDONE, message="the call that was to undo it was refused and changed nothing")
