"""Spending of a thread's runs on models and time, and its cost."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Protocol
from weakref import WeakSet

from agent.ids import ThreadId


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

    #: A `Role`, or the name of a subagent's.
    role: str
    model: str
    input_tokens: int
    output_tokens: int
    #: Of the input, what the server found in its cache.
    cached_tokens: int = 0
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
    #: Of the input tokens, those that the model's server found in its cache.
    cached_tokens: int = 0

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
    #: Of input that the server found in its cache; None: half of other input, the least that large providers take off.
    cached: float | None = field(default=None, metadata={"ge": 0})

    def of(self, call: ModelCall) -> int:
        """Return the cost of the call in millionths of the currency."""
        cached = min(call.cached_tokens, call.input_tokens)
        cached_price = self.input / 2 if self.cached is None else self.cached
        # A price for a million tokens is the millionths that one token costs.
        read = (call.input_tokens - cached) * self.input + cached * cached_price
        return round(read + call.output_tokens * self.output)


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
        return 0 if price is None else price.of(call)


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


@dataclass(kw_only=True, eq=False)
class ThreadCounter:
    """Counts in this process what a thread spends on its newest turn."""

    clock: Callable[[], float] = time.monotonic
    #: Counted, and in no row yet.
    unwritten: Spent = field(default_factory=Spent)
    _working_since: float | None = None
    _accounts: "WeakSet[TurnAccount]" = field(default_factory=lambda: WeakSet[TurnAccount]())

    @property
    def in_use(self) -> bool:
        """Whether somebody works on the thread, holds an account of it, or has still to write."""
        return self._working_since is not None or self.unwritten != Spent() or bool(self._accounts)

    def begin_work(self) -> None:
        """Count the time from now."""
        self._working_since = self.clock()

    def end_work(self) -> None:
        """Count the time until now, and no more."""
        self.count_time()
        self._working_since = None

    def count_time(self) -> None:
        """Count the time since it was last counted, in whole milliseconds; the rest counts the next time."""
        if self._working_since is not None:
            milliseconds = int((self.clock() - self._working_since) * 1000)
            self._working_since += milliseconds / 1000
            self.count(Spent(work_milliseconds=milliseconds))

    def count_call(self, call: ModelCall, prices: Prices) -> None:
        """Count a model call that ended, and the time until now."""
        self.count_time()
        tokens = Spent(
            input_tokens=call.input_tokens, output_tokens=call.output_tokens, cached_tokens=call.cached_tokens
        )
        self.count(tokens + Spent(model_calls=1, cost_micros=prices.of(call)))

    def count(self, more: Spent) -> None:
        """Count it here and in every open account."""
        self.unwritten += more
        for account in self._accounts:
            account.add(more)

    def open_account(self, written: Mapping[Scope, Spent]) -> "TurnAccount":
        """Return the account of the newest turn, given what the rows hold; later counts are added to it."""
        account = TurnAccount(self, {scope: spent + self.unwritten for scope, spent in written.items()})
        self._accounts.add(account)
        return account


class TurnAccount:
    """An Account: what was written and counted when it was opened, and everything counted since."""

    def __init__(self, counter: ThreadCounter, spent: Mapping[Scope, Spent]) -> None:
        self._counter = counter
        self._spent = spent

    def spent(self) -> Mapping[Scope, Spent]:
        """Return what was spent to this moment."""
        self._counter.count_time()
        return self._spent

    def node_started(self) -> None:
        """Count a node; it is written with whatever comes next."""
        self._counter.count(Spent(nodes=1))

    def add(self, more: Spent) -> None:
        """Add to both scopes, because the newest turn is what is charged."""
        self._spent = {scope: spent + more for scope, spent in self._spent.items()}
