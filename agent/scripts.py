"""What can be told of a package's script without running it, and how one is found in a model's answer."""

import ast
import re
import warnings
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

_MAIN = re.compile(r"^(?:async[ \t]+)?def[ \t]+main[ \t]*\(", re.MULTILINE)
_FENCE = re.compile(r"^(`{3,})[ \t]*(\w*)[^\n]*\n(.*?)(?:^\1`*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
"""A fenced block; one that is never closed goes on to the end."""

_BRIDGES = ("tools", "atools")


def script_flaws(code: str, tools: AbstractSet[str], max_bytes: int) -> Sequence[str]:
    """Return why a script cannot be accepted: its size, no `main(inputs)`, a tool it did not declare.

    A script that this Python cannot parse may be right for the sandbox's Python, and is left for
    the sandbox to judge as long as it seems to define `main`.
    """
    size = len(code.encode(errors="replace"))
    if size > max_bytes:
        return [f"the script has {size} bytes, more than {max_bytes}"]
    try:
        with warnings.catch_warnings(action="ignore"):  # of a model's odd escapes, at every look at its plan
            module = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [] if _MAIN.search(code) else ["the script defines no main(inputs)"]
    flaws = [] if _defines_main(module) else ["the script defines no main(inputs) with one argument"]
    unknown = sorted(_tools_used(module) - tools)
    return [*flaws, *(f"the script calls tools.{name}, which is not among its tools" for name in unknown)]


def _defines_main(module: ast.Module) -> bool:
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == "main":
            arguments = statement.args
            positional = len(arguments.posonlyargs) + len(arguments.args)
            needed = positional - len(arguments.defaults)
            return needed <= 1 and (positional >= 1 or arguments.vararg is not None)
    return False


def _tools_used(module: ast.Module) -> set[str]:
    return {
        each.attr
        for each in ast.walk(module)
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id in _BRIDGES
    }


def script_in(answer: str) -> str:
    """Return the script of a model's answer: the first fenced block with a `main`, else the first, else all."""
    blocks = [found.group(3) for found in _FENCE.finditer(answer)]
    script = next((block for block in blocks if _MAIN.search(block)), blocks[0] if blocks else answer)
    return script.strip() + "\n"
