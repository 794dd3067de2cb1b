"""Faults a test injects: answers of the Web API that go wrong, and deliveries that do."""

from dataclasses import dataclass, field

_STANDARD_ERRORS = {429: "ratelimited", 500: "internal_error", 503: "service_unavailable"}


@dataclass(kw_only=True)
class MethodFault:
    """The next `times` calls of `method` (`*`: any) go wrong. `MethodFault(status=429)` is complete."""

    method: str = "*"
    times: int = 1
    #: Calls of the method that pass before the fault begins.
    skip: int = 0
    #: The HTTP status; 0 closes the connection without an answer.
    status: int = 200
    error: str | None = None
    retry_after: int = 1
    delay_seconds: float = 0.0
    #: The call has its effect first, and only its answer is lost or wrong: the case in which the app cannot know.
    after: bool = False

    def __post_init__(self) -> None:
        self.error = self.error or _STANDARD_ERRORS.get(self.status)


@dataclass(kw_only=True)
class DeliveryFault:
    """The next `times` deliveries whose type is `match` (`*`: any) go wrong.

    Types are event types (`app_mention`, `message`) and `interactive`, `slash_commands`.
    """

    match: str = "*"
    times: int = 1
    #: How many times more the delivery is sent.
    repeat: int = 0
    #: Repeated events have new event ids instead of the same one.
    fresh_id: bool = False
    #: The app's acknowledgement counts as lost.
    ignore_ack: bool = False
    #: Nothing is delivered; an event is tried again later, as after a lost acknowledgement.
    hold: bool = False
    delay_seconds: float = 0.0


@dataclass
class Faults:
    """The faults still to happen, in the order they were injected."""

    methods: list[MethodFault] = field(default_factory=list[MethodFault])
    deliveries: list[DeliveryFault] = field(default_factory=list[DeliveryFault])

    def for_method(self, method: str) -> MethodFault | None:
        """Return the fault this call meets, counted off; None for a call that goes well."""
        for fault in self.methods:
            if fault.method not in ("*", method):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self.methods.remove(fault)
            return fault
        return None

    def for_delivery(self, type: str) -> DeliveryFault | None:
        """Return the fault this delivery meets, counted off."""
        for fault in self.deliveries:
            if fault.match in ("*", type):
                fault.times -= 1
                if fault.times <= 0:
                    self.deliveries.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Forget every fault still to happen."""
        self.methods.clear()
        self.deliveries.clear()
