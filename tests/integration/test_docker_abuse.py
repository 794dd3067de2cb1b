"""Hostile scripts in real containers: each gets its own outcome kind, none raises here, none leaves anything.

One file, though a long one: what no script has tried yet shows only beside the others.
"""

import platform
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from textwrap import dedent

import pytest
import pytest_asyncio

from sandbox.docker_sandbox import DockerSandbox, DockerSettings
from sandbox.pool import PoolSize
from sandbox.script import Job, Json, Limits, OutcomeKind, ScriptOutcome, ToolCallRefused
from tests.fakes.docker_engine import docker_sandbox

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

SMALL = Limits(wall_seconds=15.0, memory_bytes=96 * 1024 * 1024, pids=48, output_kill_bytes=2 * 1024 * 1024)

IMPATIENT = replace(SMALL, wall_seconds=1.0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    async with docker_sandbox(DockerSettings(limits=SMALL, pool=PoolSize(ready=2))) as opened:
        yield opened


THREADS = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
LIBRARY = """asyncio bz2 calendar concurrent.futures configparser csv ctypes decimal difflib email enum fractions
gzip hashlib heapq html http.client ipaddress itertools json logging lzma multiprocessing pathlib pickle queue re
secrets shlex sqlite3 ssl statistics string struct subprocess tempfile textwrap threading tomllib typing unicodedata
urllib.parse uuid xml.etree.ElementTree zipfile zlib zoneinfo"""


class Desk:
    """Answers the one declared tool; notes every call that reaches it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Json]]] = []

    async def __call__(self, tool: str, args: Mapping[str, Json]) -> Json:
        self.calls.append((tool, args))
        if tool == "red":
            raise ToolCallRefused("red tools cannot be called from a script: plan this as its own node")
        return args


async def run(sandbox: DockerSandbox, code: str, handler: Desk | None = None, limits: Limits = SMALL) -> ScriptOutcome:
    job = Job(code=dedent(code), tools=frozenset({"echo", "red"}), limits=limits)
    return await sandbox.run(job, handler or Desk())


async def result(sandbox: DockerSandbox, body: str) -> Json:
    """Run the body of a main() and return its result."""
    outcome = await run(sandbox, "def main(inputs):\n" + "\n".join("    " + line for line in dedent(body).splitlines()))
    assert outcome.kind is OutcomeKind.OK, outcome
    return outcome.result


async def test_standard_library_is_inside(sandbox: DockerSandbox) -> None:
    body = f"import {', '.join(LIBRARY.split())}\nreturn str(zoneinfo.ZoneInfo('Europe/Berlin'))"
    assert await result(sandbox, body) == "Europe/Berlin"


# Reaching out


async def test_no_socket_family_but_unix_opens(sandbox: DockerSandbox) -> None:
    opened = await result(
        sandbox,
        """
        import socket
        opened = []
        for family in range(0, 50):
            for kind in (1, 2, 3, 4, 5, 10):
                try:
                    socket.socket(family, kind).close()
                    opened.append(family)
                except OSError:
                    pass
        return sorted(set(opened))
        """,
    )
    assert opened == [1]


@pytest.mark.parametrize(
    "path",
    [
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/etc/shadow",
        "/root",
        "/home",
        "/proc/kcore",
        "/proc/sysrq-trigger",
        "/sys/kernel/debug",
        "/sys/firmware",
        "/dev/mem",
        "/dev/vda",
        "/dev/kmsg",
        "/dev/fuse",
    ],
)
async def test_nothing_of_the_host_can_be_read(sandbox: DockerSandbox, path: str) -> None:
    read = await result(
        sandbox,
        f"""
        import os
        path = {path!r}
        try:
            if os.path.isdir(path):
                return os.listdir(path)
            with open(path, "rb") as file:
                return len(file.read(100))
        except OSError as error:
            return type(error).__name__
        """,
    )
    assert read in ("FileNotFoundError", "PermissionError", "OSError", [], 0), read


async def test_environment_holds_no_secret(sandbox: DockerSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    names = await result(sandbox, "import os\nreturn sorted(os.environ)")
    assert isinstance(names, list)
    assert (
        set(names)
        <= {"HOME", "HOSTNAME", "PATH", "LANG", "LC_CTYPE", "GPG_KEY", "PYTHON_VERSION", "PYTHON_SHA256"} | THREADS
    )


async def test_nothing_outside_the_scratch_space_can_be_written(sandbox: DockerSandbox) -> None:
    written = await result(
        sandbox,
        """
        import os
        written = []
        for folder, _, _ in os.walk("/"):
            if folder.startswith(("/proc", "/sys", "/tmp")):
                continue
            try:
                with open(os.path.join(folder, "x"), "w"):
                    written.append(folder)
            except OSError:
                pass
        return written
        """,
    )
    assert written == []


@pytest.mark.parametrize(
    "name", ["oom_score_adj", "oom_adj", "coredump_filter", "timerslack_ns", "clear_refs", "mem", "loginuid", "comm"]
)
async def test_settings_of_the_own_process_cannot_be_changed(sandbox: DockerSandbox, name: str) -> None:
    opened = await result(
        sandbox,
        f"""
        import os
        opened = []
        for process in ("self", "1", "thread-self", f"self/task/{{os.getpid()}}"):
            try:
                os.close(os.open(f"/proc/{{process}}/{name}", os.O_WRONLY))
                opened.append(process)
            except OSError:
                pass
        return opened
        """,
    )
    assert opened == []


async def test_script_is_what_the_kernel_ends_first_when_memory_runs_out(sandbox: DockerSandbox) -> None:
    code = """
        import contextlib
        def main(inputs):
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                file.write("0")
            return int(open("/proc/self/oom_score_adj").read())
        """
    outcome = await run(sandbox, code)
    assert outcome.result == 800, outcome


FOREIGN_CALLS = {
    "x32": "ctypes.CDLL(None).syscall(0x40000000 | 39)",
    "x32-write": "ctypes.CDLL(None).syscall(0x40000000 | 1, 2, b'x', 1)",
    "int80": "native(bytes.fromhex('b814000000cd80c3'))",
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these ABIs exist on x86-64 only")
@pytest.mark.parametrize("thread", ["main", "another"])
@pytest.mark.parametrize("call", FOREIGN_CALLS)
async def test_system_call_of_another_abi_ends_the_process_at_once(
    sandbox: DockerSandbox, call: str, thread: str
) -> None:
    invoke = "foreign()" if thread == "main" else "threading.Thread(target=foreign).start(); time.sleep(60)"
    code = f"""
        import ctypes, mmap, threading, time
        def native(machine_code):
            memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            memory.write(machine_code)
            ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
        def foreign():
            {FOREIGN_CALLS[call]}
        def main(inputs):
            {invoke}
        """
    outcome = await run(sandbox, code, limits=replace(SMALL, wall_seconds=60.0))
    assert outcome.kind is OutcomeKind.DIED, outcome
    assert outcome.error is not None
    assert "SIGSYS" in outcome.error.message
    assert outcome.milliseconds < 50_000


async def test_own_binary_cannot_be_executed(sandbox: DockerSandbox) -> None:
    name = await result(
        sandbox,
        """
        import os, shutil, subprocess, sys
        shutil.copy(sys.executable, "/tmp/own")
        os.chmod("/tmp/own", 0o755)
        try:
            subprocess.run(["/tmp/own", "-c", "print(1)"])
        except OSError as error:
            return type(error).__name__
        """,
    )
    assert name == "PermissionError"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("ptrace", 101),
        ("process_vm_readv", 310),
        ("memfd_create", 319),
        ("io_uring_setup", 425),
        ("bpf", 321),
        ("unshare", 272),
        ("setns", 308),
        ("mount", 165),
        ("keyctl", 250),
        ("add_key", 248),
        ("userfaultfd", 323),
        ("perf_event_open", 298),
        ("kcmp", 312),
        ("pidfd_getfd", 438),
        ("init_module", 175),
        ("kexec_load", 246),
        ("open_by_handle_at", 304),
        ("syslog", 103),
        ("reboot", 169),
        ("swapon", 167),
        ("chroot", 161),
        ("pivot_root", 155),
        ("settimeofday", 164),
        ("fsopen", 430),
    ],
)
async def test_kernel_interface_is_refused(sandbox: DockerSandbox, name: str, number: int) -> None:
    answer = await result(
        sandbox,
        f"""
        import ctypes, os
        if os.uname().machine != "x86_64":
            return [-1, 1]
        libc = ctypes.CDLL(None, use_errno=True)
        return [libc.syscall({number}, 0, 0, 0, 0, 0), ctypes.get_errno()]
        """,
    )
    assert answer == [-1, 1], f"{name} gave {answer}"


async def test_privileges_cannot_be_gained(sandbox: DockerSandbox) -> None:
    gained = await result(
        sandbox,
        """
        import os
        gained = []
        for name, args in (("setuid", (0,)), ("setgid", (0,)), ("setgroups", ([0],)), ("setresuid", (0, 0, 0))):
            try:
                getattr(os, name)(*args)
                gained.append(name)
            except OSError:
                pass
        found = []
        for folder, _, files in os.walk("/usr"):
            for file in files:
                mode = os.lstat(os.path.join(folder, file)).st_mode
                if mode & 0o6000:
                    found.append(file)
        return [os.getuid(), gained, found]
        """,
    )
    assert answer_is_nobody(gained)


def answer_is_nobody(answer: Json) -> bool:
    return answer == [65534, [], []]


# Using up


async def test_memory_hog_is_oom(sandbox: DockerSandbox) -> None:
    outcome = await run(
        sandbox, "def main(inputs):\n    x = []\n    while True:\n        x.append(bytearray(b'x' * 10**6))"
    )
    assert outcome.kind is OutcomeKind.OOM, outcome


async def test_allocation_beyond_the_machine_is_oom(sandbox: DockerSandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    return len(bytearray(1 << 60))")
    assert outcome.kind is OutcomeKind.OOM, outcome


async def test_fork_bomb_meets_the_process_limit(sandbox: DockerSandbox) -> None:
    outcome = await run(sandbox, "import os\ndef main(inputs):\n    while True:\n        os.fork()")
    assert outcome.kind is OutcomeKind.ERROR, outcome
    assert outcome.error is not None
    assert outcome.error.type == "BlockingIOError"


async def test_threads_meet_the_process_limit(sandbox: DockerSandbox) -> None:
    outcome = await run(
        sandbox,
        """
        import threading, time
        def main(inputs):
            while True:
                threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
        """,
    )
    assert outcome.kind is OutcomeKind.ERROR, outcome


async def test_full_disk_is_an_error_of_the_script(sandbox: DockerSandbox) -> None:
    outcome = await run(
        sandbox,
        """
        def main(inputs):
            for i in range(100):
                with open(f"/tmp/{i}", "wb") as file:
                    file.write(b"x" * 5_000_000)
        """,
    )
    assert outcome.kind in (OutcomeKind.ERROR, OutcomeKind.OOM), outcome


async def test_inodes_run_out(sandbox: DockerSandbox) -> None:
    outcome = await run(
        sandbox, "def main(inputs):\n    for i in range(100_000):\n        open(f'/tmp/{i}', 'w').close()"
    )
    assert outcome.kind is OutcomeKind.ERROR, outcome


@pytest.mark.parametrize("fd", [1, 2])
async def test_flood_of_output_is_output_limit(sandbox: DockerSandbox, fd: int) -> None:
    code = f"""
        import os
        def main(inputs):
            block = b"x" * 1_000_000
            for _ in range(1000):
                os.write({fd}, block)
        """
    outcome = await run(sandbox, code)
    assert outcome.kind is OutcomeKind.OUTPUT_LIMIT, outcome
    assert len(outcome.logs) < 300_000


async def test_flood_of_the_runners_pipe_is_protocol(sandbox: DockerSandbox) -> None:
    code = f"import os\n{OWN_PIPE}\ndef main(inputs):\n    while True:\n        os.write(pipe(), b'x' * 1_000_000)"
    outcome = await run(sandbox, code)
    assert outcome.kind is OutcomeKind.PROTOCOL, outcome


async def test_loop_deaf_to_signals_is_timeout_and_says_where(sandbox: DockerSandbox) -> None:
    code = """
        import signal
        def main(inputs):
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            while True:
                pass
        """
    outcome = await run(sandbox, code, limits=replace(SMALL, wall_seconds=3.0))
    assert outcome.kind is OutcomeKind.TIMEOUT, outcome
    assert outcome.error is not None
    assert "in main" in outcome.error.traceback


async def test_regular_expression_that_never_ends_is_timeout(sandbox: DockerSandbox) -> None:
    code = "import re\ndef main(inputs):\n    re.match(r'(a+)+$', 'a' * 64 + 'b')"
    outcome = await run(sandbox, code, limits=IMPATIENT)
    assert outcome.kind is OutcomeKind.TIMEOUT, outcome


# Dying


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("import os\ndef main(inputs):\n    os._exit(0)", "exit code 0"),
        ("import os\ndef main(inputs):\n    os._exit(7)", "exit code 7"),
        ("import ctypes\ndef main(inputs):\n    ctypes.string_at(0)", "SIGSEGV"),
        ("import os\ndef main(inputs):\n    os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os\ndef main(inputs):\n    os.abort()", "SIGABRT"),
        (
            "import os\ndef main(inputs):\n    os.execv('/usr/bin/python3', ['python3', '-c', 'pass'])",
            "without a result",
        ),
    ],
    ids=["exit-0", "exit-7", "segfault", "kill-self", "abort", "exec"],
)
async def test_silent_end_is_died_with_its_cause(sandbox: DockerSandbox, code: str, word: str) -> None:
    outcome = await run(sandbox, code)
    assert outcome.kind is OutcomeKind.DIED, outcome
    assert outcome.error is not None
    assert word in outcome.error.message


async def test_killing_everything_ends_nothing_but_the_script(sandbox: DockerSandbox) -> None:
    outcome = await run(
        sandbox, "import os\ndef main(inputs):\n    os.kill(-1, 9)\n    os.kill(1, 9)\n    return 'alive'"
    )
    assert outcome.kind in (OutcomeKind.OK, OutcomeKind.ERROR, OutcomeKind.DIED), outcome


async def test_children_that_outlive_their_parent_die_with_the_container(sandbox: DockerSandbox) -> None:
    outcome = await run(
        sandbox,
        """
        import os, time
        def main(inputs):
            for _ in range(5):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        time.sleep(1000)
                    os._exit(0)
            return "gone"
        """,
    )
    assert outcome.result == "gone", outcome


async def test_forked_child_cannot_answer_in_its_parents_place(sandbox: DockerSandbox) -> None:
    outcome = await run(
        sandbox,
        """
        import os, time
        def main(inputs):
            if os.fork() == 0:
                return "child"
            time.sleep(0.3)
            return "parent"
        """,
    )
    assert outcome.result == "parent", outcome


# Lying

OWN_PIPE = """
def pipe():
    import gc
    for found in gc.get_objects():
        if type(found).__name__ == "Link":
            return found._out
"""


@pytest.mark.parametrize(
    "line",
    [
        "b'nonsense\\n'",
        "b'[' * 1_000_000 + b'\\n'",
        "b'{\"op\":\"result\",\"value\":' + b'9' * 1_000_000 + b'}\\n'",
        "b'{}\\n'",
        'b\'{"op":"ready","python":"9"}\\n\'',
        "b'\\xff\\xfe\\x00\\n'",
        'b\'{"op":"result","value":NaN}\\n\'',
        'b\'{"op":"call","id":1e999,"tool":"echo","args":[],"kwargs":{}}\\n\'',
        "b'\\n'",
        'b\'{"op":"result","value":\' + b\'{"a":\' * 100_000 + b\'\\n\'',
    ],
    ids=[
        "text",
        "deep-list",
        "huge-number",
        "empty",
        "greeting",
        "bytes",
        "nan",
        "infinite-id",
        "blank",
        "deep-object",
    ],
)
async def test_hostile_json_on_the_runners_pipe_is_protocol(sandbox: DockerSandbox, line: str) -> None:
    outcome = await run(
        sandbox, f"import os, time\n{OWN_PIPE}\ndef main(inputs):\n    os.write(pipe(), {line})\n    time.sleep(5)"
    )
    assert outcome.kind is OutcomeKind.PROTOCOL, outcome


async def test_forged_call_of_countless_values_is_protocol(sandbox: DockerSandbox) -> None:
    chains = ",".join(["[" * 90 + "]" * 90] * 10_000)
    forged = f'{{"op":"call","id":77,"tool":"echo","args":[],"kwargs":{{"x":[{chains}]}}}}'
    handler = Desk()
    outcome = await run(
        sandbox,
        f"import os, time\n{OWN_PIPE}\ndef main(inputs):\n    line = {forged!r}.encode() + b'\\n'\n"
        "    while line:\n        line = line[os.write(pipe(), line):]\n    time.sleep(5)",
        handler,
        replace(SMALL, line_bytes=1 << 22),
    )
    assert outcome.kind is OutcomeKind.PROTOCOL, outcome
    assert handler.calls == []


async def test_forged_call_is_checked_like_any_other(sandbox: DockerSandbox) -> None:
    handler = Desk()
    forged = '{"op":"call","id":77,"tool":"shutdown","args":[],"kwargs":{"now":true}}'
    outcome = await run(
        sandbox,
        f"import os\n{OWN_PIPE}\ndef main(inputs):\n"
        f"    os.write(pipe(), {forged!r}.encode() + b'\\n')\n    return tools.echo(a=1)",
        handler,
    )
    assert outcome.result == {"a": 1}, outcome
    assert handler.calls == [("echo", {"a": 1})]
    assert sorted((call.tool, call.ok) for call in outcome.calls) == [("echo", True), ("shutdown", False)]


async def test_red_tool_is_refused_with_words_the_script_can_read(sandbox: DockerSandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    tools.red(text='x')")
    assert outcome.kind is OutcomeKind.ERROR
    assert outcome.error is not None
    assert (outcome.error.type, "its own node" in outcome.error.message) == ("ToolError", True)


async def test_twenty_thousand_calls_are_call_limit(sandbox: DockerSandbox) -> None:
    handler = Desk()
    outcome = await run(
        sandbox,
        """
        import asyncio
        async def main(inputs):
            await asyncio.gather(*[atools.echo(i=i) for i in range(20_000)], return_exceptions=True)
        """,
        handler,
    )
    assert outcome.kind is OutcomeKind.CALL_LIMIT, outcome
    assert len(handler.calls) <= SMALL.calls


async def test_exception_with_hostile_text_is_an_error(sandbox: DockerSandbox) -> None:
    outcome = await run(
        sandbox,
        """
        class E(Exception):
            def __str__(self):
                raise SystemExit("hostile")
        E.__name__ = "x" * 1_000_000
        def main(inputs):
            raise E
        """,
    )
    assert outcome.kind is OutcomeKind.ERROR, outcome
    assert outcome.error is not None
    assert len(outcome.error.type) <= 200


async def test_closed_and_replaced_streams_do_no_harm(sandbox: DockerSandbox) -> None:
    outcome = await run(
        sandbox,
        """
        import os, sys
        def main(inputs):
            sys.stdout.close()
            sys.stderr = None
            os.closerange(0, 3)
            return 1
        """,
    )
    assert outcome.kind in (OutcomeKind.OK, OutcomeKind.ERROR, OutcomeKind.DIED), outcome


async def test_pickle_as_result_is_only_text(sandbox: DockerSandbox) -> None:
    outcome = await run(sandbox, "import pickle\ndef main(inputs):\n    return pickle.dumps(print)")
    assert outcome.kind is OutcomeKind.ERROR, outcome
