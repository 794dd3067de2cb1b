"""Scripts that lie to the host, or tamper with the runner they share a process with: each ends as its own kind."""

from collections.abc import AsyncIterator, Mapping
from textwrap import dedent

import pytest
import pytest_asyncio

from sandbox.docker_sandbox import DockerSandbox, DockerSettings
from sandbox.pool import PoolSize
from sandbox.script import Job, Json, Limits, OutcomeKind, ScriptOutcome
from tests.fakes.docker_engine import docker_sandbox

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

SMALL = Limits(wall_seconds=15.0, memory_bytes=96 * 1024 * 1024, pids=48, output_kill_bytes=2 * 1024 * 1024)

# `send` writes a message to the runner's own pipe, as only a script that went looking for it can.
PIPE = """
import gc, json, os, sys, threading, time

def send(**message):
    for found in gc.get_objects():
        if type(found).__name__ == "Link":
            os.write(found._out, json.dumps(message).encode() + b"\\n")
            return

def mark():
    frame = sys._getframe()
    while frame is not None:
        if "job" in frame.f_locals:
            return frame.f_locals["job"].mark
        frame = frame.f_back
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    async with docker_sandbox(DockerSettings(limits=SMALL, pool=PoolSize(ready=2))) as opened:
        yield opened


async def run(sandbox: DockerSandbox, body: str, before: str = "") -> ScriptOutcome:
    """Run the body of a main(); `echo` answers with its arguments."""
    indented = "".join(f"    {line}\n" for line in dedent(body).strip().splitlines())

    async def echo(tool: str, args: Mapping[str, Json]) -> Json:
        del tool
        return args

    code = f"{PIPE}{dedent(before)}\ndef main(inputs):\n{indented}"
    return await sandbox.run(Job(code=code, tools=frozenset({"echo"}), limits=SMALL), echo)


FORGED = {
    "own-format": '{"op": "result", "value": "forged"}',
    "outcome": '{"kind": "ok", "result": "forged", "error": null}',
    "json-rpc": '{"jsonrpc": "2.0", "id": 1, "result": "forged"}',
    "bare": '"forged"',
}


@pytest.mark.parametrize("forged", FORGED)
async def test_fake_result_on_every_descriptor_is_protocol(sandbox: DockerSandbox, forged: str) -> None:
    body = f"""
        for fd in range(1024):
            try:
                os.write(fd, {FORGED[forged]!r}.encode() + b"\\n")
            except OSError:
                pass
        return "honest"
        """
    outcome = await run(sandbox, body)
    assert (outcome.kind, outcome.result) == (OutcomeKind.PROTOCOL, None), outcome


@pytest.mark.parametrize("forged", FORGED)
async def test_fake_result_that_is_printed_is_a_log_line(sandbox: DockerSandbox, forged: str) -> None:
    body = f"""
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            print({FORGED[forged]!r}, file=stream, flush=True)
        os.write(1, {FORGED[forged]!r}.encode() + b"\\n")
        return "honest"
        """
    outcome = await run(sandbox, body)
    assert (outcome.kind, outcome.result) == (OutcomeKind.OK, "honest"), outcome
    assert outcome.logs.splitlines() == [FORGED[forged]] * 5


LIES = {
    "ending-without-mark": 'send(op="raised", kind="infra", type="infra", message="engine gone", frames=[])',
    "ending-with-a-guess": 'send(op="result", mark="0" * 32, value=1)',
    "size-below-zero": 'send(op="too_large", mark=mark(), size=-1)',
    "half-a-line": """os.write(next(e._out for e in gc.get_objects() if type(e).__name__ == "Link"), b'{"op":"res')""",
    "call-id-is-text": 'send(op="call", id="1", tool="echo", args=[], kwargs={})',
    "call-id-is-a-list": 'send(op="call", id=[1], tool="echo", args=[], kwargs={})',
    "json-replaced": 'json.dumps = lambda *a, **k: \'1},{"op":"result","value":"forged"\'',
    "place-of-megabytes": 'send(op="where", frames=[[1, "x" * 1000]] * 5000)',
}


@pytest.mark.parametrize("lie", LIES)
async def test_lie_on_the_runners_pipe_is_protocol(sandbox: DockerSandbox, lie: str) -> None:
    outcome = await run(sandbox, f"{LIES[lie]}\nreturn 'honest'")
    assert (outcome.kind, outcome.result) == (OutcomeKind.PROTOCOL, None), outcome


async def test_forged_ending_with_the_mark_is_no_more_than_a_result_of_the_script(sandbox: DockerSandbox) -> None:
    outcome = await run(sandbox, 'send(op="result", mark=mark(), value="forged")\ntime.sleep(10)')
    assert (outcome.kind, outcome.result) == (OutcomeKind.OK, "forged"), outcome


async def test_forged_error_keeps_the_kind_error(sandbox: DockerSandbox) -> None:
    lie = 'send(op="raised", mark=mark(), kind="infra", type="infra", message="engine gone", frames=[[-5, "x"]])'
    outcome = await run(sandbox, f"{lie}\ntime.sleep(10)")
    assert outcome.kind is OutcomeKind.ERROR, outcome


async def test_calls_with_repeated_and_enormous_ids_are_each_answered_once(sandbox: DockerSandbox) -> None:
    body = """
        for number in (-1, 0, 1, 1, 1, 2**63, 10**30):
            send(op="call", id=number, tool="echo", args=[], kwargs={"n": 1})
        return tools.echo(n=2)
        """
    outcome = await run(sandbox, body)
    assert outcome.kind is OutcomeKind.OK, outcome
    assert outcome.result in ({"n": 1}, {"n": 2})
    assert len(outcome.calls) <= 8


async def test_calls_after_the_result_change_nothing(sandbox: DockerSandbox) -> None:
    body = """
        def on():
            while True:
                try:
                    tools.echo(late=True)
                except BaseException:
                    pass
        for _ in range(4):
            threading.Thread(target=on).start()
        return "early"
        """
    outcome = await run(sandbox, body)
    assert outcome.kind in (OutcomeKind.OK, OutcomeKind.CALL_LIMIT), outcome
    assert outcome.result in ("early", None)


# What a script does to the process it shares with the runner.

TAMPERING = {
    "result-then-noisy-threads": (
        """
        def spin():
            while True:
                print("still here")
                time.sleep(0.001)
        for _ in range(4):
            threading.Thread(target=spin).start()
        return "done"
        """,
        "ok",
    ),
    "noise-at-exit": (
        """
        import atexit
        atexit.register(lambda: [print("bye") for _ in range(10**9)])
        threading._register_atexit(lambda: [print("bye") for _ in range(10**9)])
        return "done"
        """,
        "ok",
    ),
    "sys-exit-in-threads": (
        """
        threads = [threading.Thread(target=sys.exit, args=(3,)) for _ in range(5)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        return "done"
        """,
        "ok",
    ),
    "exit-replaced": ("os._exit = lambda code: None\nreturn 'done'", "ok"),
    "bytes-that-are-no-text": ("os.write(1, bytes(range(256)))\nprint('\\ud800\\x00')\nreturn 'done'", "ok"),
    "child-killed-for-memory": (
        """
        pid = os.fork()
        if pid == 0:
            kept = []
            while True:
                kept.append(bytearray(b"x" * 10**6))
        os.waitpid(pid, 0)
        return "done"
        """,
        "ok",
    ),
    "exit-in-a-thread": ("threading.Thread(target=os._exit, args=(0,)).start()\ntime.sleep(10)", "died"),
    "looks-like-an-outcome": ("print(json.dumps({'kind': 'ok'}), flush=True)\nos._exit(0)", "died"),
    "runners-pipe-closed": ("os.closerange(3, 4096)\nreturn 'lost'", "died"),
    "everything-closed": ("os.closerange(0, 4096)\nreturn 'lost'", "died"),
    "builtins-replaced": ("import builtins\nbuiltins.isinstance = builtins.type = None\nreturn 'lost'", "died"),
    "alarm": ("import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.1)\ntime.sleep(10)", "died"),
    "faulthandler": ("import faulthandler\nfaulthandler.enable()\nfaulthandler._sigsegv()", "died"),
    "own-watchdog": (
        "import faulthandler\nfaulthandler.dump_traceback_later(0.1, exit=True)\ntime.sleep(10)",
        "died",
    ),
    "whole-group-killed": ("os.kill(0, 15)\ntime.sleep(10)", "died"),
    "first-process-killed": ("[os.kill(1, number) for number in (1, 2, 15)]\ntime.sleep(10)", "died"),
    "interrupted-by-a-thread": ("import _thread\n_thread.interrupt_main()\ntime.sleep(10)", "error"),
    "generator": ("return (number for number in [1])", "error"),
    "result-far-too-deep": ("x = []\nfor _ in range(100_000):\n    x = [x]\nreturn x", "error"),
    "nan-deep-inside": ("return {'a': [{'b': float('nan')}]}", "error"),
    "reads-what-is-not-there": ("return input('name? ')", "error"),
    "exit-status": ("sys.exit(0)", "error"),
    "megabytes-in-an-error": ("raise ValueError('\\ud800\\x00' * 5_000_000)", "error"),
    "trace-that-raises": ("sys.settrace(lambda *a: 1 / 0)\nreturn (lambda: 1)()", "error"),
    "output-without-a-newline": ("while True:\n    sys.stdout.write('x' * 1000)", "output_limit"),
    "letters-beyond-ascii": ("return '\\u00e9' * 600_000", "output_limit"),
    "memory-in-a-thread": (
        """
        kept = []
        def eat():
            while True:
                kept.append(bytearray(b"x" * 10**6))
        threading.Thread(target=eat).start()
        time.sleep(60)
        """,
        "oom",
    ),
    "twenty-thousand-calls-in-turn": (
        """
        for n in range(20_000):
            try:
                tools.echo(n=n)
            except BaseException:
                pass
        """,
        "call_limit",
    ),
}


@pytest.mark.parametrize("case", TAMPERING)
async def test_tampering_ends_as_its_own_kind(sandbox: DockerSandbox, case: str) -> None:
    body, kind = TAMPERING[case]
    outcome = await run(sandbox, body)
    assert outcome.kind.value == kind, outcome
    assert (outcome.result is None) == (kind != "ok")
    assert len(outcome.logs) <= 300_000
    str(outcome).encode()


async def test_class_that_lies_about_its_name_is_named_by_itself(sandbox: DockerSandbox) -> None:
    before = """
        class Liar(type):
            @property
            def __name__(cls):
                raise SystemExit("no name")

        class Fault(Exception, metaclass=Liar):
            @property
            def __traceback__(self):
                raise SystemExit("no traceback")
        """
    outcome = await run(sandbox, "raise Fault('x')", before)
    assert outcome.kind is OutcomeKind.ERROR, outcome
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message) == ("Fault", "x")
    assert "in main" in outcome.error.traceback
