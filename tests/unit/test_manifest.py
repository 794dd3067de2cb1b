"""The Slack app's manifest: within Slack's limits, and with just the scopes that the app's events and calls need."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MANIFEST: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text())
EVENT_SCOPES = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
}
"""docs.slack.dev/reference/events: the scope each event needs."""

_READ = {"channels:read", "groups:read", "im:read", "mpim:read"}
_HISTORY = {"channels:history", "groups:history", "im:history", "mpim:history"}
METHOD_SCOPES: dict[str, set[str]] = {
    "apps.connections.open": set(),
    "auth.test": set(),
    "chat.delete": {"chat:write"},
    "chat.getPermalink": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.create": {"channels:manage", "groups:write"},
    "conversations.history": _HISTORY,
    "conversations.info": _READ,
    "conversations.invite": {"channels:manage", "groups:write"},
    "conversations.list": _READ,
    "conversations.members": _READ,
    "conversations.open": {"im:write"},
    "conversations.replies": _HISTORY,
    "reactions.add": {"reactions:write"},
    "usergroups.users.list": {"usergroups:read"},
    "users.info": {"users:read"},
    "users.list": {"users:read"},
}
"""docs.slack.dev/reference/methods: the bot scopes each method needs for every kind of conversation we use it on."""

FEATURE_SCOPES = {"commands", "assistant:write"}
"""For the slash command and for `agent_view`."""

METHOD = re.compile(r'"((?:apps|auth|chat|conversations|files|reactions|usergroups|users|views)(?:\.[a-zA-Z]+)+)"')


@pytest.mark.parametrize("event", MANIFEST["settings"]["event_subscriptions"]["bot_events"])
def test_every_event_has_its_scope(event: str) -> None:
    assert EVENT_SCOPES[event] in MANIFEST["oauth_config"]["scopes"]["bot"]


def test_scopes_are_just_those_of_the_methods_the_app_calls_and_of_its_events() -> None:
    called = {name for path in (ROOT / "bot").rglob("*.py") for name in METHOD.findall(path.read_text())}
    needed = set[str]().union(*(METHOD_SCOPES[name] for name in called), EVENT_SCOPES.values(), FEATURE_SCOPES)
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == needed


def test_socket_mode_needs_no_public_address() -> None:
    assert MANIFEST["settings"]["socket_mode_enabled"] is True
    assert "url" not in json.dumps(MANIFEST)


def test_descriptions_fit_slacks_limits() -> None:
    shown = MANIFEST["display_information"]
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4000


def test_scopes_are_sorted_and_stand_once() -> None:
    scopes = MANIFEST["oauth_config"]["scopes"]["bot"]
    assert scopes == sorted(set(scopes))
