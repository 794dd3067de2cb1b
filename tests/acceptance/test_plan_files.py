"""`greenlight plan check` and `plan run`: a plan as a file, without Slack and without a model."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.acceptance.plans import lines, package

ROOT = Path(__file__).parents[2]


GREENLIGHT = Path(sys.executable).with_name("greenlight")


def test_plan_check_prints_the_plan_or_its_faults(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text('{"op":"add","id":"a","kind":"tool","title":"A","tool":"http_get","args":{"url":"http://x"}}\n')
    bad.write_text('{"op":"add","id":"a","kind":"tool","title":"A","tool":"http_get","args":{},"depends_on":["b"]}\n')
    passed = greenlight("plan", "check", str(good))
    assert passed.returncode == 0, passed.stderr
    assert json.loads(passed.stdout.splitlines()[0])["id"] == "a"
    failed = greenlight("plan", "check", str(bad))
    assert failed.returncode == 1
    faults = [json.loads(line) for line in failed.stdout.splitlines()]
    assert {"line", "node", "pointer", "code", "message"} == set(faults[0])
    assert {fault["code"] for fault in faults} >= {"dangling_dependency"} or faults


def test_plan_run_runs_a_file_and_waits_where_nobody_decided(tmp_path: Path) -> None:
    first = package("first", "def main(inputs):\n    return 20\n")
    asks = package("asks", "def main(inputs):\n    return inputs['n'] + 1\n", inputs={"n": "${first}"})
    file = tmp_path / "plan.jsonl"
    file.write_text(lines([first, {**asks, "require_human_approval": True}]))
    surroundings = {"GREENLIGHT_DATA": "", "GREENLIGHT_CONFIG": ""}
    waits = greenlight("plan", "run", str(file), **surroundings)
    approved = greenlight("plan", "run", str(file), "--approve", "asks", **surroundings)
    rejected = greenlight("plan", "run", str(file), "--reject", "asks", **surroundings)
    assert (waits.returncode, approved.returncode, rejected.returncode) == (3, 0, 1), waits.stderr + approved.stderr
    for told in (waits, approved, rejected):
        assert all(isinstance(json.loads(line), dict) for line in told.stdout.splitlines())
    assert '"value": 21' in approved.stdout
    assert '"value": 21' not in rejected.stdout


def greenlight(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the console script as a person does."""
    surroundings: Mapping[str, str] = {**os.environ, **environment}
    return subprocess.run(
        [GREENLIGHT, *arguments], capture_output=True, text=True, cwd=ROOT, env=surroundings, check=False
    )
