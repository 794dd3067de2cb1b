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
from infra.plan_image.drawing import DrawnNode, plan_picture
from infra.plan_image.layout import layout
from tests.fakes.packing_plans import plans, read, tool


def nodes(*plan: Any) -> list[Node]:
    return list(nodes_added(read(plan)).values())


@given(plans(most=12))
def test_nodes_stand_below_what_they_wait_for_and_never_on_each_other(plan: list[Any]) -> None:
    planned = nodes(*plan)
    laid = layout(planned)
    assert set(laid.places) == {node.id for node in planned}
    for one, other in combinations(laid.places.values(), 2):
        assert one.y != other.y or abs(one.x - other.x) >= 0.99
    for edge in laid.edges:
        assert (edge.way[0], edge.way[-1]) == (laid.places[edge.dependency.node], laid.places[edge.node])
        assert [point.y for point in edge.way] == sorted({point.y for point in edge.way})
    assert len(laid.edges) == sum(len(node.depends_on) for node in planned)


def test_a_dependency_on_a_node_of_another_plan_is_not_drawn() -> None:
    [_, second] = nodes(tool("a"), tool("b", "a"))
    assert (layout([second]).edges, list(layout([second]).places)) == ((), [NodeId("b")])


def test_an_empty_plan_is_an_empty_picture() -> None:
    assert Image.open(io.BytesIO(plan_picture([]))).format == "PNG"


@pytest.mark.parametrize("colour", Colour)
@pytest.mark.parametrize("state", [None, *NodeState])
def test_states_differ_without_looking_at_colour(colour: Colour, state: NodeState | None) -> None:
    [node] = nodes(tool("a"))

    def grey(drawn: DrawnNode) -> bytes:
        return Image.open(io.BytesIO(plan_picture([drawn]))).convert("1").tobytes()

    others = {grey(DrawnNode(node=node, colour=colour, state=other)) for other in {None, *NodeState} - {state}}
    assert grey(DrawnNode(node=node, colour=colour, state=state)) not in others


def test_a_plan_of_two_hundred_nodes_in_a_row_stays_drawable() -> None:
    wide = nodes(*(tool(f"n{number}") for number in range(200)))
    image = Image.open(io.BytesIO(plan_picture([DrawnNode(node=node, colour=Colour.GREEN) for node in wide])))
    assert image.width * image.height <= 41_000_000
