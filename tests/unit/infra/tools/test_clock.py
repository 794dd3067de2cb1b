"""`current_time` and `calculate_time`: right over changes of the clocks and ends of months, or refused in words."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.outcomes import Failed, Succeeded
from agent.tool import CallContext
from agent.tools.call import call_tool
from infra.tools.clock import calculate_time, current_time, difference, moved

CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("5" * 64))


async def calculated(**args: str) -> Mapping[str, Any]:
    outcome = await call_tool(calculate_time(), CONTEXT, args)
    assert isinstance(outcome, Succeeded)
    assert isinstance(outcome.value, Mapping)
    return outcome.value


async def test_current_time_is_now_in_the_zone() -> None:
    before = datetime.now(UTC).timestamp()
    outcome = await call_tool(current_time(), CONTEXT, {"zone": "Asia/Kathmandu"})
    assert isinstance(outcome, Succeeded)
    assert isinstance(told := outcome.value, Mapping)
    assert str(told["time"]).endswith("+05:45")
    assert before <= datetime.fromisoformat(str(told["time"])).timestamp() <= datetime.now(UTC).timestamp()


@pytest.mark.parametrize(
    ("time", "add", "expected"),
    [
        pytest.param("2026-03-28T12:00", "P1D", "2026-03-29T12:00:00+02:00", id="a day keeps the time of day"),
        pytest.param("2026-03-28T12:00", "PT24H", "2026-03-29T13:00:00+02:00", id="24 hours pass"),
        pytest.param("2026-03-28T02:30", "P1D", "2026-03-29T03:30:00+02:00", id="a time that is left out"),
        pytest.param("2026-03-29T02:30", "PT0S", "2026-03-29T03:30:00+02:00", id="given a time that is left out"),
        pytest.param("2026-10-24T02:30", "P1D", "2026-10-25T02:30:00+02:00", id="a time that comes twice"),
        pytest.param("2026-10-25T02:30", "PT1H", "2026-10-25T02:30:00+01:00", id="an hour to its second"),
        pytest.param("2026-01-31T00:00", "P1M", "2026-02-28T00:00:00+01:00", id="a month without that day"),
        pytest.param("2024-02-29T00:00", "-P1Y", "2023-02-28T00:00:00+01:00", id="a year back"),
        pytest.param("2026-01-01T00:00Z", "P1W", "2026-01-08T01:00:00+01:00", id="a time with an offset"),
    ],
)
async def test_duration_is_added_as_the_zone_has_it(time: str, add: str, expected: str) -> None:
    assert (await calculated(time=time, add=add, zone="Europe/Berlin"))["time"] == expected


async def test_difference_is_the_time_that_passes() -> None:
    told = await calculated(time="2026-10-25T00:00", until="2026-10-26T00:00", zone="Europe/Berlin")
    assert told == {"seconds": 25 * 3600, "duration": "P1DT1H"}
    told = await calculated(time="2026-01-01T00:00:01.5+01:00", until="2025-12-31T23:00Z")
    assert told == {"seconds": -1.5, "duration": "-PT1.5S"}


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"time": "2026-01-01T00:00", "add": "P1D"}, "bad_time"),
        ({"time": "yesterday", "add": "P1D"}, "bad_time"),
        ({"time": "9999-12-31T00:00Z", "add": "P2D"}, "bad_time"),
        ({"time": "0001-01-01T00:00Z", "add": "-P9999Y"}, "bad_time"),
        ({"time": "0001-01-01T00:00+14:00", "until": "2026-01-01T00:00Z"}, "bad_time"),
        ({"time": "2026-01-01T00:00Z", "add": "P"}, "bad_duration"),
        ({"time": "2026-01-01T00:00Z", "add": "P1DT"}, "bad_duration"),
        ({"time": "2026-01-01T00:00Z", "add": "2 days"}, "bad_duration"),
        ({"time": "2026-01-01T00:00Z", "add": "PT999999999999S"}, "bad_time"),
        ({"time": "2026-01-01T00:00Z", "add": "P1D", "zone": "Nowhere/Land"}, "bad_zone"),
        ({"time": "2026-01-01T00:00Z", "add": "P1D", "zone": "../passwd"}, "bad_zone"),
        ({"time": "2026-01-01T00:00Z", "add": "P1D", "zone": "Europe"}, "bad_zone"),
    ],
)
async def test_what_has_no_answer_is_refused_by_a_code(args: Mapping[str, str], code: str) -> None:
    outcome = await call_tool(calculate_time(), CONTEXT, args)
    assert isinstance(outcome, Failed)
    assert outcome.error == code


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)),
    st.timedeltas(min_value=timedelta(days=-9000), max_value=timedelta(days=9000)),
)
def test_difference_added_gives_the_other_time(time: datetime, apart: timedelta) -> None:
    begin = time.replace(tzinfo=UTC)
    told = difference(begin, begin + apart)
    assert isinstance(told, Mapping)
    assert moved(begin, str(told["duration"])) == begin + apart
