"""Spending of a thread's runs on models and time, and its cost."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Protocol

from agent.ids import ThreadId
from agent.limits import Role


class Scope(StrEnum):
    """Whose budget it is."""

    #: One turn of a thread.
    RUN = "run"
    THREAD = "thread"


_account: ContextVar[ThreadId | None] = ContextVar("account", default=None)


@contextmanager
def charged_to(thread: ThreadId) -> Generator[None]:
    """Charge every model call that begins in the block, or in the tasks it starts, to the thread."""
    token = _account.set(thread)
    try:
        yield
    finally:
        _account.reset(token)


def account() -> ThreadId | None:
    """Return the thread to which a model call that begins now is charged; None outside any thread."""
    return _account.get()


@dataclass(frozen=True, kw_only=True)
class ModelCall:
    """One model call that ended."""

    role: Role
    model: str
    input_tokens: int
    output_tokens: int
    #: The server reported no tokens; they are taken from the length.
    estimated: bool = False


@dataclass(frozen=True, kw_only=True)
class Spent:
    """An amount of spending."""

    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    #: Millionths of the price table's currency, for the models in the table.
    cost_micros: int = 0
    #: The time a worker worked on it; time in which only people were waited for does not count.
    work_milliseconds: int = 0
    #: Nodes that started.
    nodes: int = 0

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Spent") -> "Spent":
        return self._with(other, 1)

    def __sub__(self, other: "Spent") -> "Spent":
        return self._with(other, -1)

    def _with(self, other: "Spent", sign: int) -> "Spent":
        mine, others = asdict(self), asdict(other)
        return Spent(**{name: mine[name] + sign * others[name] for name in mine})


@dataclass(frozen=True, kw_only=True)
class Price:
    """The price of a million tokens."""

    input: float = field(metadata={"ge": 0})
    output: float = field(metadata={"ge": 0})


@dataclass(frozen=True, kw_only=True)
class Prices:
    """The price table."""

    #: Only shown.
    currency: str = field(default="$", metadata={"min_length": 1, "max_length": 5})
    #: Model name -> price. A model that is not in it counts as free.
    models: Mapping[str, Price] = field(default_factory=dict[str, Price])

    def of(self, call: ModelCall) -> int:
        """Return the cost of the call in millionths of the currency."""
        price = self.models.get(call.model)
        if price is None:
            return 0
        # A price for a million tokens is the millionths that one token costs.
        return round(call.input_tokens * price.input + call.output_tokens * price.output)


class Account(Protocol):
    """The spending of a turn and its thread up to now, while this process runs the thread."""

    def spent(self) -> Mapping[Scope, Spent]:
        """Return what was spent so far."""
        ...

    def node_started(self) -> None:
        """Count a node."""
        ...


class Spending(Protocol):
    """The spending of threads. Everything counted is charged to the thread's newest turn."""

    async def account(self, thread: ThreadId, turn: int) -> Account:
        """Return the account of the thread's newest turn."""
        ...

    async def flush(self) -> None:
        """Return when everything counted so far is committed. Later spending is charged to a later turn."""
        ...
