"""Inbox, mailbox and runs on PostgreSQL: from a message to a turn to the past."""

import asyncio

from agent.ports import RunStatus
from bot.ports import Receipt
from infra.db.database import Database
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from tests.fakes.rows import ADA, ELSEWHERE, GRACE, OTHER, THREAD, a_message, an_add, waiting_jobs


async def test_a_message_is_a_row_a_job_and_news(
    stores: Stores, database: Database, notifications: PgNotifications
) -> None:
    with notifications.changes.subscribe(THREAD) as news:
        assert await stores.inbox.accept(a_message("check")) is Receipt.ACCEPTED
        assert await news.wait(10)
    assert [(message.author, message.text) for message in await stores.mailbox.untaken(THREAD)] == [(ADA, "check")]
    assert await waiting_jobs(database) == 1
    assert await stores.inbox.engaged(THREAD)
    assert not await stores.inbox.engaged(OTHER)


async def test_one_message_that_arrives_as_two_events_is_stored_once(stores: Stores) -> None:
    arrivals = [a_message(event_id=f"Ev{number % 2}") for number in range(20)]
    receipts = await asyncio.gather(*(stores.inbox.accept(message) for message in arrivals))
    assert sorted(receipts) == [Receipt.ACCEPTED, *[Receipt.DUPLICATE] * 19]
    assert len(await stores.mailbox.untaken(THREAD)) == 1


async def test_one_event_delivered_twice_is_stored_once(stores: Stores) -> None:
    assert await stores.inbox.accept(a_message(event_id="Ev1", ts="1.0")) is Receipt.ACCEPTED
    assert await stores.inbox.accept(a_message(event_id="Ev1", ts="1.1")) is Receipt.DUPLICATE


async def test_equal_ids_of_another_tenant_are_no_duplicate(stores: Stores) -> None:
    assert await stores.inbox.accept(a_message()) is Receipt.ACCEPTED
    assert await stores.inbox.accept(a_message(thread=ELSEWHERE)) is Receipt.ACCEPTED


async def test_many_messages_at_once_put_one_waiting_job(stores: Stores, database: Database) -> None:
    await asyncio.gather(*(stores.inbox.accept(a_message(str(n), ts=f"1.{n}")) for n in range(30)))
    assert len(await stores.mailbox.untaken(THREAD)) == 30
    assert await waiting_jobs(database) == 1


async def test_a_turn_belongs_to_the_author_of_its_first_message(stores: Stores) -> None:
    await stores.inbox.accept(a_message(ts="1.0", author=GRACE))
    await stores.inbox.accept(a_message(ts="1.1", author=ADA))
    await stores.runs.begin(THREAD, 1)
    await stores.runs.begin(THREAD, 1)
    run = await stores.runs.read(THREAD, 1)
    assert (run.requester, run.status, run.messages) == (GRACE, RunStatus.PLANNING, ())


async def test_a_turn_without_messages_belongs_to_the_author_of_its_operations(stores: Stores) -> None:
    await stores.log.append(THREAD, 1, GRACE, [an_add("a")])
    await stores.runs.begin(THREAD, 1)
    assert (await stores.runs.read(THREAD, 1)).requester == GRACE


async def test_taken_messages_replies_and_trouble_are_the_turns(stores: Stores) -> None:
    await stores.inbox.accept(a_message("one", ts="1.0"))
    await stores.inbox.accept(a_message("two", ts="1.1"))
    await stores.runs.begin(THREAD, 1)
    first, second = await stores.mailbox.untaken(THREAD)
    await stores.mailbox.taken(THREAD, 1, [first.id], reply="Which one?")
    await stores.mailbox.taken(THREAD, 1, [second.id], reply="Fine\0.", error="plan_invalid")
    run = await stores.runs.read(THREAD, 1)
    assert run.messages == (first, second)
    assert run.error == "plan_invalid"
    assert run.replies[0] == "Which one?"
    assert await stores.mailbox.untaken(THREAD) == []


async def test_a_message_is_never_taken_by_a_second_turn(stores: Stores) -> None:
    await stores.inbox.accept(a_message())
    await stores.runs.begin(THREAD, 1)
    (message,) = await stores.mailbox.untaken(THREAD)
    await stores.mailbox.taken(THREAD, 1, [message.id])
    await stores.runs.begin(THREAD, 2)
    await stores.mailbox.taken(THREAD, 2, [message.id])
    assert (await stores.runs.read(THREAD, 2)).messages == ()


async def test_an_ended_turn_stays_as_it_ended(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    await stores.runs.set_status(THREAD, 1, RunStatus.RUNNING)
    await stores.runs.finish(THREAD, 1, RunStatus.DONE, "All is well.")
    await stores.runs.finish(THREAD, 1, RunStatus.FAILED, "", "internal")
    await stores.runs.set_status(THREAD, 1, RunStatus.WAITING)
    run = await stores.runs.read(THREAD, 1)
    assert (run.status, run.answer, run.error) == (RunStatus.DONE, "All is well.", "")


async def test_the_past_is_what_ended_before(stores: Stores) -> None:
    for turn in (1, 2, 3):
        await stores.inbox.accept(a_message(f"ask {turn}", ts=f"1.{turn}"))
        await stores.runs.begin(THREAD, turn)
        messages = await stores.mailbox.untaken(THREAD)
        await stores.mailbox.taken(THREAD, turn, [message.id for message in messages])
        if turn < 3:
            await stores.runs.finish(THREAD, turn, RunStatus.DONE, f"answer {turn}")
    past = await stores.runs.past(THREAD, 3)
    assert [(past_turn.turn, [m.text for m in past_turn.requests], past_turn.answer) for past_turn in past] == [
        (1, ["ask 1"], "answer 1"),
        (2, ["ask 2"], "answer 2"),
    ]
    assert await stores.runs.past(OTHER, 3) == []
