"""Pins: what an operator has seen of a server's tools. A tool that is no longer as it was pinned is not called."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from agent.ids import Digest
from agent.plan.operations import digest_of
from infra.tools.mcp.settings import ServerName
from sandbox.script import Json

VERSION = 1
PINS_BYTES = 32 * 1024 * 1024


class PinsUnusable(Exception):
    """The file of the pins cannot be read or written, or somebody changed it by hand; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A tool as its server lists it: all that is pinned."""

    #: The server's own name for it.
    name: str
    title: str = ""
    description: str = ""
    schema: Mapping[str, Json]
    output_schema: Mapping[str, Json] | None = None
    #: The server's claims, such as `readOnlyHint`.
    hints: Mapping[str, Json]

    @property
    def digest(self) -> Digest:
        """Return what changes when anything of it does."""
        return digest_of(self.json())

    def json(self) -> Mapping[str, Json]:
        """Return it as it stands in the file of the pins."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "schema": self.schema,
            "output_schema": self.output_schema,
            "hints": self.hints,
        }


class _Pin(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    description: str
    json_schema: dict[str, JsonValue] = Field(alias="schema")
    output_schema: dict[str, JsonValue] | None
    hints: dict[str, JsonValue]
    digest: str


class _Server(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tools: list[_Pin]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=VERSION, le=VERSION)]
    servers: dict[str, _Server]


Pins = Mapping[ServerName, Sequence[Definition]]
"""Server -> its pinned tools, by name."""


def read_pins(file: Path) -> Pins:
    """Return what the file holds; nothing when there is none.

    Raises:
        PinsUnusable: see the class.
    """
    try:
        if not file.exists():
            return {}
        if file.stat().st_size > PINS_BYTES:
            raise PinsUnusable(f"{file} is too large")
        read = _File.model_validate_json(file.read_bytes())
    except OSError as error:
        raise PinsUnusable(f"cannot read {file}") from error
    except ValidationError as error:
        raise PinsUnusable(f"{file} is no file of pins of this version") from error
    return {
        ServerName(name): [_checked(file, name, pin) for pin in server.tools] for name, server in read.servers.items()
    }


def _checked(file: Path, server: str, pin: _Pin) -> Definition:
    definition = Definition(
        name=pin.name,
        title=pin.title,
        description=pin.description,
        schema=cast("Mapping[str, Json]", pin.json_schema),
        output_schema=cast("Mapping[str, Json] | None", pin.output_schema),
        hints=cast("Mapping[str, Json]", pin.hints),
    )
    if definition.digest != pin.digest:
        raise PinsUnusable(f"{file}: {pin.name} of {server} was changed by hand; run `greenlight mcp pin {server}`")
    return definition


def write_pins(file: Path, pins: Pins) -> None:
    """Write the file in one step.

    Raises:
        PinsUnusable: see the class.
    """
    servers = {
        name: {"tools": [{**tool.json(), "digest": tool.digest} for tool in tools]}
        for name, tools in sorted(pins.items())
    }
    text = json.dumps({"version": VERSION, "servers": servers}, ensure_ascii=False, indent=2) + "\n"
    written = file.with_name(f"{file.name}.new")
    try:
        written.write_text(text, encoding="utf-8")
        written.replace(file)
    except OSError as error:
        raise PinsUnusable(f"cannot write {file}") from error


def difference(before: Sequence[Definition], after: Sequence[Definition]) -> Iterator[str]:
    """Yield the lines that show how the tools changed, in order of their names; none when they did not."""
    old, new = ({tool.name: tool for tool in tools} for tools in (before, after))
    for name in sorted({*old, *new}):
        if name in old and name in new and old[name].digest == new[name].digest:
            continue
        mark = "+" if name not in old else "-" if name not in new else "~"
        yield f"{mark} {printable(name)}"
        lines = unified_diff(_lines(old.get(name)), _lines(new.get(name)), lineterm="", n=1)
        yield from (f"    {line}" for line in lines if not line.startswith(("---", "+++", "@@")))


def _lines(tool: Definition | None) -> list[str]:
    return [] if tool is None else json.dumps(tool.json(), indent=2).splitlines()


def printable(text: str) -> str:
    """Return a text as a terminal shows it: control characters and whatever turns or hides text are spelled out."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
