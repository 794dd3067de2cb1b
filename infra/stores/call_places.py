"""The places in rate limits of tools, over all processes."""

from collections.abc import Sequence

from sqlalchemy import ARRAY, Double, Integer, Text, bindparam, delete, func, select

from agent.ids import Tenant
from agent.ports import CallPlace
from infra.db.database import Database
from infra.db.tables import ToolLimitRow

_TAKE = select(
    func.greenlight_take_places(
        bindparam("tenant", type_=Text),
        bindparam("keys", type_=ARRAY(Text)),
        bindparam("most", type_=ARRAY(Integer)),
        bindparam("spans", type_=ARRAY(Double)),
    )
)

_LONGEST_DAYS = 1
"""No limit counts calls that are older."""


class PostgresCallPlaces:
    """A CallPlaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, tenant: Tenant, places: Sequence[CallPlace]) -> Sequence[float]:
        """Take all of these places or none, in one statement, by the server's clock."""
        given = {
            "tenant": tenant,
            "keys": [place.key for place in places],
            "most": [place.calls for place in places],
            "spans": [place.seconds for place in places],
        }
        return (await self._database.execute(_TAKE, given)).scalar_one()

    async def prune(self) -> int:
        """Delete what no limit counts any more; return how many rows."""
        newest = ToolLimitRow.calls[func.cardinality(ToolLimitRow.calls)]
        old = delete(ToolLimitRow).where(newest < func.now() - func.make_interval(0, 0, 0, _LONGEST_DAYS))
        return (await self._database.execute(old)).rowcount
