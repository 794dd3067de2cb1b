"""What a turn's plan was made of, read from its rows."""

from sqlalchemy import select

from agent.facts import is_used
from agent.ids import ChannelId, Tenant, ThreadId, thread_parts
from agent.plan.operations import Add, operation_from_json
from bot.ports import Explanation
from infra.db.database import Database
from infra.db.tables import ApprovalRow, InboxRow, OperationRow, RunRow
from infra.stores.facts import deletions_of, facts_of, told_by
from infra.stores.instructions import cleared_in
from infra.stores.mailbox import messages_of
from infra.stores.runs import cited_in, recalled_in, reflection_in


class PostgresExplanations:
    """The bot's Explanations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_thread(self, thread: ThreadId) -> Explanation | None:
        """Return what the newest turn's plan was made of."""
        newest = select(RunRow.__table__).where(RunRow.of_thread(thread)).order_by(RunRow.turn.desc()).limit(1)
        async with self._database.snapshot() as connection:
            run = (await connection.execute(newest)).first()
            if run is None:
                return None
            planned = select(OperationRow.operation).where(
                OperationRow.of_thread(thread), OperationRow.turn == run.turn
            )
            operations = (await connection.execute(planned.order_by(OperationRow.seq))).scalars().all()
            asked = select(ApprovalRow.policy).where(ApprovalRow.of_thread(thread), ApprovalRow.turn == run.turn)
            policies = (await connection.execute(asked.order_by(ApprovalRow.asked))).scalars().all()
            ids = list(dict.fromkeys(one.fact for one in recalled_in(run.recalled)))
            facts = await facts_of(connection, thread, ids) if ids else ()
            tenant, channel, _ = thread_parts(thread)
            lacking = [one for one in ids if all(fact.id != one for fact in facts)]
            gone = await deletions_of(connection, tenant, lacking)
            cleared = await cleared_in(connection, tenant, channel)
            mail = await messages_of(connection, thread, InboxRow.turn == run.turn)
        told = told_by(run.answer, run.replies, operations)
        wanted = "\n".join(message.text for _, message in mail)
        nodes = [read.node for one in operations if isinstance(read := operation_from_json(one), Add)]
        tools = [tool for node in nodes for tool in ((node.tool,) if node.tool else node.tools)]
        rules = [str(policy["rule"]) for policy in policies if policy and policy.get("rule")]
        return Explanation(
            thread=thread,
            turn=run.turn,
            began=run.started_at,
            facts=tuple(facts),
            used=tuple(fact for fact in facts if is_used(fact, wanted, told)),
            gone=gone,
            cleared=cleared,
            runbooks=cited_in(run.runbooks),
            tools=tuple(dict.fromkeys(tools)),
            rules=tuple(dict.fromkeys(rules)),
            decisions=tuple(map(reflection_in, run.reflections)),
        )

    async def newest_in(self, tenant: Tenant, channel: ChannelId) -> ThreadId | None:
        """Return the thread of a channel in which a turn began last."""
        row = select(RunRow.thread).where(RunRow.tenant == tenant, RunRow.channel == channel)
        found = (await self._database.execute(row.order_by(RunRow.started_at.desc()).limit(1))).scalar()
        return None if found is None else ThreadId(str(found))
