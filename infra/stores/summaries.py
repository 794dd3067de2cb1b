"""A thread's running summary: one row, which only ever covers more turns."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from agent.ids import ThreadId
from agent.ports import Summary
from infra.db.database import Database
from infra.db.tables import SummaryRow, thread_key


class PostgresSummaries:
    """Summaries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, thread: ThreadId) -> Summary | None:
        """Return the summary."""
        row = select(SummaryRow.upto_turn, SummaryRow.text).where(SummaryRow.of_thread(thread))
        found = (await self._database.execute(row)).first()
        return None if found is None else Summary(upto_turn=found.upto_turn, text=found.text)

    async def keep(self, thread: ThreadId, summary: Summary) -> None:
        """Store the summary in place of one that covers fewer turns."""
        row = insert(SummaryRow).values(thread_key(thread) | vars(summary))
        kept = row.on_conflict_do_update(
            index_elements=["tenant", "thread"],
            set_={**vars(summary), "written_at": func.now()},
            where=SummaryRow.upto_turn < summary.upto_turn,
        )
        await self._database.execute(kept)
