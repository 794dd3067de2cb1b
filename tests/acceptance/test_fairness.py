"""Threads share a worker: a wide plan leaves room for others, and a worker keeps to its limit."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned


async def test_a_thread_with_a_wide_plan_lets_another_thread_run_beside_it(database_url: URL, tmp_path: Path) -> None:
    """Sixty steps that last: half of them wait for the others, and nobody else waits for any of them."""
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url, effects = scene.effects.url, scene.effects
        effects.hold("wide")
        scene.model.add(planned(*(fetch(f"w{number}", f"{url}/wide") for number in range(60))))
        async with scene.asked("do a lot") as wide:
            await effects.reached("wide", times=32)
            scene.model.add(planned(fetch("small", f"{url}/small")))
            async with scene.asked("do a little") as small:
                await small.until(lambda seen: seen.says("ANSWER"), "the answer beside the wide plan")
                assert effects.calls["wide"] == 32
                assert not wide.says("ANSWER")
            effects.let_go("wide")
            await wide.until(lambda seen: seen.says("ANSWER"), "the answer to the wide plan")
        assert effects.calls == {"wide": 60, "small": 1}


async def test_a_worker_runs_no_more_threads_at_once_than_it_may(database_url: URL, tmp_path: Path) -> None:
    def one_at_once(table: dict[str, Any]) -> None:
        table["limits"] = {"threads_at_once": 1}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=one_at_once) as scene:
        url, effects = scene.effects.url, scene.effects
        effects.hold("first")
        scene.model.add(planned(fetch("a", f"{url}/first")))
        async with scene.asked("be first") as first:
            await effects.reached("first")
            scene.model.add(planned(fetch("b", f"{url}/second")))
            async with scene.asked("be second") as second:
                await asyncio.sleep(1)
                assert effects.calls["second"] == 0
                effects.let_go("first")
                await first.until(lambda seen: seen.says("ANSWER"), "the first answer")
                await second.until(lambda seen: seen.says("ANSWER"), "the second answer")
