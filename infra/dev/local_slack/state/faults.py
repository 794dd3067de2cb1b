"""Faults a test injects: answers of the Web API that go wrong, and deliveries that do."""

from dataclasses import dataclass, field
from typing import TypeVar

_STANDARD_ERRORS = {429: "ratelimited", 500: "internal_error", 503: "service_unavailable"}


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong."""

    #: How often it happens.
    times: int = 1
    #: Calls or deliveries that pass before the fault begins.
    skip: int = 0
    delay_seconds: float = 0.0


_Fault = TypeVar("_Fault", bound=Fault)


@dataclass(kw_only=True)
class MethodFault(Fault):
    """Calls of a Web API method go wrong. `MethodFault(status=429)` is complete."""

    #: `*`: any.
    method: str = "*"
    #: The HTTP status; 0 closes the connection without an answer.
    status: int = 200
    error: str | None = None
    retry_after: int = 1
    #: The answer's text, whatever it is, instead of Slack's JSON.
    body: str | None = None
    #: The type of `body`; empty: none is named.
    content_type: str = "application/json"
    #: The call has its effect first, and only its answer is lost or wrong: the case in which the app cannot know.
    after: bool = False

    def __post_init__(self) -> None:
        self.error = self.error or _STANDARD_ERRORS.get(self.status)


@dataclass(kw_only=True)
class DeliveryFault(Fault):
    """Deliveries to the app go wrong."""

    #: An event type (`app_mention`, `message`), `interactive` or `slash_commands`; `*`: any.
    match: str = "*"
    #: How many times more the delivery is sent.
    repeat: int = 0
    #: Repeated events have new event ids instead of the same one.
    fresh_id: bool = False
    #: The app's acknowledgement counts as lost.
    ignore_ack: bool = False
    #: Nothing is delivered; an event is tried again later, as after a lost acknowledgement.
    hold: bool = False


@dataclass
class Faults:
    """The faults still to happen, in the order they were injected."""

    methods: list[MethodFault] = field(default_factory=list[MethodFault])
    deliveries: list[DeliveryFault] = field(default_factory=list[DeliveryFault])

    def for_method(self, method: str) -> MethodFault | None:
        """Return the fault this call meets, counted off; None for a call that goes well."""
        return _met(self.methods, [fault for fault in self.methods if fault.method in ("*", method)])

    def for_delivery(self, type: str) -> DeliveryFault | None:
        """Return the fault this delivery meets, counted off."""
        return _met(self.deliveries, [fault for fault in self.deliveries if fault.match in ("*", type)])

    def clear(self) -> None:
        """Forget every fault still to happen."""
        self.methods.clear()
        self.deliveries.clear()


def _met(left: list[_Fault], concerned: list[_Fault]) -> _Fault | None:
    """Count the first of the concerned faults off that lets nothing more pass; take it out after its last time."""
    for fault in concerned:
        if fault.skip > 0:
            fault.skip -= 1
            continue
        fault.times -= 1
        if fault.times <= 0:
            left.remove(fault)
        return fault
    return None
