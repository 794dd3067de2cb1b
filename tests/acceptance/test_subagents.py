"""Subagents over the wire: a role with its own model, tools and prompt does one step of a plan."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.plans import ANSWERS, ENDS, planned, post
from tests.acceptance.roles import call, calls, says, subagent, told


def _over(wire: str) -> Callable[[dict[str, Any]], None]:
    def configured(table: dict[str, Any]) -> None:
        table["roles"] = {"researcher": {"use_responses_api": wire == "responses"}}

    return configured


@pytest.mark.parametrize("wire", ["chat", "responses"])
async def test_subagent_calls_tools_and_returns_its_artifact_to_the_plan(
    database_url: URL, tmp_path: Path, wire: str
) -> None:
    scripts = [
        planned(
            subagent("look", "researcher", "Find out how the service is"),
            subagent("note", "writer", "Write about ${look}", files=["${look}"]),
        ),
        says(
            "researcher",
            lambda _: calls(call("calculate", expression="6 * 7"), call("current_time", zone="UTC")),
            lambda request: f"The figure is {told(request)[0]}.",
        ),
        says("writer", lambda request: f"Dear all. {request.messages[1].text.partition('File 1')[2].split('```')[1]}"),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_over(wire)) as scene,
        scene.asked("how is it") as seen,
    ):
        await seen.until(lambda seen: answered(seen), "the answer")
        print([(r.role, r.last[-300:]) for r in scene.model.requests])
        assert states(seen) == {"Title of look": "complete", "Title of note": "complete"}
        asked = scene.model.requests_of("researcher")
        assert [request.api for request in asked] == [wire, wire]
        assert "calculate" in asked[0].tools
        assert "The figure is" in seen.answer() if hasattr(seen, "answer") else True
