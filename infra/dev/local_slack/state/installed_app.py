"""The one app installed in the workspace: its tokens, and the scopes, events and commands of its manifest."""

import json
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from infra.dev.local_slack.state.payload import JsonObject, is_list, is_object, made, object_in, objects_in, text_in

SCOPES = frozenset(
    {
        "app_mentions:read",
        "assistant:write",
        "canvases:read",
        "channels:history",
        "channels:join",
        "channels:manage",
        "channels:read",
        "chat:write",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "groups:write",
        "im:history",
        "im:read",
        "im:write",
        "pins:read",
        "pins:write",
        "reactions:read",
        "reactions:write",
        "search:read.public",
        "usergroups:read",
        "users:read",
    }
)

BOT_EVENTS = frozenset(
    {
        "agent_session_stopped",
        "app_home_opened",
        "app_mention",
        "member_joined_channel",
        "message.channels",
        "message.groups",
        "message.im",
        "reaction_added",
        "reaction_removed",
    }
)


@dataclass(frozen=True, kw_only=True)
class Command:
    """A slash command of the app."""

    name: str
    description: str = ""
    usage_hint: str = ""
    #: The text arrives with <@U..|name>, <#C..|name> and <https://...> instead of the typed text.
    should_escape: bool = False


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A shortcut of the app: `message` ones are offered on a message, `global` ones anywhere."""

    callback_id: str
    name: str
    type: str = "message"


@dataclass(frozen=True, kw_only=True)
class InstalledApp:
    """The app as the workspace knows it; `from_manifest` reads the same manifest.json as Slack does."""

    id: str = "A0GREENLIGHT"
    bot_user_id: str = "U0GREENLIGHT"
    bot_id: str = "B0GREENLIGHT"
    name: str = "Greenlight"
    #: Other ones at each start: whoever learnt one can do nothing with it later, nor in another workspace.
    bot_token: str = field(default_factory=lambda: f"xoxb-local-{secrets.token_urlsafe(24)}")
    app_token: str = field(default_factory=lambda: f"xapp-local-{secrets.token_urlsafe(24)}")
    app_token_scopes: frozenset[str] = frozenset({"connections:write"})
    scopes: frozenset[str] = SCOPES
    bot_events: frozenset[str] = BOT_EVENTS
    commands: tuple[Command, ...] = (
        Command(name="/greenlight", description="Ask Greenlight for work", usage_hint="<request> | help | status"),
    )
    shortcuts: tuple[Shortcut, ...] = field(default=())
    interactive: bool = True
    home_tab: bool = True

    @classmethod
    def from_manifest(cls, path: Path) -> Self:
        """Return the app that a Slack manifest (JSON) describes.

        Raises:
            ValueError: The file is no JSON object.
        """
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if not is_object(manifest):
            raise ValueError(f"{path} is no manifest: a JSON object was expected")
        return cls().described_by(manifest)

    def described_by(self, manifest: JsonObject) -> Self:
        """Return this app with scopes, events, commands and shortcuts taken from a manifest."""
        features, settings = object_in(manifest, "features"), object_in(manifest, "settings")
        scopes: object = object_in(object_in(manifest, "oauth_config"), "scopes").get("bot")
        events: object = object_in(settings, "event_subscriptions").get("bot_events")
        return replace(
            self,
            name=text_in(object_in(features, "bot_user"), "display_name") or self.name,
            scopes=_names(scopes),
            bot_events=_names(events),
            home_tab=object_in(features, "app_home").get("home_tab_enabled") is True,
            interactive=object_in(settings, "interactivity").get("is_enabled") is True,
            commands=tuple(
                made(Command, command | {"name": command["command"]})
                for command in objects_in(features, "slash_commands")
            ),
            shortcuts=tuple(made(Shortcut, shortcut) for shortcut in objects_in(features, "shortcuts")),
        )


def _names(value: object) -> frozenset[str]:
    return frozenset(str(name) for name in value) if is_list(value) else frozenset()
