"""The claim of a written Package to be made of other steps, held against its script. Pure.

What is packed may take the time, the calls and the bytes of all its steps, and is not repaired where it only calls
tools. A plan that says so of a script is believed only where packing could have written that script.
"""

import ast
from collections.abc import Sequence

from agent.ids import NodeId
from agent.packing.script_checks import BRIDGES, parsed, python_text
from agent.packing.script_writer import HELPERS
from agent.plan.operations import PackedStep

_VALUES = (ast.Constant, ast.Dict, ast.List, ast.Name, ast.Subscript, ast.BinOp, ast.UnaryOp, ast.keyword)
_WITHIN_VALUES = (ast.expr_context, ast.Add, ast.USub)
_HELPERS = frozenset({"import json\n", *(python_text(ast.parse(each)) for each in HELPERS.values())})
_CALLED_IN_VALUES = frozenset({"_part", "_text"})


def holds(id: NodeId, code: str, steps: Sequence[PackedStep]) -> bool:
    """Return whether packing could have written the script for these steps, the last of which gives it its id."""
    module = parsed(code)
    if module is None or not module.body or len(steps) < 2 or steps[-1].id != id:
        return False
    *before, main = module.body
    scripts = [f"_script_{number}" for number, step in enumerate(steps, start=1) if step.tool is None]
    embedded = [each.name for each in before if isinstance(each, ast.FunctionDef) and each.name not in HELPERS]
    helpers = all(
        _is_helper(each) for each in before if not (isinstance(each, ast.FunctionDef) and each.name in scripts)
    )
    return helpers and embedded == scripts and _is_main(main, steps)


def _is_helper(statement: ast.stmt) -> bool:
    """Return whether it is one of the functions that packing brings along, to the letter, or what they import."""
    return python_text(statement) in _HELPERS


def _is_main(main: ast.stmt, steps: Sequence[PackedStep]) -> bool:
    if not isinstance(main, ast.FunctionDef | ast.AsyncFunctionDef) or main.name != "main":
        return False
    if python_text(main.args) != "inputs\n" or main.decorator_list or len(main.body) != len(steps):
        return False
    *assigned, returned = main.body
    values = [each.value for each in assigned if isinstance(each, ast.Assign) and _is_variable(each.targets)]
    if not isinstance(returned, ast.Return) or len(values) != len(assigned):
        return False
    numbered = enumerate(zip([*values, returned.value], steps, strict=True), start=1)
    return all(_does(value, step, number) for number, (value, step) in numbered)


def _is_variable(targets: Sequence[ast.expr]) -> bool:
    return len(targets) == 1 and isinstance(targets[0], ast.Name)


def _does(value: ast.expr | None, step: PackedStep, number: int) -> bool:
    """Return whether an expression does the step once, and besides puts nothing but values together."""
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
        isinstance(each, _VALUES + _WITHIN_VALUES)
        or (isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id in _CALLED_IN_VALUES)
        for each in ast.walk(part)
    )
