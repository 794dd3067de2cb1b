"""Stop, over the wire: whichever way it is said, whatever is at work."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from bot import wording
from bot.payloads import STOP_SHORTCUT
from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import Script, Stall
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import states
from tests.acceptance.clicks import decide, open_calls
from tests.acceptance.plans import ANSWERS, ENDS, fetch, lines, package, planned, post, tool
from tests.chaos.containers import Containers, open_containers

CALLS_OUT = "def main(inputs):\n    return tools.http_get(url=inputs['url'])\n"


def stopped(observer: ThreadObserver) -> bool:
    """The thread tells what was done and what was not."""
    return observer.says(wording.STOPPED) and any(words.lower().startswith("stopped") for words in observer.words())


def report(observer: ThreadObserver) -> tuple[set[str], set[str]]:
    """Return the steps that the report says were done, and those it says were not, by id."""
    (told,) = {words for words in observer.words() if wording.WHAT_WAS_DONE in words}
    _, done, rest = re.split(f"{wording.WHAT_WAS_DONE}|{wording.WHAT_WAS_NOT_DONE}", told, maxsplit=2)
    rest = rest.partition(wording.STOPPED)[0]  # the fallback text says it all once more
    return set(re.findall(r"Title of (\w+)", done)), set(re.findall(r"Title of (\w+)", rest))


async def say_stop(scene: AppScene, observer: ThreadObserver) -> None:
    """Write `!stop` into the thread; anybody may."""
    await scene.people.post("Grace", observer.channel, "!stop", thread_ts=observer.thread_ts)


async def stop_by_command(scene: AppScene, observer: ThreadObserver) -> None:
    """Ask `/greenlight stop` for the caller's runs and press the button of the only one."""
    await scene.people.command("Ada", observer.channel, "/greenlight", "stop")
    everything = await scene.people.wait_for(lambda dump: "Which of these shall I stop?" in str(dump))
    (ts,) = re.findall(r"'ts': '([\d.]+)'", str(everything["ephemerals"]))
    await scene.people.click("Ada", observer.channel, ts, "stop_run_0")


async def stop_by_shortcut(scene: AppScene, observer: ThreadObserver) -> None:
    """Choose "Stop the work here" on the board."""
    where = {"channel": observer.channel, "ts": str(observer.boards()[-1].message["ts"])}
    assert (await scene.people.act("shortcuts", user="Linus", callback_id=STOP_SHORTCUT, **where))["acknowledged"]


async def stop_by_slacks_button(scene: AppScene, observer: ThreadObserver) -> None:
    """Press the Stop button that Slack shows while an app's session says that it is at work."""
    await scene.people.wait_for(lambda dump: session_of(dump, observer) == "processing")
    await scene.people.act("stop", user="Linus", channel=observer.channel, thread_ts=observer.thread_ts)


def session_of(dump: Mapping[str, Any], observer: ThreadObserver) -> str | None:
    """Return what the thread's session says."""
    return next((session["status"] for session in dump["sessions"] if session["thread_ts"] == observer.thread_ts), None)


STOPS = [
    pytest.param(say_stop, id="words"),
    pytest.param(stop_by_command, id="the command's button"),
    pytest.param(stop_by_shortcut, id="the shortcut"),
    pytest.param(stop_by_slacks_button, id="Slack's button"),
]


@pytest.mark.parametrize("stop", STOPS)
async def test_stop_ends_steps_scripts_and_questions_and_lets_a_red_call_at_work_end(
    database_url: URL, tmp_path: Path, stop: Callable[[AppScene, ThreadObserver], Awaitable[None]]
) -> None:
    async with open_containers() as containers:

        def tools(table: dict[str, Any]) -> None:
            table["tools"]["http_request"] = {"hosts": ["127.0.0.1"], "allow_private": True}
            table["sandbox"] = containers.sandbox
            table["containers"] = {"ready": 0}

        async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=tools) as scene:
            await stop_in_the_midst(scene, containers, stop)
            assert scene.effects.calls == {"quick": 1, "slow": 1, "inside": 1, "send": 1}
            assert scene.model.requests_of("conclude") == []
            assert await scene.people.messages("incidents") == []
    assert await ledger(database_url) == [("send", "done", "succeeded")]


async def stop_in_the_midst(
    scene: AppScene, containers: Containers, stop: Callable[[AppScene, ThreadObserver], Awaitable[None]]
) -> None:
    """Stop while a green step, a script and a red call are at work and a question is open."""
    containers.belong_to(os.getpid())
    url, effects = scene.effects.url, scene.effects
    for name in ("slow", "inside", "send"):
        effects.hold(name)
    scene.model.add(
        planned(
            fetch("quick", f"{url}/quick"),
            fetch("slow", f"{url}/slow"),
            package("script", CALLS_OUT, tools=["http_get"], inputs={"url": f"{url}/inside"}),
            post("tell", "hello"),
            tool("send", "http_request", {"method": "POST", "url": f"{url}/send"}),
            fetch("behind", f"{url}/behind", depends_on=["send"]),
        )
    )
    async with scene.asked("do it all") as observer:
        await observer.until(lambda seen: len(open_calls(seen)) == 2, "both calls")
        await decide(scene, observer, "Ada", "approved", "/send")
        for name in ("slow", "inside", "send"):
            await effects.reached(name)
        assert bool(await containers.left()) == (containers.sandbox == "docker")
        await stop(scene, observer)
        await observer.until(
            lambda seen: all("cancelled" in states(seen)[node] for node in ("slow", "script", "tell", "behind")),
            "everything else cancelled",
        )
        await observer.until(lambda seen: not seen.cards() and seen.says("*Withdrawn*"), "the card withdrawn")
        assert effects.running == ["send"], "a red call at work is not torn apart"
        await until_destroyed(containers)
        assert not stopped(observer)
        effects.let_go("send")
        await observer.until(stopped, "what was done and what not")
        assert report(observer) == ({"quick", "send"}, {"slow", "script", "tell", "behind"})
        await scene.people.wait_for(lambda dump: session_of(dump, observer) == "active")


async def until_destroyed(containers: Containers) -> None:
    """Return once the engine has no container of this process any more."""
    async with asyncio.timeout(60):
        while await containers.left():  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.05)


async def ledger(url: URL) -> list[tuple[str, str, str]]:
    """Return node, state and the outcome's state of each call in the ledger."""
    database = Database(url)
    async with database.begin() as connection:
        found = (await connection.execute(text("SELECT node, state, result ->> 'state' FROM ledger"))).all()
    await database.close()
    return [(row[0], row[1], row[2]) for row in found]


async def test_stop_ends_planning_and_a_later_request_runs(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        half = Stall(after=lines([post("tell", "hello")]))
        scene.model.add(Script(role="planner", answer=half, times=1))
        scene.model.add(planned(fetch("next", f"{url}/next")))
        async with scene.asked("never plan this") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card of a plan still being written")
            await say_stop(scene, observer)
            await observer.until(stopped, "the end")
            await scene.people.post("Ada", observer.channel, "now something else", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer to what came after")
        assert scene.effects.calls == {"next": 1}


async def test_stop_where_nothing_runs_is_answered_and_stops_nothing_later(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(planned(fetch("a", f"{url}/a")))
        scene.model.add(planned(fetch("b", f"{url}/b")))
        async with scene.asked("a") as observer:
            await observer.until(lambda seen: seen.says("done: "), "the end of the first")
            await say_stop(scene, observer)
            await scene.people.post("Ada", observer.channel, "and b", thread_ts=observer.thread_ts)
            await scene.effects.reached("b")
            await observer.until(
                lambda seen: len([w for w in seen.words() if w.lower().startswith("done: ")]) == 2, "b"
            )
