"""Runs one script inside the container and talks JSON lines with the host. Standard library only.

Nothing here is a barrier: the script shares this process and can reach all of it. What keeps the
host safe is the container around it and the checks on the host's side of the pipe. Longer than most
files because it goes into the image alone and may import nothing of ours.
"""

import asyncio
import base64
import collections
import contextlib
import csv
import ctypes
import dataclasses
import datetime
import decimal
import faulthandler
import functools
import hashlib
import inspect
import io
import itertools
import json
import linecache
import math
import os
import random
import re
import resource
import statistics
import string
import sys
import textwrap
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import cast

# Imported while the container waits, so that the usual scripts find them loaded.
WARM = (base64, collections, csv, dataclasses, datetime, decimal, functools, hashlib, io, itertools, math, random, re)
WARM_TOO = (statistics, string, textwrap)

Message = dict[str, object]
Answer = dict[str, object]
Deliver = Callable[[Answer], None]

NAME = "script.py"
PACKAGES = Path("/greenlight/packages")
MESSAGE_CHARACTERS = 4000
FRAMES_SENT = 200
NESTING = 100
"""The host passes on no deeper value; said here it is an error of the script, there one of the protocol."""

VALUES = 200_000
"""The host reads no message with more lists, objects and entries."""

STRING = re.compile(r'"(?>(?:[^"\\]++|\\.)*)"?', re.DOTALL)

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The kernel's numbers of the ABIs that a filter of system calls is asked about."""

X32 = 0x40000000
PR_SET_SECCOMP = 22


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What the host sends first."""

    code: str
    inputs: object
    mark: str
    wall_seconds: float
    cpus: float
    line_bytes: int
    result_bytes: int


class ToolError(RuntimeError):
    """A tool call was refused or failed; the text says why."""


class CallRejected(ToolError):
    """A person said no to a tool call; the text is their reason."""

    @property
    def reason(self) -> str:
        return str(self)


class Link:
    """The pipe to the host: one JSON object per line, both ways, used by any thread."""

    def __init__(self) -> None:
        self._in = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
        self._out = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._writing = threading.Lock()
        self._waiting: dict[int, Deliver] = {}
        self._ids = itertools.count(1)
        self._outbox: list[bytes] = []
        self.line_bytes = 1 << 21

    def send(self, message: Message | str) -> None:
        self._write(self._line(message))

    def _line(self, message: Message | str) -> bytes:
        line = (message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))).encode() + b"\n"
        if len(line) > self.line_bytes:
            raise ValueError(f"{len(line)} bytes are more than the {self.line_bytes} a message may have")
        return line

    def _write(self, data: bytes) -> None:
        with self._writing:
            view = memoryview(data)
            while view:
                view = view[os.write(self._out, view) :]

    def receive(self) -> Message:
        line = self._in.readline()
        if not line:
            os._exit(3)
        message: Message = json.loads(line)
        return message

    def listen(self) -> None:
        """Hand answers to those who wait; the end of the pipe is the end of the script."""
        while True:
            answer = self.receive()
            deliver = self._waiting.pop(number, None) if isinstance(number := answer["id"], int) else None
            if deliver is not None:
                deliver(answer)

    def ask(self, tool: str, args: tuple[object, ...], named: dict[str, object], deliver: Deliver) -> None:
        """Send a call; `deliver` gets its answer, in the listening thread."""
        self._write(self._call(tool, args, named, deliver))

    def ask_soon(
        self,
        loop: asyncio.AbstractEventLoop,
        tool: str,
        args: tuple[object, ...],
        named: dict[str, object],
        deliver: Deliver,
    ) -> None:
        """Send a call together with all others made before the loop turns: one write for many."""
        line = self._call(tool, args, named, deliver)
        if not self._outbox:
            loop.call_soon(self._flush)
        self._outbox.append(line)

    def _flush(self) -> None:
        lines, self._outbox = self._outbox, []
        self._write(b"".join(lines))

    def _call(self, tool: str, args: tuple[object, ...], named: dict[str, object], deliver: Deliver) -> bytes:
        number = next(self._ids)
        positional = ",".join(json_of(value) for value in args)
        head = json.dumps({"op": "call", "id": number, "tool": tool}, separators=(",", ":"))
        line = self._line(f'{head[:-1]},"args":[{positional}],"kwargs":{json_of(named)}}}')
        self._waiting[number] = deliver
        return line


def json_of(value: object) -> str:
    """Return the value's JSON text; refuse what the host would refuse."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    if text.count("[") + text.count("{") + text.count(",") >= VALUES:
        structure = STRING.sub("", text)
        if structure.count("[") + structure.count("{") + structure.count(",") >= VALUES:
            raise ValueError(f"more than {VALUES} values")
    if text.count("[") + text.count("{") > NESTING and too_deep(json.loads(text)):
        raise ValueError(f"nested more than {NESTING} levels deep")
    return text


def too_deep(value: object) -> bool:
    """Return whether there are containers below the deepest level allowed."""
    level = [value]
    for _ in range(NESTING):
        level = [inner for outer in level for inner in inside(outer)]
    return bool(level)


def inside(value: object) -> list[object]:
    """Return the containers directly inside one."""
    if isinstance(value, dict):
        values = cast("dict[str, object]", value).values()
    elif isinstance(value, list):
        values = cast("list[object]", value)
    else:
        return []
    return [each for each in values if isinstance(each, dict | list)]


def settled(answer: Answer) -> object:
    if answer["ok"]:
        return answer["value"]
    refusal = CallRejected if answer.get("rejected") else ToolError
    raise refusal(str(answer["error"]))


class Namespace:
    """`tools` and `atools`: every name is a tool; the host decides which of them exist."""

    __slots__ = ("_make",)
    _make: Callable[[str], object]

    def __init__(self, make: Callable[[str], object]) -> None:
        object.__setattr__(self, "_make", make)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self._make(name)


def blocking(link: Link) -> Namespace:
    def make(tool: str) -> object:
        def call(*args: object, **named: object) -> object:
            done = threading.Event()
            box: list[Answer] = []

            def deliver(answer: Answer) -> None:
                box.append(answer)
                done.set()

            link.ask(tool, args, named, deliver)
            done.wait()
            return settled(box[0])

        call.__name__ = tool
        return call

    return Namespace(make)


def awaitable(link: Link) -> Namespace:
    def make(tool: str) -> object:
        async def call(*args: object, **named: object) -> object:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Answer] = loop.create_future()

            def arrive(answer: Answer) -> None:
                if not future.done():
                    future.set_result(answer)

            def deliver(answer: Answer) -> None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(arrive, answer)

            link.ask_soon(loop, tool, args, named, deliver)
            return settled(await future)

        call.__name__ = tool
        return call

    return Namespace(make)


def frames_of(trace: types.TracebackType | None) -> list[list[object]]:
    """Return [line, function] of the script's own frames, outermost first."""
    found: list[list[object]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == NAME:
            found.append([trace.tb_lineno, "" if code.co_name == "<module>" else code.co_name])
        trace = trace.tb_next
    return shortened(found)


def shortened(frames: list[list[object]]) -> list[list[object]]:
    half = FRAMES_SENT // 2
    return frames if len(frames) <= FRAMES_SENT else frames[:half] + frames[-half:]


def text_of(error: BaseException) -> str:
    try:
        return str(error)[:MESSAGE_CHARACTERS]
    except BaseException:  # noqa: BLE001  a hostile or broken __str__
        return ""


def name_of(error: BaseException) -> str:
    """Return the class's own name; what a metaclass says of it is not asked."""
    name: str = type.__dict__["__name__"].__get__(type(error))
    return name[:200]


def raised(error: BaseException) -> Message:
    return {
        "op": "raised",
        "kind": "error",
        "type": name_of(error),
        "message": text_of(error),
        "frames": frames_of(sys.exc_info()[2]),
    }


def syntax(error: Exception) -> Message:
    line = error.lineno if isinstance(error, SyntaxError) else None
    return {
        "op": "raised",
        "kind": "syntax",
        "type": "SyntaxError",
        "message": error.msg if isinstance(error, SyntaxError) else text_of(error),
        "frames": [[line, ""]] if isinstance(line, int) else [],
    }


def report_place(link: Link, thread: int, seconds: float) -> None:
    """Shortly before the host's patience ends, tell it where the script is."""
    time.sleep(seconds)
    frame = sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]  the documented way
    found: list[list[object]] = []
    while frame is not None:
        if frame.f_code.co_filename == NAME:
            name = frame.f_code.co_name
            found.append([frame.f_lineno, "" if name == "<module>" else name])
        frame = frame.f_back
    link.send({"op": "where", "frames": shortened(found[::-1])})


def play(job: Job, link: Link) -> Message | str:
    """Run the script and return the message that says how it ended, already as text when it is a result."""
    code = job.code
    linecache.cache[NAME] = (len(code), None, code.splitlines(True), NAME)
    try:
        compiled = compile(code, NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        return syntax(error)
    module = types.ModuleType("script")
    sys.modules["script"] = module
    errors = {"ToolError": ToolError, "CallRejected": CallRejected}
    module.__dict__.update({"tools": blocking(link), "atools": awaitable(link), **errors, "__file__": NAME})
    try:
        exec(compiled, module.__dict__)  # noqa: S102  what this program is for; it runs only inside the container
        if not hasattr(module, "main"):
            raise NameError("name 'main' is not defined")
        result: object = module.main(job.inputs)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        text = json_of(result)
    except BaseException as error:  # noqa: BLE001  the boundary to the script: however it ends, the host is told
        return raised(error)
    if len(text) > job.result_bytes:
        return {"op": "too_large", "size": len(text)}
    return f'{{"op":"result","mark":"{job.mark}","value":{text}}}'


def flush(mark: bytes) -> None:
    """Push out what was printed; the mark tells the host that no more of it comes."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):  # the script may have closed or replaced it
            stream.flush()
    with contextlib.suppress(OSError):
        os.write(2, mark)


class Instruction(ctypes.Structure):
    """One instruction of the kernel's packet filter."""

    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction)))


def end_at_foreign_calls() -> None:
    """Let a system call of another ABI (int 0x80, x32) end this process.

    The container's filter ends only the thread that makes it, and the others would wait until the time is over.
    """
    load, equal, any_bit, leave = 0x20, 0x15, 0x45, 0x06
    kill_process, allow = 0x80000000, 0x7FFF0000
    steps = (
        (load, 0, 0, 4),  # the ABI
        (equal, 0, 4, ARCHITECTURES[os.uname().machine]),
        (load, 0, 0, 0),  # the call's number
        (equal, 1, 0, 0xFFFFFFFF),  # none: another filter refused it
        (any_bit, 1, 0, X32),
        (leave, 0, 0, allow),
        (leave, 0, 0, kill_process),
    )
    program = Program(len(steps), (Instruction * len(steps))(*steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the filter of system calls was refused")


def main() -> None:
    end_at_foreign_calls()
    own = os.getpid()
    link = Link()
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOWrapper)  # noqa: S101  nobody has replaced it yet
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    if PACKAGES.is_dir():
        sys.path.append(str(PACKAGES))
    link.send({"op": "ready", "python": sys.version.split()[0]})
    job = Job(**link.receive())  # pyright: ignore[reportArgumentType]  the host is trusted
    link.line_bytes = job.line_bytes
    seconds = job.wall_seconds
    # Should the host be gone and the script deaf, these still end it.
    faulthandler.dump_traceback_later(seconds + 5, exit=True, file=os.open(os.devnull, os.O_WRONLY))
    processor_seconds = int(seconds * job.cpus) + 10
    resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds))
    threading.Thread(target=link.listen, daemon=True).start()
    threading.Thread(
        target=report_place, args=(link, threading.get_ident(), max(seconds - 0.5, seconds * 0.8)), daemon=True
    ).start()
    ending = play(job, link)
    if os.getpid() != own:
        os._exit(0)  # a child the script forked came back here: it is not the one to report
    flush(b"\0" + job.mark.encode() + b"\n")
    try:
        link.send(ending if isinstance(ending, str) else {**ending, "mark": job.mark})
    except ValueError as error:
        refused: Message = {"op": "raised", "kind": "error", "type": "ValueError", "message": str(error), "frames": []}
        link.send({**refused, "mark": job.mark})
    os._exit(0)


main()
