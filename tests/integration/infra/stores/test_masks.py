"""Numbers of personal data on PostgreSQL: one for each datum of a thread, for ever, whoever gives it."""

import asyncio
import itertools

from sqlalchemy import URL

from agent.ids import Digest
from infra.db.database import Database
from infra.stores.masks import PostgresMasks
from infra.stores.stores import Stores
from tests.fakes.rows import ELSEWHERE, THREAD

ONE, TWO, THREE = (Digest(letter * 64) for letter in "abc")


async def test_new_data_go_on_from_the_highest_number_of_their_kind(stores: Stores) -> None:
    first = await stores.masks.numbers(THREAD, [("email", TWO), ("email", ONE), ("email", TWO), ("ip", ONE)], new=True)
    assert first == {("email", TWO): 1, ("email", ONE): 2, ("ip", ONE): 1}
    again = await stores.masks.numbers(THREAD, [("email", ONE), ("email", THREE)], new=True)
    assert again == {("email", ONE): 2, ("email", THREE): 3}


async def test_what_has_no_number_gets_none_unless_it_is_to(stores: Stores) -> None:
    await stores.masks.numbers(THREAD, [("email", ONE)], new=True)
    assert await stores.masks.numbers(THREAD, [("email", ONE), ("email", TWO)], new=False) == {("email", ONE): 1}


async def test_threads_count_apart(stores: Stores) -> None:
    await stores.masks.numbers(THREAD, [("email", ONE)], new=True)
    assert await stores.masks.numbers(ELSEWHERE, [("email", TWO)], new=True) == {("email", TWO): 1}


async def test_two_processes_at_once_give_each_datum_one_number(database_url: URL) -> None:
    one, other = Database(database_url), Database(database_url)
    data = [("email", Digest(f"{number:064}")) for number in range(20)]
    try:
        answers = await asyncio.gather(
            *(
                PostgresMasks(database).numbers(THREAD, data[start:], new=True)
                for start, database in zip(range(12), itertools.cycle((one, other)), strict=False)
            )
        )
        numbers = {(datum, number) for answer in answers for datum, number in answer.items()}
        assert len(numbers) == len(data)
        assert len({number for _, number in numbers}) == len(data)
    finally:
        await one.close()
        await other.close()
