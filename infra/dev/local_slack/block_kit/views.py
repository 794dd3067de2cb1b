"""Modals and Home tabs: the views open for each person, their stack, and what people typed into them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import NamedTuple

from infra.dev.local_slack.block_kit.block_kit import interactive, view_faults
from infra.dev.local_slack.state.errors import SlackError
from infra.dev.local_slack.state.feed import Feed
from infra.dev.local_slack.state.payload import JsonObject, copied, object_in, objects_in, text_in
from infra.dev.local_slack.state.team import Team, new_id

MOST_STACKED = 3
MOST_CHARACTERS = 250_000


@dataclass(kw_only=True)
class OpenView:
    """A view as one person sees it now."""

    id: str
    user: str
    content: JsonObject
    hash: str
    root_id: str
    previous_id: str | None = None
    values: JsonObject = field(default_factory=JsonObject)

    def as_json(self, team: Team, *, app_id: str, bot_id: str) -> JsonObject:
        """The view object of payloads and answers."""
        told: JsonObject = {
            "id": self.id,
            "team_id": team.id,
            "app_id": app_id,
            "app_installed_team_id": team.id,
            "bot_id": bot_id,
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "clear_on_close": False,
            "notify_on_close": False,
            "submit": None,
            "close": None,
            **self.content,
            "hash": self.hash,
            "root_view_id": self.root_id,
            "previous_view_id": self.previous_id,
            "state": {"values": self.values},
        }
        return told


class Views:
    """Every open view; a person has one stack of modals and one Home tab."""

    def __init__(self, *, team: Team, feed: Feed, app_id: str, bot_id: str) -> None:
        self.open: dict[str, OpenView] = {}
        self.stacks: dict[str, list[str]] = {}
        """user -> ids of the modals on top of each other, the visible one last."""
        self.homes: dict[str, str] = {}
        self._team = team
        self._feed = feed
        self._app_id = app_id
        self._bot_id = bot_id

    def told(self, view: OpenView) -> JsonObject:
        """The view object."""
        return view.as_json(self._team, app_id=self._app_id, bot_id=self._bot_id)

    def push(self, user: str, content: JsonObject, *, on_top: bool) -> OpenView:
        """Show a modal to a person: `on_top` of the ones open, or instead of them.

        Raises:
            SlackError: The view breaks a rule of Block Kit, or three are open already.
        """
        self._check(content, "modal")
        stack = self.stacks.get(user, []) if on_top else []
        if len(stack) >= MOST_STACKED:
            raise SlackError("push_limit_reached")
        if not on_top:
            for view_id in self.stacks.pop(user, []):
                self.open.pop(view_id, None)
        view_id = new_id("V")
        view = OpenView(
            id=view_id,
            user=user,
            content=with_ids(content),
            hash=_new_hash(self._team),
            root_id=stack[0] if stack else view_id,
            previous_id=stack[-1] if stack else None,
        )
        view.values = initial_values(view.content)
        self.open[view_id] = view
        self.stacks[user] = [*stack, view_id]
        self._feed.tell("views", user=user)
        return view

    def update(self, view: OpenView, content: JsonObject, *, expected_hash: str | None) -> OpenView:
        """Show other content in an open view; what was typed into blocks that stay is kept.

        Raises:
            SlackError: hash_conflict, or the view breaks a rule of Block Kit.
        """
        if expected_hash is not None and expected_hash != view.hash:
            raise SlackError("hash_conflict")
        self._check(content, str(view.content.get("type")), besides=view.id)
        typed = view.values
        view.content = with_ids(content)
        view.hash = _new_hash(self._team)
        view.values = initial_values(view.content)
        for block_id, actions in view.values.items():
            actions.update({key: value for key, value in object_in(typed, block_id).items() if key in actions})
        self._feed.tell("views", user=view.user)
        return view

    def publish(self, user: str, content: JsonObject, *, expected_hash: str | None) -> OpenView:
        """Show content in a person's Home tab."""
        if existing := self.open.get(self.homes.get(user, "")):
            return self.update(existing, content, expected_hash=expected_hash)
        self._check(content, "home")
        view_id = new_id("V")
        view = OpenView(id=view_id, user=user, content=with_ids(content), hash=_new_hash(self._team), root_id=view_id)
        view.values = initial_values(view.content)
        self.open[view_id] = view
        self.homes[user] = view_id
        self._feed.tell("views", user=user)
        return view

    def close(self, user: str, *, all: bool) -> list[OpenView]:
        """Take away the topmost modal of a person, or all of them; the ones taken away."""
        stack = self.stacks.get(user, [])
        going = list(stack) if all else stack[-1:]
        self.stacks[user] = stack[: len(stack) - len(going)]
        self._feed.tell("views", user=user)
        return [self.open.pop(view_id) for view_id in reversed(going)]

    def visible(self, user: str) -> OpenView | None:
        """The modal a person sees, if any."""
        stack = self.stacks.get(user)
        return self.open[stack[-1]] if stack else None

    def find(self, *, view_id: str | None, external_id: str | None) -> OpenView:
        """The open view of an id.

        Raises:
            SlackError: not_found.
        """
        for view in self.open.values():
            if view.id == view_id or (external_id and view.content.get("external_id") == external_id):
                return view
        raise SlackError("not_found")

    def _check(self, content: JsonObject, kind: str, *, besides: str | None = None) -> None:
        if lines := view_faults(content):
            raise SlackError("invalid_arguments", *lines)
        if content.get("type") != kind:
            raise SlackError("invalid_arguments", f"[ERROR] must be a {kind} view [json-pointer:/view/type]")
        if len(str(content)) > MOST_CHARACTERS:
            raise SlackError("view_too_large")
        external_id = text_in(content, "external_id")
        taken = (view for view in self.open.values() if view.id != besides)
        if external_id and any(view.content.get("external_id") == external_id for view in taken):
            raise SlackError("duplicate_external_id")


def with_ids(content: JsonObject) -> JsonObject:
    """A copy in which every block has a block_id and every interactive element an action_id."""
    content = copied(content)
    give_ids(objects_in(content, "blocks"))
    return content


def give_ids(blocks: list[JsonObject]) -> None:
    """Fill in the ids an app may leave to Slack."""
    for block in blocks:
        if not text_in(block, "block_id"):
            block["block_id"] = secrets.token_urlsafe(4)[:5]
        for element in interactive(block):
            if not text_in(element, "action_id"):
                element["action_id"] = secrets.token_urlsafe(4)[:5]


def initial_values(content: JsonObject) -> JsonObject:
    """view.state.values as it is before anybody typed: initial values, else nulls."""
    values: JsonObject = {}
    for block in objects_in(content, "blocks"):
        for element in interactive(block):
            kind = str(element.get("type"))
            if kind not in ("button", "overflow"):
                values.setdefault(str(block["block_id"]), {})[str(element["action_id"])] = _initial_value(kind, element)
    return values


class _State(NamedTuple):
    """Where an element's state holds its value, which of its fields is the first value, and whether it is a list."""

    key: str
    initial: str
    many: bool = False


_STATES = {
    "plain_text_input": _State("value", "initial_value"),
    "email_text_input": _State("value", "initial_value"),
    "url_text_input": _State("value", "initial_value"),
    "number_input": _State("value", "initial_value"),
    "static_select": _State("selected_option", "initial_option"),
    "radio_buttons": _State("selected_option", "initial_option"),
    "multi_static_select": _State("selected_options", "initial_options", many=True),
    "checkboxes": _State("selected_options", "initial_options", many=True),
    "users_select": _State("selected_user", "initial_user"),
    "multi_users_select": _State("selected_users", "initial_users", many=True),
    "channels_select": _State("selected_channel", "initial_channel"),
    "multi_channels_select": _State("selected_channels", "initial_channels", many=True),
    "conversations_select": _State("selected_conversation", "initial_conversation"),
    "multi_conversations_select": _State("selected_conversations", "initial_conversations", many=True),
    "datepicker": _State("selected_date", "initial_date"),
    "timepicker": _State("selected_time", "initial_time"),
    "datetimepicker": _State("selected_date_time", "initial_date_time"),
    "file_input": _State("files", "initial_files", many=True),
}


def value_key(kind: str) -> str:
    """Under which key an element's state holds its value, such as selected_option."""
    return _STATES[kind].key


def _initial_value(kind: str, element: JsonObject) -> JsonObject:
    state = _STATES[kind]
    nothing: JsonObject = {"value": [] if state.many else None}
    return {"type": kind, state.key: element.get(state.initial, nothing["value"])}


def _new_hash(team: Team) -> str:
    return f"{int(team.clock.now())}.{secrets.token_urlsafe(6)}"
