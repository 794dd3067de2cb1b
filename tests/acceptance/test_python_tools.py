"""Tools that a team writes in Python: a stranger's first, installed or by path, and a red one with all it may have."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import tempfile
import tomllib
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot import wording
from infra.dev.demo.thread_observer import watching
from infra.dev.local_slack.control.client import WorkspaceClient
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered_and_done
from tests.acceptance.plans import ANSWERS, ENDS, planned, tool
from tests.acceptance.processes import GREENLIGHT
from tests.acceptance.test_approvals_cards import until_card

EXAMPLE = Path(__file__).parents[2] / "examples" / "feature_flags"
NOTE = "asked by the customer Initech"


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A folder that the database's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="greenlight-new-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def run(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command as a person types it in that folder, with `greenlight` and `python` on the path."""
    return subprocess.run(
        shlex.split(command), cwd=folder, env=_environment(variables), capture_output=True, text=True, check=False
    )


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    return {**kept, "PATH": f"{GREENLIGHT.parent}:{os.environ['PATH']}", **variables}


@asynccontextmanager
async def demo_page(folder: Path, **variables: str) -> AsyncGenerator[str]:
    """Run `greenlight demo` in that folder, and yield the address of its page."""
    running = await asyncio.create_subprocess_exec(
        GREENLIGHT, "demo", "--port", "0", cwd=folder, env=_environment(variables), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert running.stdout is not None
        async with asyncio.timeout(120):
            while b"Greenlight is running" not in (line := await running.stdout.readline()):
                assert not running.stdout.at_eof()
        yield line.decode().split("Open ")[1].split(" in a browser")[0]
    finally:
        running.send_signal(signal.SIGTERM)
        await running.communicate()
    assert running.returncode == 0


async def test_a_stranger_gets_from_tools_new_to_a_green_call_in_the_demo_in_under_five_commands(fresh: Path) -> None:
    told = run("greenlight tools new office_hello", fresh)  # the first command
    assert told.returncode == 0, told.stderr
    assert "export GREENLIGHT_CONFIG=greenlight.toml" in told.stdout  # the second
    folder, settings = fresh / "office_hello", {"GREENLIGHT_CONFIG": "greenlight.toml"}
    (advice,) = [line.strip() for line in told.stdout.splitlines() if "tools call" in line]
    called = run(advice, folder, **settings)  # the third
    assert (called.returncode, json.loads(called.stdout)) == (0, {"greeting": "Hello, Ada!"})
    (ask,) = [line.partition("write there: ")[2] for line in told.stdout.splitlines() if "greenlight demo" in line]
    async with (
        demo_page(folder, **settings, GREENLIGHT_DATA=str(fresh / "data")) as page,  # the fourth
        WorkspaceClient(page) as people,
    ):
        ts = await people.post("Ada", "ops", ask)
        async with watching(people, "ops", ts) as observer:
            await observer.until(lambda seen: seen.says("Hello, Ada!"), "the answer")
            assert observer.cards() == []
    tested = run("python -m pytest -q -p no:cacheprovider", folder)
    assert "2 passed" in tested.stdout, tested.stdout + tested.stderr


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    assert run("greenlight tools new mine", tmp_path).returncode == 0
    (tmp_path / "mine" / "mine.py").write_text("# changed\n")
    again = run("greenlight tools new mine", tmp_path)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert (tmp_path / "mine" / "mine.py").read_text() == "# changed\n"


def installed(site: Path, package: Path) -> Path:
    """Install a package of one module as pip would, without a network: its module and what pip writes of it."""
    project = tomllib.loads((package / "pyproject.toml").read_text())
    name, version = project["project"]["name"], project["project"]["version"]
    entries = project["project"]["entry-points"]["greenlight.tools"]
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    written = "".join(f"{key} = {value}\n" for key, value in entries.items())
    (info / "entry_points.txt").write_text(f"[greenlight.tools]\n{written}")
    for module in project["tool"]["setuptools"]["py-modules"]:
        (site / f"{module}.py").write_text((package / f"{module}.py").read_text())
    return site


def test_the_tools_of_an_installed_package_are_found_by_its_entry_point(tmp_path: Path) -> None:
    flags = tmp_path / "flags.json"
    flags.write_text((EXAMPLE / "flags.json").read_text())
    here = {"PYTHONPATH": str(installed(tmp_path / "site", EXAMPLE)), "FEATURE_FLAGS_FILE": str(flags)}
    listed = run("greenlight tools list", tmp_path, **here).stdout
    assert [line.split()[:4] for line in listed.splitlines() if "_flag " in line] == [
        ["read_flag", "green", "greenlight-feature-flags", "0.1.0"],
        ["set_flag", "red", "greenlight-feature-flags", "0.1.0"],
    ]
    read = run('greenlight tools call read_flag \'{"name": "beta"}\'', tmp_path, **here)
    assert json.loads(read.stdout) == {"on": False, "version": 1}
    change = 'greenlight tools call set_flag \'{"name": "beta", "on": true}\''
    refused = run(change, tmp_path, **here)
    assert (refused.returncode, "add --yes" in refused.stderr) == (2, True)
    assert json.loads(flags.read_text())["beta"]["on"] is False
    assert json.loads(run(f"{change} --yes", tmp_path, **here).stdout) == {"on": True, "version": 2}
    plan = tmp_path / "plan.jsonl"
    plan.write_text(json.dumps({"op": "add", "title": "Read", "kind": "tool", **tool("r", "read_flag", {"nam": "x"})}))
    assert "bad_arguments" in run("greenlight plan check plan.jsonl", tmp_path, **here).stdout


def test_a_package_that_is_broken_refuses_the_start_and_the_doctor_says_which(tmp_path: Path) -> None:
    site = installed(tmp_path / "site", EXAMPLE)
    (site / "feature_flags.py").write_text("import nothing_of_this_name\n")
    here = {"PYTHONPATH": str(site), "GREENLIGHT_DATA": str(tmp_path / "data")}
    started = run("greenlight run", tmp_path, **here)
    assert started.returncode == 2
    assert "greenlight-feature-flags 0.1.0, entry point 'feature_flags': cannot be loaded" in started.stderr
    assert "Traceback" not in started.stderr
    examined = json.loads(run("greenlight doctor --json", tmp_path, **here).stdout)
    (finding,) = [finding for finding in examined["findings"] if finding["check"] == "tools"]
    assert (finding["state"], "nothing_of_this_name" in finding["says"]) == ("wrong", True)


def test_the_tests_of_the_example_pass() -> None:
    tested = run("python -m pytest -q -p no:cacheprovider", EXAMPLE, PYTHONDONTWRITEBYTECODE="1")
    assert "3 passed" in tested.stdout, tested.stdout + tested.stderr


async def test_a_red_tool_in_python_asks_with_its_dry_run_asks_again_after_a_change_and_is_undone(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = tmp_path / "flags.json"
    monkeypatch.setenv("FEATURE_FLAGS_FILE", str(flags))

    def stand(on: bool, version: int) -> None:
        flags.write_text(json.dumps({"beta": {"on": on, "version": version}}))

    def stands() -> Any:
        return json.loads(flags.read_text())["beta"]

    def with_example(table: dict[str, Any]) -> None:
        table["tools"]["paths"] = [str(EXAMPLE)]

    stand(on=False, version=1)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=with_example) as scene:
        scene.model.add(planned(tool("flip", "set_flag", {"name": "beta", "on": True, "note": NOTE})))
        async with scene.asked("turn beta on") as observer:
            told = await until_card(observer, lambda words: "version: 1" in words)
            assert "Feature flag\nFlag: beta\nTurned on: true" in told
            assert "beta goes on" in told
            assert wording.confidential_value(NOTE) in told
            stand(on=False, version=7)
            await scene.click(observer, "Ada", "approved")
            await until_card(observer, lambda words: "version: was 1, is 7" in words)
            assert stands() == {"on": False, "version": 7}
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
            assert stands() == {"on": True, "version": 8}
            await scene.people.post("Ada", observer.channel, "!undo", thread_ts=observer.thread_ts)
            await until_card(observer, lambda words: "Turned on: false" in words)
            await scene.click(observer, "Ada", "approved")
            await observer.until(lambda seen: seen.says(wording.UNDONE_TITLE), "the report")
            assert stands() == {"on": False, "version": 9}
            assert not [message for message in map(json.dumps, observer.latest.values()) if NOTE in message]
        assert flags.with_suffix(".history").read_text() == f"beta on: {NOTE}\nbeta off: \n"
        assert scene.workspace.backend.complaints == []


async def test_a_rule_of_the_policy_and_the_list_of_disabled_tools_hold_for_tools_in_python(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = tmp_path / "flags.json"
    flags.write_text((EXAMPLE / "flags.json").read_text())
    monkeypatch.setenv("FEATURE_FLAGS_FILE", str(flags))

    def with_example(table: dict[str, Any]) -> None:
        table["tools"] |= {"paths": [str(EXAMPLE / "feature_flags.py")], "disabled": ["read_flag"]}
        rule = {"name": "beta", "tools": ["set_flag"], "targets": {"name": ["beta"]}, "effect": "allow"}
        table["policy"] = {"rules": [rule]}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_example) as scene:
        scene.model.add(planned(tool("flip", "set_flag", {"name": "beta", "on": True})))
        async with scene.asked("flip it") as observer:
            await observer.until(answered_and_done, "the answer")
            assert observer.cards() == []
        offered = scene.model.requests_of("planner")[0].system
        assert "set_flag" in offered
        assert "read_flag" not in offered
    assert json.loads(flags.read_text())["beta"] == {"on": True, "version": 2}
