"""The app as its manifest describes it."""

from pathlib import Path

import pytest

from infra.dev.local_slack.state.installed_app import InstalledApp

ROOT = Path(__file__).resolve().parents[6]


def test_manifest_decides_scopes_events_and_commands() -> None:
    app = InstalledApp().described_by(
        {
            "features": {
                "bot_user": {"display_name": "Helper"},
                "slash_commands": [{"command": "/help", "description": "Help", "usage_hint": ""}],
                "shortcuts": [{"callback_id": "stop", "name": "Stop", "type": "message"}],
            },
            "oauth_config": {"scopes": {"bot": ["chat:write"]}},
            "settings": {
                "event_subscriptions": {"bot_events": ["app_mention"]},
                "interactivity": {"is_enabled": True},
            },
        }
    )
    assert (app.name, app.scopes, app.bot_events) == ("Helper", {"chat:write"}, {"app_mention"})
    assert [command.name for command in app.commands] == ["/help"]
    assert [shortcut.callback_id for shortcut in app.shortcuts] == ["stop"]


def test_the_repositorys_manifest_is_read() -> None:
    app = InstalledApp.from_manifest(ROOT / "manifest.json")
    assert "chat:write" in app.scopes
    assert "app_mention" in app.bot_events
    assert "/greenlight" in {command.name for command in app.commands}


def test_file_without_object_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match="no manifest"):
        InstalledApp.from_manifest(path)
