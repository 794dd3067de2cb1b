"""Rate limits on PostgreSQL: in no span more calls than allowed, whoever calls, and none is lost to who died."""

import asyncio
import itertools
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, text

from agent.ids import Tenant
from agent.ports import CallPlace
from infra.db.database import Database
from infra.stores.call_places import PostgresCallPlaces
from infra.stores.stores import Stores

TENANT = Tenant("T1")
START = datetime(2026, 1, 1, tzinfo=UTC)
_tenants = itertools.count(1)

LIMITS = st.tuples(st.integers(1, 4), st.sampled_from([1.0, 2.5, 60.0]))
#: Seconds since the call before, negative when the clock is set back, and whether it is of the first person.
CALLS = st.lists(st.tuples(st.floats(-2, 40, width=16), st.booleans()), max_size=40)


def place(key: str, calls: int = 2, seconds: float = 60.0) -> CallPlace:
    return CallPlace(key=key, calls=calls, seconds=seconds)


async def at(database: Database, tenant: str, places: Sequence[CallPlace], now: datetime) -> Sequence[float]:
    """Take places at a time that the test says."""
    taken = "SELECT greenlight_take_places(:tenant, :keys, :most, CAST(:spans AS float8[]), CAST(:now AS timestamptz))"
    given = {
        "tenant": tenant,
        "keys": [place.key for place in places],
        "most": [place.calls for place in places],
        "spans": [place.seconds for place in places],
        "now": now,
    }
    return (await database.execute(text(taken), given)).scalar_one()


def most_in_a_span(times: Sequence[float], seconds: float) -> int:
    return max((sum(time <= other < time + seconds for other in times) for time in times), default=0)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(everybody=LIMITS, person=LIMITS, calls=CALLS)
def test_in_no_span_there_are_more_calls_than_allowed_nor_is_a_free_place_refused(
    database_url: URL, everybody: tuple[int, float], person: tuple[int, float], calls: list[tuple[float, bool]]
) -> None:
    tenant = f"T{next(_tenants)}"

    async def run() -> None:
        database = Database(database_url)
        shared = place("tool", *everybody)
        # Of each key, when its calls were: never before the one before them, whatever the clock said.
        taken: dict[str, list[float]] = {"tool": [], "tool:U1": [], "tool:U2": []}
        clock = 0.0
        try:
            for after, first in calls:
                clock += after
                own = place("tool:U1" if first else "tool:U2", *person)
                wanted = [own, shared]
                now = max([clock, *(times[-1] for key in (own.key, "tool") if (times := taken[key]))])
                waits = await at(database, tenant, wanted, START + timedelta(seconds=clock))
                free = [sum(now - time < one.seconds - 1e-4 for time in taken[one.key]) < one.calls for one in wanted]
                if all(wait <= 0 for wait in waits):
                    assert all(
                        sum(now - time < one.seconds - 1e-3 for time in taken[one.key]) < one.calls for one in wanted
                    )
                    for one in wanted:
                        taken[one.key].append(now)
                else:
                    assert not all(free)
        finally:
            await database.close()
        assert most_in_a_span(taken["tool"], everybody[1] - 1e-3) <= everybody[0]
        for key in ("tool:U1", "tool:U2"):
            assert most_in_a_span(taken[key], person[1] - 1e-3) <= person[0]

    asyncio.run(run())


async def test_a_call_that_gets_no_place_takes_none_of_the_others(stores: Stores) -> None:
    mine, shared = place("tool:U1", 1), place("tool", 2)
    assert await stores.call_places.take(TENANT, [mine, shared]) == [0, 0]
    own, free = await stores.call_places.take(TENANT, [mine, shared])
    assert 59 < own <= 60
    assert free == 0
    assert await stores.call_places.take(TENANT, [place("tool:U2", 1), shared]) == [0, 0]


async def test_tenants_count_apart(stores: Stores) -> None:
    assert await stores.call_places.take(TENANT, [place("tool", 1)]) == [0]
    assert await stores.call_places.take(Tenant("T2"), [place("tool", 1)]) == [0]


async def test_two_processes_share_a_limit_however_they_meet(database_url: URL) -> None:
    one, other = Database(database_url), Database(database_url)
    try:
        places = [place("a", 7), place("b", 5)]
        asked = [
            PostgresCallPlaces(database).take(TENANT, order)
            for _ in range(10)
            for database in (one, other)
            for order in (places, places[::-1])
        ]
        answers = await asyncio.gather(*asked)
        assert sum(max(waits) == 0 for waits in answers) == 5
    finally:
        await one.close()
        await other.close()


_TAKER = """
import asyncio, sys
from sqlalchemy import make_url
from agent.ids import Tenant
from agent.ports import CallPlace
from infra.db.database import Database
from infra.stores.call_places import PostgresCallPlaces

async def run():
    places = PostgresCallPlaces(Database(make_url(sys.argv[1])))
    print(await places.take(Tenant("T1"), [CallPlace(key="tool", calls=2, seconds=60.0)]), flush=True)
    await asyncio.Event().wait()

asyncio.run(run())
"""


async def test_the_place_of_a_process_that_was_killed_stays_counted_and_blocks_nobody(
    stores: Stores, database_url: URL
) -> None:
    url = database_url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _TAKER, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == b"[0.0]"
    process.kill()
    await process.wait()
    assert await stores.call_places.take(TENANT, [place("tool")]) == [0]
    [wait] = await stores.call_places.take(TENANT, [place("tool")])
    assert 0 < wait <= 60


async def test_only_rows_that_no_limit_counts_any_more_are_deleted(stores: Stores, database: Database) -> None:
    await at(database, TENANT, [place("old")], datetime.now(UTC) - timedelta(days=2))
    await stores.call_places.take(TENANT, [place("new")])
    assert await stores.call_places.prune() == 1
    assert [row.key for row in await database.execute(text("SELECT key FROM tool_limits"))] == ["new"]


@pytest.mark.parametrize("calls", [1, 1_000])
async def test_a_row_holds_no_more_calls_than_its_limit(stores: Stores, database: Database, calls: int) -> None:
    for number in range(3):
        await at(database, TENANT, [place("tool", calls, 1.0)], START + timedelta(seconds=number * 2))
    kept = (await database.execute(text("SELECT cardinality(calls) FROM tool_limits"))).scalar_one()
    assert kept == min(3, calls)
