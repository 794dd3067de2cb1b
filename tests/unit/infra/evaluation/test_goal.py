"""Files of goals: those that ship, those that are read, and those that are refused with the place of the fault."""

import asyncio
import json
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from agent.tool import Colour, Registry
from infra.config.list_file import ListFileInvalid
from infra.evaluation.goal import SHIPPED_GOALS, read_goals
from infra.tools.catalogue import known_tools

POST = {
    "name": "post-health",
    "request": "Check the shop and post its status.",
    "steps": {
        "check": {"tool": "http_get", "args": {"url": "https://shop.example.com/"}, "gives": {"status": 200}},
        "post": {"tool": "slack_post_message", "colour": "red", "args": {"text": {"has": ["200"]}}, "after": ["check"]},
    },
    "facts": ["200"],
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return asyncio.run(known_tools())


def test_at_least_forty_goals_ship_and_expect_what_the_demo_can_do(registry: Registry) -> None:
    goals = read_goals(SHIPPED_GOALS, registry)
    steps = [step for goal in goals for step in goal.steps.values()]
    assert len(goals) >= 40
    assert all(goal.plan and goal.facts for goal in goals)
    assert {step.tool for step in steps} <= {tool.name for tool in registry}
    assert len({step.tool for step in steps}) >= 10
    assert Counter(step.colour for step in steps)[Colour.RED] >= 25
    assert sum(1 for step in steps if step.after) >= 25
    assert sum(1 for goal in goals if goal.artifacts) >= 2
    assert any(step.fails for step in steps)


def test_goal_of_a_file_is_read(tmp_path: Path, registry: Registry) -> None:
    file = tmp_path / "goals.json"
    file.write_text(json.dumps({"goals": [POST]}))
    [goal] = read_goals(file, registry)
    post = goal.steps["post"]
    assert (post.colour, post.after) == (Colour.RED, ("check",))
    assert post.is_made_by("slack_post_message", {"channel": "#ops", "text": "it says 200"})
    assert not post.is_made_by("slack_post_message", {"channel": "#ops", "text": "it says 500"})
    assert not post.is_made_by("http_get", {"text": "it says 200"})


def changed(**changes: Any) -> list[dict[str, Any]]:
    return [{**deepcopy(POST), **changes}]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "goals.json"),
        ("[" * 100_000, "goals.json"),
        ("{}", "neither a list of goals"),
        ("[]", "it contains no goal"),
        ("3", "goals.json"),
        (json.dumps([POST, POST]), "there are two goals 'post-health'"),
        (json.dumps(changed(steps={})), "0: steps:"),
        (json.dumps(changed(request="")), "0: request:"),
        (json.dumps(changed(wishes=[])), "0: wishes:"),
        (json.dumps(changed(steps={"a": {"tool": "rm_rf"}})), "there is no tool 'rm_rf'"),
        (json.dumps(changed(steps={"a": {"tool": "http_get", "after": ["b"]}})), "after 'b', which is no step"),
        (json.dumps(changed(steps={"a": {"tool": "http_get", "after": ["a"]}})), "after each other"),
        (json.dumps(changed(steps={"a": {"tool": "http_get", "colour": "blue"}})), "0: steps: a: colour:"),
        (json.dumps(changed(steps={"a": {"tool": "http_get", "seconds": 0}})), "0: steps: a: seconds:"),
        (json.dumps(changed(work={"w": {"role": "ghost"}})), "there is no role 'ghost'"),
        (json.dumps(changed(work={"check": {"role": "ghost"}})), "a step has the same name"),
        (json.dumps(changed(roles={"r": {}}, work={"w": {"role": "r", "of": "w"}})), "which is no work of a lead"),
        (json.dumps(changed(roles={"r": {}}, work={"w": {"role": "r", "after": ["x"]}})), "after 'x', which is no"),
        (json.dumps(changed(earlier={"e": {}})), "0: earlier: e: title:"),
        (json.dumps(changed(plan=["add"])), "0: plan: 0:"),
        (json.dumps(changed(plan=[{"op": "add"}])), "its plan: "),
        (b"\xff\xfe", "goals.json"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_bad_file_is_refused_with_its_place(
    tmp_path: Path, registry: Registry, content: str | bytes, word: str
) -> None:
    file = tmp_path / "goals.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ListFileInvalid) as refused:
        read_goals(file, registry)
    assert word in str(refused.value)
