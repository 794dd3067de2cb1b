"""Layout and picture of plans: every node and arrow has its place, and large plans stay drawable."""

import io
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from PIL import Image

from agent.ids import NodeId
from agent.plan.operations import Node, nodes_added
from agent.plan.outcomes import NodeState
from agent.tool import Colour
from infra.plan_image.drawing import Drawn, plan_picture
from infra.plan_image.layout import layout
from tests.fakes.packing_plans import plans, read, tool


def nodes(*plan: Any) -> list[Node]:
    return list(nodes_added(read(plan)).values())


@given(plans(most=12))
def test_nodes_stand_below_what_they_wait_for_and_never_on_each_other(plan: list[Any]) -> None:
    planned = nodes(*plan)
    laid = layout(planned)
    assert set(laid.places) == {each.id for each in planned}
    for one, other in combinations(laid.places.values(), 2):
        assert one.y != other.y or abs(one.x - other.x) >= 0.99
    for each in laid.edges:
        assert (each.way[0], each.way[-1]) == (laid.places[each.dependency.node], laid.places[each.node])
        assert [point.y for point in each.way] == sorted({point.y for point in each.way})
    assert len(laid.edges) == sum(len(each.depends_on) for each in planned)


def test_a_dependency_on_a_node_of_another_plan_is_not_drawn() -> None:
    [_, second] = nodes(tool("a"), tool("b", "a"))
    assert (layout([second]).edges, list(layout([second]).places)) == ((), [NodeId("b")])


def test_an_empty_plan_is_an_empty_picture() -> None:
    assert Image.open(io.BytesIO(plan_picture([]))).format == "PNG"


@pytest.mark.parametrize("colour", Colour)
@pytest.mark.parametrize("state", [None, *NodeState])
def test_states_differ_without_looking_at_colour(colour: Colour, state: NodeState | None) -> None:
    [node] = nodes(tool("a"))

    def grey(drawn: Drawn) -> bytes:
        return Image.open(io.BytesIO(plan_picture([drawn]))).convert("1").tobytes()

    others = {grey(Drawn(node=node, colour=colour, state=each)) for each in {None, *NodeState} - {state}}
    assert grey(Drawn(node=node, colour=colour, state=state)) not in others


def test_a_plan_of_two_hundred_nodes_in_a_row_stays_drawable() -> None:
    wide = nodes(*(tool(f"n{number}") for number in range(200)))
    image = Image.open(io.BytesIO(plan_picture([Drawn(node=each, colour=Colour.GREEN) for each in wide])))
    assert image.width * image.height <= 41_000_000
