"""Cached results of green tools, until they expire."""

from datetime import timedelta

from sqlalchemy import Integer, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from agent.ports import RememberedResult, ResultKey
from infra.db.database import Database
from infra.db.tables import ResultRow
from sandbox.script import Json


class PostgresResults:
    """A ResultCache."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key: ResultKey) -> RememberedResult | None:
        """Return the cached result, unless it has expired."""
        age = cast(func.extract("epoch", func.now() - ResultRow.kept_at), Integer)
        of_key = [getattr(ResultRow, name) == value for name, value in vars(key).items()]
        row = select(ResultRow.value, age.label("age")).where(*of_key, ResultRow.expires_at > func.now())
        found = (await self._database.execute(row)).first()
        return None if found is None else RememberedResult(value=found.value, age_seconds=found.age)

    async def keep(self, key: ResultKey, value: Json, seconds: float) -> None:
        """Cache a value for so long, in place of an older one."""
        kept = {"value": value, "kept_at": func.now(), "expires_at": func.now() + timedelta(seconds=seconds)}
        row = insert(ResultRow).values(vars(key) | kept)
        await self._database.execute(row.on_conflict_do_update(index_elements=list(vars(key)), set_=kept))

    async def prune(self) -> int:
        """Delete the expired results; return how many."""
        expired = delete(ResultRow).where(ResultRow.expires_at <= func.now())
        return (await self._database.execute(expired)).rowcount
