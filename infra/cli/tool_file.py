"""Tools described in a file (`plan check --tools FILE`), to check plans whose tools are not installed."""

from collections.abc import Mapping
from pathlib import Path

import jsonschema
from pydantic import Field, JsonValue, TypeAdapter

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Registry, Tool, ToolError
from infra.config.list_file import Described, ListFileInvalid, read_list
from sandbox.script import Json


class _Description(Described):
    """A tool of the file."""

    description: str = ""
    #: JSON Schema; by default any object.
    arguments: dict[str, JsonValue] = Field(default={"type": "object"})
    colour: Colour = Colour.RED


async def _not_installed(_context: CallContext, _arguments: Mapping[str, Json]) -> Json:
    raise ToolError("not_installed", "this tool is described, not installed")


def read_tools(path: Path) -> Registry:
    """Return the described tools, in the order of the file's `tools`. Plans can use them, but no call succeeds.

    Raises:
        OSError: the file cannot be read.
        ListFileInvalid: it is no list of tools, or describes a tool twice.
    """
    described = read_list(path, "tools", TypeAdapter(list[_Description]))
    try:
        for tool in described:
            jsonschema.Draft202012Validator.check_schema(tool.arguments)
    except jsonschema.SchemaError as error:
        raise ListFileInvalid(f"{path}: arguments are no JSON Schema: {error.message}") from error
    return Registry(
        Tool(call=_not_installed, name=ToolName(tool.name), **tool.model_dump(exclude={"name"})) for tool in described
    )
