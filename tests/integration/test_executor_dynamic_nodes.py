"""Conditions and templates: nodes that come from data, in the log before they run, and never twice."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from agent.approval import Decision
from agent.execution.dynamic_nodes import UNMET
from agent.execution.graph import AdvanceResult
from agent.ids import Digest, NodeId, ToolName
from agent.limits import Limits
from agent.plan.operations import Add, Cancel, Node, NodeKind, Operation, Skip, operation_from_json, operation_json
from agent.plan.outcomes import ArtifactRef, Cancelled, Failed, Outcome, Skipped, Succeeded
from agent.plan.templates import items_of
from agent.ports import Bound
from agent.reading.operation_reader import read_operation
from agent.tool import CallContext
from sandbox.script import Json
from tests.fakes.crash_injection import CrashInjector, Dead
from tests.fakes.thread_world import World
from tests.fakes.work import fail, node, on_failed

HOSTS: Json = [{"name": "a", "down": True}, {"name": "b", "down": False}, {"name": "c", "down": True}]


def written(id: str, **fields: Any) -> Node:
    """Read a tool node as a plan writes it."""
    read = read_operation({"op": "add", "id": id, "kind": "tool", "tool": "echo", **fields}, None)
    assert isinstance(read, Add), read
    return read.node


def template(id: str = "each", *, red: bool = False, over: str = "${hosts}", **fields: Any) -> Node:
    """Return a template over the hosts."""
    return written(id, for_each=over, require_human_approval=red, title="Do ${item#/name}", **fields)


async def hosts(node: Node, bound: Bound, context: CallContext) -> Outcome:
    return Succeeded(value=HOSTS)


async def empty(node: Node, bound: Bound, context: CallContext) -> Outcome:
    return Succeeded(value=[])


def world(nodes_per_turn: int = 200) -> World:
    return World(performs={"hosts": hosts, "empty": empty}, nodes_per_turn=nodes_per_turn)


HOSTS_NODE = node("hosts", tool="hosts")


async def test_a_template_becomes_a_node_for_each_item_and_gathers_their_results():
    scene = world()
    assert await scene.run(HOSTS_NODE, template(), node("after", "each")) is AdvanceResult.FINISHED
    assert scene.work.started == ["hosts", "each-0", "each-1", "each-2", "after"]
    assert scene.outcomes["each"] == Succeeded(value=["each-0", "each-1", "each-2"])
    added = [logged.operation for logged in scene.rows.log.rows[scene.thread]]
    titles = [
        operation.node.title for operation in added if isinstance(operation, Add) and operation.node.item_of == "each"
    ]
    assert titles == ["Do a", "Do b", "Do c"]


async def test_results_that_are_too_large_together_are_not_even_loaded():
    async def huge(node: Node, bound: Bound, context: CallContext) -> Outcome:
        ref = ArtifactRef(digest=Digest(node.id), name="x", size=6 * 1024 * 1024, media_type="text/plain", head="")
        return Succeeded(artifact=ref)

    scene = World(performs={"hosts": hosts, "echo": huge})
    await scene.run(HOSTS_NODE, template())
    failed = scene.outcomes["each"]
    assert isinstance(failed, Failed)
    assert failed.error == "output_too_large"
    assert "18874368 bytes together" in failed.message


async def test_an_empty_list_gives_no_node_and_an_empty_result():
    scene = world()
    await scene.run(node("hosts", tool="empty"), template(), node("after", "each"))
    assert scene.work.started == ["hosts", "after"]
    assert scene.outcomes["each"] == Succeeded(value=[])


async def test_every_red_item_asks_by_itself_and_one_refusal_fails_the_whole():
    scene = world()
    assert await scene.run(HOSTS_NODE, template(red=True), node("after", "each")) is AdvanceResult.PARKED
    assert set(scene.rows.approvals.pending(scene.thread)) == {"each-0", "each-1", "each-2"}
    scene.click("each-0")
    scene.click("each-2")
    assert await scene.advance() is AdvanceResult.PARKED
    assert sorted(scene.work.started) == ["each-0", "each-2", "hosts"]
    scene.click("each-1", Decision.REJECTED)
    assert await scene.advance() is AdvanceResult.FINISHED
    failed = scene.outcomes["each"]
    assert isinstance(failed, Failed)
    assert (failed.error, failed.message) == ("items_not_done", "1 of 3 did not succeed: each-1 (rejected)")
    assert scene.outcomes["after"] == Skipped(because=NodeId("each"))
    assert len(scene.rows.approvals.rows) == 3


@pytest.mark.parametrize("what", ["no list", "too long", "taken"])
async def test_a_template_that_cannot_unfold_fails_with_the_reason(what: str):
    scene = World(performs={"hosts": hosts if what == "taken" else _long if what == "too long" else _text})
    taken = [node("each-1")] if what == "taken" else []
    await scene.run(*taken, HOSTS_NODE, template())
    failed = scene.outcomes["each"]
    assert isinstance(failed, Failed)
    assert failed.error == {"no list": "not_a_list", "too long": "too_many_items", "taken": "id_taken"}[what]
    assert scene.work.started[-1] == "hosts"


async def _long(node: Node, bound: Bound, context: CallContext) -> Outcome:
    return Succeeded(value=list(range(51)))


async def _text(node: Node, bound: Bound, context: CallContext) -> Outcome:
    return Succeeded(value="abc")


@pytest.mark.parametrize(("most", "whole"), [(9, 2), (8, 1), (5, 0)])
async def test_the_items_of_all_templates_count_among_the_nodes_of_their_turn(most: int, whole: int):
    scene = world(nodes_per_turn=most)
    await scene.run(HOSTS_NODE, template("one"), template("two", over="${hosts}"))
    ended = [scene.outcomes["one"], scene.outcomes["two"]]
    assert sum(isinstance(outcome, Succeeded) for outcome in ended) == whole
    assert len(scene.work.started) == 1 + 3 * whole
    told = "${hosts} has 3 items; with the %d nodes that this turn has already they are more than %d"
    refused = [outcome for outcome in ended if isinstance(outcome, Failed)]
    assert {(outcome.error, outcome.message) for outcome in refused} == (
        {("too_many_nodes", told % (3 + 3 * whole, most))} if refused else set()
    )


@pytest.mark.parametrize("limits", [Limits(fan_out=2), Limits(nodes_per_turn=2)], ids=["fan-out", "nodes"])
async def test_a_list_that_was_gone_through_stays_so_when_the_limits_are_lowered(limits: Limits):
    scene = world()
    assert await scene.run(HOSTS_NODE, template(red=True)) is AdvanceResult.PARKED
    scene.restart(limits)
    for number in range(3):
        scene.click(f"each-{number}")
    assert await scene.advance() is AdvanceResult.FINISHED
    assert scene.outcomes["each"] == Succeeded(value=["each-0", "each-1", "each-2"])


async def test_what_earlier_turns_had_leaves_a_turn_its_own_number_of_nodes():
    scene = world(nodes_per_turn=5)
    for turn in ("first", "second"):
        find = node(f"{turn}_hosts", tool="hosts")
        await scene.run(find, template(turn, over=f"${{{turn}_hosts}}"))
        assert isinstance(scene.outcomes[turn], Succeeded)


async def test_a_template_whose_items_results_are_gone_fails_and_says_so():
    gone = ArtifactRef(digest=Digest("0" * 64), name="x", size=9000, media_type="text/plain", head="")

    async def lost(node: Node, bound: Bound, context: CallContext) -> Outcome:
        return Succeeded(artifact=gone)

    scene = World(performs={"hosts": hosts, "echo": lost})
    assert await scene.run(HOSTS_NODE, template()) is AdvanceResult.FINISHED
    failed = scene.outcomes["each"]
    assert isinstance(failed, Failed)
    assert failed.error == "artifact_missing"


async def test_a_condition_that_does_not_hold_skips_the_node_and_what_needs_it():
    scene = world()
    await scene.run(
        HOSTS_NODE,
        written("no", when="${hosts#/1/down}"),
        written("yes", when="${hosts#/0/down}"),
        node("after", "no"),
    )
    assert scene.work.started == ["hosts", "yes"]
    assert scene.outcomes["no"] == Skipped(because=NodeId("hosts"), why=UNMET)
    assert scene.outcomes["after"] == Skipped(because=NodeId("no"))
    skips = [logged.operation for logged in scene.rows.log.rows[scene.thread] if isinstance(logged.operation, Skip)]
    assert skips == [Skip(id=NodeId("no"), because=NodeId("hosts"), why=UNMET)]
    assert scene.replanner.asked == [(1, 1)]


async def test_a_condition_on_the_item_leaves_out_that_item_alone():
    scene = world()
    await scene.run(HOSTS_NODE, template(when="${item#/down}"), node("after", "each"))
    assert scene.work.started == ["hosts", "each-0", "each-2", "after"]
    assert scene.outcomes["each"] == Succeeded(value=["each-0", None, "each-2"])


async def test_cancelling_a_template_withdraws_the_cards_of_its_items():
    scene = world()
    await scene.run(HOSTS_NODE, template(red=True))
    await scene.append(Cancel(id=NodeId("each"), why="no more"))
    assert await scene.advance() is AdvanceResult.FINISHED
    assert {scene.outcomes[f"each-{number}"] for number in range(3)} == {Cancelled(why="no more")}
    assert not scene.rows.approvals.pending(scene.thread)


async def nothing_there(node: Node, bound: Bound, context: CallContext) -> Outcome:
    return Succeeded(value={"count": 0})


async def some_there(node: Node, bound: Bound, context: CallContext) -> Outcome:
    return Succeeded(value={"count": 3, "hosts": HOSTS})


@pytest.mark.parametrize(("there", "ran"), [(nothing_there, []), (some_there, ["each-0", "each-2", "after"])])
async def test_condition_around_a_loop_is_asked_before_its_list_is_read(
    there: Callable[[Node, Bound, CallContext], Awaitable[Outcome]], ran: list[str]
):
    scene = World(performs={"hosts": there})
    when: Json = {"all": [{"gt": ["${hosts#/count}", 0]}, "${item#/down}"]}
    await scene.run(HOSTS_NODE, template(over="${hosts#/hosts}", when=when), node("after", "each"))
    assert scene.work.started == ["hosts", *ran]
    if not ran:
        assert scene.outcomes["each"] == Skipped(because=NodeId("hosts"), why=UNMET)
        assert scene.outcomes["after"] == Skipped(because=NodeId("each"))


async def test_a_death_at_any_step_unfolds_nothing_twice_and_repeats_no_red_effect():
    """One run for each step at which the runner can die: before and after whatever reaches the rows."""
    for after_effect in (False, True):
        at = 1
        while await _dies(at, after_effect=after_effect):
            at += 1
        assert at > 30


async def _dies(at: int, *, after_effect: bool) -> bool:
    injector = CrashInjector()
    injector.at, injector.after_effect = at, after_effect
    effects: list[str] = []

    async def effect(node: Node, bound: Bound, context: CallContext) -> Outcome:
        effects.append(node.id)
        return Succeeded(value=node.id)

    scene = World(performs={"hosts": hosts, "echo": effect}, injector=injector)
    scene.say(HOSTS_NODE, template(red=True, when="${item#/down}"), node("after", "each"))
    died = False
    while True:
        try:
            rest = await scene.advance()
        except Dead:
            died = True
            injector.revive()
            continue
        if rest is AdvanceResult.FINISHED:
            break
        for question in scene.rows.approvals.pending(scene.thread).values():
            happened = question.node in effects
            unknown = Decision.HAPPENED if happened else Decision.AGAIN
            scene.rows.approvals.click(question.id, Decision.APPROVED if question.kind.value == "approve" else unknown)
    added = [logged.operation for logged in scene.rows.log.rows[scene.thread]]
    ids = [operation.node.id for operation in added if isinstance(operation, Add)]
    assert ids == ["hosts", "each", "after", "each-0", "each-1", "each-2"], at
    assert sum(isinstance(operation, Skip) for operation in added) == 1, at
    assert sorted(effect for effect in effects if effect != "after") == ["each-0", "each-2"], at
    assert isinstance(scene.outcomes["after"], Succeeded), at
    return died


def test_items_refer_to_their_place_in_the_list_and_read_back_the_same():
    texts: Json = ["x ${item#/name}!", "$${item}"]
    args: Mapping[str, Json] = {"a": "${item}", "b": texts, "n": "${index}", "t": "no ${index}"}
    made = Node(
        id=NodeId("t"),
        kind=NodeKind.TOOL,
        title="Go",
        tool=ToolName("echo"),
        args=args,
        for_each="${list#/rows}",
        when="${item#/down}",
    )
    first, second = items_of(made, ["x", "y"])
    assert second.args == {
        "a": "${list#/rows/1}",
        "b": ["x ${list#/rows/1/name}!", "$${item}"],
        "n": 1,
        "t": "no 1",
    }
    assert (first.id, first.title, second.when, second.item_of) == ("t-0", "Go (1 of 2)", "${list#/rows/1/down}", "t")
    operations: list[Operation] = [Add(node=made), Add(node=second), Skip(id=made.id, because=NodeId("x"), why="y")]
    for operation in operations:
        assert operation_from_json(json.loads(json.dumps(operation_json(operation)))) == operation
    assert replace(second, item_of=None) != second


async def test_comparisons_decide_and_an_item_has_its_own():
    scene = world()
    await scene.run(
        HOSTS_NODE,
        written("yes", when={"all": [{"eq": ["${hosts#/0/name}", "a"]}, {"not": "${hosts#/1/down}"}]}),
        written("no", when={"gt": ["${hosts#/0/name}", "b"]}),
        template(when={"all": ["${item#/down}", {"ge": ["${index}", 1]}]}),
        template("late", when="${index}"),
    )
    assert scene.work.started == ["hosts", "yes", "each-2", "late-1", "late-2"]
    assert scene.outcomes["no"] == Skipped(because=NodeId("hosts"), why=UNMET)
    assert scene.outcomes["each"] == Succeeded(value=[None, None, "each-2"])
    assert scene.outcomes["late"] == Succeeded(value=[None, "late-1", "late-2"])
    for logged in scene.rows.log.rows[scene.thread]:
        assert operation_from_json(json.loads(json.dumps(operation_json(logged.operation)))) == logged.operation


@pytest.mark.parametrize(
    ("condition", "error", "says"),
    [
        ({"gt": ["${hosts#/0/name}", 5]}, "not_comparable", "a text and a number have no order"),
        ({"lt": ["${hosts#/0/down}", 5]}, "not_comparable", "a boolean and a number"),
        ({"all": ["${hosts#/0/down}", {"eq": ["${hosts#/0/gone}", 5]}]}, "binding", "has nothing there"),
    ],
    ids=["text and number", "boolean", "missing"],
)
async def test_a_condition_that_nobody_can_decide_fails_the_node_which_never_runs(
    condition: Json, error: str, says: str
):
    scene = world()
    await scene.run(HOSTS_NODE, written("a", when=condition), node("after", "a"), node("rescue", on_failed("a")))
    failed = scene.outcomes["a"]
    assert isinstance(failed, Failed)
    assert failed.error == error
    assert says in failed.message
    assert scene.work.started == ["hosts", "rescue"]
    assert scene.outcomes["after"] == Skipped(because=NodeId("a"))


async def test_a_condition_on_a_step_that_failed_skips_the_node():
    scene = World(performs={"broken": fail})
    await scene.run(node("a", tool="broken"), written("b", when={"not": "${a#/bad}"}), written("c", when="${b}"))
    assert scene.outcomes["b"] == Skipped(because=NodeId("a"))
    assert scene.outcomes["c"] == Skipped(because=NodeId("b"))


@pytest.mark.parametrize("first", ["one", "two"])
async def test_a_step_reads_whichever_branch_ran_and_waits_for_both(first: str):
    ran = {"one": {"eq": ["${hosts#/0/name}", "a"]}, "two": {"ne": ["${hosts#/0/name}", "a"]}}
    other = {"one": "two", "two": "one"}[first]
    scene = World(performs={"hosts": hosts, "use": echo_args})
    await scene.run(
        HOSTS_NODE,
        written(first, when=ran["one"]),
        written(other, when=ran["two"]),
        written("use", tool="use", args={"x": f"${{{other}|{first}}}"}),
    )
    assert scene.work.started == ["hosts", first, "use"]
    assert scene.outcomes["use"] == Succeeded(
        value={"one": "succeeded", "two": "skipped"} | {first: "succeeded", other: "skipped"}
    )


async def echo_args(node: Node, bound: Bound, context: CallContext) -> Outcome:
    """Return the states of what the node waited for."""
    inputs = bound.args["inputs"]
    assert isinstance(inputs, Mapping)
    return Succeeded(value={name: outcome["state"] for name, outcome in inputs.items() if isinstance(outcome, Mapping)})


async def test_a_step_that_reads_whichever_ran_is_skipped_when_none_did():
    scene = world()
    await scene.run(
        HOSTS_NODE,
        written("one", when="${hosts#/1/down}"),
        written("two", depends_on=["one"]),
        written("use", args={"x": "${one|two}"}),
        written("list", for_each="${one|two#/rows}", args={"x": "${item}"}),
    )
    assert scene.work.started == ["hosts"]
    assert scene.outcomes["use"] == Skipped(because=NodeId("one"))
    assert scene.outcomes["list"] == Skipped(because=NodeId("one"))


async def test_a_list_of_whichever_ran_is_gone_through():
    scene = world()
    await scene.run(
        written("none", when={"eq": ["${hosts}", None]}),
        HOSTS_NODE,
        template(over="${none|hosts}", when={"eq": ["${item#/down}", True]}),
    )
    assert scene.outcomes["each"] == Succeeded(value=["each-0", None, "each-2"])


async def test_a_cancel_of_one_branch_leaves_the_card_that_the_other_can_still_fill():
    scene = world()
    plan = (
        node("one", red=True),
        node("two", red=True),
        written("use", args={"x": "${one|two}"}, require_human_approval=True),
    )
    assert await scene.run(*plan) is AdvanceResult.PARKED
    await scene.append(Cancel(id=NodeId("one"), why="no more"))
    assert await scene.advance() is AdvanceResult.PARKED
    scene.click("two")
    assert await scene.advance() is AdvanceResult.PARKED
    assert set(scene.rows.approvals.pending(scene.thread)) == {"use"}
    scene.click("use")
    assert await scene.advance() is AdvanceResult.FINISHED
    assert scene.work.started == ["two", "use"]
