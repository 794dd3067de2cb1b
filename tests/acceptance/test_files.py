"""Files: big outputs and what scripts keep have names in their thread, and are listed, searched and read in part."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot import wording
from bot.payloads import FILE_POST_ACTION, FILE_SHOW_ACTION, FILES_ACTION
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import Script
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered_and_done, states
from tests.acceptance.forms import opened, text_of
from tests.acceptance.plans import ANSWERS, ENDS, concludes, fetch, lines, package, planned, results_told, tool
from tests.fakes.s3_server import s3_server


def answered_times(observer: ThreadObserver, count: int) -> bool:
    """Return whether so many turns were answered, and none is under way."""
    words = observer.words()
    ended = sum(text.lower().startswith(("done: ", "ended in trouble: ")) for text in words)
    return ended == count == sum("ANSWER" in text for text in words)


MAKES = """
def main(inputs):
    tools.files_write(name="report.md", text="# Report\\n\\nAll is well.\\n")
    return {"rows": [{"id": number, "text": "row %d" % number} for number in range(1000)], "count": 1000}
"""

COUNTS = "def main(inputs):\n    return inputs['n']\n"

LIST = tool("list", "files_list", {}, depends_on=["make"])
HEAD = tool("head", "files_head", {"name": "1/make/report.md"}, depends_on=["make"])
GREP = tool("grep", "files_grep", {"name": "1/make/make.json", "pattern": '"row 77[0-9]"'}, depends_on=["make"])
READ = tool("read", "files_read", {"name": "1/make/make.json", "offset": 10, "limit": 40}, depends_on=["make"])


async def test_files_are_listed_searched_and_read_in_part(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(package("make", MAKES), LIST, HEAD, GREP, READ))
        async with scene.asked("make a report") as observer:
            await observer.until(answered_and_done, "the answer")
        results = results_told(scene.model.requests_of("conclude")[0])
    made = results["make"]["artifact"]
    assert made["name"] == "1/make/make.json"
    assert made["summary"] == "object with 2 keys: count, rows"
    listed: Any = results["list"]["files"]
    assert {file["name"] for file in listed} == {"1/make/make.json", "1/make/report.md"}
    assert results["head"]["text"] == "# Report\n\nAll is well.\n"
    assert results["grep"]["matches"][0]["name"] == "1/make/make.json"
    assert len(results["read"]["text"]) == 40
    assert results["read"]["next"] == 50
    assert len(json.dumps(results)) < 8_000


IN_PYTHON = """
slow = http_get(url="URL/slow")  # Ask

def report(name):
    tools.files_write(name="report.md", text=f"total of {name}")
    return "written"

make = report(name=slow.body.name)  # Make it
head = files_head(name="make/report.md")  # Look
"""

LATE = """
def main(inputs):
    tools.files_write(name="report.md", text="total of %s" % inputs["name"])
    return "written"
"""


@pytest.mark.parametrize("language", ["json", "python"])
async def test_a_step_that_names_a_file_waits_for_the_step_that_makes_it(
    language: str, database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.effects.hold("slow")
        url = scene.effects.url
        # In JSON a step may name one that comes later.
        written = lines(
            [
                tool("head", "files_head", {"name": "make/report.md"}),
                fetch("slow", f"{url}/slow"),
                package("make", LATE, inputs={"name": "${slow#/body/name}"}),
            ]
        )
        plan = written if language == "json" else IN_PYTHON.replace("URL", url)
        scene.model.add(Script(role="planner", answer=plan, times=1))
        async with scene.asked("make a report") as observer:
            await scene.effects.reached("slow")
            await observer.until(lambda seen: "waits for" in states(seen).get("head", ""), "that it waits")
            scene.effects.let_go("slow")
            await observer.until(answered_and_done, "the answer")
            assert set(states(observer)) == {"slow", "make", "head"}
        results = results_told(scene.model.requests_of("conclude")[0])
    assert results["head"]["text"] == "total of slow"
    assert results["head"]["name"] == "1/make/report.md"


LONG = "incident notes " * 40


async def test_another_persons_personal_file_is_refused_as_a_reference_to_it_is(
    database_url: URL, tmp_path: Path
) -> None:
    reads = """
def main(inputs):
    return tools.files_read(name=inputs["name"])["text"]
"""
    name = "1/notes/notes.json"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for number in range(12):
            await scene.people.post("Ada", "ops", f"{number} {LONG}")
        mine = planned(tool("notes", "slack_read_channel", {"channel": "#ops"}))
        by_name = tool("named", "files_read", {"name": name})
        by_reference = tool("cited", "calculate", {"expression": "${notes}"})
        found = tool("found", "files_grep", {"pattern": "incident"})
        listed = tool("seen", "files_list", {})
        in_script = package("script", reads, inputs={"name": name}, tools=["files_read"])
        theirs = planned(by_name, by_reference, found, listed, in_script)
        own = planned(tool("again", "files_read", {"name": name, "limit": 600}))
        for plan in (mine, theirs, own):
            scene.model.add(plan)
        async with scene.asked("what was it") as observer:
            await observer.until(answered_and_done, "the first answer")
            thread = observer.thread_ts
            await scene.people.post("Grace", "ops", "@Greenlight and for me", thread_ts=thread)
            await observer.until(lambda seen: answered_times(seen, 2), "the second answer")
            await scene.people.post("Ada", "ops", "@Greenlight once more", thread_ts=thread)
            await observer.until(lambda seen: answered_times(seen, 3), "the third answer")
        _, second, third = (results_told(request) for request in scene.model.requests_of("conclude"))
    refused = second["cited"]
    assert refused["error"] == "not_yours"
    assert second["named"] == refused
    assert refused["message"] in second["script"]["message"]
    assert second["found"]["matches"] == []
    assert second["found"]["not_searched"] == [{"name": name, "why": "not_yours"}]
    assert "incident" not in json.dumps(second["seen"])
    assert "incident notes" in third["again"]["text"]


async def test_only_the_run_of_a_script_that_ended_well_keeps_files(database_url: URL, tmp_path: Path) -> None:
    crashes = 'def main(inputs):\n    tools.files_write(name="draft.md", text="x")\n    return 1 / 0\n'
    works = 'def main(inputs):\n    tools.files_write(name="final.md", text="y")\n    return "done"\n'
    repairs = Script(role="repair", answer=f"```python\n{works}```")
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS, repairs]) as scene:
        scene.model.add(planned(package("write", crashes), LIST | {"depends_on": ["write"]}))
        async with scene.asked("write it") as observer:
            await observer.until(answered_and_done, "the answer")
        results = results_told(scene.model.requests_of("conclude")[0])
    assert [file["name"] for file in results["list"]["files"]] == ["1/write/final.md"]


def holds_report(observer: ThreadObserver) -> bool:
    """Return whether the report stands in the thread as a file."""
    return any("report.md" in json.dumps(one.message.get("files", [])) for one in observer.latest.values())


async def test_people_look_into_files_and_have_one_posted(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(package("make", MAKES)))
        async with scene.asked("make a report") as observer:
            await observer.until(answered_and_done, "the answer")
            await observer.until(lambda seen: FILES_ACTION in json.dumps(seen.boards()[-1].message), "the button")
            board = str(observer.boards()[0].message["ts"])
            await scene.people.click("Grace", observer.channel, board, FILES_ACTION)
            view = text_of(await opened(scene, "Grace"))
            assert "1/make/report.md" in view
            assert "3 lines: # Report" in view
            at = view.index("1/make/make.json") < view.index("1/make/report.md")
            press = partial(scene.people.act, "views/act", user="Grace")
            await press(action_id=f"{FILE_SHOW_ACTION}_{at:d}")
            await scene.people.wait_for(lambda dump: "All is well." in json.dumps(dump["views"]))
            await press(action_id="files_page_first")
            await scene.people.wait_for(lambda dump: "3 lines: # Report" in json.dumps(dump["views"]))
            await press(action_id=f"{FILE_POST_ACTION}_{at:d}")
            await observer.until(
                lambda seen: any(
                    "report.md" in json.dumps(one.message.get("files", [])) for one in seen.latest.values()
                ),
                "the file",
            )


async def test_a_personal_file_is_shown_to_its_author_alone_and_posted_by_nobody(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for number in range(12):
            await scene.people.post("Ada", "ops", f"{number} {LONG}")
        scene.model.add(planned(tool("notes", "slack_read_channel", {"channel": "#ops"})))
        async with scene.asked("what was it") as observer:
            await observer.until(answered_and_done, "the answer")
            await observer.until(lambda seen: FILES_ACTION in json.dumps(seen.boards()[-1].message), "the button")
            board = str(observer.boards()[0].message["ts"])
            await scene.people.click("Grace", observer.channel, board, FILES_ACTION)
            theirs = json.dumps(await opened(scene, "Grace"), ensure_ascii=False)
            assert "1/notes/notes.json" in theirs
            assert wording.FILE_NOT_YOURS in theirs
            assert not any(word in theirs for word in (FILE_SHOW_ACTION, FILE_POST_ACTION, "incident"))
            await scene.people.click("Ada", observer.channel, board, FILES_ACTION)
            own = json.dumps(await opened(scene, "Ada"), ensure_ascii=False)
            assert FILE_SHOW_ACTION in own
            assert FILE_POST_ACTION not in own


async def test_an_answer_that_speaks_of_a_file_keeps_it_and_the_quota_takes_the_other(
    database_url: URL, tmp_path: Path
) -> None:
    def tight(table: dict[str, object]) -> None:
        table["files"] = {"thread_bytes": 1, "prompt_rounds": 1}

    answers = Script(role="conclude", answer="ANSWER\nAll is well: see report.md under Files.", times=1)
    async with app_scene(database_url, tmp_path, [answers], configuration=tight) as scene:
        for script in (ENDS, concludes("ANSWER: done")):
            scene.model.add(script)
        scene.model.add(planned(package("make", MAKES)))
        for number in (1, 2):
            scene.model.add(planned(tool(f"sum{number}", "calculate", {"expression": "1+1"})))
        scene.model.add(planned(tool("look", "files_list", {})))
        async with scene.asked("make a report") as observer:
            await observer.until(lambda seen: seen.says("All is well"), "the answer")
            for number in range(1, 4):
                await scene.people.post("Ada", "ops", f"@Greenlight go {number}", thread_ts=observer.thread_ts)
                await observer.until(
                    lambda seen, number=number: sum(text.startswith("ANSWER: done") for text in seen.words()) == number,
                    f"answer {number}",
                )
        results = results_told(scene.model.requests_of("conclude")[-1])
    evicted = {file["name"]: file.get("evicted") for file in results["look"]["files"]}
    assert evicted["1/make/report.md"] is None
    assert evicted["1/make/make.json"]


async def test_an_evicted_file_is_a_tombstone_that_says_what_it_was(database_url: URL, tmp_path: Path) -> None:
    def tight(table: dict[str, object]) -> None:
        table["files"] = {"run_bytes": 1, "prompt_rounds": 1}

    # An answer that named the file would keep it.
    answers = concludes("ANSWER: done")
    async with app_scene(database_url, tmp_path, [ENDS, answers], configuration=tight) as scene:
        scene.model.add(planned(package("make", MAKES)))
        for number in (1, 2):
            small = planned(tool(f"sum{number}", "calculate", {"expression": "1+1"}))
            scene.model.add(small)
        late = package("late", "def main(inputs):\n    return inputs['all']['count']\n", inputs={"all": "${make}"})
        search = tool("search", "files_grep", {"pattern": "All is well"})
        scene.model.add(planned(late, tool("look", "files_list", {}), search))
        async with scene.asked("make a report") as observer:
            await observer.until(answered_and_done, "the answer")
            for number, words in enumerate(("add 1", "add 2", "count"), start=2):
                await scene.people.post("Ada", "ops", f"@Greenlight {words}", thread_ts=observer.thread_ts)
                await observer.until(lambda seen, number=number: answered_times(seen, number), f"answer {number}")
        results = results_told(scene.model.requests_of("conclude")[-1])
        planner = scene.model.requests_of("planner")
    assert results["late"]["error"] == "artifact_missing"
    assert "1/make/make.json" in results["late"]["message"]
    evicted = {file["name"]: file.get("evicted") for file in results["look"]["files"]}
    assert set(evicted) == {"1/make/make.json", "1/make/report.md"}
    assert all(evicted.values())
    assert results["search"]["matches"] == []
    assert {file["name"]: file["why"] for file in results["search"]["not_searched"]} == dict.fromkeys(
        evicted, "evicted"
    )
    assert '"1/make/make.json"' in planner[1].last
    assert '"1/make/make.json"' not in planner[3].last


async def test_an_outage_of_the_store_is_told_and_nothing_is_lost(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_S3_KEY", "AKIA0123456789")
    monkeypatch.setenv("TEST_S3_SECRET", "s3-secret-0123456789")
    monkeypatch.setattr("infra.stores.s3_contents.PAUSES_SECONDS", (0.0,))
    with s3_server() as s3:

        def in_bucket(table: dict[str, object]) -> None:
            table["files"] = s3.table()

        async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=in_bucket) as scene:
            scene.model.add(planned(package("make", MAKES)))
            for number in (1, 2):
                whole = package(
                    f"count{number}", "def main(inputs):\n    return inputs['n']\n", inputs={"n": "${make#/count}"}
                )
                scene.model.add(planned(whole))
            async with scene.asked("make a report") as observer:
                await observer.until(answered_and_done, "the answer")
                assert len(s3.keys()) == 2
                s3.stop()
                await scene.people.post("Ada", "ops", "@Greenlight count 1", thread_ts=observer.thread_ts)
                await observer.until(lambda seen: answered_times(seen, 2), "the answer in the outage")
                s3.start()
                await scene.people.post("Ada", "ops", "@Greenlight count 2", thread_ts=observer.thread_ts)
                await observer.until(lambda seen: answered_times(seen, 3), "the answer after it")
            _, during, after = (results_told(request) for request in scene.model.requests_of("conclude"))
    assert during["count1"]["error"] == "store_unavailable"
    assert after["count2"] == 1000
