"""Everything the workspace sends to the app: events with their retries, and a person's interactions."""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from infra.dev.local_slack.delivery.sockets import Ack, NoAck, Sockets
from infra.dev.local_slack.state.faults import DeliveryFault, Faults
from infra.dev.local_slack.state.feed import Feed
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.team import Team, new_id

logger = logging.getLogger(__name__)

RETRY_DELAYS_SECONDS = (0.0, 60.0, 300.0)
"""Slack tries an unacknowledged event again nearly at once, after a minute and after five.
https://docs.slack.dev/apis/events-api/#retries"""


@dataclass(kw_only=True)
class Deliveries:
    """Sends events (again and again until acknowledged) and interactions (once) to the app."""

    app: InstalledApp
    team: Team
    sockets: Sockets
    faults: Faults
    feed: Feed
    retry_delays: tuple[float, ...] = RETRY_DELAYS_SECONDS
    #: Event ids the app never acknowledged.
    given_up: list[str] = field(default_factory=list[str])
    #: Acknowledged deliveries, by type.
    delivered: Counter[str] = field(default_factory=Counter[str])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def event(self, event: JsonObject, *, shared: bool = False) -> None:
        """Send an event to the app; it is tried again until it is acknowledged or Slack would give up."""
        kind = str(event["type"])
        fault = self.faults.for_delivery(kind) or DeliveryFault()
        body = self._body(event, shared=shared)
        self._run(self._until_acknowledged(kind, body, fault))
        for _ in range(fault.repeat):
            again = self._body(event, shared=shared) if fault.fresh_id else body
            self._run(self._until_acknowledged(kind, again, DeliveryFault(delay_seconds=fault.delay_seconds)))

    async def interact(self, type: str, payload: JsonObject, *, accepts_response: bool = False) -> Ack | NoAck:
        """Send what a person did (`interactive` or `slash_commands`) and wait for the acknowledgement."""
        fault = self.faults.for_delivery(type) or DeliveryFault()
        await self.team.clock.sleep(fault.delay_seconds)
        if fault.hold:
            return NoAck()
        answer = await self.sockets.offer(type, payload, accepts_response=accepts_response)
        for _ in range(fault.repeat):
            await self.sockets.offer(type, payload, accepts_response=accepts_response)
        if isinstance(answer, Ack):
            self.delivered[type] += 1
        return NoAck() if fault.ignore_ack else answer

    async def close(self) -> None:
        """Stop trying."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _body(self, event: JsonObject, *, shared: bool) -> JsonObject:
        """Return the event_callback around an event, with an event id of its own."""
        authorization = {"enterprise_id": None, "team_id": self.team.id, "user_id": self.app.bot_user_id}
        authorization |= {"is_bot": True, "is_enterprise_install": False}
        return {
            "token": "local-verification-token",
            "team_id": self.team.id,
            "context_team_id": self.team.id,
            "context_enterprise_id": None,
            "api_app_id": self.app.id,
            "event": event,
            "type": "event_callback",
            "event_id": new_id("Ev"),
            "event_time": int(self.team.clock.now()),
            "authorizations": [authorization],
            "is_ext_shared_channel": shared,
            "event_context": new_id("4-"),
        }

    async def _until_acknowledged(self, kind: str, body: JsonObject, fault: DeliveryFault) -> None:
        """Offer one event body, again after each retry delay; every try carries the same event id."""
        facts = {"event_id": body["event_id"], "event_type": kind}
        reason = ""
        for attempt, delay in enumerate((fault.delay_seconds, *self.retry_delays)):
            await self.team.clock.sleep(delay)
            first = attempt == 0
            if fault.hold and first:
                answer = NoAck()
            else:
                answer = await self.sockets.offer("events_api", body, attempt=attempt, reason=reason)
            if isinstance(answer, Ack) and not (fault.ignore_ack and first):
                self.delivered[kind] += 1
                self.feed.tell("event_acknowledged", **facts, attempt=attempt)
                return
            reason = answer.reason if isinstance(answer, NoAck) else "timeout"
            self.feed.tell("event_unacknowledged", **facts, attempt=attempt)
        self.given_up.append(str(body["event_id"]))
        self.feed.tell("event_given_up", **facts)
        logger.warning("the app acknowledged no delivery of %s %s", kind, body["event_id"])

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
