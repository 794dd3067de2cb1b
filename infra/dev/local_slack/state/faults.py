"""Faults a test injects: answers of the Web API that go wrong, and deliveries that do."""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.dev.local_slack.state.payload import JsonObject, text_in


@dataclass(kw_only=True)
class MethodFault:
    """The next `times` calls of `method` (`*`: any) go wrong.

    With `after` the call has its effect first, and only its answer is lost or wrong: the case in which the app cannot
    know. `status` 0 closes the connection without an answer.
    """

    method: str
    times: int = 1
    skip: int = 0
    """Calls of the method that pass before the fault bites."""
    status: int = 200
    error: str | None = None
    retry_after: int = 1
    delay_seconds: float = 0.0
    after: bool = False

    @classmethod
    def from_json(cls, told: JsonObject) -> MethodFault:
        """The fault that a control request describes; a bare {"method", "status": 429} is complete."""
        status = int(told.get("status", 200))
        standard = {429: "ratelimited", 500: "internal_error", 503: "service_unavailable"}
        return cls(
            method=str(told.get("method", "*")),
            times=int(told.get("times", 1)),
            skip=int(told.get("skip", 0)),
            status=status,
            error=text_in(told, "error") or standard.get(status),
            retry_after=int(told.get("retry_after", 1)),
            delay_seconds=float(told.get("delay_seconds", 0.0)),
            after=bool(told.get("after", False)),
        )


@dataclass(kw_only=True)
class DeliveryFault:
    """The next `times` deliveries whose type is `match` (`*`: any) go wrong.

    Types are event types (`app_mention`, `message`) and `interactive`, `slash_commands`. `repeat` sends the delivery
    that many times more, with the same event id or, with `fresh_id`, with new ones. `ignore_ack` treats the app's
    acknowledgement as lost. `hold` delivers nothing at all (and, for events, tries again later like a lost ack).
    """

    match: str = "*"
    times: int = 1
    repeat: int = 0
    fresh_id: bool = False
    ignore_ack: bool = False
    hold: bool = False
    delay_seconds: float = 0.0

    @classmethod
    def from_json(cls, told: JsonObject) -> DeliveryFault:
        """The fault that a control request describes."""
        return cls(
            match=str(told.get("match", "*")),
            times=int(told.get("times", 1)),
            repeat=int(told.get("repeat", 0)),
            fresh_id=bool(told.get("fresh_id", False)),
            ignore_ack=bool(told.get("ignore_ack", False)),
            hold=bool(told.get("hold", False)),
            delay_seconds=float(told.get("delay_seconds", 0.0)),
        )


@dataclass
class Faults:
    """The faults still to happen, in the order they were injected."""

    methods: list[MethodFault] = field(default_factory=list[MethodFault])
    deliveries: list[DeliveryFault] = field(default_factory=list[DeliveryFault])

    def for_method(self, method: str) -> MethodFault | None:
        """The fault this call meets, counted off; None for a call that goes well."""
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
        """The fault this delivery meets, counted off."""
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
