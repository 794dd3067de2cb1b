"""Database values as JSON."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from infra.tools.sql import json_value, refused_verb
from sandbox.script import Json


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Decimal("2.50"), 2.5),
        (Decimal(12345678901234567890), 12345678901234567890),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("NaN"), "NaN"),
        (datetime(2025, 11, 20, 14, tzinfo=UTC), "2025-11-20T14:00:00+00:00"),
        (date(2025, 11, 20), "2025-11-20"),
        (time(14, 30), "14:30:00"),
        (timedelta(minutes=2), 120.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\x00\xff", "AP8="),
        ([1, Decimal(2), None], [1, 2, None]),
        ({"a": [date(2025, 1, 1)], 2: "b"}, {"a": ["2025-01-01"], "2": "b"}),
        (complex(1, 2), "(1+2j)"),
    ],
)
def test_value_becomes_json(value: object, expected: Json) -> None:
    assert json_value(value) == expected
    json.dumps(json_value(value), allow_nan=False)


@pytest.mark.parametrize(
    ("query", "verb"),
    [
        ("SELECT 1", ""),
        ("delete from t", "DELETE"),
        (" (( -- a note\n /* and\nanother */ Update t SET a = 1", "UPDATE"),
        ("/**/" * 40 + "DROP TABLE t", "DROP"),
        ("/**/" * 4_000 + "SELECT 1", ""),
        ("/*" * 4_000, ""),
        ("-- never ended", ""),
    ],
    ids=["query", "delete", "behind comments", "40 comments", "4,000 comments", "open comments", "open line"],
)
def test_statement_that_writes_is_recognised_behind_any_comments(query: str, verb: str) -> None:
    assert refused_verb(query) == verb
