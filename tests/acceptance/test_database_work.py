"""The whole app asks little of the database: for a run with a card, and while nobody wants anything."""

import asyncio
from pathlib import Path

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post
from tests.bench.ground import fresh_server
from tests.fakes.statement_log import LOGGING, StatementLog

IDLE_SECONDS = 10.0
A_RUN = 400
"""Planner, publisher, budgets, memory and the connections' own beginnings included; 317 on a quiet machine."""


async def test_a_run_asks_a_bounded_number_of_statements_and_an_idle_app_hardly_any(tmp_path: Path) -> None:
    with fresh_server(LOGGING) as server:
        statements = StatementLog(server.layout.log)
        async with app_scene(server.url(), tmp_path, [ENDS, ANSWERS]) as scene:
            url = scene.effects.url
            greens = [fetch(f"g{number}", f"{url}/g{number}") for number in range(4)]
            asks = post("tell", "hello", depends_on=["g0", "g1", "g2", "g3"])
            scene.model.add(planned(*greens, asks, fetch("after", f"{url}/after", depends_on=["tell"])))
            statements.forget()
            async with scene.asked("do a lot") as observer:
                await observer.until(lambda seen: bool(seen.cards()), "the card")
                await scene.click(observer, "Grace", "approved")
                await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
            await asyncio.sleep(2)  # what follows an answer
            run = statements.read()
            await asyncio.sleep(IDLE_SECONDS)
            idle = statements.read()
    assert run.total <= A_RUN
    assert idle.total <= 2 * IDLE_SECONDS
