"""Subagents: which steps are asked for, kept and repeated, and how one ends."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import AttemptEnded, NodeChanged
from agent.ids import Digest, NodeId, ToolName, UserId
from agent.plan.operations import Node, NodeKind
from agent.plan.outcomes import Expired, Failed, Outcome, Rejected, Succeeded
from agent.plan.script_calls import Suspended
from agent.ports import ChatMessage, OfferedTool
from agent.roles import SubagentRole
from agent.subagents.dialogue import request_message
from agent.tool import CallContext, InputRequired
from sandbox.script import Json
from tests.fakes.subagents import ROLE, Bench, Dead, asks, says

LOOK = ("look", {"n": 1})
CHANGE = ("change", {"n": 2})


async def test_answer_without_calls_is_the_result() -> None:
    bench = Bench(answers=[asks(LOOK), says(" Done. ")])
    assert await bench.run() == Succeeded(value="Done.")
    assert [message.by for message in bench.asked[1]] == ["system", "human", "ai", "tool"]
    assert bench.asked[1][3].text == "1"
    assert bench.asked[1][3].answers == bench.asked[1][2].calls[0].id


async def test_finished_subagent_runs_again_without_a_call() -> None:
    bench = Bench(answers=[asks(LOOK, LOOK), says("Done.")])
    first = await bench.run()
    asked, looked = len(bench.asked), len(bench.looked)
    assert await bench.run() == first
    assert (len(bench.asked), len(bench.looked)) == (asked, looked)


_ANSWERS = st.lists(
    st.lists(st.tuples(st.sampled_from(["look", "look", "change", "gone"]), st.integers(0, 5)), max_size=4),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(answers=_ANSWERS, deaths=st.lists(st.integers(0, 12), max_size=6))
def test_no_kept_step_is_asked_for_again_wherever_its_process_dies(
    answers: Sequence[Sequence[tuple[str, int]]], deaths: Sequence[int]
) -> None:
    said = [asks(*[(name, {"n": n}) for name, n in calls]) for calls in answers if calls]

    async def run(deaths: Sequence[int]) -> tuple[Bench, Outcome]:
        bench = Bench(answers=[*said, says("Done.")])
        left = [*deaths]
        kept: Counter[int] = Counter()
        while True:
            bench.journal.room = left.pop() if left else None
            before, asked = {(row.step, row.call) for row in bench.journal.rows}, len(bench.asked)
            try:
                ended = await bench.run()
            except Dead:
                ended = None
            steps = [sum(message.by == "ai" for message in messages) + 1 for messages in bench.asked[asked:]]
            kept.update(step for step in steps if (step, 0) in before)
            assert not kept
            if isinstance(ended, Suspended):
                bench.decide(ended, lambda _: Succeeded(value="changed"))
            elif ended is not None:
                return bench, ended

    killed, ended = asyncio.run(run(deaths))
    whole, expected = asyncio.run(run([]))
    assert ended == expected
    assert [node.args for node in killed.nodes] == [node.args for node in whole.nodes]
    assert killed.asked[-1] == whole.asked[-1]
    assert len(killed.looked) <= len(whole.looked) + 4 * len(deaths)


async def test_subagent_goes_on_from_its_journal_once_its_author_has_connected_an_account() -> None:
    bench = Bench(answers=[asks(LOOK, CHANGE), says("Done.")], unconnected=True)
    with pytest.raises(InputRequired) as needed:
        await bench.run()
    assert needed.value.asked.account == "example"
    assert (len(bench.asked), bench.looked) == (1, [])
    bench.unconnected = False
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    bench.decide(suspended, lambda _: Succeeded(value="changed"))
    assert await bench.run() == Succeeded(value="Done.")
    assert (len(bench.asked), bench.looked) == (2, [1])


async def test_red_call_suspends_once_the_other_calls_of_its_answer_ended() -> None:
    bench = Bench(answers=[asks(CHANGE, LOOK, CHANGE), says("Done.")])
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    assert [call.args for call in suspended.calls] == [{"n": 2}, {"n": 2}]
    assert bench.looked == [1]
    nodes = bench.decide(suspended, lambda node: Succeeded(value=str(node.id)))
    assert [(node.id, node.tool, node.item_of) for node in nodes] == [("n-0", "change", "n"), ("n-1", "change", "n")]
    assert await bench.run() == Succeeded(value="Done.")
    assert [message.text for message in bench.asked[-1] if message.by == "tool"] == ["n-0", "1", "n-1"]
    assert (len(bench.asked), bench.looked) == (2, [1])


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Rejected(by=UserId("U2"), reason="not today"), "a person rejected this call: not today"),
        (Expired(), "change: expired: nobody decided in time"),
        (Failed(error="gone", message="it left"), "change: gone: it left"),
    ],
)
async def test_subagent_is_told_what_became_of_its_red_call(outcome: Outcome, told: str) -> None:
    bench = Bench(answers=[asks(CHANGE), says("Done.")])
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    bench.decide(suspended, lambda _: outcome)
    assert await bench.run() == Succeeded(value="Done.")
    assert bench.asked[-1][-1].text == told


async def test_last_answer_is_asked_for_without_tools_and_its_calls_are_left_out() -> None:
    bench = Bench(answers=[asks(LOOK)], role=_role(steps=3))
    ended = await bench.run()
    assert isinstance(ended, Failed)
    assert ended.error == "steps_used_up"
    assert [len(tools) for tools in bench.offered] == [2, 2, 0]
    assert "your last one" not in bench.asked[1][-1].text.replace("last one", "")
    assert "This answer is your last one" in bench.asked[2][-1].text


def _role(**more: Any) -> SubagentRole:
    return replace(ROLE, **more)


async def test_answers_with_a_schema_are_read_and_asked_for_once_more() -> None:
    node = Node(
        id=NodeId("n"),
        kind=NodeKind.SUBAGENT,
        title="N",
        role="worker",
        instruction="Do it",
        result_schema={"type": "object", "required": ["x"]},
    )
    good = Bench(answers=[says("x"), says('```json\n{"x": 1}\n```')], node=node)
    assert await good.run() == Succeeded(value={"x": 1})
    bad = Bench(answers=[says("[1]")], node=node)
    ended = await bad.run()
    assert isinstance(ended, Failed)
    assert (ended.error, len(bad.asked)) == ("bad_result", 2)
    last = Bench(answers=[says("[1]")], node=node, role=_role(steps=1))
    ended = await last.run()
    assert isinstance(ended, Failed)
    assert (ended.error, len(last.asked)) == ("bad_result", 1), "no answer more than the role's steps"


@pytest.mark.parametrize("answer", ["It costs too much.", '"It costs too much."', '```\n"It costs too much."\n```'])
async def test_prose_is_a_result_where_a_text_is_wanted(answer: str) -> None:
    node = replace(Bench(answers=[]).node, result_schema={"type": "string"})
    bench = Bench(answers=[says(answer)], node=node)
    assert await bench.run() == Succeeded(value="It costs too much.")
    assert "Text, in Markdown." in bench.asked[0][-1].text


def test_long_file_gets_the_room_that_short_ones_leave() -> None:
    files: list[Json] = ["a" * 300_000, "short", {"b": 1}, "c" * 90_000]
    request = request_message(ROLE, {"instruction": "Read", "files": files}, None)
    assert "a" * 300_000 in request.text
    assert "c" * 90_000 in request.text
    longer: list[Json] = ["a" * 300_000, "b" * 300_000, "c" * 100]
    cut = request_message(ROLE, {"instruction": "Read", "files": longer}, None).text
    assert "c" * 100 in cut
    assert 390_000 < cut.count("a") + cut.count("b") < 401_000


async def test_long_answer_of_a_tool_is_shortened_and_a_flood_of_calls_is_cut() -> None:
    bench = Bench(answers=[asks(*[LOOK] * 20), says("Done.")])
    assert await bench.run() == Succeeded(value="Done.")
    assert len(bench.looked) == 16
    assert "this one was not made" in bench.asked[1][-1].text


async def test_lead_hands_out_work_as_nodes_that_cannot_hand_out_themselves() -> None:
    lead = _role(name="worker", lead=True)
    other = SubagentRole(name="helper", prompt="Help.", tools=("look", "nothing"))
    handed = ("hand_out", {"role": "helper", "instruction": "help ${x}", "inputs": {"a": "${b}"}})
    bench = Bench(answers=[asks(handed), says("Done.")], role=lead, roles=[other])
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    [worker] = bench.decide(suspended, lambda _: Succeeded(value="helped"))
    assert (worker.id, worker.kind, worker.role, worker.item_of) == ("n-0", NodeKind.SUBAGENT, "helper", "n")
    assert (worker.instruction, worker.inputs, worker.tools) == ("help $${x}", {"a": "$${b}"}, (ToolName("look"),))
    assert await bench.run() == Succeeded(value="Done.")
    assert bench.asked[-1][-1].text == "helper returned:\nhelped"
    below = Bench(answers=[asks(handed), says("Done.")], role=lead, roles=[other], node=_below(bench.node))
    assert await below.run() == Succeeded(value="Done.")
    assert "there is no tool 'hand_out'" in below.asked[-1][-1].text


def _below(node: Node) -> Node:
    return replace(node, position=Digest("p"), item_of=NodeId("above"))


async def test_journal_that_cannot_be_written_ends_the_step_in_words() -> None:
    bench = Bench(answers=[asks(LOOK), says("Done.")])
    bench.journal.broken = True
    ended = await bench.run()
    assert isinstance(ended, Failed)
    assert ended.error == "store_unavailable"
    assert bench.looked == []


async def test_steps_are_told_on_the_board_and_the_trace_is_kept_for_the_details() -> None:
    bench = Bench(answers=[asks(LOOK, text="I look."), says("Done.")])
    await bench.run()
    lines = [event.detail for event in bench.notes.events if isinstance(event, NodeChanged)]
    assert lines == ["step 1 of 8", "step 2 of 8"]
    [trace] = [event for event in bench.notes.events if isinstance(event, AttemptEnded)]
    assert trace.kind == "ok"
    assert trace.logs == '1. I look.\n1. calls look {"n":1}\n   look returned: 1\n2. Done.'
    assert [(call.tool, call.ok) for call in trace.calls] == [("look", True)]


async def test_role_that_takes_too_long_ends() -> None:
    class Slow(Bench):
        async def respond(
            self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
        ) -> ChatMessage:
            await asyncio.Event().wait()
            raise AssertionError

    ended = await Slow(answers=[], role=_role(seconds=0.05)).run()
    assert ended == Failed(error="timeout", message="it was not done within 0.05 seconds of work")


async def test_request_of_a_role_is_its_prompt_and_what_it_was_given() -> None:
    bench = Bench(answers=[says("Done.")])
    await bench.run()
    [system, request] = bench.asked[0]
    assert system.text == "# Greenlight: worker\n\nWork."
    assert json.dumps("Do it").strip('"') in request.text


class _Clock:
    """Moves the time of the running event loop on."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._time, self._ahead = loop.time, 0.0
        loop.time = lambda: self._time() + self._ahead

    def pass_by(self, seconds: float) -> None:
        self._ahead += seconds


class _SlowBench(Bench):
    """A subagent whose green tool takes some seconds each time."""

    clock: _Clock
    takes: float

    async def look(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        self.clock.pass_by(self.takes)
        return await super().look(context, args)


async def _suspended_after(seconds: float, role: SubagentRole) -> _SlowBench:
    bench = _SlowBench(answers=[asks(LOOK, CHANGE), asks(LOOK), says("Done.")], role=role)
    bench.clock, bench.takes = _Clock(), seconds
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    bench.decide(suspended, lambda _: Succeeded(value="changed"))
    return bench


async def test_seconds_count_the_work_of_all_runs_and_not_the_wait_between_them() -> None:
    bench = await _suspended_after(400, _role(seconds=900))
    bench.clock.pass_by(100_000)
    assert await bench.run() == Succeeded(value="Done.")
    spent = [float(str(row.content["seconds"])) for row in bench.journal.rows]
    assert spent == sorted(spent)
    assert 800 <= spent[-1] < 900


async def test_work_that_goes_beyond_its_seconds_in_a_later_run_ends_in_words() -> None:
    bench = await _suspended_after(500, _role(seconds=900))
    ended = await bench.run()
    assert ended == Failed(error="timeout", message="it was not done within 900 seconds of work")


async def test_run_from_the_journal_alone_takes_no_time_however_much_is_used_up() -> None:
    bench = await _suspended_after(400, _role(seconds=900))
    first = await bench.run()
    asked = len(bench.asked)
    bench.role = _role(seconds=1)
    assert await bench.run() == first
    assert len(bench.asked) == asked


async def test_journal_of_an_earlier_version_has_no_seconds_and_counts_from_there() -> None:
    bench = await _suspended_after(800, _role(seconds=900))
    bench.journal.rows = [
        replace(row, content={key: value for key, value in row.content.items() if key != "seconds"})
        for row in bench.journal.rows
    ]
    assert await bench.run() == Succeeded(value="Done.")
