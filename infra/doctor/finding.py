"""A finding of the doctor: the state of one thing that the app needs, and how to fix it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from yarl import URL


class State(StrEnum):
    """The state of a thing that the app needs."""

    OK = "ok"
    MISSING = "missing"
    #: It exists and cannot be used.
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report."""

    #: The name of the thing.
    check: str
    state: State
    #: The state in words, for people.
    says: str
    #: How to fix it; empty when nothing is to be done.
    mend: str = ""


def ok(check: str, says: str) -> Finding:
    """Return the finding that a thing can be used."""
    return Finding(check=check, state=State.OK, says=says)


def missing(check: str, says: str, mend: str) -> Finding:
    """Return the finding that a thing does not exist."""
    return Finding(check=check, state=State.MISSING, says=says, mend=mend)


def wrong(check: str, says: str, mend: str) -> Finding:
    """Return the finding that a thing exists and cannot be used."""
    return Finding(check=check, state=State.WRONG, says=says, mend=mend)


def healthy(findings: Iterable[Finding]) -> bool:
    """Return whether nothing has to be fixed."""
    return all(finding.state is State.OK for finding in findings)


def host_of(address: str) -> str:
    """Return the host of an http address, or an empty text for any other address."""
    try:
        url = URL(address)
    except ValueError:
        return ""
    return url.host or "" if url.scheme in ("http", "https") else ""
