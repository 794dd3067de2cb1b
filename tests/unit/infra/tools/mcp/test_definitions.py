"""What of a server's tools is offered: names, colours, schemas."""

from dataclasses import replace
from typing import Any

import pytest

from agent.tool import Colour
from infra.tools.mcp.definitions import colour_of, shown_schema, tool_name, vetted
from infra.tools.mcp.pins import Definition
from infra.tools.mcp.settings import McpServerConfig, ServerName

SERVER = ServerName("it")
CONFIG = McpServerConfig(command="x")
TOOL = Definition(name="look", description="Looks.", schema={"type": "object"}, hints={})


def test_name_begins_with_the_servers_and_is_an_identifier() -> None:
    assert tool_name(SERVER, "a/b.c-d") == "it_a_b_c_d"


@pytest.mark.parametrize(
    "broken",
    [
        replace(TOOL, name="a b"),
        replace(TOOL, name="л"),
        replace(TOOL, name="x" * 62),
        replace(TOOL, description="x" * 4_001),
        replace(TOOL, schema={"type": "array"}),
        replace(TOOL, schema={"type": "object", "properties": {"a": {"type": "no type"}}}),
        replace(TOOL, schema={"type": "object", "properties": {"a": {"description": "x" * 20_000}}}),
        replace(TOOL, schema={"type": "object", "default": {"a": float("nan")}}),
        replace(TOOL, description="a\0b"),
    ],
    ids=["space", "other letters", "long name", "long description", "array", "no schema", "large", "nan", "nul"],
)
def test_tool_that_cannot_be_used_is_left_out_with_a_reason(broken: Definition) -> None:
    good, refused = vetted(SERVER, CONFIG, [broken, TOOL])
    assert list(good) == [TOOL]
    assert [bool(tool.why) for tool in refused] == [True]


def test_second_tool_of_a_name_is_left_out() -> None:
    good, refused = vetted(SERVER, CONFIG, [replace(TOOL, name="a_b"), replace(TOOL, name="a.b")])
    assert [tool.name for tool in good] == ["a.b"]
    assert [tool.name for tool in refused] == ["a_b"]


@pytest.mark.parametrize(
    ("hints", "trusted", "colours", "colour"),
    [
        ({"readOnlyHint": True}, False, {}, Colour.RED),
        ({"readOnlyHint": True}, True, {}, Colour.GREEN),
        ({"readOnlyHint": True, "destructiveHint": True}, True, {}, Colour.RED),
        ({"readOnlyHint": "yes"}, True, {}, Colour.RED),
        ({}, True, {}, Colour.RED),
        ({"readOnlyHint": True}, True, {"look": Colour.RED}, Colour.RED),
        ({}, False, {"look": Colour.GREEN}, Colour.GREEN),
    ],
    ids=[
        "untrusted",
        "trusted",
        "contradiction",
        "no boolean",
        "no hint",
        "red by the operator",
        "green by the operator",
    ],
)
def test_colour_is_the_operators_then_a_trusted_hint_then_red(
    hints: Any, trusted: bool, colours: Any, colour: Colour
) -> None:
    config = replace(CONFIG, trusted_hints=trusted, colours=colours)
    assert colour_of(config, replace(TOOL, hints=hints)) is colour


def test_schema_loses_what_could_stall_or_hide_and_keeps_properties_of_those_names() -> None:
    inner = {"type": "string", "pattern": "(a*)*$", "x-confidential": True, "enum": [{"pattern": "kept"}]}
    schema: Any = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"pattern": inner, "list": {"type": "array", "items": inner, "uniqueItems": True}},
        "patternProperties": {"^x": {}},
        "additionalProperties": False,
    }
    kept = {"type": "string", "enum": [{"pattern": "kept"}]}
    assert shown_schema(schema) == {
        "type": "object",
        "properties": {"pattern": kept, "list": {"type": "array", "items": kept}},
    }
