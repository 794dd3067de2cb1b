"""The file of the pins: what it holds comes back, and what was changed by hand is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.tools.mcp.pins import Definition, PinsUnusable, difference, read_pins, write_pins
from infra.tools.mcp.settings import ServerName

TOOL = Definition(name="look", description="Looks.", schema={"type": "object"}, hints={"readOnlyHint": True})
SERVER = ServerName("it")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mcp.lock.json"
    assert read_pins(file) == {}
    write_pins(file, {SERVER: [TOOL], ServerName("none"): []})
    assert read_pins(file) == {SERVER: [TOOL], ServerName("none"): []}
    assert [path.name for path in tmp_path.iterdir()] == ["mcp.lock.json"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[1", '{"version": 2, "servers": {}}'], ids=["empty", "keys", "json", "version"]
)
def test_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mcp.lock.json"
    file.write_text(text)
    with pytest.raises(PinsUnusable, match=r"mcp\.lock\.json"):
        read_pins(file)


@pytest.mark.parametrize(
    "changed",
    [
        replace(TOOL, description="Looks!"),
        replace(TOOL, title="T"),
        replace(TOOL, schema={"type": "object", "required": []}),
        replace(TOOL, hints={"readOnlyHint": 1}),
        replace(TOOL, output_schema={}),
    ],
    ids=["description", "title", "schema", "hint", "output schema"],
)
def test_digest_covers_everything(changed: Definition) -> None:
    assert changed.digest != TOOL.digest


def test_difference_names_each_tool_once_and_shows_nothing_that_a_terminal_obeys() -> None:
    before = [TOOL, replace(TOOL, name="gone")]
    after = [replace(TOOL, description="\x1b[2J\u202e"), replace(TOOL, name="new")]
    lines = list(difference(before, after))
    assert [line for line in lines if not line.startswith(" ")] == ["- gone", "~ look", "+ new"]
    assert all(line.isprintable() for line in lines)
    assert list(difference(before, before)) == []
    assert list(difference([TOOL], [replace(TOOL, hints={"readOnlyHint": 1})]))
