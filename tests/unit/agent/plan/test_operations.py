"""Operations and their JSON form."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import Digest, NodeId, ToolName
from agent.plan.operations import (
    Add,
    Cancel,
    Dependency,
    HandedFile,
    Node,
    NodeKind,
    On,
    PackedStep,
    node_from_json,
    node_json,
    operation_from_json,
    operation_json,
)

_names = st.text(min_size=1, max_size=8)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_objects = st.dictionaries(st.text(), _json, max_size=3)
_nodes = st.builds(
    Node,
    id=_names.map(NodeId),
    kind=st.sampled_from(NodeKind),
    title=st.text(),
    depends_on=st.lists(
        st.builds(Dependency, node=_names.map(NodeId), on=st.sampled_from(On)),
        max_size=3,
        unique_by=lambda dependency: dependency.node,
    ).map(tuple),
    require_human_approval=st.booleans(),
    tool=st.none() | _names.map(ToolName),
    args=_objects,
    code=st.text(),
    inputs=_objects,
    tools=st.lists(_names.map(ToolName), max_size=3).map(tuple),
    result_schema=st.none() | _objects,
    role=st.text(),
    instruction=st.text(),
    packed=st.lists(
        st.builds(
            PackedStep,
            id=_names.map(NodeId),
            title=st.text(),
            tool=st.none() | _names.map(ToolName),
            digest=st.none() | _names.map(Digest),
        ),
        max_size=2,
    ).map(tuple),
)
_operations = st.builds(Add, node=_nodes) | st.builds(Cancel, id=_names.map(NodeId), why=st.text())


@given(_operations)
def test_operation_survives_its_json_text(operation: Add | Cancel) -> None:
    assert operation_from_json(json.loads(json.dumps(operation_json(operation)))) == operation


BARE = Node(id=NodeId("a"), kind=NodeKind.TOOL, title="A")
FULL = Node(
    id=NodeId("b"),
    kind=NodeKind.SUBAGENT,
    title="B",
    depends_on=(Dependency(node=NodeId("c")), Dependency(node=NodeId("d"), on=On.FINISHED)),
    require_human_approval=True,
    tool=ToolName("fetch"),
    args={"url": "${c#/url}", "pages": [1, 2.0, None]},
    code="def main(inputs): return 1",
    inputs={"c": "${c}"},
    tools=(ToolName("fetch"),),
    result_schema={},
    role="reader",
    instruction="Read ${c}",
    packed=(PackedStep(id=NodeId("b"), title="B", digest=Digest("0")),),
    for_each="${c#/list}",
    when="${c#/ok}",
    item_of=NodeId("e"),
    undoes=NodeId("u"),
)
NEWER = replace(
    FULL,
    position=Digest("0"),
    handed=(HandedFile(name="1/lead/a.md", digest=Digest("1"), size=2),),
    files=("${c}", "${d#/x}"),
    expected_artifact="a note",
    given={"value": 1},
    replaces=NodeId("r"),
    done_before=True,
    name="shop",
)
"""With the fields that came after the digest of FULL was pinned."""


@pytest.mark.parametrize("name", [field.name for field in fields(Node)])
def test_field_of_a_node_is_printed_read_and_part_of_the_digest(name: str) -> None:
    node = replace(BARE, **{name: getattr(NEWER, name)})
    assert node != BARE, "give NEWER another value than the default"
    assert name in node_json(node)
    assert node_from_json(json.loads(json.dumps(node_json(node)))) == node
    assert node.digest != BARE.digest


def test_digest_of_a_stored_node_never_changes() -> None:
    assert node_json(BARE) == {"id": "a", "kind": "tool", "title": "A"}
    assert BARE.digest == "5ba5572af39036c4742c65d916a84198cac4890c06742d60ba4af7628d693cfd"
    assert replace(FULL, undoes=None).digest == "2db488dba8fda1b7e301251471032288c459dfd8e1b2103f45af6a8147c9d0ee"


def test_digest_of_a_stored_node_keeps_the_spelling_of_numbers() -> None:
    node = Node(id=NodeId("a"), kind=NodeKind.TOOL, title="a", args={"x": 1e22, "y": 1.0, "z": 1})
    read = operation_from_json(json.loads(json.dumps(operation_json(Add(node=node)))))
    assert isinstance(read, Add)
    assert read.node.digest == node.digest
