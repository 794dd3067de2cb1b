"""What a thread's runner looks at, in one statement: messages and stops, new operations, requests to people."""

from datetime import datetime

from sqlalchemy import text

from agent.ids import ThreadId
from agent.ports import News
from bot.ports import Kind
from infra.db.database import Database
from infra.db.tables import thread_key
from infra.stores.approvals import RECORD_COLUMNS, record_from
from infra.stores.mailbox import mail_in
from infra.stores.operation_log import PostgresOperationLog, last_seq

_READ = text(f"""
    SELECT
        (
            SELECT json_agg(json_build_object(
                'id', id, 'author', author, 'text', text, 'at', at, 'kind', kind
            ) ORDER BY id)
            FROM inbox WHERE tenant = :tenant AND thread = :thread
                AND (turn IS NULL OR turn = :turn AND kind = '{Kind.STOP.value}')
        ) AS mail,
        (
            SELECT json_agg(json_build_object(
                'seq', seq, 'turn', turn, 'author', author, 'operation', operation,
                'size', octet_length(CAST(operation AS text))
            ) ORDER BY seq)
            FROM operations WHERE tenant = :tenant AND thread = :thread AND seq > :last
        ) AS operations,
        (
            SELECT json_agg(json_build_object({RECORD_COLUMNS}) ORDER BY asked)
            FROM approvals WHERE tenant = :tenant AND thread = :thread
        ) AS requests
""")  # noqa: S608 - names of our own


class PostgresNews:
    """A NewsReader."""

    def __init__(self, database: Database, log: PostgresOperationLog) -> None:
        self._database = database
        self._log = log

    async def read(self, thread: ThreadId, turn: int, seq: int) -> News:
        """Return what there is for this turn, and the operations after `seq`."""
        known = self._log.known(thread)
        values = {**thread_key(thread), "turn": turn, "last": last_seq(known)}
        row = (await self._database.execute(_READ, values)).one()
        records = [record_from(request) for request in row.requests or ()]
        return News(
            mail=mail_in([found | {"at": datetime.fromisoformat(found["at"])} for found in row.mail or ()]),
            operations=self._log.extended(thread, known, row.operations or (), seq),
            requests={record.id: record for record in records},
        )
