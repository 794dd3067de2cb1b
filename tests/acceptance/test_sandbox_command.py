"""`greenlight sandbox run`, as a person uses it, in both sandboxes."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, cast

import pytest
import pytest_asyncio

from tests.fakes.docker_engine import built_image, engine_or_skip

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
    assert [(call["tool"], call["args"], call["ok"]) for call in outcome["calls"]] == [("lookup", {"key": "é"}, True)]
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
