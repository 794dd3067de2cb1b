"""Announces changes to the page and to the app: each change of a message, channel or reaction becomes Slack events."""

import re
from dataclasses import dataclass

from infra.dev.local_slack.delivery.deliveries import Deliveries
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.feed import Feed
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.people import Kind
from infra.dev.local_slack.state.team import Ephemeral, Team
from infra.dev.local_slack.state.tickets import Tickets

_MESSAGE_EVENTS = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}


@dataclass(frozen=True, kw_only=True)
class Announcer:
    """Sends the app the events that its manifest subscribes to and its scopes allow."""

    app: InstalledApp
    team: Team
    deliveries: Deliveries
    feed: Feed
    tickets: Tickets

    def posted(self, channel: Channel, message: Message) -> None:
        """Announce a new message: `message`, and `app_mention` too (with another event id) when it mentions the app."""
        self.feed.tell("message", channel=channel.id, ts=message.ts, message=channel.message_json(message))
        event = message.as_json() | {"channel": channel.id, "event_ts": message.ts, "channel_type": channel.type}
        if root := self._thread_changed(channel, message):
            event["parent_user_id"] = root.user
        author = self.team.people.get(message.user)
        if author and author.team_id != self.team.id:
            event |= {"user_team": author.team_id, "source_team": author.team_id}
        self._message_event(channel, self._searchable(event))
        mentioned = re.search(rf"<@{re.escape(self.app.bot_user_id)}(\|[^<>]*+)?>", message.text)
        if mentioned and not channel.is_im and message.user != self.app.bot_user_id:
            mention = {key: value for key, value in event.items() if key not in ("channel_type", "parent_user_id")}
            self._event(
                channel, "app_mention", "app_mentions:read", self._searchable(mention) | {"type": "app_mention"}
            )

    def _searchable(self, event: JsonObject) -> JsonObject:
        """Return a message event with the right to search for its author, as an app for agents gets it with each."""
        author = self.team.people.get(str(event["user"]))
        if author is None or author.kind is Kind.BOT or "assistant:write" not in self.app.scopes:
            return event
        return event | {"assistant_thread": {"action_token": self.tickets.new_action_token(author.id)}}

    def changed(self, channel: Channel, message: Message, previous: JsonObject) -> None:
        """Announce that a message reads differently now: `message_changed`."""
        self.redrawn(channel, message)
        changed = {"message": channel.message_json(message), "previous_message": previous}
        self._hidden_event(channel, "message_changed", changed)

    def redrawn(self, channel: Channel, message: Message) -> None:
        """Show people that a message looks different; no event goes to the app (reactions, streaming)."""
        self.feed.tell("message_changed", channel=channel.id, ts=message.ts, message=channel.message_json(message))

    def deleted(self, channel: Channel, message: Message) -> None:
        """Announce that a message is gone: `message_deleted`."""
        self.feed.tell("message_deleted", channel=channel.id, ts=message.ts, thread_ts=message.thread_ts)
        self._thread_changed(channel, message)
        deleted = {"previous_message": message.as_json(), "deleted_ts": message.ts}
        self._hidden_event(channel, "message_deleted", deleted)

    def reacted(self, channel: Channel, message: Message, *, user: str, name: str, added: bool) -> None:
        """Announce that a reaction came or went."""
        self.redrawn(channel, message)
        item = {"type": "message", "channel": channel.id, "ts": message.ts}
        reaction: JsonObject = {"user": user, "reaction": name, "item_user": message.user, "item": item}
        kind = "reaction_added" if added else "reaction_removed"
        self._event(channel, kind, "reactions:read", self._now() | {"type": kind, **reaction})

    def ephemeral(self, ephemeral: Ephemeral) -> None:
        """Show one person an ephemeral message; no event goes to the app."""
        message = ephemeral.message
        facts = {"channel": message.channel, "ts": message.ts, "message": message.as_json()}
        self.feed.tell("ephemeral", user=ephemeral.user, **facts)

    def joined(self, channel: Channel, user: str) -> None:
        """Announce that somebody is a member of a channel now."""
        self.feed.tell("channel", channel=channel.id)
        kind = "member_joined_channel"
        place = {"channel": channel.id, "channel_type": "G" if channel.is_private else "C", "team": self.team.id}
        self._event(channel, kind, "channels:read", self._now() | {"type": kind, "user": user, **place})

    def app_event(self, event: JsonObject) -> None:
        """Send an event of no channel, such as app_home_opened, with an event_ts."""
        if event["type"] in self.app.bot_events:
            self.deliveries.event(self._now() | event)

    def _now(self) -> JsonObject:
        return {"event_ts": self.team.clock.timestamp()}

    def _thread_changed(self, channel: Channel, message: Message) -> Message | None:
        """Show the new reply count at the root of a reply; return the root."""
        root = channel.messages.get(message.thread_ts or "") if message.is_reply else None
        if root is not None:
            self.feed.tell("thread", channel=channel.id, ts=root.ts, message=channel.message_json(root))
        return root

    def _hidden_event(self, channel: Channel, subtype: str, facts: JsonObject) -> None:
        ts = self.team.clock.timestamp()
        event: JsonObject = {"type": "message", "subtype": subtype, **facts, "channel": channel.id, "hidden": True}
        self._message_event(channel, event | {"ts": ts, "event_ts": ts, "channel_type": channel.type})

    def _message_event(self, channel: Channel, event: JsonObject) -> None:
        self._event(channel, _MESSAGE_EVENTS[channel.type], channel.history_scope, event)

    def _event(self, channel: Channel, subscription: str, scope: str, event: JsonObject) -> None:
        subscribed = subscription in self.app.bot_events and scope in self.app.scopes
        if subscribed and self.app.bot_user_id in channel.members:
            self.deliveries.event(event, shared=channel.is_ext_shared)
