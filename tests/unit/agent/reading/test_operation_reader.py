"""One object as an operation: every field typed, or the place that is wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import NodeId
from agent.plan.operations import WRITTEN_FIELDS, Add, Cancel, Dependency, Node, NodeKind, On
from agent.reading.operation_reader import Ask, NeedTools, Reply, read_operation
from agent.reading.validation import Fault, FaultCode
from tests.fakes.plans import Written, plans

TOOL: Written = {"op": "add", "id": "n", "kind": "tool", "tool": "fetch"}
PACKAGE: Written = {"op": "add", "id": "n", "kind": "package", "code": "def main(inputs): return 1"}


def node(written: Written) -> Node:
    read = read_operation(written, 1)
    assert isinstance(read, Add), read
    return read.node


def depends(*written: Any) -> list[Dependency]:
    return list(node({**TOOL, "depends_on": list(written)}).depends_on)


def test_references_imply_dependencies_after_the_written_ones() -> None:
    read = node(
        {**TOOL, "depends_on": ["z", {"id": "b", "on": "finished"}], "args": {"x": ["${a#/k} ${b}"], "y": "${z}${c}"}}
    )
    assert [(dependency.node, dependency.on) for dependency in read.depends_on] == [
        ("z", On.SUCCEEDED),
        ("b", On.FINISHED),
        ("a", On.SUCCEEDED),
        ("c", On.SUCCEEDED),
    ]


def test_whichever_of_several_nodes_ran_all_of_them_must_have_ended() -> None:
    read = node({**TOOL, "args": {"x": "${a|b#/k}"}, "when": {"all": [{"eq": ["${c#/n}", "$${d}"]}, "${e}"]}})
    assert [(dependency.node, dependency.on) for dependency in read.depends_on] == [
        ("a", On.FINISHED),
        ("b", On.FINISHED),
        ("c", On.SUCCEEDED),
        ("e", On.SUCCEEDED),
    ]


@pytest.mark.parametrize("texts", [["${a|b}", "${a}"], ["${a}", "${a|b}"]])
def test_reference_to_a_node_alone_needs_its_success(texts: list[str]) -> None:
    read = node({**TOOL, "args": {"x": texts}})
    assert read.depends_on == (Dependency(node=NodeId("a")), Dependency(node=NodeId("b"), on=On.FINISHED))


def test_written_end_of_one_of_several_nodes_stays() -> None:
    assert node({**TOOL, "depends_on": [{"id": "b", "on": "failed"}], "args": {"x": "${a|b}"}}).depends_on == (
        Dependency(node=NodeId("b"), on=On.FAILED),
        Dependency(node=NodeId("a"), on=On.FINISHED),
    )


def test_script_is_no_place_for_references() -> None:
    assert node({**PACKAGE, "code": "def main(inputs): return '${a}'"}).depends_on == ()


def test_same_dependency_twice_counts_once() -> None:
    assert depends("a", {"id": "a", "on": "succeeded"}, {"id": "a", "on": None}) == [Dependency(node=NodeId("a"))]


MINIMAL: dict[NodeKind, Written] = {
    NodeKind.TOOL: TOOL,
    NodeKind.PACKAGE: PACKAGE,
    NodeKind.SUBAGENT: {"op": "add", "id": "n", "kind": "subagent", "instruction": "Read it"},
}
WRITTEN: Written = {
    "id": "m",
    "title": "Title",
    "depends_on": ["a"],
    "require_human_approval": True,
    "tool": "post",
    "args": {"a": 1},
    "code": "def main(inputs): return 2",
    "inputs": {"a": 1},
    "tools": ["fetch"],
    "result_schema": {},
    "role": "reader",
    "instruction": "Read that",
    "files": ["${a}"],
    "expected_artifact": "a note",
    "for_each": "${a}",
    "when": "${a}",
}


@pytest.mark.parametrize("name", [name for name in WRITTEN_FIELDS if name != "kind"])
@pytest.mark.parametrize("kind", list(NodeKind))
def test_field_is_read_for_the_kinds_that_have_it_and_refused_for_others(kind: NodeKind, name: str) -> None:
    bare, read = node(MINIMAL[kind]), read_operation({**MINIMAL[kind], name: WRITTEN[name]}, 1)
    if kind in WRITTEN_FIELDS[name].kinds:
        assert isinstance(read, Add), read
        assert getattr(read.node, name) != getattr(bare, name)
    else:
        assert isinstance(read, Fault)
        assert (read.code, read.pointer) == (FaultCode.UNKNOWN_FIELD, f"/{name}")


def test_null_counts_as_absent() -> None:
    assert node({**TOOL, "args": None, "code": None, "depends_on": None}) == node(TOOL)


def test_title_becomes_one_short_line_and_defaults_to_the_id() -> None:
    assert node(TOOL).title == "n"
    assert node({**TOOL, "title": " two\n lines "}).title == "two lines"
    assert len(node({**TOOL, "title": "x" * 400}).title) == 150


def test_cancel_and_reply_are_read() -> None:
    assert read_operation({"op": "cancel", "id": "a", "why": "no"}, 1) == Cancel(id=NodeId("a"), why="no")
    assert read_operation({"op": "reply", "text": "hello"}, 1) == Reply(text="hello")
    assert read_operation({"op": "tools", "need": "send mail"}, 1) == NeedTools(need="send mail")
    assert read_operation({"op": "ask", "question": "Which?"}, 1) == Ask(question="Which?")


@pytest.mark.parametrize(
    ("written", "code", "pointer"),
    [
        ({}, FaultCode.BAD_OP, "/op"),
        ({"op": "remove", "id": "a"}, FaultCode.BAD_OP, "/op"),
        ({"op": ["add"]}, FaultCode.BAD_OP, "/op"),
        ({"op": "cancel"}, FaultCode.MISSING_FIELD, "/id"),
        ({"op": "reply", "text": " "}, FaultCode.MISSING_FIELD, "/text"),
        ({"op": "reply", "text": "x", "id": "a"}, FaultCode.UNKNOWN_FIELD, "/id"),
        ({"op": "tools"}, FaultCode.MISSING_FIELD, "/need"),
        ({"op": "tools", "need": "x", "id": "a"}, FaultCode.UNKNOWN_FIELD, "/id"),
        ({**TOOL, "kind": "script"}, FaultCode.BAD_KIND, "/kind"),
        ({**TOOL, "kind": None}, FaultCode.BAD_KIND, "/kind"),
        ({**TOOL, "kind": 3}, FaultCode.BAD_FIELD, "/kind"),
        ({**TOOL, "id": None}, FaultCode.MISSING_FIELD, "/id"),
        ({**TOOL, "id": "a b"}, FaultCode.BAD_FIELD, "/id"),
        ({**TOOL, "id": "a" * 65}, FaultCode.BAD_FIELD, "/id"),
        ({**TOOL, "id": 7}, FaultCode.BAD_FIELD, "/id"),
        ({**TOOL, "tool": ""}, FaultCode.MISSING_FIELD, "/tool"),
        ({**TOOL, "args": ["x"]}, FaultCode.BAD_FIELD, "/args"),
        ({**TOOL, "args": {"a": ["${b"]}}, FaultCode.BAD_REFERENCE, "/args/a/0"),
        ({**TOOL, "args": {"a": "${b.c}"}}, FaultCode.BAD_REFERENCE, "/args/a"),
        ({**TOOL, "args": {"a": "x\0"}}, FaultCode.BAD_VALUE, "/args/a"),
        ({**TOOL, "args": {"a": "\ud800"}}, FaultCode.BAD_VALUE, "/args/a"),
        ({**TOOL, "dependsOn": ["a"]}, FaultCode.UNKNOWN_FIELD, "/dependsOn"),
        ({**TOOL, "a/b": 1}, FaultCode.UNKNOWN_FIELD, "/a~1b"),
        ({**TOOL, "code": "def main(inputs): pass"}, FaultCode.UNKNOWN_FIELD, "/code"),
        ({**TOOL, "depends_on": "a"}, FaultCode.BAD_FIELD, "/depends_on"),
        ({**TOOL, "depends_on": [3]}, FaultCode.BAD_FIELD, "/depends_on/0"),
        ({**TOOL, "depends_on": ["a", "${b}"]}, FaultCode.BAD_FIELD, "/depends_on/1"),
        ({**TOOL, "depends_on": [{"id": "a", "on": "done"}]}, FaultCode.BAD_FIELD, "/depends_on/0/on"),
        ({**TOOL, "depends_on": [{"on": "failed"}]}, FaultCode.BAD_FIELD, "/depends_on/0/id"),
        ({**TOOL, "depends_on": [{"id": "a", "when": "failed"}]}, FaultCode.BAD_FIELD, "/depends_on/0"),
        ({**TOOL, "depends_on": ["a", {"id": "a", "on": "failed"}]}, FaultCode.BAD_FIELD, "/depends_on/1"),
        ({**TOOL, "when": 3}, FaultCode.BAD_FIELD, "/when"),
        ({**TOOL, "when": "a"}, FaultCode.BAD_FIELD, "/when"),
        ({**TOOL, "when": {}}, FaultCode.BAD_FIELD, "/when"),
        ({**TOOL, "when": {"all": ["${a}", {"gt": ["${a}"]}]}}, FaultCode.BAD_FIELD, "/when/all/1/gt"),
        ({**TOOL, "when": {"gt": ["${a", 1]}}, FaultCode.BAD_REFERENCE, "/when/gt/0"),
        ({**TOOL, "args": {"a": "${b|b}"}}, FaultCode.BAD_REFERENCE, "/args/a"),
        ({**TOOL, "for_each": "${b}", "args": {"a": "${item|b}"}}, FaultCode.BAD_REFERENCE, "/args/a"),
        ({**TOOL, "require_human_approval": "yes"}, FaultCode.BAD_FIELD, "/require_human_approval"),
        ({**PACKAGE, "code": ""}, FaultCode.MISSING_FIELD, "/code"),
        ({"op": "skip", "id": "a", "because": "b", "why": "c"}, FaultCode.BAD_OP, "/op"),
        ({**TOOL, "item_of": "each"}, FaultCode.UNKNOWN_FIELD, "/item_of"),
        ({**TOOL, "turn": 2}, FaultCode.UNKNOWN_FIELD, "/turn"),
        ({**TOOL, "author": "U1"}, FaultCode.UNKNOWN_FIELD, "/author"),
        ({**TOOL, "colour": "green"}, FaultCode.UNKNOWN_FIELD, "/colour"),
        ({**PACKAGE, "packed": [{"id": "a"}, {"id": "n"}]}, FaultCode.UNKNOWN_FIELD, "/packed"),
        ({**PACKAGE, "packed": []}, FaultCode.UNKNOWN_FIELD, "/packed"),
        ({**PACKAGE, "limits": {"wall_seconds": 900}}, FaultCode.UNKNOWN_FIELD, "/limits"),
        ({**PACKAGE, "args": {}}, FaultCode.UNKNOWN_FIELD, "/args"),
        ({**PACKAGE, "tools": ["fetch", 3]}, FaultCode.BAD_FIELD, "/tools/1"),
        ({**PACKAGE, "result_schema": []}, FaultCode.BAD_FIELD, "/result_schema"),
        ({**PACKAGE, "result_schema": {"title": "x" * 20_000}}, FaultCode.TOO_LARGE, "/result_schema"),
        ({**PACKAGE, "inputs": {"a": "x" * 300_000}}, FaultCode.TOO_LARGE, ""),
    ],
)
def test_wrong_field_is_a_fault_with_its_place(written: Written, code: FaultCode, pointer: str) -> None:
    fault = read_operation(written, 5)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.pointer, fault.line) == (code, pointer, 5)
    assert len(fault.message) < 500


def test_fault_names_the_node_when_its_id_can_be_read() -> None:
    fault = read_operation({**TOOL, "kind": "x"}, None)
    assert isinstance(fault, Fault)
    assert fault.node == "n"


@given(
    plan=plans(),
    key=st.text(max_size=5) | st.sampled_from(["op", "id", "kind", "args", "depends_on", "tools", "title"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    ),
)
def test_any_value_in_any_field_is_read_or_refused(plan: list[Written], key: str, value: Any) -> None:
    read_operation({**plan[-1], key: value}, 1)
