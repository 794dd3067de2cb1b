"""Tools for `greenlight sandbox run`: functions of Python files that run on the host when a script calls them."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TypeAlias, cast

from sandbox.script import Json, ToolCallRefused

Handler: TypeAlias = Callable[[Mapping[str, Json]], Awaitable[Json]]


class ToolFileUnusable(Exception):
    """A `--tool` is not `name=FILE.py`, or its file has no function to call or cannot be loaded."""


def read_tool(option: str) -> tuple[str, Handler]:
    """Return the name and handler of `name=FILE.py`, and execute the file: it is the operator's own.

    The handler calls the function with the tool's name, else `call`, else the file's only public function, plain or
    async. It passes the arguments as keywords or, when they do not fit, as one mapping.

    Raises:
        ToolFileUnusable: see the class.
    """
    name, equals, path = option.partition("=")
    if not (name.isidentifier() and equals and path):
        raise ToolFileUnusable(f"{option!r} is not name=FILE.py")
    return name, _handler(_function(name, _module(name, Path(path))))


def _module(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(f"tool_{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ToolFileUnusable(f"{path} is not a Python file")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the boundary to the operator's code, which may raise anything
        raise ToolFileUnusable(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _function(name: str, module: ModuleType) -> Callable[..., object]:
    own = {
        public: value
        for public, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not public.startswith("_")
    }
    function = own.get(name) or own.get("call") or (next(iter(own.values())) if len(own) == 1 else None)
    if function is None:
        raise ToolFileUnusable(f"{module.__file__} has no function {name!r} or 'call'")
    return function


def _handler(function: Callable[..., object]) -> Handler:
    signature = inspect.signature(function)

    async def handler(args: Mapping[str, Json]) -> Json:
        try:
            signature.bind(**args)
        except TypeError:
            positional, named = (args,), dict[str, Json]()
        else:
            positional, named = (), dict(args)
        try:
            if inspect.iscoroutinefunction(function):
                result = await function(*positional, **named)
            else:
                result = await asyncio.to_thread(function, *positional, **named)
        except (Exception, SystemExit) as error:  # the boundary to the operator's code; the script gets the error
            raise ToolCallRefused(f"{type(error).__name__}: {error}") from error
        return cast("Json", result)

    return handler
