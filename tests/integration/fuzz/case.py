"""A fuzz case: random plans for several turns, drawn from a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.ids import NodeId
from agent.plan.operations import Add, Cancel, Dependency, Node, On, Operation
from agent.plan.templates import item_id
from tests.fakes.work import node

_ON = (On.SUCCEEDED,) * 6 + (On.FINISHED,) * 2 + (On.FAILED,)


@dataclass(frozen=True, kw_only=True)
class Case:
    """`turns` holds the plan of each message that starts a turn, `later` what is appended or said on the way.

    A node depends on nodes that are certainly in the log before it, those of earlier turns included.
    """

    seed: int
    turns: Sequence[Sequence[Operation]]
    later: Sequence[Sequence[Operation]]
    nodes_at_once: int


def draw_case(seed: int) -> Case:
    """Draw the case of a seed."""
    rng = random.Random(seed)  # noqa: S311  # reproducible, not secret
    first = _Drawing(rng, "n", [])
    turns = [first.plan(rng.randint(1, 12))]
    # These may come in any order, so none refers to another.
    later = [_Drawing(rng, f"w{number}n", first.known).change() for number in range(rng.choice((0, 0, 1, 2, 4)))]
    turns += [first.plan(rng.randint(1, 12)) for _ in range(rng.choice((0, 0, 1, 2)))]
    return Case(seed=seed, turns=turns, later=later, nodes_at_once=rng.choice((1, 2, 32)))


class _Drawing:
    def __init__(self, rng: random.Random, prefix: str, known: Sequence[NodeId]) -> None:
        self._rng = rng
        self._prefix = prefix
        self.known = list(known)
        self._templates: list[NodeId] = []

    def plan(self, size: int) -> Sequence[Operation]:
        """Draw a plan."""
        operations: list[Operation] = []
        for _ in range(size):
            operations.append(Add(node=self._node()))
            if self._rng.random() < 0.05:
                operations.append(self._cancel())
        return operations

    def change(self) -> Sequence[Operation]:
        """Draw what is appended on the way: nodes, or a cancel."""
        return [self._cancel()] if self._rng.random() < 0.5 else self.plan(self._rng.randint(1, 3))

    def _cancel(self) -> Operation:
        if self._templates and self._rng.random() < 0.2:
            return Cancel(id=item_id(self._rng.choice(self._templates), self._rng.randint(0, 3)), why="fuzz")
        return Cancel(id=self._rng.choice(self.known), why="fuzz")

    def _node(self) -> Node:
        rng = self._rng
        after = rng.sample(self.known, min(len(self.known), rng.choice((0, 0, 1, 1, 2, 3))))
        added = NodeId(f"{self._prefix}{len(self.known)}")
        self.known.append(added)
        drawn = node(
            added,
            *(Dependency(node=name, on=rng.choice(_ON)) for name in after),
            red=rng.random() < 0.3,
            tool="fuzz",
            args={
                "fails": rng.random() < 0.15,
                "steps": rng.choice((0, 0, 1, 3, 10)),
                "list": rng.randint(0, 3),
                "yes": rng.random() < 0.6,
            },
        )
        ends = [dependency.node for dependency in drawn.depends_on if dependency.on is On.FINISHED]
        if len(ends) > 1:
            drawn = replace(drawn, args={**drawn.args, "either": f"${{{'|'.join(ends)}}}"})
        return self._unfolding(drawn) if after and rng.random() < 0.3 else drawn

    def _unfolding(self, drawn: Node) -> Node:
        """Give the node a condition, or a list to go through, or both. What it refers to may have failed."""
        rng, source = self._rng, self._rng.choice(drawn.depends_on).node
        if rng.random() < 0.4:
            is_yes = f"${{{source}#/yes}}"
            return replace(drawn, when=rng.choice((is_yes, {"any": [{"not": is_yes}, {"eq": [is_yes, 1]}]})))
        self._templates.append(drawn.id)
        fails = rng.choice((False, False, "${index}"))
        when = rng.choice(("", "", "${item#/yes}", f"${{{source}#/yes}}"))
        over = f"${{{source}}}" if source in self._templates else f"${{{source}#/list}}"
        return replace(drawn, for_each=over, when=when, args={**drawn.args, "fails": fails})
