"""Exports of a real audit: 10,000 of them changed, each found by the product and by the verifier that stands alone."""

import hashlib
import importlib.util
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text

from agent.approval import Decision, edited_digest
from agent.ids import ApprovalId, Digest, NodeId, ToolName
from infra.audit.chain import Entry, hash_of
from infra.audit.checker import check_export
from infra.audit.export import Ending, Format, Unreadable, ending_line, exported, line_of, read_export
from infra.audit.reader import AuditReader
from infra.audit.sealing import Sealer
from infra.audit.signature import SigningKey, head_from_json
from infra.config.file import AuditTable
from infra.db.database import Database
from infra.stores.audit import AuditEvent, erase_person, recording, recording_of_tenant
from infra.stores.stores import Stores
from sandbox.script import Json
from tests.fakes.audited_work import RICH_EVENTS, red_calls, rich_calls
from tests.fakes.rows import GRACE, THREAD, a_request, tenant_of

TENANT = tenant_of(THREAD)
KEY = SigningKey("07" * 32)
VERIFIER = Path(__file__).parents[4] / "docs" / "verify_audit.py"

MUTATIONS = 10_000

_SIGNED_ANEW = frozenset({0, 2, 6, 8, 14})
"""Of twenty changes in a row those, all to JSON lines, that are signed anew, one of each kind."""


def _alone() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_audit", VERIFIER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ALONE: Any = _alone()


async def sealed_work(
    stores: Stores, database: Database, tmp_path: Path, calls: int = 12, *, rich: bool = False
) -> Sealer:
    """Fill an audit whose head was published in the middle and at the end; a `rich` one has every kind of ground."""
    sealer = Sealer(database, AuditTable(heads_file=str(tmp_path / "heads")), given="07" * 32, data=tmp_path)
    for half in range(2):
        await red_calls(stores, calls // 2, first=half * calls // 2)
        if half and rich:
            await rich_calls(stores)
        await _seal(sealer, database)
    return sealer


async def _seal(sealer: Sealer, database: Database) -> None:
    async with database.snapshot() as connection:
        end = await AuditReader(connection, TENANT).end()
    await sealer.seal([(TENANT, end)])


async def written(database: Database, format: Format = Format.JSONL, since: datetime | None = None) -> str:
    return "".join([line async for line in exported(database, TENANT, KEY, since, format)])


def product_finds(export: str, heads: list[str]) -> bool:
    """Return whether the product finds something wrong."""
    try:
        published = [head_from_json(json.loads(head)) for head in heads]
        return bool(check_export(export, frozenset({KEY.public}), published).faults)
    except Unreadable:
        return True


def verifier_finds(export: str, heads: list[str]) -> bool:
    """Return whether the verifier finds something wrong."""
    try:
        return bool(ALONE.verify(export, [KEY.public], heads)[2])
    except ALONE.Wrong:
        return True


def test_the_verifier_stands_alone_and_is_short() -> None:
    source = VERIFIER.read_text()
    assert len(source.splitlines()) <= 300
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported == {"argparse", "csv", "functools", "hashlib", "io", "json", "pathlib", "sys"}


@pytest.mark.parametrize("format", Format)
async def test_an_export_of_what_happened_is_valid_to_both(
    format: Format, stores: Stores, database: Database, tmp_path: Path
) -> None:
    await sealed_work(stores, database, tmp_path)
    export = await written(database, format)
    heads = (tmp_path / "heads").read_text().splitlines()
    found = check_export(export, frozenset({KEY.public}), [head_from_json(json.loads(head)) for head in heads])
    end, calls, faults = ALONE.verify(export, [KEY.public], heads)
    assert (found.faults, faults) == ((), [])
    assert (found.effects, calls) == (11, 11)
    assert end["last"] == found.end.seq
    assert len(heads) == 2


async def test_an_export_since_a_time_has_what_its_red_calls_rest_on(
    stores: Stores, database: Database, tmp_path: Path
) -> None:
    await sealed_work(stores, database, tmp_path)
    async with database.begin() as connection:
        since = (await connection.execute(text("SELECT at FROM audit WHERE event = 'started' ORDER BY id"))).scalars()
        [*_, last] = since
    export = await written(database, since=last)
    found = check_export(export, frozenset({KEY.public}))
    end, calls, faults = ALONE.verify(export, [KEY.public])
    assert (found.faults, faults) == ((), [])
    assert found.effects == calls >= 1
    assert end["first"] > 1
    events = [json.loads(line).get("event") for line in export.splitlines()]
    assert events.index("asked") < events.index("started")


async def test_an_export_after_an_erasure_is_valid_and_names_the_person_nowhere(
    stores: Stores, database: Database, tmp_path: Path
) -> None:
    await sealed_work(stores, database, tmp_path)
    await erase_person(database, TENANT, GRACE)
    export = await written(database)
    assert GRACE not in export
    assert (product_finds(export, []), verifier_finds(export, [])) == (False, False)


async def test_a_call_behind_a_freeze_or_without_an_approval_is_found_by_both(
    stores: Stores, database: Database
) -> None:
    for scope, target in (("workspace", ""), ("channel", "C1"), ("tool", "t")):
        freeze: dict[str, str] = {"scope": scope, "target": target}
        await _record(database, AuditEvent.FROZEN, freeze)  # as if the trigger had not looked
        await _approved_call(stores, f"frozen-{scope}")
        await _record(database, AuditEvent.LIFTED, freeze)
    await _approved_call(stores, "fine")
    await stores.ledger.start(THREAD, NodeId("unasked"), Digest("e" * 64), 1)
    export = await written(database)
    _, calls, faults = ALONE.verify(export, [KEY.public])
    found = check_export(export, frozenset({KEY.public}))
    assert (calls, found.effects) == (5, 5)
    assert (len(faults), len(found.faults)) == (4, 4)


async def test_an_edit_moves_what_a_yes_lets_run_and_both_find_an_effect_that_does_not_follow_it(
    stores: Stores, database: Database
) -> None:
    digest, args = Digest("d" * 64), {"text": "edited"}
    names = ("as edited", "as asked", "edited after", "edited twice")
    for name in names:
        node = NodeId(name)
        await stores.approvals.ask(a_request(name, node=node, digest=digest, tool=ToolName("t")))
        if name != "edited after":
            assert await stores.approvals.edit(TENANT, ApprovalId(name), version=1, by=GRACE, args=args)
        if name == "edited twice":
            again = stores.approvals.edit(TENANT, ApprovalId(name), version=2, by=GRACE, args={"text": "back"})
            assert await again
        version = {"edited after": 1, "edited twice": 3}.get(name, 2)
        yes = Decision.APPROVED
        assert await stores.approvals.decide(TENANT, ApprovalId(name), version=version, by=GRACE, decision=yes)
        assert not await stores.approvals.edit(TENANT, ApprovalId(name), version=version, by=GRACE, args=args)
        ran = digest if name in ("as asked", "edited after") else edited_digest(digest, ToolName("t"), args)
        if name == "edited after":  # by somebody who may write the database
            details: dict[str, Json] = {"question": name, "was": digest}
            ran = edited_digest(digest, ToolName("t"), args)
            await database.execute(recording(THREAD, node, AuditEvent.EDITED, digest=ran, by=GRACE, details=details))
        await stores.ledger.start(THREAD, node, ran, 1, tool="t")
    export = await written(database)
    _, calls, faults = ALONE.verify(export, [KEY.public])
    found = check_export(export, frozenset({KEY.public}))
    assert (calls, found.effects) == (4, 4)
    # as asked, edited twice: a call that nobody approved; edited after: that, and the edit of what was decided
    assert (len(faults), len(found.faults)) == (4, 4)
    assert len([fault for fault in faults if "nobody approved" in fault]) == 3


async def _approved_call(stores: Stores, name: str) -> None:
    node, digest = NodeId(name), Digest("d" * 64)
    await stores.approvals.ask(a_request(name, node=node, digest=digest, tool=ToolName("t")))
    await stores.approvals.decide(TENANT, ApprovalId(name), version=1, by=GRACE, decision=Decision.APPROVED)
    await stores.ledger.start(THREAD, node, digest, 1, tool="t")


async def _record(database: Database, event: AuditEvent, details: Mapping[str, str]) -> None:
    await database.execute(recording_of_tenant(TENANT, event, digest=Digest(""), by=GRACE, details={**details}))


async def test_each_of_many_changes_to_an_export_is_found_by_both(
    stores: Stores, database: Database, tmp_path: Path
) -> None:
    await sealed_work(stores, database, tmp_path, calls=6, rich=True)
    exports = [await written(database, kind) for kind in Format]
    heads = (tmp_path / "heads").read_text().splitlines()
    assert {json.loads(line)["event"] for line in _lines(exports[0])[:-1]} >= {event.value for event in RICH_EVENTS}
    assert (product_finds(exports[0], heads), verifier_finds(exports[0], heads)) == (False, False)
    chance = random.Random(14)  # noqa: S311 - a seed, no secret
    missed: list[tuple[str, bool, bool]] = []
    anew, published = 0, "".join(_lines(exports[0])[:-2])  # its last row is the one about the head
    for number in range(MUTATIONS):
        mutate = (_changed, _removed, _inserted, _moved, _cut)[number % 5]
        mutated, how = mutate(exports[number % 2], chance)
        if number % 20 in _SIGNED_ANEW and not mutated.startswith(published):
            # by somebody who has the key: then the chain and the heads show it
            mutated, how = _signed_anew(mutated), f"{how}, signed anew"
            anew += 1
        assert mutated not in exports, how
        found = product_finds(mutated, heads), verifier_finds(mutated, heads)
        if found != (True, True):
            missed.append((how, *found))
    assert missed == []
    assert anew > MUTATIONS / 10


_NEEDED = ("asked", "edited", "voted", "granted", "decided")
"""Events that red calls of `rich_calls` rest on, each one of them."""


async def test_a_chain_written_anew_without_a_ground_of_a_call_is_found_by_both_without_any_head(
    stores: Stores, database: Database
) -> None:
    await rich_calls(stores)
    entries, _ = read_export(await written(database))
    assert _faults_anew(entries) == (False, False)
    for left_out in entries:
        found = _faults_anew([entry for entry in entries if entry is not left_out])
        needed = left_out.event in _NEEDED and not _is_void(left_out, entries)
        assert found[0] == found[1], left_out
        assert found[0] or not needed, left_out
    for one, other in itertools.combinations(range(len(entries)), 2):
        moved = [*entries]
        moved[one], moved[other] = moved[other], moved[one]
        found = _faults_anew(moved)
        assert found[0] == found[1], (entries[one], entries[other])


def _is_void(entry: Entry, entries: Sequence[Entry]) -> bool:
    """Return whether a vote is for another call or other stages than were decided, or an answer was taken back."""
    if entry.event != "voted":
        return entry.node == "revoked" and '"grant"' in entry.details
    stages = [json.loads(other.details)["stages"] for other in entries if other.event == "tightened"]
    edits = [other.digest for other in entries if other.event == "edited"]
    return entry.digest not in edits or json.loads(entry.details)["stages"] not in stages


def _faults_anew(entries: Sequence[Entry]) -> tuple[bool, bool]:
    """Return what product and verifier find in these rows as somebody would chain them who has the key."""
    chained: list[Entry] = []
    for seq, entry in enumerate(entries, start=1):
        placed = replace(entry, seq=seq)
        chained.append(replace(placed, hash=hash_of(placed, TENANT, chained[-1].hash if chained else "")))
    export = _signed_anew("".join(line_of(entry, Format.JSONL) for entry in chained))
    return product_finds(export, []), verifier_finds(export, [])


def _lines(export: str) -> list[str]:
    return export.splitlines(keepends=True)


def _changed(export: str, chance: random.Random) -> tuple[str, str]:
    at = chance.randrange(len(export) - 1)
    other = chance.choice([letter for letter in 'abc0123456789{}",:' if letter != export[at]])
    return export[:at] + other + export[at + 1 :], f"character {at} became {other}"


def _removed(export: str, chance: random.Random) -> tuple[str, str]:
    lines = _lines(export)
    at = chance.randrange(len(lines))
    count = chance.choice((1, 1, 2, 5))
    return "".join(lines[:at] + lines[at + count :]), f"{count} lines from {at} on were taken out"


def _inserted(export: str, chance: random.Random) -> tuple[str, str]:
    lines = _lines(export)
    source, at = chance.randrange(len(lines)), chance.randrange(len(lines) + 1)
    return "".join([*lines[:at], lines[source], *lines[at:]]), f"line {source} stands at {at}, too"


def _moved(export: str, chance: random.Random) -> tuple[str, str]:
    lines = _lines(export)
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines), f"lines {one} and {other} changed places"


def _cut(export: str, chance: random.Random) -> tuple[str, str]:
    at = chance.randrange(len(export))
    return export[:at], f"it ends at character {at}"


def _signed_anew(export: str) -> str:
    """Return the lines with an ending that fits them, as far as the rows say where they begin and end."""
    lines = _lines(export)
    if lines and '{"end":' in lines[-1]:
        lines.pop()
    body, last = "".join(lines), _row_in(lines[-1:])
    ending = Ending(
        tenant=TENANT,
        first=1,
        before="",
        last=last.get("seq", 0),
        hash=last.get("hash", ""),
        at="2026-05-04T12:00:00.000000Z",
        body=hashlib.sha256(body.encode()).hexdigest(),
        key=KEY.public,
        signature="",
    )
    return body + ending_line({**vars(ending), "signature": KEY.sign(ending.signed)}, Format.JSONL)


def _row_in(lines: list[str]) -> Mapping[str, Any]:
    try:
        return dict(json.loads("".join(lines)))
    except ValueError:
        return {}
