"""The sandbox in use is chosen at start and logged."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered_and_done
from tests.acceptance.plans import ANSWERS, ENDS, package, planned, results_told


async def test_the_sandbox_in_use_is_chosen_at_start_and_logged(
    database_url: URL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def monty(table: dict[str, object]) -> None:
        table["sandbox"] = "monty"

    with caplog.at_level("INFO", logger="infra.wiring"):
        async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=monty) as scene:
            scene.model.add(planned(package("sum", "def main(inputs):\n    return sum(range(10))\n")))
            async with scene.asked("sum up") as observer:
                await observer.until(answered_and_done, "the answer")
            assert results_told(scene.model.requests_of("conclude")[0]) == {"sum": 45}
    assert any("sandbox monty" in record.getMessage() for record in caplog.records)
