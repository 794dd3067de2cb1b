"""Big outputs travel by reference: a plan uses a part of them, and no model or state holds the whole."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, answered_and_done, states
from tests.acceptance.plans import ANSWERS, ENDS, package, planned, results_told, tool


@pytest.mark.usefixtures("broken_tools")
async def test_five_megabytes_travel_by_reference_and_a_part_of_them_can_be_used(
    database_url: URL, tmp_path: Path
) -> None:
    whole = "def main(inputs):\n    return len(inputs['all']['text'])\n"
    part = "def main(inputs):\n    return inputs['lines'] * 6\n"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned(
                tool("big", "five_megabytes", {}),
                package("part", part, inputs={"lines": "${big#/lines}"}),
                package("whole", whole, inputs={"all": "${big}"}),
            )
        )
        async with scene.asked("count it") as observer:
            await observer.until(answered, "the answer")
            assert "its arguments were too large" in states(observer)["whole"]
        (answer,) = scene.model.requests_of("conclude")
        results = results_told(answer)
        assert results["big"]["artifact"]["size"] > 5_000_000
        assert results["part"] == 42
        assert len(answer.last) < 20_000


async def test_big_outputs_travel_by_reference(database_url: URL, tmp_path: Path) -> None:
    makes = "def main(inputs):\n    return {'rows': ['x' * 100 for _ in range(200)], 'count': 200}\n"
    takes = "def main(inputs):\n    return {'rows': len(inputs['all']['rows']), 'count': inputs['count']}\n"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned(
                package("makes", makes), package("takes", takes, inputs={"all": "${makes}", "count": "${makes#/count}"})
            )
        )
        async with scene.asked("make and take") as observer:
            await observer.until(answered_and_done, "the answer")
        (answer,) = scene.model.requests_of("conclude")
        results = results_told(answer)
        assert set(results["makes"]) == {"artifact"}
        assert results["makes"]["artifact"]["size"] > 20_000
        assert results["takes"] == {"rows": 200, "count": 200}
