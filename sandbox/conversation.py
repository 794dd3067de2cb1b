"""One script in a container, from its job line to its result: listens, answers calls, keeps the limits."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import cast

from sandbox.attachment import Stream
from sandbox.calls import CallHandler, CallLimitReached, WireLimitReached, arguments
from sandbox.errors import ProtocolViolation
from sandbox.failure import SUSPENDED, ended, result_of_exit, result_of_message, result_of_timeout
from sandbox.output_buffer import OutputBuffer
from sandbox.protocol import (
    Call,
    LineSplitter,
    OversizedResult,
    Place,
    Raised,
    Ready,
    Result,
    answer_line,
    job_line,
    read_message,
)
from sandbox.script import CallTool, Job, Json, OutcomeKind, ScriptOutcome, ToolCallRefused
from sandbox.traces import ScriptFrame
from sandbox.warm_container import WarmContainer

LAST_LOGS_SECONDS = 0.2
"""stdout and stderr are not ordered: after the result, the end of the logs is awaited for this long."""

BIG_LINE_BYTES = 1 << 16
"""After a longer line, everybody else in this process gets a turn."""


class _Suspended(Exception):
    """The script waits only for calls that this run does not answer."""


class Conversation:
    """Speaks with one container, once."""

    def __init__(self, container: WarmContainer, job: Job, call: CallTool) -> None:
        self._container = container
        self._job = job
        self._handler = CallHandler(job, call)
        self._output = OutputBuffer(keep_bytes=job.limits.log_bytes, kill_bytes=job.limits.output_kill_bytes)
        self._splitter = LineSplitter(job.limits.line_bytes)
        self._mark = secrets.token_hex(16)
        self._end_of_logs = f"\0{self._mark}\n".encode()
        self._tail = b""
        self._wire_bytes = 0
        self._place: tuple[ScriptFrame, ...] = ()

    async def outcome(self) -> ScriptOutcome:
        """Run the script. Raises only what broken machinery under the tool calls raises, and cancellation.

        Raises:
            NotJson: the inputs have no JSON form.
            TooLarge: code and inputs are over `limits.line_bytes`.
        """
        line = job_line(self._job, self._mark)
        started = time.perf_counter()
        outcome = await self._outcome_within_limits(line)
        return replace(
            outcome,
            logs=self._output.text().removesuffix(self._end_of_logs.decode()),
            calls=tuple(self._handler.records),
            milliseconds=round((time.perf_counter() - started) * 1000, 3),
        )

    async def _outcome_within_limits(self, line: bytes) -> ScriptOutcome:
        limits = self._job.limits
        clock = asyncio.timeout(limits.wall_seconds)
        try:
            async with clock:
                message = await self._last_message(line)
        except TimeoutError:
            if not clock.expired():
                raise
            return result_of_timeout(self._job.code, limits, self._place)
        except CallLimitReached as error:
            return ended(OutcomeKind.CALL_LIMIT, str(error))
        except ProtocolViolation as error:
            return ended(OutcomeKind.PROTOCOL, f"the script wrote to the runner's own pipe: {error}")
        except WireLimitReached as error:
            return ended(OutcomeKind.OUTPUT_LIMIT, str(error))
        except _Suspended:
            return ended(OutcomeKind.SUSPENDED, SUSPENDED)
        if message is None:
            seen = await self._container.watch.exit()
            return result_of_exit(limits, seen.exit_code, out_of_memory=seen.out_of_memory)
        return result_of_message(self._job.code, limits, message)

    async def _last_message(self, line: bytes) -> Result | OversizedResult | Raised | None:
        """Send the job, answer calls until the script says how it ended; None when it ended silently."""
        try:
            async with asyncio.TaskGroup() as group:
                answers: set[asyncio.Task[None]] = set()
                await self._container.attachment.send(line)
                watch = group.create_task(self._watch())
                message = await self._listen(group, answers)
                for task in (*answers, watch):
                    task.cancel()
                return message
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _listen(
        self, group: asyncio.TaskGroup, answers: set[asyncio.Task[None]]
    ) -> Result | OversizedResult | Raised | None:
        while piece := await self._container.attachment.read():
            if piece.stream == Stream.STDERR:
                self._log(piece.data)
                continue
            self._wire_bytes += len(piece.data)
            if self._wire_bytes > self._job.limits.wire_bytes:
                raise WireLimitReached(f"sent more than {self._job.limits.wire_bytes} bytes of messages")
            for line in self._splitter.feed(piece.data):
                if len(line) > BIG_LINE_BYTES:
                    await asyncio.sleep(0)
                match read_message(line, self._mark):
                    case Call() as call:
                        self._handler.admit(call.values)
                        task = group.create_task(self._answer(call))
                        answers.add(task)
                        task.add_done_callback(answers.discard)
                    case Place(frames=frames):
                        self._place = frames
                    case Ready():
                        raise ProtocolViolation("a second greeting")
                    case message:
                        await self._read_last_logs()
                        return message
        return None

    async def _watch(self) -> None:
        await self._handler.suspended()
        raise _Suspended

    async def _answer(self, call: Call) -> None:
        args = arguments(call.positional, call.named)
        answer = await self._handler.answer(call.tool, cast("Mapping[str, Json] | ToolCallRefused", args))
        line = answer_line(call.id, ok=answer.ok, text=answer.text, error=answer.error, rejected=answer.rejected)
        await self._container.attachment.send(line)

    def _log(self, data: bytes) -> None:
        self._output.write(data)
        self._tail = (self._tail + data)[-len(self._end_of_logs) :]
        if self._output.flooded:
            raise WireLimitReached(f"wrote more than {self._job.limits.output_kill_bytes} bytes")

    async def _read_last_logs(self) -> None:
        """Read until the mark behind the last log line."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_LOGS_SECONDS):
                while self._tail != self._end_of_logs and (piece := await self._container.attachment.read()):
                    if piece.stream == Stream.STDERR:
                        self._log(piece.data)
