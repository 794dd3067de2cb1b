"""Conclusions over the wire: when the turn ends, what may be appended, and for whom."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from agent.ids import NodeId, UserId
from agent.limits import Limits, PlanLimits, Role
from agent.plan.operations import Add
from agent.plan.outcomes import Expired, Failed, Outcome, Rejected, Succeeded
from agent.planning.replanner import Replanner
from agent.ports import Choice, Reflection, ReplanReport, ReplanResult, Summary, WrittenAnswer
from agent.reading.operation_reader import read_operation
from infra.dev.scripted_model.script import CONTEXT_TOO_LONG, Failure
from tests.fakes.chat_messages import asked_for, concluder, fetch, lines
from tests.fakes.planning import NOW, THREAD, PlanningWorld, planning_world, sections

END = "ANSWER\nThat is all."
OUTCOMES: Mapping[str, Outcome] = {"a": Failed(error="timeout", message="slow"), "b": Succeeded(value=1)}


async def decided(
    world: PlanningWorld, round_number: int = 1, by_node: Mapping[str, Outcome] = OUTCOMES
) -> ReplanReport:
    outcomes = {NodeId(key): each for key, each in by_node.items()}
    return await world.replanner.conclude(THREAD, 1, round_number, outcomes, bound=Limits.rounds_per_turn)


async def reflect(world: PlanningWorld, round_number: int = 1, by_node: Mapping[str, Outcome] = OUTCOMES) -> bool:
    return (await decided(world, round_number, by_node)).next is ReplanResult.EXTENDED


async def test_an_answer_appends_nothing_and_is_passed_on() -> None:
    async with planning_world(concluder(END)) as world:
        await asked_for(world, "a")
        ended = await decided(world)
        assert ended == ReplanReport(next=ReplanResult.ENOUGH, answer=WrittenAnswer(text="That is all."))
        assert world.nodes == ["a"]
        [request] = world.asked(Role.CONCLUDE)
        assert request.system == world.system.text
        assert "{{" not in request.system
        told = sections(request.last)
        assert told["Request"] == "do a"
        assert [json.loads(line)["result"] for line in told["Results"].splitlines()] == [
            {"error": "timeout", "message": "slow"}
        ]


@pytest.mark.parametrize("dress", ["{}", "```json\n{}\n```", "I think so:\n{}\nDone."])
async def test_replan_appends_operations_with_their_dependencies_first(dress: str) -> None:
    said = dress.replace("{}", lines(fetch("c", "${d#/url}"), fetch("d", "${b}")))
    async with planning_world(concluder(said)) as world:
        await asked_for(world, "b")
        assert await reflect(world)
        assert world.nodes == ["b", "d", "c"]


async def recorded(world: PlanningWorld) -> Sequence[Reflection]:
    """Return the turn's decisions without what each was made on."""
    return [replace(one, basis="") for one in (await world.runs.read(THREAD, 1)).reflections]


def made(choice: Choice, round_number: int = 1, author: str = "U1", **more: object) -> Reflection:
    fields: dict[str, object] = {"round": round_number, "author": UserId(author), "at": NOW, "at_end": True, **more}
    return Reflection(choice=choice, **fields)  # pyright: ignore[reportArgumentType]


async def test_another_round_is_recorded_with_its_reason_and_counts_as_no_early_one() -> None:
    said = "# a was cut off\n# half way\n" + lines(fetch("c"))
    async with planning_world(concluder(said)) as world:
        await asked_for(world, "a")
        assert await reflect(world)
        assert await recorded(world) == [made(Choice.REPLAN, why="a was cut off half way")]


async def test_each_round_is_recorded_though_none_has_a_reason_and_so_is_the_end() -> None:
    says = [concluder(lines(fetch(name)), times=1) for name in ("c", "d", "e")]
    async with planning_world(*says, concluder(END)) as world:
        await asked_for(world, "a")
        for round_number in (1, 2, 3):
            assert await reflect(world, round_number)
        assert not await reflect(world, 4)
        rounds = [made(Choice.REPLAN, number) for number in (1, 2, 3)]
        assert await recorded(world) == [*rounds, made(Choice.END, 4)]


async def test_decisions_about_several_people_are_recorded_though_their_reasons_are_equal() -> None:
    says = [concluder("# cut off\n" + lines(fetch(name)), times=1) for name in ("c", "d")]
    async with planning_world(*says) as world:
        await asked_for(world, "a", author="U1")
        await asked_for(world, "b", author="U2")
        assert await reflect(world)
        assert await recorded(world) == [made(Choice.REPLAN, author=who, why="cut off") for who in ("U1", "U2")]


async def test_a_decision_that_is_made_again_after_a_death_is_recorded_once_as_it_came_out() -> None:
    first, again = "# one\n" + lines(fetch("c")), END
    async with planning_world(concluder(first, times=1), concluder(again)) as world:
        await asked_for(world, "a")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(world.log, "append", _dies)
            with pytest.raises(ConnectionError):
                await reflect(world)
        assert await recorded(world) == [made(Choice.REPLAN, why="one")]
        assert not await reflect(world)
        assert await recorded(world) == [made(Choice.END)]


async def _dies(*_: object) -> None:
    raise ConnectionError


async def test_a_question_at_the_end_is_recorded() -> None:
    async with planning_world(concluder(lines({"op": "ask", "question": "Which host?"}))) as world:
        await asked_for(world, "a")
        assert (await decided(world)).next is ReplanResult.ASK
        assert await recorded(world) == [made(Choice.ASK, why="Which host?")]


async def test_faulty_operations_go_back_once_and_none_of_them_is_taken() -> None:
    first = lines(fetch("c"), {**fetch("d"), "tool": "fly"})
    async with planning_world(concluder(first, times=1), concluder(lines(fetch("e")))) as world:
        await asked_for(world, "a")
        assert await reflect(world)
        assert world.nodes == ["a", "e"]
        repair = world.asked(Role.CONCLUDE)[1]
        assert [message.role for message in repair.messages] == ["system", "user", "assistant", "user"]
        assert '"code": "unknown_tool"' in sections(repair.last)["Faults"]


async def test_a_replan_is_held_to_the_nodes_that_the_turn_may_have() -> None:
    said = concluder(lines(fetch("c"), fetch("d")), times=1), concluder(lines(fetch("d")))
    async with planning_world(*said, limits=PlanLimits(nodes=3)) as world:
        await asked_for(world, "a", author="U1")
        await asked_for(world, "b", author="U1")
        assert await reflect(world)
        assert '"code": "too_many_nodes"' in sections(world.asked(Role.CONCLUDE)[1].last)["Faults"]
        assert world.nodes == ["a", "b", "d"]


@pytest.mark.parametrize(
    "said",
    [
        lines(fetch("a")),
        lines({"op": "cancel", "id": "nobody"}),
        lines({"op": "reply", "text": "x"}),
        lines({"op": "maybe"}),
        lines({"op": "ask"}),
        lines({"op": "ask", "question": " "}),
        lines({"op": "ask", "question": "Which?"}, fetch("b")),
        '{"decision":"end"}',
        '{"operations":[3]}',
        "ANSWER",
        "no idea",
        "[]",
    ],
)
async def test_model_that_keeps_being_wrong_ends_the_turn(said: str) -> None:
    """After an output that is no answer and no plan, nothing more is expected of the model."""
    async with planning_world(concluder(said)) as world:
        await asked_for(world, "a")
        unheard = said in ("ANSWER", "no idea", "[]", '{"operations":[3]}')
        no_answer = WrittenAnswer(error="model_unheard") if unheard else None
        assert await decided(world) == ReplanReport(next=ReplanResult.ENOUGH, answer=no_answer)
        assert world.nodes == ["a"]
        assert len(world.asked(Role.CONCLUDE)) == 2


@pytest.mark.parametrize(
    "outcome", [Rejected(by=UserId("U2")), Expired(), Failed(error="timeout")], ids=["rejected", "expired", "failed"]
)
async def test_what_a_person_declined_is_not_asked_for_again(outcome: Outcome) -> None:
    again = {"op": "add", "id": "again", "kind": "tool", "tool": "post", "args": {"text": "please"}}
    async with planning_world(concluder(lines(again))) as world:
        await asked_for(world, "a", tool="post")
        assert not await reflect(world, by_node={"a": outcome})
        assert '"code": "decided_before"' in world.asked(Role.CONCLUDE)[1].last


PAGES = "def main(inputs):\n    return tools.fetch(url='http://x')\n"
ONE = "def main(inputs):\n    return 1\n"


def script(id: str, code: str = PAGES, *tools: str, asks: bool = False) -> dict[str, Any]:
    made = {"op": "add", "id": id, "kind": "package", "code": code, "tools": list(tools)}
    return {**made, "require_human_approval": True} if asks else made


@pytest.mark.parametrize(
    ("asked", "again"),
    [
        (fetch("a", require_human_approval=True), fetch("again")),
        (fetch("a", require_human_approval=True), script("again", PAGES, "fetch")),
        (script("a", PAGES, "fetch", asks=True), script("again", PAGES + "# once more\n", "fetch")),
        (script("a", PAGES, "fetch", asks=True), fetch("again")),
        (script("a", ONE, asks=True), script("again", ONE)),
    ],
    ids=["the call alone", "the call in a script", "another such script", "what the script calls", "the same script"],
)
@pytest.mark.parametrize("outcome", [Rejected(by=UserId("U2")), Expired()], ids=["rejected", "expired"])
async def test_what_a_person_declined_is_not_done_in_another_way(
    asked: dict[str, Any], again: dict[str, Any], outcome: Outcome
) -> None:
    async with planning_world(concluder(lines(again))) as world:
        await asked_for(world, "b")
        read = read_operation(asked, None)
        assert isinstance(read, Add)
        await world.log.append(THREAD, 1, UserId("U1"), [read])
        assert not await reflect(world, by_node={"a": outcome, "b": Succeeded(value=1)})
        assert world.nodes == ["b", "a"]
        assert '"code": "decided_before"' in world.asked(Role.CONCLUDE)[1].last


async def test_what_failed_is_tried_again_under_another_name_only() -> None:
    slow, other = "http://slow", fetch("b")
    said = concluder(lines(fetch("a", slow), other), times=1), concluder(lines(fetch("again", slow)))
    async with planning_world(*said) as world:
        await asked_for(world, "c")
        nodes = [read_operation(step, None) for step in (fetch("a", slow), other)]
        await world.log.append(
            THREAD, 1, UserId("U1"), [operation for operation in nodes if isinstance(operation, Add)]
        )
        assert await reflect(world, by_node={"a": Failed(error="timeout"), "b": Succeeded(value=1)})
        assert world.nodes == ["c", "a", "b", "again"]
        assert '"node": "a"' in sections(world.asked(Role.CONCLUDE)[1].last)["Faults"]


async def test_green_tool_that_failed_may_be_tried_another_way() -> None:
    async with planning_world(concluder(lines(fetch("again")))) as world:
        await asked_for(world, "a", tool="fetch")
        assert await reflect(world)


async def test_each_persons_request_is_reflected_on_with_their_own_rights() -> None:
    scripts = (concluder(lines(fetch("c")), contains="do b"), concluder(END))
    async with planning_world(*scripts) as world:
        await asked_for(world, "a", author="U1")
        await asked_for(world, "b", author="U2")
        assert await reflect(world)
        assert world.authors == {"a": "U1", "b": "U2", "c": "U2"}
        documents = [sections(request.last) for request in world.asked(Role.CONCLUDE)]
        assert [(document["Request"], document["Results"].count("\n")) for document in documents] == [
            ("do a", 0),
            ("do b", 0),
        ]


async def test_earlier_turns_are_shown_as_the_planner_sees_them_summary_and_names_included() -> None:
    async with planning_world(concluder(END)) as world:
        world.directory.known["U1"] = "Ada"
        world.summaries.kept.append(Summary(upto_turn=0, text="They moved the shop to Lisbon."))
        await asked_for(world, "a")
        await asked_for(world, "b")
        await reflect(world)
        [request] = world.asked(Role.CONCLUDE)
        assert request.messages[0].text == world.system.text
        assert "They moved the shop to Lisbon." in str(request.messages[1])
        assert sections(request.last)["Request"] == "- <@U1|Ada>: do a\n- <@U1|Ada>: do b"


async def test_model_that_is_away_ends_the_turn() -> None:
    async with planning_world(concluder(Failure(status=500, message="x"))) as world:
        await asked_for(world, "a")
        unheard = WrittenAnswer(error="model_unheard")
        assert await decided(world) == ReplanReport(next=ReplanResult.ENOUGH, answer=unheard)


async def test_trouble_asks_no_model() -> None:
    async with planning_world() as world:
        await asked_for(world, "a")
        world.runs.rows[THREAD, 1] = replace(world.runs.rows[THREAD, 1], error="plan_invalid")
        assert not await reflect(world)
        assert world.server.requests == []


async def test_turn_without_nodes_asks_no_model() -> None:
    async with planning_world() as world:
        await world.runs.begin(THREAD, 1)
        assert not await reflect(world)
        assert world.server.requests == []


async def test_without_a_model_the_turn_ends() -> None:
    async with planning_world() as world:
        world.replanner = Replanner(
            model=None,
            registry=world.registry,
            tools=world.tools,
            log=world.log,
            runs=world.runs,
            mailbox=world.mailbox,
            statuses=world.statuses,
            memory=world.memory,
            dialect=None,
        )
        await asked_for(world, "a")
        assert not await reflect(world)


async def test_after_the_last_round_a_replan_is_told_and_not_taken() -> None:
    wanted = lines(fetch("more", title="Look once more"))
    async with planning_world(concluder(wanted, times=1), concluder(END)) as world:
        await asked_for(world, "a")
        told = await decided(world, round_number=Limits.rounds_per_turn + 1)
        assert told == ReplanReport(next=ReplanResult.MORE, author=UserId("U1"), titles=("Look once more",))
        assert world.nodes == ["a"]
        assert (await decided(world, round_number=Limits.rounds_per_turn + 1)).next is ReplanResult.ENOUGH


async def test_a_question_is_passed_on_with_its_author() -> None:
    async with planning_world(concluder('{"op":"ask","question":"Which one?"}')) as world:
        await asked_for(world, "a")
        assert await decided(world) == ReplanReport(next=ReplanResult.ASK, author=UserId("U1"), question="Which one?")


async def test_a_replan_never_does_again_what_succeeded() -> None:
    """Neither under the old id, which changes nothing, nor under a new one, unless something came in between."""
    done = {"a": Succeeded(value=1), "b": Succeeded(value=2)}
    first = lines(fetch("a", "http://a"), fetch("again", "http://a"))
    mended = lines(fetch("a", "http://a"), fetch("after", "http://a", depends_on=["b"]))
    async with planning_world(concluder(first, times=1), concluder(mended)) as world:
        await asked_for(world, "b")
        node = read_operation(fetch("a", "http://a"), None)
        assert isinstance(node, Add)
        await world.log.append(THREAD, 1, UserId("U1"), [node])
        assert await reflect(world, by_node=done)
        assert '"code": "done_before"' in world.asked(Role.CONCLUDE)[1].last
        assert world.nodes == ["b", "a", "after"]


async def test_results_are_told_whole_because_the_answer_is_written_from_them() -> None:
    async with planning_world(concluder(END)) as world:
        await asked_for(world, "b")
        await reflect(world, by_node={"b": Succeeded(value={"text": "x" * 3000})})
        [told] = [json.loads(line) for line in sections(world.asked(Role.CONCLUDE)[0].last)["Results"].splitlines()]
        assert told["result"] == {"text": "x" * 3000}


async def test_results_longer_than_the_model_reads_are_told_briefly() -> None:
    async with planning_world(concluder(CONTEXT_TOO_LONG, times=1), concluder(END)) as world:
        await asked_for(world, "b")
        ended = await decided(world, by_node={"b": Succeeded(value={"text": "x" * 9000})})
        assert ended.answer == WrittenAnswer(text="That is all.")
        whole, brief = (sections(request.last)["Results"] for request in world.asked(Role.CONCLUDE))
        assert len(whole) > 9000 > len(brief)


async def test_results_the_model_cannot_read_even_briefly_are_told_plainly() -> None:
    async with planning_world(concluder(CONTEXT_TOO_LONG)) as world:
        await asked_for(world, "b")
        assert (await decided(world)).answer == WrittenAnswer(error="results_too_long")
        assert len(world.asked(Role.CONCLUDE)) == 2


async def test_operations_that_cannot_be_used_leave_the_answer_to_be_written() -> None:
    async with planning_world(concluder(lines({**fetch("d"), "tool": "fly"}))) as world:
        await asked_for(world, "a")
        assert await decided(world) == ReplanReport(next=ReplanResult.ENOUGH)


@pytest.mark.parametrize(
    "said",
    [
        "ANSWER\n\nAll **well**.",
        "**ANSWER**\nAll **well**.",
        "ANSWER:\r\nAll **well**.\n",
        "```\nANSWER\nAll **well**.\n```",
    ],
)
async def test_the_line_before_an_answer_is_understood_in_every_dress(said: str) -> None:
    async with planning_world(concluder(said)) as world:
        await asked_for(world, "a")
        assert (await decided(world)).answer == WrittenAnswer(text="All **well**.")


async def test_what_is_neither_answer_nor_plan_goes_back_once_and_says_so() -> None:
    async with planning_world(concluder("All is well.", times=1), concluder(END)) as world:
        await asked_for(world, "a")
        assert (await decided(world)).answer == WrittenAnswer(text="That is all.")
        repair = world.asked(Role.CONCLUDE)[1]
        assert [message.role for message in repair.messages] == ["system", "user", "assistant", "user"]
        assert "begin with a line that says ANSWER" in sections(repair.last)["Faults"]


async def test_a_conclusion_in_the_plan_language_plans_on_and_asks() -> None:
    further = 'more = fetch(url="http://x")  # Look further\nlast = fetch(url=more.url)\n'
    said = concluder(further, contains="do a", times=1), concluder('ask("Which one?")\n')
    async with planning_world(*said) as world:
        await asked_for(world, "a")
        assert await reflect(world)
        assert world.nodes == ["a", "more", "last"]
        assert (await decided(world)).question == "Which one?"


async def test_the_answer_to_several_people_is_written_once_all_parts_are_done() -> None:
    async with planning_world(concluder("ANSWER")) as world:
        await asked_for(world, "a", author="U1")
        await asked_for(world, "b", author="U2")
        assert await decided(world) == ReplanReport(next=ReplanResult.ENOUGH)
        assert all("Part" in sections(request.last) for request in world.asked(Role.CONCLUDE))
