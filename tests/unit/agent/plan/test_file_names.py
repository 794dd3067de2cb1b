"""Names of files: which a script may give, which node made one, and which a step reads."""

import pytest

from agent.ids import NodeId, ToolName
from agent.plan.file_names import FILES_READ, file_read_by, is_file_name, media_type_of, node_of
from agent.plan.operations import Node, NodeKind
from sandbox.script import Json


@pytest.mark.parametrize("name", ["report.md", "a", "rows 2026.csv", "_x-1.json"])
def test_a_script_may_give_plain_names(name: str) -> None:
    assert is_file_name(name)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 101, "a\nb", "ü.md", "a.", "a\0"])
def test_a_script_may_give_no_paths_and_nothing_odd(name: str) -> None:
    assert not is_file_name(name)


@pytest.mark.parametrize(
    ("path", "node"),
    [("3/fetch/fetch.json", "fetch"), ("0/a/b", None), ("3/a", None), ("3/a/b/c", None), ("x/a/b", None)],
)
def test_a_path_names_its_node(path: str, node: str | None) -> None:
    assert node_of(path) == node


def test_the_end_of_a_name_says_the_type() -> None:
    assert media_type_of("a.csv") == "text/csv; charset=utf-8"
    assert media_type_of("a.JSON") == "application/json"
    assert media_type_of("noend") == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("tool", "name", "read"),
    [
        ("files_read", "1/a/a.json", "1/a/a.json"),
        ("files_list", "1/a/a.json", None),
        ("http_get", "1/a/a.json", None),
        ("files_read", "${a}", None),
        ("files_read", "1/${a}/a.json", None),
        ("files_read", 7, None),
    ],
)
def test_a_step_reads_the_file_that_its_plan_names(tool: str, name: Json, read: str | None) -> None:
    node = Node(id=NodeId("n"), kind=NodeKind.TOOL, title="", tool=ToolName(tool), args={"name": name})
    assert file_read_by(node) == read


def test_a_script_reads_no_file_by_its_inputs() -> None:
    node = Node(
        id=NodeId("n"), kind=NodeKind.PACKAGE, title="", code="", inputs={"name": "1/a/a.json"}, tools=(FILES_READ,)
    )
    assert file_read_by(node) is None
