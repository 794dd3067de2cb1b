"""The faults that models make, as a table: each one changes a plan that is right, or the text it is written as."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from agent.ids import NodeId
from agent.limits import PlanLanguage
from agent.plan.operations import Add, Cancel
from agent.plan.references import references_in
from agent.reading.operation_reader import read_operation
from agent.reading.plan_language.printer import plan_text
from agent.tool import Colour, Registry

Written: TypeAlias = dict[str, Any]
"""An operation as plain JSON; a fault may replace any value with any other."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """The output of a model."""

    text: str
    #: Whether the connection is lost after the text.
    breaks_off: bool = False


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The right plan that gets a fault."""

    nodes: list[Written]
    red_tools: AbstractSet[str]
    #: The tools there are.
    tools: AbstractSet[str] = frozenset()
    language: PlanLanguage = PlanLanguage.JSON
    #: The roles there are.
    roles: AbstractSet[str] = frozenset()
    #: The nodes of earlier turns.
    known: AbstractSet[NodeId] = frozenset()

    def written(self, nodes: Sequence[Written]) -> str:
        """Return nodes as a planner writes them.

        Raises:
            Unwritable: they cannot be written in this language.
        """
        if self.language is PlanLanguage.JSON:
            return lines(nodes)
        return python_lines(nodes, self.tools, self.roles, self.known)


Target: TypeAlias = Literal["node", "tool", "red tool", "tool with args", "package", "package with tools", "reader"]
"""The kind of node that a fault changes; a reader refers to the result of another node."""

InjectedFault: TypeAlias = Callable[[Draft], Output | None]
"""Returns None when nothing in the plan can be wrong in this way."""


class Unwritable(Exception):
    """The plan language has no words for this: a field that no node has, or a value that is no JSON."""


def inject_fault(
    operations: Sequence[Mapping[str, Any]],
    kind: str,
    registry: Registry,
    language: PlanLanguage = PlanLanguage.JSON,
    known: AbstractSet[NodeId] = frozenset(),
) -> Output | None:
    """Return the plan's text with this fault, or None when the plan has no place for it, or the language no words."""
    draft = Draft(
        nodes=deepcopy([dict(operation) for operation in operations]),
        red_tools=frozenset(tool.name for tool in registry if tool.colour is not Colour.GREEN),
        tools=frozenset(tool.name for tool in registry),
        language=language,
        roles=frozenset(role.name for role in registry.roles),
        known=known,
    )
    try:
        return kinds(language)[kind](draft)
    except Unwritable:
        return None


def kinds(language: PlanLanguage) -> Mapping[str, InjectedFault]:
    """Return the faults of plans in a language, by name."""
    if language is PlanLanguage.JSON:
        return FAULTS
    return {**{name: fault for name, fault in FAULTS.items() if name not in _OF_JSON}, **PYTHON_FAULTS}


def python_lines(
    operations: Sequence[Mapping[str, Any]],
    tools: AbstractSet[str],
    roles: AbstractSet[str] = frozenset(),
    known: AbstractSet[NodeId] = frozenset(),
) -> str:
    """Return operations as a planner writes them in the plan language.

    Raises:
        Unwritable: see the class.
    """
    read = [read_operation(operation, None) for operation in operations]
    steps = [operation for operation in read if isinstance(operation, Add | Cancel)]
    if len(steps) < len(read):
        raise Unwritable
    return plan_text(steps, tools, known, roles)


def lines(operations: Sequence[Mapping[str, Any]]) -> str:
    """Return operations as a planner writes them."""
    return "".join(json.dumps(operation, ensure_ascii=False) + "\n" for operation in operations)


def _is(target: Target, node: Written, draft: Draft) -> bool:
    kind = node["kind"]
    match target:
        case "node":
            return True
        case "tool" | "package":
            return kind == target
        case "red tool":
            return kind == "tool" and node["tool"] in draft.red_tools
        case "tool with args":
            return kind == "tool" and bool(node.get("args"))
        case "package with tools":
            return kind == "package" and bool(node.get("tools"))
        case "reader":
            return "${" in json.dumps([node.get("args"), node.get("inputs")])


def _node(target: Target, change: Callable[[Written], Written]) -> InjectedFault:
    """Return the fault that sets the fields which `change` returns in the middle node of the target's kind."""

    def inject(draft: Draft) -> Output | None:
        nodes = [node for node in draft.nodes if _is(target, node, draft)]
        if not nodes:
            return None
        node = nodes[len(nodes) // 2]
        node.update(change(node))
        return Output(text=draft.written(draft.nodes))

    return inject


def _plan(change: Callable[[list[Written]], list[Written] | None]) -> InjectedFault:
    """Return the fault that writes the nodes which `change` returns."""

    def inject(draft: Draft) -> Output | None:
        nodes = change(draft.nodes)
        return None if nodes is None else Output(text=draft.written(nodes))

    return inject


def _text(change: Callable[[str], str], *, breaks_off: bool = False) -> InjectedFault:
    """Return the fault that changes the text of a right plan."""
    return lambda draft: Output(text=change(draft.written(draft.nodes)), breaks_off=breaks_off)


def _middle_line(change: Callable[[str], str]) -> InjectedFault:
    def changed(text: str) -> str:
        rows = text.splitlines(keepends=True)
        at = len(rows) // 2
        return "".join([*rows[:at], change(rows[at]), *rows[at + 1 :]])

    return _text(changed)


def _waiting_for(node: Written, *others: str) -> Written:
    return {"depends_on": [*node.get("depends_on", []), *others]}


def _first_reference(node: Written, replacement: str) -> Written:
    key = "args" if node["kind"] == "tool" else "inputs"
    return {key: json.loads(json.dumps(node[key]).replace("${", replacement, 1))}


def _first_argument(node: Written, value: object) -> Written:
    return {"args": {**node["args"], next(iter(node["args"])): value}}


def _red_call_in_script(node: Written) -> Written:
    """Return a script that people are asked about as a whole, and whose red call would ask by itself."""
    args, tool = node.pop("args"), node.pop("tool")
    code = f"def main(inputs):\n    return tools.{tool}(**inputs)\n"
    return {"kind": "package", "tools": [tool], "inputs": args, "code": code, "require_human_approval": True}


def _hidden_red_call(node: Written) -> Written:
    """Add a function to the script that posts a message with a tool the package does not declare."""
    return {
        "code": node["code"] + "\n\ndef f(text):\n    return tools.slack_post_message(channel='#general', text=text)\n"
    }


def _reads(node: Written, id: str) -> bool:
    referring = [node.get(key) for key in ("args", "inputs", "for_each", "when")]
    return any(id in reference.nodes for _, reference in references_in(referring))


def _without_edges(nodes: list[Written]) -> list[Written] | None:
    """Leave out every edge that a reference implies anyway."""
    changed = False
    for node in nodes:
        written = node.pop("depends_on", [])
        node["depends_on"] = [name for name in written if not (isinstance(name, str) and _reads(node, name))]
        changed = changed or len(node["depends_on"]) < len(written)
    return nodes if changed else None


def _with_cycle(nodes: list[Written]) -> list[Written] | None:
    """Let a node wait for one that reads its result."""
    for node in reversed(nodes):
        first = next((other for other in nodes if _reads(node, other["id"])), None)
        if first is not None:
            first.update(_waiting_for(first, node["id"]))
            return nodes
    return None


def _with_title_as_id(nodes: list[Written]) -> list[Written] | None:
    if len(nodes) < 2 or "title" not in nodes[0]:
        return None
    nodes[-1].update(_waiting_for(nodes[-1], nodes[0]["title"]))
    return nodes


def _with_same_id(nodes: list[Written]) -> list[Written] | None:
    if len(nodes) < 2:
        return None
    nodes[1]["id"] = nodes[0]["id"]
    return nodes


def _thinking_aloud(draft: Draft) -> Output:
    """Write another plan into a `<think>` block first."""
    wild = {**draft.nodes[0], "id": "wild", "kind": "tool", "tool": "slack_post_message"}
    wild["args"] = {"channel": "#general", "text": "thinking aloud"}
    thoughts = f"<think>Maybe I could post first:\n{draft.written([wild])}No, better not.</think>\n"
    return Output(text=thoughts + draft.written(draft.nodes))


FAULTS: Mapping[str, InjectedFault] = {
    "unknown tool": _node("tool", lambda _: {"tool": "http_fetch"}),
    "colour lowered by a field": _node("red tool", lambda _: {"colour": "green"}),
    "approval switched off": _node("red tool", lambda _: {"require_human_approval": False}),
    "red tool in a package": _node("red tool", _red_call_in_script),
    "red call hidden in a script": _node("package", _hidden_red_call),
    "undeclared tool in a script": _node("package with tools", lambda _: {"tools": []}),
    # `packed` is the packing pass's own field; it would get the script the time and the calls of two steps.
    "script called packed": _node("package", lambda node: {"packed": [{"id": "before"}, {"id": node["id"]}]}),
    "script without main": _node("package", lambda _: {"code": "result = 1\n"}),
    "edges left out": _plan(_without_edges),
    "cycle": _plan(_with_cycle),
    "waits for itself": _node("node", lambda node: _waiting_for(node, node["id"])),
    "waits for an unknown node": _node("node", lambda node: _waiting_for(node, "prepare_everything")),
    "waits for a title": _plan(_with_title_as_id),
    "reference to nothing": _node("reader", lambda node: _first_reference(node, "${no_such_")),
    "broken reference": _node("reader", lambda node: _first_reference(node, "${the result.")),
    "wrong argument type": _node("tool with args", lambda node: _first_argument(node, [42])),
    "missing argument": _node("tool with args", lambda _: {"args": {}}),
    "not a number": _node("tool with args", lambda node: {"args": {**node["args"], "timeout": float("nan")}}),
    "unknown field": _node("node", lambda _: {"retries": 3}),
    "unknown operation": _node("node", lambda _: {"op": "insert"}),
    "unknown kind": _node("node", lambda _: {"kind": "function"}),
    "subagent": _node("node", lambda _: {"kind": "subagent", "role": "worker", "instruction": "do it"}),
    "duplicate id": _plan(_with_same_id),
    "line said twice": _plan(lambda nodes: [*nodes, nodes[-1]]),
    "broken JSON line": _middle_line(lambda line: line.replace('"kind": ', '"kind" ', 1)),
    "unclosed JSON line": _middle_line(lambda line: line.rstrip("}\n") + "\n"),
    "single quotes": lambda draft: Output(text="".join(f"{node!r}\n" for node in draft.nodes)),
    "trailing commas": _text(lambda text: text.replace("}\n", ",}\n")),
    "text cut off": lambda draft: Output(
        text=draft.written(draft.nodes)[: -(len(draft.written(draft.nodes[-1:])) // 2) - 1]
    ),
    "stream broken off": _text(lambda text: text[: 2 * len(text) // 3], breaks_off=True),
    "prose and a code fence around": _text(
        lambda text: f"Sure! Here is the plan:\n\n```jsonl\n{text}```\n\nLet me know if it's fine.\n"
    ),
    "prose in braces around": _text(lambda text: f"Here is {{your plan}}:\n{text}That's {{all}}, isn't it?\n"),
    "thinking aloud": _thinking_aloud,
    "one pretty-printed object": lambda draft: Output(
        text=json.dumps({"operations": draft.nodes}, indent=2, ensure_ascii=False)
    ),
    "numbered lines": lambda draft: Output(
        text="".join(f"{number}. {json.dumps(node)}\n" for number, node in enumerate(draft.nodes, start=1))
    ),
    "dependents first": _plan(lambda nodes: nodes[::-1] if len(nodes) > 1 else None),
}
"""Name -> fault. Not among them are faults that no check can detect, such as the wrong one of two similar tools or an
order that only the request's words name: they are a model's own accuracy, which a run with a model measures."""

_OF_JSON = frozenset(
    {
        *("broken JSON line", "unclosed JSON line", "single quotes", "trailing commas", "one pretty-printed object"),
        *("numbered lines", "prose in braces around"),
    }
)
"""The faults that only JSON can have."""

_CALL = re.compile(r"^(\w++ = [\w.]++\()(\w++)=", re.MULTILINE)
_REFERENCE = re.compile(r"([=\[{, ])(\w++)((?>(?:\.\w++|\[\d++\])+))(?=[,)}\]])")
_CALLED = re.compile(r"^(\w++) = ([\w.]++\([^\n]*+)\n", re.MULTILINE)
_NAMED = re.compile(r"^(\w++) = (?=[\w.]++\()", re.MULTILINE)


def _replaced(pattern: re.Pattern[str], changed: str) -> InjectedFault:
    """Return the fault that writes something else for the last place where a pattern fits."""

    def inject(draft: Draft) -> Output | None:
        text = draft.written(draft.nodes)
        found = list(pattern.finditer(text))
        if not found:
            return None
        last = found[-1]
        return Output(text=text[: last.start()] + last.expand(changed) + text[last.end() :])

    return inject


def _last_line(change: Callable[[str], str]) -> InjectedFault:
    def changed(text: str) -> str:
        *before, last = text.splitlines(keepends=True)
        return "".join([*before, change(last)])

    return _text(changed)


def _name_used_again(draft: Draft) -> Output | None:
    """Give every result but the last the first one's name, and use them by it, as a script in Python may."""
    text = draft.written(draft.nodes)
    names = list(dict.fromkeys(found[1] for found in _NAMED.finditer(text)))
    if len(names) < 2:
        return None
    names = names if len(names) == 2 else names[:-1]
    named = re.compile(rf"^(?:{'|'.join(names)})(?= = )", re.MULTILINE)
    used = re.compile(rf"(?<=[=\[({{, ])(?:{'|'.join(names)})(?=[.,)}}\]\[])")
    rows: list[str] = []
    in_function = False
    for row in named.sub(names[0], text).splitlines(keepends=True):
        in_function = row.startswith("def ") or (in_function and row.startswith((" ", "\n")))
        rows.append(row if in_function else used.sub(names[0], row))
    return Output(text="".join(rows))


def _step_inside_a_call(draft: Draft) -> Output | None:
    """Write a call where its result is used, once and outside a text: a node of its own all the same."""
    text = draft.written(draft.nodes)
    for found in _CALLED.finditer(text):
        used = re.compile(rf"(?<=[=\[:,] )\b{found[1]}\b|(?<=[=\[]){found[1]}\b")
        rest, call = text[found.end() :], found[2].partition("  # ")[0]
        if len(re.findall(rf"\b{found[1]}\b", rest)) == 1 and (use := used.search(rest)) is not None:
            return Output(text=text[: found.start()] + rest[: use.start()] + call + rest[use.end() :])
    return None


PYTHON_FAULTS: Mapping[str, InjectedFault] = {
    "positional arguments": _replaced(_CALL, r"\1"),
    "undefined name": _replaced(_REFERENCE, r"\1the_result\3"),
    "call inside a call": _replaced(_REFERENCE, r"\1str(\2\3)"),
    "call of a tool inside a call": _step_inside_a_call,
    "method of a result": _replaced(_REFERENCE, r"\1\2.get('value')"),
    "sum in an argument": _replaced(_REFERENCE, r"\1\2\3 + 1"),
    "name used again": _name_used_again,
    # Of a package printed twice, the second function would have another name.
    "line said twice": _last_line(lambda line: line * 2),
    "step indented": _last_line(lambda line: f"  {line}"),
    "bracket never closed": _last_line(lambda line: line.replace(")", "", 1) if line.count(")") == 1 else line[:-2]),
    "typographic quotes": _text(lambda text: re.sub(r'(?<=[=(])"([^"\\\n]*)"(?=[,)])', r"“\1”", text)),
    "tabs and Windows lines": _text(lambda text: text.replace("    ", "\t").replace("\n", "\r\n")),
    "plan in a function": _text(
        lambda text: "def plan():\n" + "".join(f"    {line}" for line in text.splitlines(keepends=True))
    ),
    "results printed": _text(lambda text: f'{text}print("done")\n'),
    "imports above": _text(lambda text: f"import json\nfrom tools import *\n\n{text}"),
    "steps written as comments": _text(lambda text: f"# First the reading.\n\n{text}\n# That is all.\n"),
}
"""The same for faults that only the plan language can have."""
