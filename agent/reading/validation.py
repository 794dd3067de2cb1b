"""Faults: the problems of one operation and their places. `plan_builder.py` finds those between operations."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeAlias, assert_never

from agent.ids import NodeId
from agent.limits import PlanLimits
from agent.packing.script_checks import inputs_needed, script_issues, tool_calls
from agent.plan.file_names import FILES_WRITE, file_read_by, node_of
from agent.plan.json_schema import argument_issues, model_schema_issues
from agent.plan.json_values import truncated
from agent.plan.operations import Node, NodeKind, canonical_json, references_of
from agent.plan.references import references_in
from agent.plan.templates import MOST_TEMPLATE_ID
from agent.tool import Colour, Registry, asks_inside, tools_of_role
from sandbox.script import Json

MOST_FILES = 20
"""Of one subagent."""

_NAMES_SHOWN = 60
_NAME_CHARACTERS = 100


class FaultCode(StrEnum):
    """The kind of a problem. The set only grows."""

    NOT_JSON = "not_json"
    UNFINISHED = "unfinished"
    TOO_LARGE = "too_large"
    BAD_VALUE = "bad_value"
    BAD_OP = "bad_op"
    BAD_KIND = "bad_kind"
    MISSING_FIELD = "missing_field"
    BAD_FIELD = "bad_field"
    UNKNOWN_FIELD = "unknown_field"
    BAD_REFERENCE = "bad_reference"
    BAD_ARGUMENTS = "bad_arguments"
    BAD_SCHEMA = "bad_schema"
    UNKNOWN_TOOL = "unknown_tool"
    UNKNOWN_ROLE = "unknown_role"
    RED_TOOL_IN_PACKAGE = "red_tool_in_package"
    BAD_SCRIPT = "bad_script"
    NO_SANDBOX = "no_sandbox"
    NOT_AVAILABLE = "not_available"
    DUPLICATE_ID = "duplicate_id"
    UNKNOWN_NODE = "unknown_node"
    SELF_DEPENDENCY = "self_dependency"
    CYCLE = "cycle"
    HELD_BACK = "held_back"
    EMPTY_PLAN = "empty_plan"
    TOO_MANY_NODES = "too_many_nodes"
    DECIDED_BEFORE = "decided_before"
    DONE_BEFORE = "done_before"
    NOT_PYTHON = "not_python"
    #: It is Python, but not of the plan language.
    BAD_STATEMENT = "bad_statement"
    BAD_INDENT = "bad_indent"
    #: A mask in place of a personal datum that the model was not shown.
    UNKNOWN_MASK = "unknown_mask"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One problem of an operation."""

    code: FaultCode
    message: str
    #: The line of the text on which the operation begins, from 1.
    line: int | None = None
    #: The node's id, as far as it is known.
    node: str = ""
    #: A JSON pointer into the operation.
    pointer: str = ""
    #: The character of the line at which it is, from 1; only a plan in the plan language has columns.
    column: int | None = None


def fault_json(fault: Fault) -> dict[str, Json]:
    """Return the fault as plain JSON."""
    return {
        "line": fault.line,
        **({} if fault.column is None else {"column": fault.column}),
        "node": fault.node or None,
        "pointer": fault.pointer,
        "code": fault.code.value,
        "message": fault.message,
    }


NodeIssue: TypeAlias = tuple[FaultCode, str, str]
"""A fault's code, JSON pointer and message, before its place in the text is known."""


def node_issues(node: Node, registry: Registry, limits: PlanLimits, *, packages: bool) -> Iterator[NodeIssue]:
    """Yield what is wrong with a node by itself. `packages`: there is a sandbox to run scripts in."""
    if any(dependency.node == node.id for dependency in node.depends_on):
        yield FaultCode.SELF_DEPENDENCY, place_of(node, node.id), "the node depends on itself"
    if node.when and next(references_in(node.when), None) is None:
        yield FaultCode.BAD_FIELD, "/when", "the condition refers to no node; write ${node} or ${node#/field} in it"
    if limits.masks:
        yield from _mask_issues(node, limits.masks)
    match node.kind:
        case NodeKind.TOOL:
            yield from _tool_issues(node, registry)
        case NodeKind.PACKAGE:
            yield from _package_issues(node, registry, limits, packages=packages)
        case NodeKind.SUBAGENT:
            yield from _subagent_issues(node, registry)
        case _:
            assert_never(node.kind)


def _mask_issues(node: Node, kinds: tuple[str, ...]) -> Iterator[NodeIssue]:
    """Yield the masks that stand for nothing the model was shown: those that do were resolved before."""
    mask = re.compile(rf"\[({'|'.join(map(re.escape, kinds))}) ?\d{{1,9}}\]", re.IGNORECASE)
    written = {"/args": node.args, "/inputs": node.inputs, "/code": node.code, "/instruction": node.instruction}
    for pointer, value in written.items():
        if (found := mask.search(value if isinstance(value, str) else canonical_json(value))) is not None:
            message = f"{found[0]} stands for nothing here; write a mask as you read it, or refer to a step's result"
            yield FaultCode.UNKNOWN_MASK, pointer, message


def _tool_issues(node: Node, registry: Registry) -> Iterator[NodeIssue]:
    tool = registry.find(node.tool or "")
    if tool is None:
        yield FaultCode.UNKNOWN_TOOL, "/tool", f"there is no tool {node.tool!r}; {_names(registry, node.tool or '')}"
        return
    for issue in argument_issues(node.args, tool.arguments):
        yield FaultCode.BAD_ARGUMENTS, f"/args{issue.pointer}", issue.message


def _package_issues(node: Node, registry: Registry, limits: PlanLimits, *, packages: bool) -> Iterator[NodeIssue]:
    if not packages:
        yield FaultCode.NO_SANDBOX, "/kind", "there is no sandbox here, so packages cannot run; use tool nodes"
        return
    for index, name in enumerate(node.tools):
        tool = registry.find(name)
        if name == FILES_WRITE:
            yield FaultCode.UNKNOWN_TOOL, f"/tools/{index}", f"leave {name!r} out: every script may call it"
        elif tool is None:
            yield FaultCode.UNKNOWN_TOOL, f"/tools/{index}", f"there is no tool {name!r}; {_names(registry, name)}"
        elif tool.colour is not Colour.GREEN and node.require_human_approval:
            message = (
                f"a person is asked about this script as a whole, so it may not call {name!r}, which asks by itself; "
                "make it a node of its own"
            )
            yield FaultCode.RED_TOOL_IN_PACKAGE, f"/tools/{index}", message
    if asks_inside(node, registry) and len(node.id) > MOST_TEMPLATE_ID:
        message = f"the id of a script that calls red tools has {MOST_TEMPLATE_ID} characters at most"
        yield FaultCode.BAD_FIELD, "/id", message
    reds = dict(_red_calls(node, registry))
    for name, line in reds.items():
        message = (
            f"line {line}: {name!r} changes something and is not among the script's tools; "
            "name it there, and each call asks a person, or make it a node of its own"
        )
        yield FaultCode.RED_TOOL_IN_PACKAGE, "/code", message
    for message in script_issues(node.code, {*node.tools, *reds, FILES_WRITE}, limits.code_bytes):
        yield FaultCode.BAD_SCRIPT, "/code", message
    for key in sorted(inputs_needed(node.code) - node.inputs.keys()):
        yield FaultCode.BAD_SCRIPT, "/inputs", f"the script reads inputs[{key!r}], which is not among its inputs"
    if node.result_schema is not None:
        for issue in model_schema_issues(node.result_schema):
            yield FaultCode.BAD_SCHEMA, f"/result_schema{issue.pointer}", issue.message


def _subagent_issues(node: Node, registry: Registry) -> Iterator[NodeIssue]:
    if not registry.roles:
        yield FaultCode.NOT_AVAILABLE, "/kind", "there are no roles here; use tool and package nodes"
        return
    role = registry.role(node.role)
    if role is None:
        names = ", ".join(role.name for role in registry.roles)
        yield FaultCode.UNKNOWN_ROLE, "/role", f"there is no role {truncated(node.role, 64)!r}; there are: {names}"
        return
    allowed = tools_of_role(role, registry)
    for index, name in enumerate(node.tools):
        tool = registry.find(name)
        if name == FILES_WRITE:
            yield FaultCode.UNKNOWN_TOOL, f"/tools/{index}", f"leave {name!r} out: the role has it, or it has not"
        elif tool is None:
            yield FaultCode.UNKNOWN_TOOL, f"/tools/{index}", f"there is no tool {name!r}; {_names(registry, name)}"
        elif name not in allowed:
            message = f"the role {role.name!r} may not use {name!r}; it may use: {', '.join(allowed) or 'none'}"
            yield FaultCode.BAD_FIELD, f"/tools/{index}", message
    if asks_inside(node, registry) and len(node.id) > MOST_TEMPLATE_ID:
        message = f"the id of a step whose calls become steps has {MOST_TEMPLATE_ID} characters at most"
        yield FaultCode.BAD_FIELD, "/id", message
    if len(node.files) > MOST_FILES:
        yield FaultCode.TOO_LARGE, "/files", f"a step gets {MOST_FILES} files at most"
    if node.result_schema is not None:
        for issue in model_schema_issues(node.result_schema):
            yield FaultCode.BAD_SCHEMA, f"/result_schema{issue.pointer}", issue.message


def _red_calls(node: Node, registry: Registry) -> Iterator[tuple[str, int]]:
    """Yield the red tools that a script calls without naming them among its tools, and the line."""
    for name, line in tool_calls(node.code).items():
        tool = registry.find(name)
        if name not in node.tools and tool is not None and tool.colour is not Colour.GREEN:
            yield name, line


def _names(registry: Registry, name: str) -> str:
    """Return the tools that there are; of many, those whose names are like this one."""
    names: list[str] = [tool.name for tool in registry]
    if len(names) <= _NAMES_SHOWN:
        return f"there are: {', '.join(names) or 'none'}"
    near = get_close_matches(name[:_NAME_CHARACTERS], names, n=5, cutoff=0.5)
    return f"near it: {', '.join(near)}" if near else f"there are {len(names)} others"


def place_of(node: Node, other: NodeId) -> str:
    """Return the JSON pointer of the first place where the node names `other`."""
    written = references_of(node)
    of_file = node_of(file_read_by(node) or "") == other
    named = (at for at, reference in references_in(written) if other in reference.nodes)
    return next(named, "/args/name" if of_file else "/depends_on")
