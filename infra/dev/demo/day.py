"""The story of one day in the demo's shop: traffic, an incident and the deployment that caused it.

Log and database are both written from it, so results from one agree with the other. Everything follows from the date:
the same date always gives the same day.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter

SERVICES = ("storefront", "search", "payments")

REQUESTS_A_DAY = {"storefront": 112_000, "search": 66_000, "payments": 34_000}
_CULPRIT = "Cut the database connection pool from 100 to 20 per instance"
USUAL_ERROR_RATE = {"storefront": 0.003, "search": 0.0045, "payments": 0.004}


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The requests that one service answered in one hour."""

    requests: int
    #: Those answered with a 5xx status.
    errors: int


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment of one service."""

    service: str
    version: str
    deployed_at: datetime
    deployed_by: str
    change: str


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day, UTC."""

    date: date
    incident_hour: int
    #: (service, hour) -> its traffic.
    traffic: Mapping[tuple[str, int], Traffic]
    #: Hour -> kind of error -> count.
    database_errors: Mapping[int, Mapping[str, int]]
    #: In order of time.
    deployments: tuple[Deployment, ...]


def moment(day: date, hour: int, minute: int) -> datetime:
    """Return a moment of the day; minutes may be negative or over 59."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + timedelta(minutes=minute)


def day_of(when: date) -> Day:
    """Return the story of that day."""
    rng = random.Random(f"greenlight demo {when.isoformat()}")  # noqa: S311 - a story, not a secret
    incident_hour = rng.randrange(9, 18)
    traffic = {
        (service, hour): _traffic(rng, service, hour, incident_hour) for service in SERVICES for hour in range(24)
    }
    return Day(
        date=when,
        incident_hour=incident_hour,
        traffic=traffic,
        database_errors={
            hour: _database_errors(rng, traffic["payments", hour].errors, hour == incident_hour) for hour in range(24)
        },
        deployments=_deployments(rng, when, incident_hour),
    )


def _traffic(rng: random.Random, service: str, hour: int, incident_hour: int) -> Traffic:
    """Return a daily wave with its peak in the afternoon; in the incident's hour a fifth of the payments fail."""
    wave = 1 - 0.75 * math.cos((hour - 3) / 24 * math.tau)
    requests = round(REQUESTS_A_DAY[service] / 24 * wave * rng.uniform(0.94, 1.06))
    rate = USUAL_ERROR_RATE[service] * rng.uniform(0.5, 1.6)
    if (service, hour) == ("payments", incident_hour):
        rate = rng.uniform(0.19, 0.27)
    elif (service, hour) == ("storefront", incident_hour):
        rate = rng.uniform(0.02, 0.03)
    return Traffic(requests=requests, errors=round(requests * rate))


def _database_errors(rng: random.Random, failed_payments: int, incident: bool) -> Mapping[str, int]:
    """Return errors for most of the failed payments; the card network failed the others."""
    total = round(failed_payments * rng.uniform(0.85, 0.95))
    pool = round(total * (0.88 if incident else 0.1))
    locks = round((total - pool) * 0.6)
    return {"connection_pool_exhausted": pool, "lock_timeout": locks, "serialization_failure": total - pool - locks}


def _deployments(rng: random.Random, day: date, incident_hour: int) -> tuple[Deployment, ...]:
    minor = rng.randrange(4, 30)
    rows = [
        ("search", f"5.{minor}.1", 7, rng.randrange(50), "lena", "Reindex synonyms nightly"),
        ("payments", f"2.{minor}.0", incident_hour, -rng.randrange(3, 9), "marco", _CULPRIT),
        ("payments", f"2.{minor - 1}.3", incident_hour, rng.randrange(55, 60), "aisha", f"Roll back 2.{minor}.0"),
        ("storefront", f"11.{minor}.4", 20, rng.randrange(50), "lena", "New footer links"),
    ]
    deployments = [
        Deployment(
            service=service, version=version, deployed_at=moment(day, hour, minute), deployed_by=by, change=change
        )
        for service, version, hour, minute, by, change in rows
    ]
    return tuple(sorted(deployments, key=attrgetter("deployed_at")))
