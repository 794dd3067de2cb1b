"""The demo's day: log and database are told from one story."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from infra.dev.demo.access_log import BROKEN_HOURS, access_log, hours
from infra.dev.demo.day import SERVICES, day_of, moment

DAYS = [date(2025, 11, 20) + timedelta(days=37 * number) for number in range(12)]


@pytest.mark.parametrize("when", DAYS, ids=str)
def test_worst_hour_is_the_incident_in_payments_by_far(when: date) -> None:
    day = day_of(when)
    rates = sorted(((t.errors / t.requests, place) for place, t in day.traffic.items()), reverse=True)
    assert rates[0][1] == ("payments", day.incident_hour)
    assert rates[0][0] > 4 * rates[1][0]


@pytest.mark.parametrize("when", DAYS, ids=str)
def test_database_tells_of_the_same_incident(when: date) -> None:
    day = day_of(when)
    totals = {hour: sum(kinds.values()) for hour, kinds in day.database_errors.items()}
    assert max(totals, key=totals.__getitem__) == day.incident_hour
    assert all(0 <= totals[hour] <= day.traffic["payments", hour].errors for hour in range(24))
    assert all(count >= 0 for kinds in day.database_errors.values() for count in kinds.values())


@pytest.mark.parametrize("when", DAYS, ids=str)
def test_culprit_was_deployed_shortly_before_the_incident(when: date) -> None:
    day = day_of(when)
    [culprit] = [deployment for deployment in day.deployments if "connection pool" in deployment.change]
    assert timedelta(0) < moment(day.date, day.incident_hour, 0) - culprit.deployed_at < timedelta(minutes=10)


def test_day_is_told_the_same_way_every_time() -> None:
    assert day_of(DAYS[0]) == day_of(DAYS[0])
    assert list(hours(day_of(DAYS[0]))) == list(hours(day_of(DAYS[0])))
    assert day_of(DAYS[0]) != day_of(DAYS[1])


def test_log_holds_the_story_and_a_few_broken_lines() -> None:
    day = day_of(DAYS[0])
    lines = [line.rstrip("\n") for hour in hours(day) for line in hour]
    broken = [line for line in lines if len(line.split(" ")) != 9 or not line.split(" ")[6].isdigit()]
    assert len(broken) == len(BROKEN_HOURS)
    assert {len(line.split(" ")) for line in broken} != {9}
    assert " - 0 " in "".join(broken)
    whole = [line.split(" ") for line in lines if line not in set(broken)]
    for service in SERVICES:
        for hour in (0, day.incident_hour):
            statuses = [f[6] for f in whole if f[1] == service and f[0].startswith(f"{DAYS[0]}T{hour:02}:")]
            assert len(statuses) == day.traffic[service, hour].requests
            assert len([s for s in statuses if s >= "500"]) == day.traffic[service, hour].errors


def test_log_is_in_order_of_time_and_about_20_megabytes() -> None:
    lines = [line for hour in hours(day_of(DAYS[0])) for line in hour]
    times = [line[:24] for line in lines]
    assert times == sorted(times)
    assert 18_000_000 < sum(map(len, lines)) < 23_000_000


def test_log_of_another_day_replaces_the_last(tmp_path: Path) -> None:
    first = access_log(tmp_path, DAYS[0])
    second = access_log(tmp_path, DAYS[1])
    assert [path.name for path in tmp_path.iterdir()] == [second.name]
    assert first != second
