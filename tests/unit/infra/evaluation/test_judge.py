"""The judge: it detects every way in which a plan can be wrong, even where the planner's checks accept it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest

from agent.tool import Registry
from infra.evaluation.goal import SHIPPED_GOALS, Goal, read_goals
from infra.evaluation.judge import Judgement
from infra.evaluation.replay import PlanJudge
from infra.tools.catalogue import known_tools
from sandbox.choice import NoSandbox

Nodes = list[dict[str, Any]]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return asyncio.run(known_tools())


@pytest.fixture(scope="module")
def goals(registry: Registry) -> Mapping[str, Goal]:
    return {goal.name: goal for goal in read_goals(SHIPPED_GOALS, registry)}


def stored(goal: Goal) -> Nodes:
    """Return the goal's plan with the edges that references imply, as it is stored."""
    nodes: Nodes = deepcopy([dict(operation) for operation in goal.plan])
    for node in nodes:
        implied = [other["id"] for other in nodes if f"${{{other['id']}" in str(node)]
        node["depends_on"] = [*node.get("depends_on", []), *implied]
    return nodes


async def judged(
    goal: Goal, registry: Registry, nodes: Sequence[Mapping[str, Any]], answer: str | None = None
) -> Judgement:
    return await PlanJudge(registry, NoSandbox("")).judged(goal, nodes, answer)


def node(nodes: Nodes, id: str) -> dict[str, Any]:
    return next(node for node in nodes if node["id"] == id)


@pytest.mark.parametrize(
    "name",
    [
        "services-and-summary",
        "order-by-words",
        "chain-of-three",
        "fallback-mirror",
        "when-down",
        "each-service",
        "restart-each-broken",
        "ask-before-reading",
    ],
)
async def test_right_plan_is_right(goals: Mapping[str, Goal], registry: Registry, name: str) -> None:
    assert await judged(goals[name], registry, stored(goals[name])) == Judgement()


def no_approval(nodes: Nodes) -> None:
    del node(nodes, "pay")["require_human_approval"]


def approval_for_a_reader(nodes: Nodes) -> None:
    node(nodes, "shop")["require_human_approval"] = True


def another_post(nodes: Nodes) -> None:
    nodes.append({**deepcopy(nodes[-1]), "id": "again"})


def no_order(nodes: Nodes) -> None:
    node(nodes, "post")["depends_on"] = []


def no_wait(nodes: Nodes) -> None:
    node(nodes, "note")["depends_on"] = []


def another_channel(nodes: Nodes) -> None:
    node(nodes, "post")["args"]["channel"] = "#general"


def left_out(nodes: Nodes) -> None:
    nodes.pop()


def not_even_read(nodes: Nodes) -> None:
    nodes.clear()


@pytest.mark.parametrize(
    ("name", "change", "concern", "word"),
    [
        ("ask-before-reading", no_approval, "colours", "runs unasked"),
        ("services-and-summary", approval_for_a_reader, "colours", "which only reads"),
        ("order-by-words", no_order, "edges", "post does not wait for restart"),
        ("follow-a-link", no_wait, "edges", "does not wait for it"),
        ("services-and-summary", another_post, "tools", "was not expected"),
        ("services-and-summary", another_channel, "tools", "post is missing"),
        ("services-and-summary", left_out, "tools", "post is missing"),
        ("whole-log-as-file", not_even_read, "artifacts", "no artifact holds"),
        ("one-health-check", not_even_read, "facts", "does not say '200'"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
async def test_wrong_plan_is_reported_by_concern(
    goals: Mapping[str, Goal],
    registry: Registry,
    name: str,
    change: Callable[[Nodes], None],
    concern: str,
    word: str,
) -> None:
    nodes = stored(goals[name])
    change(nodes)
    found = await judged(goals[name], registry, nodes)
    assert any(word in complaint for complaint in getattr(found, concern)), found
    assert not found.right


@pytest.mark.parametrize(
    ("condition", "right"),
    [
        ({"all": ["${api#/body/down}", {"ge": ["${api#/status}", 200]}]}, True),
        ({"eq": ["${api#/body/down}", True]}, True),
        ({"eq": ["${api#/body/down}", 1]}, False),
        ({"not": {"in": ["down", "${api#/body}"]}}, False),
        ({"any": ["${api#/truncated}", {"in": [200, [1, "${api#/status}"]]}]}, True),
        ({"lt": ["${api#/body/down}", 2]}, False),
        ({"lt": [["${api#/status}"], [300]]}, False),
        ({"any": [{"ne": ["${api#/status}", 500]}, "${api#/gone}"]}, True),
    ],
    ids=str,
)
async def test_condition_with_comparisons_is_judged(
    goals: Mapping[str, Goal], registry: Registry, condition: Any, right: bool
) -> None:
    nodes = stored(goals["when-down"])
    node(nodes, "restart")["when"] = condition
    found = await judged(goals["when-down"], registry, nodes)
    assert found.right is right, found
    assert ("restart is missing" in found.tools) is not right


async def test_whichever_branch_ran_is_what_a_later_step_reads(goals: Mapping[str, Goal], registry: Registry) -> None:
    goal = goals["when-down"]
    nodes = stored(goal)
    waits = [{"id": name, "on": "finished"} for name in ("other", "api")]
    other = {**deepcopy(node(nodes, "api")), "id": "other", "when": {"not": "${api#/body/down}"}, "depends_on": ["api"]}
    restart = node(nodes, "restart")
    restart["args"]["headers"] = {"x": "${other|api#/status}"}
    restart["depends_on"] = waits
    assert (await judged(goal, registry, [*nodes, other])).right
    restart["depends_on"] = waits[1:]
    found = await judged(goal, registry, [*nodes, other])
    assert found.edges[0] == "restart: it reads other and does not wait for it"
    restart["args"]["headers"] = {"x": "${other|gone}"}
    restart["depends_on"] = ["api", *waits[:1], {"id": "gone", "on": "finished"}]
    gone = {**other, "id": "gone"}
    assert (await judged(goal, registry, [*nodes, other, gone])).tools == ("restart is missing",)


async def test_answer_is_held_against_the_facts(goals: Mapping[str, Goal], registry: Registry) -> None:
    goal = goals["one-health-check"]
    assert (await judged(goal, registry, stored(goal), "It answers 200.")).right
    assert (await judged(goal, registry, stored(goal), "It answers.")).facts


DELEGATED = Goal.model_validate(
    {
        "name": "delegated",
        "request": "Report on it.",
        "roles": {"lead": {"lead": True}, "writer": {}},
        "work": {
            "report": {"role": "lead", "gives": "It is 42."},
            "report-0": {"role": "writer", "of": "report", "gives": "42"},
            "note": {"role": "writer", "after": ["report"], "gives": "Done."},
        },
        "steps": {},
    }
)


def delegate(id: str, role: str, **more: Any) -> dict[str, Any]:
    return {"op": "add", "id": id, "kind": "subagent", "title": id, "role": role, "instruction": "do it", **more}


@pytest.mark.parametrize(
    ("plan", "complaints"),
    [
        ([delegate("a", "lead"), delegate("b", "writer", depends_on=["a"])], ()),
        ([delegate("a", "lead"), delegate("b", "writer")], ("b: note does not wait for report",)),
        ([delegate("a", "lead")], ("note is missing",)),
        ([delegate("b", "writer")], ("b: note does not wait for report", "report is missing", "report-0 is missing")),
        (
            [delegate("a", "lead"), *(delegate(name, "writer", depends_on=["a"]) for name in "bc")],
            ('c: writer({"instruction": "do it"}) was not expected',),
        ),
        (
            [delegate("a", "lead", require_human_approval=True), delegate("b", "writer", depends_on=["a"])],
            ("a: somebody is asked about report, which only reads",),
        ),
    ],
    ids=["right", "edge", "left out", "another's worker", "once more", "asked"],
)
async def test_work_of_subagents_is_judged_like_steps(
    registry: Registry, plan: Nodes, complaints: tuple[str, ...]
) -> None:
    found = await judged(DELEGATED, registry, plan)
    assert found.complaints == complaints


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("It's in the *runbook*", False),
        ("it's in  the runbook.", False),
        ("It's in the runbook, on page 3", True),
        ("", True),
        (None, True),
    ],
    ids=["marked up", "spaced", "more", "none", "not known"],
)
async def test_answer_that_people_found_bad_is_wrong_and_another_is_not(
    registry: Registry, answer: str | None, right: bool
) -> None:
    goal = Goal.model_validate({"name": "a", "request": "Where?", "bad_answer": "It's in the runbook.", "steps": {}})
    assert (await judged(goal, registry, [], answer)).right is right


async def test_plan_in_place_of_an_answer_that_people_found_bad_is_right(
    registry: Registry,
) -> None:
    goal = Goal.model_validate({"name": "a", "request": "Where?", "bad_answer": "It's in the runbook.", "steps": {}})
    look = {
        "op": "add",
        "id": "a",
        "kind": "tool",
        "title": "a",
        "tool": "http_get",
        "args": {"url": "https://a.example"},
    }
    assert (await judged(goal, registry, [look], "On page 3.")).right
