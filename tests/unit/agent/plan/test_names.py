"""Names: what a variable of a plan means in the answers that follow."""

from dataclasses import replace

from agent.ids import NodeId, UserId
from agent.plan.conditions import Condition
from agent.plan.names import names_in
from agent.plan.operations import Add, LoggedOperation, Node, PackedStep
from tests.fakes.work import node

ADA, GRACE = UserId("ADA"), UserId("GRACE")


def logged(*nodes: Node, turn: int = 1, author: UserId = ADA, after: int = 0) -> list[LoggedOperation]:
    return [
        LoggedOperation(seq=seq, turn=turn, author=author, operation=Add(node=one))
        for seq, one in enumerate(nodes, start=after + 1)
    ]


def named(id: str, name: str = "", when: Condition = "") -> Node:
    return replace(node(id), name=name, when=when)


def test_name_of_a_later_turn_means_the_newest() -> None:
    log = logged(named("shop")) + logged(named("shop_2", "shop"), turn=2) + logged(named("shop_3", "shop"), turn=3)
    assert names_in(log)["shop"] == ("shop_3",)
    assert names_in(log[:2])["shop"] == ("shop_2",)


def test_id_that_looks_like_a_later_name_is_another_name() -> None:
    log = logged(named("shop")) + logged(named("shop_2"), turn=2)
    assert names_in(log) == {"shop": ("shop",), "shop_2": ("shop_2",)}


def test_name_of_several_branches_means_whichever_ran() -> None:
    more: Condition = {"gt": ["${a}", 1]}
    log = logged(
        named("x", when={"all": [more, "${a#/ok}"]}),
        named("x_2", "x", when={"all": [{"not": more}, "${b}"]}),
        named("x_3", "x", when={"all": [{"not": more}, {"not": "${b}"}]}),
        named("y", when=more),
        named("y_2", "y", when={"not": more}),
    )
    assert names_in(log) == {"x": ("x", "x_2", "x_3"), "y": ("y", "y_2")}


def test_step_that_is_tried_again_takes_the_name_also_under_a_condition() -> None:
    log = logged(named("x", when="${a}"), named("x_2", "x", when="${a}"))
    assert names_in(log)["x"] == ("x_2",)
    assert names_in(logged(named("x"), named("x_2", "x", when="${a}")))["x"] == ("x_2",)


def test_branches_of_another_turn_or_author_are_no_branches_of_this_one() -> None:
    other = named("x_2", "x", when={"not": "${a}"})
    for later in (logged(other, turn=2), logged(other, author=GRACE)):
        assert names_in(logged(named("x", when="${a}")) + later)["x"] == ("x_2",)


def test_node_in_the_place_of_another_takes_its_name_in_the_branches_too() -> None:
    log = logged(named("x", when="${a}"), named("x_2", "x", when={"not": "${a}"}), named("y"))
    log += logged(replace(node("x_2_set"), replaces=NodeId("x_2")), replace(node("y_again"), replaces=NodeId("y")))
    assert names_in(log) == {"x": ("x", "x_2_set"), "y": ("y_again",)}


def test_step_that_became_part_of_a_package_does_not_leave_its_name_to_an_older_one() -> None:
    steps = (PackedStep(id=NodeId("shop_2"), title="s", name="shop"), PackedStep(id=NodeId("sum"), title="sum"))
    log = logged(named("shop")) + logged(replace(node("sum"), packed=steps), turn=2)
    assert names_in(log) == {"shop": ("shop_2",), "sum": ("sum",)}


def test_items_have_no_names() -> None:
    assert names_in(logged(replace(node("x-0"), item_of=NodeId("x")))) == {}
