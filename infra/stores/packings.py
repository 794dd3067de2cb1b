"""How plans were packed: kept with the turn's row, each fusion and each reason once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.events import PlanPacked
from agent.ids import NodeId, ThreadId, thread_parts
from agent.packing.packing import Fusion, Reason, Split
from infra.db.tables import RunRow
from sandbox.script import Json


class Packed(NamedTuple):
    """What a turn's row says of its packing."""

    fusions: tuple[Fusion, ...]
    splits: tuple[Split, ...]


async def write_packings(connection: AsyncConnection, events: Iterable[tuple[ThreadId, PlanPacked]]) -> None:
    """Add what was decided to the turns' rows; a plan that was packed again after a crash is no news."""
    for thread, event in sorted(events, key=lambda each: (each[0], each[1].turn)):
        row = (RunRow.tenant == thread_parts(thread).tenant, RunRow.thread == thread, RunRow.turn == event.turn)
        found = (await connection.execute(select(RunRow.packing).where(*row).with_for_update())).scalar_one_or_none()
        before = packed_in(found or {})
        fusions = dict.fromkeys([*before.fusions, *event.fusions])
        splits = dict.fromkeys([*before.splits, *event.splits])
        packing: Mapping[str, Json] = {
            "fusions": [list(each.steps) for each in fusions],
            "splits": [[each.before, each.after, each.reason.name, each.detail] for each in splits],
        }
        await connection.execute(update(RunRow).where(*row).values(packing=packing))


def packed_in(packing: Mapping[str, Json]) -> Packed:
    """Read what `write_packings` wrote; reasons of another version are left out."""
    return Packed(
        fusions=tuple(Fusion(steps=tuple(NodeId(step) for step in each)) for each in _lists(packing.get("fusions"))),
        splits=tuple(
            Split(before=NodeId(before), after=NodeId(after), reason=Reason[reason], detail=detail)
            for before, after, reason, detail in _lists(packing.get("splits"))
            if reason in Reason.__members__
        ),
    )


def _lists(value: Json) -> Iterable[Sequence[str]]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, list):
            yield [str(part) for part in each]
