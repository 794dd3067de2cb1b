"""A Web API call as a method sees it, and the table of methods with their scopes and rate tiers."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from infra.dev.local_slack.actions import messages
from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import SlackError, found, refuse_if
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_list, is_object
from infra.dev.local_slack.state.rates import Tier


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call: its arguments as they came (form strings or JSON), and the workspace it is about."""

    method: str
    raw: JsonObject
    backend: Backend

    @property
    def bot(self) -> str:
        """The user id of the app, which calls."""
        return self.backend.app.bot_user_id

    def channel(self) -> Channel:
        """Return the channel that the argument `channel` names. Raises as `channel_of` does."""
        return messages.channel_of(self.backend, self.required("channel"))

    def channel_joined(self) -> Channel:
        """Return the channel that the argument `channel` names.

        Raises:
            SlackError: channel_not_found, is_archived, or not_in_channel when the app is not a member.
        """
        channel = self.channel()
        refuse_if(channel.is_archived, "is_archived")
        refuse_if(self.bot not in channel.members, "not_in_channel")
        return channel

    def message(self, channel: Channel, name: str = "ts") -> Message:
        """Return the message of the channel whose timestamp the argument `name` is. Raises as `message_of` does."""
        return messages.message_of(channel, self.required(name))

    def destination(self, name: str = "channel") -> tuple[Channel, str | None]:
        """Return where to write: the channel of the argument `name` and the root of `thread_ts`, if that is given.

        Raises:
            SlackError: As `writable` and `check_root` do.
        """
        channel, thread_ts = messages.writable(self.backend, self.required(name)), self.text("thread_ts")
        messages.check_root(channel, thread_ts)
        return channel, thread_ts

    def text(self, name: str) -> str | None:
        """Return a string argument, or None when it is missing or empty."""
        value = self.raw.get(name)
        return str(value) if value not in (None, "") else None

    def required(self, name: str) -> str:
        """Return a string argument that must be there.

        Raises:
            SlackError: invalid_arguments.
        """
        return found(self.text(name), "invalid_arguments", f"[ERROR] missing required field: {name}")

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean argument; forms write 1 and true."""
        value = self.raw.get(name)
        return default if value in (None, "") else value in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int, *, most: int) -> int:
        """Return a whole number between 1 and `most`.

        Raises:
            SlackError: invalid_limit.
        """
        value = self.text(name)
        if value is None:
            return default
        refuse_if(not value.isdigit() or not 1 <= int(value) <= most, "invalid_limit")
        return int(value)

    def names(self, name: str) -> list[str]:
        """Return a list argument: a JSON array or a comma-separated string."""
        value = self.raw.get(name)
        if isinstance(value, str):
            value = decoded(value) if value.startswith("[") else value.split(",")
        return [str(member).strip() for member in value if str(member).strip()] if is_list(value) else []

    def json(self, name: str) -> object:
        """Return the value of an argument that is JSON or a string of JSON."""
        value = self.raw.get(name)
        return decoded(value) if isinstance(value, str) else value

    def object(self, name: str) -> JsonObject:
        """Return an object argument, as JSON or a string of JSON.

        Raises:
            SlackError: invalid_arguments.
        """
        value = self.json(name)
        if not is_object(value):
            raise SlackError("invalid_arguments", f"[ERROR] must provide an object [json-pointer:/{name}]")
        return value

    def page(self, members: list[JsonObject], *, key: str, default: int = 100, most: int = 1000) -> JsonObject:
        """Return the page of `members` that `cursor` and `limit` ask for, under `key`, with the next cursor.

        Raises:
            SlackError: invalid_cursor, invalid_limit.
        """
        limit = self.number("limit", default, most=most)
        start = _cursor_offset(self.text("cursor"))
        following = start + limit
        cursor = base64.b64encode(f"next:{following}".encode()).decode() if following < len(members) else ""
        return {key: members[start:following], "response_metadata": {"next_cursor": cursor}}


def _cursor_offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        decoded_cursor = base64.b64decode(cursor, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise SlackError("invalid_cursor") from None
    prefix, _, offset = decoded_cursor.partition(":")
    refuse_if(prefix != "next" or not offset.isdigit(), "invalid_cursor")
    return int(offset)


Handler = Callable[[Call], Awaitable[JsonObject]]


@dataclass(frozen=True, kw_only=True)
class Method:
    """One Web API method: who may call it and how often."""

    handler: Handler
    #: Any one of them is enough; none means that every bot token may.
    scopes: tuple[str, ...]
    tier: Tier
    #: Takes the app-level token (xapp-) instead of the bot token (xoxb-).
    app_level: bool = False


METHODS: dict[str, Method] = {}


def method(name: str, tier: Tier, *scopes: str, app_level: bool = False) -> Callable[[Handler], Handler]:
    """Register a Web API method under its name."""

    def register(handler: Handler) -> Handler:
        METHODS[name] = Method(handler=handler, scopes=scopes, tier=tier, app_level=app_level)
        return handler

    return register


def require_scope(held: frozenset[str], *needed: str) -> None:
    """Check that the token has one of the scopes.

    Raises:
        SlackError: missing_scope, with the first of them.
    """
    refuse_if(not held.intersection(needed), "missing_scope", needed=needed[0], provided=",".join(sorted(held)))
