"""Corrections: which nodes are withdrawn, planned anew and left alone, and which node a person names."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import NodeId, ToolName, UserId
from agent.plan.corrections import AGAIN, Standing, Unsettable, Why, Wish, read_stored, stored_wish, value_in
from agent.plan.operations import Add, Cancel, Dependency, Node, NodeKind, On, PackedStep
from agent.plan.outcomes import Cancelled, Failed, Outcome, Rejected, Skipped, Succeeded
from sandbox.script import Json

OK = Succeeded(value=1)
LOST = Failed(error="http_500", message="no")


def a_node(id: str, *needs: str, on: On = On.SUCCEEDED, **more: object) -> Node:
    edges = tuple(Dependency(node=NodeId(need), on=on) for need in needs)
    args: Mapping[str, Json] = {"of": [f"${{{need}#/x}} and $${{{need}}}" for need in needs if on is On.SUCCEEDED]}
    fields: dict[str, object] = {"kind": NodeKind.TOOL, "title": f"Title of {id}", "tool": ToolName("t"), "args": args}
    return Node(id=NodeId(id), depends_on=edges, **{**fields, **more})  # pyright: ignore[reportArgumentType]


def standing(*nodes: Node, **outcomes: Outcome) -> Standing:
    return Standing({node.id: node for node in nodes}, {NodeId(name): outcome for name, outcome in outcomes.items()})


def wish(node: str, value: Json = 17) -> Wish:
    return Wish(node=NodeId(node), value=value)


def test_what_came_from_a_result_refers_to_the_set_one_and_to_each_other() -> None:
    nodes = (a_node("a"), a_node("b", "a"), a_node("c", "b", "other"), a_node("other"))
    ended = standing(nodes[0], nodes[3], nodes[1], nodes[2], a=OK, b=OK, other=OK)
    correction = ended.correction(wish("a"), "Ada set it", "set", turn=2, done=())
    assert correction.given == Node(
        id=NodeId("a-set"), kind=NodeKind.TOOL, title="Ada set it", given={"value": 17}, replaces=NodeId("a")
    )
    b, c = correction.copies
    assert (b.id, b.args, [edge.node for edge in b.depends_on]) == (
        "b-again",
        {"of": ["${a-set#/x} and $${a}"]},
        ["a-set"],
    )
    assert [edge.node for edge in c.depends_on] == ["b-again", "other"]
    assert [operation.id for operation in correction.operations if isinstance(operation, Cancel)] == ["c"]


def test_what_ran_because_a_node_failed_is_planned_anew_behind_the_set_result() -> None:
    ended = standing(a_node("a"), a_node("fallback", "a", on=On.FAILED), a=LOST, fallback=OK)
    (fallback,) = ended.correction(wish("a"), "", "", turn=2, done=()).copies
    assert fallback.depends_on == (Dependency(node=NodeId("a-set"), on=On.FAILED),)


@pytest.mark.parametrize("outcome", [LOST, Rejected(by=UserId("U1")), Skipped(because=NodeId("a")), None])
def test_what_failed_was_rejected_or_waited_is_planned_anew(outcome: Outcome | None) -> None:
    ends = {"a": LOST} | ({} if outcome is None else {"b": outcome})
    correction = standing(a_node("a"), a_node("b", "a"), **ends).correction(wish("a"), "", "", turn=2, done=())
    assert [copy.id for copy in correction.copies] == ["b-again"]


def test_what_was_withdrawn_stays_withdrawn_unless_it_could_not_be_reached() -> None:
    ended = standing(a_node("a"), a_node("b", "a"), a=LOST, b=Cancelled(why="stopped"))
    assert ended.correction(wish("a"), "", "", turn=2, done=()).copies == []
    (again,) = ended.correction(wish("a"), "", "", turn=2, done=(), withdrawn={NodeId("b")}).copies
    assert again.replaces == "b"


def test_a_started_call_is_not_withdrawn_and_its_copy_says_that_it_was_made() -> None:
    correction = standing(a_node("a"), a_node("b", "a"), a=OK).correction(wish("a"), "", "", turn=2, done={NodeId("b")})
    (copy,) = correction.copies
    assert (copy.done_before, copy.title) == (True, f"{AGAIN}Title of b")
    assert not [operation for operation in correction.operations if isinstance(operation, Cancel)]


def reads(id: str, file: str, *needs: str) -> Node:
    edges = tuple(Dependency(node=NodeId(need)) for need in needs)
    return Node(
        id=NodeId(id), kind=NodeKind.TOOL, title="", tool=ToolName("files_read"), args={"name": file}, depends_on=edges
    )


@pytest.mark.parametrize("needs", [(), ("b",)], ids=["by name alone", "with an edge"])
def test_who_reads_a_file_reads_the_one_that_is_made_anew_and_waits_for_it(needs: Sequence[str]) -> None:
    nodes = (a_node("a"), a_node("b", "a"), reads("r", "1/b/b.json", *needs), a_node("red", "r"))
    ended = standing(*nodes, a=OK, b=OK, r=OK, red=OK)
    _, r, red = ended.correction(wish("a"), "", "", turn=4, done=()).copies
    assert (r.id, r.args, r.depends_on) == (
        "r-again",
        {"name": "4/b-again/b-again.json"},
        (Dependency(node=NodeId("b-again")),),
    )
    assert [edge.node for edge in red.depends_on] == ["r-again"]


@pytest.mark.parametrize(
    ("value", "name", "as_file"),
    [(17, "1/a/a.json", "2/a-set/a-set.json"), ("x", "1/a/a.json", "2/a-set/a-set.txt"), (17, "1/a/r.md", None)],
)
def test_a_set_value_is_a_file_for_those_who_read_its_steps_output(value: Json, name: str, as_file: str | None) -> None:
    correction = standing(a_node("a"), reads("r", name), a=OK, r=OK).correction(
        wish("a", value), "", "", turn=2, done=()
    )
    (r,) = correction.copies
    assert r.args["name"] == (as_file or "2/a-set/r.md")
    assert correction.given.given == {"value": value, **({"file": True} if as_file else {})}
    assert correction.operations[0] == Add(node=correction.given)


def test_a_script_and_a_subagent_that_name_a_file_come_from_it_as_well() -> None:
    code = "def main(inputs):\n    return tools.files_read(name='1/a/r.md')\n"
    script = a_node("script", kind=NodeKind.PACKAGE, tool=None, code=code, args={})
    agent = a_node("agent", kind=NodeKind.SUBAGENT, tool=None, args={}, instruction="Read 1/a/r.md.")
    other = a_node("other", args={"url": "http://h/1/a/r.md"})
    correction = standing(a_node("a"), script, agent, other).correction(wish("a"), "", "", turn=2, done=())
    assert [copy.replaces for copy in correction.copies] == ["script", "agent"]
    assert "'2/a-set/r.md'" in correction.copies[0].code
    assert correction.copies[1].instruction == "Read 2/a-set/r.md."


def test_what_was_withdrawn_before_is_known_whether_or_not_the_correction_is_stored() -> None:
    nodes = (a_node("a"), a_node("b", "a"), a_node("c", "b"), a_node("d", "a"), a_node("far"))
    ends = {"a": OK, "b": Cancelled(why="stopped"), "c": Cancelled(why="stopped"), "d": OK, "far": Cancelled(why="x")}
    ended = standing(*nodes, **ends)
    assert [node.id for node in ended.withdrawn_behind(NodeId("a"))] == ["b", "c"]
    correction = ended.correction(wish("a"), "", "", turn=2, done=())
    stored = standing(*nodes, correction.given, *correction.copies, **ends)
    assert [node.id for node in stored.withdrawn_behind(NodeId("a"))] == ["b", "c"]


def test_the_effect_of_an_item_counts_for_its_template_which_unfolds_anew() -> None:
    template = a_node("each", "a", for_each="${a#/list}")
    item = a_node("each-0", "a", item_of=NodeId("each"))
    reads = a_node("reads", "each-0")
    ended = standing(a_node("a"), template, item, reads, **{"a": OK, "each": OK, "each-0": OK, "reads": OK})
    each, again = ended.correction(wish("a"), "", "", turn=2, done={NodeId("each-0")}).copies
    assert (each.id, each.for_each, each.done_before) == ("each-again", "${a-set#/list}", True)
    assert [edge.node for edge in again.depends_on] == ["each-again-0"]


def test_a_second_correction_replaces_the_first_and_what_came_from_it() -> None:
    first = standing(a_node("a"), a_node("b", "a"), a=OK, b=OK).correction(
        wish("a"), "", "", turn=2, done={NodeId("b")}
    )
    nodes = [a_node("a"), a_node("b", "a"), *(add.node for add in first.operations if isinstance(add, Add))]
    twice = standing(*nodes, a=OK, b=OK)
    found = twice.settable("a 18")
    assert isinstance(found, Wish)
    second = twice.correction(found, "", "", turn=2, done={NodeId("b")})
    assert (second.given.id, second.given.replaces) == ("a-set2", "a-set")
    (copy,) = second.copies
    assert (copy.id, copy.replaces, copy.done_before) == ("b-again2", "b-again", True)
    assert copy.title == f"{AGAIN}Title of b"
    assert [operation.id for operation in second.operations if isinstance(operation, Cancel)] == ["b-again"]


PLAN = standing(
    a_node("total"),
    a_node("sum-1", title="Sum  of all"),
    a_node("x", title="Twice"),
    a_node("y", title="twice"),
    a_node("pack", packed=(PackedStep(id=NodeId("part"), title="Part"), PackedStep(id=NodeId("pack"), title="P"))),
    a_node("item-0", item_of=NodeId("total")),
    a_node("runs"),
    **{"total": OK, "sum-1": LOST, "x": OK, "y": OK, "pack": OK, "item-0": OK},
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("total 17", Wish(node=NodeId("total"), value=17)),
        ('total {"a": [1]}', Wish(node=NodeId("total"), value={"a": [1]})),
        ("total seventeen or so", Wish(node=NodeId("total"), value="seventeen or so")),
        ("total\n1.0", Wish(node=NodeId("total"), value=1.0)),
        ("“Sum of all” 17", Wish(node=NodeId("sum-1"), value=17)),
        ("sum of ALL 17", Wish(node=NodeId("sum-1"), value=17)),
        ("pack NaN", Wish(node=NodeId("pack"), value="NaN")),
    ],
)
def test_words_name_a_step_by_id_or_title(words: str, expected: Wish) -> None:
    assert PLAN.settable(words) == expected


@pytest.mark.parametrize(
    ("words", "why", "nodes"),
    [
        ("totla 17", Why.UNKNOWN, ["total"]),
        ("twice 17", Why.AMBIGUOUS, ["x", "y"]),
        ("part 17", Why.PART, ["pack"]),
        ("'Part' 17", Why.PART, ["pack"]),
        ("item-0 17", Why.PART, ["total"]),
        ("runs 17", Why.UNFINISHED, ["runs"]),
        ("total", Why.NO_VALUE, []),
        ("", Why.UNKNOWN, None),
        (f"total {'x' * 4097}", Why.TOO_LARGE, []),
    ],
)
def test_words_that_set_nothing_say_why(words: str, why: Why, nodes: list[str] | None) -> None:
    found = PLAN.settable(words)
    assert isinstance(found, Unsettable)
    assert found.why is why
    assert nodes is None or [node.id for node in found.nodes] == nodes


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(max_size=60) | st.integers().map(str))
def test_a_stored_wish_is_read_as_it_was_made(text: str) -> None:
    value = value_in(text)
    if not isinstance(value, Unsettable):
        assert read_stored(stored_wish(wish("a", value))) == wish("a", value)


def test_deeply_nested_values_are_texts() -> None:
    assert value_in("[" * 4000) == "[" * 4000


@st.composite
def _plans(draw: st.DrawFn) -> tuple[list[Node], dict[NodeId, Outcome], set[NodeId]]:
    nodes: list[Node] = []
    outcomes: dict[NodeId, Outcome] = {}
    done: set[NodeId] = set()
    for number in range(draw(st.integers(1, 8))):
        known = [node.id for node in nodes]
        needs = draw(st.sets(st.sampled_from(known), max_size=3)) if known else set[NodeId]()
        node = a_node(f"n{number}", *sorted(needs), on=draw(st.sampled_from(On)))
        nodes.append(node)
        outcome = draw(st.sampled_from([OK, LOST, None])) if number else OK
        if outcome is not None:
            outcomes[node.id] = outcome
        if draw(st.booleans()):
            done.add(node.id)
    return nodes, outcomes, done


@given(_plans())
def test_exactly_what_came_from_the_result_is_planned_anew(
    plan: tuple[list[Node], dict[NodeId, Outcome], set[NodeId]],
) -> None:
    nodes, outcomes, done = plan
    came = {NodeId("n0")}
    for node in nodes:
        if any(edge.node in came for edge in node.depends_on):
            came.add(node.id)
    came.discard(NodeId("n0"))
    ended = Standing({node.id: node for node in nodes}, outcomes)
    correction = ended.correction(wish("n0"), "", "", turn=2, done=done)
    assert {copy.replaces for copy in correction.copies} == came
    cancelled = {operation.id for operation in correction.operations if isinstance(operation, Cancel)}
    assert cancelled == {node for node in came if node not in outcomes and node not in done}
    assert {copy.replaces for copy in correction.copies if copy.done_before} == came & done
    added = {correction.given.id, *(copy.id for copy in correction.copies)}
    old = came | {NodeId("n0")}
    for copy in correction.copies:
        assert not old & {edge.node for edge in copy.depends_on}
        assert copy.replaces not in added
