"""Everything the workspace sends to the app: events with their retries, and a person's interactions."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from infra.dev.local_slack.delivery.sockets import Ack, NoAck, Sockets
from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.faults import Faults
from infra.dev.local_slack.state.feed import Feed
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.team import Team, new_id

logger = logging.getLogger(__name__)

RETRY_DELAYS_SECONDS = (0.0, 60.0, 300.0)
"""Slack tries an unacknowledged event again nearly at once, after a minute and after five.
https://docs.slack.dev/apis/events-api/#retries"""


class Deliveries:
    """Sends events (again and again until acknowledged) and interactions (once) to the app."""

    def __init__(
        self,
        *,
        app: InstalledApp,
        team: Team,
        clock: Clock,
        sockets: Sockets,
        faults: Faults,
        feed: Feed,
        retry_delays: tuple[float, ...] = RETRY_DELAYS_SECONDS,
    ) -> None:
        self.app = app
        self.given_up: list[str] = []
        """Event ids the app never acknowledged."""
        self.delivered: dict[str, int] = {}
        """Acknowledged deliveries, by type."""
        self._team = team
        self._clock = clock
        self._sockets = sockets
        self._faults = faults
        self._feed = feed
        self._retry_delays = retry_delays
        self._tasks: set[asyncio.Task[None]] = set()

    def event(self, event: JsonObject, *, shared: bool = False) -> None:
        """Send an event to the app; it is tried again until it is acknowledged or Slack would give up."""
        kind = str(event["type"])
        fault = self._faults.for_delivery(kind)
        delay = fault.delay_seconds if fault else 0.0
        lost = bool(fault and (fault.ignore_ack or fault.hold))
        held = bool(fault and fault.hold)
        body = self._body(event, shared=shared)
        self._run(self._until_acknowledged(kind, body, delay=delay, lose_ack=lost, hold=held))
        for _ in range(fault.repeat if fault else 0):
            again = self._body(event, shared=shared) if fault and fault.fresh_id else body
            self._run(self._until_acknowledged(kind, again, delay=delay))

    async def interact(self, type: str, payload: JsonObject, *, accepts_response: bool = False) -> Ack | NoAck:
        """Send what a person did (`interactive` or `slash_commands`) and wait for the acknowledgement."""
        fault = self._faults.for_delivery(type)
        if fault and fault.delay_seconds:
            await self._clock.sleep(fault.delay_seconds)
        if fault and fault.hold:
            return NoAck()
        answer = await self._sockets.offer(type, payload, accepts_response=accepts_response)
        for _ in range(fault.repeat if fault else 0):
            await self._sockets.offer(type, payload, accepts_response=accepts_response)
        if isinstance(answer, Ack):
            self.delivered[type] = self.delivered.get(type, 0) + 1
        return NoAck() if fault and fault.ignore_ack else answer

    async def close(self) -> None:
        """Stop trying."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _body(self, event: JsonObject, *, shared: bool) -> JsonObject:
        """The event_callback around an event, with an event id of its own."""
        return {
            "token": "local-verification-token",
            "team_id": self._team.id,
            "context_team_id": self._team.id,
            "context_enterprise_id": None,
            "api_app_id": self.app.id,
            "event": event,
            "type": "event_callback",
            "event_id": new_id("Ev"),
            "event_time": int(self._clock.now()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": self._team.id,
                    "user_id": self.app.bot_user_id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": shared,
            "event_context": new_id("4-"),
        }

    async def _until_acknowledged(
        self, kind: str, body: JsonObject, *, delay: float = 0.0, lose_ack: bool = False, hold: bool = False
    ) -> None:
        """Offer one event body, again after each retry delay; every try carries the same event id."""
        if delay:
            await self._clock.sleep(delay)
        reason = ""
        for attempt in range(len(self._retry_delays) + 1):
            if attempt:
                await self._clock.sleep(self._retry_delays[attempt - 1])
            first = attempt == 0
            answer = (
                NoAck()
                if hold and first
                else await self._sockets.offer("events_api", body, attempt=attempt, reason=reason)
            )
            if isinstance(answer, Ack) and not (lose_ack and first):
                self.delivered[kind] = self.delivered.get(kind, 0) + 1
                self._feed.tell("event_acknowledged", event_id=body["event_id"], event_type=kind, attempt=attempt)
                return
            reason = answer.reason if isinstance(answer, NoAck) else "timeout"
            self._feed.tell("event_unacknowledged", event_id=body["event_id"], event_type=kind, attempt=attempt)
        self.given_up.append(str(body["event_id"]))
        self._feed.tell("event_given_up", event_id=body["event_id"], event_type=kind)
        logger.warning("the app acknowledged no delivery of %s %s", kind, body["event_id"])

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
