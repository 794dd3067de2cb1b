"""Whose calls an output comes from: the tools behind it, each with the person whose rights its call took. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.ids import NodeId, ToolName, UserId
from agent.plan.file_names import file_read_by, node_of
from agent.plan.operations import Node, NodeKind, references_of
from agent.plan.references import OF_ITEM, references_in


@dataclass(frozen=True, kw_only=True)
class Source:
    """A tool that was called, or that a script could call, with this person's rights."""

    tool: ToolName
    author: UserId


def not_yours(tools: Iterable[ToolName]) -> str:
    """Return what a step is told that was to work with what these tools read with another person's rights."""
    return (
        f"it refers to what {', '.join(tools)} read with another person's rights; add a step that reads it again, "
        "with the rights of the person who asks now"
    )


class OutputSources:
    """The sources of each node's output: its own calls, and those of all nodes whose outputs went into it."""

    def __init__(self, *, conditions: bool = True) -> None:
        self._conditions = conditions
        #: The same without what only conditions are about: a condition decides whether there is an output, and no text
        #: of what it is about gets into it.
        self.texts = OutputSources(conditions=False) if conditions else self
        self._nodes: dict[NodeId, tuple[UserId, Node]] = {}
        self._items: dict[NodeId, list[NodeId]] = {}
        self._known: dict[NodeId, frozenset[Source]] = {}
        #: Whether a node was asked about, directly or on the way, that was never added.
        self.incomplete = False

    def add(self, author: UserId, node: Node) -> None:
        """Take in a node of the log; a second time changes nothing."""
        if self.texts is not self:
            self.texts.add(author, node)
        if node.id not in self._nodes:
            if self.incomplete:
                self._known.clear()
                self.incomplete = False
            self._nodes[node.id] = (author, node)
            if node.item_of is not None:
                self._items.setdefault(node.item_of, []).append(node.id)

    def __contains__(self, node: NodeId) -> bool:
        return node in self._nodes

    def title(self, node: NodeId) -> str:
        """Return the title of a node that was added; of another one its id."""
        return self._nodes[node][1].title if node in self._nodes else node

    def of(self, node: NodeId) -> frozenset[Source]:
        """Return the sources of a node whose work is done: of a template all items are known by then."""
        waiting, begun = [node], set[NodeId]()
        while waiting:  # no recursion: a chain may have thousands of nodes
            newest = waiting[-1]
            needed = self._needs(newest)
            begun.add(newest)
            # One that has begun lies behind this one: two steps may name each other's files, though neither can read
            # one before the other has ended.
            unknown = [other for other in needed if other not in self._known and other not in begun]
            if unknown:
                waiting += unknown
            else:
                known = (self._known.get(other, frozenset[Source]()) for other in needed)
                self._known[newest] = self._own(newest).union(*known)
                waiting.pop()
        return self._known.get(node, frozenset())

    def cover(self, node: NodeId) -> bool:
        """Return whether the node and everything behind its output was added."""
        if not self.incomplete:  # nothing that was asked about lacked anything
            return node in self._nodes
        waiting, found = [node], {node}
        while waiting:
            newest = waiting.pop()
            if newest not in self._nodes and newest not in OF_ITEM:
                return False
            behind = set(self._needs(newest)) - found
            found |= behind
            waiting += behind
        return True

    def so_far(self, node: NodeId) -> frozenset[Source]:
        """Return the sources of a node that may still be at work: some of its items may not be known yet."""
        return self._own(node).union(*(self.of(needed) for needed in self._needs(node)))

    def into(self, node: NodeId) -> frozenset[Source]:
        """Return the sources of all outputs that a node refers to."""
        return frozenset[Source]().union(*(self.of(needed) for needed in self._referred(node)))

    def _needs(self, node: NodeId) -> list[NodeId]:
        return [*self._referred(node), *self._items.get(node, ())] if node in self._nodes else []

    def _referred(self, node: NodeId) -> list[NodeId]:
        _, written = self._nodes[node]
        references = references_of(written if self._conditions else replace(written, when=""))
        named = [named for _, reference in references_in(references) for named in reference.nodes]
        if (lead := self._lead_of(written)) is not None:
            named += self._referred(lead)
        # A file that a plan names is its node's output, as a reference to that node would be.
        of_file = node_of(file_read_by(written) or "")
        return named if of_file is None else [*named, of_file]

    def _own(self, node: NodeId) -> frozenset[Source]:
        if node not in self._nodes:
            self.incomplete |= node not in OF_ITEM
            return frozenset()
        author, written = self._nodes[node]
        if file_read_by(written) is not None:
            return frozenset()  # what comes out is what that file's node got
        tools = [*_tools_of(written)]
        if (lead := self._lead_of(written)) is not None:
            others = (self._nodes[other][1] for other in (lead, *self._items.get(lead, ())))
            tools += [tool for other in others for tool in _tools_of(other)]
        return frozenset(Source(tool=tool, author=author) for tool in tools if tool)

    def _lead_of(self, node: Node) -> NodeId | None:
        """Return the subagent that handed a node its work: what that had read, and others told it, is in the words."""
        lead = node.item_of if node.kind is NodeKind.SUBAGENT and node.position is not None else None
        return lead if lead in self._nodes else None


def _tools_of(node: Node) -> Sequence[ToolName | None]:
    return (node.tool,) if node.kind is NodeKind.TOOL else node.tools
