"""The story of one day in the demo's shop: traffic, an incident and the deployment that caused it.

Log and database are both written from here, so what a plan finds in one agrees with the other.
Everything follows from the date: the same day is always told in the same way.
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
    """What one service answered in one hour; `errors` are the answers with a 5xx status."""

    requests: int
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
    """One day, UTC. `traffic` is (service, hour) -> traffic, `database_errors` hour -> kind -> count."""

    date: date
    incident_hour: int
    traffic: Mapping[tuple[str, int], Traffic]
    database_errors: Mapping[int, Mapping[str, int]]
    deployments: tuple[Deployment, ...]

    def at(self, hour: int, minute: int = 0) -> datetime:
        """Return a moment of the day; minutes may be negative or over 59."""
        return datetime(self.date.year, self.date.month, self.date.day, hour, tzinfo=UTC) + timedelta(minutes=minute)


def day_of(when: date) -> Day:
    """Return the story of that day."""
    rng = random.Random(f"greenlight demo {when.isoformat()}")  # noqa: S311 - a story, not a secret
    incident_hour = rng.randrange(9, 18)
    traffic = {
        (service, hour): _traffic(rng, service, hour, incident_hour) for service in SERVICES for hour in range(24)
    }
    bare = Day(date=when, incident_hour=incident_hour, traffic=traffic, database_errors={}, deployments=())
    return Day(
        date=when,
        incident_hour=incident_hour,
        traffic=traffic,
        database_errors={
            hour: _database_errors(rng, traffic["payments", hour].errors, hour == incident_hour) for hour in range(24)
        },
        deployments=_deployments(rng, bare),
    )


def _traffic(rng: random.Random, service: str, hour: int, incident_hour: int) -> Traffic:
    """A daily wave with its peak in the afternoon; in the incident's hour a fifth of the payments fail."""
    wave = 1 - 0.75 * math.cos((hour - 3) / 24 * math.tau)
    requests = round(REQUESTS_A_DAY[service] / 24 * wave * rng.uniform(0.94, 1.06))
    rate = USUAL_ERROR_RATE[service] * rng.uniform(0.5, 1.6)
    if (service, hour) == ("payments", incident_hour):
        rate = rng.uniform(0.19, 0.27)
    elif (service, hour) == ("storefront", incident_hour):
        rate = rng.uniform(0.02, 0.03)
    return Traffic(requests=requests, errors=round(requests * rate))


def _database_errors(rng: random.Random, failed_payments: int, incident: bool) -> Mapping[str, int]:
    """Most failed payments were the database's; a few were the card network's."""
    total = round(failed_payments * rng.uniform(0.85, 0.95))
    pool = round(total * (0.88 if incident else 0.1))
    locks = round((total - pool) * 0.6)
    return {"connection_pool_exhausted": pool, "lock_timeout": locks, "serialization_failure": total - pool - locks}


def _deployments(rng: random.Random, day: Day) -> tuple[Deployment, ...]:
    minor = rng.randrange(4, 30)
    hour = day.incident_hour
    rows = [
        ("search", f"5.{minor}.1", day.at(7, rng.randrange(50)), "lena", "Reindex synonyms nightly"),
        ("payments", f"2.{minor}.0", day.at(hour, -rng.randrange(3, 9)), "marco", _CULPRIT),
        ("payments", f"2.{minor - 1}.3", day.at(hour, rng.randrange(55, 60)), "aisha", f"Roll back 2.{minor}.0"),
        ("storefront", f"11.{minor}.4", day.at(20, rng.randrange(50)), "lena", "New footer links"),
    ]
    deployments = [
        Deployment(service=service, version=version, deployed_at=at, deployed_by=by, change=change)
        for service, version, at, by, change in rows
    ]
    return tuple(sorted(deployments, key=attrgetter("deployed_at")))
