"""`greenlight plan check`: what it prints, where it prints it, and how it ends."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.cli.main import main
from infra.tools.catalogue import TOOL_NAMES, known_tools

GET = {"op": "add", "id": "a", "kind": "tool", "title": "Get", "tool": "http_get", "args": {"url": "http://x.test/"}}
POST = {
    "op": "add",
    "id": "post",
    "kind": "tool",
    "title": "Post",
    "tool": "slack_post_message",
    "args": {"channel": "#ops", "text": "It says ${a#/status}"},
}
COUNT = {
    "op": "add",
    "id": "count",
    "kind": "package",
    "title": "Count",
    "depends_on": [{"id": "a", "on": "failed"}],
    "code": "def main(inputs):\n    return tools.read_access_log(page=0)\n",
    "tools": ["read_access_log"],
}


class Ended(NamedTuple):
    """How the command ended: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The printed JSON objects."""
        return [json.loads(line) for line in self.out.splitlines()]


def _plan_file(folder: Path, *operations: object) -> str:
    path = folder / "plan.jsonl"
    path.write_text("".join(json.dumps(operation) + "\n" for operation in operations))
    return str(path)


def _check(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    with pytest.raises(SystemExit) as ended:
        main(["plan", "check", *arguments])
    assert isinstance(ended.value.code, int)
    shown = capsys.readouterr()
    return Ended(ended.value.code, shown.out, shown.err)


def test_a_sound_plan_is_printed_with_the_dependencies_its_references_imply(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = _check(capsys, _plan_file(tmp_path, GET, POST, COUNT))
    assert ended.code == 0
    assert ended.lines == [GET, {**POST, "depends_on": ["a"]}, COUNT]


def test_the_printed_plan_is_a_plan_and_comes_out_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = _check(capsys, _plan_file(tmp_path, POST, COUNT, GET))
    again = _check(capsys, _plan_file(tmp_path, *first.lines), "--no-pack")
    assert (again.code, again.out) == (first.code, first.out)


def test_lists_and_conditions_are_printed_as_written_and_drawn_with_the_colour_of_their_items(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = {"channel": "#ops", "text": "${item#/name} is down"}
    tell = {**POST, "id": "tell", "args": args, "for_each": "${a#/json}", "when": "${item#/down}"}
    plan = _plan_file(tmp_path, GET, tell)
    ended = _check(capsys, plan)
    assert (ended.code, ended.lines) == (0, [GET, {**tell, "depends_on": ["a"]}])
    assert "it becomes one step for each item of a list" in ended.err
    drawn = _check(capsys, plan, "--mermaid", "--png", str(tmp_path / "plan.png")).out
    assert "red: asks first<br>for each of a#35;/json, only if item#35;/down" in drawn
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_one_object_with_operations_reads_like_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = _check(capsys, _plan_file(tmp_path, {"operations": [GET, COUNT]}))
    assert (ended.code, ended.lines) == (0, [GET, COUNT])


def test_faults_are_printed_by_line_with_node_and_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {**GET, "args": {"url": 5}}
    ended = _check(capsys, _plan_file(tmp_path, POST, wrong, {**GET, "id": "b", "tool": "nope"}))
    assert ended.code == 1
    assert [list(fault) for fault in ended.lines] == [["line", "node", "pointer", "code", "message"]] * 3
    assert [(fault["line"], fault["node"], fault["code"]) for fault in ended.lines] == [
        (1, "post", "held_back"),
        (2, "a", "bad_arguments"),
        (3, "b", "unknown_tool"),
    ]
    assert ended.lines[1]["pointer"] == "/args/url"


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ([], "empty_plan"),
        ([{"op": "reply", "text": "Hello"}], "bad_op"),
        ([GET, GET], "duplicate_id"),
        ([{**GET, "depends_on": ["a"]}], "self_dependency"),
        ([{**GET, "depends_on": ["ghost"]}], "unknown_node"),
        ([{**GET, "depends_on": ["b"]}, {**GET, "id": "b", "depends_on": ["a"]}], "cycle"),
        ([{**GET, "kind": "wish"}], "bad_kind"),
        (
            [{**COUNT, "depends_on": [], "tools": ["slack_post_message"], "require_human_approval": True}],
            "red_tool_in_package",
        ),
        ([{**GET, "id": f"n{number}"} for number in range(201)], "too_many_nodes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_wrong_plan_has_its_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], operations: list[object], code: str
) -> None:
    ended = _check(capsys, _plan_file(tmp_path, *operations))
    assert ended.code == 1
    assert code in [fault["code"] for fault in ended.lines]


def test_described_tools_stand_for_installed_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([{"name": "deploy", "arguments": {"type": "object", "required": ["version"]}}]))
    right = {"op": "add", "id": "d", "kind": "tool", "title": "Deploy", "tool": "deploy", "args": {"version": "1"}}
    assert _check(capsys, _plan_file(tmp_path, right), "--tools", str(tools)).code == 0
    ended = _check(capsys, _plan_file(tmp_path, {**right, "args": {}}, GET), "--tools", str(tools))
    assert [fault["code"] for fault in ended.lines] == ["bad_arguments", "unknown_tool"]


async def test_plans_are_checked_against_every_tool_greenlight_brings() -> None:
    names = {tool.name for tool in await known_tools()}
    assert names == TOOL_NAMES


def test_mermaid_draws_the_plan_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = _check(capsys, _plan_file(tmp_path, GET, POST), "--mermaid")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "flowchart TD",
        '    n1["Get<br>http_get, green"]',
        '    n2{{"Post<br>slack_post_message, red: asks first"}}',
        "    n1 --> n2",
    ]


MORE = {**GET, "id": "more", "args": {"url": "${a#/body/next}"}}


def test_a_chain_is_packed_unless_no_pack_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _plan_file(tmp_path, GET, MORE)
    packed = _check(capsys, path)
    [node] = packed.lines
    assert (packed.code, node["id"], node["kind"], node["tools"]) == (0, "more", "package", ["http_get"])
    assert [{key: step[key] for key in step if key != "digest"} for step in node["packed"]] == [
        {"id": "a", "title": "Get", "tool": "http_get"},
        {"id": "more", "title": "Get", "tool": "http_get"},
    ]
    assert packed.err == "packed: a -> more\n"
    plain = _check(capsys, path, "--no-pack")
    assert ([node["id"] for node in plain.lines], plain.err) == (["a", "more"], "")


def test_a_packed_plan_comes_out_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = _check(capsys, _plan_file(tmp_path, GET, MORE))
    again = _check(capsys, _plan_file(tmp_path, *packed.lines))
    assert (again.code, again.out, again.err) == (0, packed.out, "")


def test_reason_why_a_node_stays_apart_is_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = _check(capsys, _plan_file(tmp_path, GET, POST))
    assert ended.err == "apart: a -> post: a step that asks a person first stays alone\n"


def test_script_that_this_python_cannot_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = "def main(inputs):\n    return inputs[\n"
    ended = _check(capsys, _plan_file(tmp_path, {**COUNT, "depends_on": [], "inputs": {}, "code": script}))
    assert ended.code == 0
    assert f"{COUNT['id']}: this Python cannot read its script (line 2: '[' was never closed)" in ended.err


def test_png_draws_the_plan_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "plan.png"
    ended = _check(capsys, _plan_file(tmp_path, GET, POST, COUNT), "--png", str(picture))
    assert (ended.code, len(ended.lines)) == (0, 3)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = _check(capsys, _plan_file(tmp_path, GET), "--png", str(tmp_path))
    assert (ended.code, ended.out) == (2, "")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "not-utf8"])
def test_an_unreadable_file_has_another_exit_code_than_a_wrong_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "plan.jsonl"
    if content is not None:
        path.write_bytes(content)
    ended = _check(capsys, str(path))
    assert (ended.code, ended.out) == (2, "")
    assert str(path) in ended.err


def test_an_unreadable_tool_file_has_another_exit_code_than_a_wrong_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text("{")
    ended = _check(capsys, _plan_file(tmp_path, GET), "--tools", str(tools))
    assert (ended.code, ended.out) == (2, "")
    assert str(tools) in ended.err


def test_plan_is_printed_in_the_plan_language_and_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = {**POST, "id": "tell", "for_each": "${a#/json}", "args": {"channel": "#ops", "text": "${item}"}}
    plan = _plan_file(tmp_path, GET, POST, COUNT, loop)
    printed = _check(capsys, plan, "--as", "python", "--no-pack")
    assert printed.code == 0
    assert printed.out.startswith('a = http_get(url="http://x.test/")  # Get\n')
    written = tmp_path / "FILE.plan"
    written.write_text(printed.out)
    assert _check(capsys, str(written), "--no-pack").lines == _check(capsys, plan, "--no-pack").lines


def test_packed_plan_is_printed_in_the_plan_language_with_its_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = [GET, {**GET, "id": "b", "args": {"url": "${a#/next}"}}]
    packed = _check(capsys, _plan_file(tmp_path, *chain))
    assert packed.lines[0]["packed"]
    written = tmp_path / "FILE.plan"
    written.write_text(_check(capsys, _plan_file(tmp_path, *chain), "--as", "python").out)
    assert _check(capsys, str(written)).lines == packed.lines


def test_fault_of_the_plan_language_names_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "FILE.plan"
    written.write_text("a = http_get(\n    url=1 + 2,\n)\n")
    ended = _check(capsys, str(written))
    [fault] = ended.lines
    assert (ended.code, fault["line"], fault["column"], fault["node"]) == (1, 2, 9, "a")
    assert fault["code"] == "bad_value"
