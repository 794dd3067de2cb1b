"""Where an output comes from: through references, scripts, conditions and templates."""

from typing import Any

from agent.ids import NodeId, ToolName, UserId
from agent.plan.operations import Node, node_from_json
from agent.plan.sources import OutputSources, Source
from agent.plan.templates import items_of

ADA, LINUS = UserId("U0ADA"), UserId("U0LINUS")


def calls(id: str, tool: str = "look", **fields: Any) -> Node:
    return node_from_json({"id": id, "kind": "tool", "title": id, "tool": tool, **fields})


def sources(*steps: tuple[UserId, Node]) -> OutputSources:
    found = OutputSources()
    for author, node in steps:
        found.add(author, node)
    return found


def of(found: OutputSources, node: str) -> set[tuple[str, str]]:
    return {(source.tool, source.author) for source in found.of(NodeId(node))}


def test_an_output_has_its_own_call_and_those_of_all_that_went_into_it() -> None:
    found = sources(
        (ADA, calls("a", "read")),
        (ADA, calls("b", "count", args={"text": "${a#/text}"})),
        (LINUS, calls("c", "post", args={"text": "there are ${b}"})),
        (LINUS, calls("d", "other", depends_on=["c"])),
    )
    assert of(found, "c") == {("read", ADA), ("count", ADA), ("post", LINUS)}
    assert found.into(NodeId("b")) == {Source(tool=ToolName("read"), author=ADA)}
    assert of(found, "d") == {("other", LINUS)}


def test_a_condition_and_the_tools_of_a_script_count() -> None:
    script = node_from_json({"id": "s", "kind": "package", "title": "s", "code": "", "tools": ["read", "look"]})
    found = sources((ADA, script), (LINUS, calls("c", "post", when="${s#/bad}")))
    assert of(found, "c") == {("read", ADA), ("look", ADA), ("post", LINUS)}


def test_whichever_of_several_nodes_ran_all_of_them_count() -> None:
    names = (ADA, calls("a", "read")), (ADA, calls("b", "count"))
    found = sources(*names, (LINUS, calls("c", "post", args={"text": "${a|b#/x}"}, when={"gt": ["${d}", 1]})))
    assert of(found, "c") == {("read", ADA), ("count", ADA), ("post", LINUS)}
    assert found.incomplete, "the condition names a node of an earlier turn"


def test_what_one_node_lacks_says_nothing_of_the_others() -> None:
    found = sources((ADA, calls("a")), (ADA, calls("b", args={"x": "${a}"})), (ADA, calls("c", args={"x": "${old}"})))
    assert all(found.cover(NodeId(node)) for node in "ab")
    found.into(NodeId("c"))
    assert [found.cover(NodeId(node)) for node in "abc"] == [True, True, False]
    assert not found.cover(NodeId("nobody"))
    found.add(ADA, calls("old", args={"x": "${item}"}))
    assert found.cover(NodeId("c"))
    assert of(found, "c") == {("look", ADA)}


def test_a_template_has_the_sources_of_its_items() -> None:
    template = calls("t", "read", for_each="${list}", args={"channel": "${item}"})
    items = items_of(template, ["a", "b"])
    found = sources((ADA, calls("list", "names")), (ADA, template), *((ADA, item) for item in items))
    assert of(found, "t-1") == {("read", ADA), ("names", ADA)}
    assert of(found, "t") == {("read", ADA), ("names", ADA)}


def test_a_chain_of_thousands_is_gone_through() -> None:
    chain = [calls(f"n{number}", args={"a": f"${{n{number - 1}}}"} if number else {}) for number in range(5000)]
    found = sources(*((ADA, node) for node in chain), (LINUS, calls("last", "post", args={"a": "${n4999}"})))
    assert of(found, "last") == {("look", ADA), ("post", LINUS)}


def test_a_condition_is_a_source_of_an_output_and_of_none_of_its_text() -> None:
    node = calls("c", "post", args={"text": "${a}"}, when="${b}")
    found = sources((ADA, calls("a", "one")), (ADA, calls("b", "two")), (ADA, node))
    assert {source.tool for source in found.of(node.id)} == {"post", "one", "two"}
    assert {source.tool for source in found.texts.of(node.id)} == {"post", "one"}
