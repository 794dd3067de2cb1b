"""Arithmetic and times in a real run, without settings: steps calculate with what other steps returned."""

from pathlib import Path

from sqlalchemy import URL

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.plans import ANSWERS, ENDS, planned, results_told, tool


def without_tables(table: dict[str, object]) -> None:
    del table["tools"]


async def test_a_plan_calculates_with_times_and_numbers_and_what_is_too_large_only_fails_its_own_step(
    database_url: URL, tmp_path: Path
) -> None:
    zone = "Europe/Berlin"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=without_tables) as scene:
        scene.model.add(
            planned(
                tool("now", "current_time", {"zone": zone}),
                tool("end", "calculate_time", {"time": "2026-10-25T00:00", "add": "P1D", "zone": zone}),
                tool("long", "calculate_time", {"time": "2026-10-25T00:00", "until": "${end#/time}", "zone": zone}),
                tool(
                    "rate",
                    "calculate",
                    {"expression": "seconds / 3600 * 0.1", "values": {"seconds": "${long#/seconds}"}},
                ),
                tool("tower", "calculate", {"expression": "9**9**9"}),
            )
        )
        async with scene.asked("calculate") as observer:
            await observer.until(answered, "the answer")
            assert not observer.cards()
            assert states(observer)["tower"].startswith("error")
            assert "too_large" not in states(observer)["tower"]
        told = results_told(scene.model.requests_of("conclude")[-1])
        assert told["now"]["zone"] == zone
        assert told["end"]["time"] == "2026-10-26T00:00:00+01:00"
        assert told["rate"] == {"value": 2.5, "text": "2.5", "exact": True}
