"""The Monty sandbox: a safe interpreter of a Python subset, for machines without a container engine.

The only import of `pydantic_monty`. Each script gets a worker process of its own that is never used
again; every step of the interpreter blocks a thread of this process while the event loop stays free.
The package's own async classes are not used: their runtime threads still wake the event loop
while Python shuts down, which aborted 6 of 12 short processes.
"""

import asyncio
import os
import shutil
import signal
import sys
import sysconfig
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, assert_never, cast

import pydantic_monty as monty

from sandbox.calls import Answer, CallHandler, CallLimitReached, WireLimitReached, arguments
from sandbox.errors import InterpreterMissing
from sandbox.failure import SUSPENDED, ended
from sandbox.fair_semaphore import FairSemaphore
from sandbox.monty_failure import Crash, result_of_crash
from sandbox.output_buffer import OutputBuffer
from sandbox.script import CallTool, Job, Json, Limits, OutcomeKind, ScriptOutcome, ToolCallRefused
from sandbox.traces import ScriptFrame
from sandbox.values import VALUES, NotJson, TooLarge, check_size, clean_text, inputs_of, json_text, read_json, shape_of

_T = TypeVar("_T")
_Snapshot: TypeAlias = monty.FunctionSnapshot | monty.NameLookupSnapshot | monty.FutureSnapshot | monty.MontyComplete

CONCURRENCY = 16
"""Scripts that run at once; a worker process takes 6 MB and whatever its script holds."""

RECURSION_DEPTH = 500
ROUND_TRIPS = 20_000
"""The most requests of a script to the host (unknown names, sleeps, imports) besides its tool calls."""

LONGEST_SLEEP_SECONDS = 86_400.0
_SLEEP_SECONDS = 1e9
"""The interpreter adds up sleeps that overlap; the wall clock bounds them better."""

_PRELUDE = "ToolError = RuntimeError\nCallRejected = NotImplementedError"
"""The interpreter has no exception classes of a script's own; the second of these is a kind of the first."""

_SCRIPT_FEED = "<python-input-1>"
_FINALE = """\
_outcome = main(inputs)
if str(type(_outcome)) == "<class 'coroutine'>":
    _outcome = await _outcome
import json as _json
_json.dumps(_outcome, allow_nan=False)
"""


class _NoWorker(Exception):
    """The pool has no worker process for us."""


class _Inconvertible(Exception):
    """The library cannot carry a value over the border, such as a number of thousands of digits."""


class Tools:
    """Stands for `tools` in a script; `CallHandler` answers its methods."""


class AsyncTools:
    """Stands for `atools` in a script."""


class MontySandbox:
    """Runs scripts in worker processes of the interpreter at `binary`, each used once."""

    name = "monty"

    def __init__(self, binary: Path, concurrency: int = CONCURRENCY) -> None:
        """Start the pool of workers (5 ms).

        Raises:
            InterpreterMissing: no worker process starts from `binary`.
        """
        self._slots = FairSemaphore(concurrency)
        self._threads = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="monty")
        self._pool = monty.Monty(
            binary_path=binary, min_processes=1, max_processes=concurrency, max_checkouts_per_worker=1
        )
        try:
            self._pool.__enter__()
        except (monty.MontyError, RuntimeError, OSError) as error:
            raise InterpreterMissing(f"{binary} does not start") from error
        self._closed = False

    @property
    def dialect(self) -> str:
        """The subset of Python a script must keep to."""
        return Path(__file__).with_name("dialects").joinpath("monty.md").read_text()

    async def run(self, job: Job, call: CallTool) -> ScriptOutcome:
        """Run the job in a fresh worker; see `Sandbox.run`."""
        async with self._slots.taken(job.queue):
            return await _Run(job, call, self._threads).outcome(self._pool)

    async def close(self) -> None:
        """End the worker processes and the threads. Idempotent."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._pool.__exit__, None, None, None)
        await asyncio.to_thread(self._threads.shutdown)


def monty_binary() -> Path:
    """Return the interpreter installed with this environment, never one found on PATH by chance.

    Raises:
        InterpreterMissing: the environment has none.
    """
    name = "monty.exe" if sys.platform == "win32" else "monty"
    places = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    for place in places:
        if (found := shutil.which(place / name)) is not None:
            return Path(found)
    raise InterpreterMissing(f"no {name} in {places[0]}; install the package pydantic-monty")


class _Run:
    """One script from checkout to outcome."""

    def __init__(self, job: Job, call: CallTool, threads: ThreadPoolExecutor) -> None:
        self._job = job
        self._threads = threads
        self._handler = CallHandler(job, call)
        self._output = OutputBuffer(keep_bytes=job.limits.log_bytes, kill_bytes=job.limits.output_kill_bytes)
        self._tools = monty.ClassInstance(Tools())
        self._atools = monty.ClassInstance(AsyncTools())
        self._bridges: dict[object, str] = {self._tools.id: "tools", self._atools.id: "atools"}
        self._pending: dict[int, asyncio.Task[Answer]] = {}
        self._host_errors: dict[str, Literal["ToolError", "CallRejected", "Unsupported"]] = {}
        self._round_trips = 0
        self._wire_bytes = 0
        self._entered = False
        self._worker: int | None = None

    async def outcome(self, pool: monty.Monty) -> ScriptOutcome:
        try:
            inputs = inputs_of(self._job)
        except (NotJson, TooLarge) as error:
            return ended(OutcomeKind.ERROR, f"the inputs cannot be passed to a script: {error}", "JobRefused")
        session = pool.checkout(
            script_name="script.py",
            limits=_resource_limits(self._job.limits),
            os_policy={"sleep": "system", "sleep_system_max": float("inf"), "process_time": "zero"},
        )
        started = time.perf_counter()
        try:
            await self._in_thread(lambda: self._enter(session))
            started = time.perf_counter()
            outcome = await self._outcome_within_limits(session, inputs)
        except _NoWorker as error:
            outcome = ended(OutcomeKind.INFRA, f"no worker process could be had: {error}")
        finally:
            await self._leave(session)
        return replace(
            outcome,
            logs=self._output.text(),
            calls=tuple(self._handler.records),
            milliseconds=round((time.perf_counter() - started) * 1000, 3),
        )

    def _enter(self, session: monty.MontySession) -> None:
        """Take a worker (called in a thread)."""
        try:
            session.__enter__()
        except (monty.MontyError, RuntimeError, OSError) as error:
            raise _NoWorker(str(error)) from error
        self._entered = True
        self._worker = session.worker_pid

    async def _outcome_within_limits(self, session: monty.MontySession, inputs: Json) -> ScriptOutcome:
        """Run the script and return how it ended, decided by what the host itself saw."""
        limits = self._job.limits
        clock = asyncio.timeout(limits.wall_seconds)
        try:
            async with clock:
                text = await self._unless_suspended(self._text_of_result(session, inputs))
                if text is None:
                    return ended(OutcomeKind.SUSPENDED, SUSPENDED)
                if len(text) > limits.result_bytes:
                    raise TooLarge(len(text), limits.result_bytes)
                return ScriptOutcome(kind=OutcomeKind.OK, result=read_json(text, most_values=VALUES))
        except TimeoutError:
            if not clock.expired():
                raise
            return ended(OutcomeKind.TIMEOUT, f"no result within {limits.wall_seconds:g} s")
        except CallLimitReached as error:
            return ended(OutcomeKind.CALL_LIMIT, str(error))
        except WireLimitReached as error:
            return ended(OutcomeKind.OUTPUT_LIMIT, str(error))
        except TooLarge as error:
            return ended(OutcomeKind.OUTPUT_LIMIT, f"the result is {error}")
        except NotJson as error:
            return ended(OutcomeKind.ERROR, f"the result is not JSON: {error}", "TypeError")
        except _Inconvertible as error:
            return ended(OutcomeKind.ERROR, f"a value cannot leave or enter the interpreter: {error}", "ValueError")
        except monty.MontyError as error:
            if self._output.flooded:
                return ended(OutcomeKind.OUTPUT_LIMIT, f"printed more than {limits.output_kill_bytes} bytes")
            return result_of_crash(self._job.code, _crash(error), self._host_errors)

    async def _unless_suspended(self, result: Coroutine[None, None, str]) -> str | None:
        """Return what the script's side returns; None when it waits only for calls that this run does not answer."""
        running = asyncio.create_task(result)
        suspended = asyncio.create_task(self._handler.suspended())
        try:
            await asyncio.wait([running, suspended], return_when=asyncio.FIRST_COMPLETED)
            return await running if running.done() else None
        finally:
            running.cancel()
            suspended.cancel()
            await asyncio.gather(running, suspended, return_exceptions=True)

    async def _text_of_result(self, session: monty.MontySession, inputs: Json) -> str:
        """Feed prelude, script and finale; return the result's JSON text as the script's side made it."""
        names = {"inputs": inputs, "tools": self._tools, "atools": self._atools}
        await self._fed(session, _PRELUDE, names)
        await self._fed(session, clean_text(self._job.code), {})
        done = await self._fed(session, _FINALE, {})
        return str(done.output)

    async def _fed(self, session: monty.MontySession, code: str, inputs: Mapping[str, object]) -> monty.MontyComplete:
        snapshot = await self._in_thread(
            lambda: session.feed_start(code, inputs=dict(inputs), print_callback=self._printed)
        )
        while not isinstance(snapshot, monty.MontyComplete):
            self._round_trips += 1
            if self._round_trips > 4 * self._job.limits.calls + ROUND_TRIPS:
                raise CallLimitReached(f"more than {self._round_trips - 1} round trips to the host")
            match snapshot:
                case monty.FunctionSnapshot():
                    snapshot = await self._called(snapshot)
                case monty.NameLookupSnapshot():
                    snapshot = await self._looked_up(snapshot)
                case monty.FutureSnapshot():
                    snapshot = await self._settled(snapshot)
                case _:
                    assert_never(snapshot)
        return snapshot

    async def _called(self, snapshot: monty.FunctionSnapshot) -> _Snapshot:
        """Answer a call that left the interpreter: a tool, a sleep, an import, a file."""
        if snapshot.is_os_function:
            return await self._answered_os_call(snapshot)
        bridge, tool = self._addressee(snapshot)
        if bridge is None:
            message = f"name {tool!r} is not defined"
            return await self._in_thread(
                lambda: snapshot.resume({"exc_type": "NameError", "message": message}),
            )
        args, text_bytes, values = await self._in_thread(lambda: _plain_arguments(snapshot, self._job.limits))
        self._wire_bytes += text_bytes
        if self._wire_bytes > self._job.limits.wire_bytes:
            raise WireLimitReached(f"sent more than {self._job.limits.wire_bytes} bytes of messages")
        self._handler.admit(values)
        answer = self._handler.answer(tool, args)
        if bridge == "atools":
            return await self._later(snapshot, answer)
        settled = self._settlement(await answer)
        return await self._in_thread(lambda: snapshot.resume(settled))

    def _addressee(self, snapshot: monty.FunctionSnapshot) -> tuple[str | None, str]:
        """Return through what the script called and which tool; the name may be anything it made up."""
        name = str(snapshot.function_name)
        if (bridge := self._bridges.get(snapshot.object_id)) is not None:
            return bridge, name
        match name.split(".", 1):
            case ["tools" | "atools" as bridge, tool]:
                return bridge, tool
            case _:
                return None, name

    async def _later(self, snapshot: monty.FunctionSnapshot, answer: Coroutine[None, None, Answer]) -> _Snapshot:
        self._pending[snapshot.call_id] = asyncio.create_task(answer)
        return await self._in_thread(lambda: snapshot.resume({"future": ...}))

    async def _answered_os_call(self, snapshot: monty.FunctionSnapshot) -> _Snapshot:
        match snapshot.function_name, snapshot.args:
            case "system.sleep", (int() | float() as seconds, *_):
                await _slept(seconds)
                return await self._in_thread(lambda: snapshot.resume({"return_value": None}))
            case "system.async_sleep", (int() | float() as seconds, *_):
                return await self._later(snapshot, _slept(seconds))
            case "import", _:
                return await self._in_thread(snapshot.resume_not_handled)
            case name, _:
                message = f"{name} is not available: no files, no environment, no network here"
                self._host_errors[message] = "Unsupported"
                return await self._in_thread(
                    lambda: snapshot.resume({"exc_type": "NotImplementedError", "message": message})
                )

    async def _looked_up(self, snapshot: monty.NameLookupSnapshot) -> _Snapshot:
        """Bind `tools.name` taken as a value; leave every other name undefined."""
        if (bridge := self._bridges.get(snapshot.object_id)) is None:
            return await self._in_thread(snapshot.resume)
        bound = _named(f"{bridge}.{snapshot.variable_name}")
        return await self._in_thread(lambda: snapshot.resume(value=bound))

    async def _settled(self, snapshot: monty.FutureSnapshot) -> _Snapshot:
        """Wait until at least one of the awaited calls is answered."""
        waiting = {self._pending[call_id]: call_id for call_id in snapshot.pending_call_ids}
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        results = {waiting[task]: self._settlement(task.result()) for task in done}
        for call_id in results:
            del self._pending[call_id]
        return await self._in_thread(lambda: snapshot.resume(results))

    def _settlement(self, answer: Answer) -> monty.ExternalSettledResult:
        if answer.ok:
            return {"return_value": read_json(answer.text)}
        if answer.rejected:
            self._host_errors[answer.error] = "CallRejected"
            return {"exc_type": "NotImplementedError", "message": answer.error}
        self._host_errors[answer.error] = "ToolError"
        return {"exc_type": "RuntimeError", "message": answer.error}

    def _printed(self, _stream: Literal["stdout", "stderr"], text: str) -> None:
        """Take what the script printed (called in the thread of the step); a flood ends the worker."""
        self._output.write(text.encode("utf-8", "replace"))
        if self._output.flooded:
            self._kill()

    async def _in_thread(self, step: Callable[[], _T]) -> _T:
        """Run one step of the interpreter in a thread; a cancellation ends the worker at once."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, step)
        try:
            return await asyncio.shield(future)
        except (ValueError, TypeError, OverflowError) as error:
            raise _Inconvertible(str(error)) from error
        except asyncio.CancelledError:
            self._kill()
            await asyncio.wait([future])
            future.exception()
            raise

    def _kill(self) -> None:
        """End the worker. Only ever called while a step waits for it: the pool has not reaped it yet."""
        if self._worker is not None:
            try:
                os.kill(self._worker, signal.SIGKILL)
            except ProcessLookupError:
                self._worker = None

    async def _leave(self, session: monty.MontySession) -> None:
        """End what is still in flight and hand the worker back; it is not used again."""
        self._worker = None
        if not self._entered:
            return
        for task in self._pending.values():
            task.cancel()
        await asyncio.gather(*self._pending.values(), return_exceptions=True)
        await self._in_thread(lambda: session.__exit__(None, None, None))


def _plain_arguments(
    snapshot: monty.FunctionSnapshot, limits: Limits
) -> tuple[Mapping[str, Json] | ToolCallRefused, int, int]:
    """Return a call's arguments, and the bytes and values of their text, within the bounds that hold for containers."""
    args = arguments(snapshot.args, snapshot.kwargs)
    if isinstance(args, ToolCallRefused):
        return args, 0, 0
    try:
        check_size(args, limits.line_bytes)
        text = json_text(args, limits.line_bytes)
        plain = read_json(text, most_values=VALUES)
    except (NotJson, TooLarge) as error:
        return ToolCallRefused(f"the arguments cannot be passed on: {error}"), 0, 0
    return cast("Mapping[str, Json]", plain), len(text), shape_of(text, None).values


def _resource_limits(limits: Limits) -> monty.ResourceLimits:
    """Return every limit of the interpreter, explicitly. The host's own clock and counters come first."""
    return {
        "max_feed_duration_secs": limits.wall_seconds + 1.0,
        "max_turn_duration_secs": limits.wall_seconds + 1.0,
        "max_memory": limits.memory_bytes,
        "gc_interval": 10_000,
        "max_recursion_depth": RECURSION_DEPTH,
        "max_suspensions": 4 * limits.calls + 2 * ROUND_TRIPS,
        "max_total_sleep_secs": _SLEEP_SECONDS,
    }


def _crash(error: monty.MontyError) -> Crash:
    """Translate the library's errors, here and nowhere else."""
    if not isinstance(error, monty.MontySyntaxError | monty.MontyRuntimeError):
        return Crash(kind="died", type=type(error).__name__, message=str(error))
    cause = error.exception()
    frames = [frame for frame in error.traceback() if frame.filename == _SCRIPT_FEED]
    last = error.traceback()[-1] if error.traceback() else None
    return Crash(
        kind="syntax" if isinstance(error, monty.MontySyntaxError) else "raised",
        type=type(cause).__name__,
        message=str(cause),
        frames=tuple(ScriptFrame(line=frame.line, function=_function(frame)) for frame in frames),
        parsing=last is not None and last.function_name is None,
        raised_by_script=last is not None and (last.source_line or "")[: last.column - 1].rstrip().endswith("raise"),
    )


def _function(frame: monty.Frame) -> str:
    return "" if frame.function_name in (None, "<module>") else str(frame.function_name)


async def _slept(seconds: float) -> Answer:
    """Sleep as long as a script asked for, which may be NaN or a number that no clock knows."""
    await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS) if seconds > 0 else 0)
    return Answer(ok=True)


def _named(name: str) -> Callable[..., None]:
    """Return a placeholder whose name is the tool that the script means."""

    def placeholder() -> None:
        raise NotImplementedError

    placeholder.__name__ = placeholder.__qualname__ = name
    return placeholder
