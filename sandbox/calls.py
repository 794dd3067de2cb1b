"""Answers one script's tool calls on the host, within its allow-list and quota.

The script wrote everything that arrives here: names and arguments carry no authority.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

from sandbox.script import CallDeferred, CallRecord, CallRejected, CallTool, Job, Json, ToolCallRefused
from sandbox.values import NESTING, TOO_DEEP, VALUES, NotJson, TooLarge, clean_text, json_text, shape_of

REFUSAL_CHARACTERS = 4000
"""A refusal's text is cut here: it lands in the script's traceback and then in a prompt."""


SCRIPT_VALUES = 2 * VALUES
"""Most values in all calls of a script: those that wait for their turn are held in memory."""

QUIET_SECONDS = 0.25
"""A script that waits only for deferred calls is suspended after this time without another call: what it still
computes beside them is done when it runs again."""

RECORDED_ARGUMENTS = 20
RECORDED_CHARACTERS = 400


class CallLimitReached(Exception):
    """The script asked the host more often than its limits allow; the run ends. The text names the limit."""


class WireLimitReached(Exception):
    """The script sent the host more than its limits allow; the run ends. The text names the limit."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a script's tool call."""

    ok: bool
    #: The tool's output as JSON text.
    text: str = "null"
    #: The message of the ToolError to raise.
    error: str = ""
    #: A person said no: CallRejected is raised, and `error` is the reason.
    rejected: bool = False


class CallHandler:
    """One script's calls: counted when they arrive, recorded when they end, a cancelled one too.

    A deferred call is neither answered nor recorded.
    """

    def __init__(self, job: Job, call: CallTool) -> None:
        self._tools = job.tools
        self._limits = job.limits
        self._call = call
        self._admitted = 0
        self._values = 0
        self._in_flight = asyncio.Semaphore(job.limits.calls_in_flight)
        self._unanswered = 0
        self._deferred = 0
        #: Set while every call that the script waits for is deferred, and there is one.
        self._stalled = asyncio.Event()
        self.records: list[CallRecord] = []

    async def suspended(self) -> None:
        """Return when the script waits only for deferred calls, and has made no other for `QUIET_SECONDS`."""
        while True:
            await self._stalled.wait()
            admitted = self._admitted
            await asyncio.sleep(QUIET_SECONDS)
            if self._stalled.is_set() and admitted == self._admitted:
                return

    def _look(self) -> None:
        if self._unanswered == self._deferred > 0:
            self._stalled.set()
        else:
            self._stalled.clear()

    def admit(self, values: int = 0) -> None:
        """Count one more call, and the values in its arguments.

        Raises:
            CallLimitReached: it is one too many.
            WireLimitReached: the values are too many.
        """
        self._admitted += 1
        self._values += values
        if self._admitted > self._limits.calls:
            raise CallLimitReached(f"more than {self._limits.calls} tool calls")
        if self._values > SCRIPT_VALUES:
            raise WireLimitReached(f"sent more than {SCRIPT_VALUES} values in tool calls")
        self._unanswered += 1
        self._look()

    async def answer(self, tool: str, args: Mapping[str, Json] | ToolCallRefused) -> Answer:
        """Make the call if it is allowed. Raises only what broken machinery under `call` raises.

        `args`: plain values, or why they cannot be passed on.
        """
        started = time.perf_counter()
        answer = Answer(ok=False)
        deferred = False
        try:
            if isinstance(args, ToolCallRefused):
                raise args
            async with self._in_flight:
                started = time.perf_counter()
                answer = await self._make(tool, args)
        except ToolCallRefused as refusal:
            answer = _refused(refusal)
        except CallDeferred:
            deferred = True
            self._deferred += 1
        finally:
            self._unanswered -= not deferred
            self._look()
            milliseconds = round((time.perf_counter() - started) * 1000, 3)
            shown: Mapping[str, Json] = {} if isinstance(args, ToolCallRefused) else recorded(args)
            record = CallRecord(tool=clean_text(tool)[:200], args=shown, ok=answer.ok, milliseconds=milliseconds)
            if not deferred:
                self.records.append(record)
        if deferred:
            await asyncio.Event().wait()  # until the run ends
        return answer

    async def _make(self, tool: str, args: Mapping[str, Json]) -> Answer:
        try:
            if tool not in self._tools:
                declared = ", ".join(sorted(self._tools)) or "none"
                raise ToolCallRefused(f"tool {tool[:200]!r} is not declared for this script (declared: {declared})")
            text = json_text(await self._call(tool, args), self._limits.line_bytes)
            if shape_of(text, None).depth > NESTING:
                raise NotJson(TOO_DEEP)
            return Answer(ok=True, text=text)
        except ToolCallRefused as refusal:
            return _refused(refusal)
        except (NotJson, TooLarge) as error:
            return Answer(ok=False, error=f"the answer of {tool} cannot be passed to a script: {error}")


def arguments(positional: Sequence[object], named: Mapping[str, object]) -> Mapping[str, object] | ToolCallRefused:
    """Return the arguments: keywords, or one mapping in their place."""
    match positional:
        case []:
            return named
        case [only] if isinstance(only, Mapping) and not named:
            return cast("Mapping[str, object]", only)
        case _:
            return ToolCallRefused("tools take keyword arguments only")


def recorded(args: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return arguments as a record keeps them: small ones whole, of long ones the beginning of their text."""
    kept = {name[:RECORDED_CHARACTERS]: _shortened(value) for name, value in islice(args.items(), RECORDED_ARGUMENTS)}
    return kept if len(args) <= RECORDED_ARGUMENTS else {**kept, "...": f"{len(args) - RECORDED_ARGUMENTS} more"}


def _shortened(value: Json) -> Json:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= RECORDED_CHARACTERS else f"{text[:RECORDED_CHARACTERS]}..."


def _refused(refusal: ToolCallRefused) -> Answer:
    error = clean_text(str(refusal))[:REFUSAL_CHARACTERS]
    return Answer(ok=False, error=error, rejected=isinstance(refusal, CallRejected))
