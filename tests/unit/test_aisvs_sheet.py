"""The sheet against OWASP AISVS, chapter 9: every row stands in it once, and every test that it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = {"9.1": 5, "9.2": 6, "9.3": 6, "9.4": 4, "9.5": 5, "9.6": 6, "9.7": 5, "9.8": 6}
"""Section -> its rows in the standard."""


def rows() -> list[list[str]]:
    """Return the cells of each row of the sheet."""
    text = (ROOT / "docs" / "owasp_aisvs_9.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (9\.[0-9.]+) \| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    return [list(row) for row in found]


def test_every_row_of_the_standard_stands_in_the_sheet_once() -> None:
    expected = [f"{section}.{number}" for section, count in ROWS.items() for number in range(1, count + 1)]
    assert [row[0] for row in rows()] == expected


def test_what_stands_names_a_test_and_what_does_not_says_why() -> None:
    for number, _, stands, shown in rows():
        assert stands in ("yes", "in part", "no", "not applicable"), number
        assert "`test_" in shown or stands != "yes", number
        assert re.sub(r"`[^`]*`|[,\s]", "", shown) or stands == "yes" or "`test_" in shown, number


def test_every_test_that_the_sheet_names_exists() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    existing = set(re.findall(r"^\s*(?:async )?def (test_\w+)\(", sources, re.MULTILINE))
    named = {name for *_, shown in rows() for name in re.findall(r"`(test_\w+)`", shown)}
    assert len(named) > 30
    assert named <= existing, sorted(named - existing)
