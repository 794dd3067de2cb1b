"""`greenlight policy test` and `explain`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.policy import DRIFT, app
from infra.cli.process import WRONG_SETTINGS

RULES = """
[[policy.rules]]
name = "two people"
tools = ["slack_*"]
channels = ["#ops"]
when = "args.text.size() > 3"
effect = "ask"
quorum = 2

[[policy.rules]]
name = "no requests"
tools = ["http_request"]
effect = "refuse"
words = "not from here"
"""
CALL = {"tool": "slack_post_message", "args": {"text": "hello"}, "channel_name": "ops", "effect": "ask"}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(RULES, encoding="utf-8")
    return file


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), env={"GREENLIGHT_CONFIG": ""})
    return result.exit_code, result.output


def calls(folder: Path, *lines: object) -> str:
    file = folder / "calls.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return str(file)


def test_recorded_calls_that_would_be_decided_as_before_are_no_drift(rules: Path, tmp_path: Path) -> None:
    code, said = run("test", calls(tmp_path, {**CALL, "rule": "two people", "needs": [2]}), "--policy", str(rules))
    assert (code, "1 calls against policy" in said, "0 would be" in said) == (0, True, True)


def test_each_call_that_would_be_decided_otherwise_is_printed(rules: Path, tmp_path: Path) -> None:
    short = {**CALL, "args": {"text": "no"}, "needs": [2]}
    recorded = calls(tmp_path, CALL, short, {"tool": "http_request", "effect": "ask"})
    code, said = run("test", recorded, "--policy", str(rules))
    assert code == DRIFT
    assert "calls.jsonl:2: slack_post_message: ask (2) -> ask" in said
    assert "calls.jsonl:3: http_request: ask -> refuse by 'no requests'" in said
    assert "calls.jsonl:1" not in said


def test_a_line_that_is_no_call_is_named_without_what_it_holds(rules: Path, tmp_path: Path) -> None:
    code, said = run("test", calls(tmp_path, CALL, {**CALL, "tool": 7, "token": "secret"}), "--policy", str(rules))
    assert code == WRONG_SETTINGS
    assert "calls.jsonl:2" in said
    assert "secret" not in said


def test_explain_names_the_rule_its_place_and_what_it_takes(rules: Path) -> None:
    code, said = run("explain", "#ops", "slack_post_message", "--args", '{"text": "hello"}', "--policy", str(rules))
    assert code == 0
    assert f"rule 'two people' at {rules}:2" in said
    assert "stage 1: 2 of anybody in the channel" in said
    _, said = run("explain", "#ops", "http_request", "--policy", str(rules))
    assert "refuse: not from here" in said
    _, said = run("explain", "#ops", "slack_post_message", "--policy", str(rules))
    assert "could not be evaluated: two people" in said
    _, said = run("explain", "#dev", "slack_create_channel", "--policy", str(rules))
    assert "the table [approvals] decides" in said


@pytest.mark.parametrize("args", ["[]", "{", "[" * 100_000])
def test_arguments_must_be_an_object(args: str, rules: Path) -> None:
    assert run("explain", "#ops", "http_request", "--args", args, "--policy", str(rules))[0] == WRONG_SETTINGS
