"""Circuit breakers: what failed several times in a row is left alone for a while, and then tried by one call.

The pattern is M. Nygard's (Release It!, 2nd edition, chapter 5): closed, open, half-open. What is counted is what a
call needs: the host that it asks, the server whose tool it is, or else the tool. The state is that of a process. An
outage is seen by each one within a few calls, a process that alone is cut off must not stop the others, and no call of
a tool that works costs a statement.
"""

import asyncio
import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit
from weakref import WeakSet

from agent.plan.outcomes import OUTCOME_UNKNOWN, Failed, Succeeded
from agent.tool import Tool
from sandbox.script import Json

BREAKDOWNS = frozenset(
    {"timeout", "unreachable", "unavailable", "database_unreachable", "slack_unreachable", OUTCOME_UNKNOWN}
)
"""Codes of failures for which what was called is to blame, and not the call."""

_UNCLEAR = frozenset({"tool_fault", "tool_error", "bad_output", "output_too_large"})
"""Codes of failures that say nothing about what was called."""

_SERVER_ERROR = 500
_MOST_KEPT = 2_000
"""Resources with failures that a process remembers: a plan can name any number of hosts."""

CLAIM_SECONDS = 30.0
"""How long the only try is kept for a red call that may be sent next."""


@dataclass(frozen=True, kw_only=True)
class CircuitBreaker:
    """`[circuit_breaker]`: when calls are held back."""

    #: Failures in a row after which nothing is called; 0: never. Only timeouts, services out of reach and 5xx count.
    failures: int = field(default=10, metadata={"ge": 0, "le": 1_000})
    #: How long nothing is called before one call tries whether it works again.
    pause_seconds: float = field(default=30.0, metadata={"gt": 0, "le": 3_600})


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """What is known of one resource. Times are in seconds of one clock."""

    failures: int = 0
    #: Until when nothing is called; None: calls go through.
    open_until: float | None = None
    #: Until when the only try has the resource for itself; None: nobody tries.
    tried_until: float | None = None

    def admits_from(self) -> float:
        """Return from when a call may be made: none while it is open, then one by one until one went well."""
        if self.open_until is None:
            return -math.inf
        return self.open_until if self.tried_until is None else max(self.open_until, self.tried_until)

    def tried(self, until: float) -> "Circuit":
        """Return it while a call is made, or may be made soon."""
        return self if self.open_until is None else replace(self, tried_until=until)

    def failed(self, now: float, settings: CircuitBreaker) -> "Circuit":
        """Return it after a call that failed; one that was begun before it opened does not prolong the pause."""
        failures = self.failures + 1
        if self.open_until is not None and now < self.open_until:
            return replace(self, failures=failures)
        if failures < settings.failures:
            return replace(self, failures=failures)
        return Circuit(failures=failures, open_until=now + settings.pause_seconds)

    def left(self) -> "Circuit":
        """Return it after a call that says nothing: the next one may try."""
        return replace(self, tried_until=None)


@dataclass(frozen=True, kw_only=True)
class OpenCircuit:
    """A resource that is left alone now."""

    name: str
    #: Failures in a row.
    failures: int
    #: Seconds until it is tried again; 0: as soon as there is a call.
    seconds: float


def resource_of(tool: Tool, args: Mapping[str, Json]) -> str:
    """Return what a call needs, by the name under which people know it."""
    return _address(tool, args) or tool.service or tool.name


def _address(tool: Tool, args: Mapping[str, Json]) -> str | None:
    """Return the host that a call asks, and the port when it is named: another port is another service."""
    host, url = tool.host(args), args.get(tool.url_argument or "")
    try:
        port = urlsplit(url).port if host is not None and isinstance(url, str) else None
    except ValueError:
        port = None
    return host if port is None else f"{host}:{port}"


def is_answer(tool: Tool, outcome: Succeeded | Failed) -> bool | None:
    """Return whether what was called answered; None when the outcome says nothing about that."""
    if isinstance(outcome, Succeeded):
        status = outcome.value.get("status") if isinstance(outcome.value, Mapping) else None
        return not (tool.url_argument is not None and isinstance(status, int) and status >= _SERVER_ERROR)
    if outcome.error in BREAKDOWNS:
        return False
    return None if outcome.error in _UNCLEAR else True


class CircuitBreakers:
    """The breakers of a process."""

    def __init__(self, settings: CircuitBreaker | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings or CircuitBreaker()
        self._clock = clock
        #: Those whose last call failed; the one that failed longest ago comes first.
        self._circuits: dict[str, Circuit] = {}
        self._changed = asyncio.Event()
        _ALL.add(self)

    def seconds_until_try(self, resource: str) -> float:
        """Return how long nothing may be called there; 0: a call may be made. Infinite while another one tries."""
        circuit = self._circuits.get(resource)
        return 0.0 if circuit is None else max(0.0, circuit.admits_from() - self._clock())

    def claim(self, resource: str) -> bool:
        """Keep the only try for a red call that is sent next; return False when it may not be sent now."""
        if self.seconds_until_try(resource):
            return False
        if (circuit := self._circuits.get(resource)) is not None:
            self._circuits[resource] = circuit.tried(self._clock() + CLAIM_SECONDS)
        return True

    async def passable(self, resource: str, note: Callable[[float], None]) -> None:
        """Wait until a call may be made; `note` gets the seconds that it takes at least, infinite while one tries."""
        while seconds := self.seconds_until_try(resource):
            note(seconds)
            changed = self._changed
            with suppress(TimeoutError):
                async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                    await changed.wait()

    @contextmanager
    def counted(self, tool: Tool, args: Mapping[str, Json]) -> Generator[Callable[[Succeeded | Failed], None]]:
        """Count a call that is made now, by the outcome that its body notes; without one it says nothing."""
        resource, answered = resource_of(tool, args), None
        circuit = self._circuits.get(resource, Circuit())
        if is_try := circuit.open_until is not None:
            self._circuits[resource] = circuit.tried(math.inf)

        def note(outcome: Succeeded | Failed) -> None:
            nonlocal answered
            answered = is_answer(tool, outcome)

        try:
            yield note
        finally:
            self._end(resource, answered, is_try=is_try)

    def _end(self, resource: str, answered: bool | None, *, is_try: bool) -> None:
        circuit = self._circuits.get(resource, Circuit())
        if answered:
            self._circuits.pop(resource, None)
        elif answered is False and self._settings.failures:
            self._circuits.pop(resource, None)
            self._circuits[resource] = circuit.failed(self._clock(), self._settings)
            if len(self._circuits) > _MOST_KEPT:
                del self._circuits[next(iter(self._circuits))]
        elif is_try and resource in self._circuits:
            self._circuits[resource] = circuit.left()
        if circuit.open_until is not None:
            self._changed.set()
            self._changed = asyncio.Event()

    def open_now(self) -> Sequence[OpenCircuit]:
        """Return what is left alone now."""
        now = self._clock()
        return [
            OpenCircuit(name=name, failures=circuit.failures, seconds=max(0.0, circuit.open_until - now))
            for name, circuit in self._circuits.items()
            if circuit.open_until is not None
        ]


_ALL: WeakSet[CircuitBreakers] = WeakSet()


def open_circuits() -> Sequence[OpenCircuit]:
    """Return what this process leaves alone now, by name."""
    return sorted((circuit for breakers in _ALL for circuit in breakers.open_now()), key=lambda circuit: circuit.name)
