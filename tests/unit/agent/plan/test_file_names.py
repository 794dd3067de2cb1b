"""Names of files: which a script may give, which node made one, and which a step reads."""

import pytest

from agent.ids import NodeId, ToolName
from agent.plan.file_names import (
    FILES_READ,
    RenamedFiles,
    file_read_by,
    is_file_name,
    media_type_of,
    node_of,
    prefix_searched_by,
    with_turn,
)
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


@pytest.mark.parametrize(
    ("tool", "args", "prefix"),
    [
        ("files_grep", {"pattern": "x", "prefix": "1/a/"}, "1/a/"),
        ("files_grep", {"pattern": "x", "prefix": "1/a/", "name": "1/b/b.json"}, None),
        ("files_grep", {"pattern": "x", "prefix": "${a}"}, None),
        ("files_grep", {"pattern": "x", "prefix": ""}, None),
        ("files_grep", {"pattern": "x"}, None),
        ("files_list", {"prefix": "1/a/"}, None),
    ],
)
def test_a_step_searches_the_files_whose_names_begin_as_its_plan_says(
    tool: str, args: dict[str, Json], prefix: str | None
) -> None:
    node = Node(id=NodeId("n"), kind=NodeKind.TOOL, title="", tool=ToolName(tool), args=args)
    assert prefix_searched_by(node) == prefix


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("a/r.txt", "7/a/r.txt"),
        ("b/r.txt", "b/r.txt"),
        ("1/a/r.txt", "1/a/r.txt"),
        ("${a}/r.txt", "${a}/r.txt"),
        ("a/b/c/d", "a/b/c/d"),
        ("r.txt", "r.txt"),
    ],
)
def test_a_file_that_is_named_without_its_turn_gets_that_of_its_node(name: str, whole: str) -> None:
    node = Node(id=NodeId("n"), kind=NodeKind.TOOL, title="", tool=FILES_READ, args={"name": name, "limit": 5})
    assert with_turn(node, lambda maker: 7 if maker == "a" else 0).args == {"name": whole, "limit": 5}


def test_a_script_reads_no_file_by_its_inputs() -> None:
    node = Node(
        id=NodeId("n"), kind=NodeKind.PACKAGE, title="", code="", inputs={"name": "1/a/a.json"}, tools=(FILES_READ,)
    )
    assert file_read_by(node) is None


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("1/a/report.md", "3/a-again/report.md"),
        ("1/a/a.json", "3/a-again/a-again.json"),
        ("1/a/a.json.bak", "3/a-again/a.json.bak"),
        ("1/a/ab.json", "3/a-again/ab.json"),
        ("see 2/a/rows 2026.csv, and 1/b/b.txt.", "see 3/a-again/rows 2026.csv, and 3/b-set/b-set.json."),
        ("1/ab/x", "1/ab/x"),
        ("http://h/1/a/report.md", "http://h/1/a/report.md"),
        ("11/a/", "11/a/"),
        ("v1/a/report.md", "v1/a/report.md"),
        ("no files", "no files"),
    ],
)
def test_files_of_other_nodes_are_put_into_texts(text: str, renamed: str) -> None:
    files = RenamedFiles({NodeId("a"): NodeId("a-again"), NodeId("b"): NodeId("b-set")}, 3, {NodeId("b"): "json"})
    assert files.text(text) == renamed
    assert bool(files.named) is (text != renamed)


def test_a_script_names_files_in_its_literals_and_divides_elsewhere() -> None:
    files = RenamedFiles({NodeId("a"): NodeId("b")}, 2)
    assert files.script("x = 1/a/n\ny = read('1/a/r.md')") == "x = 1/a/n\ny = read('2/b/r.md')"
