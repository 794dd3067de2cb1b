"""A node's colour: whether a person is asked before it runs. Pure."""

from dataclasses import replace

from agent.plan import Node, NodeKind
from agent.tools.registry import Colour, Registry


def colour_of(node: Node, registry: Registry) -> Colour:
    """Return red when a person must be asked first; a plan can make a node stricter, never laxer.

    A template does nothing itself: each of its items has its own colour.
    """
    if node.for_each:
        return Colour.GREEN
    if node.require_human_approval or node.kind is NodeKind.SUBAGENT:
        return Colour.RED
    names = (node.tool or "",) if node.kind is NodeKind.TOOL else node.tools
    tools = [registry.find(name) for name in names]
    green = all(tool is not None and tool.colour is Colour.GREEN for tool in tools)
    return Colour.GREEN if green else Colour.RED


def drawn_colour(node: Node, registry: Registry) -> Colour:
    """Return the colour of a node in a drawing: of a template, that of the nodes it will become."""
    return colour_of(replace(node, for_each=""), registry)
