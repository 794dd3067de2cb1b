"""The demo's git repository: the payments service, with the commit that the day's incident came of, kept by date.

It is a bare one, as on a forge. What people commit through the forge stays in it until the next day.
"""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from agent.tool import ToolError
from infra.dev.demo.day import Day, day_of, moment
from infra.tools.git.program import GitProgram

NAME = "payments"
BRANCH = "main"

_MAKING_SECONDS = 20.0
_BEFORE_DEPLOYMENT = timedelta(minutes=25)

_README = """\
# payments

Charges cards and refunds them. `config/database.toml` says how it reaches its database.
"""

_DATABASE = """\
# How the payments service reaches its database.
[database]
host = "payments-db.internal"
statement_timeout_seconds = 5

[pool]
# Connections of each instance; three instances run.
pool_size = 100
wait_seconds = 2
recycle_seconds = 1800
"""

_CHARGES = '''\
"""Charges cards."""

from payments.gateway import send


def charge(order, card, amount):
    """Charge a card once; the order's number makes the request unique."""
    return send("charge", key=order, card=card, amount=amount)
'''

_RETRIED = _CHARGES.replace(
    '    return send("charge", key=order, card=card, amount=amount)\n',
    """    try:
        return send("charge", key=order, card=card, amount=amount)
    except ConnectionResetError:
        return send("charge", key=order, card=card, amount=amount)
""",
)

_REFUNDS = '''\
"""Refunds charges."""

from payments.gateway import send


def refund(charge, amount):
    """Refund a part of a charge."""
    if amount > charge.amount:
        raise ValueError("more than was charged")
    return send("refund", key=charge.id, amount=amount)
'''

_GATEWAY = '''\
"""Speaks to the card network."""

GATEWAYS = ("east", "west", "north")


def send(verb, **what):
    """Ask the first gateway that answers."""
    for gateway in GATEWAYS:
        try:
            return gateway_call(gateway, verb, what)
        except TimeoutError:
            continue
    raise TimeoutError(verb)
'''

_LOGGED = _GATEWAY.replace(
    "            continue\n", '            log.warning("gateway %s timed out", gateway)\n            continue\n'
)


@dataclass(frozen=True, kw_only=True)
class _Commit:
    author: str
    at: datetime
    message: str
    #: Path -> its text from then on.
    files: Mapping[str, str] = field(default_factory=dict[str, str])


async def demo_repository(folder: Path, when: date) -> Path:
    """Return the repository of that day, made now unless it exists. Removes those of other days.

    Without git there is none: the path is returned all the same.
    """
    path = folder / f"{NAME}-{when.isoformat()}.git"
    unfinished = path.with_suffix(".unfinished")
    if await asyncio.to_thread(_is_missing, path, unfinished):
        stream = "".join(_imported(_commits(day_of(when)))).encode()
        try:
            git = GitProgram()
            init = ("init", "--bare", "--quiet", "--template=", f"--initial-branch={BRANCH}")
            await git.run(unfinished, init, seconds=_MAKING_SECONDS)
            await git.run(unfinished, ("fast-import", "--quiet"), seconds=_MAKING_SECONDS, given=stream)
        except ToolError:
            return path  # the tools say so themselves, once somebody asks them
        unfinished.replace(path)
    return path


def _is_missing(path: Path, unfinished: Path) -> bool:
    """Return whether the repository is to be made, with an empty folder for it; remove those of other days."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for other in path.parent.glob(f"{NAME}-*.*"):
        if other != path:
            shutil.rmtree(other, ignore_errors=True)
    if path.exists():
        return False
    unfinished.mkdir()
    return True


def _commits(day: Day) -> Sequence[_Commit]:
    """Return the history, the oldest commit first."""
    [culprit] = [one for one in day.deployments if "pool" in one.change]
    before = culprit.deployed_at - _BEFORE_DEPLOYMENT
    small = _DATABASE.replace("pool_size = 100", "pool_size = 20")
    whole = {
        "README.md": _README,
        "config/database.toml": _DATABASE.replace("pool_size = 100\n", ""),
        "payments/charges.py": _CHARGES,
        "payments/gateway.py": _GATEWAY,
    }
    tuned = {"config/database.toml": _DATABASE}
    return (
        _Commit(author="lena", at=before - timedelta(days=41), message="Charge cards over three gateways", files=whole),
        _Commit(author="aisha", at=before - timedelta(days=33), message="Set the size of the pool", files=tuned),
        _Commit(
            author="lena",
            at=before - timedelta(days=12),
            message="Charge once more when the gateway resets the connection",
            files={"payments/charges.py": _RETRIED},
        ),
        _Commit(
            author="aisha",
            at=before - timedelta(days=2),
            message="Refund parts of a charge",
            files={"payments/refunds.py": _REFUNDS},
        ),
        _Commit(
            author=culprit.deployed_by,
            at=before,
            message=f"{culprit.change}\n\nThe database's host has little memory, and most connections idle at night.",
            files={"config/database.toml": small},
        ),
        _Commit(
            author="lena",
            at=moment(day.date, day.incident_hour, 41),
            message="Log which gateway timed out",
            files={"payments/gateway.py": _LOGGED},
        ),
    )


def _imported(commits: Sequence[_Commit]) -> Iterator[str]:
    """Yield the commits as `git fast-import` reads them."""
    for commit in commits:
        yield f"commit refs/heads/{BRANCH}\n"
        name = commit.author.capitalize()
        when = f"{int(commit.at.astimezone(UTC).timestamp())} +0000"
        yield f"committer {name} <{commit.author}@shop.example> {when}\n"
        yield _data(commit.message)
        for path, text in commit.files.items():
            yield f"M 100644 inline {path}\n"
            yield _data(text)


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"
