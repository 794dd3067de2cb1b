"""A parked run survives a restart, and a worker that is told to end finishes its red call first."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from sqlalchemy import URL, text

from infra.db.database import Database
from infra.wiring import Part
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered_and_done
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post, tool
from tests.acceptance.processes import greenlight_worker
from tests.chaos.containers import open_containers

BOT, WORKER = frozenset({Part.BOT}), frozenset({Part.WORKER})


def sends(table: dict[str, Any]) -> None:
    """Add the red tool that sends requests, which the author may approve."""
    table["tools"]["http_request"] = {"hosts": ["127.0.0.1"], "allow_private": True}


async def test_sigterm_lets_a_red_call_end_takes_nothing_new_and_leaves_nothing_behind(
    database_url: URL, tmp_path: Path
) -> None:
    async with (
        app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=sends, started=False) as scene,
        open_containers() as containers,
    ):
        await scene.start_app(BOT)
        url, effects = scene.effects.url, scene.effects
        effects.hold("send")
        scene.model.add(
            planned(
                tool("send", "http_request", {"method": "POST", "url": f"{url}/send"}),
                fetch("behind", f"{url}/behind", depends_on=["send"]),
            )
        )
        file = tmp_path / "greenlight.toml"
        reach = "hosts = ['127.0.0.1']\nallow_private = true\n"
        tools = f"[tools.http_get]\n{reach}[tools.http_request]\n{reach}"
        file.write_text(f'sandbox = "{containers.sandbox}"\n{tools}')
        async with greenlight_worker(scene, file) as worker, scene.asked("send it") as observer:
            containers.belong_to(worker.pid)
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Ada", "approved")
            await effects.reached("send")
            worker.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            scene.model.add(planned(fetch("new", f"{url}/new")))
            async with scene.asked("and something new") as later:
                effects.let_go("send")
                assert await worker.wait() == 0
                assert effects.calls["new"] == 0
                assert await left_behind(database_url) == {"leases": 0, "workers": 0}
                assert await containers.left() == {}
                async with greenlight_worker(scene, file):
                    for thread in (observer, later):
                        await thread.until(lambda seen: seen.says("ANSWER"), "the answer")
        assert effects.calls == {"send": 1, "behind": 1, "new": 1}
        assert await ledger(database_url) == ["done"]


async def left_behind(url: URL) -> dict[str, int]:
    """Return how many leases there are, and how many workers that count as alive."""
    database = Database(url)
    counts: dict[str, int] = {}
    async with database.begin() as connection:
        for table, which in (("leases", "true"), ("workers", "dead_at IS NULL")):
            count = text(f"SELECT count(*) FROM {table} WHERE {which}")  # noqa: S608 - our own words
            counts[table] = (await connection.execute(count)).scalar_one()
    await database.close()
    return counts


async def ledger(url: URL) -> list[str]:
    """Return the states of the ledger's rows."""
    database = Database(url)
    async with database.begin() as connection:
        states = list((await connection.execute(text("SELECT state FROM ledger"))).scalars())
    await database.close()
    return states


async def test_a_parked_run_survives_a_restart_and_goes_on_from_the_click(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "got ${a#/body/name}")))
        async with scene.asked("fetch, then tell") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.stop_app()
            await scene.start_app()
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        assert scene.effects.calls["a"] == 1
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["got a"]
        assert len(scene.model.requests_of("planner")) == 1
