"""The table of faults that models make, each as a change to a plan that is right.

An injected fault takes the plan's operations and returns the text a model would have written, or None when the plan
has nothing that could be wrong in this way.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from agent.tool import Colour, Registry
from infra.evaluation import text_faults
from infra.evaluation.output import Draft, InjectedFault, Output, Written, lines


def inject_fault(operations: Sequence[Mapping[str, Any]], kind: str, registry: Registry) -> Output | None:
    """Return the plan's text with this fault, or None."""
    red = frozenset(tool.name for tool in registry if tool.colour is not Colour.GREEN)
    return FAULTS[kind](Draft(nodes=deepcopy([dict(operation) for operation in operations]), red_tools=red))


def _output(operations: Sequence[Written]) -> Output:
    return Output(text=lines(operations))


def _reads(node: Written, id: str) -> bool:
    shown = json.dumps([node.get(key) for key in ("args", "inputs", "for_each", "when")])
    return f"${{{id}}}" in shown or f"${{{id}#" in shown


def _middle(nodes: Sequence[Written]) -> Written | None:
    return nodes[len(nodes) // 2] if nodes else None


def _tools(nodes: Sequence[Written]) -> list[Written]:
    return [node for node in nodes if node["kind"] == "tool"]


def _changed(pick: Callable[[Draft], Written | None], change: Callable[[Written], None]) -> InjectedFault:
    """Return the fault that changes one node."""

    def inject(draft: Draft) -> Output | None:
        node = pick(draft)
        if node is None:
            return None
        change(node)
        return _output(draft.nodes)

    return inject


def _any_node(draft: Draft) -> Written | None:
    return _middle(draft.nodes)


def _any_tool(draft: Draft) -> Written | None:
    return _middle(_tools(draft.nodes))


def _any_red(draft: Draft) -> Written | None:
    return _middle([node for node in _tools(draft.nodes) if node["tool"] in draft.red_tools])


def _any_package(draft: Draft) -> Written | None:
    return _middle([node for node in draft.nodes if node["kind"] == "package"])


def _calling_package(draft: Draft) -> Written | None:
    return _middle([node for node in draft.nodes if node["kind"] == "package" and node.get("tools")])


def _with_args(draft: Draft) -> Written | None:
    return _middle([node for node in _tools(draft.nodes) if node.get("args")])


def _referring(draft: Draft) -> Written | None:
    return _middle([node for node in draft.nodes if "${" in json.dumps([node.get("args"), node.get("inputs")])])


def _argument(value: object) -> Callable[[Written], None]:
    def change(node: Written) -> None:
        node["args"] = {**node["args"], next(iter(node["args"])): value}

    return change


def _missing_argument(node: Written) -> None:
    node["args"] = {}


def _red_packed(node: Written) -> None:
    args, tool = node.pop("args"), node.pop("tool")
    node.update(
        kind="package", tools=[tool], inputs=args, code=f"def main(inputs):\n    return tools.{tool}(**inputs)\n"
    )


def _called_packed(node: Written) -> None:
    """Set the field that only packing may set, for the time and the calls of two steps."""
    node["packed"] = [{"id": "before"}, {"id": node["id"]}]


def _undeclared(node: Written) -> None:
    node["tools"] = []


def _calls_a_red_tool(node: Written) -> None:
    """Let a script post behind everybody's back, without declaring it."""
    node["code"] += "\n\ndef told(text):\n    return tools.slack_post_message(channel='#general', text=text)\n"


def _missing_edges(draft: Draft) -> Output | None:
    """Leave out every edge that an argument shows anyway."""
    changed = False
    for node in draft.nodes:
        written = node.pop("depends_on", [])
        node["depends_on"] = [name for name in written if not (isinstance(name, str) and _reads(node, name))]
        changed = changed or len(node["depends_on"]) < len(written)
    return _output(draft.nodes) if changed else None


def _cycle(draft: Draft) -> Output | None:
    """Let a node wait for one that waits for it."""
    for node in reversed(draft.nodes):
        first = next((other for other in draft.nodes if _reads(node, other["id"])), None)
        if first is not None:
            first["depends_on"] = [*first.get("depends_on", []), node["id"]]
            return _output(draft.nodes)
    return None


def _waits_for_itself(node: Written) -> None:
    node["depends_on"] = [*node.get("depends_on", []), node["id"]]


def _waits_for_nobody(node: Written) -> None:
    node["depends_on"] = [*node.get("depends_on", []), "prepare_everything"]


def _waits_for_a_title(draft: Draft) -> Output | None:
    """Name a node by its title where its id belongs."""
    if len(draft.nodes) < 2 or "title" not in draft.nodes[0]:
        return None
    draft.nodes[-1]["depends_on"] = [*draft.nodes[-1].get("depends_on", []), draft.nodes[0]["title"]]
    return _output(draft.nodes)


def _reads_nothing(node: Written) -> None:
    node["args" if node["kind"] == "tool" else "inputs"] = json.loads(
        json.dumps(node.get("args") or node.get("inputs")).replace("${", "${no_such_", 1)
    )


def _broken_reference(node: Written) -> None:
    key = "args" if node["kind"] == "tool" else "inputs"
    text = json.dumps(node[key])
    at = text.index("${")
    node[key] = json.loads(text[:at] + "${the result." + text[at + 2 :])


def _backwards(draft: Draft) -> Output | None:
    return _output(draft.nodes[::-1]) if len(draft.nodes) > 1 else None


def _same_id(draft: Draft) -> Output | None:
    if len(draft.nodes) < 2:
        return None
    draft.nodes[1]["id"] = draft.nodes[0]["id"]
    return _output(draft.nodes)


def _written_twice(draft: Draft) -> Output | None:
    return _output([*draft.nodes, deepcopy(draft.nodes[-1])])


def _not_a_number(draft: Draft) -> Output | None:
    node = _with_args(draft)
    if node is None:
        return None
    node["args"]["timeout"] = float("nan")
    return _output(draft.nodes)


def _set(**fields: object) -> Callable[[Written], None]:
    def change(node: Written) -> None:
        node.update(fields)

    return change


FAULTS: Mapping[str, InjectedFault] = {
    "unknown tool": _changed(_any_tool, _set(tool="http_fetch")),
    "colour lowered by a field": _changed(_any_red, _set(colour="green")),
    "approval switched off": _changed(_any_red, _set(require_human_approval=False)),
    "red tool in a package": _changed(_any_red, _red_packed),
    "red call hidden in a script": _changed(_any_package, _calls_a_red_tool),
    "undeclared tool in a script": _changed(_calling_package, _undeclared),
    "script called packed": _changed(_any_package, _called_packed),
    "script without main": _changed(_any_package, _set(code="result = 1\n")),
    "edges left out": _missing_edges,
    "cycle": _cycle,
    "waits for itself": _changed(_any_node, _waits_for_itself),
    "waits for an unknown node": _changed(_any_node, _waits_for_nobody),
    "waits for a title": _waits_for_a_title,
    "reference to nothing": _changed(_referring, _reads_nothing),
    "broken reference": _changed(_referring, _broken_reference),
    "wrong argument type": _changed(_with_args, _argument([42])),
    "missing argument": _changed(_with_args, _missing_argument),
    "not a number": _not_a_number,
    "unknown field": _changed(_any_node, _set(retries=3)),
    "unknown operation": _changed(_any_node, _set(op="insert")),
    "unknown kind": _changed(_any_node, _set(kind="function")),
    "subagent": _changed(_any_node, _set(kind="subagent", role="worker", instruction="do it")),
    "duplicate id": _same_id,
    "line said twice": _written_twice,
    "broken JSON line": text_faults.broken_line,
    "unclosed JSON line": text_faults.unclosed_line,
    "single quotes": text_faults.single_quotes,
    "trailing commas": text_faults.trailing_commas,
    "text cut off": text_faults.truncated,
    "stream broken off": text_faults.broken_off,
    "prose and a code fence around": text_faults.prose,
    "prose in braces around": text_faults.prose_in_braces,
    "thinking aloud": text_faults.thinking,
    "one pretty-printed object": text_faults.one_object,
    "numbered lines": text_faults.numbered,
    "dependents first": _backwards,
}
"""Name -> fault. Faults that no check can see (an order that only the request's words name, the wrong one of two tools
alike) are not among them: they are a model's own accuracy, which a run with a model measures."""
