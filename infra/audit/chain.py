"""The chain of the audit: each row's hash covers the row and the hash before it. Pure.

The trigger of migration 0012 computes the same hashes when it writes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from agent.ids import Tenant

ROW = "greenlight-audit/1"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the audit in its place, as an export shows it."""

    #: From 1, without a gap.
    seq: int
    #: UTC, with microseconds: `2026-05-04T12:00:00.000000Z`.
    at: str
    thread: str
    node: str
    event: str
    #: Stands for the person.
    person: str | None
    #: The person's id in Slack, with `salt`; both None once they are erased.
    by: str | None
    salt: str | None
    digest: str
    #: The JSON as it is stored, to the byte.
    details: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class Position:
    """A place in a tenant's chain: 0 and the empty hash are before its first row."""

    seq: int = 0
    hash: str = ""


def joined(*values: str | None) -> bytes:
    """Return values as one text that no other values make: the length before each."""
    parts = ("-" if value is None else f"{len(value.encode())}:{value}" for value in values)
    return "".join(parts).encode()


def hash_of(entry: Entry, tenant: Tenant, before: str) -> str:
    """Return the hash that the row has behind the hash `before`."""
    fields = (entry.at, entry.thread, entry.node, entry.event, entry.person, entry.digest, entry.details)
    return hashlib.sha256(joined(ROW, before, tenant, str(entry.seq), *fields)).hexdigest()


def faults(entry: Entry, tenant: Tenant, before: Position) -> Iterator[str]:
    """Yield what is wrong with a row that should stand right behind `before`."""
    if entry.seq != before.seq + 1:
        yield f"row {entry.seq} stands behind row {before.seq}"
    if entry.hash != hash_of(entry, tenant, before.hash):
        yield f"row {entry.seq} is not what was written, or not in its place"
    if entry.by is not None and entry.salt is not None:
        if entry.person != hashlib.sha256(f"{entry.salt}:{entry.by}".encode()).hexdigest():
            yield f"row {entry.seq} names another person than it was written with"
    elif (entry.by or None) is not None or entry.salt is not None:
        yield f"row {entry.seq} names a person by half"
