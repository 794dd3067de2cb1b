"""The Slack app's manifest against the code: scopes for all it calls, events for all it hears, nothing besides."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import wording
from bot.handlers.commands import COMMAND
from bot.payloads import STOP_SHORTCUT
from infra.doctor.slack import wanted_scopes

ROOT = Path(__file__).resolve().parents[2]
MANIFEST: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text())
SCOPES = frozenset(MANIFEST["oauth_config"]["scopes"]["bot"])
EVENTS = frozenset(MANIFEST["settings"]["event_subscriptions"]["bot_events"])

EVENT_SCOPES = {
    "agent_session_stopped": "assistant:write",
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
}
"""docs.slack.dev/reference/events: the scope each event needs."""

SUBSCRIPTIONS = {
    "app_mention": {"app_mention"},
    "message": {"message.channels", "message.groups", "message.im", "message.mpim"},
    "agent_session_stopped": {"agent_session_stopped"},
    "app_home_opened": {"app_home_opened"},
}
"""Event type a listener names -> the subscriptions that bring it; messages come from all kinds of channels."""

_READ = {"channels:read", "groups:read", "im:read", "mpim:read"}
_HISTORY = {"channels:history", "groups:history", "im:history", "mpim:history"}
METHOD_SCOPES: dict[str, set[str]] = {
    "agents.sessions.setStatus": {"chat:write"},
    "apps.connections.open": set(),
    "assistant.search.context": {"search:read.public"},
    "auth.test": set(),
    "canvases.getContent": {"canvases:read"},
    "chat.appendStream": {"chat:write"},
    "chat.delete": {"chat:write"},
    "chat.getPermalink": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.startStream": {"chat:write"},
    "chat.stopStream": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.archive": {"channels:manage", "groups:write"},
    "conversations.create": {"channels:manage", "groups:write"},
    "conversations.history": _HISTORY,
    "conversations.info": _READ,
    "conversations.invite": {"channels:manage", "groups:write"},
    "conversations.kick": {"channels:manage", "groups:write"},
    "conversations.list": {"channels:read", "groups:read"},
    "conversations.members": _READ,
    "conversations.open": {"im:write"},
    "conversations.replies": _HISTORY,
    "conversations.setTopic": {"channels:manage", "groups:write"},
    "files.completeUploadExternal": {"files:write"},
    "files.delete": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "files.info": {"files:read"},
    "pins.add": {"pins:write"},
    "pins.list": {"pins:read"},
    "pins.remove": {"pins:write"},
    "reactions.add": {"reactions:write"},
    "usergroups.users.list": {"usergroups:read"},
    "users.info": {"users:read"},
    "users.list": {"users:read"},
    "views.open": set(),
    "views.publish": set(),
    "views.update": set(),
}
"""docs.slack.dev/reference/methods: the bot scopes each method needs for every kind of channel we use it with.
A method that the code calls and that is not here fails the test below: look its scopes up."""

FEATURE_SCOPES = {"slash_commands": "commands", "shortcuts": "commands", "agent_view": "assistant:write"}
"""docs.slack.dev/reference/app-manifest: the scope a feature of the manifest needs."""


def sources() -> Iterator[ast.Module]:
    return (ast.parse(path.read_text()) for path in sorted((ROOT / "bot").rglob("*.py")))


def calls() -> Iterator[tuple[str, list[ast.expr]]]:
    """Yield the name and arguments of every method call in bot/."""
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield node.func.attr, node.args


def texts(expression: ast.expr) -> set[str]:
    """Return the strings that an expression may be, as far as they are written there."""
    return {
        node.value for node in ast.walk(expression) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def called_methods() -> set[str]:
    """Return the Web API methods that the bot calls by name, through whatever of its functions."""
    named = {text for _, arguments in calls() for argument in arguments[:1] for text in texts(argument)}
    families = {method.split(".")[0] for method in METHOD_SCOPES}
    return {text for text in named if "." in text and text.split(".")[0] in families and " " not in text}


def heard_events() -> set[str]:
    """Return the event types that listeners are bound to."""
    return {
        text for name, arguments in calls() if name == "event" for argument in arguments for text in texts(argument)
    }


def test_the_bot_names_the_methods_it_calls_where_this_test_sees_them() -> None:
    assert {"auth.test", "chat.postMessage", "chat.update", "conversations.history", "users.info"} <= called_methods()
    computed = [
        ast.unparse(node)
        for tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"read", "write", "write_once", "pages", "objects"}
        and ast.unparse(node.func.value).endswith("api")
        and not texts(node.args[0])
    ]
    assert computed == [], "name a method where it is called"


@pytest.mark.parametrize("method", sorted(called_methods()))
def test_every_method_the_bot_calls_has_its_scopes(method: str) -> None:
    assert method in METHOD_SCOPES, "a new method: look its scopes up"
    assert METHOD_SCOPES[method] <= SCOPES


def test_no_scope_is_asked_for_that_nothing_uses() -> None:
    used = {scope for method in called_methods() for scope in METHOD_SCOPES[method]}
    used |= {EVENT_SCOPES[event] for event in EVENTS if event in EVENT_SCOPES}
    used |= {scope for feature, scope in FEATURE_SCOPES.items() if feature in MANIFEST["features"]}
    assert SCOPES - used == set()


def test_events_subscribed_are_those_listened_to() -> None:
    heard = heard_events()
    assert heard <= set(SUBSCRIPTIONS), "a new event: look its subscription up"
    assert {subscription for event in heard for subscription in SUBSCRIPTIONS[event]} == EVENTS


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_has_its_scope(event: str) -> None:
    assert EVENT_SCOPES[event] in SCOPES


def test_session_status_comes_with_the_event_of_its_stop_button() -> None:
    """Slack warns: missing_agent_session_stopped_event_subscription."""
    assert "agents.sessions.setStatus" not in called_methods() or "agent_session_stopped" in EVENTS


def test_commands_are_those_listened_to() -> None:
    (command,) = MANIFEST["features"]["slash_commands"]
    assert command["command"] == COMMAND
    assert "commands" in SCOPES
    assert sum(name == "command" for name, _ in calls()) == 1


def test_shortcuts_are_those_listened_to() -> None:
    (shortcut,) = MANIFEST["features"]["shortcuts"]
    assert (shortcut["callback_id"], shortcut["type"]) == (STOP_SHORTCUT, "message")
    assert shortcut["name"] == wording.STOP_SHORTCUT
    assert len(shortcut["name"]) <= 24  # docs.slack.dev/reference/app-manifest: the limits of a shortcut
    assert len(shortcut["description"]) <= 150
    bound = [
        ast.unparse(found[0]) for name, found in calls() if name in {"shortcut", "global_shortcut", "message_shortcut"}
    ]
    assert bound == ["STOP_SHORTCUT"]


def test_interactivity_is_on_since_buttons_are_listened_to() -> None:
    assert any(name == "action" for name, _ in calls())
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True


def test_home_tab_is_on_exactly_when_somebody_fills_it() -> None:
    assert MANIFEST["features"]["app_home"]["home_tab_enabled"] is ("views.publish" in called_methods())


def test_app_is_an_agent_and_can_be_written_to() -> None:
    """`agent_view`, not the older `assistant_view`; its prompts lead to direct messages."""
    features = MANIFEST["features"]
    assert "assistant_view" not in features
    assert features["agent_view"]["agent_description"]
    assert 1 <= len(features["agent_view"]["suggested_prompts"]) <= 4
    assert all(prompt["title"] and prompt["message"] for prompt in features["agent_view"]["suggested_prompts"])
    assert features["app_home"]["messages_tab_enabled"] is True
    assert features["app_home"]["messages_tab_read_only_enabled"] is False
    assert {"message.im"} <= EVENTS
    assert {"assistant:write", "im:history"} <= SCOPES


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


def test_the_doctor_wants_the_manifests_scopes() -> None:
    assert wanted_scopes() == SCOPES
