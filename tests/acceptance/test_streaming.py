"""Steps run while their plan still streams."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL

from agent.events import NodeChanged
from infra.dev.scripted_model.script import Script, Stall
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import states
from tests.acceptance.plans import ANSWERS, ENDS, fetch
from tests.fakes.packing_plans import REGISTRY
from tests.fakes.packing_plans import tool as tool_line
from tests.fakes.plans import json_lines
from tests.fakes.whole_agent import whole


async def test_steps_run_while_the_plan_still_streams(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        first = json.dumps(fetch("first", f"{scene.effects.url}/first")) + "\n"
        scene.model.add(Script(role="planner", answer=Stall(after=first), times=1))
        async with scene.asked("begin") as observer:
            await observer.until(lambda seen: "complete" in states(seen).get("first", ""), "the first step done")
            assert observer.says("planning") or observer.says("running")
        assert scene.effects.calls == {"first": 1}


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # conditions are over rows, which have no event each
            await asyncio.sleep(0.005)


async def test_the_first_tool_starts_before_15_percent_of_the_plan_has_streamed() -> None:
    """The model goes silent there, so no clock decides; `make bench ONLY=stream` has the times."""
    plan = json_lines(
        [tool_line(f"n{number}", *([f"n{number - 3}"] if number > 2 else []), text="x") for number in range(12)]
    )
    stalled = Script(role="planner", answer=Stall(after=plan[: len(plan) * 15 // 100]))
    async with whole(stalled, packing=True, tools=REGISTRY) as agent:
        agent.world.say("go")
        advancing = asyncio.create_task(agent.advance())
        await _until(lambda: any(isinstance(event, NodeChanged) for event in agent.world.progress.events))
        advancing.cancel()
        await asyncio.wait([advancing])
