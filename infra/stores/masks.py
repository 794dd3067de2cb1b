"""The numbers that stand for the personal data of a thread."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ARRAY, Text, bindparam, text

from agent.ids import Digest, ThreadId
from infra.db.database import Database
from infra.db.tables import thread_key

# One process runs a thread; where two meet all the same, the second finds the numbers taken and asks again.
_KNOWN = text("""
    SELECT masks.kind, masks.digest, masks.number FROM masks
    JOIN unnest(:kinds, :digests) AS wanted (kind, digest) USING (kind, digest)
    WHERE masks.tenant = :tenant AND masks.thread = :thread
""")
_NEW = text("""
    INSERT INTO masks (tenant, thread, kind, digest, number)
    SELECT :tenant, :thread, wanted.kind, wanted.digest,
        row_number() OVER (PARTITION BY wanted.kind ORDER BY wanted.place) + coalesce((
            SELECT max(number) FROM masks
            WHERE masks.tenant = :tenant AND masks.thread = :thread AND masks.kind = wanted.kind), 0)
    FROM unnest(:kinds, :digests) WITH ORDINALITY AS wanted (kind, digest, place)
    WHERE NOT EXISTS (
        SELECT FROM masks WHERE masks.tenant = :tenant AND masks.thread = :thread
        AND masks.kind = wanted.kind AND masks.digest = wanted.digest)
    ON CONFLICT DO NOTHING
""")
_LISTS = (bindparam("kinds", type_=ARRAY(Text)), bindparam("digests", type_=ARRAY(Text)))


class PostgresMasks:
    """A Masks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def numbers(
        self, thread: ThreadId, data: Sequence[tuple[str, Digest]], *, new: bool
    ) -> Mapping[tuple[str, Digest], int]:
        """Return the numbers; new ones go on from the highest of their kind, in the order of `data`."""
        wanted = list(dict.fromkeys(data))
        while True:
            given = {
                **thread_key(thread),
                "kinds": [kind for kind, _ in wanted],
                "digests": [digest for _, digest in wanted],
            }
            found = await self._database.execute(_KNOWN.bindparams(*_LISTS), given)
            known = {(str(row.kind), Digest(row.digest)): int(row.number) for row in found}
            missing = [datum for datum in wanted if datum not in known]
            if not new or not missing:
                return known
            given["kinds"], given["digests"] = [kind for kind, _ in missing], [digest for _, digest in missing]
            await self._database.execute(_NEW.bindparams(*_LISTS), given)
