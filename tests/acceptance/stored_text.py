"""Everything that the database holds, as text."""

import bz2
import gzip
import lzma
import zlib
from base64 import b64encode
from collections.abc import AsyncGenerator, Iterator

from sqlalchemy import URL, text

from infra.db.database import Database

_TABLES = """
    SELECT c.oid::regclass::text, array(
        SELECT quote_ident(attname) FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND atttypid = 'bytea'::regtype)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'p')
        AND (n.nspname NOT IN ('pg_catalog', 'information_schema') OR has_table_privilege(c.oid, 'SELECT'))
    UNION ALL SELECT 'pg_stats', '{}' ORDER BY 1
"""
"""Every table of every schema with its columns of bytes; of PostgreSQL's own those that its owner can read, and the
values in the statistics of our tables, which their owner can read."""


async def stored(url: URL) -> AsyncGenerator[tuple[str, str]]:
    """Yield every row of every table as text, bytes as the text that is in them, those of checkpoints included."""
    database = Database(url)
    try:
        async with database.begin() as connection:
            for table, of_bytes in (await connection.execute(text(_TABLES))).all():
                columns = "".join(f", {column}" for column in of_bytes)
                rows = await connection.execute(text(f"SELECT t::text{columns} FROM {table} t"))  # noqa: S608 -- names
                for row, *values in rows:
                    readable = [part for value in values if value is not None for part in _readable(bytes(value))]
                    yield table, "\n".join([row, *readable])
    finally:
        await database.close()


async def found_in(url: URL, words: str) -> frozenset[str]:
    """Return the tables that hold words in any letters, also as JSON, hexadecimal or Base64 has them."""
    forms = {form.lower() for form in _forms(words)}
    return frozenset([table async for table, row in stored(url) if any(form in row.lower() for form in forms)])


async def analyze(url: URL) -> None:
    """Have the database collect its statistics, which hold samples of values."""
    database = Database(url)
    async with database.autocommit() as connection:
        await connection.execute(text("ANALYZE"))
    await database.close()


def _readable(content: bytes) -> Iterator[str]:
    """Yield the text in bytes, and in what they are when they are compressed."""
    yield content.decode(errors="replace")
    for decompress in (zlib.decompress, gzip.decompress, bz2.decompress, lzma.decompress):
        try:
            yield decompress(content).decode(errors="replace")
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
            continue


def _forms(words: str) -> Iterator[str]:
    for case in {words, words.lower()}:
        yield case
        yield case.encode("ascii", "backslashreplace").decode().replace("\\x", "\\u00")
        yield case.encode().hex()
        for shift in range(3):  # where the words begin in a group of three bytes; its ends depend on what is beside
            encoded = b64encode(b" " * shift + case.encode()).decode().rstrip("=")
            yield encoded[(0, 2, 3)[shift] : -1]
