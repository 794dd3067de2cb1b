"""Threads that are set aside: their people are asked once, and what they say decides whether anybody enters."""

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from agent.approval import ApprovalKind, Decision, DecisionRecord
from agent.ids import Digest, UserId
from agent.ports import RunStatus
from bot.handlers.stop import stop_row
from bot.ports import Post, PostedMessage, Slot
from infra.db.database import Database
from infra.stores.stores import Stores
from tests.fakes.rows import ADA, GRACE, THREAD, a_message, tenant_of

CARD_TS = "1700000005.000000"


@pytest.fixture
async def since(stores: Stores, database: Database) -> datetime:
    """Set the thread aside in the midst of its first turn; return since when."""
    await stores.inbox.accept(a_message(ts="1700000000.000100"))
    await stores.runs.begin(THREAD, 1)
    await stores.runs.set_status(THREAD, 1, RunStatus.RUNNING)
    async with database.begin() as connection:
        aside = text("UPDATE threads SET takeovers = 3, set_aside_at = now() RETURNING set_aside_at")
        return (await connection.execute(aside)).scalar_one()


async def asked(stores: Stores) -> list[DecisionRecord]:
    """Return the requests about the thread."""
    return list((await stores.approvals.read(THREAD)).values())


async def row(database: Database) -> tuple[int, bool]:
    """Return the thread's takeovers, and whether it is set aside."""
    async with database.begin() as connection:
        found = (await connection.execute(text("SELECT takeovers, set_aside_at FROM threads"))).one()
    return found.takeovers, found.set_aside_at is not None


async def show_card(stores: Stores) -> None:
    """Let the card stand in Slack."""
    (record,) = await asked(stores)
    await stores.posted.post(THREAD, 1, Slot(Post.CARD, record.id), PostedMessage(CARD_TS, Digest("shown")))


async def decide(stores: Stores, decision: Decision, by: UserId = GRACE) -> DecisionRecord | None:
    """Press a button of the card."""
    (record,) = await asked(stores)
    return await stores.approvals.decide(tenant_of(THREAD), record.id, version=1, by=by, decision=decision)


async def test_people_are_asked_once_whatever_the_clock_of_the_session(stores: Stores, since: datetime) -> None:
    elsewhere = since.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert [await stores.set_aside.released(THREAD, at) for at in (since, elsewhere, since)] == [False] * 3
    (record,) = await asked(stores)
    assert (record.kind, record.turn, record.decision) == (ApprovalKind.SET_ASIDE, 1, Decision.PENDING)
    assert (await stores.runs.read(THREAD, 1)).status is RunStatus.WAITING


async def test_try_again_releases_the_thread_and_forgets_the_takeovers(
    stores: Stores, database: Database, since: datetime
) -> None:
    await stores.set_aside.released(THREAD, since)
    assert await decide(stores, Decision.TRY_AGAIN) is not None
    assert await decide(stores, Decision.LEAVE, by=ADA) is None, "one of two racing clicks counts"
    assert await stores.set_aside.released(THREAD, since)
    assert await row(database) == (0, False)
    assert await stores.mailbox.stopped(THREAD, 1) is None


@pytest.mark.parametrize("how", ["the button", "a stop", "a stop before anybody was asked"])
async def test_leave_it_and_a_stop_release_the_thread_to_be_ended_and_keep_the_takeovers(
    stores: Stores, database: Database, since: datetime, how: str
) -> None:
    if how != "a stop before anybody was asked":
        await stores.set_aside.released(THREAD, since)
    if how == "the button":
        await decide(stores, Decision.LEAVE)
    else:
        await stores.inbox.accept(stop_row(app="A1", event_id="Ev2", thread=THREAD, by=GRACE))
    assert await stores.set_aside.released(THREAD, since)
    assert await row(database) == (3, False), "one more takeover sets it aside again"
    assert await stores.mailbox.stopped(THREAD, 1) == GRACE
    assert all(record.decision is not Decision.PENDING for record in await asked(stores))


async def test_only_a_message_below_the_card_means_try_again(
    stores: Stores, database: Database, since: datetime
) -> None:
    await stores.set_aside.released(THREAD, since)
    await stores.inbox.accept(a_message("before", ts="1700000004.000000"))
    assert not await stores.set_aside.released(THREAD, since), "the card does not stand yet"
    await show_card(stores)
    assert not await stores.set_aside.released(THREAD, since), "it was written above the card"
    await stores.inbox.accept(a_message("after", ts="1700000006.000000"))
    assert await stores.set_aside.released(THREAD, since)
    assert await row(database) == (0, False)
    assert [record.decision for record in await asked(stores)] == [Decision.WITHDRAWN]


async def test_a_thread_that_broke_before_its_first_turn_began_has_one_to_show_the_card_in(
    stores: Stores, database: Database
) -> None:
    await stores.inbox.accept(a_message())
    async with database.begin() as connection:
        aside = text("UPDATE threads SET takeovers = 3, set_aside_at = now() RETURNING set_aside_at")
        since = (await connection.execute(aside)).scalar_one()
    assert not await stores.set_aside.released(THREAD, since)
    (record,) = await asked(stores)
    (run,) = await stores.run_views.unsettled(THREAD)
    assert (record.turn, run.turn, run.requester) == (1, 1, ADA)


async def test_nobody_is_asked_about_a_thread_whose_turns_have_ended(
    stores: Stores, database: Database, since: datetime
) -> None:
    await stores.mailbox.taken(THREAD, 1, [message.id for message in await stores.mailbox.untaken(THREAD)])
    await stores.runs.finish(THREAD, 1, RunStatus.DONE, "the answer")
    assert await stores.set_aside.released(THREAD, since)
    assert (await asked(stores), await row(database)) == ([], (3, False))
    assert [run.turn for run in await stores.run_views.unsettled(THREAD)] == [1], "no turn was begun"
