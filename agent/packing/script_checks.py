"""Checks a package's script without running it, and finds a script in a model's answer."""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TypeGuard

_MAIN = re.compile(r"^(?:async[ \t]+)?def[ \t]+main[ \t]*\(", re.MULTILINE)
_FENCE = re.compile(r"^(`{3,}+)[^\n]*+\n(.*?)(?:^\1`*+[ \t]*+$|\Z)", re.MULTILINE | re.DOTALL)
"""A fenced block; one that is never closed goes on to the end."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
"""About one token of Python; the words of texts and comments count too."""

MOST_TOKENS = 4_000
"""The most tokens of a script that is looked into, some 14 KiB of usual code: Python parses it in at most 50 ms."""

TOKENS_TO_REWRITE = 1_500
"""The most tokens of a script that is written anew, which takes six times as long as to read it."""

_DEPTH = 150
"""The most levels of a script that is looked into: Python itself reads more than a recursion can walk through."""

BRIDGES = ("tools", "atools")
"""The names through which a script calls its tools."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the checks need to know of a script that was parsed."""

    defines_main: bool
    #: Tool -> the first line that names it.
    calls: Mapping[str, int]
    #: The keys of `inputs` without which the script cannot get to its end.
    needed: AbstractSet[str]


def script_issues(code: str, tools: AbstractSet[str], max_bytes: int) -> Sequence[str]:
    """Return why a script cannot be accepted: its size, no `main(inputs)`, a tool it did not declare.

    A script that this Python cannot parse, or that is too dense to look into, may be right for the sandbox, so it
    is accepted if it seems to define `main`.
    """
    size = len(code.encode(errors="replace"))
    if size > max_bytes:
        return [f"the script has {size} bytes, more than {max_bytes}"]
    seen = _seen(code)
    if seen is None:
        return [] if _MAIN.search(code) else ["the script defines no main(inputs)"]
    issues = [] if seen.defines_main else ["the script defines no main(inputs) with one argument"]
    unknown = sorted(seen.calls.keys() - tools)
    return [*issues, *(f"the script calls tools.{name}, which is not among its tools" for name in unknown)]


@lru_cache(maxsize=64)
def _seen(code: str) -> _Seen | None:
    module = parsed(code)
    if module is None:
        return None
    return _Seen(defines_main=_defines_main(module), calls=_calls_in(module), needed=_needed(module))


def _defines_main(module: ast.Module) -> bool:
    for statement in filter(is_main, module.body):
        arguments = statement.args
        positional = len(arguments.posonlyargs) + len(arguments.args)
        needed = positional - len(arguments.defaults)
        return needed <= 1 and (positional >= 1 or arguments.vararg is not None)
    return False


def tool_calls(code: str) -> Mapping[str, int]:
    """Return tool -> the first line of the script that names it; empty when this Python cannot parse the script."""
    seen = _seen(code)
    return {} if seen is None else seen.calls


def tools_named(module: ast.Module) -> Iterator[ast.Attribute]:
    """Yield every `tools.<name>` and `atools.<name>` of a script."""
    for part in ast.walk(module):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in BRIDGES:
            yield part


def _calls_in(module: ast.Module) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for named in tools_named(module):
        found[named.attr] = min(found.get(named.attr, named.lineno), named.lineno)
    return found


def inputs_needed(code: str) -> AbstractSet[str]:
    """Return the keys of `inputs` without which the script cannot get to its end.

    Only keys read before the first branch or loop count: the script may never read the others.
    """
    seen = _seen(code)
    return frozenset() if seen is None else seen.needed


def _needed(module: ast.Module) -> AbstractSet[str]:
    main = next(filter(is_main, module.body), None)
    if main is None:
        return frozenset()
    parameters = [*main.args.posonlyargs, *main.args.args]
    if not parameters:
        return frozenset()
    needed: set[str] = set()
    for statement in main.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return):
            break
        names = {part.id for part in ast.walk(statement) if isinstance(part, ast.Name) and _is_stored(part)}
        stored = any(isinstance(part, ast.Subscript) and _is_stored(part) for part in ast.walk(statement))
        needed.update(_keys_read(statement, parameters[0].arg))
        if stored or parameters[0].arg in names:
            break
    return needed


def _keys_read(part: ast.AST, name: str) -> Iterator[str]:
    match part:
        case ast.IfExp() | ast.BoolOp() | ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            return
        case ast.GeneratorExp() | ast.NamedExpr():
            return
        case ast.Subscript(value=ast.Name(id=id), slice=ast.Constant(value=str(key)), ctx=ast.Load()) if id == name:
            yield key
        case _:
            for child in ast.iter_child_nodes(part):
                yield from _keys_read(child, name)


def _is_stored(part: ast.Name | ast.Subscript) -> bool:
    return not isinstance(part.ctx, ast.Load)


def unparsable(code: str) -> str:
    """Return why this Python cannot read a script; empty when it can."""
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(code)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return ""


def is_dense(code: str, most: int = MOST_TOKENS) -> bool:
    """Return whether a script has more than `most` tokens."""
    return next(islice(_TOKEN.finditer(code), most, None), None) is not None


def parsed(code: str, most_tokens: int = MOST_TOKENS) -> ast.Module | None:
    """Return the script as this Python reads it; None when it cannot, or when it is too dense or nested too deep."""
    if is_dense(code, most_tokens):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # of a model's odd escapes, at every look at its plan
            module = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    level: list[ast.AST] = [module]
    for _ in range(_DEPTH):
        level = [child for parent in level for child in ast.iter_child_nodes(parent)]
        if not level:
            return module
    return None


def python_text(part: ast.AST) -> str | None:
    """Return the Python text of a part, its last line ended; None when it cannot be written."""
    try:
        return ast.unparse(part) + "\n"
    except (ValueError, RecursionError):
        return None


def survives_writing(module: ast.Module) -> bool:
    """Return whether a script that is written anew means the same."""
    text = python_text(module)
    again = None if text is None else parsed(text)
    try:
        return again is not None and ast.dump(again) == ast.dump(module)
    except RecursionError:
        return False


def is_main(statement: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return whether a statement defines a function called `main`."""
    return isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == "main"


def plain_main(module: ast.Module) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the script's `main` if it is defined once and without decorators."""
    mains = list(filter(is_main, module.body))
    return mains[0] if len(mains) == 1 and not mains[0].decorator_list else None


def script_in(answer: str) -> str:
    """Return the script of a model's answer: the first fenced block with a `main`, else the first, else all."""
    blocks = [found.group(2) for found in _FENCE.finditer(answer)]
    script = next((block for block in blocks if _MAIN.search(block)), blocks[0] if blocks else answer)
    return script.strip() + "\n"
