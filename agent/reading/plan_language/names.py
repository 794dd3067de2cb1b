"""Names of the plan language: which nodes a variable means, branch by branch, and the ids of new nodes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import count
from typing import Protocol

from agent.ids import NodeId
from agent.plan.operations import Node
from agent.plan.references import NODE_ID
from agent.reading.plan_language.syntax import NotInLanguage
from agent.reading.validation import FaultCode
from agent.tool import Registry

HELPERS = frozenset(
    {
        *("node", "tool", "tools", "atools", "reply", "ask", "cancel", "failed", "finished", "first_of"),
        *("script", "subagent", "stored"),
    }
)
"""Words with a meaning of their own."""

RESERVED = frozenset({"after", "ask_first"})
"""Arguments of the language itself; a tool that has such a parameter takes it through `**{}`."""

NODE_WORDS: Mapping[str, tuple[str, Mapping[str, bool]]] = {
    "script": (
        "package",
        {"code": False, "inputs": True, "tools": False, "result_schema": False, "packed": False},
    ),
    "subagent": (
        "subagent",
        {
            "role": False,
            "instruction": True,
            "inputs": True,
            "files": True,
            "expected_artifact": False,
            "tools": False,
            "result_schema": False,
        },
    ),
}
"""Word that makes a node -> its kind, and its arguments with whether they may hold references."""

_NEAR = 3
_MOST_HINTS = 20
_MOST_COMPARED = 500
_NEAR_CHARACTERS = 64
_GENERATED_CHARACTERS = 50


class ThreadNodes(Protocol):
    """The nodes of a thread so far, those of this answer included. `PlanBuilder` is one."""

    def __contains__(self, id: NodeId) -> bool: ...

    def named(self, name: str) -> tuple[NodeId, ...] | None:
        """Return the nodes that a name of the thread so far means: several, when branches made it. None: unknown."""
        ...

    def is_own(self, id: NodeId) -> bool:
        """Return whether this turn added the node before, so that the same may be said again."""
        ...

    def repeats(self, node: Node) -> bool:
        """Return whether the turn has exactly this node."""
        ...


@dataclass(frozen=True, kw_only=True)
class Loop:
    """The list that a template goes through."""

    #: The list, as a reference.
    values: str
    #: The variable of the item.
    item: str
    #: The variable of its number; empty without one.
    index: str = ""


class Names:
    """What names mean at one place of the text."""

    def __init__(self, registry: Registry, thread: ThreadNodes, before: dict[str, tuple[NodeId, ...]]) -> None:
        self._registry = registry
        self._thread = thread
        #: What earlier answers assigned; filled with what this one assigns.
        self._before = before
        #: The ids that this answer took.
        self._used: set[NodeId] = set()
        #: Name -> nodes, of the text outside all blocks and then of each open branch.
        self._layers: list[dict[str, tuple[NodeId, ...]]] = [{}]
        #: Variables of loops: behind its loop none means what it meant before.
        self._ended: set[str] = set()
        self.functions: set[str] = set()
        #: Beginning of generated ids -> the lowest number that this answer has not taken.
        self._numbers: dict[str, int] = {}
        self._hints = 0

    def meant_by(self, name: str) -> tuple[NodeId, ...] | None:
        """Return the nodes of which a variable is the result: several, when branches made it. None: unknown."""
        for layer in reversed(self._layers):
            if name in layer:
                return layer[name]
        if name in self._ended:
            return None
        if name in self._before:
            return self._before[name]
        return None if name in self._used else self._thread.named(name)

    def why_unknown(self, name: str) -> str:
        """Return what to do about a name that means no node."""
        if name in self.functions or self._registry.find(name) is not None or self._registry.role(name) is not None:
            return f"{name!r} is no result; call it on a line of its own, and use the name of that line"
        return f"there is no {name!r} here{self.near(name, self.known())}; a name is assigned before it is used"

    def near(self, name: str, names: Sequence[str]) -> str:
        """Return which known names are like an unknown one."""
        self._hints += 1
        if self._hints > _MOST_HINTS:
            return ""
        found = get_close_matches(name[:_NEAR_CHARACTERS], names[-_MOST_COMPARED:], _NEAR)
        return f" (is it {' or '.join(found)}?)" if found else ""

    def known(self) -> Sequence[str]:
        """Return the variables that can be used here."""
        return [name for layer in (self._before, *self._layers) for name in layer]

    def check(self, name: str) -> None:
        """Return if a variable may have this name.

        Raises:
            NotInLanguage: it may not.
        """
        if name in HELPERS:
            message = f"{name!r} is a word of the plan language; choose another name"
        elif self._registry.find(name) is not None:
            message = f"{name!r} is a tool; choose another name"
        elif self._registry.role(name) is not None:
            message = f"{name!r} is a role; choose another name"
        elif name in self.functions:
            message = f"{name!r} is a function of this plan; choose another name"
        elif any(name in layer for layer in self._layers):
            message = f"{name!r} is assigned twice; choose another name, or assign it in the branches of one if"
        else:
            return
        raise NotInLanguage(message, code=FaultCode.DUPLICATE_ID, pointer="/id")

    def new_id(self, name: str) -> NodeId:
        """Return the id of the node that a variable will name: its own, or the next free one."""
        candidates = (NodeId(name if number == 1 else f"{name}_{number}") for number in count(1))
        return self._take(next(filter(self._is_free, candidates)))

    def exact_id(self, id: str) -> NodeId:
        """Return the id that a plan wrote itself."""
        return self._take(NodeId(id))

    def generated_ids(self, base: str) -> Iterator[NodeId]:
        """Yield the ids that a node without a name may have; `took` ends it."""
        slug = re.sub(r"[^A-Za-z0-9]+", "_", base).strip("_")[:_GENERATED_CHARACTERS] or "step"
        number = self._numbers.get(slug, 1)
        while f"{slug}_{number}" in self._used:
            number += 1
        self._numbers[slug] = number
        candidates = (NodeId(f"{slug}_{other}") for other in count(number))
        yield from (candidate for candidate in candidates if candidate not in self._used)

    def took(self, node: Node) -> bool:
        """Take the generated id of a node, unless another node has it."""
        if node.id in self._thread and not (self._thread.is_own(node.id) and self._thread.repeats(node)):
            return False
        self._take(node.id)
        return True

    def _is_free(self, id: NodeId) -> bool:
        return id not in self._used and (id not in self._thread or self._thread.is_own(id))

    def _take(self, id: NodeId) -> NodeId:
        self._used.add(id)
        return id

    def bind(self, name: str, id: NodeId) -> None:
        """Let a variable mean a node from here on."""
        self._layers[-1][name] = (id,)
        if len(self._layers) == 1:
            self._before[name] = (id,)

    def end(self, name: str) -> None:
        """Let the variable of a loop mean nothing but its items, which the loop itself knows."""
        self._ended.add(name)

    def open_branch(self) -> None:
        """Begin a branch: what it assigns is unknown to the others."""
        self._layers.append({})

    def close_branch(self) -> dict[str, tuple[NodeId, ...]]:
        """End the branch and return what it assigned."""
        return self._layers.pop()

    def join(self, branches: Sequence[dict[str, tuple[NodeId, ...]]]) -> None:
        """End an `if`: each name means whichever node of its branches ran."""
        for branch in branches:
            for name, nodes in branch.items():
                self._layers[-1][name] = (*self._layers[-1].get(name, ()), *nodes)
        if len(self._layers) == 1:
            self._before.update(self._layers[0])


def can_be_id(name: str) -> bool:
    """Return whether a variable's name can be an id."""
    return NODE_ID.fullmatch(name) is not None
