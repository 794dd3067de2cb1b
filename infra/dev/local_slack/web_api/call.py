"""A Web API call as a method sees it, and the table of methods with their scopes and rate tiers."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.state.errors import SlackError
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_list, is_object
from infra.dev.local_slack.state.rates import Tier


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call: its arguments as they came (form strings or JSON), and the workspace it is about."""

    method: str
    raw: JsonObject
    backend: Backend

    def text(self, name: str) -> str | None:
        """A string argument, or None when it is missing or empty."""
        value = self.raw.get(name)
        return str(value) if value not in (None, "") else None

    def required(self, name: str) -> str:
        """A string argument that must be there.

        Raises:
            SlackError: invalid_arguments.
        """
        value = self.text(name)
        if value is None:
            raise SlackError("invalid_arguments", f"[ERROR] missing required field: {name}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean argument; forms write 1 and true."""
        value = self.raw.get(name)
        return default if value in (None, "") else value in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int, *, most: int) -> int:
        """A whole number between 1 and `most`.

        Raises:
            SlackError: invalid_limit.
        """
        value = self.text(name)
        if value is None:
            return default
        if not value.isdigit() or not 1 <= int(value) <= most:
            raise SlackError("invalid_limit")
        return int(value)

    def names(self, name: str) -> list[str]:
        """A list argument: a JSON array or a comma-separated string."""
        value = self.raw.get(name)
        if isinstance(value, str):
            value = decoded(value) if value.startswith("[") else value.split(",")
        return [str(member).strip() for member in value if str(member).strip()] if is_list(value) else []

    def object(self, name: str) -> JsonObject:
        """An object argument, as JSON or a string of JSON.

        Raises:
            SlackError: invalid_arguments.
        """
        value = self.raw.get(name)
        value = decoded(value) if isinstance(value, str) else value
        if not is_object(value):
            raise SlackError("invalid_arguments", f"[ERROR] must provide an object [json-pointer:/{name}]")
        return value

    def page(self, members: list[JsonObject], *, key: str, default: int = 100, most: int = 1000) -> JsonObject:
        """The page of `members` that `cursor` and `limit` ask for, under `key`, with the next cursor.

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
    if prefix != "next" or not offset.isdigit():
        raise SlackError("invalid_cursor")
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
