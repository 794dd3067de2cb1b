"""Files of subagents over the wire: what they write stands under Files, for those who may read what it came from."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from agent.plan.file_names import FILE_TOOLS
from bot.payloads import FILES_ACTION
from infra.dev.scripted_model.script import ModelRequest, ToolCall
from sandbox.script import Json
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows
from tests.acceptance.forms import opened, text_of
from tests.acceptance.plans import ANSWERS, ENDS, package, planned, results_told, tool
from tests.acceptance.roles import Said, call, calls, says, subagent, told
from tests.acceptance.test_subagents_takeover import running

Configure = Callable[[dict[str, Any]], None]

MAIN = "def main():\n    return 'all is well'\n"
LONG = "incident notes " * 40


def write(name: str, text: str) -> ToolCall:
    """Return a call that keeps a file."""
    return call("files_write", name=name, text=text)


def _joined(request: ModelRequest) -> Said:
    return " / ".join(told(request))


async def test_files_that_a_subagent_writes_are_read_by_it_and_later_steps_and_stand_under_files(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(
            subagent("code", "coder", "Write it"),
            tool("read", "files_read", {"name": "1/code/main.py"}, depends_on=["code"]),
            tool("list", "files_list", {}, depends_on=["code"]),
        ),
        says(
            "coder",
            calls(write("main.py", "draft"), write("notes.md", "# Notes\n")),
            calls(write("main.py", MAIN)),
            calls(
                call("files_read", name="main.py"),
                call("files_grep", name="1/code/main.py", pattern="return"),
                call("files_read", name="1/other/secret.txt"),
            ),
            _joined,
        ),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("write it") as seen:
        await seen.until(answered_and_done, "the answer")
        concluded = scene.model.requests_of("conclude")[-1]
        results = results_told(concluded)
        assert {"files_write", "files_read", "files_grep"} == {*scene.model.requests_of("coder")[0].tools}
        first, second, again, whole, found, strange = results["code"].split(" / ")
        assert json.loads(first) == {"name": "1/code/main.py", "size": 5}
        assert json.loads(again) == {"name": "1/code/main.py", "size": len(MAIN)}
        assert json.loads(second)["name"] == "1/code/notes.md"
        assert json.loads(whole)["text"] == MAIN
        assert [match["line"] for match in json.loads(found)["matches"]] == [2]
        assert strange == "files_read reads your own files here, by `name`: 1/code/main.py, 1/code/notes.md"
        assert results["read"]["text"] == MAIN
        assert {file["name"] for file in results["list"]["files"]} == {"1/code/main.py", "1/code/notes.md"}
        (code,) = [line for line in concluded.last.splitlines() if line.startswith('{"id": "code"')]
        assert [file["name"] for file in json.loads(code)["files"]] == ["1/code/main.py", "1/code/notes.md"]
        await seen.until(lambda seen: FILES_ACTION in json.dumps(seen.boards()[-1].message), "the button")
        board = str(seen.boards()[-1].message["ts"])
        await scene.people.click("Grace", seen.channel, board, FILES_ACTION)
        view = text_of(await opened(scene, "Grace"))
        assert all(name in view for name in ("1/code/main.py", "1/code/notes.md", "2 lines: def main():"))


MANY = calls(*(write(f"{number}.md", "x") for number in range(16)))
REFUSED: Mapping[str, tuple[Sequence[Said], str]] = {
    "a name that is none": ([calls(write("../etc/passwd", "x"))], "'../etc/passwd' is no name for a file"),
    "the name of its result": ([calls(write("code.txt", "x"))], "'code.txt' is no name for a file"),
    "no text": ([calls(call("files_write", name="a.md"))], "files_write takes name and text, both texts"),
    "more files than a step may have": (
        [MANY, calls(*(write(f"more-{number}.md", "x") for number in range(5)))],
        "a step keeps 20 files at most",
    ),
    "one name twice in an answer": (
        [calls(write("a.md", "x"), write("a.md", "y"))],
        "another call of the same answer writes a file of this name",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_file_that_cannot_be_kept_is_refused_in_words_and_the_subagent_goes_on(
    database_url: URL, tmp_path: Path, case: str
) -> None:
    answers, words = REFUSED[case]

    def mends(request: ModelRequest) -> Said:
        assert words in told(request)[-1]
        return calls(write("1.md", "mended"))

    scripts = [planned(subagent("code", "coder", "Write it")), says("coder", *answers, mends, _joined), ENDS, ANSWERS]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("write it") as seen:
        await seen.until(answered, "the answer")
        result = str(results_told(scene.model.requests_of("conclude")[-1])["code"])
        assert words in result
        assert result.endswith('{"name":"1/code/1.md","size":6}')
    names = {name for (name,) in await rows(database_url, "SELECT name FROM files")}
    assert "1/code/1.md" in names
    assert not names & {"1/code/a.md", "1/code/passwd"}
    assert len(names - {"1/code/code.txt"}) <= 20


async def test_long_file_that_a_model_writes_arrives_whole(database_url: URL, tmp_path: Path) -> None:
    text = "one line of a long file\n" * 3_000
    scripts = [
        planned(subagent("code", "coder", "Write it")),
        says("coder", calls(write("long.txt", text)), _joined),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("write it") as seen:
        await seen.until(answered_and_done, "the answer")
        result = results_told(scene.model.requests_of("conclude")[-1])["code"]
        assert json.loads(result) == {"name": "1/code/long.txt", "size": len(text)}


async def test_file_of_a_subagent_that_gives_up_stays_and_later_steps_read_it(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(
            subagent("code", "coder", "Write it"),
            tool("read", "files_read", {"name": "1/code/main.py"}, depends_on=[{"id": "code", "on": "finished"}]),
        ),
        says("coder", calls(write("main.py", MAIN)), "CANNOT: nobody told me the rest"),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("write it") as seen:
        await seen.until(answered, "the answer")
        results = results_told([one for one in scene.model.requests if one.role in ("conclude", "answer")][-1])
        assert results["code"]["message"] == "nobody told me the rest"
        assert results["read"]["text"] == MAIN


async def test_plan_that_names_the_tool_of_the_subagents_is_refused_and_told_so(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(subagent("code", "coder", "Write it", tools=["files_write"])),
        planned(subagent("mended", "coder", "Write it")),
        says("coder", calls(write("a.md", "x")), "Written."),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("write it") as seen:
        await seen.until(answered_and_done, "the answer")
        plans = [request for request in scene.model.requests if request.role in ("planner", "replan")]
        assert "leave 'files_write' out: the role has it, or it has not" in plans[-1].last
        shown = "\n".join(message.text for message in plans[0].messages)
        assert {*re.findall(r"(?<![\w.])files_\w+", shown)} == FILE_TOOLS, "scripts have it, as tools.files_write"
        assert results_told(scene.model.requests_of("conclude")[-1])["mended"] == "Written."


async def test_file_of_a_subagent_is_as_personal_and_as_strange_as_its_result(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(
            subagent("code", "coder", "Write it"),
            subagent("notes", "analyst", "Read #ops", tools=["slack_read_channel"]),
        ),
        says("coder", calls(write("main.py", MAIN)), MAIN * 200),
        says(
            "analyst",
            calls(call("slack_read_channel", channel="#ops")),
            lambda request: calls(write("read.md", told(request)[0][:500])),
            lambda request: told(request)[0],
        ),
        planned(tool("theirs", "files_read", {"name": "1/notes/read.md"}), contains="and for me"),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene:
        for number in range(12):
            await scene.people.post("Ada", "ops", f"{number} {LONG}")
        async with scene.asked("what was it") as seen:
            await seen.until(answered_and_done, "the answer")
            await scene.people.post("Grace", "ops", "@Greenlight and for me", thread_ts=seen.thread_ts)
            await seen.until(lambda _: len(scene.model.requests_of("conclude")) == 2, "the second conclusion")
            refused = results_told(scene.model.requests_of("conclude")[-1])["theirs"]
    marks = {name: (personal, outside) for name, personal, outside in await rows(database_url, MARKS)}
    assert marks["1/notes/read.md"] == marks["1/notes/notes.txt"] == ([["slack_read_channel", "U0ADA"]], True)
    assert marks["1/code/main.py"] == marks["1/code/code.txt"] == ([], False)
    assert refused["error"] == "not_yours"


MARKS = "SELECT name, personal, outside FROM files"


@pytest.mark.parametrize("point", ["before the row of what a call was told", "after the row of what a call was told"])
async def test_worker_killed_beside_a_written_file_leaves_one_file_and_asks_no_model_again(
    database_url: URL, tmp_path: Path, point: str
) -> None:
    scripts = [
        planned(subagent("job", "coder", "Write it")),
        says("coder", calls(write("main.py", MAIN)), calls(call("files_read", name="main.py")), "Written."),
        ENDS,
        ANSWERS,
    ]
    async with running(database_url, tmp_path, point=point, scripts=scripts) as run:
        await run.has_died()
        await run.start_another()
        await run.seen.until(answered_and_done, "the answer", timeout_seconds=60)
        asked = run.scene.model.requests_of("coder")
        assert len(asked) == 3
        assert told(asked[-1])[0] == f'{{"name":"1/job/main.py","size":{len(MAIN)}}}'
        assert json.loads(told(asked[-1])[1])["text"] == MAIN
    assert await rows(database_url, "SELECT name, size FROM files") == [("1/job/main.py", len(MAIN))]


CHIEF = {"prompt": "You lead a team.", "lead": True, "roles": ["writer", "critic"], "steps": 6}
READER = {"prompt": "You read."}


def _roles(**roles: Mapping[str, Any]) -> Configure:
    def configured(table: dict[str, Any]) -> None:
        table["roles"] = {**roles}

    return configured


def _request(request: ModelRequest) -> str:
    return request.messages[1].text


async def test_lead_hands_on_files_that_it_was_given_and_that_it_wrote_and_no_others(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(
            tool("look", "calculate", {"expression": "6 * 7"}),
            tool("other", "calculate", {"expression": "6 * 8"}),
            subagent("lead", "chief", "Make a report", files=["${look#/value}"], depends_on=["other"]),
        ),
        says(
            "chief",
            calls(
                write("notes.md", "# Notes of the lead"),
                call("hand_out", role="writer", instruction="Too early", files=["notes.md"]),
                call("hand_out", role="writer", instruction="Not yours", files=["File 1", "1/other/other.json"]),
            ),
            calls(call("hand_out", role="writer", instruction="Write it", files=["File 1", "notes.md", "File 1"])),
            _joined,
        ),
        says("writer", "Written."),
        ENDS,
        ANSWERS,
    ]
    chief = {**CHIEF, "tools": ["files_write"]}
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_roles(chief=chief)) as scene,
        scene.asked("a report") as seen,
    ):
        await seen.until(answered_and_done, "the answer")
        (written,) = scene.model.requests_of("writer")
        assert "## File 1\n```\n42\n```" in _request(written)
        assert "## File 2\n```\n# Notes of the lead\n```" in _request(written)
        assert "File 3" not in _request(written)
        result = results_told(scene.model.requests_of("conclude")[-1])["lead"]
        _, early, strange, returned = result.split(" / ")
        assert early == "notes.md is written in the same answer; hand it out in the next one"
        assert strange.startswith("you have no file '1/other/other.json' to hand out; you have: File 1")
        assert returned == "writer returned:\nWritten."


LINES = "".join(f"line {number} of what was found\n" for number in range(3_000))


async def test_lead_reads_on_in_a_long_result_of_its_team_and_hands_it_on_whole(
    database_url: URL, tmp_path: Path
) -> None:
    def reads_on(request: ModelRequest) -> Said:
        words = told(request)[0]
        assert words.startswith("writer returned:\nline 0 of")
        assert "line 2999 of" not in words
        _, _, wanted = words.partition("Read on with files_read: ")
        read: dict[str, Json] = json.loads(wanted.partition("; it has")[0])
        assert LINES.encode()[: int(str(read["offset"]))].decode() in words
        return calls(
            ToolCall(name="files_read", arguments={**read, "limit": 60_000}),  # more than it would be told of
            call("files_grep", name=str(read["name"]), pattern="line 2999 of"),
            call("files_read", name="1/note/note.txt"),
        )

    def hands_on(request: ModelRequest) -> Said:
        _, rest, found, strange = told(request)
        part = json.loads(rest)
        assert part["text"] == LINES.encode()[part["offset"] : part["next"]].decode()
        assert part["next"] - part["offset"] == 16 * 1024
        assert [match["line"] for match in json.loads(found)["matches"]] == [3000]
        assert strange == "files_read reads your own files here, by `name`: 1/lead-0/lead-0.txt"
        return calls(call("hand_out", role="critic", instruction="Judge it", files=["1/lead-0/lead-0.txt"]))

    scripts = [
        planned(
            subagent("note", "writer", "Write beside it"), subagent("lead", "chief", "Make it", depends_on=["note"])
        ),
        says(
            "chief",
            calls(call("hand_out", role="writer", instruction="Write a lot")),
            reads_on,
            hands_on,
            lambda request: told(request)[-1],
        ),
        says("writer", LINES),
        says("critic", {"passes": True, "faults": []}),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_roles(chief=CHIEF)) as scene,
        scene.asked("a report") as seen,
    ):
        await seen.until(answered_and_done, "the answer")
        assert {*scene.model.requests_of("chief")[0].tools} == {"hand_out", "files_read", "files_grep"}
        assert LINES.strip() in _request(scene.model.requests_of("critic")[0])
        assert (
            results_told(scene.model.requests_of("conclude")[-1])["lead"]
            == 'critic returned:\n{"faults":[],"passes":true}'
        )


async def test_lead_is_told_which_files_its_team_kept_and_hands_them_on_over_a_restart(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(subagent("lead", "chief", "Make it")),
        says(
            "chief",
            calls(call("hand_out", role="coder", instruction="Write it")),
            calls(call("slack_post_message", channel="#incidents", text="It is written")),
            calls(call("hand_out", role="critic", instruction="Judge it", files=["1/lead-0/main.py"])),
            lambda request: told(request)[0],
        ),
        says("coder", calls(write("main.py", MAIN)), "Written."),
        says("critic", {"passes": True, "faults": []}),
        ENDS,
        ANSWERS,
    ]
    chief = {**CHIEF, "roles": ["coder", "critic"], "tools": ["slack_post_message"]}
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_roles(chief=chief)) as scene,
        scene.asked("a report") as seen,
    ):
        await seen.until(lambda seen: bool(seen.cards()), "the card")
        await scene.stop_app()
        await scene.start_app()
        assert await scene.click(seen, "Grace", "approved")
        await seen.until(answered_and_done, "the answer")
        assert f"## File 1\n```\n{MAIN}\n```" in _request(scene.model.requests_of("critic")[0])
        kept = f"coder returned:\nWritten.\n\nIt kept: 1/lead-0/main.py ({len(MAIN)} bytes)"
        assert results_told(scene.model.requests_of("conclude")[-1])["lead"] == kept
        assert [len(scene.model.requests_of(role)) for role in ("chief", "coder", "critic")] == [4, 2, 1]


async def test_worker_that_was_handed_a_personal_file_writes_personal_ones(database_url: URL, tmp_path: Path) -> None:
    scripts = [
        planned(
            tool("notes", "slack_read_channel", {"channel": "#ops"}),
            subagent("lead", "chief", "Make a report", files=["${notes}"]),
        ),
        says("chief", calls(call("hand_out", role="coder", instruction="Write it", files=["File 1"])), "Done."),
        says("coder", calls(write("main.py", MAIN)), "Written."),
        ENDS,
        ANSWERS,
    ]
    chief = {**CHIEF, "roles": ["coder"]}
    async with app_scene(database_url, tmp_path, scripts, configuration=_roles(chief=chief)) as scene:
        await scene.people.post("Ada", "ops", LONG)
        async with scene.asked("what was it") as seen:
            await seen.until(answered_and_done, "the answer")
            assert "incident notes" in _request(scene.model.requests_of("coder")[0])
    marks = {name: (personal, outside) for name, personal, outside in await rows(database_url, MARKS)}
    assert marks["1/lead-0/main.py"] == ([["slack_read_channel", "U0ADA"]], True)


MAKES = """
def main(inputs):
    return "".join("line %d of what was found\\n" % number for number in range(20000))
"""


async def test_subagent_reads_on_in_a_given_file_that_is_too_long_to_be_shown(
    database_url: URL, tmp_path: Path
) -> None:
    def reads_on(request: ModelRequest) -> Said:
        words = _request(request)
        assert "line 0 of" in words
        assert "line 19999 of" not in words
        _, _, wanted = words.partition("Read on with files_read: ")
        read: dict[str, Json] = json.loads(wanted.partition("; it has")[0])
        return calls(
            ToolCall(name="files_read", arguments={**read, "limit": 100}),
            call("files_grep", name="File 1", pattern="line 19999 of"),
        )

    scripts = [
        planned(package("make", MAKES), subagent("look", "reader", "Look at it", files=["${make}"])),
        says("reader", reads_on, _joined),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_roles(reader=READER)) as scene,
        scene.asked("look at it") as seen,
    ):
        await seen.until(answered_and_done, "the answer")
        asked = scene.model.requests_of("reader")[0]
        assert {*asked.tools} == {"files_read", "files_grep"}
        shown = _request(asked).partition("```\n")[2].partition("\n```\nThat was its beginning.")[0]
        rest, found = map(json.loads, results_told(scene.model.requests_of("conclude")[-1])["look"].split(" / "))
        assert (shown + rest["text"]).endswith(LINES_OF_MAKES[len(shown) : len(shown) + 100])
        assert LINES_OF_MAKES.startswith(shown)
        assert [match["line"] for match in found["matches"]] == [20_000]


LINES_OF_MAKES = "".join(f"line {number} of what was found\n" for number in range(20_000))
