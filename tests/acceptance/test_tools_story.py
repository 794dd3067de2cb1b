"""An alert in the demo, end to end: its logs, the commit behind it, a revert that people approve, announce and undo."""

import subprocess
import tempfile
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.cli.demo import running_demo
from infra.config.environment import Settings
from infra.dev.demo.repository import BRANCH, demo_repository
from infra.dev.demo.story import Story
from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.scripted_model.demo_scripts import demo_scripts


def git(folder: Path, *arguments: str) -> str:
    """Return what git says of a bare repository."""
    done = subprocess.run(["git", f"--git-dir={folder}", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def data() -> Generator[Path]:
    """A data folder that the database's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="greenlight-story-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_an_alert_ends_in_a_revert_that_people_approved_announced_and_undid(data: Path) -> None:
    told: list[str] = []
    async with (
        running_demo(Settings(data=data), demo_scripts(None), port=0, snapshot=None) as workspace,
        WorkspaceClient(workspace.base_url) as people,
    ):
        [remote] = (data / "demo").glob("payments-*.git")
        before = git(remote, "rev-parse", BRANCH, f"{BRANCH}^{{tree}}").split()
        await Story(people, told.append).reverted()
        assert workspace.backend.complaints == []
    subjects = git(remote, "log", "--format=%s", "-3", BRANCH).splitlines()
    assert [subject.partition('"')[0] for subject in subjects] == ["Reapply ", "Revert ", "Log which gateway timed out"]
    assert git(remote, "rev-parse", f"{BRANCH}~2", f"{BRANCH}^{{tree}}").split() == before
    assert "pool_size = 100" in git(remote, "show", f"{BRANCH}~1:config/database.toml")
    assert "pool_size = 20" in git(remote, "show", f"{BRANCH}:config/database.toml")
    assert "first script crashed" in "\n".join(told)


async def test_the_repository_of_a_day_is_made_once_and_the_one_of_another_day_goes(tmp_path: Path) -> None:
    day = datetime(2025, 11, 20, tzinfo=UTC).date()
    made = await demo_repository(tmp_path, day)
    head = git(made, "rev-parse", BRANCH)
    assert await demo_repository(tmp_path, day) == made
    assert git(made, "rev-parse", BRANCH) == head
    [culprit] = git(made, "log", "--format=%s", "-G", "pool_size", "--until=2025-11-20T23:59:59Z", "-1").splitlines()
    assert culprit.startswith("Cut the database connection pool")
    other = await demo_repository(tmp_path, datetime(2025, 11, 21, tzinfo=UTC).date())
    assert [path.name for path in made.parent.glob("payments-*")] == [other.name]
