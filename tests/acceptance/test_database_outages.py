"""PostgreSQL away while work runs: nothing is lost, nothing happens twice."""

import asyncio
import fcntl
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot import wording
from infra.db.embedded_postgres import hold_postgres, locked
from infra.db.migrate import migrate
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, leaks, whispers
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post

AWAY_SECONDS = 10.0


@pytest.fixture
def own_folder() -> Generator[Path]:
    """A folder for a database server of this test alone; not pytest's own, which is closed to the server's user."""
    with tempfile.TemporaryDirectory(prefix="greenlight-away-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"
        wait_until_stopped(Path(folder) / "data")


def wait_until_stopped(data: Path) -> None:
    """Return when the server's guard has ended, and so the server."""
    with locked(data / "guard.lock", fcntl.LOCK_EX):
        return


async def test_postgres_away_for_ten_seconds_loses_nothing_and_repeats_nothing(
    own_folder: Path, tmp_path: Path
) -> None:
    with ExitStack() as server:
        held = server.enter_context(hold_postgres(own_folder))
        await asyncio.to_thread(migrate, held.url())
        async with app_scene(held.url(), tmp_path, [ENDS, ANSWERS]) as scene:
            url = scene.effects.url
            scene.effects.hold("slow")
            scene.model.add(
                planned(
                    fetch("fast", f"{url}/fast"),
                    fetch("slow", f"{url}/slow"),
                    fetch("after", f"{url}/after?${{slow#/status}}"),
                    post("tell", "hello"),
                    contains="first",
                )
            )
            scene.model.add(planned(fetch("x", f"{url}/meanwhile"), contains="meanwhile"))
            async with scene.asked("first") as first:
                await scene.effects.reached("slow")
                await first.until(lambda seen: bool(seen.cards()), "the card")
                await asyncio.to_thread(server.close)
                await asyncio.to_thread(wait_until_stopped, own_folder)
                async with scene.asked("meanwhile", by="Linus", channel="general") as second:
                    await scene.click(first, "Grace", "approved")
                    assert wording.SOMETHING_WENT_WRONG in (await whispers(scene, "U0GRACE"))[0]
                    scene.effects.let_go("slow")
                    await asyncio.sleep(AWAY_SECONDS)  # what the case is about: away for ten seconds
                    await asyncio.to_thread(server.enter_context, hold_postgres(own_folder))
                    await scene.people.act("clock", seconds=60)  # when Slack delivers again
                    await second.until(answered, "the request made meanwhile is answered")
                await scene.click(first, "Grace", "approved")
                await first.until(answered, "the first request is answered")
                assert leaks(first) == []
            assert scene.effects.calls["fast"] == 1
            assert scene.effects.calls["meanwhile"] == 1
            assert scene.effects.calls["after"] == 1
            assert [message["text"] for message in await scene.people.messages("incidents")] == ["hello"]
