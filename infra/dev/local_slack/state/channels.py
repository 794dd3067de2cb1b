"""Channels, direct messages and the messages in them, as the Web API and the events tell them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.dev.local_slack.state.payload import JsonObject


@dataclass(kw_only=True)
class Stream:
    """A message that is still being streamed; it ends by itself at `ends_at`, appended to or not."""

    ends_at: float
    markdown: str = ""
    plan_title: str = ""
    as_plan: bool = False
    tasks: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    blocks: list[JsonObject] = field(default_factory=list[JsonObject])
    open: bool = True


@dataclass(kw_only=True)
class Message:
    """One message as it stands now."""

    ts: str
    channel: str
    user: str
    team: str
    text: str
    blocks: list[JsonObject] = field(default_factory=list[JsonObject])
    attachments: list[JsonObject] = field(default_factory=list[JsonObject])
    thread_ts: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    bot_name: str | None = None
    client_msg_id: str | None = None
    edited_ts: str | None = None
    edited_by: str | None = None
    reply_broadcast: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    files: list[JsonObject] = field(default_factory=list[JsonObject])
    metadata: JsonObject | None = None
    stream: Stream | None = None
    edits: int = 0

    @property
    def is_reply(self) -> bool:
        """True inside a thread, false for a root or a message without thread."""
        return self.thread_ts is not None and self.thread_ts != self.ts

    def as_json(self, *, replies: list[Message] | None = None) -> JsonObject:
        """The message object; `replies` adds what a thread's root tells of its thread."""
        told: JsonObject = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": self.team}
        if self.subtype:
            told["subtype"] = self.subtype
        if self.client_msg_id:
            told["client_msg_id"] = self.client_msg_id
        if self.bot_id:
            told["bot_id"] = self.bot_id
            told["app_id"] = self.app_id
            told["bot_profile"] = {"id": self.bot_id, "app_id": self.app_id, "name": self.bot_name, "deleted": False}
        if self.blocks:
            told["blocks"] = self.blocks
        if self.attachments:
            told["attachments"] = self.attachments
        if self.files:
            told["files"] = self.files
            told["upload"] = True
        if self.metadata:
            told["metadata"] = self.metadata
        if self.edited_ts:
            told["edited"] = {"user": self.edited_by, "ts": self.edited_ts}
        if self.reactions:
            told["reactions"] = [
                {"name": name, "users": list(users), "count": len(users)} for name, users in self.reactions.items()
            ]
        if self.thread_ts:
            told["thread_ts"] = self.thread_ts
        if replies:
            told |= {
                "thread_ts": self.ts,
                "reply_count": len(replies),
                "reply_users": list(dict.fromkeys(reply.user for reply in replies)),
                "reply_users_count": len({reply.user for reply in replies}),
                "latest_reply": replies[-1].ts,
            }
        if self.stream is not None and self.stream.open:
            told["streaming_state"] = "in_progress"
        return told


@dataclass(kw_only=True)
class Channel:
    """A channel or a direct message, with its members and messages in order."""

    id: str
    name: str
    creator: str
    created: int
    members: list[str] = field(default_factory=list[str])
    messages: dict[str, Message] = field(default_factory=dict[str, Message])
    is_private: bool = False
    is_im: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    topic: str = ""
    with_user: str | None = None

    @property
    def type(self) -> str:
        """The channel_type of message events."""
        return "im" if self.is_im else "group" if self.is_private else "channel"

    def thread(self, root_ts: str) -> list[Message]:
        """The replies to a root, oldest first, without the root."""
        return [message for message in self.messages.values() if message.is_reply and message.thread_ts == root_ts]

    def timeline(self) -> Iterator[Message]:
        """What the channel itself shows: roots, plain messages and broadcast replies, oldest first."""
        return (message for message in self.messages.values() if not message.is_reply or message.reply_broadcast)

    def told(self, message: Message) -> JsonObject:
        """The message object with its thread's summary when it is a root."""
        return message.as_json(replies=None if message.is_reply else self.thread(message.ts))

    def as_json(self, *, for_user: str) -> JsonObject:
        """The conversation object of the Web API."""
        if self.is_im:
            return {
                "id": self.id,
                "created": self.created,
                "is_im": True,
                "is_org_shared": False,
                "is_archived": self.is_archived,
                "user": self.with_user,
                "is_user_deleted": False,
            }
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_im": False,
            "is_mpim": False,
            "is_private": self.is_private,
            "is_archived": self.is_archived,
            "is_general": self.name == "general",
            "is_shared": self.is_ext_shared,
            "is_ext_shared": self.is_ext_shared,
            "is_org_shared": False,
            "is_member": for_user in self.members,
            "created": self.created,
            "creator": self.creator,
            "num_members": len(self.members),
            "topic": {"value": self.topic, "creator": self.creator, "last_set": self.created},
            "purpose": {"value": self.topic, "creator": self.creator, "last_set": self.created},
        }
