"""Modals and Home tabs: the views open for each person, and what people typed into them."""

import secrets
from dataclasses import dataclass, field

from infra.dev.local_slack.block_kit.block_kit import interactive, view_faults
from infra.dev.local_slack.state.errors import SlackError, refuse_if
from infra.dev.local_slack.state.feed import Feed
from infra.dev.local_slack.state.payload import JsonObject, copied, object_in, objects_in, text_in
from infra.dev.local_slack.state.team import Team, new_id

MOST_CHARACTERS = 250_000


@dataclass(kw_only=True)
class OpenView:
    """A view as one person sees it now."""

    id: str
    user: str
    content: JsonObject
    hash: str
    values: JsonObject = field(default_factory=JsonObject)


@dataclass(frozen=True, kw_only=True)
class Views:
    """Every open view; a person has at most one modal and one Home tab."""

    team: Team
    feed: Feed
    app_id: str
    bot_id: str
    open: dict[str, OpenView] = field(default_factory=dict[str, OpenView])
    #: Person -> id of the modal they see.
    modals: dict[str, str] = field(default_factory=dict[str, str])
    #: Person -> id of their Home tab.
    homes: dict[str, str] = field(default_factory=dict[str, str])

    def as_json(self, view: OpenView) -> JsonObject:
        """Return the view object of payloads and answers."""
        return {
            "id": view.id,
            "team_id": self.team.id,
            "app_id": self.app_id,
            "app_installed_team_id": self.team.id,
            "bot_id": self.bot_id,
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "clear_on_close": False,
            "notify_on_close": False,
            "submit": None,
            "close": None,
            **view.content,
            "hash": view.hash,
            "root_view_id": view.id,
            "previous_view_id": None,
            "state": {"values": view.values},
        }

    def show(self, user: str, content: JsonObject) -> OpenView:
        """Show a modal to a person, instead of the one open.

        Raises:
            SlackError: The view breaks a rule of Block Kit.
        """
        _check(content, "modal")
        self.open.pop(self.modals.pop(user, ""), None)
        return self._add(user, content, self.modals)

    def update(self, view: OpenView, content: JsonObject, *, expected_hash: str | None) -> OpenView:
        """Show other content in an open view; what was typed into blocks that stay is kept.

        Raises:
            SlackError: hash_conflict, or the view breaks a rule of Block Kit.
        """
        refuse_if(expected_hash not in (None, view.hash), "hash_conflict")
        _check(content, str(view.content.get("type")))
        typed = view.values
        view.content = with_ids(content)
        view.hash = _new_hash(self.team)
        view.values = initial_values(objects_in(view.content, "blocks"))
        for block_id, actions in view.values.items():
            actions.update({key: value for key, value in object_in(typed, block_id).items() if key in actions})
        self.feed.tell("views", user=view.user)
        return view

    def publish(self, user: str, content: JsonObject, *, expected_hash: str | None) -> OpenView:
        """Show content in a person's Home tab. Raises as `update` does."""
        if existing := self.open.get(self.homes.get(user, "")):
            return self.update(existing, content, expected_hash=expected_hash)
        _check(content, "home")
        return self._add(user, content, self.homes)

    def close(self, user: str) -> None:
        """Take away a person's modal."""
        self.open.pop(self.modals.pop(user, ""), None)
        self.feed.tell("views", user=user)

    def visible(self, user: str) -> OpenView | None:
        """Return the modal a person sees, if any."""
        return self.open.get(self.modals.get(user, ""))

    def _add(self, user: str, content: JsonObject, shown: dict[str, str]) -> OpenView:
        content = with_ids(content)
        values = initial_values(objects_in(content, "blocks"))
        view = OpenView(id=new_id("V"), user=user, content=content, hash=_new_hash(self.team), values=values)
        self.open[view.id] = view
        shown[user] = view.id
        self.feed.tell("views", user=user)
        return view


def _check(content: JsonObject, kind: str) -> None:
    if lines := view_faults(content):
        raise SlackError("invalid_arguments", *lines)
    wrong_kind = f"[ERROR] must be a {kind} view [json-pointer:/view/type]"
    refuse_if(content.get("type") != kind, "invalid_arguments", wrong_kind)
    refuse_if(len(str(content)) > MOST_CHARACTERS, "view_too_large")


def with_ids(content: JsonObject) -> JsonObject:
    """Return a copy in which every block has a block_id and every interactive element an action_id."""
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


def initial_values(blocks: list[JsonObject]) -> JsonObject:
    """Return state.values as it is before anybody chose or typed: initial values, else nulls."""
    values: JsonObject = {}
    for block in blocks:
        for element in interactive(block):
            kind = str(element.get("type"))
            if kind in _VALUE_KEYS:
                values.setdefault(str(block["block_id"]), {})[str(element["action_id"])] = _initial_value(kind, element)
    return values


_VALUE_KEYS = {
    **dict.fromkeys(("plain_text_input", "email_text_input", "url_text_input", "number_input"), "value"),
    **dict.fromkeys(("static_select", "radio_buttons"), "selected_option"),
    **dict.fromkeys(("multi_static_select", "checkboxes"), "selected_options"),
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
}


def value_key(kind: str) -> str:
    """Return the key of the value in an element's state; a key in the plural holds a list."""
    return _VALUE_KEYS[kind]


def _initial_value(kind: str, element: JsonObject) -> JsonObject:
    key = value_key(kind)
    initial = f"initial_{key.removeprefix('selected_')}"
    return {"type": kind, key: element.get(initial, [] if key.endswith("s") else None)}


def _new_hash(team: Team) -> str:
    return f"{int(team.clock.now())}.{secrets.token_urlsafe(6)}"
