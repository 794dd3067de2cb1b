"""Thumbs on the answer: up, down with a reason, a change of mind, and a goal for `greenlight eval` of each bad run."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import Script
from infra.dev.scripted_model.server import ScriptedModel
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, rows, whispers
from tests.acceptance.clicks import late_click
from tests.acceptance.forms import opened, submit, text_of
from tests.acceptance.plans import ANSWERS, ENDS, concludes, fetch, lines, package, planned
from tests.acceptance.roles import call, calls, says, subagent, told
from tests.acceptance.test_long_term_memory import say

GREENLIGHT = Path(sys.executable).with_name("greenlight")
ADA, GUEST = "U0ADA", "U0GUEST"
COUNTS = "def main(inputs):\n    return inputs['page']['calls']\n"
READS = """\
async def main(inputs):
    first = tools.http_get(url=inputs['url'] + '/a')['body']['calls']
    tools.files_write(name='seen.txt', text=str(first))
    again = tools.http_get(url=inputs['url'] + '/a')['body']['calls']
    try:
        tools.http_get(link='/a')
    except Exception as error:
        return [first, again, str(error)]
"""
"""Makes equal calls that are answered differently, and one that fails."""

RATED = "SELECT by, thumb, reason FROM feedback ORDER BY by"


def counted(url: str) -> Sequence[Mapping[str, Json]]:
    """Return a call, and a script that calls nothing."""
    count = package("count", COUNTS, inputs={"page": "${look#/body}"}, depends_on=["look"])
    return fetch("look", f"{url}/shop"), count


def read_by_a_script(url: str) -> Sequence[Mapping[str, Json]]:
    """Return a script that makes all calls, and a call with its result."""
    script = package("read", READS, inputs={"url": url}, tools=["http_get"])
    return script, fetch("look", f"{url}/seen-${{read#/1}}", depends_on=["read"])


@asynccontextmanager
async def answered_thread(
    url: URL, data: Path, channel: str = "ops", plan: Callable[[str], Sequence[Mapping[str, Json]]] = counted
) -> AsyncGenerator[tuple[AppScene, ThreadObserver]]:
    """Open a scene in which a request has its answer; `plan` returns its steps, about a server at an address."""
    async with app_scene(url, data, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(*plan(scene.effects.url)))
        async with scene.asked("how often was the shop asked?", channel=channel) as observer:
            await observer.until(answered, "the answer")
            yield scene, observer


async def answer_of(observer: ThreadObserver, answers: int = 1) -> str:
    """Return the `ts` of the message with the newest of so many answers and its two buttons."""

    def rated(seen: ThreadObserver) -> list[str]:
        return [ts for ts, look in seen.latest.items() if "feedback_up" in json.dumps(look.message)]

    await observer.until(lambda seen: len(rated(seen)) >= answers, "the answer's buttons")
    return max(rated(observer))


async def thumb(scene: AppScene, observer: ThreadObserver, who: str, which: str, answers: int = 1) -> None:
    """Have a person press one of the newest answer's two buttons."""
    assert await scene.people.click(who, observer.channel, await answer_of(observer, answers), f"feedback_{which}")


async def down(scene: AppScene, observer: ThreadObserver, who: str, reason: str, answers: int = 1) -> str:
    """Have a person press thumbs down and send the form; return what stands in the modal then."""
    await thumb(scene, observer, who, "down", answers)
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


async def test_opinion_of_a_member_of_the_workspace_who_is_not_in_the_channel_does_not_count(
    database_url: URL, tmp_path: Path
) -> None:
    async with answered_thread(database_url, tmp_path) as (scene, observer):
        await thumb(scene, observer, "Grace", "down")
        assert wording.FEEDBACK_ASKED in text_of(await opened(scene, "Grace"))
        for who in ("Grace", "Linus"):
            await scene.people.act("members", channel="ops", member=who, remove=True)
        assert await submit(scene, "Grace", {"reason": "I left while I wrote this"}) == {}
        assert wording.FEEDBACK_NEEDS_MEMBERS in text_of(await opened(scene, "Grace"))
        answer = await answer_of(observer)
        await late_click(scene, observer, answer, "1", action="feedback_up", who="Linus")
        assert wording.FEEDBACK_NEEDS_MEMBERS in (await whispers(scene, "U0LINUS"))[0]
        await late_click(scene, observer, answer, "1", action="feedback_down", who="Linus")
        assert wording.FEEDBACK_NEEDS_MEMBERS in text_of(await opened(scene, "Linus"))
        assert await rows(database_url, RATED) == []


async def test_answer_in_a_direct_message_is_rated_by_the_one_who_asked(database_url: URL, tmp_path: Path) -> None:
    async with answered_thread(database_url, tmp_path, channel="@app") as (scene, observer):
        await thumb(scene, observer, "Ada", "up")
        assert wording.THANKED_UP in (await whispers(scene, ADA))[0]
        assert wording.THANKED_DOWN in await down(scene, observer, "Ada", "it counted the wrong page")
        assert await rows(database_url, RATED) == [(ADA, "down", "it counted the wrong page")]


async def test_bad_run_becomes_a_goal_that_is_replayed_without_network_database_and_model(
    database_url: URL, tmp_path: Path
) -> None:
    async with answered_thread(database_url, tmp_path) as (scene, observer):
        await down(scene, observer, "Ada", "it counted the wrong page")
    goal = await goal_of_bad_run(database_url, tmp_path)
    assert goal["request"] == "how often was the shop asked?"
    assert goal["comment"] == "it counted the wrong page"
    assert [step["gives"]["body"]["calls"] for step in goal["steps"].values()] == [1]
    assert {node["id"] for node in goal["plan"]} == {"look", "count"}
    await replays_offline(tmp_path)


async def test_bad_run_whose_script_called_tools_becomes_a_goal_that_is_replayed_without_network(
    database_url: URL, tmp_path: Path
) -> None:
    async with answered_thread(database_url, tmp_path, plan=read_by_a_script) as (scene, observer):
        await down(scene, observer, "Ada", "it asked too often")
        assert scene.effects.calls == {"a": 2, "seen-2": 1}
    goal = await goal_of_bad_run(database_url, tmp_path)
    of_script = [step for name, step in goal["steps"].items() if name.startswith("read/")]
    assert [step["gives"]["body"]["calls"] for step in of_script if "fails" not in step] == [1, 2]
    assert ["bad_arguments" in step["fails"] for step in of_script if "fails" in step] == [True]
    assert goal["steps"]["look"]["after"] == [name for name in goal["steps"] if name.startswith("read/")]
    await replays_offline(tmp_path)


async def test_bad_run_whose_plan_uses_a_fact_of_one_person_becomes_no_goal(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await say(scene, "Ada", "ops", "remember for me that my customer is northwind")
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/northwind")))
        async with scene.asked("how is my customer?") as observer:
            await observer.until(answered, "the answer")
            assert "northwind" in scene.model.requests_of("planner")[0].last, "the fact was recalled"
            await down(scene, observer, "Ada", "wrong")
    file = tmp_path / "bad.json"
    written = await greenlight("--feedback", str(file), DATABASE_URL=database_url.render_as_string(hide_password=False))
    assert "its plan or answer uses a fact that only one person may see" in written.stderr
    assert "northwind" not in file.read_text()


async def test_bad_run_of_a_subagent_and_a_lead_with_workers_is_replayed_with_what_they_returned(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(
            subagent("look", "researcher", "Find the figure"),
            subagent("report", "lead", "Report on ${look}", files=["${look}"]),
            package(
                "words", "def main(inputs):\n    return len(inputs['text'].split())\n", inputs={"text": "${report}"}
            ),
        ),
        says(
            "researcher",
            calls(call("calculate", expression="6 * 7")),
            lambda request: f"The figure is {json.loads(told(request)[0])['value']}.",
        ),
        says(
            "lead",
            calls(
                call("hand_out", role="writer", instruction="Write it"),
                call("hand_out", role="critic", instruction="Judge it"),
            ),
            lambda request: " / ".join(told(request)),
        ),
        says("writer", "It is 42."),
        says("critic", {"passes": True, "faults": []}),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("report the figure") as observer:
        await observer.until(answered, "the answer")
        await down(scene, observer, "Ada", "it is too short")
    goal = await goal_of_bad_run(database_url, tmp_path)
    assert goal["work"]["look"]["gives"] == "The figure is 42."
    assert goal["work"]["report"]["after"] == ["look"]
    workers = {name: (work["role"], work["of"], work["gives"]) for name, work in goal["work"].items() if "of" in work}
    assert workers == {
        "report-0": ("writer", "report", "It is 42."),
        "report-1": ("critic", "report", {"passes": True, "faults": []}),
    }
    assert {*goal["roles"]} == {"researcher", "lead", "writer", "critic"}
    assert "prompt" not in json.dumps(goal["roles"])
    await replays_offline(tmp_path)
    found = await measured(tmp_path, lines(goal["plan"]))
    assert found["stored"] == {"valid": 1.0, "colours": 1.0, "parallel": 1.0, "success": 1.0}, found["by_goal"]
    assert "researcher" in found["asked"].messages[0].text, "the planner is told of the roles"


async def test_goal_does_not_tell_what_a_subagent_read_with_a_persons_rights(database_url: URL, tmp_path: Path) -> None:
    scripts = [
        planned(subagent("who", "researcher", "Find the person"), subagent("note", "writer", "Write a line")),
        says(
            "researcher", calls(call("slack_find_users", query="hopper")), lambda request: f"It is {told(request)[0]}"
        ),
        says("writer", "A line."),
        ENDS,
        concludes("Found. ANSWER"),
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("who is on call?") as observer:
        await observer.until(answered, "the answer")
        assert "Grace Hopper" in told(scene.model.requests_of("researcher")[-1])[0]
        await down(scene, observer, "Ada", "not her")
    goal = await goal_of_bad_run(database_url, tmp_path)
    assert {node: work["gives"] for node, work in goal["work"].items()} == {"who": "[left out]", "note": "A line."}
    assert "Hopper" not in (tmp_path / "bad.json").read_text()
    await replays_offline(tmp_path)


async def test_bad_follow_up_is_replayed_with_the_earlier_result_that_it_refers_to(
    database_url: URL, tmp_path: Path
) -> None:
    async with answered_thread(database_url, tmp_path) as (scene, observer):
        await answer_of(observer)
        count = package("again", COUNTS, inputs={"page": "${look#/body}"}, depends_on=["look"])
        scene.model.add(planned(count, fetch("more", f"{scene.effects.url}/seen-${{count}}", depends_on=["count"])))
        await scene.people.post("Ada", "ops", "and how often is that?", thread_ts=observer.thread_ts)
        await down(scene, observer, "Ada", "it counted again", answers=2)
    goal = await goal_of_bad_run(database_url, tmp_path)
    assert (goal["before"], goal["request"]) == (["how often was the shop asked?"], "and how often is that?")
    assert {node: earlier["gives"] for node, earlier in goal["earlier"].items() if node == "count"} == {"count": 1}
    assert goal["earlier"]["look"]["gives"]["body"]["calls"] == 1
    assert {node["id"] for node in goal["plan"]} == {"again", "more"}
    await replays_offline(tmp_path)
    found = await measured(tmp_path, lines(goal["plan"]))
    assert found["stored"] == {"valid": 1.0, "colours": 1.0, "parallel": 1.0, "success": 1.0}, found["by_goal"]
    told = "\n".join(message.text for message in found["asked"].messages)
    assert "how often was the shop asked?" in told, "what was asked before"
    assert '"calls": 1' in told, "an earlier result"


async def test_bad_reply_without_a_plan_becomes_a_goal_and_the_same_reply_is_judged_wrong(
    database_url: URL, tmp_path: Path
) -> None:
    bad = "It is in the runbook *shop*."
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned({"op": "reply", "text": bad}))
        async with scene.asked("where is it written?") as observer:
            assert wording.THANKED_DOWN in await down(scene, observer, "Ada", "there is no such runbook")
            await thumb(scene, observer, "Grace", "up")
            assert wording.THANKED_UP in (await whispers(scene, "U0GRACE"))[0]
    assert await rows(database_url, RATED) == [(ADA, "down", "there is no such runbook"), ("U0GRACE", "up", "")]
    goal = await goal_of_bad_run(database_url, tmp_path)
    assert (goal["request"], goal["bad_answer"]) == ("where is it written?", bad)
    assert goal["comment"] == "there is no such runbook"
    await replays_offline(tmp_path)
    again = await measured(tmp_path, json.dumps({"op": "reply", "text": "It is in the runbook shop"}))
    assert (again["stored"]["valid"], again["stored"]["success"]) == (1.0, 0.0)
    assert again["by_goal"][0]["says"] == ["the answer is the one that people found bad"]
    better = await measured(tmp_path, json.dumps({"op": "reply", "text": "It is written nowhere."}))
    assert (better["raw"]["success"], better["stored"]["success"]) == (1.0, 1.0)


async def goal_of_bad_run(url: URL, data: Path) -> Any:
    """Have `greenlight eval --feedback` write the only bad run, and return its goal."""
    file = data / "bad.json"
    written = await greenlight("--feedback", str(file), DATABASE_URL=url.render_as_string(hide_password=False))
    assert written.returncode == 0, written.stderr
    assert f"1 goals written to {file}, 0 runs left out" in written.stdout, written.stderr
    [goal] = json.loads(file.read_text())["goals"]
    return goal


async def replays_offline(data: Path) -> None:
    """Replay the goal that was written where there is no network, and see it right as it was planned."""
    replayed = await greenlight(str(data / "bad.json"), "--json", offline=True)
    assert replayed.returncode == 0, replayed.stderr
    found = json.loads(replayed.stdout)
    assert (found["goals"], found["wrong"]) == (1, {"colours": 0, "edges": 0, "otherwise": 0})
    kinds = {entry["fault"]: entry for entry in found["by_fault"]}
    assert kinds["no fault"]["corrected"] == {"right": 1, "refused": 0, "wrong": 0}


async def measured(data: Path, plan: str) -> Any:
    """Measure a model that says this plan to the goal that was written."""
    scripts = [Script(role="planner", answer=plan), Script(role="answer", answer=lambda request: request.last)]
    async with ScriptedModel(scripts, api_key="sk-eval") as model:
        url = await model.start()
        done = await greenlight(
            str(data / "bad.json"), "--json", OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-eval", GREENLIGHT_MODEL="scripted"
        )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "asked": model.requests_of("planner")[0]}


async def greenlight(*arguments: str, offline: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `greenlight eval` without the developer's settings; `offline` in a namespace without any network."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "GREENLIGHT_"))}
    command = [*(["unshare", "--map-root-user", "--net"] if offline else []), str(GREENLIGHT), "eval", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, env={**clean, **environment}
    )
