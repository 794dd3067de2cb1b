"""Budgets: what a run and a thread may spend before a person is asked. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

from agent.budget.usage import Prices, Scope, Spent
from sandbox.script import Json


class Measure(StrEnum):
    """What a budget bounds."""

    MODEL_CALLS = "model_calls"
    TOKENS = "tokens"
    COST = "cost"
    TIME = "time"
    NODES = "nodes"


class Start(Enum):
    """What is about to start."""

    CALL = auto()
    NODE = auto()


_NEEDS: Mapping[Start, frozenset[Measure]] = {
    Start.CALL: frozenset({Measure.MODEL_CALLS, Measure.TOKENS, Measure.COST, Measure.TIME}),
    Start.NODE: frozenset({Measure.NODES, Measure.TIME}),
}
"""What a start takes of: it must not begin where nothing of it is left."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be spent; None: as much as it takes. `milliseconds` are those at work, waiting for people left out."""

    model_calls: int | None = None
    tokens: int | None = None
    cost_micros: int | None = None
    milliseconds: int | None = None
    nodes: int | None = None

    @property
    def bounds(self) -> bool:
        """Tell whether it bounds anything."""
        return any(most is not None for _, most, _ in self.held_against(Spent()))

    def held_against(self, spent: Spent) -> Sequence[tuple[Measure, int | None, int]]:
        """Return each measure with the most that may be spent and what was."""
        return (
            (Measure.MODEL_CALLS, self.model_calls, spent.model_calls),
            (Measure.TOKENS, self.tokens, spent.tokens),
            (Measure.COST, self.cost_micros, spent.cost_micros),
            (Measure.TIME, self.milliseconds, spent.work_milliseconds),
            (Measure.NODES, self.nodes, spent.nodes),
        )


@dataclass(frozen=True, kw_only=True)
class LimitExceeded:
    """A budget is used up: `used` of `most`, since somebody last let it go on; money in millionths, time in ms."""

    scope: Scope
    measure: Measure
    used: int
    most: int


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """The budget of every run and of every thread. `currency` is what money is shown in."""

    run: Budget = field(default_factory=Budget)
    thread: Budget = field(default_factory=Budget)
    currency: str = Prices.currency

    @property
    def bounds(self) -> bool:
        """Tell whether anything is bounded."""
        return self.run.bounds or self.thread.bounds

    def exceeded(
        self, spent: Mapping[Scope, Spent], allowed_from: Mapping[Scope, Spent], start: Start
    ) -> Sequence[LimitExceeded]:
        """Return what keeps this start from beginning: one measure of each scope at most.

        `allowed_from` is what had been spent when somebody last let a scope go on; from there its whole
        budget counts once more. What is overspent holds everything back; what is just used up only
        what takes more of it, so that a budget that fits exactly asks nobody.
        """
        return tuple(self._exceeded(spent, allowed_from, start))

    def _exceeded(
        self, spent: Mapping[Scope, Spent], allowed_from: Mapping[Scope, Spent], start: Start
    ) -> Iterator[LimitExceeded]:
        for scope, budget in ((Scope.RUN, self.run), (Scope.THREAD, self.thread)):
            since = spent[scope] - allowed_from.get(scope, Spent())
            for measure, most, used in budget.held_against(since):
                if most is not None and used + (measure in _NEEDS[start]) > most:
                    yield LimitExceeded(scope=scope, measure=measure, used=used, most=most)
                    break


def limit_exceeded_json(breach: LimitExceeded) -> dict[str, Json]:
    """Return the breach as a question's row holds it."""
    return {
        "scope": breach.scope.value,
        "measure": breach.measure.value,
        "used": breach.used,
        "most": breach.most,
    }


def limit_exceeded_from_json(value: Mapping[str, Json]) -> LimitExceeded:
    """Read what `breach_json` wrote.

    Raises:
        ValueError: it is of a scope or measure there is none of.
    """
    used, most = value.get("used"), value.get("most")
    return LimitExceeded(
        scope=Scope(str(value.get("scope"))),
        measure=Measure(str(value.get("measure"))),
        used=used if isinstance(used, int) else 0,
        most=most if isinstance(most, int) else 0,
    )
