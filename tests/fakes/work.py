"""A NodeWork whose nodes do what their arguments say, and a feeder, replanner and answerer to match."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.approval import WorldState
from agent.card_facts import CardFacts
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.plan.operations import Add, Cancel, Dependency, Node, NodeKind, On, Operation, Skip, digest_of
from agent.plan.outcomes import Failed, Outcome, Succeeded, outcome_json
from agent.plan.script_calls import DecidedCalls, Suspended
from agent.ports import Bound, Mailbox, OperationLog, ReplanReport, ReplanResult, Runs, RunStatus, WrittenAnswer
from agent.tool import CallContext, Colour, Reversibility
from sandbox.script import Json

Perform = Callable[[Node, Bound, CallContext], Awaitable[Outcome]]


def node(
    id: str,
    *after: str | Dependency,
    red: bool = False,
    tool: str = "echo",
    args: Mapping[str, Json] | None = None,
) -> Node:
    """Return a tool node that depends on `after`."""
    depends_on = tuple(Dependency(node=NodeId(name)) if isinstance(name, str) else name for name in after)
    return Node(
        id=NodeId(id),
        kind=NodeKind.TOOL,
        title=f"title of {id}",
        depends_on=depends_on,
        require_human_approval=red,
        tool=ToolName(tool),
        args=args or {},
    )


def on_failed(id: str) -> Dependency:
    """Return a dependency on a node's failure."""
    return Dependency(node=NodeId(id), on=On.FAILED)


def on_finished(id: str) -> Dependency:
    """Return a dependency on a node's end, whatever it is."""
    return Dependency(node=NodeId(id), on=On.FINISHED)


async def echo(node: Node, bound: Bound, context: CallContext) -> Outcome:
    """Succeed with the node's own id."""
    return Succeeded(value=node.id)


class Hold:
    """A tool that succeeds once released; `begun` tells that a call is at work."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, node: Node, bound: Bound, context: CallContext) -> Outcome:
        """Wait for the release."""
        self.begun.set()
        await self.release.wait()
        return Succeeded(value=node.id)


async def fail(node: Node, bound: Bound, context: CallContext) -> Outcome:
    """Fail."""
    return Failed(error="tool_error", message=f"{node.id} failed")


@dataclass
class FakeWork:
    """Does `performs[tool]` for a node, after writing down that it started; red is what wants approval.

    The bound arguments are the node's own and the outcomes of its dependencies.
    """

    performs: Mapping[str, Perform] = field(default_factory=dict[str, Perform])
    started: list[NodeId] = field(default_factory=list[NodeId])
    ended: list[NodeId] = field(default_factory=list[NodeId])
    salt: str = ""

    def colour(self, node: Node) -> Colour:
        """Return red when the plan wants a person asked."""
        return Colour.RED if node.require_human_approval else Colour.GREEN

    def personal(self, tool: ToolName) -> bool:
        """Return that everybody may see all outputs."""
        return False

    def outside(self, tool: ToolName) -> bool:
        """Return that no output is a stranger's."""
        return False

    def asks_inside(self, node: Node) -> bool:
        """Return that no node is a script that asks."""
        return False

    async def run_script(
        self, node: Node, bound: Bound, context: CallContext, decided: DecidedCalls
    ) -> Outcome | Suspended:
        """Do what the tool's name stands for."""
        return await self.perform(node, bound, context)

    async def bind(self, thread: ThreadId, node: Node, outcomes: Mapping[NodeId, Outcome]) -> Bound | Failed:
        """Resolve to the node's arguments and its dependencies' outcomes."""
        inputs: dict[str, Json] = {
            dependency.node: outcome_json(outcomes[dependency.node]) for dependency in node.depends_on
        }
        args = {**node.args, "inputs": inputs}
        tool = node.tool or ToolName(node.kind.value)
        digest = digest_of([tool, args, node.digest, self.salt])
        return Bound(tool=tool, args=args, digest=digest)

    async def hopeless(self, node: Node, bound: Bound, context: CallContext) -> Failed | None:
        """Return that every call may succeed."""
        return None

    async def reachable(self, node: Node, bound: Bound, context: CallContext) -> Failed | None:
        """Return that what every call needs answers."""
        return None

    async def admitted(self, node: Node, bound: Bound, context: CallContext) -> Failed | None:
        """Return that every call may be sent."""
        return None

    async def state(self, node: Node, bound: Bound, context: CallContext) -> WorldState | None:
        """Return that there is nothing to compare."""
        return None

    async def facts(
        self,
        node: Node,
        bound: Bound,
        context: CallContext,
        *,
        dry_run: bool,
        reversibility: Reversibility | None = None,
    ) -> CardFacts:
        """Return nothing to show."""
        return CardFacts()

    async def perform(self, node: Node, bound: Bound, context: CallContext) -> Outcome:
        """Do what the tool's name stands for."""
        self.started.append(node.id)
        try:
            return await self.performs.get(bound.tool, echo)(node, bound, context)
        finally:
            self.ended.append(node.id)


@dataclass
class FakeFeeder:
    """Appends the operations that `plans` holds for each message's text, one by one."""

    log: OperationLog
    mailbox: Mailbox
    plans: Mapping[str, Sequence[Operation]] = field(default_factory=dict[str, Sequence[Operation]])
    between: Callable[[], Awaitable[None]] = field(default=lambda: asyncio.sleep(0))

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Plan every untaken message; what is in the log already is not appended again."""
        while messages := await self.mailbox.untaken(thread):
            for message in messages:
                await self._plan(thread, turn, message.author, self.plans.get(message.text, ()), appended)
                await self.mailbox.taken(thread, turn, [message.id])

    async def _plan(
        self,
        thread: ThreadId,
        turn: int,
        author: UserId,
        operations: Sequence[Operation],
        appended: Callable[[], None],
    ) -> None:
        stored = {_key(logged.operation) for logged in await self.log.after(thread, 0)}
        for operation in operations:
            if _key(operation) not in stored:
                await self.log.append(thread, turn, author, [operation])
                appended()
                await self.between()


def _key(operation: Operation) -> tuple[str, NodeId]:
    match operation:
        case Add(node=added):
            return "add", added.id
        case Cancel(id=id):
            return "cancel", id
        case Skip(id=id):
            return "skip", id


@dataclass
class FakeReplanner:
    """Appends the operations of `rounds` (turn, round), if any, as long as its bound allows."""

    log: OperationLog
    rounds: Mapping[tuple[int, int], Sequence[Operation]] = field(
        default_factory=dict[tuple[int, int], Sequence[Operation]]
    )
    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    async def conclude(
        self, thread: ThreadId, turn: int, round_number: int, outcomes: Mapping[NodeId, Outcome], *, bound: int
    ) -> ReplanReport:
        """Append what the round holds."""
        self.asked.append((turn, round_number))
        operations = self.rounds.get((turn, round_number), ())
        if operations and round_number > bound:
            return ReplanReport(next=ReplanResult.MORE, author=UserId("U1"), titles=("more",))
        if operations:
            await self.log.append(thread, turn, UserId("U1"), operations)
        return ReplanReport(next=ReplanResult.EXTENDED if operations else ReplanResult.ENOUGH)

    async def reconsider(self, thread: ThreadId, turn: int, round_number: int, *, bound: int) -> bool:
        """Append nothing."""
        return False


@dataclass
class FakeAnswerer:
    """Answers with the states of all nodes."""

    runs: Runs
    given: list[tuple[int, Mapping[NodeId, Outcome]]] = field(
        default_factory=list[tuple[int, Mapping[NodeId, Outcome]]]
    )

    async def answer(
        self, thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome], written: WrittenAnswer | None = None
    ) -> None:
        """Finish the turn."""
        self.given.append((turn, dict(outcomes)))
        text = ", ".join(f"{key}: {outcome_json(outcome)['state']}" for key, outcome in outcomes.items())
        await self.runs.finish(thread, turn, RunStatus.DONE, text)
