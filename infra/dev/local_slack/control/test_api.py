"""The test API: faults, clock, sockets, switches, members and channels; and reading the whole workspace."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from infra.dev.local_slack.actions.backend import Backend, Switches
from infra.dev.local_slack.state.channels import Channel
from infra.dev.local_slack.state.errors import ControlError
from infra.dev.local_slack.state.faults import DeliveryFault, MethodFault
from infra.dev.local_slack.state.payload import JsonObject, made
from infra.dev.local_slack.state.team import Team
from infra.dev.local_slack.web_api.streams import close_expired

logger = logging.getLogger(__name__)


async def inject(backend: Backend, body: JsonObject, clear: bool = False) -> None:
    """Inject a fault into a Web API method (the request is a MethodFault), or clear all faults."""
    if clear:
        backend.faults.clear()
    else:
        backend.faults.methods.append(made(MethodFault, body))


async def disturb(backend: Backend, body: JsonObject) -> None:
    """Inject a fault into deliveries to the app (the request is a DeliveryFault)."""
    backend.faults.deliveries.append(made(DeliveryFault, body))


async def disconnect(backend: Backend, reason: str = "refresh_requested", abrupt: bool = False) -> JsonObject:
    """Send all websockets away with a reason (refresh_requested, warning, link_disabled), or close them at once."""
    return {"connections": await backend.sockets.disconnect(reason, abrupt=abrupt)}


async def advance(backend: Backend, seconds: float) -> JsonObject:
    """Move the clock forward."""
    if seconds < 0:
        raise ControlError("clock_runs_forward", "The clock only goes forward.")
    backend.clock.advance(seconds)
    end_streams(backend)
    return {"now": backend.clock.now()}


async def switch(backend: Backend, body: JsonObject, rate_limits: bool | None = None) -> JsonObject:
    """Switch rate limits on or off, and what Switches names."""
    if rate_limits is not None:
        backend.rates.enabled = rate_limits
        backend.rates.buckets.clear()
    backend.switches = made(Switches, vars(backend.switches) | body)
    return {"rate_limits": backend.rates.enabled, **vars(backend.switches)}


async def change_membership(backend: Backend, channel: str, member: str, remove: bool = False) -> JsonObject:
    """Make a person or the app join a channel, or leave it."""
    joined, person = _channel(backend, channel), backend.team.person_named(member)
    if person is None:
        raise ControlError("not_found", "There is no such person.")
    if remove:
        joined.members = [user for user in joined.members if user != person.id]
        backend.feed.tell("channel", channel=joined.id)
    elif person.id not in joined.members:
        joined.members.append(person.id)
        backend.announcer.joined(joined, person.id)
    return {"members": joined.members}


async def archive(backend: Backend, channel: str, is_archived: bool = False) -> JsonObject:
    """Archive a channel, or bring it back."""
    archived = _channel(backend, channel)
    archived.is_archived = is_archived
    backend.feed.tell("channel", channel=archived.id)
    return {"channel": archived.id}


TEST_ACTIONS: Mapping[str, Callable[..., Awaitable[JsonObject | None]]] = {
    "faults": inject,
    "deliveries": disturb,
    "sockets/disconnect": disconnect,
    "clock": advance,
    "switches": switch,
    "members": change_membership,
    "channels": archive,
}


def _channel(backend: Backend, reference: str) -> Channel:
    if (channel := backend.team.channel_named(reference)) is None:
        raise ControlError("not_found", "There is no such channel.")
    return channel


def end_streams(backend: Backend) -> None:
    """Close the streams whose time is over and show it."""
    for channel in backend.team.channels.values():
        for message in close_expired(channel, backend.clock.now()):
            backend.announcer.redrawn(channel, message)


class TestApi:
    """Answers GET /control/..."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def dump(self, _request: web.Request) -> web.Response:
        """Answer with everything there is."""
        return web.json_response(dump(self._backend))

    async def calls(self, _request: web.Request) -> web.Response:
        """Answer with how often each method was called and refused, and with the last calls."""
        backend = self._backend
        facts: JsonObject = {
            "ok": True,
            **_calls(backend),
            "log": list(backend.call_log),
            "deliveries": dict(backend.deliveries.delivered),
            "given_up": list(backend.deliveries.given_up),
            "connections": len(backend.sockets.connections),
        }
        return web.json_response(facts)

    async def seen(self, request: web.Request) -> web.Response:
        """Answer with everything that one person's page shows: channels, messages, ephemeral messages, views."""
        user = request.query.get("user", "")
        if user not in self._backend.team.people:
            return web.json_response({"ok": False, "error": "user_not_found"}, status=404)
        return web.json_response(seen_by(self._backend, user))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send happenings as server-sent events; `user` narrows them to those of a person, `since` starts earlier."""
        user = request.query.get("user")
        since = request.headers.get("Last-Event-ID") or request.query.get("since")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        async with self._backend.feed.listening(int(since) if since and since.isdigit() else None) as happenings:
            try:
                await self._tell(response, happenings, user)
            except ConnectionError:
                logger.debug("a listener left")
        return response

    async def _tell(
        self, response: web.StreamResponse, happenings: asyncio.Queue[JsonObject | None], user: str | None
    ) -> None:
        """Write happenings until the workspace closes."""
        await response.write(f"retry: 1000\nevent: hello\ndata: {self._backend.feed.number}\n\n".encode())
        while True:
            try:
                async with asyncio.timeout(15):
                    happening = await happenings.get()
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            if happening is None:
                return
            if user is None or self._concerns(user, happening):
                lines = f"id: {happening['number']}\ndata: {json.dumps(happening)}\n\n"
                await response.write(lines.encode())

    def _concerns(self, user: str, happening: JsonObject) -> bool:
        channel = self._backend.team.channels.get(str(happening.get("channel")))
        private = happening["type"] in ("ephemeral", "ephemeral_deleted", "notice", "views", "clicked", "commanded")
        if private and happening.get("user") != user:
            return False
        return channel is None or user in channel.members or happening["type"] == "channel"


def dump(backend: Backend) -> JsonObject:
    """Return everything there is, as JSON: channels by name with their messages, ephemerals by person, views, calls."""
    team, views = backend.team, backend.views
    bot = backend.app.bot_user_id
    return {
        "ok": True,
        "team": {"id": team.id, "domain": team.domain},
        "app": {"id": backend.app.id, "bot_user_id": bot, "bot_id": backend.app.bot_id},
        "now": backend.clock.now(),
        "people": [person.as_json() for person in team.people.values()],
        "channels": {channel.name: _channel_json(channel, bot) for channel in team.channels.values()},
        "ephemerals": [
            {"user": one.user, "channel": one.message.channel, "message": one.message.as_json()}
            for one in team.ephemerals
        ],
        "views": {user: [views.as_json(views.open[modal])] for user, modal in views.modals.items()},
        "homes": {user: views.as_json(views.open[home]) for user, home in views.homes.items()},
        "sessions": _sessions(team),
        **_calls(backend),
    }


def seen_by(backend: Backend, user: str) -> JsonObject:
    """Return the state from which the page of one person starts."""
    team, views, app = backend.team, backend.views, backend.app
    modal, home = views.visible(user), views.open.get(views.homes.get(user, ""))
    return {
        "ok": True,
        "number": backend.feed.number,
        "user": user,
        "app": {
            "name": app.name,
            "bot_user_id": app.bot_user_id,
            "commands": [vars(command) for command in app.commands],
            "shortcuts": [vars(shortcut) for shortcut in app.shortcuts],
            "home_tab": app.home_tab,
            "connected": bool(backend.sockets.connections),
        },
        "team": {"id": team.id, "name": team.name},
        "people": [person.as_json() for person in team.people.values() if not person.deleted],
        "usergroups": [group.as_json(team.id) for group in team.usergroups.values()],
        "channels": [_channel_json(channel, user) for channel in team.channels.values() if user in channel.members],
        "ephemerals": [
            one.message.as_json() | {"channel": one.message.channel} for one in team.ephemerals if one.user == user
        ],
        "views": [views.as_json(modal)] if modal else [],
        "home": views.as_json(home) if home else None,
        "sessions": _sessions(team),
    }


def _channel_json(channel: Channel, for_user: str) -> JsonObject:
    return {
        **channel.as_json(for_user=for_user),
        "members": list(channel.members),
        "messages": [channel.message_json(message) for message in channel.messages.values()],
    }


def _sessions(team: Team) -> list[JsonObject]:
    return [
        {"channel": channel, "thread_ts": thread_ts, "status": session.status, "title": session.title}
        for (channel, thread_ts), session in team.sessions.items()
    ]


def _calls(backend: Backend) -> JsonObject:
    complaints = [*backend.complaints, *backend.sockets.complaints]
    return {"calls": dict(backend.calls), "refusals": dict(backend.refusals), "complaints": complaints}
