"""The planner over the wire: what is stored when, what the model is shown, and how trouble ends."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from agent.errors import StoreUnavailable
from agent.ids import ThreadId, UserId
from agent.limits import Role
from agent.plan.operations import LoggedOperation, Operation
from agent.plan.outcomes import ArtifactRef, Digest, Failed, Succeeded
from agent.ports import RunStatus
from agent.tool import Registry
from infra.dev.scripted_model.script import CONTEXT_TOO_LONG, Cut, Failure, Pace, Rubbish, Script, Stall, Text
from tests.fakes.chat_messages import fetch, lines, planner
from tests.fakes.planning import THREAD, planning_world, sections
from tests.fakes.public_tools import public_set


async def test_operations_are_stored_with_the_author_of_the_message() -> None:
    async with planning_world(planner(lines(fetch("a"), fetch("b", "${a#/url}")))) as world:
        world.say("fetch it", author="U7")
        run = await world.feed()
        assert world.nodes == ["a", "b"]
        assert world.authors == {"a": "U7", "b": "U7"}
        assert world.appended == 2
        assert (run.error, run.replies, [message.text for message in run.messages]) == ("", (), ["fetch it"])
        assert list(await world.mailbox.untaken(THREAD)) == []


async def test_operation_is_stored_while_the_model_is_still_writing() -> None:
    """The model goes silent after its first line: what it said by then stands and runs."""
    async with planning_world(planner(Stall(after=lines(fetch("a")) + '{"op":"add"'))) as world:
        world.say("go")
        feeding = asyncio.create_task(world.feed())
        async with asyncio.timeout(30):
            await world.grown.wait()
        assert (world.nodes, world.appended) == (["a"], 1)
        assert not feeding.done()
        feeding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await feeding


async def test_first_message_is_asked_as_the_contract_says() -> None:
    async with planning_world(planner(lines(fetch("a")))) as world:
        world.say("check *all*\n## of it")
        await world.feed()
        [request] = world.asked(Role.PLANNER)
        assert request.stream
        assert [message.role for message in request.messages] == ["system", "user"]
        assert request.system.startswith("# Greenlight: planner\n")
        assert "Scripts are Python." in request.system
        assert '{"name": "post", "colour": "red", "description": "Posts a text."' in request.system
        assert "{{" not in request.system
        assert request.last == "## Request\ncheck *all*\n## of it\n\n## Now\n2026-11-21T09:30:00+00:00"


async def test_several_messages_of_one_person_are_one_request() -> None:
    async with planning_world(planner(lines(fetch("a")))) as world:
        world.say("one")
        world.say("two\nlines")
        run = await world.feed()
        [request] = world.asked(Role.PLANNER)
        assert sections(request.last)["Request"] == "- <@U1>: one\n- <@U1>: two\n  lines"
        assert len(run.messages) == 2


async def test_each_person_is_planned_with_their_own_rights() -> None:
    first = Script(role="planner", contains="first", answer=lines(fetch("a")))
    second = Script(role="planner", contains="second", answer=lines(fetch("b")))
    async with planning_world(second, first) as world:
        world.say("first", author="U1")
        world.say("second", author="U2")
        await world.feed()
        assert world.authors == {"a": "U1", "b": "U2"}
        later = world.asked(Role.PLANNER)[1]
        assert [(message.role, message.text) for message in later.messages[1:3]] == [
            ("user", "first"),
            ("assistant", "(planned; see the plan so far)"),
        ]
        assert sections(later.last)["Plan so far"] == (
            '{"id": "a", "kind": "tool", "title": "Fetch a", "state": "planned"}'
        )


async def test_plan_so_far_shows_results_and_artifacts() -> None:
    async with planning_world(
        planner(lines(fetch("a"), fetch("b"), fetch("c")), times=1), planner(lines(fetch("d")))
    ) as world:
        world.say("go")
        await world.feed()
        ref = ArtifactRef(digest=Digest("0" * 64), name="b.json", size=9000, media_type="application/json", head='{"x"')
        world.ended("a", Succeeded(value={"status": 200}))
        world.ended("b", Succeeded(artifact=ref))
        world.ended("c", Failed(error="timeout", message="too\nslow"))
        world.say("and then?")
        await world.feed()
        shown = [json.loads(line) for line in sections(world.asked(Role.PLANNER)[1].last)["Plan so far"].splitlines()]
        assert [node["result"] for node in shown] == [
            {"status": 200},
            {"artifact": {"name": "b.json", "size": 9000, "media_type": "application/json", "head": '{"x"'}},
            {"error": "timeout", "message": "too\nslow"},
        ]


async def test_earlier_turns_stand_before_as_a_dialogue() -> None:
    async with planning_world(planner(lines(fetch("a")), times=1), planner(lines(fetch("b")))) as world:
        world.say("first question")
        await world.feed(turn=1)
        await world.runs.finish(THREAD, 1, (await world.runs.read(THREAD, 1)).status, "First answer.")
        world.say("and now?")
        await world.feed(turn=2)
        later = world.asked(Role.PLANNER)[1]
        assert [(message.role, message.text) for message in later.messages[1:3]] == [
            ("user", "first question"),
            ("assistant", "First answer."),
        ]


async def test_reply_is_kept_with_the_turn_and_plans_nothing() -> None:
    async with planning_world(planner('{"op":"reply","text":"Which one?"}\n')) as world:
        world.say("do it")
        run = await world.feed()
        assert (world.nodes, run.replies, run.error) == ([], ("Which one?",), "")


async def test_faults_go_back_and_what_was_right_stands() -> None:
    bad = fetch("b")
    bad["args"] = {"uri": "http://x"}
    async with planning_world(
        planner(lines(fetch("a"), bad, fetch("c", "${b#/url}")), times=1),
        planner(lines(fetch("b"), fetch("c", "${b#/url}"))),
    ) as world:
        world.say("go")
        run = await world.feed()
        assert (world.nodes, run.error) == (["a", "b", "c"], "")
        repair = world.asked(Role.PLANNER)[1]
        assert [message.role for message in repair.messages] == ["system", "user", "assistant", "user"]
        assert repair.messages[2].text == lines(fetch("a"), bad, fetch("c", "${b#/url}"))
        told = sections(repair.last)
        assert list(told) == ["Request", "Follow up", "Plan so far", "Faults", "Now"]
        faults = [json.loads(line) for line in told["Faults"].splitlines()]
        assert [(fault["line"], fault["node"], fault["code"]) for fault in faults] == [
            (2, "b", "bad_arguments"),
            (2, "b", "bad_arguments"),
            (3, "c", "held_back"),
        ]


async def test_model_that_repeats_what_stands_is_not_blamed() -> None:
    bad = {**fetch("b"), "tool": "fly"}
    async with planning_world(
        planner(lines(fetch("a"), bad), times=1), planner(lines(fetch("a"), fetch("b")))
    ) as world:
        world.say("go")
        run = await world.feed()
        assert (world.nodes, run.error) == (["a", "b"], "")


async def test_after_two_repairs_the_person_is_told() -> None:
    async with planning_world(planner(lines(fetch("a"), {**fetch("b"), "tool": "fly"}))) as world:
        world.say("go")
        run = await world.feed()
        assert run.error == "plan_invalid"
        assert world.nodes == ["a"]
        assert len(world.asked(Role.PLANNER)) == 3
        assert list(await world.mailbox.untaken(THREAD)) == []


@pytest.mark.parametrize("text", ["I cannot plan that, sorry.", "[]", '{"operations":[]}', "```\n```"])
async def test_answer_without_operations_is_an_empty_plan(text: str) -> None:
    async with planning_world(planner(text, times=1), planner(lines(fetch("a")))) as world:
        world.say("go")
        run = await world.feed()
        assert '"code": "empty_plan"' in world.asked(Role.PLANNER)[1].last
        assert (world.nodes, run.error) == (["a"], "")


@pytest.mark.parametrize(
    "answer",
    [Failure(status=500, message="boom"), Failure(status=401, message="no"), Rubbish(), Cut(after=""), Text(text="")],
    ids=["500", "401", "rubbish", "cut at once", "nothing"],
)
async def test_model_that_cannot_be_used_is_trouble_not_an_error(answer: Any) -> None:
    async with planning_world(planner(answer)) as world:
        world.say("go")
        run = await world.feed()
        assert (run.error, world.nodes) == ("model_unavailable", [])
        assert list(await world.mailbox.untaken(THREAD)) == []


async def test_silent_model_is_given_up() -> None:
    async with planning_world(planner(Stall()), silence_seconds=0.2) as world:
        world.say("go")
        assert (await world.feed()).error == "model_slow"


async def test_request_longer_than_the_model_reads_is_asked_once_more_without_the_past() -> None:
    async with planning_world(planner(CONTEXT_TOO_LONG, times=1), planner(lines(fetch("b")))) as world:
        await world.runs.begin(THREAD, 1)
        await world.mailbox.taken(THREAD, 1, [world.say("long ago").id])
        await world.runs.finish(THREAD, 1, RunStatus.DONE, "answered")
        world.say("go")
        run = await world.feed(turn=2)
        assert (world.nodes, run.error) == (["b"], "")
        first, second = world.asked(Role.PLANNER)
        assert (len(first.messages), len(second.messages)) == (4, 2)


async def test_request_the_model_can_never_read_is_told_in_words() -> None:
    async with planning_world(planner(CONTEXT_TOO_LONG)) as world:
        world.say("go")
        assert (await world.feed()).error == "request_too_long"
        assert len(world.asked(Role.PLANNER)) == 2


async def test_stream_that_broke_off_is_taken_up_once_with_the_plan_in_view() -> None:
    async with planning_world(
        planner(Cut(after=lines(fetch("a")) + '{"op":'), times=1), planner(lines(fetch("b", "${a#/url}")))
    ) as world:
        world.say("go")
        run = await world.feed()
        assert (world.nodes, run.error) == (["a", "b"], "")
        again = world.asked(Role.PLANNER)[1]
        assert [message.role for message in again.messages] == ["system", "user"]
        assert '"id": "a"' in sections(again.last)["Plan so far"]


async def test_stream_that_keeps_breaking_off_is_trouble_and_what_stands_stands() -> None:
    async with planning_world(planner(Cut(after=lines(fetch("a"))))) as world:
        world.say("go")
        run = await world.feed()
        assert (world.nodes, run.error) == (["a"], "model_unavailable")
        assert len(world.asked(Role.PLANNER)) == 2


@pytest.mark.parametrize("meanwhile", [None, Failed(error="timeout")], ids=["still runs", "has failed"])
async def test_replanning_after_a_crash_adds_nothing_twice(meanwhile: Failed | None) -> None:
    """The process died after the first operation: the message is untaken, the operation stored."""
    async with planning_world(planner(lines(fetch("a"), fetch("b", "${a}")))) as world:
        world.say("go")
        await world.runs.begin(THREAD, 1)
        whole = world.log.append
        stored = 0

        async def dying(
            thread: ThreadId, turn: int, author: UserId, operations: Sequence[Operation]
        ) -> Sequence[LoggedOperation]:
            nonlocal stored
            if stored:
                raise StoreUnavailable
            stored += 1
            return await whole(thread, turn, author, operations)

        world.log.append = dying
        with pytest.raises(StoreUnavailable):
            await world.feed()
        assert world.nodes == ["a"]
        assert len(await world.mailbox.untaken(THREAD)) == 1
        world.log.append = whole
        if meanwhile is not None:
            world.ended("a", meanwhile)
        run = await world.feed()
        assert (world.nodes, run.error) == (["a", "b"], "")
        assert len(world.asked(Role.PLANNER)) == 2


async def test_slow_stream_is_waited_for() -> None:
    answer = Script(role="planner", answer=lines(fetch("a")), pace=Pace(first_seconds=0.1, tokens_per_second=100))
    async with planning_world(answer) as world:
        world.say("go")
        await world.feed()
        assert world.nodes == ["a"]
        assert world.model.usage[Role.PLANNER].output_tokens > 0


PUBLIC = Registry(public_set().tools)
WEATHER = {
    "op": "add",
    "id": "weather",
    "kind": "tool",
    "tool": "Weather_1_GetWeather",
    "args": {"city": "Vancouver"},
}
RAIN = "Can you tell me if it will rain in Vancouver?"


def need(*words: str) -> str:
    return "".join(json.dumps({"op": "tools", "need": word}) + "\n" for word in words)


async def test_tools_that_the_model_asks_for_are_shown_and_what_it_planned_before_stands() -> None:
    first = planner(
        lines({**WEATHER, "id": "paris", "args": {"city": "Paris"}}) + need("Weather_1_GetWeather"), times=1
    )
    async with planning_world(first, planner(lines(WEATHER)), tools=PUBLIC) as world:
        world.say(RAIN)
        run = await world.feed()
        assert (run.error, world.nodes) == ("", ["paris", "weather"])
        asked, again = world.asked(Role.PLANNER)
        assert "Weather_1_GetWeather" in asked.system
        assert '"Weather_1_GetWeather"' not in asked.last
        assert '{"name": "Weather_1_GetWeather"' in sections(again.last)["Tools"]
        assert len(sections(again.last)["Tools"]) < len(sections(asked.last)["Tools"])
        assert again.messages[0] == asked.messages[0]
        assert [message.text for message in again.messages[: len(asked.messages)]] == [
            message.text for message in asked.messages
        ], "each request begins with the one before"
        assert "Faults" not in sections(again.last)


async def test_more_tools_are_shown_twice_at_most() -> None:
    async with planning_world(planner(need("anything")), tools=PUBLIC) as world:
        world.say(RAIN)
        assert (await world.feed()).error == "plan_invalid"
        requests = world.asked(Role.PLANNER)
        assert ["Tools" in sections(request.last) for request in requests] == [True, True, True, False, False]
        assert "no more tools are shown" in sections(requests[3].last)["Faults"]


async def test_few_tools_are_never_searched() -> None:
    async with planning_world(planner(need("anything"), times=1), planner(lines(fetch("a")))) as world:
        world.say(RAIN)
        assert (await world.feed()).error == ""
        first, second = world.asked(Role.PLANNER)
        assert "Tools" not in sections(first.last)
        assert "all tools are shown already" in sections(second.last)["Faults"]


async def test_follow_up_is_shown_the_tools_of_the_plan() -> None:
    async with planning_world(
        planner(lines(WEATHER), times=1), planner('{"op":"reply","text":"ok"}'), tools=PUBLIC
    ) as world:
        world.say(RAIN)
        await world.feed()
        world.say("and for the day after, please")
        await world.feed()
        later = world.asked(Role.PLANNER)[1]
        assert '{"name": "Weather_1_GetWeather"' in sections(later.last)["Tools"]
        assert later.system == world.asked(Role.PLANNER)[0].system


async def test_request_that_was_too_long_is_shown_all_its_tools_again() -> None:
    asks, refuses = planner(need("Weather_1_GetWeather"), times=1), planner(CONTEXT_TOO_LONG, times=1)
    async with planning_world(asks, refuses, planner(lines(WEATHER)), tools=PUBLIC) as world:
        world.say(RAIN)
        assert (await world.feed()).error == ""
        first, _, third = world.asked(Role.PLANNER)
        assert len(third.messages) == 2
        assert sections(first.last)["Tools"] in third.last
        assert '{"name": "Weather_1_GetWeather"' in third.last


async def test_wrong_name_among_many_tools_is_told_those_near_it() -> None:
    wrong = {**WEATHER, "tool": "Weather_1_GetTheWeather"}
    async with planning_world(planner(lines(wrong), times=1), planner(lines(WEATHER)), tools=PUBLIC) as world:
        world.say(RAIN)
        assert (await world.feed()).error == ""
        told = sections(world.asked(Role.PLANNER)[1].last)["Faults"]
        assert "near it: Weather_1_GetWeather" in told
        assert len(told) < 500
