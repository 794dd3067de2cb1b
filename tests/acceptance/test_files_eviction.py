"""Files that go, by age and by quotas: what stands in their place, and what keeps one though a quota is exceeded."""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot import wording
from bot.payloads import FILE_POST_ACTION, FILE_SHOW_ACTION, FILES_ACTION
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import rows
from tests.acceptance.forms import opened, text_of
from tests.acceptance.plans import ENDS, concludes, package, planned, post, results_told, tool

ROWS = 300
"""Of a file: some 9 KB, so that it is one."""


def makes(id: str, letter: str = "", **more: Json) -> dict[str, Json]:
    """Return a script whose output is a file, `TURN/ID/ID.json`, that tells what it was made of."""
    row = f'{{"maker": "{letter or id}", "id": number}}'
    return package(id, f"def main(inputs):\n    return [{row} for number in range({ROWS})]\n", **more)


def counts(id: str, of: str, **more: Json) -> dict[str, Json]:
    """Return a script that takes the whole output of another step."""
    return package(id, "def main(inputs):\n    return len(inputs['all'])\n", inputs={"all": f"${{{of}}}"}, **more)


def adds(id: str) -> dict[str, Json]:
    """Return a step of another round."""
    return tool(id, "calculate", {"expression": "1+1"})


def with_files(**limits: Json) -> Callable[[dict[str, object]], None]:
    """Return a configuration in which a file leaves the prompts after one round."""

    def configured(table: dict[str, object]) -> None:
        table["files"] = {"prompt_rounds": 1, **limits}

    return configured


SAID = concludes("ANSWER: done")
"""An answer that names a file would keep it."""


async def ask(scene: AppScene, observer: ThreadObserver, *operations: Mapping[str, Json]) -> dict[str, Any]:
    """Have Ada ask for these steps in the thread; return the results of the thread once that is answered."""
    scene.model.add(planned(*operations))
    answers = answered(observer)
    await scene.people.post("Ada", "ops", "@Greenlight and now this", thread_ts=observer.thread_ts)
    await observer.until(lambda seen: answered(seen) > answers, "another answer")
    return results_told(scene.model.requests_of("conclude")[-1])


def answered(observer: ThreadObserver) -> int:
    """Return how many turns were answered, the board's last look included."""
    words = observer.words()
    ended = sum(text.lower().startswith(("done: ", "ended in trouble: ")) for text in words)
    return min(ended, sum("ANSWER" in text for text in words))


async def files_seen(scene: AppScene, observer: ThreadObserver, who: str = "Grace") -> str:
    """Return what a person reads who presses Files on the newest board that has the button."""

    def boards(seen: ThreadObserver) -> list[str]:
        return [ts for ts, one in seen.latest.items() if FILES_ACTION in json.dumps(one.message)]

    await observer.until(lambda seen: bool(boards(seen)), "the button")
    await scene.people.click(who, observer.channel, boards(observer)[-1], FILES_ACTION)
    return text_of(await opened(scene, who))


def about(name: str, seen: str) -> str:
    """Return the part of the modal that is about a file."""
    return seen.partition(name)[2].partition('"type": "section"')[0]


def kept(results: Mapping[str, Any], look: str) -> dict[str, bool]:
    """Return node -> whether `files_list` shows its output as kept."""
    return {file["name"].split("/")[1]: "evicted" not in file for file in results[look]["files"]}


async def until_evicted(url: URL, count: int) -> None:
    """Return once so many files have gone."""
    async with asyncio.timeout(120):
        while len(await rows(url, "SELECT 1 FROM files WHERE evicted_at IS NOT NULL")) < count:  # noqa: ASYNC110 - rows tell nobody
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"days": 1e-6}, "it was older than files are kept"),
        ({"run_bytes": 1}, "the files of its run had become too large"),
        ({"thread_bytes": 1}, "the files of this thread had become too large"),
    ],
    ids=["age", "quota of the run", "quota of the thread"],
)
async def test_the_tombstone_of_a_file_says_what_it_was_and_why_it_went(
    database_url: URL, tmp_path: Path, limits: Mapping[str, Json], why: str
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, SAID], configuration=with_files(**limits)) as scene:
        scene.model.add(planned(makes("make")))
        async with scene.asked("make it") as observer:
            await observer.until(lambda seen: answered(seen) == 1, "the first answer")
            await files_seen(scene, observer, "Ada")
            await ask(scene, observer, adds("one"))
            results = await ask(
                scene,
                observer,
                tool("look", "files_list", {}),
                tool("read", "files_read", {"name": "1/make/make.json"}),
                counts("take", "make"),
            )
            after = await files_seen(scene, observer)
            # Ada still has the modal of before.
            await scene.people.act("views/act", user="Ada", action_id=f"{FILE_SHOW_ACTION}_0")
            await scene.people.wait_for(lambda dump: wording.FILE_GONE in json.dumps(dump["views"], ensure_ascii=False))
    [line] = results["look"]["files"]
    summary = f"list of {ROWS}; the first is an object with the keys id, maker"
    assert (line["name"], line["summary"]) == ("1/make/make.json", summary)
    assert line["evicted"]
    told = f"'1/make/make.json' ({line['size']} bytes, application/json; {summary}) is no longer kept since"
    assert results["read"]["error"] == "evicted"
    assert results["read"]["message"].startswith(told)
    assert results["take"]["error"] == "artifact_missing"
    assert summary in results["take"]["message"]
    assert summary in after
    assert f"No longer kept since {line['evicted']}: {why}." in after
    assert not any(action in after for action in (FILE_SHOW_ACTION, FILE_POST_ACTION))


async def test_the_oldest_file_of_a_workspace_goes_from_a_thread_that_is_idle(
    database_url: URL, tmp_path: Path
) -> None:
    limits = with_files(tenant_bytes=15_000)
    async with app_scene(database_url, tmp_path, [ENDS, SAID], configuration=limits) as scene:
        for name in ("first", "second"):
            scene.model.add(planned(makes(name)))
            async with scene.asked(f"make {name}") as observer:
                await observer.until(lambda seen: answered(seen) == 1, "the answer")
                thread = observer
        await scene.stop_app()
        await scene.start_app()  # a worker looks at idle threads as it starts, and every minute
        await until_evicted(database_url, 1)
        gone = await rows(database_url, "SELECT node, evicted_for FROM files WHERE evicted_at IS NOT NULL")
        assert gone == [("first", "tenant")]
        seen = await files_seen(scene, thread)
        assert FILE_SHOW_ACTION in seen
        assert "No longer kept" not in seen


async def test_people_read_that_a_file_of_an_idle_thread_went_for_the_workspace(
    database_url: URL, tmp_path: Path
) -> None:
    limits = with_files(tenant_bytes=1)
    async with app_scene(database_url, tmp_path, [ENDS, SAID], configuration=limits) as scene:
        scene.model.add(planned(makes("make")))
        async with scene.asked("make it") as observer:
            await observer.until(lambda seen: answered(seen) == 1, "the answer")
            await scene.stop_app()
            await scene.start_app()
            await until_evicted(database_url, 1)
            seen = await files_seen(scene, observer)
            read = tool("read", "files_read", {"name": "1/make/make.json"})
            results = await ask(scene, observer, read)
    assert "the files of this workspace had become too large." in seen
    assert results["read"]["error"] == "evicted"


async def test_what_something_refers_to_stays_though_the_quota_is_exceeded(database_url: URL, tmp_path: Path) -> None:
    """Of an unfinished step, an open request, the audit and the answer; and what nothing refers to goes meanwhile."""
    answers = iter(["ANSWER: done", "ANSWER: done", "ANSWER: see \u201ctold.json\u201d under Files"])

    def says(_: ModelRequest) -> str:
        return next(answers, "ANSWER: done")

    limits = with_files(thread_bytes=1)
    async with app_scene(database_url, tmp_path, [ENDS, concludes(says)], configuration=limits) as scene:
        scene.model.add(planned(makes("refused"), post("rejected", "made by ${refused#/0/maker}")))
        async with scene.asked("make one") as observer:
            await _decide(scene, observer, "made by refused", "rejected")
            await observer.until(lambda seen: answered(seen) == 1, "the first answer")
            scene.model.add(
                planned(
                    *(makes(node) for node in ("spare", "taken", "asked", "awaited")),
                    post("approved", "made by ${taken#/0/maker}"),
                    post("open", "see 2/asked/asked.json", depends_on=["approved"]),
                    counts("late", "awaited", depends_on=["open"]),
                )
            )
            await scene.people.post("Ada", "ops", "@Greenlight make them", thread_ts=observer.thread_ts)
            await _decide(scene, observer, "made by taken", "approved")
            await observer.until(lambda seen: bool(seen.cards()), "the card that stays open")
            for number in range(3):
                await _joins(scene, observer, adds(f"sum{number}"))
            await _joins(scene, observer, tool("look", "files_list", {}))
            await _decide(scene, observer, "see 2/asked/asked.json", "approved")
            await observer.until(lambda seen: answered(seen) == 2, "the second answer")
            first = results_told(scene.model.requests_of("conclude")[-1])
            await ask(scene, observer, makes("told"))
            for number in range(3):
                await ask(scene, observer, adds(f"more{number}"))
            last = await ask(scene, observer, tool("look2", "files_list", {}))
    held = {node for node, stays in kept(first, "look").items() if stays}
    assert held == {"refused", "taken", "asked", "awaited"}
    assert first["late"] == ROWS
    assert {node for node, stays in kept(last, "look2").items() if stays} == {"refused", "taken", "told"}


async def _joins(scene: AppScene, observer: ThreadObserver, step: Mapping[str, Json]) -> None:
    """Have Ada ask for a step while the run waits; return once it is done."""
    scene.model.add(planned(step))
    await scene.people.post("Ada", "ops", "@Greenlight and this meanwhile", thread_ts=observer.thread_ts)
    await observer.until(lambda seen: _complete(seen, str(step["id"])), "the step")


async def _decide(scene: AppScene, observer: ThreadObserver, words: str, action: str) -> None:
    """Have Grace decide on the card that shows these words."""

    def found(seen: ThreadObserver) -> list[int]:
        return [at for at, one in enumerate(seen.cards()) if words in json.dumps(one.message, ensure_ascii=False)]

    await observer.until(lambda seen: bool(found(seen)), f"the card with {words}")
    await scene.click(observer, "Grace", action, card=found(observer)[0])
    await observer.until(lambda seen: not found(seen), "the card decided")


def _complete(observer: ThreadObserver, node: str) -> bool:
    return bool(looks := observer.tasks().get(node)) and looks[-1].status == "complete"


async def test_bytes_that_another_file_has_stay_readable_behind_a_tombstone(database_url: URL, tmp_path: Path) -> None:
    """Another file of the thread, and one of another thread; both are one content in the store."""
    limits = with_files(thread_bytes=15_000)
    async with app_scene(database_url, tmp_path, [ENDS, SAID], configuration=limits) as scene:
        scene.model.add(planned(makes("other", "same")))
        async with scene.asked("make it elsewhere", channel="general") as elsewhere:
            await elsewhere.until(lambda seen: answered(seen) == 1, "the answer elsewhere")
            scene.model.add(planned(makes("first", "same")))
            async with scene.asked("make it") as observer:
                await observer.until(lambda seen: answered(seen) == 1, "the answer")
                await ask(scene, observer, makes("second", "same"))
                await ask(scene, observer, adds("one"))
                reads = partial(tool, name="files_read")
                results = await ask(
                    scene,
                    observer,
                    reads("read1", args={"name": "1/first/first.json", "limit": 30}),
                    reads("read2", args={"name": "2/second/second.json", "limit": 30}),
                )
                view = await files_seen(scene, observer)
            of_other = await files_seen(scene, elsewhere)
    assert results["read1"]["error"] == "evicted"
    assert results["read2"]["text"].startswith('[{"id":0,"maker":"same"')
    assert "No longer kept" in about("1/first/first.json", view)
    assert "No longer kept" not in about("2/second/second.json", view)
    assert FILE_SHOW_ACTION in of_other
    assert await rows(database_url, "SELECT count(*) FROM artifacts") == [(1,)]


def told_of(request: str) -> list[str]:
    """Return the lines of a request that tell of a file."""
    return [line for line in request.splitlines() if '"artifact"' in line]


async def test_prompts_stay_as_long_as_they_were_over_the_turns_of_a_thread(database_url: URL, tmp_path: Path) -> None:
    """The same work in each: of a file that left the prompts the planner reads one line, and later the step's id."""
    turns = 10
    limits = with_files(thread_bytes=30_000, prompt_steps=4)
    async with app_scene(database_url, tmp_path, [ENDS, SAID], configuration=limits) as scene:
        scene.model.add(planned(makes("make01")))
        async with scene.asked("make it") as observer:
            await observer.until(lambda seen: answered(seen) == 1, "the answer")
            for number in range(2, turns + 1):
                await ask(scene, observer, makes(f"make{number:02}"))
        planner = [request.last for request in scene.model.requests_of("planner")]
        conclude = [request.last for request in scene.model.requests_of("conclude")]
    evicted = await rows(database_url, "SELECT node FROM files WHERE evicted_at IS NOT NULL")
    assert len(evicted) >= turns - 5
    for request in planner[2:]:
        assert len(told_of(request)) <= 2
    left = {"id": "make08", "kind": "package", "title": "Title of make08", "state": "succeeded"}
    assert json.dumps(left) in planner[-1].splitlines()
    # An id of eight characters for each step that left.
    assert max(map(len, planner[-3:])) <= max(map(len, planner[3:6])) + 8 * turns
    assert max(map(len, conclude[-3:])) <= max(map(len, conclude[1:4])) + 8


async def test_prompts_stay_as_long_as_they_were_over_the_rounds_of_a_turn(database_url: URL, tmp_path: Path) -> None:
    """A person's requests join a run that waits; each is a round with the same work."""
    count = 9
    limits = with_files(thread_bytes=30_000, prompt_steps=4)
    async with app_scene(database_url, tmp_path, [ENDS, SAID], configuration=limits) as scene:
        scene.model.add(planned(post("open", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            for number in range(1, count + 1):
                await _joins(scene, observer, makes(f"make{number:02}"))
        planner = [request.last for request in scene.model.requests_of("planner")]
    evicted = await rows(database_url, "SELECT node FROM files WHERE evicted_at IS NOT NULL")
    assert len(evicted) >= count - 5
    for request in planner[3:]:
        assert len(told_of(request)) <= 2
    assert max(map(len, planner[-3:])) <= max(map(len, planner[3:6])) + 8 * count
