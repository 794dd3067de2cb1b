"""Patterns: each plan over several roles, from its name in a request to its end, also with roles that fail at it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from agent.llm.patterns import all_patterns
from infra.dev.scripted_model.script import Endless, ModelRequest, Script
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, answered_and_done, done, whispers
from tests.acceptance.plans import ANSWERS, ENDS, results_told
from tests.acceptance.roles import Said, call, calls, says, told

FILLED = {"TASK": "write the note", "RUBRIC": "brevity", '["ITEMS"]': "[3, 4, 5]", "HOW": "sum"}
PASSES: Mapping[str, Any] = {"passes": True, "faults": []}
FAILS: Mapping[str, Any] = {"passes": False, "faults": [{"what": "it is too long"}]}


def _filled(name: str, **words: str) -> str:
    plan = all_patterns()[name].plan
    for place, text in {**FILLED, **words}.items():
        plan = plan.replace(place, text)
    return plan


def _shown(request: ModelRequest) -> str:
    return request.last.partition("## Pattern")[2]


def _versions(request: ModelRequest) -> Said:
    return f"Version {2 if 'Mend' in request.messages[1].text else 1}."


@dataclass(frozen=True, kw_only=True)
class Case:
    """A pattern with what its roles say, and how it ends."""

    pattern: str
    roles: Sequence[Script]
    #: Node -> its result, or a part of how it failed.
    results: Mapping[str, Any]
    #: Nodes that must not have run.
    left_out: Sequence[str] = ()
    words: Mapping[str, str] | None = None
    #: Role -> how often its model is asked at most.
    most: Mapping[str, int] | None = None
    #: What people read on the board.
    told: str = ""


def _value(*numbers: float) -> list[Script]:
    return [
        says("analyst", {"value": number}, contains=f"for this one: {item}.")
        for item, number in zip((3, 4, 5), numbers, strict=True)
    ]


CASES: dict[str, Case] = {
    "the critic passes the second version": Case(
        pattern="review",
        roles=[
            says("writer", _versions),
            says("critic", FAILS, contains="Version 1."),
            says("critic", PASSES, contains="Version 2."),
        ],
        results={"draft": "Version 1.", "draft_2": "Version 2.", "review_2": PASSES, "result": "Version 2."},
        left_out=["draft_3", "review_3"],
    ),
    "the critic passes the first version": Case(
        pattern="review",
        roles=[says("writer", _versions), says("critic", PASSES)],
        results={"result": "Version 1."},
        left_out=["draft_2", "review_2", "draft_3", "review_3"],
    ),
    "a critic never passes": Case(
        pattern="review",
        roles=[says("writer", _versions), says("critic", FAILS)],
        results={"draft_3": "Version 2.", "review_3": FAILS, "result": "The critic passed no version of it"},
        most={"writer": 3, "critic": 3},
        told="nothing of it passed",
    ),
    "the second review breaks down": Case(
        pattern="review",
        roles=[
            says("writer", _versions),
            says("critic", FAILS, contains="Version 1."),
            says("critic", "Nice!", contains="Version 2."),
        ],
        results={"review_2": "does not fit, twice", "result": "The critic passed no version of it"},
        left_out=["draft_3", "review_3"],
        told="nothing of it passed",
    ),
    "a critic only chats": Case(
        pattern="review",
        roles=[says("writer", "Version 1."), says("critic", "Nice!")],
        results={"draft": "Version 1.", "review": "does not fit, twice"},
        left_out=["draft_2", "result"],
        told="its result",
        most={"writer": 1, "critic": 2},
    ),
    "the judge picks the second": Case(
        pattern="contest",
        roles=[
            says("writer", "Obvious.", contains="obvious"),
            says("writer", "Safe.", contains="safest"),
            says("writer", "Bold.", contains="boldest"),
            says("critic", {"points": [1, 9, 3], "pick": 2, "why": "it holds"}),
        ],
        results={"winner": {"picked": 2, "solution": "Safe.", "why": "it holds"}},
    ),
    "a solver fails": Case(
        pattern="contest",
        roles=[
            says("writer", "CANNOT: I have no idea", contains="obvious"),
            says("writer", "Safe.", contains="safest"),
            says("writer", "Bold.", contains="boldest"),
            says(
                "critic",
                lambda request: {"pick": 3, "why": "bold"} if "I have no idea" in request.messages[1].text else FAILS,
            ),
        ],
        results={"one": "I have no idea", "winner": {"picked": 3, "solution": "Bold.", "why": "bold"}},
        told="it said that it can't be done",
    ),
    "no solver comes to a solution and the judge picks one all the same": Case(
        pattern="contest",
        roles=[says("writer", "CANNOT: I have no idea"), says("critic", {"pick": 1, "why": "why not"})],
        results={"winner": {"picked": None, "solution": None, "why": "why not"}},
        most={"writer": 3, "critic": 1},
    ),
    "a judge picks nobody": Case(
        pattern="contest",
        roles=[says("writer", "Same."), says("critic", {"pick": 0, "why": "none of them is a note"})],
        results={"winner": {"picked": None, "solution": None, "why": "none of them is a note"}},
    ),
    "a judge picks one that is not there": Case(
        pattern="contest",
        roles=[says("writer", "Same."), says("critic", {"pick": 7, "why": "the seventh"})],
        results={"verdict": "does not fit, twice"},
        left_out=["winner"],
        most={"critic": 2},
    ),
    "a lead joins what its team returned": Case(
        pattern="team",
        roles=[
            says(
                "lead",
                calls(
                    call("hand_out", role="writer", instruction="Do a"),
                    call("hand_out", role="analyst", instruction="Do b"),
                ),
                lambda request: " + ".join(text.partition("\n")[2] for text in told(request)),
            ),
            says("writer", "a"),
            says("analyst", "b"),
        ],
        results={"result": "a + b"},
    ),
    "a lead hands out for ever": Case(
        pattern="team",
        roles=[says("lead", calls(call("hand_out", role="writer", instruction="Again"))), says("writer", "Done.")],
        results={"result": "came to no result in 6 steps"},
        most={"lead": 6, "writer": 5},
    ),
    "a worker floods": Case(
        pattern="team",
        roles=[
            says("lead", calls(call("hand_out", role="writer", instruction="Do it")), lambda request: told(request)[0]),
            Script(role="writer", answer=Endless(piece="and so on " * 1000)),
        ],
        results={"result": "the model does not stop"},
        most={"writer": 1},
    ),
    "a round-table ends in a summary and what is disputed": Case(
        pattern="round_table",
        roles=[
            says("analyst", lambda request: f"{request.messages[1].text.count('## File')} before me."),
            says("critic", "It costs too much."),
            says(
                "writer", {"summary": "Do it.", "disagreements": ["The critic: it costs too much."]}, contains="Sum up"
            ),
            says("writer", "Let us do it."),
        ],
        results={
            "second": "It costs too much.",
            "fourth": "3 before me.",
            "end": {"summary": "Do it.", "disagreements": ["The critic: it costs too much."]},
        },
        most={"analyst": 2, "critic": 2, "writer": 3},
    ),
    "a speaker at the round-table fails": Case(
        pattern="round_table",
        roles=[
            says("analyst", "The facts."),
            says("critic", "CANNOT: I am lost for words"),
            says(
                "writer",
                lambda request: {
                    "summary": str("I am lost for words" in request.messages[1].text),
                    "disagreements": [],
                },
                contains="Sum up",
            ),
            says("writer", "Let us do it."),
        ],
        results={
            "second": "I am lost for words",
            "sixth": "Let us do it.",
            "end": {"summary": "True", "disagreements": []},
        },
        most={"analyst": 2, "critic": 2, "writer": 3},
        told="it said that it can't be done",
    ),
    "nobody at the round-table says anything": Case(
        pattern="round_table",
        roles=[says(role, "CANNOT: no") for role in ("analyst", "critic", "writer")],
        results={"first": "no", "end": "no"},
        most={"analyst": 2, "critic": 2, "writer": 3},
    ),
    "the plan goes on by the kind": Case(
        pattern="branch",
        roles=[says("analyst", {"kind": "B", "why": "it says so"}), says("researcher", "As for B.")],
        results={"result_2": "As for B."},
        most={"writer": 0},
    ),
    "another kind, the first branch": Case(
        pattern="branch",
        roles=[says("analyst", {"kind": "A", "why": "it says so"}), says("writer", "As for A.")],
        results={"result": "As for A."},
        left_out=["result_2", "result_3"],
        most={"writer": 1, "researcher": 0},
    ),
    "another kind, the last branch": Case(
        pattern="branch",
        roles=[
            says("analyst", {"kind": "other", "why": "new"}),
            says("writer", "Neither.", contains="neither A nor B"),
        ],
        results={"result_3": "Neither."},
        left_out=["result", "result_2"],
        most={"writer": 1, "researcher": 0},
    ),
    "a kind that is none ends the plan": Case(
        pattern="branch",
        roles=[says("analyst", {"kind": "C", "why": "new"})],
        results={"kind": "does not fit, twice"},
        most={"writer": 0, "researcher": 0, "analyst": 2},
    ),
    "sum": Case(pattern="map_reduce", roles=_value(1, 2, 4), results={"total": {"value": 7, "used": 3, "left_out": 0}}),
    "count": Case(
        pattern="map_reduce",
        roles=_value(1, 0, 4),
        results={"total": {"value": 3, "used": 3, "left_out": 0}},
        words={"HOW": "count"},
    ),
    "max": Case(
        pattern="map_reduce",
        roles=_value(1, 9, 4),
        results={"total": {"value": 9, "used": 3, "left_out": 0}},
        words={"HOW": "max"},
    ),
    "merge": Case(
        pattern="map_reduce",
        roles=[says("analyst", {"value": {"a": 1}}, contains="one: 3."), says("analyst", {"value": {"b": 2}})],
        results={"total": {"value": {"a": 1, "b": 2}, "used": 3, "left_out": 0}},
        words={"HOW": "merge"},
    ),
    "concatenate": Case(
        pattern="map_reduce",
        roles=[says("analyst", {"value": ["a", "b"]}, contains="one: 3."), says("analyst", {"value": "c"})],
        results={"total": {"value": ["a", "b", "c", "c"], "used": 3, "left_out": 0}},
        words={"HOW": "concatenate"},
    ),
    "one item comes to nothing": Case(
        pattern="map_reduce",
        roles=[says("analyst", {"value": None}, contains="one: 4."), says("analyst", {"value": 2})],
        results={"total": {"value": 4, "used": 2, "left_out": 1}},
    ),
    "one value is no number": Case(
        pattern="map_reduce",
        roles=[says("analyst", {"value": "a lot"}, contains="one: 4."), says("analyst", {"value": 2})],
        results={"total": "Value 2 is 'a lot'; it must be a number"},
        told="a value in the list is of the wrong kind",
    ),
    "an empty list": Case(
        pattern="map_reduce",
        roles=[],
        results={"part": [], "total": {"value": 0, "used": 0, "left_out": 0}},
        words={'["ITEMS"]': "[]"},
        most={"analyst": 0},
    ),
    "a list that is too long": Case(
        pattern="map_reduce",
        roles=[],
        results={"part": "more than"},
        left_out=["total"],
        words={'["ITEMS"]': str([*range(1000)])},
        most={"analyst": 0},
    ),
    "one item cannot be done": Case(
        pattern="map_reduce",
        roles=[says("analyst", "CANNOT: it is empty", contains="one: 4."), says("analyst", {"value": 1})],
        results={"part-1": "it is empty"},
        left_out=["total"],
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_pattern_ends_as_it_says_whatever_its_roles_do(database_url: URL, tmp_path: Path, case: str) -> None:
    wanted = CASES[case]
    pattern = all_patterns()[wanted.pattern]
    plan = _filled(wanted.pattern, **(wanted.words or {}))
    scripts = [Script(role="planner", answer=plan, times=1), *wanted.roles, ENDS, ANSWERS]
    async with (
        app_scene(database_url, tmp_path, scripts) as scene,
        scene.asked(f"write the note, with the pattern {pattern.spoken}") as seen,
    ):
        await seen.until(lambda seen: answered(seen) or done(seen), "the end")
        assert pattern.plan.strip() in _shown(scene.model.requests[0])
        results = results_told([request for request in scene.model.requests if "## Results" in request.last][-1])
        for node, result in wanted.results.items():
            same = results[node] == result if isinstance(result, Mapping) else str(result) in str(results[node])
            assert same, (node, results[node])
        for node in wanted.left_out:
            assert "because" in results.get(node, {"because": ""}), node
        for role, most in (wanted.most or {}).items():
            assert len(scene.model.requests_of(role)) <= most, role
        await seen.until(lambda seen: wanted.told in str(seen.boards()[-1].message), "what people are told")


async def test_map_reduce_takes_a_function_of_ones_own_in_place_of_a_reducer(database_url: URL, tmp_path: Path) -> None:
    plan, _, _ = _filled("map_reduce").partition("total =")
    own = """
def median(rows):
    values = sorted(row["value"] for row in rows)
    return {"median": values[len(values) // 2]}

total = median(rows=part)  # The middle
"""
    scripts = [Script(role="planner", answer=plan + own, times=1), *_value(1, 9, 4), ENDS, ANSWERS]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("the pattern map-reduce") as seen:
        await seen.until(answered_and_done, "the end")
        assert results_told(scene.model.requests_of("conclude")[-1])["total"] == {"median": 4}


async def test_reducer_that_there_is_none_of_is_refused_before_anything_runs(database_url: URL, tmp_path: Path) -> None:
    right = _filled("map_reduce").replace("total", "all_of_it").partition("all_of_it =")
    scripts = [
        Script(role="planner", answer=_filled("map_reduce", HOW="Sum"), times=1),
        Script(role="planner", answer="".join(right[1:]), times=1),
        *_value(1, 2, 4),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("the pattern map-reduce") as seen:
        await seen.until(answered_and_done, "the end")
        assert "bad_arguments" in scene.model.requests_of("planner")[1].last
        assert results_told(scene.model.requests_of("conclude")[-1])["all_of_it"]["value"] == 7


async def test_people_read_the_patterns_by_a_command(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        await scene.people.command("Ada", "ops", "/greenlight", "patterns")
        [words] = await whispers(scene, "U0ADA")
        for pattern in all_patterns().values():
            assert f"*{pattern.spoken}*: {pattern.purpose}" in words


@pytest.mark.parametrize(
    "off",
    [{"roles": {"critic": {"enabled": False}}}, {"tools": {"disabled": ["require_passed"]}}],
    ids=["role", "tool"],
)
async def test_pattern_that_cannot_be_planned_here_is_not_listed(
    database_url: URL, tmp_path: Path, off: dict[str, Any]
) -> None:
    def configured(table: dict[str, Any]) -> None:
        for name, keys in off.items():
            table[name] = {**table.get(name, {}), **keys}

    async with app_scene(database_url, tmp_path, [], configuration=configured) as scene:
        await scene.people.command("Ada", "ops", "/greenlight", "patterns")
        [words] = await whispers(scene, "U0ADA")
        assert "*review*" not in words
        assert "*team*" in words


@pytest.mark.parametrize("language", ["python", "json"])
async def test_planner_that_asks_for_a_pattern_is_shown_its_plan_as_it_writes_plans(
    database_url: URL, tmp_path: Path, language: str
) -> None:
    need = 'tools("pattern review")' if language == "python" else '{"op":"tools","need":"pattern review"}'
    scripts = [
        Script(role="planner", answer=need, times=1),
        Script(role="planner", answer=_filled("review"), times=1),
        says("writer", _versions),
        says("critic", PASSES),
        ENDS,
        ANSWERS,
    ]

    def configured(table: dict[str, Any]) -> None:
        table["plan"] = {"language": language}

    async with (
        app_scene(database_url, tmp_path, scripts, configuration=configured) as scene,
        scene.asked("write the note, and have it reviewed") as seen,
    ):
        await seen.until(answered_and_done, "the end")
        first, second = scene.model.requests_of("planner")
        assert "## Pattern" not in first.last
        shown = _shown(second)
        if language == "python":
            assert all_patterns()["review"].plan.strip() in shown
        else:
            lines = [json.loads(line) for line in shown.partition("```json\n")[2].partition("\n```")[0].splitlines()]
            assert [line["id"] for line in lines][-1] == "result"
            assert lines[1]["role"] == "critic"
        assert results_told(scene.model.requests_of("conclude")[-1])["result"] == "Version 1."


async def test_request_that_names_no_pattern_shows_none(database_url: URL, tmp_path: Path) -> None:
    scripts = [Script(role="planner", answer='reply("Fine.")'), ENDS, ANSWERS]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("review the branch") as seen:
        await seen.until(lambda seen: seen.says("Fine."), "the reply")
        assert "## Pattern" not in scene.model.requests[0].last
        assert "review: A writer, a critic" in scene.model.requests[0].system
