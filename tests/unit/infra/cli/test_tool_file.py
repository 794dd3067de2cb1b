"""Files that describe tools: what is read, and what is refused with its place."""

import json
from pathlib import Path

import pytest

from agent.tool import Colour
from infra.cli.tool_file import read_tools
from infra.config.list_file import ListFileInvalid

SCHEMA = {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}


def _written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("wrapped", [False, True], ids=["list", "object"])
def test_json_tools_keep_order_schema_and_colour(tmp_path: Path, wrapped: bool) -> None:
    tools = [{"name": "get", "description": "Reads", "arguments": SCHEMA, "colour": "green"}, {"name": "put"}]
    registry = read_tools(_written(tmp_path / "tools.json", {"tools": tools} if wrapped else tools))
    assert [(tool.name, tool.colour) for tool in registry] == [("get", Colour.GREEN), ("put", Colour.RED)]
    found = registry.find("get")
    assert found is not None
    assert found.arguments == SCHEMA


def test_toml_tools_are_read(tmp_path: Path) -> None:
    path = tmp_path / "tools.toml"
    path.write_text('[[tools]]\nname = "get"\ncolour = "green"\n[tools.arguments]\ntype = "object"\n')
    assert [tool.name for tool in read_tools(path)] == ["get"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "neither a list"),
        ([{"description": "no name"}], "0: name"),
        ([{"name": "get", "color": "green"}], "0: color"),
        ([{"name": "get", "colour": "blue"}], "0: colour"),
        ([{"name": "get"}, {"name": "get"}], "two tools 'get'"),
        ([{"name": "get", "arguments": {"type": "objekt"}}], "no JSON Schema"),
        ("text", "valid list"),
    ],
    ids=["no-tools", "no-name", "unknown-key", "unknown-colour", "twice", "bad-schema", "text"],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(ListFileInvalid, match=words):
        read_tools(_written(tmp_path / "tools.json", content))


@pytest.mark.parametrize("text", ["{", "\udcff", "[" * 100_000], ids=["half", "not-utf8", "deep"])
def test_a_file_that_is_not_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tools.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ListFileInvalid):
        read_tools(path)
