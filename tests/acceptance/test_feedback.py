"""Thumbs on the answer: up, down with a reason, a change of mind, and a goal for `greenlight eval` of each bad run."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, rows, whispers
from tests.acceptance.forms import opened, submit, text_of
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned

GREENLIGHT = Path(sys.executable).with_name("greenlight")
ADA, GUEST = "U0ADA", "U0GUEST"
COUNTS = "def main(inputs):\n    return inputs['page']['calls']\n"
RATED = "SELECT by, thumb, reason FROM feedback ORDER BY by"


@asynccontextmanager
async def answered_thread(url: URL, data: Path) -> AsyncGenerator[tuple[AppScene, ThreadObserver]]:
    """Open a scene in which a request has its answer."""
    async with app_scene(url, data, [ENDS, ANSWERS]) as scene:
        look = fetch("look", f"{scene.effects.url}/shop")
        count = package("count", COUNTS, inputs={"page": "${look#/body}"}, depends_on=["look"])
        scene.model.add(planned(look, count))
        async with scene.asked("how often was the shop asked?") as observer:
            await observer.until(answered, "the answer")
            yield scene, observer


async def answer_of(scene: AppScene, observer: ThreadObserver) -> Mapping[str, Any]:
    """Return the message with the answer."""
    messages: Any = await scene.people.messages(observer.channel, thread_ts=observer.thread_ts)
    return next(message for message in messages if "feedback_up" in json.dumps(message))


async def thumb(scene: AppScene, observer: ThreadObserver, who: str, which: str) -> None:
    """Have a person press one of the answer's two buttons."""
    message = await answer_of(scene, observer)
    assert await scene.people.click(who, observer.channel, str(message["ts"]), f"feedback_{which}")


async def down(scene: AppScene, observer: ThreadObserver, who: str, reason: str) -> str:
    """Have a person press thumbs down and send the form; return what stands in the modal then."""
    await thumb(scene, observer, who, "down")
    assert wording.FEEDBACK_ASKED in text_of(await opened(scene, who))
    assert await submit(scene, who, {"reason": reason} if reason else {}) == {}
    return text_of(await opened(scene, who))


async def test_thumbs_up_counts_at_once_and_is_thanked_for(database_url: URL, tmp_path: Path) -> None:
    async with answered_thread(database_url, tmp_path) as (scene, observer):
        await thumb(scene, observer, "Ada", "up")
        assert wording.THANKED_UP in (await whispers(scene, ADA))[0]
        assert await rows(database_url, RATED) == [(ADA, "up", "")]


async def test_thumbs_down_takes_a_reason_and_the_newest_opinion_of_a_person_counts(
    database_url: URL, tmp_path: Path
) -> None:
    async with answered_thread(database_url, tmp_path) as (scene, observer):
        assert wording.THANKED_DOWN in await down(scene, observer, "Ada", "it counted the wrong page")
        await down(scene, observer, "Grace", "")
        assert await rows(database_url, RATED) == [(ADA, "down", "it counted the wrong page"), ("U0GRACE", "down", "")]
        await thumb(scene, observer, "Ada", "up")
        assert wording.THANKED_UP in (await whispers(scene, ADA))[0]
        assert (await rows(database_url, RATED))[0] == (ADA, "up", "")
        recorded = await rows(database_url, "SELECT by, details::text FROM audit WHERE event = 'rated' ORDER BY id")
        assert [by for by, _ in recorded] == [ADA, "U0GRACE", ADA]
        assert "wrong page" not in json.dumps(recorded)


async def test_opinion_of_a_guest_and_of_nobody_in_the_channel_does_not_count(
    database_url: URL, tmp_path: Path
) -> None:
    async with answered_thread(database_url, tmp_path) as (scene, observer):
        await thumb(scene, observer, "Gus", "up")
        assert "guests can't rate answers" in (await whispers(scene, GUEST))[0]
        await thumb(scene, observer, "Gus", "down")
        assert "guests can't rate answers" in text_of(await opened(scene, "Guest"))
        assert await rows(database_url, RATED) == []


async def test_bad_run_becomes_a_goal_that_is_replayed_without_network_database_and_model(
    database_url: URL, tmp_path: Path
) -> None:
    async with answered_thread(database_url, tmp_path) as (scene, observer):
        await down(scene, observer, "Ada", "it counted the wrong page")
    file = tmp_path / "bad.json"
    written = await greenlight("--feedback", str(file), DATABASE_URL=database_url.render_as_string(hide_password=False))
    assert written.returncode == 0, written.stderr
    assert f"1 goals written to {file}, 0 runs left out" in written.stdout
    [goal] = json.loads(file.read_text())["goals"]
    assert goal["request"] == "how often was the shop asked?"
    assert goal["comment"] == "it counted the wrong page"
    assert [step["gives"]["body"]["calls"] for step in goal["steps"].values()] == [1]
    assert {node["id"] for node in goal["plan"]} == {"look", "count"}
    replayed = await greenlight(str(file), "--json", offline=True)
    assert replayed.returncode == 0, replayed.stderr
    found = json.loads(replayed.stdout)
    assert (found["goals"], found["wrong"]) == (1, {"colours": 0, "edges": 0, "otherwise": 0})
    kinds = {entry["fault"]: entry for entry in found["by_fault"]}
    assert kinds["no fault"]["corrected"] == {"right": 1, "refused": 0, "wrong": 0}


async def greenlight(*arguments: str, offline: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `greenlight eval` without the developer's settings; `offline` in a namespace without any network."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "GREENLIGHT_"))}
    command = [*(["unshare", "--map-root-user", "--net"] if offline else []), str(GREENLIGHT), "eval", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, env={**clean, **environment}
    )
