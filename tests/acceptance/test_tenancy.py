"""Every row of a run names its tenant."""

from pathlib import Path

from sqlalchemy import URL, text

from infra.db.database import Database
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered_and_done
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post


async def test_every_row_of_a_run_names_its_tenant_and_nothing_is_left_open(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "hello")))
        async with scene.asked("all") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        await scene.stop_app()
        database = Database(database_url)
        async with database.begin() as connection:
            for table in ("inbox", "runs", "operations", "nodes", "approvals", "ledger", "audit"):
                tenants = (await connection.execute(text(f"SELECT DISTINCT tenant FROM {table}"))).scalars().all()  # noqa: S608
                assert tenants == ["T0LOCAL"], table
            assert (await connection.execute(text("SELECT state FROM ledger"))).scalars().all() == ["done"]
            for table in ("leases", "workers", "procrastinate_jobs"):
                assert (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0, table  # noqa: S608
        await database.close()
