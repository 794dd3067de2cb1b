"""`greenlight sandbox run`, as a person uses it, in both sandboxes; and broken scripts that repair themselves.

One file, though a long one: what the issue asks for, point by point.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any, cast

import pytest
import pytest_asyncio
from sqlalchemy import URL

from agent.plan.outcomes import Failed, Succeeded
from infra.dev.scripted_model.script import ModelRequest, Script, Stall
from sandbox.docker_sandbox import DockerSandbox, DockerSettings
from sandbox.monty import MontySandbox, monty_binary
from sandbox.pool import PoolSize
from sandbox.script import Json, Limits
from tests.acceptance.app_fixture import Stage, stage
from tests.acceptance.assertions import answered
from tests.acceptance.broken_scripts import GOOD, HOPELESS, REPAIRABLE, RESULT, Broken, script
from tests.acceptance.plans import ANSWERS, ENDS, planned
from tests.acceptance.plans import package as package_of
from tests.fakes.docker_engine import built_image, docker_sandbox, engine_or_skip
from tests.fakes.packages import Rig, fenced, package, reflexion
from tests.fakes.planning import PlanningWorld, planning_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

Outcome = Mapping[str, Any]
GREENLIGHT = Path(sys.executable).with_name("greenlight")
SMALL = {"wall_seconds": 5, "memory_bytes": 96 * 1024 * 1024, "output_kill_bytes": 1_000_000, "calls": 50}

CASES = {
    "ok": ("def main(inputs):\n    return {'sum': sum(inputs['numbers'])}", "ok"),
    "async": ("async def main(inputs):\n    return (await atools.lookup(key='a'))['key']", "ok"),
    "error": ("def main(inputs):\n    return inputs['missing']", "error"),
    "syntax": ("def main(inputs)\n    return 1", "syntax"),
    "timeout": ("def main(inputs):\n    while True:\n        pass", "timeout"),
    "oom": ("def main(inputs):\n    x = []\n    while True:\n        x.append('x' * 1_000_000)", "oom"),
    "result": ("def main(inputs):\n    return 'x' * 2_000_000", "output_limit"),
    "flood": ("def main(inputs):\n    while True:\n        print('x' * 10_000)", "output_limit"),
    "calls": ("def main(inputs):\n    while True:\n        tools.lookup(key='a')", "call_limit"),
    "undeclared": ("def main(inputs):\n    return tools.drop_table(name='users')", "error"),
}


@pytest_asyncio.fixture(
    loop_scope="module", scope="module", params=["monty", pytest.param("docker", marks=pytest.mark.docker)]
)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The sandbox's name; for docker, its image is there."""
    if request.param == "docker":
        engine = await engine_or_skip()
        await built_image(engine)
        await engine.close()
    yield request.param


async def run(folder: Path, code: str, sandbox: str, *more: str) -> tuple[int, Outcome]:
    """Run the command; return its exit status and the outcome it printed."""
    (folder / "script.py").write_text(dedent(code))
    (folder / "lookup.py").write_text("def lookup(key):\n    return {'key': key}\n")
    command = [GREENLIGHT, "sandbox", "run", "script.py", "--tool", "lookup=lookup.py", "--sandbox", sandbox, *more]
    done = await asyncio.to_thread(subprocess.run, command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, cast("Outcome", json.loads(done.stdout))


@pytest.mark.parametrize("case", CASES)
async def test_outcome_kind(tmp_path: Path, sandbox: str, case: str) -> None:
    code, kind = CASES[case]
    status, outcome = await run(
        tmp_path, code, sandbox, "--inputs", '{"numbers": [1, 2, 3]}', "--limits", json.dumps(SMALL)
    )
    assert (status, outcome["kind"]) == (0, kind), outcome
    assert set(outcome) == {"kind", "result", "error", "logs", "calls", "milliseconds"}
    assert (outcome["error"] is None) == (kind == "ok")


async def test_calls_and_logs_are_told(tmp_path: Path, sandbox: str) -> None:
    code = "def main(inputs):\n    print('looking')\n    return tools.lookup(key='é')"
    _, outcome = await run(tmp_path, code, sandbox)
    assert outcome["result"] == {"key": "é"}
    assert outcome["logs"] == "looking\n"
    assert [(each["tool"], each["args"], each["ok"]) for each in outcome["calls"]] == [("lookup", {"key": "é"}, True)]
    assert set(outcome["calls"][0]) == {"tool", "args", "ok", "milliseconds"}


async def test_error_tells_type_message_and_line(tmp_path: Path, sandbox: str) -> None:
    _, outcome = await run(tmp_path, "def main(inputs):\n    return {}['k']", sandbox)
    assert outcome["error"]["type"] == "KeyError"
    assert "'k'" in outcome["error"]["message"]
    assert 'File "script.py", line 2, in main' in outcome["error"]["traceback"]


@pytest.mark.parametrize(
    "option",
    [
        ["--inputs", "[]"],
        ["--inputs", "{"],
        ["--limits", '{"memory": 1}'],
        ["--limits", '{"wall_seconds": -1}'],
        ["--limits", '{"wall_seconds": "soon"}'],
        ["--limits", '{"wall_seconds": 1e999}'],
        ["--inputs", '{"a":' + "[" * 50_000 + "]" * 50_000 + "}"],
        ["--tool", "x=broken.py"],
        ["--tool", "x=leaves.py"],
        ["--tool", "no-such-file"],
        ["--tool", "x=missing.py"],
        ["--sandbox", "subprocess"],
    ],
    ids=lambda option: " ".join(option)[:40],
)
async def test_wrong_usage_is_exit_2(tmp_path: Path, option: list[str]) -> None:
    (tmp_path / "script.py").write_text("def main(inputs):\n    return 1")
    (tmp_path / "broken.py").write_text("def x(:")
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)")
    command = [GREENLIGHT, "sandbox", "run", "script.py", *option]
    done = await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


async def test_docker_asked_for_and_not_there_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    status, outcome = await run(tmp_path, "def main(inputs):\n    return 1", "docker")
    assert (status, outcome["kind"]) == (1, "infra")
    assert "no container engine" in outcome["error"]["message"]


async def test_auto_falls_back_to_monty_without_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    assert (await run(tmp_path, "def main(inputs):\n    return 1", "auto"))[1]["result"] == 1


SOURCES = {
    "byte-order-mark": (b"\xef\xbb\xbfdef main(inputs):\n    return 'caf\xc3\xa9'", "ok"),
    "coding-line": (b"# coding: latin-1\ndef main(inputs):\n    return 'caf\xe9'", "ok"),
    "windows-lines": (b"def main(inputs):\r\n    return 'caf\xc3\xa9'\r\n", "ok"),
    "not-utf-8": (b"def main(inputs):\n    return 'caf\xe9'", "syntax"),
    "utf-16": ("def main(inputs):\n    return 'café'".encode("utf-16"), "syntax"),
    "unknown-coding": (b"# coding: klingon\ndef main(inputs):\n    return 1", "syntax"),
}


@pytest.mark.parametrize("case", SOURCES)
async def test_file_is_read_as_python_reads_it(tmp_path: Path, case: str) -> None:
    source, kind = SOURCES[case]
    (tmp_path / "script.py").write_bytes(source)
    command = [GREENLIGHT, "sandbox", "run", "script.py", "--sandbox", "monty"]
    done = await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=False)
    outcome = cast("Outcome", json.loads(done.stdout))
    assert (done.returncode, outcome["kind"], outcome["result"]) == (0, kind, "café" if kind == "ok" else None)


async def test_stdout_is_the_outcome_alone_whatever_a_tool_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    (tmp_path / "noisy.py").write_text("print('loaded')\ndef noisy():\n    print('called')\n    raise SystemExit(3)")
    code = """
        def main(inputs):
            try:
                tools.noisy()
            except RuntimeError as error:
                return f"é {error}"
        """
    status, outcome = await run(tmp_path, code, "monty", "--tool", "noisy=noisy.py")
    assert (status, outcome["kind"], outcome["result"]) == (0, "ok", "é SystemExit: 3")


# Self-healing: a scripted model over the wire, real containers, the journal of green answers.

PATIENT = Limits(wall_seconds=30.0, memory_bytes=96 * 1024 * 1024, output_kill_bytes=1_000_000)
SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "additionalProperties": {"type": "integer"},
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def containers() -> AsyncIterator[DockerSandbox]:
    async with docker_sandbox(DockerSettings(limits=PATIENT, pool=PoolSize(ready=3, idle_ready=3))) as opened:
        yield opened


def answers(case: Broken) -> list[Any]:
    """The model's rewrites in turn; the last one again for whatever else it is asked."""
    first = [reflexion(fenced(each), times=1) for each in case.rewrites[:-1]]
    return [*first, reflexion(fenced(case.rewrites[-1]))]


def rig(world: PlanningWorld, sandbox: Any, case: Broken) -> Rig:
    """A workbench with the case's limits, on which its package can be performed."""
    return Rig(world, sandbox, limits=replace(PATIENT, **case.limits))  # pyright: ignore[reportArgumentType] -- ints stay ints


@pytest.mark.docker
@pytest.mark.parametrize("case", REPAIRABLE)
async def test_broken_script_repairs_itself_and_asks_no_tool_twice(containers: DockerSandbox, case: str) -> None:
    broken = REPAIRABLE[case]
    async with planning_world(*answers(broken)) as world:
        on = rig(world, containers, broken)
        assert await on.perform(package(broken.code, broken.tools, result_schema=SCHEMA)) == Succeeded(value=RESULT)
        assert tuple(each.kind for each in on.attempts) == broken.kinds, on.attempts
        assert on.attempts[0].error.startswith(broken.error)
        assert on.attempts[-1].code == GOOD
        asked = on.pages.asked
        assert len(asked) == len(set(asked)), "a green tool was called twice with equal arguments"
        assert {0, 1, 2} <= set(asked)


@pytest.mark.docker
@pytest.mark.parametrize("case", HOPELESS)
async def test_script_that_cannot_be_repaired_fails_with_its_story(containers: DockerSandbox, case: str) -> None:
    broken = HOPELESS[case]
    async with planning_world(*answers(broken)) as world:
        on = rig(world, containers, broken)
        outcome = await on.perform(package(broken.code, broken.tools))
        assert isinstance(outcome, Failed)
        assert outcome.error == broken.error, outcome
        assert tuple(each.kind for each in on.attempts) == broken.kinds
        asked = on.pages.asked
        assert len(asked) == len(set(asked))
        if len(broken.kinds) > 1:
            for number, kind in enumerate(broken.kinds, start=1):
                assert f"Attempt {number}, {kind}: " in outcome.message
            assert "No further attempt: " in outcome.message
        else:
            assert "Not repaired: " in outcome.message


async def test_script_beyond_montys_dialect_is_told_so_and_rewritten() -> None:
    sandbox = MontySandbox(monty_binary())
    lazy = script("def each():\n    yield from lines\nreturn count(each())")
    async with planning_world(reflexion(fenced(GOOD))) as world:
        on = Rig(world, sandbox)
        assert await on.perform(package(lazy)) == Succeeded(value=RESULT)
        assert [each.kind for each in on.attempts] == ["error", "ok"]
        assert "Unsupported" in on.attempts[0].error
        assert "yield" in on.crashes()[0]["Outcome"]
        assert len(on.pages.asked) == 3
    await sandbox.close()


COUNTING = """\
def main(inputs):
    first = tools.http_get(url=inputs["url"])["body"]
    return {"calls": first["calls"], "kind": first["kinds"]}
"""
COUNTED = COUNTING.replace('first["kinds"]', '"mended"')


async def test_restart_in_the_middle_of_a_repair_loses_no_attempt_and_details_outlive_it(
    database_url: URL, tmp_path: Path
) -> None:
    """The worker stops while the model is asked; the next one asks again, and calls no tool again."""
    asked = asyncio.Event()

    def unheard(request: ModelRequest) -> Stall:
        asked.set()
        return Stall()

    def monty(table: dict[str, object]) -> None:
        table["sandbox"] = "monty"

    scripts = [
        Script(role="repair", answer=unheard, times=1),
        reflexion(fenced(COUNTED)),
        ENDS,
        ANSWERS,
    ]
    async with stage(database_url, tmp_path, scripts, configuration=monty) as scene:
        inputs = {"url": f"{scene.effects.url}/page"}
        scene.model.add(planned(package_of("count", COUNTING, tools=["http_get"], inputs=inputs)))
        await repaired_over_a_restart(scene, asked)


async def repaired_over_a_restart(scene: Stage, asked: asyncio.Event) -> None:
    """Ask, restart the app while the model is silent, and read the details after another restart."""
    async with scene.asked("count") as observer:
        await asked.wait()
        await scene.stop_app()
        await scene.start_app()
        await observer.until(answered, "the answer")
        assert scene.effects.calls == {"page": 1}
        assert [each.role for each in scene.model.requests].count("repair") == 2
        assert '"kind": "mended"' in str(observer.words())
        await scene.stop_app()
        await scene.start_app()
        board = next(each for each in await scene.people.messages("ops") if "script_details_0" in str(each))
        await scene.people.click("Grace", "ops", str(board["ts"]), "script_details_0")
        assert COUNTED.strip() in await modal(scene, "U0GRACE")
        await scene.people.act("views/act", user="Grace", action_id="script_attempt_1")
        assert "KeyError" in await modal(scene, "U0GRACE", "Attempt 1 of 2")


async def modal(scene: Stage, user: str, having: str = "The script") -> str:
    """Return the words of the modal this person has open, once it has these in it; blocks are joined by lines."""

    def opened(dump: Mapping[str, Any]) -> list[Any]:
        return [each for each in dump["views"].get(user, []) if having in str(each["blocks"])]

    [view] = opened(await scene.people.wait_for(lambda dump: bool(opened(dump))))
    return str(view["blocks"]).replace("\\\\n", "\\n").encode().decode("unicode_escape")
