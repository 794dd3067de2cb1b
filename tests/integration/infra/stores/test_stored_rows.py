"""The stores write the same rows: read by SQL alone and compared with literal rows.

`stored_rows.json` holds the rows, without times and without numbers that the database allots.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from infra.db.database import Database
from infra.stores.stores import Stores
from tests.fakes.stored_rows import DEEDS

ROWS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("stored_rows.json").read_text())
TABLES = (
    "threads",
    "inbox",
    "runs",
    "summaries",
    "operations",
    "nodes",
    "attempts",
    "approvals",
    "ledger",
    "audit",
    "artifacts",
    "artifact_uses",
    "results",
    "posts",
    "procrastinate_jobs",
)
ALLOTTED = {"id": ("inbox", "audit", "procrastinate_jobs"), "noted": ("nodes",), "asked": ("approvals",)}


@pytest.mark.parametrize("deed", DEEDS)
async def test_stores_write_the_same_rows(deed: str, stores: Stores, database: Database) -> None:
    await DEEDS[deed](stores)
    found = {table: await rows_of(database, table) for table in TABLES}
    assert {table: rows for table, rows in found.items() if rows} == ROWS[deed]


async def rows_of(database: Database, table: str) -> list[Mapping[str, Any]]:
    """Return the rows of a table in a stable order, without times."""
    async with database.begin() as connection:
        rows = (await connection.execute(text(f"SELECT * FROM {table}"))).mappings().all()  # noqa: S608 - our own words
    shown = [
        {
            column: value.decode() if isinstance(value, bytes) else value
            for column, value in row.items()
            if not hasattr(value, "tzinfo") and table not in ALLOTTED.get(column, ())
        }
        for row in rows
    ]
    return sorted(shown, key=lambda row: json.dumps(row, sort_keys=True))
