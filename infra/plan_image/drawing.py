"""Draws a plan as a PNG picture. Shapes and words show kind, colour and state, never colour alone."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, assert_never

from PIL import Image, ImageDraw, ImageFont

from agent.plan.operations import Node, NodeKind, On
from agent.plan.outcomes import NodeState
from agent.plan.templates import shown_title, unfolds
from agent.tool import Colour
from infra.plan_image.layout import Edge, Point, layout
from infra.plan_image.mermaid import kind_words

_BOX = (220, 74)
_STEP = (250, 130)
_MARGIN = 24
_SCALE = 2
_PIXELS = 40_000_000
"""The largest picture; a larger plan is scaled down."""

_PAPER, _INK, _FAINT = "#ffffff", "#1d1c1d", "#616061"
_FILL: Mapping[Colour, str] = {Colour.GREEN: "#eaf6ee", Colour.RED: "#fdecea"}
_LINE: Mapping[Colour, str] = {Colour.GREEN: "#2e7d4f", Colour.RED: "#c0392b"}

_Spot: TypeAlias = tuple[float, float]
_DASH = 6.0


@dataclass(frozen=True, kw_only=True)
class DrawnNode:
    """A node to draw."""

    node: Node
    colour: Colour
    #: None: no state is written.
    state: NodeState | None = None


def plan_picture(nodes: Sequence[DrawnNode]) -> bytes:
    """Return the picture of a valid plan as PNG: one shape per node, one arrow per dependency.

    A tool is a box, a package has double sides, a subagent round ends; a node that needs an approval is a hexagon,
    whatever its kind. Dependencies on another end than success are dashed and labelled.
    """
    places = layout([drawn.node for drawn in nodes])
    across = max((point.x for point in places.places.values()), default=0.0) * _STEP[0] + _BOX[0] + 2 * _MARGIN
    down = max((point.y for point in places.places.values()), default=0.0) * _STEP[1] + _BOX[1] + 2 * _MARGIN
    scale = min(_SCALE, (_PIXELS / (across * down)) ** 0.5)
    sheet = _Sheet(round(across * scale), round(down * scale), scale)
    for edge in places.edges:
        sheet.edge(edge)
    for drawn in nodes:
        sheet.node(drawn, places.places[drawn.node.id])
    return sheet.png()


class _Sheet:
    def __init__(self, width: int, height: int, scale: float) -> None:
        self._image = Image.new("RGB", (max(width, 1), max(height, 1)), _PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._scale = scale
        self._bold = ImageFont.load_default(15 * scale)
        self._plain = ImageFont.load_default(12 * scale)
        self._stroke = max(1, round(1.6 * scale))

    def png(self) -> bytes:
        """Return the picture as PNG."""
        out = io.BytesIO()
        self._image.save(out, "PNG", optimize=True)
        return out.getvalue()

    def node(self, drawn: DrawnNode, at: Point) -> None:
        """Draw a node around its centre `at`."""
        x, y = self._spot(at)
        wide, high = _BOX[0] * self._scale / 2, _BOX[1] * self._scale / 2
        self._shape(drawn, x, y, wide, high)
        room = 2 * wide - (44 if drawn.colour is Colour.RED else 24) * self._scale
        state = "" if drawn.state is None else f", {drawn.state.value}"
        asks = "red: asks first" if drawn.colour is Colour.RED else "green"
        lines = [
            (shown_title(drawn.node), self._bold, _INK, -22.0),
            (", ".join(filter(None, (_runs(drawn.node), unfolds(drawn.node)))), self._plain, _FAINT, 1.0),
            (f"{asks}{state}", self._plain, _INK, 20.0),
        ]
        for text, font, colour, offset in lines:
            shown = _fitting(text, lambda words, font=font: font.getlength(words) <= room)
            self._draw.text((x, y + offset * self._scale), shown, fill=colour, font=font, anchor="mm")

    def _shape(self, drawn: DrawnNode, x: float, y: float, wide: float, high: float) -> None:
        fill, line = _FILL[drawn.colour], _LINE[drawn.colour]
        box = (x - wide, y - high, x + wide, y + high)
        if drawn.colour is Colour.RED:
            tip = 18 * self._scale
            corners = [
                (x - wide, y),
                (x - wide + tip, y - high),
                (x + wide - tip, y - high),
                (x + wide, y),
                (x + wide - tip, y + high),
                (x - wide + tip, y + high),
            ]
            self._draw.polygon(corners, fill=fill, outline=line, width=self._stroke)
            return
        match drawn.node.kind:
            case NodeKind.TOOL:
                self._draw.rectangle(box, fill=fill, outline=line, width=self._stroke)
            case NodeKind.PACKAGE:
                self._draw.rectangle(box, fill=fill, outline=line, width=self._stroke)
                for side in (x - wide + 7 * self._scale, x + wide - 7 * self._scale):
                    self._draw.line([(side, y - high), (side, y + high)], fill=line, width=self._stroke)
            case NodeKind.SUBAGENT:
                self._draw.rounded_rectangle(box, radius=high, fill=fill, outline=line, width=self._stroke)
            case _:
                assert_never(drawn.node.kind)

    def edge(self, edge: Edge) -> None:
        """Draw an arrow from the lower side of one node to the upper side of the other."""
        ways = [self._spot(point) for point in edge.way]
        half = _BOX[1] * self._scale / 2
        # Lines are vertical beside the nodes of a layer in between, and diagonal only between layers.
        bends = [(x, y + side) for x, y in ways[1:-1] for side in (-half, half)]
        ways = [(ways[0][0], ways[0][1] + half), *bends, (ways[-1][0], ways[-1][1] - half)]
        on = edge.dependency.on
        for start, end in pairwise(ways):
            self._line(start, end, dashed=on is not On.SUCCEEDED)
        self._head(ways[-2], ways[-1])
        if on is not On.SUCCEEDED:
            (x1, y1), (x2, y2) = ways[-2], ways[-1]
            spot = ((x1 + x2) / 2, (y1 + y2) / 2)
            words = f"on {on.value}"
            left, top, right, bottom = self._draw.textbbox(spot, words, font=self._plain, anchor="mm")
            self._draw.rectangle((left - 3, top - 3, right + 3, bottom + 3), fill=_PAPER)
            self._draw.text(spot, words, fill=_INK, font=self._plain, anchor="mm")

    def _line(self, start: _Spot, end: _Spot, *, dashed: bool) -> None:
        if not dashed:
            self._draw.line([start, end], fill=_FAINT, width=self._stroke)
            return
        length = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
        pieces = max(1, int(length / (_DASH * self._scale)))
        for piece in range(0, pieces, 2):
            ends = [_between(start, end, number / pieces) for number in (piece, piece + 1)]
            self._draw.line(ends, fill=_FAINT, width=self._stroke)

    def _head(self, start: _Spot, end: _Spot) -> None:
        length = max(1e-9, ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5)
        along = ((end[0] - start[0]) / length * 9 * self._scale, (end[1] - start[1]) / length * 9 * self._scale)
        across = (-along[1] * 0.45, along[0] * 0.45)
        back = (end[0] - along[0], end[1] - along[1])
        corners = [end, (back[0] + across[0], back[1] + across[1]), (back[0] - across[0], back[1] - across[1])]
        self._draw.polygon(corners, fill=_FAINT)

    def _spot(self, at: Point) -> _Spot:
        x = _MARGIN + _BOX[0] / 2 + at.x * _STEP[0]
        y = _MARGIN + _BOX[1] / 2 + at.y * _STEP[1]
        return x * self._scale, y * self._scale


def _runs(node: Node) -> str:
    if node.packed:
        return "packed: " + " -> ".join(step.id for step in node.packed)
    return f"tool {node.tool}" if node.kind is NodeKind.TOOL else kind_words(node)


def _between(start: _Spot, end: _Spot, share: float) -> _Spot:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _fitting(text: str, fits: Callable[[str], bool]) -> str:
    """Return the text in one line, truncated to what fits."""
    line = " ".join(text.replace("→", "->").split())  # the drawing library's font has no arrows
    if fits(line):
        return line
    while line and not fits(f"{line}…"):
        line = line[:-1]
    return f"{line}…"
