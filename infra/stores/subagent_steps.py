"""The journal of subagents: one row per step, written once."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from agent.events import SubagentStep
from agent.ids import NodeId, ThreadId
from infra.db.database import Database
from infra.db.tables import SubagentStepRow, thread_key


class PostgresSubagentSteps:
    """The agent's SubagentSteps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, thread: ThreadId, node: NodeId) -> Sequence[SubagentStep]:
        """Return the node's ended steps, in order."""
        row = SubagentStepRow
        rows = (
            select(row.node, row.of, row.step, row.call, row.content)
            .where(row.of_thread(thread), row.node == node)
            .order_by(row.at, row.step, row.call)
        )
        return [SubagentStep(**step) for step in (await self._database.execute(rows)).mappings()]

    async def keep(self, thread: ThreadId, step: SubagentStep) -> None:
        """Commit a step, unless it is there already."""
        row = insert(SubagentStepRow).values(thread_key(thread) | vars(step))
        await self._database.execute(row.on_conflict_do_nothing())
