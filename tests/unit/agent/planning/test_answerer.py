"""The answer: from the model with the results in view, plainly without it, and none when there is trouble."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from agent.ids import Digest, NodeId, UserId
from agent.limits import Role
from agent.plan.operations import Add, Node, NodeKind
from agent.plan.outcomes import ArtifactRef, Cancelled, Expired, Failed, Outcome, Rejected, Skipped, Succeeded
from agent.planning.answerer import Answerer
from agent.ports import Run, RunStatus, WrittenAnswer
from bot.blocks.answer import PlainResults
from infra.dev.scripted_model.script import CONTEXT_TOO_LONG, Failure, Script
from tests.fakes.planning import THREAD, PlanningWorld, planning_world, sections
from tests.fakes.ports_in_memory import SpendingInMemory

REF = ArtifactRef(digest=Digest("0" * 64), name="b.txt", size=9000, media_type="text/plain", head="one `two`\nthree")


async def planned(world: PlanningWorld, *ids: str, turn: int = 1, text: str = "check it") -> None:
    await world.runs.begin(THREAD, turn)
    message = world.say(text)
    nodes = [Node(id=NodeId(name), kind=NodeKind.TOOL, title=f"Do {name}") for name in ids]
    await world.log.append(THREAD, turn, UserId("U1"), [Add(node=node) for node in nodes])
    await world.mailbox.taken(THREAD, turn, [message.id])


async def answered(world: PlanningWorld, outcomes: Mapping[str, Outcome], turn: int = 1) -> Run:
    await world.answerer.answer(THREAD, turn, {NodeId(key): each for key, each in outcomes.items()})
    return await world.runs.read(THREAD, turn)


def answer(said: Any, times: int | None = None) -> Script:
    return Script(role="answer", answer=said, times=times)


async def test_answer_is_written_from_request_and_results() -> None:
    async with planning_world(answer("  All *well*.\n")) as world:
        await planned(world, "a", "b")
        run = await answered(world, {"a": Succeeded(value={"n": 1}), "b": Rejected(by=UserId("U2"), reason="no")})
        assert (run.status, run.answer, run.error) == (RunStatus.DONE, "All *well*.", "")
        [request] = world.asked(Role.ANSWER)
        assert request.system == world.system.text
        told = sections(request.last)
        assert told["Request"] == "check it"
        assert [json.loads(line) for line in told["Results"].splitlines()] == [
            {"id": "a", "kind": "tool", "title": "Do a", "state": "succeeded", "result": {"n": 1}},
            {"id": "b", "kind": "tool", "title": "Do b", "state": "rejected", "result": {"by": "U2", "reason": "no"}},
        ]


async def test_only_this_turns_nodes_are_results_and_the_past_is_a_dialogue() -> None:
    async with planning_world(answer("later")) as world:
        await planned(world, "a", text="first")
        await world.runs.finish(THREAD, 1, RunStatus.DONE, "earlier")
        await planned(world, "b", turn=2, text="second")
        await answered(world, {"a": Succeeded(value=1), "b": Succeeded(value=2)}, turn=2)
        [request] = world.asked(Role.ANSWER)
        assert [(message.role, message.text) for message in request.messages[1:3]] == [
            ("user", "first"),
            ("assistant", "earlier"),
        ]
        assert '"id": "a"' not in request.last


async def test_the_answer_of_the_conclusion_is_stored_as_it_is() -> None:
    async with planning_world() as world:
        await planned(world, "a")
        await world.answerer.answer(THREAD, 1, {NodeId("a"): Succeeded(value=1)}, WrittenAnswer(text="All *well*."))
        run = await world.runs.read(THREAD, 1)
        assert (run.status, run.answer, run.error) == (RunStatus.DONE, "All *well*.", "")
        assert world.server.requests == []


async def test_a_conclusion_that_failed_is_told_with_the_plain_results() -> None:
    async with planning_world() as world:
        await planned(world, "a")
        failed = WrittenAnswer(error="model_unheard")
        await world.answerer.answer(THREAD, 1, {NodeId("a"): Succeeded(value="fine")}, failed)
        run = await world.runs.read(THREAD, 1)
        assert (run.answer, run.error) == ("- **Do a**: done; `fine`", "model_unheard")


async def test_finished_turn_is_not_answered_again() -> None:
    async with planning_world(answer("x")) as world:
        await planned(world, "a")
        await answered(world, {"a": Succeeded(value=1)})
        await answered(world, {"a": Succeeded(value=1)})
        assert len(world.asked(Role.ANSWER)) == 1


async def test_what_a_turn_has_spent_is_written_before_it_ends() -> None:
    """Its board is shown for the last time once it has ended."""
    statuses: list[RunStatus] = []

    class Noting(SpendingInMemory):
        async def flush(self) -> None:
            statuses.append((await world.runs.read(THREAD, turn)).status)

    async with planning_world() as world:
        world.answerer = Answerer(
            model=None, log=world.log, runs=world.runs, words=PlainResults(), memory=world.memory, spending=Noting()
        )
        for turn, nodes in enumerate([[], ["n2"]], start=1):
            await planned(world, *nodes, turn=turn)
            ended = await answered(world, {f"n{turn}": Succeeded(value=1)}, turn=turn)
            assert ended.status is RunStatus.DONE
        assert statuses == [RunStatus.PLANNING, RunStatus.PLANNING]


async def test_turn_with_replies_only_asks_no_model() -> None:
    async with planning_world() as world:
        await world.runs.begin(THREAD, 1)
        message = world.say("hm")
        await world.mailbox.taken(THREAD, 1, [message.id], reply="Which one?")
        run = await answered(world, {})
        assert (run.status, run.answer, run.replies) == (RunStatus.DONE, "", ("Which one?",))
        assert world.server.requests == []


async def test_turn_with_trouble_and_no_work_fails_with_its_trouble() -> None:
    async with planning_world() as world:
        await world.runs.begin(THREAD, 1)
        message = world.say("hm")
        await world.mailbox.taken(THREAD, 1, [message.id], error="plan_invalid")
        run = await answered(world, {})
        assert (run.status, run.answer, run.error) == (RunStatus.FAILED, "", "plan_invalid")
        assert world.server.requests == []


async def test_what_ran_despite_trouble_is_answered_plainly() -> None:
    async with planning_world() as world:
        await planned(world, "a")
        world.runs.rows[THREAD, 1] = replace(world.runs.rows[THREAD, 1], error="plan_invalid")
        run = await answered(world, {"a": Succeeded(value="fine")})
        assert (run.status, run.error, run.answer) == (RunStatus.DONE, "plan_invalid", "- **Do a**: done; `fine`")
        assert world.server.requests == []


EVERY: Mapping[str, Outcome] = {
    "a": Succeeded(value={"n": [1, "x"]}),
    "b": Succeeded(artifact=REF),
    "c": Failed(error="timeout", message="a tool's words <!channel>"),
    "d": Rejected(by=UserId("U2")),
    "e": Expired(),
    "f": Skipped(because=NodeId("d")),
    "g": Cancelled(why="x"),
    "h": Succeeded(value=None),
}

PLAIN = """\
- **Do a**: done; `{"n": [1, "x"]}`
- **Do b**: done; 9000 bytes, beginning with `one 'two' three`
- **Do c**: failed: it took too long
- **Do d**: rejected
- **Do e**: expired: nobody decided in time
- **Do f**: skipped, because of “Do d”
- **Do g**: cancelled
- **Do h**: done"""


async def test_without_a_model_the_answer_is_a_plain_list() -> None:
    async with planning_world() as world:
        world.answerer = Answerer(model=None, log=world.log, runs=world.runs, words=PlainResults(), memory=world.memory)
        await planned(world, *EVERY)
        run = await answered(world, EVERY)
        assert (run.status, run.answer) == (RunStatus.DONE, PLAIN)


@pytest.mark.parametrize("said", [Failure(status=500, message="x"), ""], ids=["500", "nothing"])
async def test_model_that_is_away_costs_no_results(said: Any) -> None:
    async with planning_world(answer(said)) as world:
        await planned(world, *EVERY)
        run = await answered(world, EVERY)
        assert run.status is RunStatus.DONE
        assert run.answer == PLAIN
        assert run.error == "model_unheard"


async def test_results_longer_than_the_model_reads_are_told_briefly() -> None:
    async with planning_world(answer(CONTEXT_TOO_LONG, times=1), answer("in short")) as world:
        await planned(world, *EVERY)
        run = await answered(world, EVERY)
        assert (run.answer, run.error) == ("in short", "")


async def test_results_the_model_cannot_read_even_briefly_are_listed_plainly() -> None:
    async with planning_world(answer(CONTEXT_TOO_LONG)) as world:
        await planned(world, *EVERY)
        run = await answered(world, EVERY)
        assert (run.answer, run.error) == (PLAIN, "results_too_long")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([Succeeded(value=1), Failed(error="timeout")], RunStatus.DONE),
        ([Failed(error="timeout"), Skipped(because=NodeId("n0"))], RunStatus.FAILED),
        ([Expired()], RunStatus.FAILED),
        ([Rejected(by=UserId("U2")), Cancelled()], RunStatus.STOPPED),
    ],
    ids=["something done", "failed", "expired", "unwanted"],
)
async def test_turn_is_done_only_when_something_was(outcomes: list[Outcome], status: RunStatus) -> None:
    async with planning_world(answer("x")) as world:
        await planned(world, *(f"n{number}" for number in range(len(outcomes))))
        run = await answered(world, {f"n{number}": each for number, each in enumerate(outcomes)})
        assert run.status is status
