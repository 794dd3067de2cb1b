"""PostgreSQL dies and comes back under what Slack sends: a message is taken in or it is not, and the listener knows."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

import infra.db.database
from agent.errors import StoreUnavailable
from agent.ids import ThreadId
from bot.ports import Receipt
from infra.db.database import Database
from infra.db.embedded_postgres import HeldPostgres, hold_postgres
from infra.db.migrate import migrate
from infra.stores.inbox import PostgresInbox
from tests.fakes.rows import a_message

RESTARTS = 3
SENDERS = 12


@pytest.fixture
def own_postgres() -> Generator[HeldPostgres]:
    """A server that this test may kill."""
    with tempfile.TemporaryDirectory(prefix="greenlight-restarts-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the server runs as a user of its own
        with hold_postgres(Path(folder) / "data", {"fsync": "off"}) as server:
            migrate(server.url())
            yield server


def _kill(server: HeldPostgres) -> None:
    pid = int((server.layout.data / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)


async def test_messages_that_come_while_the_database_restarts_are_refused_or_kept(own_postgres: HeldPostgres) -> None:
    """Send again after a refusal, as Slack does. Any other error is unexpected and fails the test."""
    database = Database(own_postgres.url(), pool_size=4)
    inbox = PostgresInbox(database)
    ending = asyncio.Event()
    sent: list[str] = []
    refused = 0

    async def send(sender: int) -> None:
        nonlocal refused
        number = 0
        while not ending.is_set():
            number += 1
            ts = f"{sender}.{number}"
            receipt = None
            while receipt is None:
                try:
                    receipt = await inbox.accept(a_message(ts=ts, thread=ThreadId(f"T1:C1:{ts}")))
                except StoreUnavailable:
                    refused += 1
                    await asyncio.sleep(0.02)
            assert receipt in (Receipt.ACCEPTED, Receipt.DUPLICATE)
            sent.append(ts)

    async def some_more() -> None:
        enough = len(sent) + 10 * SENDERS
        while len(sent) < enough:  # noqa: ASYNC110 - any of the senders gets there
            await asyncio.sleep(0.05)

    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        for sender in range(SENDERS):
            group.create_task(send(sender))
        for _ in range(RESTARTS):
            await some_more()
            _kill(own_postgres)
        await some_more()
        ending.set()
    async with database.begin() as connection:
        kept = (await connection.execute(text("SELECT ts FROM inbox"))).scalars().all()
        jobs = (await connection.execute(text("SELECT lock FROM procrastinate_jobs"))).scalars().all()
    await database.close()
    assert refused > 0
    assert sorted(kept) == sorted(sent)
    assert sorted(jobs) == sorted(f"T1:C1:{ts}" for ts in sent)


async def test_a_server_that_hangs_up_on_every_new_connection_counts_as_out_of_reach(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hung_up(_connection: object) -> None:
        raise psycopg.OperationalError

    def has_unread(_socket: int) -> bool:
        return True

    async with database.begin():
        pass  # there is a connection in the pool
    monkeypatch.setattr(infra.db.database, "has_unread", has_unread)
    monkeypatch.setattr(database.engine.dialect, "do_ping", hung_up)
    with pytest.raises(StoreUnavailable):
        async with database.autocommit():
            pass
