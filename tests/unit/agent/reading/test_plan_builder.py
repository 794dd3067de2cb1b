"""The plan builder: which operations it admits, in which order, and the faults of the others."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import NodeId, ToolName
from agent.limits import PlanLimits
from agent.packing.packing import pack
from agent.plan.operations import Add, Node, On, Operation, PackedStep, nodes_added
from agent.reading.operation_reader import Ask, NeedTools, Reply
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.stream_reader import read_plan_text
from agent.reading.validation import Fault, FaultCode, fault_json
from agent.roles import SubagentRole
from agent.tool import Colour, Registry, asks_inside, colour_of
from tests.fakes.plans import REGISTRY, SCRIPT, Written, json_lines, json_values, places_in, plans, tool


def fetch(id: str, *after: Any, **more: Any) -> Written:
    written: Written = {"op": "add", "id": id, "kind": "tool", "tool": "fetch", "args": {"url": "http://x"}, **more}
    return {**written, "depends_on": list(after)} if after else written


def package(id: str, **more: Any) -> Written:
    return {"op": "add", "id": id, "kind": "package", "code": SCRIPT, "tools": ["look"], **more}


class Checked:
    """A plan that was offered to a builder: `admitted` in order, and `faults`."""

    def __init__(self, plan: list[Written] | str, builder: PlanBuilder | None = None) -> None:
        builder = builder or PlanBuilder(registry=REGISTRY, known={})
        self.admitted: list[Operation] = []
        self.faults: list[Fault] = []
        for item in read_plan_text(plan if isinstance(plan, str) else json_lines(plan)):
            match item:
                case Placed():
                    admission = builder.offer(item)
                    self.admitted += admission.admitted
                    self.faults += admission.faults
                case Fault():
                    builder.refuse(item)
                    self.faults.append(item)
                case Reply() | Ask() | NeedTools():
                    pass
        self.faults += builder.close()

    @property
    def ids(self) -> list[str]:
        return [operation.node.id if isinstance(operation, Add) else operation.id for operation in self.admitted]

    @property
    def places(self) -> list[tuple[FaultCode, int | None, str, str]]:
        return [(fault.code, fault.line, fault.node, fault.pointer) for fault in self.faults]


def known(*plan: Written) -> dict[NodeId, Node]:
    return dict(nodes_added(Checked(list(plan)).admitted))


def assert_in_order(admitted: list[Operation]) -> None:
    seen: set[NodeId] = set()
    for operation in admitted:
        if isinstance(operation, Add):
            assert {dependency.node for dependency in operation.node.depends_on} <= seen
            seen.add(operation.node.id)


@given(plan=plans())
def test_valid_plan_is_admitted_whole_and_in_its_order(plan: list[Written]) -> None:
    checked = Checked(plan)
    assert checked.faults == []
    assert checked.ids == [step["id"] for step in plan]


@given(data=st.data(), plan=plans())
def test_valid_plan_in_any_order_is_admitted_with_dependencies_first(data: st.DataObject, plan: list[Written]) -> None:
    checked = Checked(data.draw(st.permutations(plan)))
    assert checked.faults == []
    assert sorted(checked.ids) == sorted(step["id"] for step in plan)
    assert_in_order(checked.admitted)


@given(data=st.data(), plan=plans(most=5))
def test_spoilt_plan_is_admitted_or_refused_with_the_place(data: st.DataObject, plan: list[Written]) -> None:
    """Any value in any place of a valid plan: what is refused names its line, and what stands is in order."""
    at = data.draw(st.integers(0, len(plan) - 1))
    pointer = data.draw(st.sampled_from([pointer for pointer, _ in places_in(plan[at]) if pointer]))
    value = data.draw(json_values | st.sampled_from(["${a}", "${", "look", "post", "on"]))
    spoilt = spoil(plan[at], pointer, value)
    checked = Checked([*plan[:at], spoilt, *plan[at + 1 :]])
    assert_in_order(checked.admitted)
    assert len(checked.faults) > 0 or len(checked.admitted) == len(plan)
    for fault in checked.faults:
        assert fault.line is not None
        assert 1 <= fault.line <= len(plan)
        assert fault.message
        assert set(fault_json(fault)) == {"line", "node", "pointer", "code", "message"}
        if fault.line != at + 1:
            assert fault.code in (FaultCode.HELD_BACK, FaultCode.UNKNOWN_NODE, FaultCode.CYCLE, FaultCode.DUPLICATE_ID)


def spoil(written: Written, pointer: str, value: Any) -> Written:
    """Return the operation with another value at a place."""
    copy: Any = json.loads(json.dumps(written))
    *way, last = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    holder = copy
    for token in way:
        holder = holder[int(token) if isinstance(holder, list) else token]
    holder[int(last) if isinstance(holder, list) else last] = value
    return copy


@given(data=st.data(), plan=plans(least=2))
def test_missing_node_is_named_by_those_that_need_it(data: st.DataObject, plan: list[Written]) -> None:
    gone = data.draw(st.sampled_from(plan))
    rest = [step for step in plan if step is not gone]
    wanted = {add.node.id for add in Checked(plan).admitted if isinstance(add, Add) and _needs(add, gone["id"])}
    checked = Checked(rest)
    assert {fault.node for fault in checked.faults if fault.code is FaultCode.UNKNOWN_NODE} == wanted
    assert set(checked.ids) | {fault.node for fault in checked.faults} == {step["id"] for step in rest}


def _needs(add: Add, id: str) -> bool:
    return any(dependency.node == id for dependency in add.node.depends_on)


@pytest.mark.parametrize(
    "broken",
    [
        json.dumps({**fetch("b0"), "kind": "wish"}),
        json.dumps({**fetch("b0"), "op": "plus"}),
        json.dumps({**fetch("b0"), "retries": 3}),
        json.dumps({**fetch("b0"), "args": {"n": 2**70}}),
        json.dumps({**fetch("b0"), "args": {"url": "x" * 300_000}}),
        json.dumps(fetch("b0"))[:-3] + ",}",
        json.dumps(fetch("b0")).replace('"args"', "args"),
        json.dumps({**fetch("b0"), "title": "a"}).replace('"a"', '"a\nb"'),
        json.dumps({**fetch("b0"), "tool": "fly"}),
        json.dumps({**fetch("like"), "id": "list-0"}).replace("list-0", "b0"),
    ],
    ids=["kind", "op", "field", "integer", "size", "comma", "quotes", "line break", "tool", "nothing"],
)
def test_what_needs_a_broken_operation_is_held_back_and_not_told_that_there_is_no_such_node(broken: str) -> None:
    rest = [fetch("b1", "b0"), fetch("b2", args={"url": "${b1}"}), {"op": "cancel", "id": "b0"}]
    checked = Checked(f"{broken}\n{json_lines(rest)}")
    codes = {fault.node: fault.code for fault in checked.faults[1:]}
    if checked.ids:
        assert checked.ids == ["b0", "b1", "b2", "b0"]
    else:
        assert codes == dict.fromkeys(("b1", "b2", "b0"), FaultCode.HELD_BACK)


def test_what_needs_an_operation_that_never_ended_is_held_back() -> None:
    checked = Checked(json_lines([fetch("b1", "b0")]) + json.dumps(fetch("b0"))[:-5])
    assert {fault.node: fault.code for fault in checked.faults} == {
        "b0": FaultCode.UNFINISHED,
        "b1": FaultCode.HELD_BACK,
    }


Case = tuple[list[Written], list[tuple[FaultCode, int, str, str]]]

FAULTY: list[Case] = [
    ([{**fetch("a"), "tool": "fly"}], [(FaultCode.UNKNOWN_TOOL, 1, "a", "/tool")]),
    ([{**fetch("a"), "tool": "files_write"}], [(FaultCode.UNKNOWN_TOOL, 1, "a", "/tool")]),
    ([{**fetch("a"), "args": {}}], [(FaultCode.BAD_ARGUMENTS, 1, "a", "/args")]),
    ([{**fetch("a"), "args": {"url": 3}}], [(FaultCode.BAD_ARGUMENTS, 1, "a", "/args/url")]),
    ([fetch("a"), fetch("a")], [(FaultCode.DUPLICATE_ID, 2, "a", "/id")]),
    ([fetch("a", "b")], [(FaultCode.UNKNOWN_NODE, 1, "a", "/depends_on")]),
    ([fetch("a", args={"url": "${b#/x}"})], [(FaultCode.UNKNOWN_NODE, 1, "a", "/args/url")]),
    ([fetch("a", "a")], [(FaultCode.SELF_DEPENDENCY, 1, "a", "/depends_on")]),
    ([fetch("a", args={"url": "see ${a}"})], [(FaultCode.SELF_DEPENDENCY, 1, "a", "/args/url")]),
    (
        [fetch("a", "c"), fetch("b", "a"), fetch("c", "b"), fetch("d", "c")],
        [
            (FaultCode.CYCLE, 1, "a", "/depends_on"),
            (FaultCode.HELD_BACK, 2, "b", "/depends_on"),
            (FaultCode.HELD_BACK, 3, "c", "/depends_on"),
            (FaultCode.HELD_BACK, 4, "d", "/depends_on"),
        ],
    ),
    ([{"op": "cancel", "id": "a"}], [(FaultCode.UNKNOWN_NODE, 1, "a", "/id")]),
    ([package("a", code="x = 1")], [(FaultCode.BAD_SCRIPT, 1, "a", "/code")]),
    ([package("a", code="def main(): return 1", tools=[])], [(FaultCode.BAD_SCRIPT, 1, "a", "/code")]),
    ([package("a", tools=[])], [(FaultCode.BAD_SCRIPT, 1, "a", "/code")]),
    (
        [package("a", tools=["look", "post"], require_human_approval=True)],
        [(FaultCode.RED_TOOL_IN_PACKAGE, 1, "a", "/tools/1")],
    ),
    ([package("a" * 59, tools=["look", "post"])], [(FaultCode.BAD_FIELD, 1, "a" * 59, "/id")]),
    (
        [package("a", code="def main(inputs):\n    tools.post(channel='a', text='b')\n    return 1\n", tools=[])],
        [(FaultCode.RED_TOOL_IN_PACKAGE, 1, "a", "/code")],
    ),
    (
        [package("a", code="def main(inputs):\n    return inputs['b']\n", tools=[], inputs={"c": 1})],
        [(FaultCode.BAD_SCRIPT, 1, "a", "/inputs")],
    ),
    ([package("a", tools=["look", "fly"])], [(FaultCode.UNKNOWN_TOOL, 1, "a", "/tools/1")]),
    ([package("a", result_schema={"pattern": "x"})], [(FaultCode.BAD_SCHEMA, 1, "a", "/result_schema/pattern")]),
    (
        [{"op": "add", "id": "a", "kind": "subagent", "role": "r", "instruction": "do"}],
        [(FaultCode.NOT_AVAILABLE, 1, "a", "/kind")],
    ),
]


@pytest.mark.parametrize(("plan", "expected"), FAULTY)
def test_fault_names_its_place(plan: list[Written], expected: list[Any]) -> None:
    checked = Checked(plan)
    assert checked.places == expected


def test_cycle_is_spelt_out() -> None:
    [first, *_] = Checked([fetch("x"), fetch("a", "b"), fetch("b", "a", "x")]).faults
    assert first.message == "these nodes wait for each other: a -> b -> a"


def test_operations_beside_a_fault_are_admitted() -> None:
    checked = Checked([fetch("a"), fetch("b", "nobody"), fetch("c", "a"), fetch("d", "b")])
    assert checked.ids == ["a", "c"]
    assert [fault.node for fault in checked.faults] == ["b", "d"]


def test_corrected_line_releases_what_waited_for_it() -> None:
    checked = Checked([{**fetch("a"), "args": {}}, fetch("b", "a"), fetch("a")])
    assert checked.ids == ["a", "b"]
    assert [fault.code for fault in checked.faults] == [FaultCode.BAD_ARGUMENTS]


def test_ids_of_the_thread_are_taken() -> None:
    builder = PlanBuilder(registry=REGISTRY, known=known(fetch("a")))
    checked = Checked([fetch("c", "a"), fetch("a"), fetch("b", "a"), fetch("d", "b")], builder)
    assert checked.places == [
        (FaultCode.DUPLICATE_ID, 2, "a", "/id"),
        (FaultCode.HELD_BACK, 3, "b", "/depends_on"),
        (FaultCode.HELD_BACK, 4, "d", "/depends_on"),
    ]
    assert checked.ids == ["c"], "behind the second a, nobody knows which one is meant"


@pytest.mark.parametrize("again", [{"args": {}}, {"args": {"url": "http://other"}}], ids=["unreadable", "other"])
def test_node_that_was_to_be_added_again_is_not_taken_for_the_other(again: Written) -> None:
    nodes = known(fetch("a"))
    builder = PlanBuilder(registry=REGISTRY, known=nodes, added_before=nodes.keys())
    text = {**fetch("b"), "args": {"url": "${a#/next}"}}
    checked = Checked([{**fetch("a"), **again}, text], builder)
    assert (checked.ids, checked.places[1:]) == ([], [(FaultCode.HELD_BACK, 2, "b", "/args/url")])
    assert Checked([text], PlanBuilder(registry=REGISTRY, known=nodes)).ids == ["b"]


def test_node_that_does_the_same_under_another_title_is_meant_either_way() -> None:
    nodes = known(fetch("a"))
    builder = PlanBuilder(registry=REGISTRY, known=nodes, added_before=nodes.keys())
    assert Checked([fetch("a", title="other"), fetch("b", "a")], builder).ids == ["b"]


def test_repeating_a_standing_node_exactly_changes_nothing() -> None:
    nodes = known(fetch("a"))
    builder = PlanBuilder(registry=REGISTRY, known=nodes, added_before=nodes.keys())
    checked = Checked([fetch("a"), fetch("b", "a")], builder)
    assert (checked.ids, checked.faults, builder.offers) == (["b"], [], 2)


def test_changing_a_standing_node_is_a_fault() -> None:
    nodes = known(fetch("a"))
    builder = PlanBuilder(registry=REGISTRY, known=nodes, added_before=nodes.keys())
    assert Checked([fetch("a", title="other")], builder).places == [(FaultCode.DUPLICATE_ID, 1, "a", "/id")]


STEPS = PackedStep(id=NodeId("a"), title="A", tool=ToolName("look")), PackedStep(id=NodeId("b"), title="B")
ADDS = Checked([fetch("a"), fetch("b", "a")]).admitted
PACKED = {node.id: replace(node, packed=STEPS) for node in known(package("b")).values()}


@pytest.mark.parametrize(
    ("operation", "code", "pointer"),
    [
        (fetch("c", "a"), FaultCode.UNKNOWN_NODE, "/depends_on"),
        ({"op": "cancel", "id": "a"}, FaultCode.UNKNOWN_NODE, "/id"),
        (fetch("a"), FaultCode.DUPLICATE_ID, "/id"),
    ],
    ids=["referred-to", "cancelled", "added-again"],
)
def test_step_inside_a_package_is_no_node_of_the_thread(operation: Written, code: FaultCode, pointer: str) -> None:
    checked = Checked([operation], PlanBuilder(registry=REGISTRY, known=PACKED))
    assert (checked.ids, [(fault.code, fault.pointer) for fault in checked.faults]) == ([], [(code, pointer)])
    assert code is FaultCode.DUPLICATE_ID or "inside the package 'b'" in checked.faults[0].message


def test_repeating_the_steps_of_a_standing_package_changes_nothing() -> None:
    builder = PlanBuilder(registry=REGISTRY, known=PACKED, added_before=PACKED.keys())
    checked = Checked([fetch("a"), fetch("b", "a"), fetch("c", "b")], builder)
    assert (checked.ids, checked.faults) == (["c"], [])


def test_step_of_a_stored_package_that_is_changed_needs_another_id() -> None:
    """A follow-up may use the name of a step that it is not shown: what it asks for must not get lost."""
    packed = {add.node.id: add.node for add in pack(ADDS, REGISTRY).operations if isinstance(add, Add)}
    assert packed.keys() == {"b"}
    builder = PlanBuilder(registry=REGISTRY, known=packed, added_before=packed.keys())
    checked = Checked([fetch("a"), fetch("b", "a"), fetch("a", title="The other page")], builder)
    assert checked.ids == []
    assert checked.places == [(FaultCode.DUPLICATE_ID, 3, "a", "/id")]


def test_node_of_the_thread_can_be_cancelled() -> None:
    builder = PlanBuilder(registry=REGISTRY, known=known(fetch("a")))
    assert Checked([{"op": "cancel", "id": "a"}], builder).ids == ["a"]


def test_nodes_over_the_limit_cost_one_fault() -> None:
    builder = PlanBuilder(registry=REGISTRY, known={}, limits=PlanLimits(nodes=3))
    checked = Checked([fetch(f"n{index}") for index in range(10)], builder)
    assert checked.ids == ["n0", "n1", "n2"]
    assert checked.places == [(FaultCode.TOO_MANY_NODES, 4, "n3", "")]


def test_nodes_that_wait_count_towards_the_limit() -> None:
    builder = PlanBuilder(registry=REGISTRY, known={}, limits=PlanLimits(nodes=2))
    checked = Checked([fetch("a", "c"), fetch("b", "c"), fetch("c")], builder)
    assert checked.ids == []
    assert {fault.code for fault in checked.faults} == {FaultCode.TOO_MANY_NODES, FaultCode.HELD_BACK}


def test_packages_without_a_sandbox_are_refused() -> None:
    builder = PlanBuilder(registry=REGISTRY, known={}, packages=False)
    assert Checked([package("a"), fetch("b")], builder).places == [(FaultCode.NO_SANDBOX, 1, "a", "/kind")]


def test_two_cycles_are_both_named() -> None:
    checked = Checked([fetch("a", "b"), fetch("b", "a"), fetch("c", "d"), fetch("d", "c")])
    assert [fault.node for fault in checked.faults if fault.code is FaultCode.CYCLE] == ["a", "c"]


ROLES = Registry(
    REGISTRY,
    [
        SubagentRole(name="worker", prompt="Work.", tools=("look", "post"), result_schema={"type": "object"}),
        SubagentRole(name="chief", prompt="Lead.", lead=True),
    ],
)


def role(id: str, name: str = "worker", **more: Any) -> Written:
    return {"op": "add", "id": id, "kind": "subagent", "role": name, "instruction": "do it", **more}


def with_roles(*plan: Written, **more: Any) -> Checked:
    return Checked([*plan], PlanBuilder(registry=ROLES, known={}, **more))


def test_subagent_gets_what_its_role_has_where_the_plan_says_nothing() -> None:
    checked = with_roles(role("a"), role("b", tools=["look"], result_schema={"type": "array"}))
    nodes = [operation.node for operation in checked.admitted if isinstance(operation, Add)]
    assert [(node.tools, node.result_schema) for node in nodes] == [
        (("look", "post"), {"type": "object"}),
        (("look",), {"type": "array"}),
    ]


@pytest.mark.parametrize(
    ("written", "code", "pointer"),
    [
        (role("a", "nobody"), FaultCode.UNKNOWN_ROLE, "/role"),
        (role("a", tools=["fly"]), FaultCode.UNKNOWN_TOOL, "/tools/0"),
        (role("a", tools=["files_write"]), FaultCode.UNKNOWN_TOOL, "/tools/0"),
        (role("a", tools=["fetch"]), FaultCode.BAD_FIELD, "/tools/0"),
        (role("a" * 60), FaultCode.BAD_FIELD, "/id"),
        (role("a" * 60, "chief"), FaultCode.BAD_FIELD, "/id"),
        (role("a", result_schema={"pattern": "x"}), FaultCode.BAD_SCHEMA, "/result_schema/pattern"),
        (role("a", files=["no reference"]), FaultCode.BAD_FIELD, "/files/0"),
    ],
)
def test_subagent_that_cannot_work_is_a_fault(written: Written, code: FaultCode, pointer: str) -> None:
    assert [(fault.code, fault.pointer) for fault in with_roles(written).faults] == [(code, pointer)]


def test_subagent_that_asks_as_a_whole_may_have_red_tools_which_ask_again() -> None:
    checked = with_roles(role("a", tools=["post"], require_human_approval=True))
    assert checked.faults == []
    [node] = [operation.node for operation in checked.admitted if isinstance(operation, Add)]
    assert (colour_of(node, ROLES), asks_inside(node, ROLES)) == (Colour.RED, True)


def test_files_are_dependencies_and_the_same_subagent_again_is_no_fault() -> None:
    written = role("b", files=["${a}"])
    checked = with_roles(fetch("a"), written)
    nodes = {operation.node.id: operation.node for operation in checked.admitted if isinstance(operation, Add)}
    assert [edge.node for edge in nodes[NodeId("b")].depends_on] == ["a"]
    again = Checked([written], PlanBuilder(registry=ROLES, known=nodes, added_before={NodeId("b")}))
    assert (again.admitted, again.faults) == ([], [])


NAME: dict[str, Any] = {"name": {"type": "string"}}
FILES = Registry(
    [
        *REGISTRY,
        *(tool(f"files_{name}", Colour.GREEN, NAME, "name") for name in ("read", "head")),
        tool("files_grep", Colour.GREEN, {**NAME, "pattern": {"type": "string"}}, "name", "pattern"),
    ]
)


def reads(id: str, name: str, *after: Any, by: str = "files_read", **more: Any) -> Written:
    args = {"name": name, **({"pattern": "x"} if by == "files_grep" else {})}
    return fetch(id, *after, **more) | {"tool": by, "args": args}


def offered(*plan: Written, **more: Any) -> Checked:
    settings: dict[str, Any] = {"known": {}, **more}
    return Checked([*plan], PlanBuilder(registry=FILES, **settings))


def edges(checked: Checked) -> dict[str, list[str]]:
    return {node: [edge.node for edge in added.depends_on] for node, added in nodes_added(checked.admitted).items()}


@pytest.mark.parametrize("by", ["files_read", "files_head", "files_grep"])
def test_step_that_names_a_file_waits_for_the_files_node(by: str) -> None:
    checked = offered(fetch("x"), package("a"), reads("b", "1/a/report.txt", "x", by=by))
    assert (checked.faults, edges(checked)) == ([], {"x": [], "a": [], "b": ["a", "x"]})


def test_file_may_be_named_without_its_turn() -> None:
    nodes = known(package("old"), package("mine"))
    turns = {NodeId("old"): 1, NodeId("mine"): 3}
    plan = (reads("b", "mine/r.txt"), reads("c", "old/r.txt"), package("late"), reads("d", "late/r.txt"))
    checked = offered(*plan, known=nodes, turn=3, turns=turns)
    assert checked.faults == []
    names = {name: node.args["name"] for name, node in nodes_added(checked.admitted).items() if node.args}
    assert names == {"b": "3/mine/r.txt", "c": "1/old/r.txt", "d": "3/late/r.txt"}
    assert edges(checked) == {"b": ["mine"], "c": [], "late": [], "d": ["late"]}


def test_step_waits_for_a_file_whose_node_is_written_later() -> None:
    checked = offered(reads("b", "1/a/report.txt"), package("a"))
    assert (checked.faults, checked.ids) == ([], ["a", "b"])


@pytest.mark.parametrize(
    ("plan", "places"),
    [
        ([reads("b", "1/a/r.txt")], [(FaultCode.UNKNOWN_NODE, 1, "b", "/args/name")]),
        ([reads("b", "1/b/r.txt")], [(FaultCode.SELF_DEPENDENCY, 1, "b", "/args/name")]),
        ([reads("a", "1/b/r.txt"), reads("b", "1/a/r.txt")], [(FaultCode.CYCLE, 1, "a", "/depends_on")]),
    ],
    ids=["no such node", "its own", "each other's"],
)
def test_file_that_no_step_can_read_is_a_fault(plan: list[Written], places: list[Any]) -> None:
    assert offered(*plan).places[:1] == places


def test_file_of_a_packed_step_is_a_fault_that_names_the_package() -> None:
    checked = offered(reads("c", "1/a/r.txt"), known=PACKED)
    assert "inside the package" in checked.faults[0].message


def test_file_of_an_item_is_waited_for_with_its_list() -> None:
    each = fetch("each", for_each="${x}")
    checked = offered(fetch("x"), each, reads("b", "1/each-0/each-0.json"))
    assert (checked.faults, edges(checked)["b"]) == ([], ["each"])


def test_an_edge_that_is_written_stays_the_only_one() -> None:
    checked = offered(package("a"), reads("b", "1/a/r.txt", {"id": "a", "on": "finished"}))
    (edge,) = nodes_added(checked.admitted)[NodeId("b")].depends_on
    assert edge.on is On.FINISHED


def test_reader_of_a_file_is_admitted_once_however_often_it_is_written() -> None:
    nodes = dict(nodes_added(offered(package("a"), reads("b", "a/r.txt"), turn=2).admitted))
    turns = dict.fromkeys(nodes, 2)
    again = offered(reads("b", "a/r.txt"), known=nodes, added_before=nodes.keys(), turn=2, turns=turns)
    assert (again.faults, again.admitted) == ([], [])
