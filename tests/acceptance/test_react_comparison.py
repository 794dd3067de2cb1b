"""The same tasks planned and in a ReAct loop: the same proofs in the answer, and fewer model calls for a plan."""

import pytest

from infra.dev.scripted_model.script import Pace
from tests.bench import react


async def test_plan_needs_two_model_calls_whatever_its_size_and_a_loop_one_a_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(react, "PACE", Pace())
    monkeypatch.setattr(react, "CRITICAL_PATH_SECONDS", 0.05)
    for task in react.read_tasks(((3,), (7, 7))):
        steps = len(task.steps)
        # Each way asserts that every step was done once, behind what it needs, and what the answer says.
        assert (await react.ours(task)).calls == 2
        assert (await react.react(task, at_once=False)).calls == steps + 1
        assert (await react.react(task, at_once=True)).calls <= steps + 1
