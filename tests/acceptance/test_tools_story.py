"""An alert, end to end: logs read by a script, the commit found by git, its revert on a card, pushed, told, undone."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL

from infra.dev.demo.access_log import access_log
from infra.dev.demo.forge import ForgeServer
from infra.dev.demo.repository import demo_repository
from infra.dev.demo.story import Story
from infra.dev.scripted_model.demo_scripts import demo_scripts
from tests.acceptance.app_fixture import app_scene

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()
TOKEN = "forge-0123456789"


@pytest.fixture
async def forge(tmp_path: Path) -> AsyncGenerator[ForgeServer]:
    """The demo's forge with its repository."""
    folder = await demo_repository(tmp_path / "demo", YESTERDAY)
    server = ForgeServer(name="shop/payments", folder=folder, token=TOKEN)
    async with server.serving():
        yield server


def git(folder: Path, *arguments: str) -> str:
    """Return what git says of the bare repository."""
    done = subprocess.run(["git", f"--git-dir={folder}", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


async def test_an_alert_ends_in_a_revert_that_people_approved_and_undid(
    database_url: URL, tmp_path: Path, forge: ForgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGE_TOKEN", TOKEN)
    log = await asyncio.to_thread(access_log, tmp_path / "demo", YESTERDAY)

    def configured(table: dict[str, object]) -> None:
        payments = {"address": str(forge.folder), "api": forge.api, "token": {"env": "FORGE_TOKEN"}}
        table["tools"] = {
            "read_access_log": {"path": str(log)},
            "git": {"folder": str(tmp_path / "clones"), "repositories": {"payments": payments}},
        }
        table["approvals"] = {name: {"self_approval": False} for name in ("git_commit", "slack_post_message")}

    before = git(forge.folder, "rev-parse", "main", "main^{tree}").split()
    told: list[str] = []
    async with app_scene(database_url, tmp_path, demo_scripts(None), configuration=configured) as scene:
        await Story(scene.people, told.append).reverted()
        assert scene.workspace.backend.complaints == []
    subjects = git(forge.folder, "log", "--format=%s", "-3", "main").splitlines()
    assert subjects[0].startswith('Reapply "Cut the database connection pool')
    assert subjects[1].startswith('Revert "Cut the database connection pool')
    assert git(forge.folder, "rev-parse", "main~2", "main^{tree}").split() == before
    assert "pool_size = 100" in git(forge.folder, "show", "main~1:config/database.toml")
    assert any("announcement is gone" in line or "undone" in line for line in told)
