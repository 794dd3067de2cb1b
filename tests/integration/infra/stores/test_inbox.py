"""The door under a rush: messages taken in together are each taken in once."""

import asyncio
from collections import Counter

from sqlalchemy import URL, text

from agent.ids import ApprovalId, ThreadId, thread_parts
from agent.ports import RunStatus
from bot.ports import Load, Receipt
from infra.db.database import Database
from infra.stores.inbox import PostgresInbox
from infra.stores.stores import Stores
from tests.fakes.rows import ADA, ELSEWHERE, GRACE, OTHER, THREAD, a_message, a_request, tenant_of

THREADS = 60


async def test_a_rush_of_messages_heard_twice_by_two_listeners_is_taken_in_once_each(
    database: Database, database_url: URL
) -> None:
    """Crosswise: each hears the same messages in another order, some of them as two events (a mention is one)."""
    other = Database(database_url, wait_seconds=300)
    here, there = PostgresInbox(database), PostgresInbox(other)
    messages = [
        a_message(ts=f"{number}.{reply}", thread=ThreadId(f"T1:C1:{number}.0"), event_id=f"Ev{number}.{reply}.{twin}")
        for number in range(THREADS)
        for reply in (0, 1)
        for twin in ((1, 2) if number % 3 else (1,))
    ]
    receipts = await asyncio.gather(
        *(here.accept(message) for message in messages), *(there.accept(message) for message in reversed(messages))
    )
    told = Counter(
        message.ts
        for message, receipt in zip([*messages, *reversed(messages)], receipts, strict=True)
        if receipt is Receipt.ACCEPTED
    )
    assert told == Counter({message.ts: 1 for message in messages})
    async with database.begin() as connection:
        kept = (await connection.execute(text("SELECT ts FROM inbox"))).scalars().all()
        jobs = (await connection.execute(text("SELECT lock FROM procrastinate_jobs"))).scalars().all()
        roots = (await connection.execute(text("SELECT thread FROM threads"))).scalars().all()
    await other.close()
    assert sorted(kept) == sorted(told)
    assert sorted(jobs) == sorted(roots) == sorted({str(message.thread) for message in messages})


async def test_a_message_that_the_database_does_not_take_keeps_no_other_out(database: Database) -> None:
    """No message is known to be such; what is refused here is a thread longer than an index holds."""
    inbox = PostgresInbox(database)
    long = ThreadId("T1:C1:" + "".join(f"{number:x}" for number in range(100_000)))
    messages = [a_message(ts=f"{number}.0", thread=ThreadId(f"T1:C1:{number}.0")) for number in range(5)]
    told = await asyncio.gather(
        *(inbox.accept(message) for message in [*messages[:2], a_message(ts="9.9", thread=long), *messages[2:]]),
        return_exceptions=True,
    )
    assert isinstance(told.pop(2), Exception)
    assert told == [Receipt.ACCEPTED] * 5
    async with database.begin() as connection:
        kept = (await connection.execute(text("SELECT ts FROM inbox"))).scalars().all()
    assert sorted(kept) == [message.ts for message in messages]


async def test_load_counts_what_a_person_has_at_work_and_open_in_one_tenant(stores: Stores) -> None:
    for thread in (THREAD, OTHER, ELSEWHERE):
        await stores.inbox.accept(a_message(ts=thread_parts(thread).root_ts, thread=thread))
    await stores.runs.begin(THREAD, 1)
    assert await stores.inbox.load(tenant_of(THREAD), ADA, THREAD) == Load(under_way=True, runs=2, cards=0)
    assert await stores.inbox.load(tenant_of(THREAD), ADA, None) == Load(under_way=False, runs=2, cards=0)
    assert await stores.inbox.load(tenant_of(THREAD), GRACE, None) == Load(under_way=False, runs=0, cards=0)
    assert await stores.inbox.load(tenant_of(ELSEWHERE), ADA, THREAD) == Load(under_way=False, runs=1, cards=0)
    await _taken(stores, THREAD)
    await stores.approvals.ask(a_request())
    await stores.runs.set_status(THREAD, 1, RunStatus.WAITING)
    assert await stores.inbox.load(tenant_of(THREAD), ADA, THREAD) == Load(under_way=True, runs=1, cards=1)
    await stores.approvals.withdraw(THREAD, ApprovalId("q1"), "over")
    await stores.runs.finish(THREAD, 1, RunStatus.DONE, "the answer")
    assert await stores.inbox.load(tenant_of(THREAD), ADA, THREAD) == Load(under_way=False, runs=1, cards=0)


async def _taken(stores: Stores, thread: ThreadId) -> None:
    await stores.mailbox.taken(thread, 1, [message.id for message in await stores.mailbox.untaken(thread)])
