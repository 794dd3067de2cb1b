"""Tools that a team wrote in Python with `@tool`: found by entry point, or by the paths of the configuration.

Each file and package is loaded once in a process. One that cannot be loaded refuses the start: a tool that silently
vanished would leave its policy without a tool, and plans without what they need.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import cast

from agent.tool import Tool
from agent.tools.decorator import PythonTool, ToolUnusable

GROUP = "greenlight.tools"
"""The entry-point group: each entry is a tool, a list of tools, or a module that holds some."""

_WORDS = 300


@dataclass(frozen=True, kw_only=True)
class PythonToolFound:
    """A tool and where it was found."""

    tool: Tool
    #: For people: a file, or a package with its version.
    source: str


def python_tools(paths: Sequence[Path], taken: AbstractSet[str]) -> tuple[PythonToolFound, ...]:
    """Return the tools of installed packages and of these files and folders. `taken` are the names of all others.

    Raises:
        ToolUnusable: one cannot be loaded, holds no tool, or has the name of another.
    """
    found: dict[str, PythonToolFound] = {}
    loaded: set[int] = set()
    for source, tools in (*_installed(), *(_of_path(path) for path in paths)):
        for tool in tools:
            if id(tool) in loaded:
                continue
            loaded.add(id(tool))
            if tool.name in taken:
                raise ToolUnusable(f"{source}: tool {tool.name!r}: a built-in tool has this name")
            if tool.name in found:
                raise ToolUnusable(f"{source}: tool {tool.name!r}: {found[tool.name].source} has one of this name")
            found[tool.name] = PythonToolFound(tool=tool.build(), source=source)
    return tuple(found.values())


_Tools = tuple[PythonTool[..., object], ...]


@cache
def _installed() -> tuple[tuple[str, _Tools], ...]:
    """Return the source and tools of each entry point, sorted by name."""
    entries = sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))
    return tuple((_package(entry), _of_entry(entry)) for entry in entries)


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


def _of_entry(entry: EntryPoint) -> _Tools:
    source = f"{_package(entry)}, entry point {entry.name!r}"
    try:
        value: object = entry.load()
    except ToolUnusable:
        raise
    except (Exception, SystemExit) as error:  # the boundary to a team's code, which may raise anything
        raise ToolUnusable(f"{source}: {_words(error)}") from error
    return _some(_tools_in(value), source)


@cache
def _of_path(path: Path) -> tuple[str, _Tools]:
    """Return a file or folder of tools. In a folder, files that begin with `_` or `test_` hold none."""
    if path.is_dir():
        if str(path) not in sys.path:
            sys.path.append(str(path))  # last, so that its files hide no other module
        files = sorted(file for file in path.glob("*.py") if not file.name.startswith(("_", "test_", "conftest.")))
        return str(path), _some((tool for file in files for tool in _tools_in(_module(file))), str(path))
    return str(path), _some(_tools_in(_module(path)), str(path))


def _module(path: Path) -> ModuleType:
    name = f"greenlight_tools_{path.stem}_{sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ToolUnusable(f"{path}: there is no such Python file or folder")
    module = module_from_spec(spec)
    sys.modules[name] = module  # annotations are resolved by the module's name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the boundary to a team's code, which may raise anything
        del sys.modules[name]
        if isinstance(error, ToolUnusable):
            raise
        raise ToolUnusable(f"{path}: {_words(error)}") from error
    return module


def _tools_in(value: object) -> Iterator[PythonTool[..., object]]:
    if isinstance(value, PythonTool):
        yield cast("PythonTool[..., object]", value)
    elif isinstance(value, ModuleType):
        members: Iterable[object] = vars(value).values()
        yield from (cast("PythonTool[..., object]", member) for member in members if isinstance(member, PythonTool))
    elif isinstance(value, list | tuple):
        for member in cast("Sequence[object]", value):
            yield from _tools_in(member)


def _some(tools: Iterable[PythonTool[..., object]], source: str) -> _Tools:
    if not (found := tuple(tools)):
        raise ToolUnusable(f"{source}: it holds no tool; a tool is an async function under @tool(...)")
    return found


def _words(error: BaseException) -> str:
    words = str(error).strip().splitlines() or [""]
    return f"cannot be loaded: {type(error).__name__}: {words[0]}"[:_WORDS].rstrip(": ")
