"""Tools described in a file (`plan check --tools FILE`), to check plans whose tools are not installed."""

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
    """The file is no list of tools; the text names the place and the fault."""


class _Description(BaseModel):
    """A tool of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str = ""
    #: JSON Schema; by default any object.
    arguments: dict[str, JsonValue] = {"type": "object"}
    colour: Colour = Colour.RED


_TOOLS = TypeAdapter(list[_Description])


async def _not_installed(_context: CallContext, _arguments: Mapping[str, Json]) -> Json:
    raise ToolError("not_installed", "this tool is described, not installed")


def read_tools(path: Path) -> Registry:
    """Return the described tools, in the file's order. Plans can use them, but no call succeeds.

    The file is a JSON list, `{"tools": [...]}`, or TOML (by its suffix) with `[[tools]]`.

    Raises:
        OSError: the file cannot be read.
        ToolFileInvalid: it has another form, or describes a tool twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        described = _TOOLS.validate_python(content["tools"] if isinstance(content, dict) else content)
        for tool in described:
            jsonschema.Draft202012Validator.check_schema(tool.arguments)
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
    names = [tool.name for tool in described]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ToolFileInvalid(f"{path}: there are two tools {twice!r}")
    return Registry(
        Tool(call=_not_installed, name=ToolName(tool.name), **tool.model_dump(exclude={"name"})) for tool in described
    )
