"""Writes a plan as a Mermaid flowchart. Shapes and words show kind and colour, never colour alone."""

from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from agent.ids import NodeId
from agent.plan.operations import Dependency, Node, NodeKind, On
from agent.plan.templates import shown_title, unfolds
from agent.tool import Colour

_TITLE_CHARACTERS = 60


def flowchart(nodes: Sequence[Node], colour_of: Callable[[Node], Colour]) -> str:
    """Return the Mermaid text: one vertex per node, one edge per dependency, in plan order.

    A tool is a box, a package has double sides, a subagent round ends; a node that needs an approval is a hexagon,
    whatever its kind. A node's list and condition are its last line. Dependencies on another end than success are
    dotted and labelled; those on nodes outside `nodes` start at a circle.
    """
    names = {node.id: f"n{number}" for number, node in enumerate(nodes, start=1)}
    return "\n".join(["flowchart TD", *(f"    {line}" for line in _lines(nodes, names, colour_of))]) + "\n"


def _lines(nodes: Sequence[Node], names: dict[NodeId, str], colour_of: Callable[[Node], Colour]) -> Iterator[str]:
    for node in nodes:
        yield names[node.id] + _vertex(node, colour_of(node))
    for node in nodes:
        for dependency in node.depends_on:
            if dependency.node not in names:
                names[dependency.node] = f"n{len(names) + 1}"
                yield f'{names[dependency.node]}(("{_escaped(dependency.node)}"))'
            yield f"{names[dependency.node]} {_arrow(dependency)} {names[node.id]}"


def _vertex(node: Node, colour: Colour) -> str:
    title = shown_title(node)
    title = title if len(title) <= _TITLE_CHARACTERS else title[: _TITLE_CHARACTERS - 1] + "…"
    asks = colour is Colour.RED
    label = f"{_escaped(title)}<br>{_escaped(kind_words(node))}, {'red: asks first' if asks else 'green'}"
    if words := unfolds(node):
        label += f"<br>{_escaped(words)}"
    if asks:
        return f'{{{{"{label}"}}}}'
    match node.kind:
        case NodeKind.TOOL:
            return f'["{label}"]'
        case NodeKind.PACKAGE:
            return f'[["{label}"]]'
        case NodeKind.SUBAGENT:
            return f'(["{label}"])'
        case _:
            assert_never(node.kind)


def kind_words(node: Node) -> str:
    """Return what the node runs: the tool's name, or its kind."""
    match node.kind:
        case NodeKind.TOOL:
            return str(node.tool)
        case NodeKind.PACKAGE:
            return "package"
        case NodeKind.SUBAGENT:
            return f"subagent {node.role}".rstrip()
        case _:
            assert_never(node.kind)


def _arrow(dependency: Dependency) -> str:
    match dependency.on:
        case On.SUCCEEDED:
            return "-->"
        case On.FAILED | On.FINISHED:
            return f'-. "on {dependency.on.value}" .->'
        case _:
            assert_never(dependency.on)


def _escaped(text: str) -> str:
    """Return text for a quoted label, with entities for characters that would end or style it."""
    codes = {character: f"#{ord(character)};" for character in '"#<>&`;[]{}()|\\'}
    return " ".join(text.split()).translate(str.maketrans(codes))
