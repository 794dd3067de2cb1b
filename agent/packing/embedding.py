"""Puts one script inside another: as a function that returns the script's `main`, or says why it cannot be. Pure.

The names of a script's module become names of that function, so that two scripts in one text
cannot touch each other's. A script that would mean something else inside a function is refused.
"""

import ast
import builtins
import symtable
import warnings
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from agent.packing.script_checks import TOKENS_TO_REWRITE, parsed, plain_main, python_text, survives_writing

_TAKEN = frozenset(dir(builtins)) | {"tools", "atools", "ToolError"}
_SCOPE_READERS = frozenset({"globals", "locals", "vars", "dir", "exec", "eval", "compile", "__import__"})
_ASYNC_NAMES = frozenset({"asyncio", "atools"})


class CannotEmbed(StrEnum):
    """Why a script has to stay a script of its own."""

    UNREADABLE = "this Python cannot read it"
    NO_PLAIN_MAIN = "it does not define main(inputs) once and plainly"
    MODULE_SCOPE = "it needs a module of its own"
    SHADOWS = "it gives a built-in name another meaning"
    MIXED_ASYNC = "its main is not async, but what it calls may be"


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """A script as a function that returns its `main`."""

    #: The function's name.
    name: str
    text: str
    #: Whether `main` is async.
    awaited: bool


@lru_cache(maxsize=256)
def embedded(code: str, name: str) -> Embedded | CannotEmbed:
    """Return the script as a function, or why it must not become one."""
    module = parsed(code, TOKENS_TO_REWRITE)
    if module is None or not survives_writing(module):
        return CannotEmbed.UNREADABLE
    bound = _bound_names(code)
    if bound is None:
        return CannotEmbed.UNREADABLE
    if (main := plain_main(module)) is None:
        return CannotEmbed.NO_PLAIN_MAIN
    awaited = isinstance(main, ast.AsyncFunctionDef)
    if bound & _TAKEN:
        return CannotEmbed.SHADOWS
    if any(_needs_module(part) for part in ast.walk(module)):
        return CannotEmbed.MODULE_SCOPE
    if not awaited and any(_asynchronous(part) for part in ast.walk(module)):
        return CannotEmbed.MIXED_ASYNC
    text = _function(module, name)
    return CannotEmbed.UNREADABLE if text is None else Embedded(name=name, text=text, awaited=awaited)


def _bound_names(code: str) -> frozenset[str] | None:
    try:
        with warnings.catch_warnings(action="ignore"):  # of a model's odd escapes
            symbols = symtable.symtable(code, "script", "exec").get_symbols()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return frozenset(symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported())


def _needs_module(part: ast.AST) -> bool:
    match part:
        case ast.Global():
            return True
        case ast.ImportFrom(module=module, names=names):
            return module == "__future__" or any(alias.name == "*" for alias in names)
        case ast.Name(id=name):
            return name in _SCOPE_READERS
        case _:
            return False


def _asynchronous(part: ast.AST) -> bool:
    match part:
        case ast.AsyncFunctionDef():
            return True
        case ast.Name(id=name):
            return name in _ASYNC_NAMES
        case ast.ImportFrom(module=module):
            return module in _ASYNC_NAMES
        case _:
            return False


def _function(module: ast.Module, name: str) -> str | None:
    # From a parsed frame, not put together: which fields a function has differs between Pythons.
    frame = ast.parse("def frame():\n    return main")
    function = frame.body[0]
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 -- it is the line above
    function.name = name
    function.body = [*module.body, *function.body]
    return python_text(frame)
