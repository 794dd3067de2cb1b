"""Usage: prices, and the thread that a model call is charged to."""

import asyncio

from agent.budget.usage import ModelCall, Price, Prices, account, charged_to
from agent.ids import ThreadId
from agent.limits import Role

CALL = ModelCall(role=Role.PLANNER, model="m", input_tokens=1000, output_tokens=100)


def test_call_costs_what_the_price_table_says_and_nothing_when_it_is_not_in_it() -> None:
    prices = Prices(models={"m": Price(input=0.25, output=2.0)})
    assert prices.of(CALL) == 1000 * 0.25 + 100 * 2
    assert Prices().of(CALL) == 0


async def test_call_is_charged_to_the_thread_in_whose_tasks_it_begins() -> None:
    one, two = ThreadId("T:C:1"), ThreadId("T:C:2")

    async def charged(thread: ThreadId) -> ThreadId | None:
        with charged_to(thread):
            return await asyncio.create_task(_seen())

    async def _seen() -> ThreadId | None:
        await asyncio.sleep(0)
        return account()

    assert await asyncio.gather(charged(one), charged(two)) == [one, two]
    assert account() is None
