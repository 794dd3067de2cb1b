"""`greenlight tools`: what is listed and shown, what may be called from a command line, and what `new` refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.cli.process import WRONG_SETTINGS
from infra.cli.tools import FAILED, REFUSED, app

EXAMPLE = Path(__file__).parents[4] / "examples" / "feature_flags"

HANGS = """\
import asyncio
from agent.tools.decorator import tool

@tool(colour="green", timeout_seconds=0.05)
async def hangs() -> None:
    \"\"\"Take for ever.\"\"\"
    await asyncio.Event().wait()
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings with the example and a tool that hangs; `set_flag` acts on a copy of the example's flags."""
    (tmp_path / "hangs.py").write_text(HANGS)
    (tmp_path / "flags.json").write_text((EXAMPLE / "flags.json").read_text())
    monkeypatch.setenv("FEATURE_FLAGS_FILE", str(tmp_path / "flags.json"))
    file = tmp_path / "greenlight.toml"
    file.write_text(f'[tools]\npaths = ["{EXAMPLE}", "hangs.py"]\ndisabled = ["slack_find_users"]\n')
    return file


def run(settings: Path | None, *arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"GREENLIGHT_CONFIG": str(settings or "")})


def test_the_list_has_name_colour_source_and_a_line_and_leaves_out_what_is_switched_off(settings: Path) -> None:
    listed = {line.split()[0]: line for line in run(settings, "list").stdout.splitlines()}
    assert listed["set_flag"].split()[1:3] == ["red", str(EXAMPLE)]
    assert listed["set_flag"].endswith("Turn a feature flag on or off for everybody")
    assert listed["hangs"].split()[1:3] == ["green", str(settings.with_name("hangs.py"))]
    assert listed["slack_post_message"].split()[1:3] == ["red", "Slack"]
    assert "slack_find_users" not in listed
    assert "http_get" not in listed


def test_show_has_schema_colour_limits_and_what_else_the_tool_offers(settings: Path) -> None:
    shown = run(settings, "show", "set_flag").stdout
    assert "set_flag (red, from " in shown
    assert "limit: 20 s; made again up to 0 times" in shown
    assert "optional: dry run, precondition, inverse, renderer" in shown
    assert "reversibility: reversible" in shown
    assert json.loads(shown.partition("arguments: ")[2])["properties"]["note"]["x-confidential"] is True


def test_a_green_tool_is_called_and_its_result_printed_as_json(settings: Path) -> None:
    called = run(settings, "call", "read_flag", '{"name": "beta"}')
    assert (called.exit_code, json.loads(called.stdout)) == (0, {"on": False, "version": 1})


def test_a_red_tool_is_called_with_yes_alone(settings: Path) -> None:
    args = '{"name": "beta", "on": true}'
    refused = run(settings, "call", "set_flag", args)
    assert (refused.exit_code, "set_flag is red" in refused.stderr) == (REFUSED, True)
    assert json.loads(run(settings, "call", "set_flag", args, "--yes").stdout) == {"on": True, "version": 2}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("read_flag", '{"name": "gamma"}'), FAILED, "no_such_flag: there is no flag gamma"),
        (("hangs",), FAILED, "timeout: no answer within 0.05 seconds"),
        (("read_flag", "{}"), REFUSED, "bad_arguments: /: 'name' is a required property"),
        (("read_flag", '{"name": "beta", "more": 1}'), REFUSED, "bad_arguments"),
        (("read_flag", "beta"), REFUSED, "must be a JSON object"),
        (("read_flags",), REFUSED, "there is no tool 'read_flags'"),
        (("slack_read_channel", "{}"), REFUSED, "the rights of the person who asks in Slack"),
    ],
)
def test_a_call_that_does_not_succeed_says_why(
    settings: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    ended = run(settings, "call", *arguments)
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert says in ended.stderr


def test_a_tool_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0\n")
    (tmp_path / "greenlight.toml").write_text('[tools]\npaths = ["bad.py"]\n')
    ended = run(tmp_path / "greenlight.toml", "list")
    assert ended.exit_code == WRONG_SETTINGS
    assert f"{tmp_path / 'bad.py'}: cannot be loaded: ZeroDivisionError" in ended.stderr


@pytest.mark.parametrize("name", ["Bad", "a-b", "class", "script", "json", "../up", "", "test_it"])
def test_new_refuses_a_name_that_no_tool_can_have(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = run(None, "new", name)
    assert ended.exit_code == REFUSED
    assert len(ended.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
