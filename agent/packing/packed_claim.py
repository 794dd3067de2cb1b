"""Checks the claim of a written Package to be made of other steps. Pure.

A packed script may take the time, the calls and the bytes of all its steps, and is not repaired when it only calls
tools. So the claim is accepted only for a script that packing could have written.
"""

import ast
from collections.abc import Sequence

from agent.ids import NodeId
from agent.packing.script_checks import BRIDGES, is_main, parsed, python_text
from agent.packing.script_writer import HELPERS
from agent.plan.operations import PackedStep

_VALUES = (ast.Constant, ast.Dict, ast.List, ast.Name, ast.Subscript, ast.BinOp, ast.UnaryOp, ast.keyword)
_WITHIN_VALUES = (ast.expr_context, ast.Add, ast.USub)
_HELPERS = frozenset({"import json\n", *(python_text(ast.parse(helper)) for helper in HELPERS.values())})
_CALLED_IN_VALUES = frozenset({"_part", "_text"})


def holds(id: NodeId, code: str, steps: Sequence[PackedStep]) -> bool:
    """Return whether packing could have written the script for these steps, the last of which gives it its id."""
    module = parsed(code)
    if module is None or not module.body or len(steps) < 2 or steps[-1].id != id:
        return False
    *before, main = module.body
    scripts = [f"_script_{number}" for number, step in enumerate(steps, start=1) if step.tool is None]
    functions = [statement for statement in before if isinstance(statement, ast.FunctionDef)]
    embedded = [function.name for function in functions if function.name not in HELPERS]
    # Everything else is, to the letter, one of the functions that packing brings along, or what they import.
    others = [part for part in before if not (isinstance(part, ast.FunctionDef) and part.name in scripts)]
    return all(python_text(part) in _HELPERS for part in others) and embedded == scripts and _runs_all(main, steps)


def _runs_all(main: ast.stmt, steps: Sequence[PackedStep]) -> bool:
    if not is_main(main) or python_text(main.args) != "inputs\n" or main.decorator_list:
        return False
    if len(main.body) != len(steps):
        return False
    *assigned, returned = main.body
    values = [part.value for part in assigned if isinstance(part, ast.Assign) and _is_variable(part.targets)]
    if not isinstance(returned, ast.Return) or len(values) != len(assigned):
        return False
    numbered = enumerate(zip([*values, returned.value], steps, strict=True), start=1)
    return all(_does(value, step, number) for number, (value, step) in numbered)


def _is_variable(targets: Sequence[ast.expr]) -> bool:
    return len(targets) == 1 and isinstance(targets[0], ast.Name)


def _does(value: ast.expr | None, step: PackedStep, number: int) -> bool:
    """Return whether an expression does the step once, and otherwise only composes values."""
    match _now(value):
        case ast.Call(func=ast.Attribute(value=ast.Name(id=bridge), attr=tool), args=args, keywords=keywords):
            return bridge in BRIDGES and tool == step.tool and all(map(_is_value, [*args, *keywords]))
        case ast.Call(func=ast.Name(id="_plain"), args=[inner], keywords=[]) if step.tool is None:
            return _runs(_now(inner), f"_script_{number}")
        case _:
            return False


def _runs(value: ast.expr | None, script: str) -> bool:
    match value:
        case ast.Call(
            func=ast.Call(func=ast.Name(id=name), args=[], keywords=[]),
            args=[ast.Call(func=ast.Name(id="_plain"), args=[inputs], keywords=[])],
            keywords=[],
        ):
            return name == script and _is_value(inputs)
        case _:
            return False


def _now(value: ast.expr | None) -> ast.expr | None:
    return value.value if isinstance(value, ast.Await) else value


def _is_value(part: ast.AST) -> bool:
    return all(
        isinstance(inner, _VALUES + _WITHIN_VALUES)
        or (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in _CALLED_IN_VALUES)
        for inner in ast.walk(part)
    )
