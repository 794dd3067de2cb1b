"""Split or package: the four rules, what is never packed, and the properties of the pass."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given

from agent.ids import NodeId
from agent.packing.packed_claim import holds
from agent.packing.packing import (
    STEPS,
    Fusion,
    Packing,
    Reason,
    Split,
    TurnPacking,
    only_calls,
    pack,
    packed_ids,
    packing_from_json,
    packing_json,
)
from agent.packing.script_checks import TOKENS_TO_REWRITE
from agent.plan.operations import Add, Cancel, Node, NodeKind, Operation, nodes_added, operation_json
from agent.reading.plan_file import read_plan
from agent.tool import Colour, Registry, colour_of
from infra.tools.files import file_tools
from tests.fakes.packing_plans import ASYNC, CALLING, REGISTRY, SCHEMA, plans, read, script, tool
from tests.fakes.plans import json_lines


def packing(*plan: Any) -> Packing:
    return pack(read(plan), REGISTRY)


def fused(*plan: Any) -> list[str]:
    return [str(fusion) for fusion in packing(*plan).fusions]


def reasons(*plan: Any) -> dict[tuple[str, str], Reason]:
    return {(split.before, split.after): split.reason for split in packing(*plan).splits}


def ids(packing: Packing) -> list[str]:
    return [*nodes_added(packing.operations)]


def test_chain_becomes_one_package_with_the_id_of_its_last_step() -> None:
    packed = packing(tool("fetch", value=1), script("clean", doc="${fetch}"), tool("extract", text="${clean#/text}"))
    [operation] = packed.operations
    assert isinstance(operation, Add)
    node = operation.node
    assert (node.id, node.kind, node.depends_on, node.inputs) == ("extract", NodeKind.PACKAGE, (), {})
    assert node.title == "Do fetch → Work out clean → Do extract"
    assert [(step.id, step.tool) for step in node.packed] == [("fetch", "mix"), ("clean", None), ("extract", "mix")]
    assert [str(fusion) for fusion in packed.fusions] == ["packed: fetch -> clean -> extract"]
    assert packed_ids([node]) == {"fetch": "extract", "clean": "extract"}


def test_consumers_of_one_step_stay_apart() -> None:
    plan = tool("a"), tool("b", text="${a#/text}"), tool("c", text="${a#/text}")
    assert fused(*plan) == []
    assert reasons(*plan) == {("a", "b"): Reason.FAN_OUT, ("a", "c"): Reason.FAN_OUT}


def test_branches_of_a_fork_are_packed_by_themselves() -> None:
    plan = tool("a"), tool("b", "a"), tool("b2", "b"), tool("c", "a"), tool("c2", "c")
    assert fused(*plan) == ["packed: b -> b2", "packed: c -> c2"]


def test_sources_stay_apart_and_the_joining_step_begins_a_package_that_names_them_all() -> None:
    plan = tool("a"), tool("b"), tool("join", value=["${a}", "${b#/list/0}"]), tool("end", value="${join}")
    packed = packing(*plan)
    assert ids(packed) == ["a", "b", "end"]
    node = nodes_added(packed.operations)[NodeId("end")]
    assert [dependency.node for dependency in node.depends_on] == ["a", "b"]
    assert node.inputs == {"a": "${a}", "b#/list/0": "${b#/list/0}"}
    assert reasons(*plan) == {("a", "join"): Reason.JOIN, ("b", "join"): Reason.JOIN}


def test_many_to_many_plan_keeps_its_parallel_nodes() -> None:
    plan = tool("a"), tool("b"), tool("c", "a", "b"), tool("d", "a", "b")
    assert fused(*plan) == []


def test_dependency_that_a_chain_implies_anyway_does_not_break_it() -> None:
    assert fused(tool("a"), tool("b", "a"), tool("c", "a", "b")) == ["packed: a -> b -> c"]
    assert fused(tool("r", tool="post", text="x"), tool("b", "r"), tool("c", "r", "b")) == ["packed: b -> c"]


def test_step_that_waits_for_more_than_the_first_one_does_not_delay_it() -> None:
    plan = tool("slow"), tool("x", "slow"), tool("y", "slow"), tool("a"), tool("b", "a", "x")
    assert fused(*plan) == []


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ([tool("a"), tool("b", "a", tool="post", text="x")], Reason.RED),
        ([tool("a"), {**tool("b", "a"), "require_human_approval": True}], Reason.RED),
        ([tool("a"), tool("b", {"id": "a", "on": "failed"})], Reason.OTHERWISE),
        ([{**script("a"), "result_schema": SCHEMA}, tool("b", "a")], Reason.CHECKED),
        ([tool("a"), tool("b", "a", tool="odd-name")], Reason.UNWRITABLE),
        ([tool("a"), script("b", "a", code="import os\nglobal x\n\ndef main(inputs):\n    pass\n")], Reason.UNWRITABLE),
        ([tool("a"), tool("b", "a"), {"op": "cancel", "id": "b", "why": ""}], Reason.CANCELLED),
    ],
    ids=["red-tool", "red-by-plan", "on-failed", "checked-result", "unspeakable-tool", "unfit-script", "cancelled"],
)
def test_steps_stay_apart_for_a_reason(plan: list[Any], reason: Reason) -> None:
    assert fused(*plan) == []
    assert reasons(*plan) == {("a", "b"): reason}


def test_step_that_takes_the_result_of_whichever_ran_stays_apart() -> None:
    plan = tool("a"), tool("b"), tool("c", value="${a|b#/n}"), tool("d", "c")
    assert fused(*plan) == []
    assert {*reasons(*plan).values()} == {Reason.CHOICE}


def test_step_that_reads_a_file_by_its_name_and_the_one_that_makes_it_keep_their_ids() -> None:
    registry = Registry([*REGISTRY, *file_tools(None)])
    reads = tool("read", tool="files_read") | {"args": {"name": "1/make/report.md"}}
    plan = [tool("a"), script("make", doc="${a}"), reads, script("use", doc="${read}"), script("end", doc="${use}")]
    packed = pack(read(plan, registry), registry)
    assert [str(fusion) for fusion in packed.fusions] == ["packed: a -> make", "packed: use -> end"]
    assert {(split.before, split.after): split.reason for split in packed.splits} == {
        ("make", "read"): Reason.FILE,
        ("read", "use"): Reason.FILE,
    }


def test_end_of_a_chain_stays_apart_when_another_step_waits_for_its_failure() -> None:
    plan = tool("a"), tool("b", "a"), tool("c", "b"), tool("rescue", {"id": "c", "on": "failed"})
    assert fused(*plan) == ["packed: a -> b"]
    assert reasons(*plan) == {("b", "c"): Reason.OBSERVED, ("c", "rescue"): Reason.OTHERWISE}


def test_nodes_that_may_be_at_work_stay_as_they_are() -> None:
    operations = read([tool("a"), tool("b", "a"), tool("c", "b")])
    packed = pack(operations, REGISTRY, keep={NodeId("a")})
    assert [str(fusion) for fusion in packed.fusions] == ["packed: b -> c"]
    assert packed.splits[0].reason is Reason.KEPT


def test_long_chain_becomes_several_packages() -> None:
    plan = [tool("n0"), *(tool(f"n{number}", f"n{number - 1}") for number in range(1, 2 * STEPS + 1))]
    packed = packing(*plan)
    assert ids(packed) == [f"n{STEPS - 1}", f"n{2 * STEPS - 1}", f"n{2 * STEPS}"]
    assert pack(packed.operations, REGISTRY).operations == packed.operations


def test_package_is_never_too_dense_to_be_read_back() -> None:
    code = f"def main(inputs):\n    return [{'1, ' * (TOKENS_TO_REWRITE // 3)}]\n"
    plan = [script("n0", code=code), *(script(f"n{n}", x=f"${{n{n - 1}}}", code=code) for n in range(1, 2 * STEPS))]
    packages = [node for node in nodes_added(packing(*plan).operations).values() if node.packed]
    assert packages
    assert all(holds(package.id, package.code, package.packed) for package in packages)


def test_package_of_calls_alone_differs_from_one_with_a_script() -> None:
    def last(*plan: Any) -> Node:
        return list(nodes_added(packing(*plan).operations).values())[-1]

    assert only_calls(last(tool("a"), tool("b", "a")))
    assert not only_calls(last(tool("a"), script("b", "a")))
    assert not only_calls(last(script("b")))


def test_operations_that_cancel_earlier_nodes_keep_their_place() -> None:
    operations = [*read([tool("a"), tool("b", "a")])]
    cancel = Cancel(id=NodeId("earlier"), why="stale")
    packed = pack([operations[0], cancel, operations[1]], REGISTRY)
    assert packed.operations[0] == cancel
    assert ids(packed) == ["b"]


def before(operations: Sequence[Operation]) -> Mapping[str, frozenset[str]]:
    """Return step -> every step that certainly ended before it begins."""
    found: dict[str, frozenset[str]] = {}
    for node in nodes_added(operations).values():
        earlier: set[str] = set()
        for dependency in node.depends_on:
            earlier |= {dependency.node, *found[dependency.node]}
        for step in [step.id for step in node.packed] or [node.id]:
            found[step] = frozenset(earlier)
            earlier.add(step)
    return found


@given(plans(most=12))
def test_packing_keeps_the_order_of_any_two_steps_and_adds_none(plan: list[Any]) -> None:
    operations = read(plan)
    assert before(pack(operations, REGISTRY).operations) == before(operations)


@given(plans(most=12))
def test_packing_twice_changes_nothing(plan: list[Any]) -> None:
    once = pack(read(plan), REGISTRY)
    twice = pack(once.operations, REGISTRY)
    assert (twice.operations, twice.fusions) == (once.operations, ())


@given(plans(most=12))
def test_packing_puts_no_red_step_into_a_package_and_loses_no_step(plan: list[Any]) -> None:
    operations = read(plan)
    written = nodes_added(operations)
    packed = nodes_added(pack(operations, REGISTRY).operations)
    steps = [step.id for node in packed.values() for step in node.packed or [node]]
    assert sorted(steps) == sorted(written)
    for node in packed.values():
        inside = [written[step.id] for step in node.packed]
        assert all(colour_of(step, REGISTRY) is Colour.GREEN for step in inside)
        assert colour_of(node, REGISTRY) is colour_of(written[node.id], REGISTRY)


@given(plans(most=12))
def test_packed_plan_is_a_valid_plan_and_reads_back_the_same(plan: list[Any]) -> None:
    packed = pack(read(plan), REGISTRY)
    again = read_plan(json_lines([dict(operation_json(operation)) for operation in packed.operations]), REGISTRY)
    assert (list(again.operations), again.faults) == (list(packed.operations), [])


@given(plans(most=12))
def test_edges_are_inside_a_package_or_have_a_reason(plan: list[Any]) -> None:
    operations = read(plan)
    packed = pack(operations, REGISTRY)
    home = {step: fusion.steps[-1] for fusion in packed.fusions for step in fusion.steps}
    edges = {(dependency.node, node.id) for node in nodes_added(operations).values() for dependency in node.depends_on}
    inside = {(a, b) for a, b in edges if a in home and home[a] == home.get(b)}
    assert {(split.before, split.after) for split in packed.splits} == edges - inside


def test_scripts_of_different_kinds_share_a_package() -> None:
    plan = (
        tool("a"),
        script("b", x="${a}", code=CALLING, tools=["mix"]),
        script("c", x="${b}", code=ASYNC, tools=["mix"]),
        script("d", x="${c}"),
    )
    [node] = nodes_added(packing(*plan).operations).values()
    assert node.tools == ("mix",)
    assert "async def main(inputs):\n    a = await atools.mix()" in node.code


FUSION = Fusion(steps=(NodeId("a"), NodeId("b")))
SPLIT = Split(before=NodeId("b"), after=NodeId("c"), reason=Reason.RED, detail="why")


def test_turn_holds_each_fusion_and_each_split_once_in_order() -> None:
    more = Fusion(steps=(NodeId("c"), NodeId("d")))
    first = TurnPacking().merged([FUSION], [SPLIT])
    assert first.merged([FUSION, more], [SPLIT]) == TurnPacking(fusions=(FUSION, more), splits=(SPLIT,))


def test_packing_of_a_turn_is_read_back_from_json() -> None:
    packed = TurnPacking(fusions=(FUSION,), splits=(SPLIT,))
    assert packing_json(packed) == {"fusions": [["a", "b"]], "splits": [["b", "c", "RED", "why"]]}
    assert packing_from_json(packing_json(packed)) == packed
    assert packing_from_json({}) == TurnPacking()


def test_split_for_a_reason_of_another_version_is_left_out() -> None:
    assert packing_from_json({"splits": [["a", "b", "NEW_REASON", ""]]}) == TurnPacking()
