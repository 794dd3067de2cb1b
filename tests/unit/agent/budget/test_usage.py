"""Usage: prices, the thread that a model call is charged to, and what is counted of a thread."""

import asyncio

from agent.budget.usage import ModelCall, Price, Prices, Scope, Spent, ThreadCounter, account, charged_to
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


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def both(spent: Spent) -> dict[Scope, Spent]:
    return dict.fromkeys(Scope, spent)


def test_account_holds_what_was_written_counted_before_and_counted_since() -> None:
    counter = ThreadCounter(clock=Clock())
    counter.count_call(CALL, Prices(models={"m": Price(input=1, output=2)}))
    opened = counter.open_account(
        {Scope.RUN: Spent(model_calls=1, input_tokens=10), Scope.THREAD: Spent(model_calls=5, input_tokens=50)}
    )
    opened.node_started()
    counted = Spent(input_tokens=1000, output_tokens=100, cost_micros=1200, nodes=1)
    assert opened.spent() == {
        Scope.RUN: counted + Spent(model_calls=2, input_tokens=10),
        Scope.THREAD: counted + Spent(model_calls=6, input_tokens=50),
    }
    assert counter.unwritten == counted + Spent(model_calls=1)


def test_account_counts_time_only_while_somebody_works() -> None:
    clock = Clock()
    counter = ThreadCounter(clock=clock)
    opened = counter.open_account(both(Spent()))
    clock.now += 1
    assert opened.spent() == both(Spent())
    counter.begin_work()
    clock.now += 2
    assert opened.spent() == both(Spent(work_milliseconds=2000))
    clock.now += 3
    counter.end_work()
    clock.now += 4
    assert opened.spent() == both(Spent(work_milliseconds=5000))


def test_part_of_a_millisecond_counts_with_the_next() -> None:
    clock = Clock()
    counter = ThreadCounter(clock=clock)
    counter.begin_work()
    for _ in range(4):
        clock.now += 0.0005
        counter.count_time()
    assert counter.unwritten == Spent(work_milliseconds=2)


def test_counter_is_in_use_while_something_is_left_to_do_with_it() -> None:
    counter = ThreadCounter(clock=Clock())
    assert not counter.in_use
    counter.begin_work()
    assert counter.in_use
    counter.end_work()
    assert not counter.in_use
    opened = counter.open_account(both(Spent()))
    assert counter.in_use
    opened.node_started()
    del opened
    assert counter.in_use
    counter.unwritten -= Spent(nodes=1)
    assert not counter.in_use
