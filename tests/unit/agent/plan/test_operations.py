"""Operations and their JSON form."""

import json

from hypothesis import given
from hypothesis import strategies as st

from agent.ids import Digest, NodeId, ToolName
from agent.plan.operations import (
    Add,
    Cancel,
    Dependency,
    Node,
    NodeKind,
    On,
    PackedStep,
    node_digest,
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
        unique_by=lambda each: each.node,
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
def test_an_operation_survives_its_json_text(operation: Add | Cancel) -> None:
    assert operation_from_json(json.loads(json.dumps(operation_json(operation)))) == operation


def test_a_stored_nodes_digest_keeps_the_spelling_of_numbers() -> None:
    node = Node(id=NodeId("a"), kind=NodeKind.TOOL, title="a", args={"x": 1e22, "y": 1.0, "z": 1})
    read = operation_from_json(json.loads(json.dumps(operation_json(Add(node=node)))))
    assert isinstance(read, Add)
    assert node_digest(read.node) == node_digest(node)
