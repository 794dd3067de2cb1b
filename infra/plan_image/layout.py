"""Where the nodes of a plan stand on paper: layers from top to bottom, edges routed around nodes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fast_sugiyama import from_edges

from agent.ids import NodeId
from agent.plan.operations import Dependency, Node


@dataclass(frozen=True, kw_only=True)
class Point:
    """A place in units of one node's distance to the next: `x` to the right, `y` down."""

    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A dependency's way from the node it waits for to the node that waits."""

    dependency: Dependency
    node: NodeId
    way: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Node id -> its centre, and the edges between them; the smallest coordinate is 0."""

    places: Mapping[NodeId, Point]
    edges: tuple[Edge, ...]


def layout(nodes: Sequence[Node]) -> Layout:
    """Return where the nodes of a valid plan stand. Dependencies on nodes that are not given are left out.

    The nodes must not depend on each other in a circle: the library ends the process then.
    """
    if not nodes:
        return Layout(places={}, edges=())
    numbers = {node.id: number for number, node in enumerate(nodes, start=1)}
    edges = {
        (numbers[each.node], numbers[node.id]): (each, node.id)
        for node in nodes
        for each in node.depends_on
        if each.node in numbers
    }
    # One root above all nodes that wait for nothing keeps them in one row and the parts of the plan together.
    # Numbers above the nodes' own are bends that the library adds to long edges.
    heads = set(numbers.values()) - {child for _, child in edges}
    [drawn] = from_edges([*((0, head) for head in sorted(heads)), *edges], vertex_spacing=1.0, dummy_vertices=True)
    positions, _, _, segments = drawn
    top = max(y for number, (_, y) in positions if number != 0)
    left = min(x for number, (x, _) in positions if number != 0)
    points = {int(number): Point(x=x - left, y=top - y) for number, (x, y) in positions}
    ways = _ways([(int(start), int(end)) for start, end in segments or ()], len(nodes))
    return Layout(
        places={node: points[number] for node, number in numbers.items()},
        edges=tuple(
            Edge(dependency=dependency, node=node, way=tuple(points[each] for each in ways[pair]))
            for pair, (dependency, node) in edges.items()
        ),
    )


def _ways(segments: Sequence[tuple[int, int]], nodes: int) -> Mapping[tuple[int, int], Sequence[int]]:
    """Return (from, to) -> every number on the way, bends included."""
    after_bend = {start: end for start, end in segments if start > nodes}
    ways: dict[tuple[int, int], Sequence[int]] = {}
    for start, end in segments:
        if start > nodes:
            continue
        way = [start, end]
        while way[-1] > nodes:
            way.append(after_bend[way[-1]])
        ways[start, way[-1]] = way
    return ways
