"""A long thread stays within the budget of tokens, and nothing early is forgotten."""

import json
import re
from pathlib import Path

from sqlalchemy import URL

from agent.approval import Decision
from agent.execution.graph import AdvanceResult
from agent.limits import MemoryLimits, Role
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.plans import ENDS, concludes, fetch, planned
from tests.fakes.planning import THREAD, sections
from tests.fakes.plans import json_lines
from tests.fakes.whole_agent import Whole, whole

BUDGET = MemoryLimits(tokens=1000)


EARLY = "our region is eu-north-7"


TALK = "tell me more about this, in many words " * 12


def summed_up(request: ModelRequest) -> str:
    """Keep of the past what matters here, as a model does: the region, once somebody told it."""
    return f"People said: {EARLY}." if EARLY in request.last else "Small talk."


def says_region(request: ModelRequest) -> str:
    """Plan with the region when it is known from anything that was shown."""
    shown = "\n".join(message.text for message in request.messages if message.role != "system")
    known = re.search(r"eu-north-\d", shown)
    return json.dumps({"op": "reply", "text": f"The region is {known[0] if known else 'unknown'}. " + "Indeed. " * 40})


SCRIPTS = (
    Script(role="planner", answer=says_region),
    Script(role="summary", answer=summed_up),
    ENDS,
    concludes("Done."),
)


async def _say(agent: Whole, text: str, author: str = "U1") -> ModelRequest:
    """Have a turn and return what the planner was asked first in it."""
    before = len(agent.world.asked(Role.PLANNER))
    agent.world.say(text, author)
    assert await agent.advance() is AdvanceResult.FINISHED
    return agent.world.asked(Role.PLANNER)[before]


def _tokens(request: ModelRequest) -> int:
    """What the planner was shown besides its own prompt, at four bytes a token."""
    return sum(len(message.text.encode()) // 4 for message in request.messages[1:])


async def test_a_long_thread_stays_within_its_budget_and_still_answers_from_its_first_message() -> None:
    async with whole(*SCRIPTS, memory=BUDGET) as agent:
        await _say(agent, f"By the way: {EARLY}. {TALK}")
        asked = [await _say(agent, f"{number}: {TALK}") for number in range(20)]
        last = await _say(agent, "which region was it?")
        assert all(_tokens(request) <= BUDGET.tokens + len(TALK) // 4 + 50 for request in asked)
        assert not any(f"By the way: {EARLY}" in message.text for message in last.messages)
        assert last.messages[1].text == f"## Earlier in this thread\nPeople said: {EARLY}."
        run = await agent.world.runs.read(THREAD, 22)
        assert run.replies[0].startswith("The region is eu-north-7.")
        # Written once per overflow: far fewer times than there are turns, and each reaches further.
        reached = [summary.upto_turn for summary in agent.world.summaries.kept]
        assert len(reached) == len(agent.world.asked(Role.SUMMARY)) < 12
        assert reached == sorted(set(reached))


async def test_many_short_turns_are_summed_up_too_and_nothing_early_is_forgotten() -> None:
    most = MemoryLimits(turns=6)
    async with whole(*SCRIPTS, memory=most) as agent:
        asked = [await _say(agent, f"By the way: {EARLY}.")]
        asked += [await _say(agent, f"number {number}") for number in range(20)]
        said = [[message.role for message in request.messages].count("assistant") for request in asked]
        assert max(said) == most.turns, "as many turns are shown word by word, and no more"
        reached = [summary.upto_turn for summary in agent.world.summaries.kept]
        assert reached == [4, 8, 12, 16], "one summary for each four turns, which leaves three"
        last = await _say(agent, "which region was it?")
        assert last.messages[1].text == f"## Earlier in this thread\nPeople said: {EARLY}."
        assert (await agent.world.runs.read(THREAD, 22)).replies[0].startswith("The region is eu-north-7.")


async def test_without_a_summary_only_the_newest_of_many_short_turns_are_shown() -> None:
    away = Script(role="summary", answer="")
    async with whole(away, *SCRIPTS, memory=MemoryLimits(turns=3)) as agent:
        asked = [await _say(agent, f"number {number}") for number in range(8)]
        shown = [message.text for message in asked[-1].messages if message.role == "user"]
        assert shown[:-1] == ["number 4", "number 5", "number 6"]


async def test_a_summary_is_written_from_the_one_before_and_only_the_turns_after_it() -> None:
    async with whole(*SCRIPTS, memory=BUDGET) as agent:
        await _say(agent, f"By the way: {EARLY}. {TALK}")
        for number in range(12):
            await _say(agent, f"{number}: {TALK}")
        first, second, *_ = agent.world.asked(Role.SUMMARY)
        assert "Summary so far" not in sections("\n\n" + first.last)
        assert EARLY in sections("\n\n" + second.last)["Summary so far"]
        assert EARLY not in sections("\n\n" + second.last)["Turns"]


async def test_without_an_answer_of_the_summary_the_oldest_turns_are_left_out_and_summed_up_later() -> None:
    away = Script(role="summary", answer="", times=3)
    async with whole(away, *SCRIPTS, memory=BUDGET) as agent:
        await _say(agent, f"By the way: {EARLY}. {TALK}")
        asked = [await _say(agent, f"{number}: {TALK}") for number in range(8)]
        assert all(_tokens(request) <= BUDGET.tokens + len(TALK) // 4 + 50 for request in asked)
        assert {row.error for row in agent.world.runs.rows.values()} == {""}
        assert EARLY in agent.world.summaries.kept[0].text


async def test_one_turn_of_many_words_is_shown_within_the_budget_too() -> None:
    wordy = Script(role="planner", answer=json.dumps({"op": "reply", "text": "Indeed. " * 4000}), times=1)
    async with whole(wordy, *SCRIPTS, memory=BUDGET) as agent:
        for number in range(10):
            agent.world.say(f"{number}: {TALK * 10}")
        assert await agent.advance() is AdvanceResult.FINISHED
        assert _tokens(await _say(agent, "and now?")) <= BUDGET.tokens


async def test_a_later_run_is_shown_earlier_results_by_name_size_and_head_and_never_whole() -> None:
    page = "http://" + "x" * 3000
    plan: list[dict[str, Json]] = [
        {"op": "add", "id": "big", "kind": "tool", "title": "Big", "tool": "fetch", "args": {"url": page}},
        {"op": "add", "id": "tell", "kind": "tool", "title": "Tell", "tool": "post", "args": {"text": "hi"}},
    ]
    more = json_lines(
        [{"op": "add", "id": "more", "kind": "tool", "title": "More", "tool": "fetch", "args": {"url": "${big#/url}"}}]
    )
    planner = (
        Script(role="planner", answer=json_lines(plan), times=1),
        Script(role="planner", answer=more, times=1),
    )
    async with whole(*planner, *SCRIPTS) as agent:
        agent.world.say("get the page")
        assert await agent.advance() is AdvanceResult.PARKED
        agent.decide("tell", Decision.APPROVED)
        assert await agent.advance() is AdvanceResult.FINISHED
        later = await _say(agent, "and again")
        rows = {row["id"]: row for row in map(json.loads, sections(later.last)["Plan so far"].splitlines())}
        shown = rows["big"]["result"]["artifact"]
        assert (shown["name"], shown["media_type"]) == ("big.json", "application/json")
        assert 3000 < shown["size"] < 3200
        assert 0 < len(shown["head"]) <= 200
        assert rows["tell"]["result"] == {"ts": "1.0"}
        assert page not in later.last
        # What is shown in part is referred to whole.
        assert (await agent.states())["more"] == "succeeded"
        results = sections(agent.world.asked(Role.CONCLUDE)[-1].last)["Results"]
        assert page in results


async def test_people_and_channels_have_names_for_the_model() -> None:
    async with whole(*SCRIPTS) as agent:
        agent.world.directory.known.update({"U1": 'Ada "the <b>" Lovelace', "U7": "Grace", "C1": "ops", "C9": "leads"})
        first = await _say(agent, "ask <@U7> in <#C9>, not <@U8>")
        assert sections(first.last)["Request"] == "ask <@U7|Grace> in #leads, not <@U8>"
        assert sections(first.last)["Thread"] == "In #ops, asked by <@U1|Ada the b Lovelace>."
        second = await _say(agent, "and <@U7> again")
        assert second.messages[1].text == "ask <@U7|Grace> in #leads, not <@U8>"


async def test_the_summary_survives_a_restart_and_names_come_from_slack(database_url: URL, tmp_path: Path) -> None:
    def little(table: dict[str, object]) -> None:
        table["memory"] = {"tokens": BUDGET.tokens}

    async with app_scene(database_url, tmp_path, [], configuration=little) as scene:
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/look"), contains="By the way"))
        for script in SCRIPTS:
            scene.model.add(script)
        async with scene.asked(f"By the way: {EARLY}. {TALK}") as observer:
            await observer.until(lambda seen: seen.says("Done."), "the first answer")
            number = 1
            while not (summed := len(scene.model.requests_of("summary"))):  # a message to a turn at work joins it
                assert number < 40
                await _reply(scene, observer, f"{number}: {TALK}", number)
                number += 1
            await scene.stop_app()
            await scene.start_app()
            await _reply(scene, observer, "which region was it?", number)
            assert observer.says("The region is eu-north-7.")
        last = scene.model.requests_of("planner")[-1]
        assert EARLY in last.messages[1].text
        assert not any("By the way" in message.text for message in last.messages)
        assert len(scene.model.requests_of("summary")) - summed <= 1
        thread = sections(last.last)["Thread"]
        assert re.fullmatch(r"In #ops, asked by <@U\w+\|Ada[^<>|]*>\.", thread)


async def _reply(scene: AppScene, observer: ThreadObserver, text: str, number: int) -> None:
    """Have Ada write in the thread, and wait for the reply to it."""
    await scene.people.post("Ada", observer.channel, text, thread_ts=observer.thread_ts)
    await observer.until(lambda seen: sum("The region is" in word for word in seen.words()) >= number, "the reply")
