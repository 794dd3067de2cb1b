"""Feature flags in a JSON file: a green tool that reads one, and a red one with all that a red tool can have.

The file (`FEATURE_FLAGS_FILE`) holds `{"beta": {"on": false, "version": 1}}`. A real tool would ask a service.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter

from agent.tools.decorator import (
    CONFIDENTIAL,
    CallContext,
    FieldsPreview,
    Inverse,
    Json,
    ToolError,
    WorldChanged,
    cell_text,
    tool,
)


class Flag(BaseModel):
    """A flag; every change makes its next version."""

    on: bool
    version: int


FLAGS = TypeAdapter(dict[str, Flag])

Name = Annotated[str, Field(description="The flag, such as beta.", pattern="^[a-z_]{1,40}$")]


@tool(colour="green", timeout_seconds=20, retries=2, returns_outside_text=False)
async def read_flag(name: Name) -> Flag:
    """Read a feature flag: whether it is on, and its version."""
    return await asyncio.to_thread(_read, name)


@tool(targets=["name"], timeout_seconds=20, returns_outside_text=False)
async def set_flag(
    name: Name,
    on: bool,
    note: Annotated[str, Field(description="Why; only approvers read it.", max_length=200), CONFIDENTIAL] = "",
    *,
    context: CallContext,
) -> Flag:
    """Turn a feature flag on or off for everybody. Returns the flag as it is then."""
    return await asyncio.to_thread(_write, name, on, note, context.expected)


@set_flag.dry_run
async def _would(name: str, on: bool) -> str:
    flag = await asyncio.to_thread(_read, name)
    return f"{name} stays as it is" if flag.on == on else f"{name} goes {'on' if on else 'off'}"


@set_flag.precondition
async def _stands(name: str) -> Flag:
    return await asyncio.to_thread(_read, name)


@set_flag.inverse
def _back(name: str, before: Json) -> Inverse:
    return set_flag.inverse_call(name=name, on=before["on"]) if isinstance(before, Mapping) else None


@set_flag.renderer
def _card(args: Mapping[str, Json]) -> Sequence[FieldsPreview]:
    fields = (("Flag", cell_text(args["name"])), ("Turned on", cell_text(args["on"])))
    return [FieldsPreview(covers=("name", "on"), name="Feature flag", fields=fields)]


def _file() -> Path:
    return Path(os.environ.get("FEATURE_FLAGS_FILE", "flags.json"))


def _flags() -> dict[str, Flag]:
    try:
        return FLAGS.validate_json(_file().read_bytes())
    except OSError as error:
        raise ToolError("unavailable", "the flags cannot be read") from error


def _read(name: str) -> Flag:
    flags = _flags()
    if name not in flags:
        raise ToolError("no_such_flag", f"there is no flag {name}")
    return flags[name]


def _write(name: str, on: bool, note: str, expected: Json) -> Flag:
    flag = _read(name)
    if isinstance(expected, Mapping) and expected["version"] != flag.version:
        raise WorldChanged
    changed = Flag(on=on, version=flag.version + 1)
    made = _file().with_suffix(".new")
    made.write_bytes(FLAGS.dump_json({**_flags(), name: changed}))
    made.replace(_file())
    with _file().with_suffix(".history").open("a", encoding="utf-8") as history:
        history.write(f"{name} {'on' if on else 'off'}: {note}\n")
    return changed
