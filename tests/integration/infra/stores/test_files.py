"""Files on PostgreSQL: named, listed, and evicted when nothing refers to them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, text

from agent.approval import Decision
from agent.errors import ArtifactMissing
from agent.ids import NodeId, ThreadId, ToolName, thread_parts
from agent.plan.eviction import FileLimits
from agent.plan.file_names import FILES_GREP
from agent.plan.files import FileOrigin
from agent.plan.operations import Add, operation_json
from agent.plan.sources import Source
from agent.ports import RunStatus
from infra.db.database import Database
from infra.db.tables import OperationRow, thread_key
from infra.stores.artifacts import lock_thread
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.files import add_node, done, end_node, put_output
from tests.fakes.rows import ADA, GRACE, NOON, OTHER, THREAD, a_message, a_node, a_request, an_add, planned

LIMITS = FileLimits(prompt_rounds=1, prompt_steps=1_000, run_bytes=1, tenant_bytes=1)
"""Whatever left the prompts and is not referred to goes."""


@pytest.fixture
async def tight(database: Database, queue: Queue, notifications: PgNotifications) -> AsyncGenerator[Stores]:
    """Every store, with quotas that keep nothing which nobody refers to."""
    stores = Stores(database, queue, notifications, file_limits=LIMITS)
    yield stores
    await stores.progress.close()


async def rounds(stores: Stores, count: int = 3, thread: ThreadId = THREAD) -> None:
    """Have so many planning rounds pass."""
    for _ in range(count):
        await stores.files.begin(thread)


async def kept(stores: Stores, thread: ThreadId = THREAD) -> set[str]:
    """Return the names of the files that are no tombstones."""
    return {file.name for file in await stores.files.listed(thread, most=100) if file.evicted is None}


async def counted(database: Database, table: str) -> int:
    return (await database.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608 - our own name


async def test_a_file_is_found_by_its_name_with_what_is_known_of_it(stores: Stores) -> None:
    personal = frozenset({Source(tool=ToolName("t"), author=ADA)})
    ref = await put_output(stores, "a", "one\ntwo\n", personal=personal, outside=True)
    found = await stores.files.find(THREAD, "1/a/a.txt")
    assert found is not None
    assert (found.name, found.size, found.summary, found.digest) == ("1/a/a.txt", 8, "2 lines: one", ref.digest)
    assert (found.origin.personal, found.origin.outside, found.origin.author) == (personal, True, ADA)
    assert await stores.files.find(OTHER, "1/a/a.txt") is None


async def test_files_are_listed_newest_first_in_pages(stores: Stores) -> None:
    for number in range(5):
        await put_output(stores, f"n{number}")
    first = await stores.files.listed(THREAD, most=3)
    rest = await stores.files.listed(THREAD, after=first[-1].name, most=3)
    assert [file.origin.node for file in (*first, *rest)] == ["n4", "n3", "n2", "n1", "n0"]
    assert [file.origin.node for file in await stores.files.listed(THREAD, prefix="1/n2/", most=3)] == ["n2"]


async def test_a_node_that_runs_again_replaces_its_file_and_leaves_no_content_behind(
    stores: Stores, database: Database
) -> None:
    await add_node(stores, "a")
    await put_output(stores, "a", "first")
    again = await put_output(stores, "a", "second")
    assert await stores.artifacts.get(THREAD, again.digest) == b"second"
    assert await counted(database, "artifacts") == await counted(database, "artifact_uses") == 1


async def test_a_file_goes_once_it_left_the_prompts_and_leaves_a_tombstone(tight: Stores) -> None:
    ref = await done(tight, "a")
    for _ in range(2):
        assert ref.name in (shown := await tight.files.begin(THREAD)).fresh | shown.older
    assert ref.name not in (shown := await tight.files.begin(THREAD)).fresh | shown.older
    found = await tight.files.find(THREAD, ref.name)
    assert found is not None
    assert found.evicted is not None
    assert (found.evicted.why, found.size, found.summary) == ("run", ref.size, "1 line: output of a")
    with pytest.raises(ArtifactMissing):
        await tight.artifacts.get(THREAD, ref.digest)


async def test_what_ended_before_a_file_that_left_the_prompts_is_as_old_and_nothing_else(stores: Stores) -> None:
    def minute(number: int) -> datetime:
        return NOON + timedelta(minutes=number)

    for node in ("small", "slow"):
        await add_node(stores, node)
    await end_node(stores, "small", at=minute(0))
    await done(stores, "big", at=minute(1))
    for number in range(2, 5):
        assert (await stores.files.begin(THREAD)).old == frozenset()
        await done(stores, f"big{number}", at=minute(number))
    assert (await stores.files.begin(THREAD)).old == frozenset()
    await end_node(stores, "slow", at=minute(5))
    assert (await stores.files.begin(THREAD)).old == {"small", "big"}
    await rounds(stores, 4)
    assert (await stores.files.begin(THREAD)).old == {"small", "big", "big2", "big3", "big4"}


async def test_a_round_that_goes_on_counts_once(tight: Stores) -> None:
    await done(tight, "a")
    for _ in range(5):
        await tight.files.begin(THREAD, again=True)
    assert await kept(tight) == {"1/a/a.txt"}


async def test_what_an_unfinished_node_refers_to_is_kept_until_it_ended(tight: Stores) -> None:
    await done(tight, "a")
    await add_node(tight, "b", "a")
    await rounds(tight)
    assert await kept(tight) == {"1/a/a.txt"}
    await end_node(tight, "b")
    await rounds(tight, 1)
    assert await kept(tight) == set()


async def test_a_file_that_an_unfinished_node_speaks_of_is_kept_until_it_ended(tight: Stores) -> None:
    await done(tight, "a")
    await tight.log.append(THREAD, 1, ADA, [Add(node=replace(a_node("b"), args={"text": "see a.txt"}))])
    await rounds(tight)
    assert await kept(tight) == {"1/a/a.txt"}
    tight.progress.note(THREAD, planned("b"))
    await end_node(tight, "b")
    await rounds(tight, 1)
    assert await kept(tight) == set()


async def test_what_a_red_call_made_and_took_is_kept_for_the_audit(tight: Stores) -> None:
    await done(tight, "a")
    await add_node(tight, "red", "a")
    await tight.ledger.start(THREAD, NodeId("red"), (await put_output(tight, "red")).digest, 1, tool="t")
    await end_node(tight, "red")
    await done(tight, "spare")
    await rounds(tight)
    assert await kept(tight) == {"1/a/a.txt", "1/red/red.txt"}


async def test_files_that_an_unfinished_search_is_to_look_through_are_kept(tight: Stores) -> None:
    for node in ("a", "b"):
        await done(tight, node)
    search = replace(a_node("search"), tool=FILES_GREP, args={"pattern": "x", "prefix": "1/a"})
    await tight.log.append(THREAD, 1, ADA, [Add(node=search)])
    await rounds(tight)
    assert await kept(tight) == {"1/a/a.txt"}


@pytest.mark.parametrize("end", [Decision.REJECTED, None], ids=["rejected", "denied by a rule"])
async def test_what_a_red_call_took_that_never_ran_is_kept_for_the_audit(tight: Stores, end: Decision | None) -> None:
    """The audit's digest of a call that was asked about, or denied, covers the outputs that its arguments came from."""
    await done(tight, "a")
    await done(tight, "spare")
    await add_node(tight, "red", "a")
    request = a_request(node=NodeId("red"))
    if end is None:
        await tight.approvals.deny(request, "never")
    else:
        await tight.approvals.ask(request)
        tenant = thread_parts(THREAD).tenant
        await tight.approvals.decide(tenant, request.id, version=1, by=GRACE, decision=end)
    await end_node(tight, "red")
    await rounds(tight)
    assert await kept(tight) == {"1/a/a.txt"}


async def test_what_an_answer_or_an_open_request_names_is_kept(tight: Stores) -> None:
    for node in ("told", "asked", "spare"):
        await done(tight, node)
    await tight.inbox.accept(a_message())
    await tight.runs.begin(THREAD, 1)
    await tight.runs.finish(THREAD, 1, RunStatus.DONE, "It is in `1/told/told.txt`.")
    await tight.approvals.ask(a_request(args={"text": "see 1/asked/asked.txt"}))
    await rounds(tight)
    assert await kept(tight) == {"1/told/told.txt", "1/asked/asked.txt"}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("See report.md under *Files*.", {"1/a/report.md"}),
        ("Done:\nreport.md", {"1/a/report.md"}),
        ("See `2/c/report.md`.", {"1/a/report.md"}),
        ("See \u201creport.md\u201d.", {"1/a/report.md"}),
        ("See _report.md_, *b.txt*.", {"1/a/report.md", "1/b/b.txt"}),
        ("See b.txt.", {"1/b/b.txt"}),
        ("See report.mdx, xreport.md and my_report.md.", set[str]()),
    ],
)
@pytest.mark.parametrize("by", ["answer", "reply", "request"])
async def test_a_file_is_named_by_the_last_part_of_its_name(
    tight: Stores, words: str, names: set[str], by: str
) -> None:
    """An answer means no file that was made after it."""
    await add_node(tight, "a")
    made = FileOrigin(turn=1, node=NodeId("a"), author=ADA)
    await tight.artifacts.put(THREAD, "report.md", b"all is well", "text/markdown", made)
    await end_node(tight, "a")
    await done(tight, "b")
    if by == "request":
        await tight.approvals.ask(a_request(args={"text": words}))
    else:
        await tight.inbox.accept(a_message())
        await tight.runs.begin(THREAD, 1)
        if by == "reply":
            await tight.mailbox.taken(THREAD, 1, [], reply=words)
        await tight.runs.finish(THREAD, 1, RunStatus.DONE, words if by == "answer" else "")
    await rounds(tight)
    assert await kept(tight) == names


async def test_an_answer_means_no_file_that_was_made_after_it(tight: Stores) -> None:
    await tight.inbox.accept(a_message())
    await tight.runs.begin(THREAD, 1)
    await tight.runs.finish(THREAD, 1, RunStatus.DONE, "see a.txt")
    await done(tight, "a", turn=2)
    await rounds(tight)
    assert await kept(tight) == set()


async def test_a_content_stays_as_long_as_another_thread_has_it(tight: Stores, database: Database) -> None:
    ref = await done(tight, "a", "the same")
    await done(tight, "b", "the same", thread=OTHER)
    await rounds(tight)
    with pytest.raises(ArtifactMissing):
        await tight.artifacts.get(THREAD, ref.digest)
    assert await tight.artifacts.get(OTHER, ref.digest) == b"the same"
    await rounds(tight, thread=OTHER)
    assert await counted(database, "artifacts") == await counted(database, "artifact_uses") == 0


async def test_a_reference_that_is_on_its_way_keeps_the_file(tight: Stores, database: Database) -> None:
    await done(tight, "a")
    await rounds(tight, 2)
    operation = operation_json(an_add("b", "a"))
    row: Mapping[str, object] = {"seq": 2, "turn": 1, "author": ADA, "operation": operation, "adds": "b"}
    async with database.begin() as connection:
        await lock_thread(connection, THREAD)
        await connection.execute(insert(OperationRow).values(**thread_key(THREAD), **row))
        evicting = asyncio.create_task(tight.files.begin(THREAD))
        await _until_somebody_waits(database)
    await evicting
    assert await kept(tight) == {"1/a/a.txt"}


async def _until_somebody_waits(database: Database) -> None:
    """Return once a session of this database waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not (await database.execute(waiting)).scalar_one():  # noqa: ASYNC110 - no event of ours
        await asyncio.sleep(0.01)


async def test_idle_threads_lose_what_their_workspace_has_too_much_of(tight: Stores) -> None:
    await done(tight, "a")
    await done(tight, "b", thread=OTHER)
    assert await tight.files.prune() == 2
    assert await kept(tight) == await kept(tight, OTHER) == set()
    assert await tight.files.prune() == 0


@pytest.mark.parametrize(
    ("limits", "why"),
    [(FileLimits(run_bytes=25), "run"), (FileLimits(thread_bytes=25), "thread")],
    ids=["run", "thread"],
)
async def test_idle_threads_lose_what_their_run_or_they_have_too_much_of(
    database: Database, queue: Queue, notifications: PgNotifications, limits: FileLimits, why: str
) -> None:
    """The oldest, and no more than that: nobody needs to write in the thread again."""
    stores = Stores(database, queue, notifications, file_limits=limits)
    for node in ("a", "b", "c"):
        await done(stores, node, f"is from {node}.")
    await done(stores, "other", "is of another one.", thread=OTHER)
    assert await stores.files.prune() == 1
    assert await kept(stores) == {"1/b/b.txt", "1/c/c.txt"}
    assert await kept(stores, OTHER) == {"1/other/other.txt"}
    found = await stores.files.find(THREAD, "1/a/a.txt")
    assert found is not None
    assert found.evicted is not None
    assert found.evicted.why == why
    await stores.progress.close()


async def test_a_thread_at_work_gives_what_its_workspace_has_too_much_of(
    database: Database, queue: Queue, notifications: PgNotifications
) -> None:
    """Once the idle threads have nothing to spare any more, at its next round."""
    limits = FileLimits(prompt_rounds=1, prompt_steps=1_000, tenant_bytes=25)
    stores = Stores(database, queue, notifications, file_limits=limits)
    for node in ("a", "b", "c", "d"):
        await done(stores, node, f"1{node * 8}0")
    await stores.inbox.accept(a_message(thread=THREAD))
    await rounds(stores, 2)
    assert await stores.files.prune() == 0
    await rounds(stores, 1)
    assert await kept(stores) == {"1/c/c.txt", "1/d/d.txt"}
    await stores.progress.close()


async def test_threads_of_two_workers_give_no_more_than_their_workspace_has_too_much(
    database: Database, queue: Queue, notifications: PgNotifications
) -> None:
    """Both workers saw the same excess before one of their threads gave a file."""
    limits = FileLimits(prompt_rounds=1, tenant_bytes=35)
    workers = [Stores(database, queue, notifications, file_limits=limits) for _ in range(2)]
    for stores, thread in zip(workers, (THREAD, OTHER), strict=True):
        for node in ("a", "b"):
            await done(stores, node, f"1{node * 8}0", thread=thread)
        await stores.inbox.accept(a_message(ts=f"9.{thread}", thread=thread))
        await rounds(stores, 2, thread)
    assert [await stores.files.prune() for stores in workers] == [0, 0]
    for stores, thread in zip(workers, (THREAD, OTHER), strict=True):
        await rounds(stores, 1, thread)
    assert await kept(workers[0]) == {"1/b/b.txt"}
    assert await kept(workers[1], OTHER) == {"1/a/a.txt", "1/b/b.txt"}
    for stores in workers:
        await stores.progress.close()


async def test_a_thread_at_work_keeps_its_files(tight: Stores) -> None:
    await done(tight, "a")
    await tight.inbox.accept(a_message(thread=THREAD))
    assert await tight.files.prune() == 0
    assert await kept(tight) == {"1/a/a.txt"}


async def test_a_thread_that_can_spare_nothing_does_not_hold_up_the_others(
    tight: Stores, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.stores.files._THREADS_PER_PASS", 1)
    await done(tight, "a")
    await add_node(tight, "b", "a")
    await tight.progress.flush()
    await database.execute(text("UPDATE files SET made_at = now() - interval '1 day'"))
    await done(tight, "c", thread=OTHER)
    assert [await tight.files.prune() for _ in range(2)] == [0, 1]
    assert await kept(tight) == {"1/a/a.txt"}


async def test_the_oldest_of_a_workspace_go_first_also_soon_after_others_went(
    database: Database, queue: Queue, notifications: PgNotifications
) -> None:
    """A file that stayed because enough others went is no file that could not go."""
    stores = Stores(database, queue, notifications, file_limits=FileLimits(tenant_bytes=20))
    for node in ("a", "b", "c"):
        await done(stores, node, f"1{node * 8}0")
    assert await stores.files.prune() == 1
    await done(stores, "d", "of 10 byte", thread=OTHER)
    assert await stores.files.prune() == 1
    assert await kept(stores) == {"1/c/c.txt"}
    assert await kept(stores, OTHER) == {"1/d/d.txt"}
    await stores.progress.close()


async def test_old_files_go_whatever_the_quotas(
    database: Database, queue: Queue, notifications: PgNotifications
) -> None:
    stores = Stores(database, queue, notifications, file_limits=FileLimits(days=10))
    await done(stores, "a")
    await done(stores, "b")
    old = text("UPDATE files SET made_at = now() - make_interval(days => 11) WHERE node = 'a'")
    await database.execute(old)
    assert await stores.files.prune() == 1
    assert await kept(stores) == {"1/b/b.txt"}
    await stores.progress.close()


async def test_puts_references_and_evictions_at_once_lose_nothing_that_is_referred_to(tight: Stores) -> None:
    """Equal contents come and go in four threads at once, while each thread evicts what it does not need."""

    async def work(thread: ThreadId) -> None:
        for number in range(8):
            await done(tight, f"n{number}", f"shared {number % 3}", thread=thread)
            if number % 2:
                await add_node(tight, f"uses{number}", f"n{number}", thread=thread)
            await rounds(tight, 2, thread)

    threads = [ThreadId(f"T1:C1:{number}.0") for number in range(4)]
    await asyncio.gather(*map(work, threads))
    for thread in threads:
        await rounds(tight, 2, thread)
        files = await tight.files.listed(thread, most=100)
        assert {file.origin.node for file in files if file.evicted is None} == {"n1", "n3", "n5", "n7"}
        for file in files:
            if file.evicted is None:
                assert (await tight.artifacts.get(thread, file.digest)).startswith(b"shared")
