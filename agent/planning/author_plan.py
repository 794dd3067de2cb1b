"""One author's part of a thread's plan: what planning and replanning read before they add to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from agent.events import PlanPacked
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.limits import PlanLimits
from agent.llm.tool_search import ToolSearch
from agent.packing.packing import Packing
from agent.plan.names import names_in
from agent.plan.operations import Add, LoggedOperation, Node, Operation, nodes_added
from agent.plan.outcomes import NodeStatus, Outcome, Succeeded
from agent.plan.outside_text import SearchedText, repeats, searched, texts_of
from agent.ports import Message, Progress
from agent.reading.egress import hosts_in
from agent.reading.plan_builder import PlanBuilder
from agent.tool import Registry
from agent.tools.access import ToolAccess

_MOST_READ_CHARACTERS = 65_536
"""Of results, the newest ones, in which the words of new nodes are looked for."""

_MOST_COMPARED_CHARACTERS = 131_072
"""Of the words of new nodes that are looked for there."""


@dataclass(frozen=True, kw_only=True)
class AuthorPlan:
    """A thread's plan at one moment, and the part of it that one author's messages added in one turn."""

    turn: int
    author: UserId
    #: The thread's whole log.
    logged: Sequence[LoggedOperation]
    statuses: Mapping[NodeId, NodeStatus]

    @property
    def own(self) -> Sequence[LoggedOperation]:
        """The author's operations of this turn."""
        return [entry for entry in self.logged if (entry.turn, entry.author) == (self.turn, self.author)]

    @property
    def turn_nodes(self) -> Mapping[NodeId, Node]:
        """The turn's nodes of all authors."""
        return logged_nodes([entry for entry in self.logged if entry.turn == self.turn])

    @property
    def outcomes(self) -> Mapping[NodeId, Outcome]:
        """The outcomes of the nodes that ended."""
        return {node: status.outcome for node, status in self.statuses.items() if status.outcome is not None}

    @property
    def unfinished(self) -> Sequence[NodeId]:
        """The author's nodes that have not ended, in plan order."""
        return [node for node in logged_nodes(self.own) if node not in self.outcomes]

    def builder(
        self,
        registry: Registry,
        limits: PlanLimits,
        messages: Sequence[Message],
        *,
        packages: bool,
        upto_seq: int | None = None,
        outside: Sequence[str] = (),
    ) -> PlanBuilder:
        """Return a builder for the author's next operations.

        The author may repeat an own operation of this turn without effect, unless its node ended without success:
        to add that again means to try it again, under a new id. `messages` are those that are planned for.
        `upto_seq`: only nodes of operations up to this one count as own. `outside`: texts that the model was shown
        besides results and that anybody may have written.
        """
        earlier = [entry for entry in self.own if upto_seq is None or entry.seq <= upto_seq]
        before = [entry for entry in self.logged if entry.turn < self.turn or upto_seq is None or entry.seq <= upto_seq]
        outcomes = self.outcomes
        failed = {node for node in logged_nodes(earlier) if not isinstance(outcomes.get(node), Succeeded | None)}
        return PlanBuilder(
            registry=registry,
            known=logged_nodes(self.logged),
            added_before=logged_nodes(self.own).keys() - failed,
            packages=packages,
            limits=limits,
            added=len(self.turn_nodes),
            requested={host for message in messages for host in hosts_in(message.text)},
            repeats=_Results(outcomes.values(), outside).may_be_repeated,
            turn=self.turn,
            turns={entry.operation.node.id: entry.turn for entry in self.logged if isinstance(entry.operation, Add)},
            # What others of this turn named comes before what the author did.
            names=names_in(sorted(before, key=lambda entry: (entry.turn, entry.author) == (self.turn, self.author))),
        )


class _Results:
    """What nodes returned, in which a plan's words are looked for, on the event loop, as far as it has time.

    `outside` are other texts of which the same is asked.
    """

    def __init__(self, outcomes: Iterable[Outcome], outside: Sequence[str]) -> None:
        self._texts: list[str] = []
        self._is_whole = True
        self._room = _MOST_COMPARED_CHARACTERS
        room = _MOST_READ_CHARACTERS
        returned = (text for outcome in reversed(list(outcomes)) for text in texts_of(outcome, keys=True))
        for text in chain(outside, returned):
            room -= len(text)
            if room < 0:
                self._is_whole = False
                return
            self._texts.append(text)

    def may_be_repeated(self, words: str) -> bool:
        """Return whether words repeat something that was returned; where not all can be compared, they may."""
        self._room -= len(words)
        if not self._is_whole:
            return True
        return bool(self._texts) if self._room < 0 else repeats(words, self._searched)

    @cached_property
    def _searched(self) -> Sequence[SearchedText]:
        return [searched(text) for text in self._texts]


def logged_nodes(logged: Sequence[LoggedOperation]) -> Mapping[NodeId, Node]:
    """Return the nodes that operations of the log added, in plan order."""
    return nodes_added([entry.operation for entry in logged])


def tools_of(operations: Sequence[Operation]) -> Sequence[ToolName]:
    """Return the tools that the nodes which operations add call, in plan order."""
    nodes = nodes_added(operations).values()
    return [tool for node in nodes for tool in ((node.tool,) if node.tool else node.tools)]


async def tools_for(tools: ToolSearch, access: ToolAccess | None, thread: ThreadId, author: UserId) -> ToolSearch:
    """Return the search among those tools that the person may use here."""
    if access is None:
        return tools
    return tools.among(await access.usable(thread, author, [tool.name for tool in tools.registry]))


def note_packing(progress: Progress, thread: ThreadId, turn: int, packing: Packing) -> None:
    """Note how a plan was packed, when there is anything to say about it."""
    if packing.fusions or packing.splits:
        progress.note(thread, PlanPacked(turn=turn, fusions=packing.fusions, splits=packing.splits))
