"""The rights to search: the newest of each person in a thread, as long as it lives, and unreadable at rest."""

import pytest
from sqlalchemy import text

from agent.ids import ThreadId, UserId
from bot.ports import Receipt
from infra.db.database import Database
from infra.stores.inbox import PostgresInbox
from infra.stores.search_tokens import PostgresSearchTokens, TokenSeal
from tests.fakes.rows import ADA, ELSEWHERE, GRACE, OTHER, THREAD, a_message

TOKEN = "12345.98765.abcd2358fdea"
SEAL = TokenSeal("xoxb-1")


@pytest.fixture
def inbox(database: Database) -> PostgresInbox:
    return PostgresInbox(database, SEAL.seal)


@pytest.fixture
def tokens(database: Database) -> PostgresSearchTokens:
    return PostgresSearchTokens(database, SEAL)


async def kept(database: Database) -> list[str]:
    async with database.begin() as connection:
        return list((await connection.execute(text("SELECT t::text FROM search_tokens t"))).scalars())


async def test_the_newest_message_that_was_taken_in_counts(
    inbox: PostgresInbox, tokens: PostgresSearchTokens, database: Database
) -> None:
    await inbox.accept(a_message(search_token="first"))
    await inbox.accept(a_message(ts="2.0", event_id="Ev2", search_token=TOKEN))
    again = a_message(ts="2.0", event_id="Ev3", search_token="of the twin event")
    assert await inbox.accept(again) is Receipt.DUPLICATE
    await inbox.accept(a_message(ts="4.0", event_id="Ev4"))
    assert await tokens.find(THREAD, ADA) == TOKEN
    (row,) = await kept(database)
    assert TOKEN not in row


@pytest.mark.parametrize(("thread", "author"), [(THREAD, GRACE), (OTHER, ADA), (ELSEWHERE, ADA)], ids=str)
async def test_a_token_is_of_one_person_in_one_thread(
    inbox: PostgresInbox, tokens: PostgresSearchTokens, thread: ThreadId, author: UserId
) -> None:
    await inbox.accept(a_message(search_token=TOKEN))
    assert await tokens.find(thread, author) is None


async def test_a_row_that_somebody_gave_to_another_person_opens_for_nobody(
    inbox: PostgresInbox, tokens: PostgresSearchTokens, database: Database
) -> None:
    await inbox.accept(a_message(search_token=TOKEN))
    async with database.begin() as connection:
        await connection.execute(text("UPDATE search_tokens SET author = :author"), {"author": GRACE})
    assert await tokens.find(THREAD, GRACE) is None


async def test_another_bot_token_opens_nothing(inbox: PostgresInbox, database: Database) -> None:
    await inbox.accept(a_message(search_token=TOKEN))
    assert await PostgresSearchTokens(database, TokenSeal("xoxb-2")).find(THREAD, ADA) is None


async def test_a_token_that_is_too_old_is_not_found_and_then_gone(
    inbox: PostgresInbox, tokens: PostgresSearchTokens, database: Database
) -> None:
    await inbox.accept(a_message(search_token=TOKEN))
    assert await tokens.prune() == 0
    async with database.begin() as connection:
        await connection.execute(text("UPDATE search_tokens SET expires_at = now()"))
    assert await tokens.find(THREAD, ADA) is None
    assert await tokens.prune() == 1
    assert await kept(database) == []


async def test_a_token_that_slack_refused_is_forgotten(inbox: PostgresInbox, tokens: PostgresSearchTokens) -> None:
    await inbox.accept(a_message(search_token=TOKEN))
    await tokens.forget(THREAD, ADA)
    assert await tokens.find(THREAD, ADA) is None


async def test_what_cannot_be_a_token_is_not_kept_and_the_message_is(inbox: PostgresInbox, database: Database) -> None:
    assert await inbox.accept(a_message(search_token="x" * 100_000)) is Receipt.ACCEPTED
    assert await kept(database) == []
