"""Expiry, graceful ends and many processes, over the wire."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from sqlalchemy import URL, text

from agent.errors import TurnError
from bot import wording
from infra.db.database import Database
from infra.dev.scripted_model.script import Script
from infra.wiring import Part
from tests.acceptance.app_fixture import stage
from tests.acceptance.plans import ANSWERS, ENDS, fetch, lines, planned, post, tool
from tests.acceptance.processes import greenlight_worker
from tests.chaos.containers import open_containers

BOT, WORKER = frozenset({Part.BOT}), frozenset({Part.WORKER})


def sends(table: dict[str, Any]) -> None:
    """Add the red tool that sends requests, which the author may approve."""
    table["tools"]["http_request"] = {"allow_private": True}


async def test_an_approval_nobody_decides_expires_and_is_no_rejection(database_url: URL, tmp_path: Path) -> None:
    def soon(table: dict[str, Any]) -> None:
        table["limits"] = {"approval_hours": 2 / 3600}
        table["worker"] = {"sweep": 0.2}

    async with stage(database_url, tmp_path, [ENDS, ANSWERS], configuration=soon) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
            await observer.until(lambda seen: seen.says("Expired", "nobody decided in time"), "the card's end")
        (answer,) = scene.model.requests_of("answer")
        assert '"expired"' in answer.last
        assert '"rejected"' not in answer.last
        assert await scene.people.messages("incidents") == []


async def test_a_decision_on_one_bot_reaches_a_hot_run_in_another_process_at_once(
    database_url: URL, tmp_path: Path
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS], started=False) as scene:
        await scene.start_app(WORKER)
        await scene.start_app(BOT)
        effects = scene.effects
        effects.hold("slow")
        scene.model.add(planned(fetch("slow", f"{effects.url}/slow"), post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: "done" in str(seen.tasks().get("tell")), "the post, while the other runs")
            assert effects.running == ["slow"]
            effects.let_go("slow")
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")


async def test_sigterm_lets_a_red_call_end_takes_nothing_new_and_leaves_nothing_behind(
    database_url: URL, tmp_path: Path
) -> None:
    async with (
        stage(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=sends, started=False) as scene,
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
        tools = "[tools.http_get]\nallow_private = true\n[tools.http_request]\nallow_private = true\n"
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
                    for each in (observer, later):
                        await each.until(lambda seen: seen.says("ANSWER"), "the answer")
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


async def test_a_result_that_may_be_remembered_is_not_fetched_again_and_the_board_says_so(
    database_url: URL, tmp_path: Path
) -> None:
    def remembering(table: dict[str, Any]) -> None:
        table["tools"]["http_get"]["cache_seconds"] = 600

    async with stage(database_url, tmp_path, [ENDS, ANSWERS], configuration=remembering) as scene:
        url = scene.effects.url
        scene.model.add(planned(fetch("a", f"{url}/page")))
        scene.model.add(planned(fetch("b", f"{url}/page")))
        scene.model.add(planned(fetch("c", f"{url}/page")))
        for by, told in (("Ada", False), ("Ada", True), ("Grace", False)):
            async with scene.asked("read it", by=by) as observer:
                await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
                await observer.until(lambda seen: any(w.startswith("Done: ") for w in seen.words()), "the board's end")
                assert observer.says("from the cache") is told
        assert scene.effects.calls == {"page": 2}


async def test_a_thread_with_a_wide_plan_lets_another_thread_run_beside_it(database_url: URL, tmp_path: Path) -> None:
    """Sixty steps that last: half of them wait for the others, and nobody else waits for any of them."""
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
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

    async with stage(database_url, tmp_path, [ENDS, ANSWERS], configuration=one_at_once) as scene:
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


async def test_a_plan_beyond_the_limit_runs_as_far_as_it_fits_and_the_person_is_told(
    database_url: URL, tmp_path: Path
) -> None:
    def few(table: dict[str, Any]) -> None:
        table["limits"] = {"nodes_per_turn": 2}

    async with stage(database_url, tmp_path, [ENDS, ANSWERS], configuration=few) as scene:
        url = scene.effects.url
        whole = lines([fetch(f"n{number}", f"{url}/n{number}") for number in range(4)])
        scene.model.add(Script(role="planner", answer=whole, times=3))
        scene.model.add(planned(fetch("rest", f"{url}/n2")))
        async with scene.asked("do it all") as observer:
            await observer.until(lambda seen: seen.says(wording.trouble(TurnError.PLAN_TOO_LARGE)), "why it is not all")
            assert observer.says("ANSWER", "n0", "n1")
            assert not observer.says("too_many_nodes")
            assert scene.effects.calls == {"n0": 1, "n1": 1}
            await scene.people.post("Ada", observer.channel, "and the rest", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("ANSWER", "n2"), "the rest, asked for as it said")
