"""Announces changes to the page and to the app: each change of a message, channel or reaction becomes Slack events."""

import re

from infra.dev.local_slack.delivery.deliveries import Deliveries
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.feed import Feed
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.team import Ephemeral, Team

_MESSAGE_EVENTS = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}


class Announcer:
    """Sends the app the events that its manifest subscribes to and its scopes allow."""

    def __init__(self, *, app: InstalledApp, team: Team, deliveries: Deliveries, feed: Feed) -> None:
        self._app = app
        self._team = team
        self._deliveries = deliveries
        self._feed = feed

    def posted(self, channel: Channel, message: Message) -> None:
        """A message is there: `message`, and `app_mention` too when it mentions the app (with another event id)."""
        self._feed.tell("message", channel=channel.id, ts=message.ts, message=channel.message_json(message))
        event = message.as_json() | {"channel": channel.id, "event_ts": message.ts, "channel_type": channel.type}
        if root := self._thread_changed(channel, message):
            event["parent_user_id"] = root.user
        author = self._team.people.get(message.user)
        if author and author.team_id != self._team.id:
            event |= {"user_team": author.team_id, "source_team": author.team_id}
        self._message_event(channel, event)
        mentioned = re.search(rf"<@{re.escape(self._app.bot_user_id)}(\|[^>]*)?>", message.text)
        if mentioned and not channel.is_im and message.user != self._app.bot_user_id:
            mention = {key: value for key, value in event.items() if key not in ("channel_type", "parent_user_id")}
            self._event(channel, "app_mention", "app_mentions:read", mention | {"type": "app_mention"})

    def changed(self, channel: Channel, message: Message, previous: JsonObject) -> None:
        """A message reads differently now: `message_changed`."""
        self._feed.tell("message_changed", channel=channel.id, ts=message.ts, message=channel.message_json(message))
        changed = {"message": channel.message_json(message), "previous_message": previous}
        self._hidden_event(channel, "message_changed", changed)

    def redrawn(self, channel: Channel, message: Message) -> None:
        """A message looks different to people, and no event tells the app (reactions, streaming)."""
        self._feed.tell("message_changed", channel=channel.id, ts=message.ts, message=channel.message_json(message))

    def deleted(self, channel: Channel, message: Message) -> None:
        """A message is gone: `message_deleted`."""
        self._feed.tell("message_deleted", channel=channel.id, ts=message.ts, thread_ts=message.thread_ts)
        self._thread_changed(channel, message)
        deleted = {"previous_message": message.as_json(), "deleted_ts": message.ts}
        self._hidden_event(channel, "message_deleted", deleted)

    def reacted(self, channel: Channel, message: Message, *, user: str, name: str, added: bool) -> None:
        """A reaction came or went."""
        self.redrawn(channel, message)
        event: JsonObject = {
            "type": "reaction_added" if added else "reaction_removed",
            "user": user,
            "reaction": name,
            "item_user": message.user,
            "item": {"type": "message", "channel": channel.id, "ts": message.ts},
            "event_ts": self._team.clock.timestamp(),
        }
        self._event(channel, event["type"], "reactions:read", event)

    def ephemeral(self, ephemeral: Ephemeral) -> None:
        """One person sees an ephemeral message; no event tells the app."""
        self._feed.tell(
            "ephemeral",
            user=ephemeral.user,
            channel=ephemeral.message.channel,
            ts=ephemeral.message.ts,
            message=ephemeral.message.as_json(),
        )

    def joined(self, channel: Channel, user: str) -> None:
        """Somebody is a member of a channel now."""
        self._feed.tell("channel", channel=channel.id)
        self._event(
            channel,
            "member_joined_channel",
            "channels:read",
            {
                "type": "member_joined_channel",
                "user": user,
                "channel": channel.id,
                "channel_type": "G" if channel.is_private else "C",
                "team": self._team.id,
                "event_ts": self._team.clock.timestamp(),
            },
        )

    def app_event(self, event: JsonObject, *, scope: str | None = None) -> None:
        """An event of no channel, such as app_home_opened."""
        if event["type"] in self._app.bot_events and (scope is None or scope in self._app.scopes):
            self._deliveries.event(event)

    def _thread_changed(self, channel: Channel, message: Message) -> Message | None:
        """Show the new reply count at the root of a reply; return the root."""
        root = channel.messages.get(message.thread_ts or "") if message.is_reply else None
        if root is not None:
            self._feed.tell("thread", channel=channel.id, ts=root.ts, message=channel.message_json(root))
        return root

    def _hidden_event(self, channel: Channel, subtype: str, facts: JsonObject) -> None:
        ts = self._team.clock.timestamp()
        event: JsonObject = {"type": "message", "subtype": subtype, **facts, "channel": channel.id, "hidden": True}
        self._message_event(channel, event | {"ts": ts, "event_ts": ts, "channel_type": channel.type})

    def _message_event(self, channel: Channel, event: JsonObject) -> None:
        self._event(channel, _MESSAGE_EVENTS[channel.type], channel.history_scope, event)

    def _event(self, channel: Channel, subscription: str, scope: str, event: JsonObject) -> None:
        subscribed = subscription in self._app.bot_events and scope in self._app.scopes
        if subscribed and self._app.bot_user_id in channel.members:
            self._deliveries.event(event, shared=channel.is_ext_shared)
