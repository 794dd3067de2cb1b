"""Spending: counted at once, written behind, and and an open account shows it at once."""

import asyncio
from dataclasses import replace

from agent.budget.usage import ModelCall, Price, Prices, Scope
from agent.limits import Role
from infra.stores.stores import Stores
from tests.fakes.rows import OTHER, THREAD

PRICES = Prices(models={"m": Price(input=1, output=2)})
CALL = ModelCall(role=Role.PLANNER, model="m", input_tokens=10, output_tokens=5)


async def test_an_account_holds_what_was_written_and_everything_since(stores: Stores) -> None:
    for turn in (1, 2):
        await stores.runs.begin(THREAD, turn)
        stores.spending.note(THREAD, CALL, PRICES)
        await stores.spending.flush()
    stores.spending.note(THREAD, CALL, PRICES)  # not written yet
    account = await stores.spending.account(THREAD, 2)
    stores.spending.note(THREAD, CALL, PRICES)
    account.node_started()
    spent = account.spent()
    assert (spent[Scope.RUN].model_calls, spent[Scope.THREAD].model_calls) == (3, 4)
    assert (spent[Scope.RUN].tokens, spent[Scope.RUN].cost_micros, spent[Scope.RUN].nodes) == (45, 60, 1)
    await stores.spending.flush()
    assert account.spent() == (await stores.spending.account(THREAD, 2)).spent()


async def test_time_at_work_goes_on_while_an_account_is_looked_at_and_stops_with_the_work(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    async with stores.spending.working(THREAD):
        account = await stores.spending.account(THREAD, 1)
        before = account.spent()[Scope.RUN].work_milliseconds
        await asyncio.sleep(0.02)
        assert account.spent()[Scope.RUN].work_milliseconds > before
    ended = account.spent()
    await asyncio.sleep(0.02)
    assert account.spent() == ended == (await stores.spending.account(THREAD, 1)).spent()


async def test_another_threads_spending_is_its_own(stores: Stores) -> None:
    for thread in (THREAD, OTHER):
        await stores.runs.begin(thread, 1)
    account = await stores.spending.account(THREAD, 1)
    stores.spending.note(OTHER, CALL, PRICES)
    assert account.spent()[Scope.THREAD].model_calls == 0


async def test_spending_that_no_row_takes_holds_up_no_other_thread(stores: Stores) -> None:
    """A server that counts tokens may say anything."""
    for thread in (OTHER, THREAD):
        await stores.runs.begin(thread, 1)
    stores.spending.note(OTHER, replace(CALL, input_tokens=10**30), PRICES)
    stores.spending.note(THREAD, CALL, PRICES)
    await stores.spending.flush()
    stores.spending.note(OTHER, CALL, PRICES)
    await stores.spending.flush()
    for thread in (OTHER, THREAD):
        assert (await stores.spending.account(thread, 1)).spent()[Scope.THREAD].tokens == 15
