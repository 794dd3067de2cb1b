"""Everything that the database holds, as text."""

from collections.abc import AsyncGenerator

from sqlalchemy import URL, text

from infra.db.database import Database


async def stored(url: URL) -> AsyncGenerator[tuple[str, str]]:
    """Yield every row of every table as text, those of checkpoints included."""
    database = Database(url)
    try:
        async with database.begin() as connection:
            names = "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            for table in (await connection.execute(text(names))).scalars().all():
                rows = await connection.execute(text(f'SELECT t::text FROM "{table}" t'))  # noqa: S608 -- our tables
                for row in rows.scalars():
                    yield table, row
    finally:
        await database.close()
