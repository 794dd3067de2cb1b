"""Writes the folder of a new tool in Python: the tool, its test, its settings, and a package with an entry point."""

import sys
from collections.abc import Mapping
from pathlib import Path

from agent.tools.decorator import ToolUnusable, tool

_TOOL = '''\
"""The tool `{name}`: an example to change. README.md of Greenlight, Tools in Python, has all options."""

from typing import Annotated

from pydantic import Field

from agent.tools.decorator import tool


@tool(colour="green", timeout_seconds=20, returns_outside_text=False)
async def {name}(
    name: Annotated[str, Field(description="Whom to greet.", min_length=1, max_length=80)],
) -> dict[str, str]:
    """Greet a person by name. Returns the greeting.

    The planner reads the paragraph above, and nothing else of this text.
    """
    return {{"greeting": f"Hello, {{name}}!"}}
'''

_TEST = '''\
"""The tool `{name}` does what it says."""

import asyncio

from {name} import {name}


def test_it_greets_by_name() -> None:
    assert asyncio.run({name}("Ada")) == {{"greeting": "Hello, Ada!"}}


def test_it_is_green_and_wants_a_name() -> None:
    made = {name}.build()
    assert made.colour == "green"
    assert made.arguments["required"] == ["name"]
'''

_SETTINGS = """\
# Try the tool from this folder: export GREENLIGHT_CONFIG=greenlight.toml
# An installed package (`pip install .`) needs no path: its entry point is found.
[tools]
paths = ["{name}.py"]
"""

_PACKAGE = """\
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "{project}"
version = "0.1.0"
description = "The tool {name} for Greenlight"
requires-python = ">=3.11"

[project.entry-points."greenlight.tools"]
{name} = "{name}"

[tool.setuptools]
py-modules = ["{name}"]

[tool.pytest.ini_options]
pythonpath = ["."]
"""


class NotWritten(Exception):
    """The folder cannot be written; the text says why. Nothing was changed."""


def write_package(folder: Path, name: str) -> Path:
    """Write the folder `name` into `folder` and return it.

    Raises:
        NotWritten: the name is no tool's or hides a module, something of that name is there, or the disk refuses.
    """
    _require_name(name)
    made = folder / name
    try:
        made.mkdir()
    except FileExistsError:
        raise NotWritten(f"{made} is there already; nothing was written") from None
    except OSError as error:
        raise NotWritten(f"cannot write {made}: {error.strerror}") from error
    for file, text in _files(name).items():
        (made / file).write_text(text, encoding="utf-8")
    return made


def _files(name: str) -> Mapping[str, str]:
    words = {"name": name, "project": name.replace("_", "-").strip("-")}
    return {
        f"{name}.py": _TOOL.format(**words),
        f"test_{name}.py": _TEST.format(**words),
        "greenlight.toml": _SETTINGS.format(**words),
        "pyproject.toml": _PACKAGE.format(**words),
    }


def _require_name(name: str) -> None:
    async def example() -> None:
        """Have a name."""

    try:
        tool(name=name)(example)
    except ToolUnusable as error:
        raise NotWritten(str(error).partition(f"tool {name!r}: ")[2] or str(error)) from None
    if name in sys.stdlib_module_names or name.startswith("test_"):
        raise NotWritten(f"a module {name} would hide another one, or be taken for a test; choose another name")
