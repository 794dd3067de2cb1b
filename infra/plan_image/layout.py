"""Places the nodes of a plan in layers from top to bottom, and routes edges around nodes (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fast_sugiyama import from_edges

from agent.ids import NodeId
from agent.plan.operations import Dependency, Node


@dataclass(frozen=True, kw_only=True)
class Point:
    """A place, in units of the distance between two nodes."""

    #: To the right.
    x: float
    #: Down.
    y: float


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A dependency's line from the node it waits for to the node that waits."""

    dependency: Dependency
    #: The node that waits.
    node: NodeId
    #: From centre to centre, with the bends in between.
    way: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The places of nodes and edges; the smallest coordinate is 0."""

    #: Node -> its centre.
    places: Mapping[NodeId, Point]
    edges: tuple[Edge, ...]


def layout(nodes: Sequence[Node]) -> Layout:
    """Return the layout of a valid plan. Leaves out dependencies on nodes that are not given.

    The nodes must not form a cycle: the library ends the process then.
    """
    if not nodes:
        return Layout(places={}, edges=())
    numbers = {node.id: number for number, node in enumerate(nodes, start=1)}
    edges = {
        (numbers[dependency.node], numbers[node.id]): (dependency, node.id)
        for node in nodes
        for dependency in node.depends_on
        if dependency.node in numbers
    }
    # A root above all nodes without dependencies keeps them in one row, and unconnected parts of the plan together.
    # The library adds bends to long edges, with numbers above those of the nodes.
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
            Edge(dependency=dependency, node=node, way=tuple(points[number] for number in ways[pair]))
            for pair, (dependency, node) in edges.items()
        ),
    )


def _ways(segments: Sequence[tuple[int, int]], nodes: int) -> Mapping[tuple[int, int], Sequence[int]]:
    """Return (from, to) -> every number on the way, including bends."""
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
