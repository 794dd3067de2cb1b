"""An export of the audit: one line for each row and, last, a signed line that says where the export begins and ends."""

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum

from agent.ids import Tenant
from infra.audit.chain import Entry, joined
from infra.audit.reader import AuditReader
from infra.audit.signature import SigningKey
from infra.db.database import Database
from sandbox.script import Json

EXPORT = "greenlight-audit-export/1"

COLUMNS = tuple(field.name for field in fields(Entry))

_NUMBERS = frozenset({"seq"})
_MAY_LACK = frozenset({"person", "by", "salt"})


class Format(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The last line of an export."""

    tenant: Tenant
    #: The place of the first row.
    first: int
    #: The hash before it.
    before: str
    last: int
    hash: str
    #: When it was written.
    at: str
    #: SHA-256 of all lines before this one.
    body: str
    key: str
    signature: str

    @property
    def signed(self) -> bytes:
        """What the signature is about."""
        return joined(EXPORT, self.tenant, str(self.first), self.before, str(self.last), self.hash, self.at, self.body)


def now_text() -> str:
    """Return the time as rows have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def exported(
    database: Database, tenant: Tenant, key: SigningKey, since: datetime | None, format: Format
) -> AsyncIterator[str]:
    """Yield the lines of an export."""
    body = hashlib.sha256()
    async with database.snapshot() as connection:
        reader = AuditReader(connection, tenant)
        begin, end = await reader.begin(since), await reader.end()
        if format is Format.CSV:
            heading = _csv_line(COLUMNS)
            body.update(heading.encode())
            yield heading
        async for entry in reader.entries(begin):
            line = line_of(entry, format)
            body.update(line.encode())
            yield line
    unsigned = Ending(
        tenant=tenant,
        first=begin.seq + 1,
        before=begin.hash,
        last=end.seq,
        hash=end.hash,
        at=now_text(),
        body=body.hexdigest(),
        key=key.public,
        signature="",
    )
    yield ending_line({**vars(unsigned), "signature": key.sign(unsigned.signed)}, format)


def line_of(entry: Entry, format: Format) -> str:
    """Return a row's line."""
    if format is Format.JSONL:
        return _json(vars(entry)) + "\n"
    return _csv_line(["" if value is None else value for value in vars(entry).values()])


def ending_line(ending: Mapping[str, Json], format: Format) -> str:
    """Return the last line; in CSV it has `end` in the first column and JSON in the second."""
    whole = _json({"end": EXPORT, **ending})
    return whole + "\n" if format is Format.JSONL else _csv_line(["end", whole])


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _csv_line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


class Unreadable(Exception):
    """A file is no export, or was changed so that it is none any more; the text says where."""


def read_export(text: str) -> tuple[list[Entry], Ending]:
    """Read an export of either format.

    Raises:
        Unreadable: see the class.
    """
    written = Format.CSV if text.startswith("seq,") else Format.JSONL
    body, newline, last = text.removesuffix("\n").rpartition("\n")
    body, last = body + newline, last + "\n"
    try:
        if written is Format.CSV:
            heading, *rows = csv.reader(io.StringIO(body, newline=""))
            if tuple(heading) != COLUMNS:
                raise ValueError
            told: Iterator[Mapping[str, Json]] = (_from_csv(row) for row in rows)
            [[_, whole]] = csv.reader(io.StringIO(last, newline=""))
        else:
            told, whole = (json.loads(line) for line in body.split("\n") if line), last
        entries = [_entry(row) for row in told]
        given = json.loads(whole)
        ending = _ending({name: value for name, value in given.items() if name != "end"})
        if last != ending_line({**vars(ending)}, written):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, csv.Error) as error:
        raise Unreadable("it does not read as an export: it was changed, or its end is missing") from error
    if hashlib.sha256(body.encode()).hexdigest() != ending.body:
        raise Unreadable("its lines are not those that were exported")
    return entries, ending


def _from_csv(row: list[str]) -> Mapping[str, Json]:
    return {
        name: int(value) if name in _NUMBERS else (value or None) if name in _MAY_LACK else value
        for name, value in zip(COLUMNS, row, strict=True)
    }


def _entry(told: Mapping[str, Json]) -> Entry:
    for name, value in told.items():
        wanted: object = int if name in _NUMBERS else str
        if type(value) is not wanted and not (value is None and name in _MAY_LACK):
            raise ValueError(name)
    return Entry(**told)  # pyright: ignore[reportArgumentType]  # checked right above


def _ending(told: Mapping[str, Json]) -> Ending:
    for field in fields(Ending):
        if type(told[field.name]) is not (int if field.name in ("first", "last") else str):
            raise ValueError(field.name)
    return Ending(**told)  # pyright: ignore[reportArgumentType]  # checked right above
