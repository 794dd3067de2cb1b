"""Checks the audit, as it stands in the database or in an export: chain, signatures, and a ground for each red call."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from agent.ids import Tenant
from infra.audit.chain import Entry, Position, faults
from infra.audit.export import Unreadable, read_export
from infra.audit.proof import EffectProof
from infra.audit.reader import AuditReader
from infra.audit.signature import SignedHead, head_from_json, is_signed
from infra.db.database import Database
from infra.stores.audit import AuditEvent


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check of rows found."""

    rows: int
    effects: int
    finished: int
    end: Position
    #: In words; empty: everything is as it was written.
    faults: tuple[str, ...]


class Checker:
    """Checks the rows of a chain in order: hashes, signatures, and that every red call had its approval."""

    def __init__(self, tenant: Tenant, begin: Position, keys: frozenset[str]) -> None:
        self._tenant = tenant
        self._begin = begin
        self._end = begin
        self._keys = keys
        self._hashes: dict[int, str] = {begin.seq: begin.hash}
        self._proof = EffectProof(whole=begin.seq == 0)
        self._faults: list[str] = []

    def note(self, entry: Entry) -> None:
        """Take the next row."""
        self._faults += faults(entry, self._tenant, self._end)
        self._end = Position(seq=entry.seq, hash=entry.hash)
        self._hashes[entry.seq] = entry.hash
        try:
            self._faults += self._proof.note(entry)
            if entry.event == AuditEvent.SEALED:
                self._sealed(entry, head_from_json(json.loads(entry.details)))
        except ValueError:
            self._faults.append(f"row {entry.seq} holds what no row of its kind holds")

    def _sealed(self, entry: Entry, head: SignedHead) -> None:
        if head.tenant != self._tenant:
            self._faults.append(f"row {entry.seq} holds the head of another chain")
        self.note_head(head)

    def note_head(self, head: SignedHead) -> None:
        """Take a head that was signed and published at some time; one of another tenant says nothing here."""
        if head.tenant != self._tenant:
            return
        if head.key not in self._keys or not head.is_signed:
            self._faults.append(f"the published head of row {head.seq} is signed by none of the keys")
        elif head.seq >= self._begin.seq and self._hashes.get(head.seq) != head.hash:
            self._faults.append(f"the chain was published up to row {head.seq}, and is another one now or ends before")

    def ended(self, end: Position) -> Checked:
        """Return what was found in rows that should end here."""
        if self._end != end:
            self._faults.append(f"the rows end at {self._end.seq} and not at {end.seq}")
        return Checked(
            rows=self._end.seq - self._begin.seq,
            effects=self._proof.effects,
            finished=self._proof.finished,
            end=self._end,
            faults=tuple(self._faults),
        )


async def check_database(
    database: Database, tenant: Tenant, keys: frozenset[str], published: Iterable[SignedHead] = ()
) -> Checked:
    """Check the chain as it stands in the database."""
    checker = Checker(tenant, Position(), keys)
    async with database.snapshot() as connection:
        reader = AuditReader(connection, tenant)
        async for entry in reader.entries(Position()):
            checker.note(entry)
        end = await reader.end()
        strays = [stray async for stray in reader.strays()]
    for head in published:
        checker.note_head(head)
    checked = checker.ended(end)
    return replace(checked, faults=(*checked.faults, *strays))


def check_export(text: str, keys: frozenset[str], published: Iterable[SignedHead] = ()) -> Checked:
    """Check an export that one of the keys must have signed.

    Raises:
        Unreadable: see the class.
    """
    entries, ending = read_export(text)
    if ending.key not in keys or not is_signed(ending.signed, ending.key, ending.signature):
        raise Unreadable("none of the keys signed it")
    checker = Checker(ending.tenant, Position(seq=ending.first - 1, hash=ending.before), keys)
    for entry in entries:
        checker.note(entry)
    for head in published:
        checker.note_head(head)
    return checker.ended(Position(seq=ending.last, hash=ending.hash))
