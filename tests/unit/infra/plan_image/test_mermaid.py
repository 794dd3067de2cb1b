"""The Mermaid flowchart of a plan: shapes, words, edges, and text that cannot end its label."""

from dataclasses import replace

from agent.ids import NodeId, ToolName
from agent.plan.operations import Dependency, Node, NodeKind, On
from agent.tool import Colour
from infra.plan_image.mermaid import flowchart


def _node(
    id: str, kind: NodeKind = NodeKind.TOOL, *, title: str = "", role: str = "", after: tuple[Dependency, ...] = ()
) -> Node:
    tool = ToolName("http_get") if kind is NodeKind.TOOL else None
    return Node(id=NodeId(id), kind=kind, title=title or id, tool=tool, role=role, depends_on=after)


def _green(_node: Node) -> Colour:
    return Colour.GREEN


def test_each_kind_has_its_shape_and_says_its_colour() -> None:
    nodes = [_node("a"), _node("b", NodeKind.PACKAGE), _node("c", NodeKind.SUBAGENT, role="writer")]
    assert flowchart(nodes, _green).splitlines() == [
        "flowchart TD",
        '    n1["a<br>http_get, green"]',
        '    n2[["b<br>package, green"]]',
        '    n3(["c<br>subagent writer, green"])',
    ]


def test_a_node_that_asks_first_is_a_hexagon_and_says_so() -> None:
    assert 'n1{{"a<br>http_get, red: asks first"}}' in flowchart([_node("a")], lambda _: Colour.RED)


def test_edges_say_what_they_want_when_it_is_not_success() -> None:
    edges = (Dependency(node=NodeId("a")), Dependency(node=NodeId("b"), on=On.FAILED))
    chart = flowchart([_node("a"), _node("b"), _node("c", after=edges)], _green)
    assert "    n1 --> n3" in chart
    assert '    n2 -. "on failed" .-> n3' in chart


def test_a_dependency_outside_the_plan_is_drawn_once() -> None:
    edge = (Dependency(node=NodeId("earlier")),)
    chart = flowchart([_node("a", after=edge), _node("b", after=edge)], _green)
    assert chart.count('n3(("earlier"))') == 1
    assert "n3 --> n1" in chart
    assert "n3 --> n2" in chart


def test_a_title_cannot_end_its_label() -> None:
    chart = flowchart([_node("a", title='x"]\n click n1 "javascript:alert(1)"; <b>')], _green)
    assert len(chart.splitlines()) == 2
    assert chart.count('"') == 2
    assert "<b>" not in chart


def test_lists_and_conditions_are_written_in_words() -> None:
    over = replace(_node("each", title="Ask ${item#/name}"), for_each="${list#/rows}", when="${item#/down}")
    assert flowchart([over], lambda _: Colour.RED).splitlines()[1] == (
        '    n1{{"Ask …<br>http_get, red: asks first<br>for each of list#35;/rows, only if item#35;/down"}}'
    )


def test_a_condition_with_comparisons_is_written_as_python_writes_it() -> None:
    node = replace(_node("a", title="A"), when={"all": [{"gt": ["${q#/depth}", 1000]}, {"not": "${q#/off}"}]})
    assert flowchart([node], _green).splitlines()[1] == (
        '    n1["A<br>http_get, green<br>only if q#35;/depth #62; 1000 and not q#35;/off"]'
    )


def test_a_long_title_is_cut() -> None:
    assert "y" * 59 + "…<br>" in flowchart([_node("a", title="y" * 100)], _green)
