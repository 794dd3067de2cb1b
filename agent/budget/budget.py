"""Budgets: what a run and a thread may spend before a person is asked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum, StrEnum, auto

from pydantic import TypeAdapter

from agent.budget.usage import Prices, Scope, Spent
from sandbox.script import Json


class Measure(StrEnum):
    """A quantity that a budget limits."""

    MODEL_CALLS = "model_calls"
    TOKENS = "tokens"
    COST = "cost"
    TIME = "time"
    NODES = "nodes"


class Start(Enum):
    """The kind of work that is about to start."""

    CALL = auto()
    NODE = auto()


_NEEDS: Mapping[Start, frozenset[Measure]] = {
    Start.CALL: frozenset({Measure.MODEL_CALLS, Measure.TOKENS, Measure.COST, Measure.TIME}),
    Start.NODE: frozenset({Measure.NODES, Measure.TIME}),
}
"""The measures that a start uses: it must not begin when one of them is used up."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that may be spent. None: no limit."""

    model_calls: int | None = None
    #: Input and output together.
    tokens: int | None = None
    #: In millionths of the price table's currency.
    cost_micros: int | None = None
    #: At work; waiting for people does not count.
    milliseconds: int | None = None
    nodes: int | None = None

    @property
    def bounds(self) -> bool:
        """Whether it limits anything."""
        return any(most is not None for _, most, _ in self.held_against(Spent()))

    def held_against(self, spent: Spent) -> Sequence[tuple[Measure, int | None, int]]:
        """Return each measure with its limit and what was spent of it."""
        return (
            (Measure.MODEL_CALLS, self.model_calls, spent.model_calls),
            (Measure.TOKENS, self.tokens, spent.tokens),
            (Measure.COST, self.cost_micros, spent.cost_micros),
            (Measure.TIME, self.milliseconds, spent.work_milliseconds),
            (Measure.NODES, self.nodes, spent.nodes),
        )


@dataclass(frozen=True, kw_only=True)
class LimitExceeded:
    """A budget is used up. Money is in millionths, time in milliseconds."""

    scope: Scope
    measure: Measure
    #: Since a person last extended the budget.
    used: int
    most: int


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """The budget of every run and of every thread."""

    run: Budget = field(default_factory=Budget)
    thread: Budget = field(default_factory=Budget)
    #: Shown with amounts of money.
    currency: str = Prices.currency

    @property
    def bounds(self) -> bool:
        """Whether anything is limited."""
        return self.run.bounds or self.thread.bounds

    def exceeded(
        self, spent: Mapping[Scope, Spent], allowed_from: Mapping[Scope, Spent], start: Start
    ) -> Sequence[LimitExceeded]:
        """Return what keeps this start from beginning: one measure of each scope at most.

        `allowed_from` is the spending at the time a person last extended a scope's budget; from there the whole
        budget counts once more. An overspent measure holds every start back; one that is just used up
        holds back only starts that use more of it, so that no person is asked about a budget that fits exactly.
        """
        exceeded: list[LimitExceeded] = []
        for scope, budget in ((Scope.RUN, self.run), (Scope.THREAD, self.thread)):
            since = spent[scope] - allowed_from.get(scope, Spent())
            for measure, most, used in budget.held_against(since):
                if most is not None and used + (measure in _NEEDS[start]) > most:
                    exceeded.append(LimitExceeded(scope=scope, measure=measure, used=used, most=most))
                    break
        return exceeded


def limit_exceeded_json(exceeded: LimitExceeded) -> dict[str, Json]:
    """Return it as a request's row stores it."""
    return asdict(exceeded)


_LIMIT_EXCEEDED = TypeAdapter(LimitExceeded)


def limit_exceeded_from_json(value: Json) -> LimitExceeded:
    """Read what `limit_exceeded_json` wrote.

    Raises:
        ValueError: the scope or measure is unknown.
    """
    return _LIMIT_EXCEEDED.validate_python(value)
