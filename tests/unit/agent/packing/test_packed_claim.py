"""A Package's claim to be packed: what packing wrote is believed, whatever else somebody wrote is not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from agent.ids import NodeId
from agent.packing.packed_claim import holds
from agent.packing.packing import pack
from agent.plan.operations import Node, nodes_added, operation_json
from agent.reading.operation_reader import read_operation
from agent.reading.plan_file import read_plan
from agent.reading.validation import Fault, FaultCode
from tests.fakes.packing_plans import ASYNC, REGISTRY, Written, plans, read, script, tool
from tests.fakes.plans import json_lines

CHAIN = tool("a", n=1), script("b", x="${a}"), tool("c", text="${b#/text} of ${a#/list/0}")
PART, TEXT, PLAIN, MAIN = "def _part", "def _text", "def _plain", "def main(inputs):\n"


def packages(plan: Sequence[Written]) -> list[Node]:
    packed = pack(read(list(plan)), REGISTRY).operations
    return [node for node in nodes_added(packed).values() if node.packed]


@given(plans())
def test_whatever_packing_writes_is_believed(plan: list[Any]) -> None:
    assert all(holds(package.id, package.code, package.packed) for package in packages(plan))


def test_awaited_steps_are_believed() -> None:
    [package] = packages([tool("a"), script("b", x="${a}", code=ASYNC, tools=["mix"])])
    assert holds(package.id, package.code, package.packed)


@pytest.mark.parametrize(
    "change",
    [
        {"code": "def main(inputs):\n    return tools.mix()\n"},
        {"code": "not python ("},
        {"code": ""},
        {"packed": ()},
        {"id": NodeId("d")},
        {MAIN: MAIN + "    tools.mix()\n"},
        {MAIN: MAIN + "    for each in range(1000): tools.mix()\n"},
        {"tools.mix(n=1)": "[tools.mix(n=1) for each in range(9)]"},
        {"tools.mix(n=1)": "tools.mix(n=tools.mix())"},
        {"tools.mix(n=1)": "tools.fail(n=1)"},
        {"tools.mix(n=1)": "tools.mix(n=print('x'))"},
        {"tools.mix(n=1)": "tools.mix(n=[each for each in inputs])"},
        {"tools.mix(n=1)": "tools.mix(n=lambda: 1)"},
        {"_script_2()": "_script_1()"},
        {"def _script_2": "def _script_3"},
        {PLAIN: "tools.mix()\n\n" + PLAIN},
        {PLAIN: "def other():\n    return tools.mix()\n\n" + PLAIN},
        {"json.loads(json.dumps": "tools.mix(json.dumps"},
        {"def main(inputs)": "def main(inputs=tools.mix())"},
        {"    return tools": "    return a\n    return tools"},
        {"a = ": "a = b = "},
    ],
)
def test_another_script_is_not_believed(change: Mapping[str, Any]) -> None:
    [package] = packages(CHAIN)
    assert all(part in package.code for part in (PART, TEXT, PLAIN, MAIN))
    fields = {key: value for key, value in change.items() if key in ("id", "code", "packed")}
    code = package.code
    for old in change.keys() - fields:
        before, found, after = code.rpartition(old)
        assert found
        code = before + change[old] + after
    other = replace(package, **{"code": code, **fields})
    assert not holds(other.id, other.code, other.packed)


@pytest.mark.parametrize("steps", [[0], [0, 1], [1, 2], [0, 2, 1], [0, 1, 1, 2], [2, 1, 0]])
def test_other_steps_are_not_believed(steps: list[int]) -> None:
    [package] = packages(CHAIN)
    assert not holds(package.id, package.code, [package.packed[step] for step in steps])


def test_plan_file_may_name_its_packed_steps_and_a_model_may_not() -> None:
    [package] = pack(read(CHAIN), REGISTRY).operations
    written = operation_json(package)
    assert read_plan(json_lines([dict(written)]), REGISTRY).operations == [package]
    refused = read_operation(written, 1)
    assert isinstance(refused, Fault)
    assert (refused.code, refused.pointer) == (FaultCode.UNKNOWN_FIELD, "/packed")


def test_plan_file_that_claims_too_much_is_refused_at_that_place() -> None:
    [package] = pack(read(CHAIN), REGISTRY).operations
    written = {**operation_json(package), "code": "def main(inputs):\n    return tools.mix()\n"}
    [fault] = read_plan(json_lines([written]), REGISTRY).faults
    assert (fault.code, fault.node, fault.pointer) == (FaultCode.BAD_FIELD, "c", "/packed")


@pytest.mark.parametrize("packed", [3, "a", [3], [{"id": "a b"}], [{"id": "a", "title": 3}], [], [{"id": "c"}]])
def test_malformed_claim_is_a_fault(packed: Any) -> None:
    [package] = pack(read(CHAIN), REGISTRY).operations
    [fault] = read_plan(json_lines([{**operation_json(package), "packed": packed}]), REGISTRY).faults
    assert fault.code is FaultCode.BAD_FIELD
    assert fault.pointer.startswith("/packed")
