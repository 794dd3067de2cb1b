"""A fuzz case: random plans for several turns, drawn from a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from agent.ids import NodeId
from agent.plan import Add, Cancel, Dependency, Node, On, Operation
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
        return Cancel(id=self._rng.choice(self.known), why="fuzz")

    def _node(self) -> Node:
        rng = self._rng
        after = rng.sample(self.known, min(len(self.known), rng.choice((0, 0, 1, 1, 2, 3))))
        added = NodeId(f"{self._prefix}{len(self.known)}")
        self.known.append(added)
        return node(
            added,
            *(Dependency(node=each, on=rng.choice(_ON)) for each in after),
            red=rng.random() < 0.3,
            tool="fuzz",
            args={"fails": rng.random() < 0.15, "steps": rng.choice((0, 0, 1, 3, 10))},
        )
