"""Notifications from the database, whatever becomes of the connection."""

import asyncio

import pytest
from psycopg import AsyncConnection

from agent.ids import thread_id
from infra.db.database import NOTIFY_CHANNEL, Database
from infra.worker.notifications import PgNotifications
from sandbox import background_task

THREAD = thread_id("T0LOCAL", "C0OPS", "1.000001")


@pytest.mark.parametrize("error", [ValueError("odd"), AttributeError("odd"), asyncio.CancelledError()], ids=repr)
async def test_listener_listens_again_after_any_error(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Deaf, a process would go on with its periodic looks alone and never say so."""
    monkeypatch.setattr(background_task, "LONGEST_PAUSE_SECONDS", 0.05)
    notifications = PgNotifications(database)
    forward, broken = notifications._forward, asyncio.Event()  # pyright: ignore[reportPrivateUsage] -- to break it

    async def break_once(connection: AsyncConnection[object]) -> None:
        if not broken.is_set():
            broken.set()
            raise error
        await forward(connection)

    monkeypatch.setattr(notifications, "_forward", break_once)
    async with notifications.listening():
        await asyncio.wait_for(broken.wait(), 30)
        with notifications.changes.subscribe(THREAD) as subscription:
            async with asyncio.timeout(30):
                while not await subscription.wait(0.2):
                    async with await AsyncConnection.connect(database.conninfo, autocommit=True) as other:
                        await other.execute(f"NOTIFY {NOTIFY_CHANNEL}, '{THREAD}'".encode())
