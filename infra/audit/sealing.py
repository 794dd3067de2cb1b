"""Signs and publishes the ends of the chains at intervals, so that a cut tail shows."""

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from agent.ids import Digest, Tenant
from infra.audit.chain import Position
from infra.config.file import AuditTable
from infra.db.database import Database
from infra.db.tables import AuditHeadRow
from infra.stores.audit import AuditEvent, recording_of_tenant

if TYPE_CHECKING:
    from infra.audit.signature import SignedHead

_log = logging.getLogger(__name__)


class Sealer:
    """A worker's chore. The key is `given`, or that of the data folder, which it makes there when there is none."""

    def __init__(self, database: Database, settings: AuditTable, *, given: str | None, data: Path) -> None:
        self._database = database
        self._settings = settings
        self._given = given
        self._data = data
        self._looked = time.monotonic()

    async def seal_due(self) -> int:
        """Sign and publish the chains that grew since the last time; return how many. Looks once in an interval."""
        interval = self._settings.seal_minutes * 60
        if time.monotonic() - self._looked < interval:
            return 0
        self._looked = time.monotonic()
        late = func.now() - timedelta(seconds=interval / 2)  # another worker may have come first
        due = select(AuditHeadRow.tenant, AuditHeadRow.seq, AuditHeadRow.hash).where(
            AuditHeadRow.seq > AuditHeadRow.sealed_seq,
            or_(AuditHeadRow.sealed_at.is_(None), AuditHeadRow.sealed_at < late),
        )
        rows = (await self._database.execute(due)).all()
        if rows:
            await self.seal([(Tenant(row.tenant), Position(seq=row.seq, hash=row.hash)) for row in rows])
        return len(rows)

    async def seal(self, ends: Sequence[tuple[Tenant, Position]]) -> None:
        """Sign and publish these ends: in the audit, in the log, and in the file if there is one."""
        # Only here: most processes never sign, and the library is dear to import.
        from infra.audit.export import now_text
        from infra.audit.signature import signed_head, signing_key

        key = await asyncio.to_thread(signing_key, self._given, self._data, create=True)
        for tenant, end in ends:
            head = signed_head(key, tenant, end, now_text())
            row = recording_of_tenant(tenant, AuditEvent.SEALED, digest=Digest(end.hash), details=head.json())
            await self._database.execute(row)
            _log.info("audit head: %s", json.dumps(head.json()))
            if self._settings.heads_file:
                await asyncio.to_thread(_append, Path(self._settings.heads_file), head)


def _append(file: Path, head: "SignedHead") -> None:
    try:
        with file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(head.json()) + "\n")
    except OSError as error:
        _log.error("cannot publish the head of the audit in %s: %s", file, error.strerror)
