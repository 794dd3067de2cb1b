"""Splits a script that ends in a red call into a script that computes the arguments, and a node for the call. Pure.

When the call is plain, last and in any case made, nothing is lost by taking it out: a person sees the arguments that
the script computed, approves exactly these, and the script need not run again. A script that is less plain stays as it
is: each of its red calls asks while it runs (`agent/scripts/replay.py`).
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.ids import NodeId, ToolName
from agent.packing.script_checks import (
    BRIDGES,
    TOKENS_TO_REWRITE,
    parsed,
    plain_main,
    python_text,
    survives_writing,
    tools_named,
)
from agent.plan.json_values import json_issue_in
from agent.plan.operations import Dependency, Node, NodeKind
from agent.plan.references import NODE_ID
from agent.tool import Colour, Registry
from sandbox.script import Json

_SCRIPT = "_script"
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The two nodes that a written Package becomes."""

    script: Node
    #: Keeps the id of the Package: references to it are to the call's result.
    call: Node


def split_red(node: Node, registry: Registry) -> Parts | None:
    """Return the parts of a Package that ends in its one red call, None for everything else."""
    tool = _red_tool(node, registry)
    has_more = node.packed or node.require_human_approval or node.result_schema is not None
    if tool is None or has_more or node.for_each or node.when:
        return None
    if not NODE_ID.fullmatch(f"{node.id}{_SCRIPT}"):
        return None
    cut = _cut(node.code, tool)
    return None if cut is None else _parts(node, tool, cut)


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """A script that returns the arguments instead of calling the tool."""

    code: str
    #: The names of the arguments that the script returns.
    worked_out: tuple[str, ...]
    #: The arguments that the script holds as literals.
    written: Mapping[str, Json]


def _red_tool(node: Node, registry: Registry) -> ToolName | None:
    if node.kind is not NodeKind.PACKAGE:
        return None
    found = [registry.find(name) for name in node.tools]
    reds = [tool.name for tool in found if tool is not None and tool.colour is not Colour.GREEN]
    return reds[0] if len(reds) == 1 and None not in found else None


def _parts(node: Node, tool: ToolName, cut: _Cut) -> Parts:
    script = NodeId(f"{node.id}{_SCRIPT}")
    args = {**cut.written, **{name: f"${{{script}#/{name}}}" for name in cut.worked_out}}
    tools = tuple(name for name in node.tools if name != tool)
    return Parts(
        script=replace(node, id=script, title=f"{node.title} (script)", code=cut.code, tools=tools, name=""),
        call=Node(
            id=node.id,
            kind=NodeKind.TOOL,
            title=node.title,
            depends_on=(Dependency(node=script),),
            tool=tool,
            args=args,
            name=node.name,
        ),
    )


def _cut(code: str, tool: ToolName) -> _Cut | None:
    module = parsed(code, TOKENS_TO_REWRITE)
    if module is None or not survives_writing(module):
        return None
    main = plain_main(module)
    if main is None or not _is_used_once(module, tool):
        return None
    ending = _ending(main.body, tool)
    if ending is None or _leaves_early(main.body[: -ending.statements]):
        return None
    keywords = [(keyword.arg, keyword.value) for keyword in ending.call.keywords if keyword.arg is not None]
    if ending.call.args or not keywords or len(keywords) != len(ending.call.keywords):
        return None
    written = {name: plain for name, value in keywords if (plain := _plain(value)) is not None}
    worked_out = [(name, value) for name, value in keywords if name not in written]
    result = ast.Dict(keys=[ast.Constant(name) for name, _ in worked_out], values=[value for _, value in worked_out])
    main.body[-ending.statements :] = [ast.Return(value=result)]
    text = python_text(ast.fix_missing_locations(module))
    if text is None:
        return None
    return _Cut(code=text, worked_out=tuple(name for name, _ in worked_out), written=written)


@dataclass(frozen=True, kw_only=True)
class _Ending:
    """The call that ends `main`."""

    call: ast.Call
    #: How many of the last statements of `main` make the call and return.
    statements: int


def _ending(body: Sequence[ast.stmt], tool: str) -> _Ending | None:
    match list(body[-2:]):
        case [*_, ast.Return(value=value) | ast.Expr(value=value)] if (call := _call(value, tool)) is not None:
            return _Ending(call=call, statements=1)
        case [ast.Expr(value=value), ast.Return(value=None | ast.Constant(value=None))]:
            call = _call(value, tool)
        case [ast.Assign(targets=[ast.Name(id=name)], value=value), ast.Return(value=ast.Name(id=returned))]:
            call = _call(value, tool) if name == returned else None
        case _:
            return None
    return None if call is None else _Ending(call=call, statements=2)


def _call(value: ast.expr | None, tool: str) -> ast.Call | None:
    if isinstance(value, ast.Await):
        value = value.value
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=bridge), attr=attr)) if bridge in BRIDGES and attr == tool:
            return value
        case _:
            return None


def _is_used_once(module: ast.Module, tool: str) -> bool:
    """Return whether the script names the tool once, and its tools in no other way than `tools.<name>`."""
    named = [attribute.attr for attribute in tools_named(module)]
    bridges = [part for part in ast.walk(module) if isinstance(part, ast.Name) and part.id in BRIDGES]
    return named.count(tool) == 1 and len(named) == len(bridges)


def _leaves_early(body: Sequence[ast.stmt]) -> bool:
    """Return whether `main` may end without the call, apart from an error."""
    return any(
        isinstance(part, ast.Return | ast.Yield | ast.YieldFrom) for statement in body for part in _own(statement)
    )


def _own(part: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and what is in it, inner functions left out."""
    if isinstance(part, _SCOPES):
        return
    yield part
    for child in ast.iter_child_nodes(part):
        yield from _own(child)


def _plain(value: ast.expr) -> Json:
    """Return an argument that a plan can hold as it is written, or None; `$` would begin a reference.

    The script computes a value that no plan may hold: half a character, an integer of more than 64 bits.
    """
    match value:
        case ast.Constant(value=bool() | int() as figure) if json_issue_in(figure) is None:
            return figure
        case ast.Constant(value=str(text)) if "$" not in text and json_issue_in(text, strict_text=True) is None:
            return text
        case _:
            return None
