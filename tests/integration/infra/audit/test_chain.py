"""The chain of the audit on PostgreSQL: what the trigger writes is what the code computes, and nothing changes it."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.approval import Decision
from agent.ids import ApprovalId
from infra.audit.chain import Position
from infra.audit.checker import Checked, check_database
from infra.audit.sealing import Sealer
from infra.audit.signature import published_heads, signing_key
from infra.config.file import AuditTable
from infra.db.database import Database
from infra.stores.audit import erase_person
from infra.stores.stores import Stores
from tests.acceptance.stored_runs import dumps, read_dump, restore_database
from tests.fakes.audited_work import red_calls
from tests.fakes.rows import ADA, ELSEWHERE, GRACE, THREAD, a_request, tenant_of

TENANT = tenant_of(THREAD)


async def checked(database: Database, *keys: str) -> Checked:
    return await check_database(database, TENANT, frozenset(keys))


async def test_every_change_has_a_row_in_the_chain_and_each_effect_its_approval(
    stores: Stores, database: Database
) -> None:
    await red_calls(stores, 8)
    await red_calls(stores, 2, ELSEWHERE)
    found = await checked(database)
    assert found.faults == ()
    assert (found.effects, found.finished) == (8, 7)
    async with database.begin() as connection:
        events = (await connection.execute(text("SELECT event, count(*) FROM audit GROUP BY 1"))).all()
        ledger = (await connection.execute(text("SELECT count(*) FROM ledger WHERE tenant = 'T1'"))).scalar_one()
    assert ledger == found.effects
    assert {event for event, _ in events} == {"planned", "asked", "edited", "refused", "decided", "started", "finished"}


async def test_threads_that_change_at_once_leave_one_chain_without_a_gap(stores: Stores, database: Database) -> None:
    await asyncio.gather(*(stores.approvals.ask(a_request(f"q{number}")) for number in range(60)))
    decided = await asyncio.gather(
        *(
            stores.approvals.decide(
                TENANT, ApprovalId(f"q{number}"), version=1, by=(ADA, GRACE)[number % 2], decision=Decision.APPROVED
            )
            for number in range(60)
            for _ in range(2)
        )
    )
    assert sum(record is not None for record in decided) == 60
    found = await checked(database)
    assert (found.rows, found.faults) == (120, ())


async def _without_triggers(connection: AsyncConnection) -> None:
    """Do what the owner of the tables can do, and the app never does."""
    for table in ("audit", "audit_links", "audit_heads"):
        await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET node = 'other'",
        "UPDATE audit SET by = 'U0EVE'",
        "UPDATE audit SET by = NULL, digest = 'x'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "UPDATE audit_links SET hash = 'x'",
        "DELETE FROM audit_links",
        "TRUNCATE audit_links",
        "INSERT INTO audit_links (tenant, seq, entry, hash) VALUES ('T1', 99, 99, 'x')",
        "UPDATE audit_heads SET seq = 1",
        "DELETE FROM audit_heads",
        "TRUNCATE audit_heads",
    ],
)
async def test_no_statement_changes_what_was_written(statement: str, stores: Stores, database: Database) -> None:
    await stores.approvals.ask(a_request())
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.begin() as connection:
            await connection.execute(text(statement))
    assert (await checked(database)).faults == ()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE audit SET digest = 'x' WHERE event = 'decided'", "not what was written"),
        ("UPDATE audit SET at = at - interval '1 hour' WHERE event = 'started'", "not what was written"),
        ("UPDATE audit SET by = 'U0EVE' WHERE event = 'decided'", "another person|by half"),
        ("DELETE FROM audit WHERE event = 'refused'", "stands behind"),
        ("DELETE FROM audit_links WHERE seq > 20", "the rows end at 20"),
        ("DELETE FROM ledger; DELETE FROM audit WHERE event = 'decided'", "nobody approved"),
        ("INSERT INTO ledger (tenant, thread, node, attempt, digest) VALUES ('T1', 'x', 'n', 1, 'd')", "does not know"),
        (
            "INSERT INTO audit (tenant, thread, node, event, digest, details) VALUES ('T1','x','n','y','d','{}')",
            "no place",
        ),
    ],
)
async def test_a_change_made_around_the_triggers_is_found(
    statement: str, says: str, stores: Stores, database: Database
) -> None:
    await red_calls(stores, 8)
    async with database.begin() as connection:
        await _without_triggers(connection)
        for part in statement.split(";"):
            await connection.execute(text(part))
    with pytest.raises(AssertionError, match=says):
        assert "; ".join((await checked(database)).faults) == ""


async def test_erasing_a_person_leaves_the_chain_valid_and_their_rows_apart(stores: Stores, database: Database) -> None:
    await red_calls(stores, 8)
    rows = await erase_person(database, TENANT, GRACE)
    assert rows == 9
    async with database.begin() as connection:
        left = (await connection.execute(text("SELECT count(*) FROM audit WHERE by = 'U0GRACE'"))).scalar_one()
        people = (await connection.execute(text("SELECT person FROM audit_people ORDER BY 1"))).scalars().all()
    assert left == 0
    assert people == ["U0ADA", "U0LINUS"]
    await red_calls(stores, 1, first=8)  # she comes back as somebody else
    found = await checked(database)
    assert (found.faults, found.effects) == ((), 9)


async def test_a_published_head_shows_a_tail_that_was_cut_before_anybody_looked(
    stores: Stores, database: Database, tmp_path: Path
) -> None:
    await red_calls(stores, 3)
    key = signing_key(None, tmp_path, create=True)
    assert signing_key(None, tmp_path).public == key.public
    published = tmp_path / "heads.jsonl"
    sealer = Sealer(database, AuditTable(heads_file=str(published)), given=None, data=tmp_path)
    end = (await checked(database)).end
    await sealer.seal([(TENANT, end)])
    assert (await checked(database, key.public)).faults == ()
    assert (await checked(database)).faults == (f"the published head of row {end.seq} is signed by none of the keys",)
    async with database.begin() as connection:  # the end is made to look as if the last rows had never been
        await _without_triggers(connection)
        await connection.execute(text("DELETE FROM audit_links WHERE seq > :seq"), {"seq": end.seq - 4})
        await connection.execute(text("DELETE FROM audit WHERE id NOT IN (SELECT entry FROM audit_links)"))
        await connection.execute(
            text("UPDATE audit_heads SET seq = l.seq, hash = l.hash FROM audit_links l WHERE l.seq = :seq"),
            {"seq": end.seq - 4},
        )
        await connection.execute(text("DELETE FROM ledger"))
    assert (await checked(database, key.public)).faults == ()
    heads = published_heads(published)
    found = await check_database(database, TENANT, frozenset({key.public}), heads)
    assert "ends before" in "; ".join(found.faults)


async def test_a_sealer_looks_once_in_its_interval_and_signs_only_what_is_new(
    stores: Stores, database: Database, tmp_path: Path
) -> None:
    sealer = Sealer(database, AuditTable(seal_minutes=0.0001), given="07" * 32, data=tmp_path)
    await stores.approvals.ask(a_request())
    await asyncio.sleep(0.01)
    assert await sealer.seal_due() == 1
    await asyncio.sleep(0.01)
    assert await sealer.seal_due() == 0
    slow = Sealer(database, AuditTable(seal_minutes=5), given="07" * 32, data=tmp_path)
    await stores.approvals.ask(a_request("q2"))
    assert await slow.seal_due() == 0
    found = await checked(database, signing_key("07" * 32, tmp_path).public)
    assert (found.rows, found.faults) == (3, ())


@pytest.mark.parametrize("name", dumps())
async def test_rows_written_before_there_was_a_chain_are_its_beginning(name: str, empty_database_url: URL) -> None:
    restore_database(empty_database_url, read_dump(name))
    conninfo = empty_database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo) as connection:
        tenants = connection.execute("SELECT tenant, count(*) FROM audit GROUP BY 1").fetchall()
    assert tenants
    database = Database(empty_database_url)
    for tenant, rows in tenants:
        found = await check_database(database, tenant, frozenset())
        assert (found.rows, found.faults) == (rows, ())
        assert found.end != Position()
    await database.close()
