"""Goals of bad runs: the world of the recorded calls, nothing that only one person may see, and in doubt no goal."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import pytest_asyncio
from hypothesis import given

from agent.events import AttemptEnded, RecordedAnswer, SummarizedCall
from agent.facts import Fact, FactId
from agent.ids import ChannelId, NodeId, Tenant, ThreadId, ToolName, UserId
from agent.plan.operations import Add, Cancel, Node, NodeKind, Operation, canonical_json, operation_from_json
from agent.plan.outcomes import Failed, Outcome, Rejected, Succeeded
from agent.plan.script_calls import position_of
from agent.redaction import SECRETS
from agent.roles import SubagentRole
from agent.tool import CallContext, Colour, Registry, Tool
from infra.evaluation.feedback_goals import LEFT_OUT, NoGoal, goal_of, placeholder, recorded_goals
from infra.evaluation.goal import Goal, with_tools
from infra.evaluation.replay import PlanJudge
from infra.evaluation.run_record import RecordedNode, RunRecord
from infra.stores.feedback import BadTurn
from infra.tools.catalogue import known_tools
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import Json
from tests.fakes.plans import json_values

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER = AT + timedelta(seconds=9)
SCRIPT = "async def main(inputs):\n    page = tools.team_read(id=inputs['id'])\n    return page['size']\n"


async def _never(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    raise NotImplementedError


def team_tool(name: str, colour: Colour = Colour.GREEN, *, personal: bool = False, secret: bool = False) -> Tool:
    properties: dict[str, Json] = {"id": {}, "token": {"type": "string", "x-confidential": secret}}
    arguments: dict[str, Json] = {"type": "object", "properties": properties}
    return Tool(
        name=ToolName(name), description="Ours.", arguments=arguments, colour=colour, call=_never, personal=personal
    )


@pytest.fixture(scope="module")
def registry() -> Registry:
    own = [
        team_tool("team_read"),
        team_tool("team_mine", personal=True),
        team_tool("team_write", Colour.RED, secret=True),
        team_tool("team_post", Colour.RED),
    ]
    writer = SubagentRole(
        name="writer", prompt="You write for our customer Oscorp.", purpose="writes", tools=("team_*",)
    )
    chief = SubagentRole(name="chief", prompt="You lead.", lead=True, roles=("writer",))
    teller = SubagentRole(name="teller", prompt="You tell.", tools=("team_post",))
    keeper = SubagentRole(name="keeper", prompt="You keep.", tools=("team_write",))
    return Registry((*asyncio.run(known_tools()), *own), (writer, chief, teller, keeper))


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[MontySandbox]:
    opened = MontySandbox(monty_binary())
    yield opened
    await opened.close()


def add(id: str, **fields: Any) -> Operation:
    kind = "package" if "code" in fields else "subagent" if "role" in fields else "tool"
    return operation_from_json({"op": "add", "id": id, "kind": kind, "title": id, **fields})


def ended(outcome: Outcome, *answers: RecordedAnswer) -> RecordedNode:
    attempt = AttemptEnded(
        node=NodeId("n"),
        attempt=1,
        kind="ok",
        code=SCRIPT,
        error="",
        traceback="",
        milliseconds=1.0,
        at=AT,
        answers=answers,
    )
    value = outcome.value if isinstance(outcome, Succeeded) else None
    return RecordedNode(outcome=outcome, value=value, whole=True, ended_at=AT, attempts=(attempt,) if answers else ())


def record(operations: list[Operation], outcomes: Mapping[str, RecordedNode], *, stored: datetime = AT) -> RunRecord:
    turn = BadTurn(
        tenant=Tenant("T1"), thread=ThreadId("T1:C1:1.0"), turn=1, requests=("Look at it.",), reasons=("wrong",)
    )
    return RunRecord(
        turn=turn,
        operations=[(operation, stored) for operation in operations],
        ended={NodeId(node): how for node, how in outcomes.items()},
    )


def read(id: str, tool: str = "team_read", **fields: Any) -> Operation:
    return add(id, tool=tool, args={"id": id}, **fields)


def steps(goal: Mapping[str, Json]) -> Mapping[str, Any]:
    found: Any = goal["steps"]
    return found


async def test_recorded_run_with_a_script_a_failure_and_a_rejection_is_replayed_as_it_was(
    registry: Registry, sandbox: MontySandbox
) -> None:
    answer = RecordedAnswer(call=canonical_json(["team_read", {"id": 7}]), value={"size": 3})
    run = record(
        [
            read("one"),
            read("two"),
            add("count", code=SCRIPT, inputs={"id": "${one#/id}"}, tools=["team_read"], depends_on=["one"]),
            add("write", tool="team_write", args={"id": "${count}"}, depends_on=["count"]),
        ],
        {
            "one": ended(Succeeded(value={"id": 7})),
            "two": ended(Failed(error="tool_error", message="no answer")),
            "count": ended(Succeeded(value=3), answer),
            "write": ended(Rejected(by=UserId("U1"))),
        },
    )
    [goal], left_out = await recorded_goals([run], registry, sandbox)
    assert left_out == []
    made = steps(goal)
    assert made["two"]["fails"] == "no answer"
    assert made["count/1"] == {
        "tool": "team_read",
        "args": {"id": 7},
        "colour": "green",
        "after": ["one"],
        "gives": {"size": 3},
    }
    assert (made["write"]["colour"], made["write"]["args"]) == ("red", {})
    assert made["write"]["fails"]
    assert goal["comment"] == "wrong"
    elsewhere = with_tools([Goal.model_validate(goal)], Registry())
    assert {tool.name: tool.colour for tool in elsewhere}[ToolName("team_write")] is Colour.RED


async def test_personal_results_confidential_arguments_and_secrets_are_not_told(
    registry: Registry, sandbox: MontySandbox
) -> None:
    run = record(
        [
            read("mine", "team_mine"),
            add("about", tool="team_read", args={"id": "${mine#/rows/1}"}, depends_on=["mine"]),
            add("write", tool="team_write", args={"id": "sk-canary-secret-value", "token": "hunter22"}),
        ],
        {
            "mine": ended(Succeeded(value={"mail": "from a canary", "rows": [1, "x"]})),
            "about": ended(Succeeded(value="told of a canary")),
            "write": ended(Succeeded(value=True)),
        },
    )
    SECRETS.learn("CANARY", "sk-canary-secret-value")
    try:
        [goal], left_out = await recorded_goals([run], registry, sandbox)
    finally:
        SECRETS.unlearn("sk-canary-secret-value")
    assert left_out == []
    assert steps(goal)["mine"]["gives"] == {"mail": LEFT_OUT, "rows": [0, LEFT_OUT]}
    told = json.dumps(goal)
    assert not [word for word in ("canary-secret", "a canary", "hunter22") if word in told]
    assert "token" not in steps(goal)["write"]["args"]


@pytest.mark.parametrize(
    ("operations", "outcomes", "why"),
    [
        ([read("a", "gone_tool")], {}, "not known here"),
        ([read("a", depends_on=["before"])], {}, "cancelled or is not recorded"),
        ([add("a", tool="files_read", args={"name": "1/before/all.json"})], {}, "cancelled or is not recorded"),
        ([read("a"), Cancel(id=NodeId("a"))], {}, "no plan"),
        ([add("a", code=SCRIPT, tools=["team_write"])], {}, "confidential"),
        ([read("a")], {}, "no call"),
        ([add("a", role="gone", instruction="x")], {"a": ended(Succeeded(value="done"))}, "the role gone is not known"),
        ([add("a", role="keeper", instruction="x", tools=["team_write"])], {}, "work of a may hold confidential"),
        ([read("a")], {"a": RecordedNode(outcome=Succeeded(), value=None, whole=False, ended_at=AT)}, "not kept"),
    ],
    ids=[
        "tool is gone",
        "nobody knows of what it builds on",
        "file of nobody knows what",
        "cancelled",
        "confidential script",
        "no call",
        "role is gone",
        "confidential work",
        "evicted",
    ],
)
def test_run_that_cannot_be_replayed_becomes_no_goal(
    registry: Registry, operations: list[Operation], outcomes: Mapping[str, RecordedNode], why: str
) -> None:
    with pytest.raises(NoGoal, match=why):
        goal_of(record(operations, outcomes), registry)


def reads_file(id: str, name: str, **fields: Any) -> Operation:
    return add(id, tool="files_read", args={"name": name}, **fields)


def test_file_of_a_personal_result_is_not_told(registry: Registry) -> None:
    """A step that names it reads what its node read, also without waiting for that node."""
    run = record(
        [read("mine", "team_mine"), reads_file("file", "1/mine/mine.json"), read("about", depends_on=["file"])],
        {name: ended(Succeeded(value="a canary")) for name in ("mine", "file", "about")},
    )
    assert "canary" not in json.dumps(goal_of(run, registry))


def test_plan_that_went_on_after_a_personal_result_becomes_no_goal(registry: Registry) -> None:
    """Its later steps may repeat what the model had read."""
    run = record([read("mine", "team_mine")], {"mine": ended(Succeeded(value=1))}, stored=LATER)
    with pytest.raises(NoGoal, match="only one person"):
        goal_of(run, registry)


RETRIES = """\
async def main(inputs):
    tools.files_write(name='seen.txt', text='x')
    try:
        page = tools.team_read(id=7)
    except Exception:
        page = tools.team_read(id=7)
    return page['size']
"""


def of_script(*answers: RecordedAnswer, calls: int | None = None, codes: tuple[str, ...] = (RETRIES,)) -> RecordedNode:
    """Return how a script ended that made calls of `team_read`, as many as were answered or as are given."""
    node = ended(Succeeded(value=3), *answers)
    made = SummarizedCall(tool="team_read", args="", ok=True, milliseconds=1.0)
    count = sum(not answer.error for answer in answers) if calls is None else calls
    wrote = replace(made, tool="files_write")
    attempt = AttemptEnded(
        node=NodeId("n"), attempt=1, kind="ok", code="", error="", traceback="", milliseconds=1.0, at=AT
    )
    last = replace(attempt, answers=answers, calls=(wrote, *[made] * count))
    attempts = [replace(attempt, code=code) for code in codes[:-1]] + [replace(last, code=codes[-1])]
    return replace(node, attempts=attempts)


FAILED = RecordedAnswer(call=canonical_json(["team_read", {"id": 7}]), error="team_read: flaky: not now")
ANSWERED = RecordedAnswer(call=canonical_json(["team_read", {"id": 7}]), value={"size": 3})


async def test_script_that_kept_a_file_and_made_a_failed_call_once_more_is_replayed_as_it_was(
    registry: Registry, sandbox: MontySandbox
) -> None:
    run = record([add("count", code=RETRIES, tools=["team_read"])], {"count": of_script(FAILED, ANSWERED)})
    [goal], left_out = await recorded_goals([run], registry, sandbox)
    assert left_out == []
    assert [step.get("fails") or step["gives"] for step in steps(goal).values()] == [FAILED.error, {"size": 3}]


async def test_rewritten_script_is_replayed_without_the_calls_that_it_made_no_more(
    registry: Registry, sandbox: MontySandbox
) -> None:
    wrong = RecordedAnswer(call=canonical_json(["team_read", {"id": 8}]), value={"size": None})
    [first, last] = of_script(ANSWERED, codes=("def main(inputs):\n    1/0\n", RETRIES.replace("7", "9"))).attempts
    mended = RecordedAnswer(call=canonical_json(["team_read", {"id": 9}]), value={"size": 3})
    calls = tuple(replace(call, args='{"id": 9}') for call in last.calls)
    attempts = [replace(first, answers=(wrong, ANSWERED)), replace(last, answers=(mended,), calls=calls)]
    node = replace(ended(Succeeded(value=3)), attempts=attempts)
    [goal], left_out = await recorded_goals(
        [record([add("count", code=RETRIES, tools=["team_read"])], {"count": node})], registry, sandbox
    )
    assert left_out == []
    assert [step["args"] for step in steps(goal).values()] == [{"id": 9}]


async def test_script_that_waited_for_people_is_replayed_with_what_became_of_its_red_call(
    registry: Registry, sandbox: MontySandbox
) -> None:
    code = """\
async def main(inputs):
    page = tools.team_read(id=7)
    try:
        tools.team_post(id=page['size'])
    except Exception as error:
        return str(error)
"""
    asks = add("asks", code=code, tools=["team_read", "team_post"])
    posts = Node(
        id=NodeId("asks-1"),
        kind=NodeKind.TOOL,
        title="post",
        tool=ToolName("team_post"),
        args={"id": 3},
        item_of=NodeId("asks"),
        position=position_of(ToolName("team_post"), {"id": 3}, 0),
    )
    outcomes = {"asks": of_script(ANSWERED, codes=(code,)), "asks-1": ended(Rejected(by=UserId("U1")))}
    [goal], left_out = await recorded_goals([record([asks, Add(node=posts)], outcomes)], registry, sandbox)
    assert left_out == []
    assert {step["tool"]: step["colour"] for step in steps(goal).values()} == {
        "team_read": "green",
        "team_post": "red",
    }
    assert [node["id"] for node in cast("list[Any]", goal["plan"])] == ["asks"]


@pytest.mark.parametrize("answers", [(), (ANSWERED,)], ids=["nothing kept", "too large to be kept whole"])
def test_script_of_whose_calls_not_all_answers_are_kept_becomes_no_goal(
    registry: Registry, answers: tuple[RecordedAnswer, ...]
) -> None:
    run = record([add("count", code=RETRIES, tools=["team_read"])], {"count": of_script(*answers, calls=2)})
    with pytest.raises(NoGoal, match="not recorded, or not whole"):
        goal_of(run, registry)


def test_script_that_was_rewritten_after_a_personal_result_becomes_no_goal(registry: Registry) -> None:
    """The model that rewrote it had read how it crashed, which may hold what only one person may see."""
    answer = RecordedAnswer(call=canonical_json(["team_mine", {"id": 7}]), value="a canary")
    node = of_script(answer, calls=0, codes=("def main(inputs):\n    1/0\n", "# a canary\n" + RETRIES))
    with pytest.raises(NoGoal, match="rewritten after"):
        goal_of(record([add("count", code=RETRIES, tools=["team_mine"])], {"count": node}), registry)


def test_answers_to_a_script_that_only_one_person_may_see_are_not_told(registry: Registry) -> None:
    call = canonical_json(["team_mine", {"id": "about a canary"}])
    answers = RecordedAnswer(call=call, value={"mail": "a canary"}), RecordedAnswer(call=call, error="no canary")
    goal = goal_of(
        record([add("count", code=RETRIES, tools=["team_mine"])], {"count": of_script(*answers, calls=0)}), registry
    )
    assert "canary" not in json.dumps(goal)
    assert [step.get("fails") or step["gives"] for step in steps(goal).values()] == [{"mail": LEFT_OUT}, LEFT_OUT]


async def test_run_that_its_replay_does_not_repeat_is_left_out_with_the_reason(
    registry: Registry, sandbox: MontySandbox
) -> None:
    answer = RecordedAnswer(call=canonical_json(["team_read", {"id": 8}]), value={"size": 3})
    run = record(
        [add("count", code=SCRIPT, inputs={"id": 7}, tools=["team_read"])],
        {"count": ended(Succeeded(value=3), answer)},
    )
    goals, [left_out] = await recorded_goals([run], registry, sandbox)
    assert goals == []
    assert left_out.startswith("C1-1.0-1: replayed, it does not do what it did")


@given(value=json_values)
def test_placeholder_has_the_shape_of_the_value_and_none_of_its_texts(value: Json) -> None:
    def shape(one: Json) -> object:
        match one:
            case Mapping():
                return {key: shape(inner) for key, inner in one.items()}
            case list() | tuple():
                return [shape(inner) for inner in one]
            case bool() | None | str():
                return type(one)
            case _:
                return "number"

    assert shape(placeholder(value)) == shape(value)
    assert placeholder(placeholder(value)) == placeholder(value)


def fact(text: str) -> Fact:
    return Fact(
        id=FactId("f1"),
        namespace=("T1", "user", "U1", "C1"),
        text=text,
        by=UserId("U1"),
        channel=ChannelId("C1"),
        public=False,
        at=AT,
    )


@pytest.mark.parametrize(
    ("text", "gone", "why"),
    [
        ("my customer is northwind", False, "a fact that only one person may see"),
        ("my dog is called Rex", False, ""),
        ("my dog is called Rex", True, "not kept any more"),
    ],
    ids=["used", "not used", "gone"],
)
def test_a_plan_that_uses_a_fact_of_one_person_becomes_no_goal(
    registry: Registry, text: str, gone: bool, why: str
) -> None:
    run = record([add("one", tool="team_read", args={"id": "northwind"})], {"one": ended(Succeeded(value={"id": 7}))})
    shown = replace(run, personal_facts=[fact(text)], facts_gone=gone)
    if not why:
        assert "northwind" in json.dumps(goal_of(shown, registry), default=dict)
        return
    with pytest.raises(NoGoal) as refused:
        goal_of(shown, registry)
    assert why in refused.value.why


WRITERS_TOOLS = ["team_read", "team_mine"]


def asked(outcome: Outcome, *tools: str) -> RecordedNode:
    """Return how a subagent ended whose model asked for these tools."""
    return replace(ended(outcome), asked=frozenset(tools))


def call_of(parent: str, number: int, **fields: Any) -> Operation:
    """Return a call that a subagent made, or work that it handed out."""
    node = Node(
        id=NodeId(f"{parent}-{number}"),
        title="call",
        item_of=NodeId(parent),
        position=position_of(ToolName("x"), {}, number),
        **fields,
    )
    return Add(node=node)


async def test_run_of_a_lead_with_workers_is_replayed_with_what_they_returned_and_without_their_prompts(
    registry: Registry, sandbox: MontySandbox
) -> None:
    worker = {"kind": NodeKind.SUBAGENT, "role": "writer", "instruction": "Write", "tools": (ToolName("team_read"),)}
    run = record(
        [
            read("page"),
            add("lead", role="chief", instruction="Report on ${page}", files=["${page}"], depends_on=["page"]),
            call_of("lead", 0, **worker),
            call_of("lead", 1, **worker),
            call_of("lead", 2, kind=NodeKind.TOOL, tool=ToolName("team_post"), args={"id": "hunter22"}),
            add("passed", tool="team_read", args={"id": "${lead#/size}"}, when="${lead#/size}", depends_on=["lead"]),
        ],
        {
            "page": ended(Succeeded(value={"size": 3})),
            "lead": asked(Succeeded(value={"size": 5}), "hand_out"),
            "lead-0": asked(Succeeded(value="A line.")),
            "lead-1": asked(Failed(error="too_long", message="it has read too much")),
            "lead-2": ended(Succeeded(value=True)),
            "passed": ended(Succeeded(value={"size": 5})),
        },
    )
    [goal], left_out = await recorded_goals([run], registry, sandbox)
    assert left_out == []
    assert goal["work"] == {
        "lead": {"role": "chief", "after": ["page"], "colour": "green", "gives": {"size": 5}},
        "lead-0": {"role": "writer", "after": [], "of": "lead", "gives": "A line."},
        "lead-1": {"role": "writer", "after": [], "of": "lead", "fails": "it has read too much"},
    }
    assert goal["roles"] == {
        "chief": {"lead": True, "roles": ["writer"]},
        "writer": {"purpose": "writes", "tools": ["team_*"]},
    }
    assert {*steps(goal)} == {"page", "passed"}
    assert steps(goal)["passed"]["after"] == ["lead"]
    assert not [word for word in ("hunter22", "Oscorp") if word in json.dumps(goal)]


async def test_subagents_of_a_list_are_replayed_each_with_its_own_result(
    registry: Registry, sandbox: MontySandbox
) -> None:
    run = record(
        [
            read("page"),
            add("note", role="writer", instruction="Write on ${item}", for_each="${page#/parts}", depends_on=["page"]),
            *(
                Add(
                    node=Node(
                        id=NodeId(f"note-{n}"),
                        kind=NodeKind.SUBAGENT,
                        title="note",
                        role="writer",
                        item_of=NodeId("note"),
                    )
                )
                for n in range(2)
            ),
        ],
        {
            "page": ended(Succeeded(value={"parts": ["a", "b"]})),
            "note-0": asked(Succeeded(value="On a.")),
            "note-1": asked(Succeeded(value="On b.")),
        },
    )
    [goal], left_out = await recorded_goals([run], registry, sandbox)
    assert left_out == []
    work = cast("Mapping[str, Any]", goal["work"])
    assert {name: one["gives"] for name, one in work.items()} == {"note-0": "On a.", "note-1": "On b."}
    judge = PlanJudge(registry, sandbox)
    simulated = await judge.simulation(Goal.model_validate(goal), cast("list[Any]", goal["plan"]))
    assert simulated.results["note"] == ["On a.", "On b."]


@pytest.mark.parametrize(
    ("called", "told"),
    [(("team_read",), "told of a canary"), (("team_mine",), LEFT_OUT), (None, LEFT_OUT)],
    ids=["called another", "called a personal one", "nobody knows"],
)
def test_work_of_a_subagent_that_may_have_read_with_a_persons_rights_is_not_told(
    registry: Registry, called: tuple[str, ...] | None, told: str
) -> None:
    how = ended(Succeeded(value="told of a canary"))
    run = record(
        [add("note", role="writer", instruction="Look", tools=WRITERS_TOOLS)],
        {"note": how if called is None else replace(how, asked=frozenset(called))},
    )
    work = cast("Mapping[str, Any]", goal_of(run, registry)["work"])
    assert work["note"]["gives"] == told
    failed = replace(
        run, ended={NodeId("note"): replace(run.ended[NodeId("note")], outcome=Failed(error="bad", message="a canary"))}
    )
    work = cast("Mapping[str, Any]", goal_of(failed, registry)["work"])
    assert work["note"]["fails"] == ("a canary" if told != LEFT_OUT else "bad")


def test_worker_of_a_lead_that_read_with_a_persons_rights_is_not_told(registry: Registry) -> None:
    """What the lead handed out may repeat what another worker had read."""
    worker = {"kind": NodeKind.SUBAGENT, "role": "writer", "instruction": "of a canary"}
    tools = tuple(map(ToolName, WRITERS_TOOLS))
    run = record(
        [
            add("lead", role="chief", instruction="Report"),
            call_of("lead", 0, **worker, tools=tools),
            call_of("lead", 1, **worker),
        ],
        {
            "lead": asked(Succeeded(value="of a canary"), "hand_out"),
            "lead-0": asked(Succeeded(value="a canary"), "team_mine"),
            "lead-1": asked(Succeeded(value="again a canary")),
        },
    )
    goal = goal_of(run, registry)
    assert {*cast("Mapping[str, Any]", goal["work"])} == {"lead", "lead-0", "lead-1"}
    assert "canary" not in json.dumps(goal)


def follow_up(operations: list[Operation], outcomes: Mapping[str, RecordedNode], *earlier: Operation) -> RunRecord:
    """Return a run before which the thread was asked something else."""
    return replace(record(operations, outcomes, stored=LATER), earlier=earlier, before=("How is the shop?",))


async def test_follow_up_is_replayed_with_the_earlier_results_that_it_refers_to(
    registry: Registry, sandbox: MontySandbox
) -> None:
    run = follow_up(
        [
            add("count", code=SCRIPT, inputs={"id": "${page#/id}"}, tools=["team_read"], depends_on=["page"]),
            add("why", tool="team_read", args={"id": "${lost#/error}"}, depends_on=[{"id": "lost", "on": "failed"}]),
        ],
        {
            "page": ended(Succeeded(value={"id": 7})),
            "lost": ended(Failed(error="tool_error", message="no answer")),
            "beside": ended(Succeeded(value="not referred to")),
            "count": ended(
                Succeeded(value=3), RecordedAnswer(call=canonical_json(["team_read", {"id": 7}]), value={"size": 3})
            ),
            "why": ended(Succeeded(value="so")),
        },
        read("page"),
        read("lost"),
        read("beside"),
    )
    [goal], left_out = await recorded_goals([run], registry, sandbox)
    assert left_out == []
    assert goal["earlier"] == {
        "page": {"title": "page", "tool": "team_read", "gives": {"id": 7}},
        "lost": {"title": "lost", "tool": "team_read", "fails": "no answer"},
    }
    assert goal["before"] == ["How is the shop?"]
    assert {*steps(goal)} == {"count/1", "why"}
    assert steps(goal)["count/1"]["args"] == {"id": 7}


@pytest.mark.parametrize("refers", [True, False], ids=["refers to it", "was planned after it"])
def test_follow_up_of_a_turn_with_a_personal_result_becomes_no_goal(registry: Registry, refers: bool) -> None:
    needs = ["mine"] if refers else []
    run = follow_up(
        [read("more", depends_on=needs)],
        {"mine": ended(Succeeded(value="a canary")), "more": ended(Succeeded(value=1))},
        read("mine", "team_mine"),
    )
    with pytest.raises(NoGoal, match="only one person"):
        goal_of(run, registry)


def test_follow_up_on_what_came_to_no_end_becomes_no_goal(registry: Registry) -> None:
    run = follow_up([read("more", depends_on=["page"])], {"more": ended(Succeeded(value=1))}, read("page"))
    with pytest.raises(NoGoal, match="came to no end"):
        goal_of(run, registry)


def test_follow_up_on_a_plan_that_used_a_fact_of_one_person_becomes_no_goal(registry: Registry) -> None:
    run = follow_up(
        [read("more", depends_on=["page"])],
        {"page": ended(Succeeded(value="of them")), "more": ended(Succeeded(value=1))},
        add("page", tool="team_read", args={"id": "northwind"}),
    )
    assert "page" in cast("Mapping[str, Any]", goal_of(run, registry)["earlier"])
    with pytest.raises(NoGoal, match="a fact that only one person may see"):
        goal_of(replace(run, personal_facts=[fact("my customer is northwind")]), registry)


def replied(*words: str, earlier: Sequence[Operation] = ()) -> RunRecord:
    """Return a turn that was answered without a plan."""
    return replace(record([], {}), replies=words, before=("How is the shop?",) if earlier else (), earlier=earlier)


async def test_answer_without_a_plan_becomes_a_goal_that_says_that_it_was_bad(
    registry: Registry, sandbox: MontySandbox
) -> None:
    [goal], left_out = await recorded_goals(
        [replied("It is in the runbook.", earlier=[read("one")])], registry, sandbox
    )
    assert left_out == []
    assert goal == {
        "name": "C1-1.0-1",
        "request": "Look at it.",
        "comment": "wrong",
        "before": ["How is the shop?"],
        "bad_answer": "It is in the runbook.",
        "steps": {},
    }


def with_token(id: str) -> Operation:
    return add(id, tool="team_write", args={"id": 1, "token": "hunter22"})


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (replied("from a canary", earlier=[read("mine", "team_mine")]), "after a result that only one person may see"),
        (replied("hunter22", earlier=[with_token("write")]), "may hold confidential arguments"),
        (replace(replied("It is northwind."), personal_facts=[fact("my customer is northwind")]), "uses a fact"),
        (replace(replied("It is so."), facts_gone=True), "not kept any more"),
        (replied(""), "it has no plan"),
    ],
    ids=["personal", "confidential", "fact", "fact is gone", "nothing said"],
)
def test_answer_that_could_tell_too_much_becomes_no_goal(registry: Registry, run: RunRecord, why: str) -> None:
    with pytest.raises(NoGoal, match=why):
        goal_of(run, registry)
