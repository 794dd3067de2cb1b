"""What the doctor finds: one thing that the app needs, how it stands, and how to mend it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from yarl import URL


class State(StrEnum):
    """How a thing stands."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the doctor's. `says` and `mend` are for people; `mend` is empty when nothing is to be done."""

    check: str
    state: State
    says: str
    mend: str = ""


def ok(check: str, says: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(check=check, state=State.OK, says=says)


def missing(check: str, says: str, mend: str) -> Finding:
    """Return the finding that something is not there."""
    return Finding(check=check, state=State.MISSING, says=says, mend=mend)


def wrong(check: str, says: str, mend: str) -> Finding:
    """Return the finding that something is there and does not do."""
    return Finding(check=check, state=State.WRONG, says=says, mend=mend)


def healthy(findings: Iterable[Finding]) -> bool:
    """Return whether nothing is to be mended."""
    return all(each.state is State.OK for each in findings)


def host_of(address: str) -> str:
    """Return the host of an http address; empty when it is none."""
    try:
        url = URL(address)
    except ValueError:
        return ""
    return url.host or "" if url.scheme in ("http", "https") else ""
