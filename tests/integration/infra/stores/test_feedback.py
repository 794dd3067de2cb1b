"""What people think of answers, on PostgreSQL: one row a person and turn, and the turns that somebody found bad."""

from sqlalchemy import text

from agent.ids import ThreadId
from agent.ports import RunStatus
from infra.db.database import Database
from infra.stores.stores import Stores
from tests.fakes.rows import ADA, ELSEWHERE, GRACE, OTHER, THREAD, a_message


async def answer(stores: Stores, thread: ThreadId, words: str = "Here you are.", reply: str = "") -> None:
    """Have a turn's request answered, or replied to without a plan."""
    await stores.inbox.accept(a_message("check", thread=thread))
    await stores.runs.begin(thread, 1)
    taken = await stores.mailbox.untaken(thread)
    await stores.mailbox.taken(thread, 1, [message.id for message in taken], reply=reply)
    await stores.runs.finish(thread, 1, RunStatus.DONE, words)


async def test_newest_opinion_of_a_person_counts_and_the_audit_has_no_words(stores: Stores, database: Database) -> None:
    await answer(stores, THREAD)
    assert await stores.feedback.give(THREAD, 1, by=ADA, good=True)
    assert await stores.feedback.give(THREAD, 1, by=ADA, good=False, reason="wrong host")
    assert await stores.feedback.give(THREAD, 1, by=GRACE, good=False)
    [bad] = await stores.feedback.bad_turns(10)
    assert (bad.thread, bad.turn, bad.requests, bad.reasons) == (THREAD, 1, ("check",), ("wrong host",))
    async with database.begin() as connection:
        rows = (await connection.execute(text("SELECT a::text FROM audit a WHERE event = 'rated'"))).scalars().all()
    assert len(rows) == 3
    assert "wrong host" not in str(rows)
    await stores.feedback.give(THREAD, 1, by=ADA, good=True)
    await stores.feedback.give(THREAD, 1, by=GRACE, good=True)
    assert await stores.feedback.bad_turns(10) == []


async def test_reply_without_a_plan_is_rated_like_an_answer(stores: Stores) -> None:
    await answer(stores, THREAD, "", reply="In the runbook.")
    assert await stores.feedback.give(THREAD, 1, by=ADA, good=False, reason="there is none")
    assert [bad.reasons for bad in await stores.feedback.bad_turns(10)] == [("there is none",)]


async def test_turn_without_an_answer_cannot_be_rated(stores: Stores, database: Database) -> None:
    await answer(stores, THREAD, "")
    for thread, turn in ((THREAD, 1), (THREAD, 2), (OTHER, 1), (ELSEWHERE, 1)):
        assert not await stores.feedback.give(thread, turn, by=ADA, good=True)
    async with database.begin() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM feedback"))).scalar_one() == 0
