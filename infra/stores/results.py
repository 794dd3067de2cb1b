"""What green tools gave, until it expires."""

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
        """Return what was kept, unless its time is over."""
        age = cast(func.extract("epoch", func.now() - ResultRow.kept_at), Integer)
        row = select(ResultRow.value, age.label("age")).where(
            *(getattr(ResultRow, name) == value for name, value in _columns(key).items()),
            ResultRow.expires_at > func.now(),
        )
        async with self._database.autocommit() as connection:
            found = (await connection.execute(row)).first()
        return None if found is None else RememberedResult(value=found.value, age_seconds=found.age)

    async def keep(self, key: ResultKey, value: Json, seconds: float) -> None:
        """Keep a value for so long, in place of an older one."""
        kept = {"value": value, "kept_at": func.now(), "expires_at": func.now() + timedelta(seconds=seconds)}
        row = insert(ResultRow).values(_columns(key) | kept)
        async with self._database.autocommit() as connection:
            await connection.execute(row.on_conflict_do_update(index_elements=list(_columns(key)), set_=kept))

    async def prune(self) -> int:
        """Forget what has expired; return how many."""
        expired = delete(ResultRow).where(ResultRow.expires_at <= func.now())
        async with self._database.autocommit() as connection:
            return (await connection.execute(expired)).rowcount


def _columns(key: ResultKey) -> dict[str, object]:
    return {
        "tenant": key.tenant,
        "author": key.author,
        "tool": key.tool,
        "version": key.version,
        "arguments": key.arguments,
    }
