"""Channels, direct messages and the messages in them, as the Web API and the events tell them."""

from dataclasses import dataclass, field

from infra.dev.local_slack.state.payload import JsonObject


@dataclass(kw_only=True)
class Stream:
    """A message that is still being streamed."""

    #: When it ends by itself, appended to or not.
    ends_at: float
    markdown: str = ""
    plan_title: str = ""
    as_plan: bool = False
    tasks: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    blocks: list[JsonObject] = field(default_factory=list[JsonObject])
    open: bool = True


_WHEN_GIVEN = ("subtype", "client_msg_id", "bot_id", "blocks", "files", "metadata", "thread_ts", "inviter", "topic")
"""Fields that the message object has only when they are not empty."""


@dataclass(kw_only=True)
class Message:
    """One message as it stands now."""

    ts: str
    channel: str
    user: str
    team: str
    text: str
    blocks: list[JsonObject] = field(default_factory=list[JsonObject])
    thread_ts: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    bot_name: str | None = None
    client_msg_id: str | None = None
    edited_ts: str | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    files: list[JsonObject] = field(default_factory=list[JsonObject])
    metadata: JsonObject | None = None
    #: Of a message that somebody joined: who invited them.
    inviter: str | None = None
    #: Of a message that the channel has another topic: that one.
    topic: str | None = None
    #: Who pinned it; None: it is not pinned.
    pinned_by: str | None = None
    pinned_at: int = 0
    stream: Stream | None = None

    @property
    def is_reply(self) -> bool:
        """True inside a thread, false for a root or a message without thread."""
        return self.thread_ts is not None and self.thread_ts != self.ts

    @property
    def is_streaming(self) -> bool:
        """True as long as more may be appended."""
        return self.stream is not None and self.stream.open

    def as_json(self, *, replies: "list[Message] | None" = None) -> JsonObject:
        """Return the message object; `replies` adds what a thread's root tells of its thread."""
        json: JsonObject = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": self.team}
        json |= {name: value for name in _WHEN_GIVEN if (value := getattr(self, name))}
        if self.bot_id:
            json["app_id"] = self.app_id
            json["bot_profile"] = {"id": self.bot_id, "app_id": self.app_id, "name": self.bot_name, "deleted": False}
        if self.files:
            json["upload"] = True
        if self.pinned_by:
            json["pinned_to"] = [self.channel]
            json["pinned_info"] = {"channel": self.channel, "pinned_by": self.pinned_by, "pinned_ts": self.pinned_at}
        if self.edited_ts:
            json["edited"] = {"user": self.user, "ts": self.edited_ts}
        if self.reactions:
            json["reactions"] = [
                {"name": name, "users": list(users), "count": len(users)} for name, users in self.reactions.items()
            ]
        if replies:
            json |= {
                "thread_ts": self.ts,
                "reply_count": len(replies),
                "reply_users": list(dict.fromkeys(reply.user for reply in replies)),
                "reply_users_count": len({reply.user for reply in replies}),
                "latest_reply": replies[-1].ts,
            }
        if self.is_streaming:
            json["streaming_state"] = "in_progress"
        return json


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
    #: The canvases that are tabs.
    canvases: list[str] = field(default_factory=list[str])

    @property
    def type(self) -> str:
        """The channel_type of message events."""
        return "im" if self.is_im else "group" if self.is_private else "channel"

    @property
    def history_scope(self) -> str:
        """The scope with which an app reads the channel's messages."""
        return {"channel": "channels:history", "group": "groups:history", "im": "im:history"}[self.type]

    def thread(self, root_ts: str) -> list[Message]:
        """Return the replies to a root, oldest first, without the root."""
        return [message for message in self.messages.values() if message.is_reply and message.thread_ts == root_ts]

    def message_json(self, message: Message) -> JsonObject:
        """Return the message object with its thread's summary when it is a root."""
        return message.as_json(replies=None if message.is_reply else self.thread(message.ts))

    def as_json(self, *, for_user: str) -> JsonObject:
        """Return the conversation object of the Web API."""
        common: JsonObject = {
            "id": self.id,
            "created": self.created,
            "is_im": self.is_im,
            "is_org_shared": False,
            "is_archived": self.is_archived,
        }
        if self.canvases:
            tabs = [{"type": "canvas", "data": {"file_id": file}} for file in self.canvases]
            common["properties"] = {"canvas": {"file_id": self.canvases[0]}, "tabs": tabs}
        if self.is_im:
            return common | {"user": self.with_user, "is_user_deleted": False}
        topic = {"value": self.topic, "creator": self.creator, "last_set": self.created}
        return common | {
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_mpim": False,
            "is_private": self.is_private,
            "is_general": self.name == "general",
            "is_shared": self.is_ext_shared,
            "is_ext_shared": self.is_ext_shared,
            "is_member": for_user in self.members,
            "creator": self.creator,
            "num_members": len(self.members),
            "topic": topic,
            "purpose": topic,
        }
