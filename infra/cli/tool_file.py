"""Tools described in a file (`plan check --tools FILE`), for plans whose tools are not installed."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import jsonschema
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Registry, Tool, ToolError
from sandbox.script import Json


class ToolFileInvalid(Exception):
    """The file is no list of tools; the text says where it went wrong."""


class _Description(BaseModel):
    """One tool as written. Without a colour it is red; without arguments it takes any object."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str = ""
    arguments: dict[str, JsonValue] = {"type": "object"}
    colour: Colour = Colour.RED


_TOOLS = TypeAdapter(list[_Description])


async def _not_installed(_context: CallContext, _arguments: Mapping[str, Json]) -> Json:
    raise ToolError("not_installed", "this tool is only described here")


def read_tools(path: Path) -> Registry:
    """Return the described tools, in the file's order. They can be planned with, not called.

    The file is a JSON list, `{"tools": [...]}`, or TOML (by its suffix) with `[[tools]]`.

    Raises:
        OSError: the file cannot be read.
        ToolFileInvalid: it has another form, or names a tool twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        described = _TOOLS.validate_python(content["tools"] if isinstance(content, dict) else content)
        for each in described:
            jsonschema.Draft202012Validator.check_schema(each.arguments)
    except KeyError as error:
        raise ToolFileInvalid(f"{path}: neither a list of tools nor an object with `tools`") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise ToolFileInvalid(f"{path}: {where}{first['msg']}") from error
    except jsonschema.SchemaError as error:
        raise ToolFileInvalid(f"{path}: arguments are no JSON Schema: {error.message}") from error
    except (ValueError, RecursionError) as error:
        raise ToolFileInvalid(f"{path}: {error}") from error
    names = [each.name for each in described]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ToolFileInvalid(f"{path}: {twice!r} stands there twice")
    return Registry(_tool(each) for each in described)


def _tool(described: _Description) -> Tool:
    return Tool(
        name=ToolName(described.name),
        description=described.description,
        arguments=described.arguments,
        colour=described.colour,
        call=_not_installed,
    )
