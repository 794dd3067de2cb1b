"""A thread's running summary: one row, that only ever reaches further."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from agent.ids import ThreadId, thread_parts
from agent.ports import Summary
from infra.db.database import Database
from infra.db.tables import SummaryRow


class PostgresSummaries:
    """Summaries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, thread: ThreadId) -> Summary | None:
        """Return the summary."""
        row = select(SummaryRow.upto_turn, SummaryRow.text).where(
            SummaryRow.tenant == thread_parts(thread).tenant, SummaryRow.thread == thread
        )
        async with self._database.autocommit() as connection:
            found = (await connection.execute(row)).first()
        return None if found is None else Summary(upto_turn=found.upto_turn, text=found.text)

    async def keep(self, thread: ThreadId, summary: Summary) -> None:
        """Store the summary in place of one that reaches less far."""
        said = {"upto_turn": summary.upto_turn, "text": summary.text}
        row = insert(SummaryRow).values(tenant=thread_parts(thread).tenant, thread=thread, **said)
        kept = row.on_conflict_do_update(
            index_elements=["tenant", "thread"],
            set_={**said, "written_at": func.now()},
            where=SummaryRow.upto_turn < summary.upto_turn,
        )
        async with self._database.begin() as connection:
            await connection.execute(kept)
