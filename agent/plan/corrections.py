"""Corrections: a person sets the result of a node that ended, and what came from it is planned anew. Pure.

The set value is a node of its own, and what came from the old result is withdrawn where it has not ended and added once
more under new ids, which refer to the value and to each other, and name each other's files. What is done stays done: a
red node that had its effect is asked about once more, which says so, and no red node of a correction runs without a
person's yes.
"""

import difflib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeAlias

from agent.ids import NodeId
from agent.plan.artifacts import INLINE_BYTES
from agent.plan.file_names import RenamedFiles
from agent.plan.json_values import fits, json_issue_in, sanitized_text
from agent.plan.operations import Add, Cancel, Dependency, Node, NodeKind, Operation, canonical_json, references_of
from agent.plan.outcomes import Cancelled, Outcome
from agent.plan.references import NODE_ID, renamed, with_texts
from agent.plan.templates import shown_title
from sandbox.script import Json

AGAIN = "Again: "
"""Begins the title of a node whose work was done before, with other values."""

MOST_NEAR = 5
"""How many steps a name that fits none is answered with."""

MOST_NAME_CHARACTERS = 200

_MOST_COMPARED = 300
_TITLE_CHARACTERS = 150
_ID_CHARACTERS = 44
_QUOTES = {'"': '"', "“": "”", "„": "“", "'": "'", "`": "`"}
_STORED = re.compile(rf"!set ({NODE_ID.pattern}) (.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The value that a person wants a node to have."""

    node: NodeId
    value: Json


def stored_wish(wish: Wish) -> str:
    """Return the text of a message that sets a result, as it is stored."""
    return f"!set {wish.node} {canonical_json(wish.value)}"


def read_stored(text: str) -> Wish | None:
    """Return what a stored message sets; None: it asks for something else."""
    found = _STORED.fullmatch(text)
    value = None if found is None else value_in(found[2])
    return None if found is None or isinstance(value, Unsettable) else Wish(node=NodeId(found[1]), value=value)


class Why(Enum):
    """Why a result cannot be set."""

    #: There is no such step; `nodes` are near ones.
    UNKNOWN = "unknown"
    #: Several have this title: `nodes`.
    AMBIGUOUS = "ambiguous"
    #: It is a part, or an item, of `nodes`.
    PART = "part"
    #: It has not ended.
    UNFINISHED = "unfinished"
    #: There is nothing behind the name.
    NO_VALUE = "no_value"
    #: It is more than is kept in a plan, or nothing that can be stored.
    TOO_LARGE = "too_large"


@dataclass(frozen=True, kw_only=True)
class Unsettable:
    """A result cannot be set."""

    why: Why
    #: What was named.
    name: str = ""
    nodes: Sequence[Node] = ()


Settable: TypeAlias = Wish | Unsettable


class Standing:
    """The nodes of a thread as they stand, after all corrections so far. `added` is in log order."""

    def __init__(self, added: Mapping[NodeId, Node], outcomes: Mapping[NodeId, Outcome]) -> None:
        self._added = added
        self._outcomes = outcomes
        self._replaced = {
            node.replaces: node.id for node in added.values() if node.replaces is not None and node.item_of is None
        }
        self._parts = {step.id: node for node in added.values() for step in node.packed if step.id not in added}

    def newest(self, node: NodeId) -> NodeId:
        """Return the node that stands in a node's place; itself when none does."""
        while (newer := self._replaced.get(node)) is not None:
            node = newer
        return node

    def first(self, node: Node) -> Node:
        """Return the planned node in whose place a node stands."""
        while node.replaces is not None and node.replaces in self._added:
            node = self._added[node.replaces]
        return node

    def settable(self, text: str) -> Settable:
        """Return what a person's words `NODE VALUE` set; a title that holds spaces may stand in quotes, or as it is."""
        name, rest = self._split(text.strip())
        found = self._named(name)
        if isinstance(found, Unsettable):
            return found
        value = value_in(rest.strip())
        return value if isinstance(value, Unsettable) else Wish(node=found, value=value)

    def node(self, name: NodeId) -> Node | Unsettable:
        """Return the node that stands in a named one's place, once its result can be set."""
        found = self._named(name)
        return found if isinstance(found, Unsettable) else self._added[found]

    def _split(self, text: str) -> tuple[str, str]:
        if text[:1] in _QUOTES and (end := text.find(_QUOTES[text[:1]], 1)) > 0:
            return text[1:end], text[end + 1 :]
        first, *rest = text.split(maxsplit=1) or [""]
        if NodeId(first) not in self._added and NodeId(first) not in self._parts:
            titles = (" ".join(shown_title(node).split()) for node in self._own())
            longest = max((len(title) for title in titles if _begins(text, title)), default=0)
            if longest:
                return text[:longest], text[longest:]
        return first, "".join(rest)

    def _named(self, name: str) -> NodeId | Unsettable:
        known = self._added.get(NodeId(name))
        if known is not None and known.undoes is None:
            if known.item_of is not None:
                of = self._added.get(known.item_of)
                return Unsettable(why=Why.PART, name=name, nodes=[] if of is None else [of])
            return self._ended(self.newest(known.id), name)
        if (package := self._parts.get(NodeId(name))) is not None:
            return Unsettable(why=Why.PART, name=name, nodes=[package])
        wanted = " ".join(name.split()).casefold()
        titled = [node for node in self._own() if _title(node) == wanted]
        if len(titled) == 1:
            return self._ended(titled[0].id, name)
        if titled:
            return Unsettable(why=Why.AMBIGUOUS, name=name, nodes=titled)
        for package in self._parts.values():
            if any(" ".join(step.title.split()).casefold() == wanted for step in package.packed):
                return Unsettable(why=Why.PART, name=name, nodes=[package])
        return Unsettable(why=Why.UNKNOWN, name=name[:MOST_NAME_CHARACTERS], nodes=self._near(wanted))

    def _ended(self, node: NodeId, name: str) -> NodeId | Unsettable:
        found = self._added[node]
        if found.given is None and node not in self._outcomes:
            return Unsettable(why=Why.UNFINISHED, name=name, nodes=[found])
        return node

    def ended(self) -> Sequence[Node]:
        """Return the nodes whose results can be set, in plan order."""
        return [node for node in self._own() if node.given is not None or node.id in self._outcomes]

    def _own(self) -> Sequence[Node]:
        return [
            node
            for node in self._added.values()
            if node.item_of is None and node.undoes is None and node.id not in self._replaced
        ]

    def _near(self, wanted: str) -> Sequence[Node]:
        own = self._own()[-_MOST_COMPARED:]
        names = {_title(node): node for node in own} | {node.id.casefold(): node for node in own}
        near = difflib.get_close_matches(wanted[:MOST_NAME_CHARACTERS], names, n=MOST_NEAR, cutoff=0.5)
        found = dict.fromkeys(names[name].id for name in near)
        return [self._added[node] for node in found] or own[-MOST_NEAR:]

    def withdrawn_behind(self, node: NodeId) -> Sequence[Node]:
        """Return what came from a node's result and was withdrawn for good, in plan order."""
        behind = {node: node}
        left: list[Node] = []
        for other in self._added.values():
            if other.undoes is not None or other.id in behind or not _comes_from(other, behind):
                continue
            behind[other.id] = other.id
            if isinstance(self._outcomes.get(other.id), Cancelled) and other.id not in self._replaced:
                left.append(other)
        return [other for other in left if other.item_of is None]

    def correction(
        self,
        wish: Wish,
        title: str,
        why: str,
        *,
        turn: int,
        done: Collection[NodeId],
        withdrawn: Collection[NodeId] = (),
    ) -> "Correction":
        """Return what setting a result changes; `wish.node` is one that stands.

        Args:
            title: Of the node that has the value.
            why: Of the cancels.
            turn: Whose files are those of the new nodes.
            done: The nodes that had, or may have had, an effect.
            withdrawn: Of the cancelled nodes those that are to run after all: what they came from had failed.
        """
        names = _FreeNames(self._added)
        target = self._added[wish.node]
        given = Node(
            id=names.free(self.first(target).id, "set"),
            kind=NodeKind.TOOL,
            title=title[:_TITLE_CHARACTERS],
            given={"value": wish.value},
            replaces=wish.node,
        )
        instead = {wish.node: given.id}
        cancels: list[Operation] = []
        copies: list[Node] = []
        for node in self._added.values():  # in the log a dependency comes before its dependents
            if node.item_of is not None:
                if node.item_of in instead and node.position is None:
                    instead[node.id] = NodeId(instead[node.item_of] + node.id.removeprefix(node.item_of))
                continue
            outcome = self._outcomes.get(node.id)
            left = isinstance(outcome, Cancelled) and node.id not in withdrawn
            if left or node.id in self._replaced or node.undoes is not None or node.id in instead:
                continue
            if not _comes_from(node, instead):
                continue
            had_effect = node.done_before or self._did(node.id, done)
            if outcome is None and node.id not in done:
                cancels.append(Cancel(id=node.id, why=why))
            files = RenamedFiles(instead, turn, {wish.node: "txt" if isinstance(wish.value, str) else "json"})
            copy = _copy(node, instead, files, names.free(self.first(node).id, "again"), done_before=had_effect)
            if wish.node in files.outputs:
                given = replace(given, given={"value": wish.value, "file": True})
            instead[node.id] = copy.id
            copies.append(copy)
        operations = [Add(node=given), *cancels, *(Add(node=copy) for copy in copies)]
        return Correction(given=given, copies=copies, operations=operations)

    def _did(self, node: NodeId, done: Collection[NodeId]) -> bool:
        return node in done or any(other.item_of == node and other.id in done for other in self._added.values())


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What setting a result changes."""

    #: Has the value.
    given: Node
    #: Of the nodes that came from the old result, in plan order.
    copies: Sequence[Node]
    operations: Sequence[Operation]


def value_in(text: str) -> Any:
    """Return the value that a person wrote: JSON, or a text as it is; `Unsettable` when it is none to keep."""
    if not text:
        return Unsettable(why=Why.NO_VALUE)
    if len(text) > INLINE_BYTES:
        return Unsettable(why=Why.TOO_LARGE)
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if json_issue_in(value) is not None:
        value = text
    if isinstance(value, str):
        value = sanitized_text(value)
    return value if json_issue_in(value) is None and fits(value, INLINE_BYTES) else Unsettable(why=Why.TOO_LARGE)


def _begins(text: str, title: str) -> bool:
    behind = text[len(title) : len(title) + 1]
    return text[: len(title)].casefold() == title.casefold() and (not behind or behind.isspace())


def _title(node: Node) -> str:
    return " ".join(shown_title(node).split()).casefold()


def _comes_from(node: Node, nodes: Mapping[NodeId, NodeId]) -> bool:
    """Return whether a node needs one of these, or names a file of one."""
    if any(dependency.node in nodes for dependency in node.depends_on):
        return True
    files = RenamedFiles(nodes, 0)
    _texts_of(node, files.text, files.script)
    return bool(files.named)


def _copy(node: Node, instead: Mapping[NodeId, NodeId], files: RenamedFiles, id: NodeId, *, done_before: bool) -> Node:
    """Return a node that does the same work with what stands now."""
    texts = _texts_of(node, lambda text: files.text(renamed(text, instead)), files.script)
    title = node.title if not done_before or node.title.startswith(AGAIN) else f"{AGAIN}{node.title}"
    edges = tuple(replace(edge, node=instead.get(edge.node, edge.node)) for edge in node.depends_on)
    waits = {edge.node for edge in edges}
    makers = [Dependency(node=instead[maker]) for maker in files.named if instead[maker] not in waits]
    return replace(
        node,
        **texts,
        id=id,
        title=title[:_TITLE_CHARACTERS],
        depends_on=(*edges, *makers),
        replaces=node.id,
        done_before=done_before,
    )


def _texts_of(node: Node, text: Callable[[str], str], script: Callable[[str], str]) -> dict[str, Any]:
    """Return field -> value of what a plan wrote for a node's work, with other texts."""
    written: dict[str, Any] = {name: with_texts(value, text) for name, value in references_of(node).items()}
    written["files"] = tuple(written["files"])
    return written if not node.code else {**written, "code": script(node.code)}


class _FreeNames:
    """Gives ids that no node of a thread has, nor a step that became a part of one."""

    def __init__(self, added: Mapping[NodeId, Node]) -> None:
        self._taken = {*added, *(step.id for node in added.values() for step in node.packed)}

    def free(self, base: NodeId, word: str) -> NodeId:
        # short enough for a template, whose items' ids are longer; no number alone behind a hyphen, as theirs have
        stem, number = f"{base[:_ID_CHARACTERS]}-{word}", 1
        free = NodeId(stem)
        while free in self._taken:
            number += 1
            free = NodeId(f"{stem}{number}")
        self._taken.add(free)
        return free
