"""Writes the demo's access log: about 20 MB for one day, from the day's story, kept by date.

A line is `time service client "method path protocol" status bytes milliseconds`:
`2025-11-20T14:03:12.123Z payments 10.24.7.131 "POST /v1/charges HTTP/1.1" 503 187 912`
A few lines are broken like real ones: cut short where a process died, or with `-` for a status that was never sent.
"""

import random
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from infra.dev.demo.day import SERVICES, Day, day_of

LINE_FORMAT = 'time service client "method path protocol" status bytes milliseconds, separated by spaces.'
"""The format of a line, as models read it."""

PATHS = {
    "storefront": (
        "GET /",
        "GET /products/",
        "GET /cart?session=",
        "POST /cart/items?session=",
        "GET /static/app.js?v=",
    ),
    "search": ("GET /search?q=shoes&page=", "GET /search?q=winter+jacket&page=", "GET /suggest?q=sho&session="),
    "payments": ("POST /v1/charges?order=", "GET /v1/charges/", "POST /v1/refunds?order=", "GET /v1/methods?customer="),
}
FINE_STATUSES = ("200",) * 17 + ("304", "304", "404")
ERROR_STATUSES = ("500", "502", "503", "503", "503", "504")
BROKEN_HOURS = (8, 11, 13, 16, 19, 21, 22)
"""The hours with one broken line each; cut lines and lines with `-` alternate."""


def access_log(folder: Path, when: date) -> Path:
    """Return the log of that day, written now unless it exists. Removes the logs of other days."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"access-{when.isoformat()}.log"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("w", encoding="ascii", newline="\n") as file:
            for lines in hours(day_of(when)):
                file.writelines(lines)
        unfinished.replace(path)
    for other in folder.glob("access-*.log"):
        if other != path:
            other.unlink(missing_ok=True)
    return path


def hours(day: Day) -> Iterable[Sequence[str]]:
    """Return the day's lines, an hour at a time, each in order of time."""
    rng = random.Random(f"greenlight log {day.date.isoformat()}")  # noqa: S311 - a story, not a secret
    for hour in range(24):
        answers = _answers(rng, day, hour)
        step = 3600 / len(answers)
        lines = [
            _line(rng, f"{day.date.isoformat()}T{hour:02}", (number + rng.random()) * step, *answer)
            for number, answer in enumerate(answers)
        ]
        if hour in BROKEN_HOURS:
            place = len(lines) // 3
            lines.insert(place, _broken(lines[place], cut=BROKEN_HOURS.index(hour) % 2 == 0))
        yield lines


def _answers(rng: random.Random, day: Day, hour: int) -> list[tuple[str, str]]:
    """Return (service, status) for every request of the hour, mixed."""
    answers: list[tuple[str, str]] = []
    for service in SERVICES:
        traffic = day.traffic[service, hour]
        fine = rng.choices(FINE_STATUSES, k=traffic.requests - traffic.errors)
        failed = rng.choices(ERROR_STATUSES, k=traffic.errors)
        answers += [(service, status) for status in fine + failed]
    rng.shuffle(answers)
    return answers


def _line(rng: random.Random, hour: str, second: float, service: str, status: str) -> str:
    chance = rng.random()
    number = int(chance * 0xFFFFFF)
    paths = PATHS[service]
    path = f"{paths[number % len(paths)]}{number:x}"
    minutes, seconds = divmod(second, 60)
    slow = 20 if status >= "500" else 1
    return (
        f"{hour}:{int(minutes):02}:{int(seconds):02}.{int(second * 1000) % 1000:03}Z {service} "
        f"10.{number % 31}.{number % 251}.{number % 239} "
        f'"{path} HTTP/1.1" {status} {187 if slow > 1 else number % 30011} {8 + number % 91 * slow}\n'
    )


def _broken(line: str, *, cut: bool) -> str:
    if cut:
        return line[: line.index(" HTTP/1.1")] + "\n"
    head, _, tail = line.partition('HTTP/1.1" ')
    return f'{head}HTTP/1.1" - 0 {tail.split()[-1]}\n'
