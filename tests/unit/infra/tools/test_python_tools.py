"""Tools in Python: where they are found, and what refuses the start."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.tool import Colour
from infra.config.file import ConfigurationError, parse_configuration, read_configuration
from infra.tools.catalogue import SETTLED, enabled, open_tools, teams_tools

GREEN = """\
from __future__ import annotations
from agent.tools.decorator import tool

@tool(colour="green")
async def {name}(word: str) -> str:
    \"\"\"Say a word.\"\"\"
    return word
"""


def written(folder: Path, name: str = "say_word", file: str = "team_tools.py") -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GREEN.format(name=name))
    return path


def names(paths: Sequence[Path]) -> list[str]:
    return [found.tool.name for found in teams_tools(paths)]


def package(site: Path, name: str, entries: str) -> None:
    """Write what pip leaves of an installed package with entry points."""
    info = site / f"{name}-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[greenlight.tools]\n{entries}\n")


def test_a_file_and_a_folder_are_searched_and_tests_are_not(tmp_path: Path) -> None:
    file = written(tmp_path, "one")
    written(tmp_path, "two", "folder/two.py")
    written(tmp_path, "three", "folder/three.py")
    for left_out in ("_four.py", "test_five.py", "conftest.py"):
        written(tmp_path, "left_out", f"folder/{left_out}")
    assert names([file, tmp_path / "folder"]) == ["one", "three", "two"]


def test_files_of_a_folder_share_a_module_beside_them(tmp_path: Path) -> None:
    file = written(tmp_path, "shares", "folder/shares.py")
    (tmp_path / "folder" / "_words_of_this_test.py").write_text("WORD = 'hi'\n")
    file.write_text(
        "from _words_of_this_test import WORD\n"
        + GREEN.format(name="shares").replace("from __future__ import annotations\n", "")
    )
    assert names([tmp_path / "folder"]) == ["shares"]


async def test_the_file_names_paths_beside_itself_and_may_name_their_tools(tmp_path: Path) -> None:
    written(tmp_path, "say_here")
    written(tmp_path, "say_off", "off.py")
    config = tmp_path / "greenlight.toml"
    config.write_text(
        '[tools]\npaths = ["team_tools.py", "off.py"]\ndisabled = ["say_off"]\n'
        '[approvals.say_here]\nquorum = 2\n[[policy.rules]]\nname = "r"\ntools = ["say_*"]\neffect = "refuse"\n'
    )
    read = read_configuration(config)
    async with open_tools(read.tools) as tools:
        kept = enabled(tools, read.tools.disabled)
    own = [tool for tool in kept if tool.name not in SETTLED]
    assert [(tool.name, tool.colour) for tool in own] == [("say_here", Colour.GREEN)]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"tools": {"paths": "team_tools.py"}}, "tools.paths"),
        ({"tools": {"paths": [1]}}, "tools.paths"),
        ({"tools": {"paths": ["none.py"]}}, "none.py: there is no such Python file"),
        ({"tools": {"disabled": ["say_word"]}}, "no such tool: say_word"),
    ],
)
def test_paths_that_cannot_be_used_are_refused(tmp_path: Path, table: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_configuration(table, str(tmp_path / "greenlight.toml"))
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def broken(:\n", "cannot be loaded: SyntaxError"),
        ("import not_a_module_of_this_world\n", "cannot be loaded: ModuleNotFoundError"),
        ("raise SystemExit('no')\n", "cannot be loaded: SystemExit: no"),
        ("X = 1\n", "it holds no tool"),
        (GREEN.format(name="http_get"), "tool 'http_get': a built-in tool has this name"),
        (GREEN.format(name="slack_post_message"), "a built-in tool has this name"),
        (GREEN.format(name="x").replace("async def", "def"), "tool 'x': it must be an async function"),
        (GREEN.format(name="x").replace('"""Say a word."""', ""), "tool 'x': it has no docstring"),
    ],
    ids=["syntax", "import", "exit", "none", "built-in", "Slack's", "sync", "docstring"],
)
def test_a_file_that_cannot_be_used_refuses_the_start_in_one_line_that_names_it(
    tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "bad.py").write_text(text)
    (tmp_path / "greenlight.toml").write_text('[tools]\npaths = ["bad.py"]\n')
    with pytest.raises(ConfigurationError) as refused:
        read_configuration(tmp_path / "greenlight.toml")
    assert why in str(refused.value)
    assert str(tmp_path / "bad.py") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_files_with_a_tool_of_one_name_are_refused(tmp_path: Path) -> None:
    files = [written(tmp_path, "twice", "one.py"), written(tmp_path, "twice", "two.py")]
    with pytest.raises(Exception, match=r"two\.py: tool 'twice': .*one\.py has one of this name"):
        teams_tools(files)
