"""What a server says of a tool: whether that can be used, under which name, in which colour, and with which schema."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import jsonschema

from agent.ids import ToolName
from agent.plan.json_values import json_issue_in
from agent.plan.operations import canonical_json
from agent.tool import Colour
from infra.tools.mcp.pins import Definition, printable
from infra.tools.mcp.settings import McpServerConfig, ServerName
from sandbox.script import Json

NAME_CHARACTERS = 64

_USABLE = re.compile(r"[A-Za-z0-9_./-]{1,64}")
_SCHEMA_DEPTH = 32

_UNCHECKED = frozenset({"pattern", "patternProperties", "format", "uniqueItems", "x-confidential"})
"""Keywords that are left out of a schema of a server's. Checking the first four can stall the host, and the server
checks them itself; the last would hide arguments from the people who are asked."""

_INSIDE = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value has a schema for each name."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A tool that cannot be offered."""

    name: str
    #: For people.
    why: str


def tool_name(server: ServerName, name: str) -> ToolName:
    """Return the name that plans know a server's tool by."""
    return ToolName(f"{server}_{re.sub('[^A-Za-z0-9_]', '_', name)}")


def vetted(
    server: ServerName, config: McpServerConfig, offered: Iterable[Definition]
) -> tuple[Sequence[Definition], Sequence[Refused]]:
    """Return the tools that can be offered, by name, and those that cannot."""
    good: dict[ToolName, Definition] = {}
    refused: list[Refused] = []
    for definition in sorted(offered, key=lambda tool: tool.name):
        name = tool_name(server, definition.name)
        why = "another tool has that name" if name in good else _fault(config, definition, name)
        if why:
            refused.append(Refused(name=printable(definition.name[:NAME_CHARACTERS]), why=why))
        else:
            good[name] = definition
    return [*good.values()], refused


def _fault(config: McpServerConfig, definition: Definition, name: ToolName) -> str:
    """Return why a tool cannot be offered; empty when it can."""
    if not _USABLE.fullmatch(definition.name) or len(name) > NAME_CHARACTERS:
        return "its name is too long, or has other characters than letters, digits and . / _ -"
    if len(definition.description) + len(definition.title) > config.description_characters:
        return f"its description is longer than {config.description_characters} characters"
    whole = cast("Json", definition.json())
    if (issue := json_issue_in(whole, _SCHEMA_DEPTH, strict_text=True)) is not None:
        return f"its definition cannot be kept: {issue.pointer}: {issue.message}"
    if len(canonical_json({**definition.json(), "description": ""}).encode()) > config.schema_bytes:
        return f"its schemas are larger than {config.schema_bytes} bytes"
    if definition.schema.get("type") != "object":
        return "its schema is not one of an object"
    try:
        jsonschema.Draft202012Validator.check_schema(cast("dict[str, Any]", shown_schema(definition.schema)))
    except jsonschema.SchemaError:
        return "its schema is no JSON Schema (2020-12)"
    return ""


def shown_schema(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the schema that models see and that arguments are held against."""
    return cast("Mapping[str, Json]", _without_unchecked(schema))


def _without_unchecked(schema: Json) -> Json:
    if isinstance(schema, list | tuple):
        return [_without_unchecked(inner) for inner in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept: dict[str, Json] = {}
    for keyword, value in schema.items():
        if keyword in _UNCHECKED or keyword == "$schema":
            continue
        if keyword in _INSIDE and isinstance(value, Mapping):
            kept[keyword] = {name: _without_unchecked(inner) for name, inner in value.items()}
        elif keyword in ("enum", "const", "default", "examples", "required"):
            kept[keyword] = value
        else:
            kept[keyword] = _without_unchecked(value)
    if "patternProperties" in schema:
        kept.pop("additionalProperties", None)
    return kept


def colour_of(config: McpServerConfig, definition: Definition) -> Colour:
    """Return a tool's colour: the operator's, else by the hints of a server that the operator trusts, else red."""
    if (given := config.colours.get(definition.name)) is not None:
        return given
    reads = definition.hints.get("readOnlyHint") is True and definition.hints.get("destructiveHint") is not True
    return Colour.GREEN if config.trusted_hints and reads else Colour.RED
