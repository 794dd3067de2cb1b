"""Whatever is wrong with a plan, it is valid or refused at its place, never an exception."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.limits import PlanLimits
from agent.packing.packing import pack
from agent.plan.operations import nodes_added
from agent.plan.references import at_pointer
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.plan_file import PlanFile, read_plan
from agent.reading.stream_reader import read_plan_text
from agent.reading.validation import Fault, FaultCode
from agent.tool import Colour, asks_inside, colour_of
from tests.fakes.plans import REGISTRY, Written, json_lines, plans

LONG = "x" * 2**20


few = settings(max_examples=30, deadline=None)
"""Enough for what varies in them: the plan around the fault."""


def judged(plan: list[Written]) -> PlanFile:
    """Read and pack a plan as `plan check` does; every fault must name a place that is there, or should be."""
    read = read_plan(json_lines(plan), REGISTRY)
    packed = pack(read.operations, REGISTRY)
    for node in nodes_added(packed.operations).values():
        assert not node.packed or colour_of(node, REGISTRY) is Colour.GREEN
    for fault in read.faults:
        assert fault.message
        assert fault.line is not None
        assert_place(plan[fault.line - 1], fault)
    return read


def assert_place(written: Written, fault: Fault) -> None:
    """Hold a fault to its operation: the id it names, and a pointer to what is there (or to a key that is missing)."""
    if fault.node:
        assert str(written["id"]).startswith(fault.node)
    if fault.code not in (FaultCode.MISSING_FIELD, FaultCode.BAD_ARGUMENTS, FaultCode.BAD_FIELD):
        holder = fault.pointer.rpartition("/")[0] if fault.code is FaultCode.UNKNOWN_FIELD else fault.pointer
        whole: Any = {"depends_on": [], "code": "", "op": "", "kind": "", **written}
        at_pointer(whole, holder)


def places(read: PlanFile) -> set[tuple[FaultCode, str, str]]:
    """Return code, node and pointer of every fault."""
    return {(fault.code, fault.node, fault.pointer) for fault in read.faults}


@st.composite
def chosen(draw: st.DrawFn) -> tuple[list[Written], int]:
    """Draw a valid plan and one of its nodes."""
    plan = draw(plans(least=2))
    return plan, draw(st.integers(0, len(plan) - 1))


def changed(plan: list[Written], at: int, **fields: Any) -> list[Written]:
    """Return the plan with some of a node's fields replaced."""
    return [*plan[:at], plan[at] | fields, *plan[at + 1 :]]


@few
@given(chosen())
def test_a_plan_without_one_of_its_nodes_names_those_that_need_it(drawn: tuple[list[Written], int]) -> None:
    plan, at = drawn
    gone = plan[at]["id"]
    needing = {
        node.id
        for node in nodes_added(read_plan(json_lines(plan), REGISTRY).operations).values()
        if any(dependency.node == gone for dependency in node.depends_on)
    }
    read = judged([*plan[:at], *plan[at + 1 :]])
    assert {fault.node for fault in read.faults if fault.code is FaultCode.UNKNOWN_NODE} == needing


@few
@given(chosen(), st.sampled_from(["args", "inputs", "for_each", "when", "depends_on"]))
def test_a_renamed_reference_is_named_with_its_place(drawn: tuple[list[Written], int], key: str) -> None:
    plan, at = drawn
    stranger: Any = {"args": {"url": "${nobody#/x}"}, "inputs": {"x": "${nobody}"}, "depends_on": ["nobody"]}
    fields = {key: stranger.get(key, "${nobody}")}
    if key == "args":
        fields |= {"kind": "tool", "tool": "fetch"}
    allowed = plan[at]["kind"] == "package" if key == "inputs" else key != "args" or plan[at].get("tool") == "fetch"
    read = judged(changed(plan, at, **fields))
    if allowed:
        inner = {"args": "/url", "inputs": "/x"}.get(key, "")
        assert (FaultCode.UNKNOWN_NODE, plan[at]["id"], f"/{key}{inner}") in places(read)


@few
@given(chosen(), st.data())
def test_a_cycle_is_named_at_its_first_node(drawn: tuple[list[Written], int], data: st.DataObject) -> None:
    plan, at = drawn
    other = data.draw(st.integers(0, len(plan) - 1))
    first, second = plan[at]["id"], plan[other]["id"]
    read = judged(changed(changed(plan, at, depends_on=[second]), other, depends_on=[first]))
    codes = {fault.code for fault in read.faults if fault.node in (first, second)}
    assert codes & {FaultCode.CYCLE, FaultCode.SELF_DEPENDENCY, FaultCode.BAD_FIELD}


MENDLESS: list[tuple[Written, FaultCode, str]] = [
    ({"kind": "tool", "tool": "fly", "args": {}}, FaultCode.UNKNOWN_TOOL, "/tool"),
    ({"kind": "tool", "tool": "fetch", "args": {"url": 3}}, FaultCode.BAD_ARGUMENTS, "/args/url"),
    ({"kind": "tool", "tool": "fetch", "args": []}, FaultCode.BAD_FIELD, "/args"),
    ({"kind": ["tool"]}, FaultCode.BAD_FIELD, "/kind"),
    ({"depends_on": 7}, FaultCode.BAD_FIELD, "/depends_on"),
    ({"colour": "green"}, FaultCode.UNKNOWN_FIELD, "/colour"),
    ({"require_human_approval": "no"}, FaultCode.BAD_FIELD, "/require_human_approval"),
    ({"for_each": ["a", "b"]}, FaultCode.BAD_FIELD, "/for_each"),
    ({"for_each": "a, b"}, FaultCode.BAD_FIELD, "/for_each"),
    ({"for_each": "${a}${b}"}, FaultCode.BAD_FIELD, "/for_each"),
    ({"for_each": "${"}, FaultCode.BAD_REFERENCE, "/for_each"),
    ({"for_each": "${item#/parts}"}, FaultCode.BAD_FIELD, "/for_each"),
    ({"for_each": {"for_each": "${a}"}}, FaultCode.BAD_FIELD, "/for_each"),
    ({"for_each": "${me}", "id": "me"}, FaultCode.SELF_DEPENDENCY, "/for_each"),
    ({"when": "${a#/n} > 3"}, FaultCode.BAD_FIELD, "/when"),
    ({"when": "not ${a}"}, FaultCode.BAD_FIELD, "/when"),
    ({"when": ""}, FaultCode.BAD_FIELD, "/when"),
    ({"when": True}, FaultCode.BAD_FIELD, "/when"),
    ({"when": "${a#no-slash}"}, FaultCode.BAD_REFERENCE, "/when"),
    ({"when": "${item}", "for_each": None}, FaultCode.UNKNOWN_NODE, "/when"),
    ({"item_of": "each"}, FaultCode.UNKNOWN_FIELD, "/item_of"),
]


@pytest.mark.parametrize(("fields", "code", "pointer"), MENDLESS, ids=lambda value: str(value)[:40])
@few
@given(drawn=chosen())
def test_what_is_wrong_in_a_node_is_named_with_its_place(
    fields: Written, code: FaultCode, pointer: str, drawn: tuple[list[Written], int]
) -> None:
    plan, at = drawn
    keys = {"op", "id", "title"} if "kind" in fields else {*plan[at]}
    bare = {key: value for key, value in plan[at].items() if key in keys}
    spoilt = [*plan[:at], bare | fields, *plan[at + 1 :]]
    read = judged(spoilt)
    assert any((fault.code, fault.line, fault.pointer) == (code, at + 1, pointer) for fault in read.faults)


DEEP: dict[str, Callable[[int], str]] = {
    "sum": lambda levels: "    x = " + "1 + " * levels + "1\n",
    "attributes": lambda levels: "    x = inputs" + ".a" * levels + "\n",
    "choices": lambda levels: "    if 1:\n        x = 1\n" + "    elif 1:\n        x = 1\n" * levels,
    "lists": lambda levels: "    x = " + "[" * min(levels, 190) + "]" * min(levels, 190) + "\n",
    "dicts": lambda levels: "    x = " + "{1: " * min(levels, 190) + "1" + "}" * min(levels, 190) + "\n",
}


@pytest.mark.parametrize("levels", [90, 140, 160, 330, 990, 2000])
@pytest.mark.parametrize("what", DEEP)
def test_a_script_however_deep_is_taken_or_refused(what: str, levels: int) -> None:
    """Python reads deeper nesting than a recursion can walk through."""
    body = f"def main(inputs):\n{DEEP[what](levels)}"
    reads = {"op": "add", "id": "a", "kind": "package", "code": f"{body}    return x\n"}
    tells = {"op": "add", "id": "b", "kind": "package", "tools": ["post"], "inputs": {"a": "${a}"}}
    tells["code"] = f"{body}    return tools.post(channel='#a', text=inputs['a'])\n"
    read = read_plan(json_lines([reads, tells]), REGISTRY)
    assert {fault.node for fault in read.faults} <= {"b"}
    for node in nodes_added(pack(read.operations, REGISTRY).operations).values():
        assert node.digest
        assert node.tool == "post" or colour_of(node, REGISTRY) is Colour.GREEN


@few
@given(chosen())
def test_an_id_taken_twice_is_named_and_the_first_stands(drawn: tuple[list[Written], int]) -> None:
    plan, at = drawn
    read = judged([*plan, {**plan[at], "title": "once more"}])
    assert places(read) == {(FaultCode.DUPLICATE_ID, plan[at]["id"], "/id")}
    assert nodes_added(read.operations).keys() == {operation["id"] for operation in plan}


@few
@given(chosen(), st.integers(0, 3), st.booleans())
def test_an_id_that_could_be_an_items_is_refused_in_either_order(
    drawn: tuple[list[Written], int], number: int, template_first: bool
) -> None:
    plan, _ = drawn
    look: Written = {"op": "add", "kind": "tool", "tool": "look"}
    both = [{**look, "id": "each", "for_each": f"${{{plan[0]['id']}}}"}, {**look, "id": f"each-{number}"}]
    second = both[1] if template_first else both[0]
    read = judged([*plan, *(both if template_first else both[::-1])])
    assert places(read) == {(FaultCode.DUPLICATE_ID, second["id"], "/id")}


@few
@given(chosen())
def test_a_plan_cannot_make_a_red_tool_green(drawn: tuple[list[Written], int]) -> None:
    plan, at = drawn
    post = {"kind": "tool", "tool": "post", "args": {"channel": "#a", "text": "x"}, "require_human_approval": False}
    bare = {key: plan[at][key] for key in ("op", "id")}
    read = judged([*plan[:at], bare | post, *plan[at + 1 :]])
    assert colour_of(nodes_added(read.operations)[plan[at]["id"]], REGISTRY) is Colour.RED
    hidden = {"kind": "package", "tools": ["post"], "code": "def main(inputs):\n    return tools.post()\n"}
    read = judged([*plan[:at], bare | hidden, *plan[at + 1 :]])
    assert asks_inside(nodes_added(read.operations)[plan[at]["id"]], REGISTRY), "each of its red calls asks"
    read = judged([*plan[:at], bare | hidden | {"require_human_approval": True}, *plan[at + 1 :]])
    assert (FaultCode.RED_TOOL_IN_PACKAGE, plan[at]["id"], "/tools/0") in places(read)


@pytest.mark.parametrize("depth", [33, 2_000, 100_000])
@pytest.mark.parametrize("opening", ['{"x":', "["], ids=["objects", "lists"])
def test_a_value_nested_too_deep_is_refused(opening: str, depth: int) -> None:
    deep = opening * depth + "1" + ("}" if opening.startswith("{") else "]") * depth
    spoilt = json.dumps(look("b", args={"page": "DEEP"})).replace('"DEEP"', deep)
    read = read_plan(json_lines([look("a")]) + spoilt + "\n" + json_lines([look("c")]), REGISTRY)
    [fault] = read.faults
    assert fault.code in (FaultCode.BAD_VALUE, FaultCode.NOT_JSON, FaultCode.TOO_LARGE)
    assert fault.line == 2
    assert [*nodes_added(read.operations)] == ["a", "c"]


@pytest.mark.parametrize("fields", [{"title": LONG}, {"args": {"page": LONG}}, {"when": LONG}, {"id": LONG}])
def test_a_text_of_a_mebibyte_is_refused(fields: Written) -> None:
    read = read_plan(json_lines([look("a"), look("b") | fields, look("c")]), REGISTRY)
    assert [(fault.code, fault.line) for fault in read.faults[:1]] == [(FaultCode.TOO_LARGE, 2)]


def look(id: str, *after: str, **more: Any) -> Written:
    """Write a small node."""
    return {"op": "add", "id": id, "kind": "tool", "tool": "look", "depends_on": list(after), **more}


SHAPES: dict[str, Callable[[int], list[Written]]] = {
    "chain from its end": lambda n: [*(look(f"n{at}", f"n{at - 1}") for at in range(n - 1, 0, -1)), look("n0")],
    "all wait for the last": lambda n: [*(look(f"n{at}", "last") for at in range(n - 1)), look("last")],
    "one joins all": lambda n: [
        *(look(f"n{at}") for at in range(n - 1)),
        look("j", *(f"n{at}" for at in range(n - 1))),
    ],
    "one cycle": lambda n: [look(f"n{at}", f"n{(at + 1) % n}") for at in range(n)],
    "many cycles": lambda n: [look(f"n{at}", f"n{at ^ 1}") for at in range(n)],
    "templates": lambda n: [look("n"), *(look(f"t{at}", for_each="${n}") for at in range(n - 1))],
    "like items": lambda n: [look("n"), *(look(f"t-{at}") for at in range(n - 2)), look("t", for_each="${n}")],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_thousand_nodes_cost_five_times_what_two_thousand_do(shape: str) -> None:
    """Also where an operator allows as many. Were any step quadratic, it were 25 times. The process's own time
    counts, and one good try of three: a busy machine only makes it slower."""
    assert any(_seconds(SHAPES[shape], 10_000) < 12 * _seconds(SHAPES[shape], 2_000) for _ in range(3))


def test_more_nodes_than_allowed_are_refused() -> None:
    read = read_plan(json_lines(SHAPES["templates"](10_000)), REGISTRY)
    assert len(nodes_added(read.operations)) == PlanLimits().nodes
    assert [fault.code for fault in read.faults] == [FaultCode.TOO_MANY_NODES]


def _seconds(shape: Callable[[int], list[Written]], nodes: int) -> float:
    limits = PlanLimits(nodes=nodes, text_characters=16 * 2**20)
    text = json_lines(shape(nodes))
    begun = time.process_time()
    intake = PlanBuilder(registry=REGISTRY, known={}, limits=limits)
    placed = [item for item in read_plan_text(text, limits) if isinstance(item, Placed)]
    admissions = [intake.offer(item) for item in placed]
    faults = [*(fault for admission in admissions for fault in admission.faults), *intake.close()]
    pack([operation for admission in admissions for operation in admission.admitted], REGISTRY)
    assert len(placed) == nodes
    assert all(fault.line for fault in faults)
    return time.process_time() - begun
