"""What one person may have under way: beyond it nothing new is begun, they read so, and everything else goes on."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.clicks import decide, open_calls
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post


def bounded(table: dict[str, Any]) -> None:
    """Let each person have two requests at work and three open cards."""
    table["limits"] = {"runs_per_person": 2, "cards_per_person": 3}


async def ask(scene: AppScene, words: str, by: str = "Ada") -> ThreadObserver:
    """Ask in a thread of its own; return an observer of it that looks when it is asked to."""
    return ThreadObserver(channel="ops", thread_ts=await scene.people.post(by, "ops", f"@Greenlight {words}"))


async def says(scene: AppScene, observer: ThreadObserver, words: str) -> None:
    """Return once a message in the thread says so."""
    await scene.people.wait_for(lambda dump: words in told(dump, observer))


def told(dump: Mapping[str, Any], observer: ThreadObserver) -> str:
    """Return all that stands in the thread."""
    messages = dump["channels"][observer.channel]["messages"]
    return json.dumps([message for message in messages if message.get("thread_ts") == observer.thread_ts])


async def two_at_work(scene: AppScene) -> list[ThreadObserver]:
    """Have Ada ask twice, with a step each that is held."""
    observers: list[ThreadObserver] = []
    for name in ("one", "two"):
        scene.effects.hold(name)
        scene.model.add(planned(fetch(f"step-{name}", f"{scene.effects.url}/{name}"), contains=f"do {name}"))
        observers.append(await ask(scene, f"do {name}"))
        await scene.effects.reached(name)
    return observers


async def test_a_request_beyond_the_runs_of_a_person_is_not_begun_until_one_has_ended(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded) as scene:
        one, _ = await two_at_work(scene)
        for name in ("three", "hers", "again"):
            scene.model.add(planned(fetch(f"step-{name}", f"{scene.effects.url}/{name}"), contains=f"do {name}"))
        three = await ask(scene, "do three")
        await says(scene, three, wording.too_many_runs(2))
        hers = await ask(scene, "do hers", by="Grace")
        await says(scene, hers, "ANSWER")
        assert scene.effects.calls["three"] == 0
        assert "eyes" not in json.dumps((await scene.people.messages("ops", thread_ts=three.thread_ts))[0])
        scene.effects.let_go("one")
        await says(scene, one, "ANSWER")
        await says(scene, await ask(scene, "do again"), "ANSWER")
        assert scene.effects.calls["three"] == 0, "what was not taken in does not come later"
        scene.effects.let_go("two")


async def roots(scene: AppScene) -> list[str]:
    """Return the messages that threads hang below."""
    messages = await scene.people.messages("ops")
    return [str(message["ts"]) for message in messages if message.get("thread_ts") in (None, message["ts"])]


async def test_a_command_beyond_the_runs_of_a_person_opens_no_thread(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded) as scene:
        await two_at_work(scene)
        before = await roots(scene)
        await scene.people.command("Ada", "ops", "/greenlight", "do three")
        dump = await scene.people.wait_for(lambda dump: bool(dump["ephemerals"]))
        assert wording.too_many_runs(2) in json.dumps(dump["ephemerals"])
        assert await roots(scene) == before


async def test_follow_ups_and_stops_are_taken_whatever_a_person_has_at_work(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded) as scene:
        one, two = await two_at_work(scene)
        scene.model.add(planned(fetch("more", f"{scene.effects.url}/more"), contains="and more"))
        await scene.people.post("Ada", "ops", "and more", thread_ts=one.thread_ts)
        await scene.effects.reached("more")
        await scene.people.post("Ada", "ops", "!stop", thread_ts=two.thread_ts)
        await says(scene, two, wording.STOPPED)
        scene.effects.let_go("one")
        await says(scene, one, "ANSWER")


async def test_a_request_beyond_the_open_cards_of_a_person_is_not_begun_until_one_is_decided(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=bounded) as scene:
        scene.model.add(planned(*(post(f"p{number}", f"post {number}") for number in range(3)), contains="post thrice"))
        for name in ("look", "again"):
            scene.model.add(planned(fetch(f"step-{name}", f"{scene.effects.url}/{name}"), contains=f"do {name}"))
        async with scene.asked("post thrice") as posts:
            await posts.until(lambda seen: len(open_calls(seen)) == 3, "three open calls")
            await says(scene, await ask(scene, "do look"), wording.too_many_cards(3))
            await decide(scene, posts, "Grace", "rejected", "Title of p0")
            await posts.until(lambda seen: len(open_calls(seen)) == 2, "one call decided")
        await says(scene, await ask(scene, "do again"), "ANSWER")
        assert scene.effects.calls["look"] == 0


async def test_requests_at_the_same_moment_do_not_slip_by(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded) as scene:
        scene.effects.hold("held")
        for number in range(6):
            step = fetch(f"step-{number}", f"{scene.effects.url}/held")
            scene.model.add(planned(step, contains=f"job {number}"))
        await asyncio.gather(*(ask(scene, f"job {number}") for number in range(6)))
        refused = re.escape(wording.too_many_runs(2))
        await scene.people.wait_for(lambda dump: len(re.findall(refused, json.dumps(dump["channels"]["ops"]))) >= 4)
        await scene.effects.reached("held", 2)
        assert scene.effects.calls["held"] == 2
        scene.effects.let_go("held")


async def test_a_run_has_a_budget_where_nobody_set_one(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        budgets = scene.settings.configuration.bounds()
        assert (budgets.run.model_calls, budgets.run.tokens, budgets.run.milliseconds) == (100, 1_000_000, 3_600_000)
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/look")))
        async with scene.asked("look") as observer:
            await observer.until(answered, "the answer")
            assert not observer.cards()
