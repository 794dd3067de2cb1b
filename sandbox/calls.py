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

from sandbox.script import CallRecord, CallTool, Job, Json, ToolCallRefused
from sandbox.values import NESTING, TOO_DEEP, VALUES, NotJson, TooLarge, clean_text, json_text, shape_of

REFUSAL_CHARACTERS = 4000
"""A refusal's text is cut here: it lands in the script's traceback and then in a prompt."""


SCRIPT_VALUES = 2 * VALUES
"""Most values in all calls of a script: those that wait for their turn are held in memory."""

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


class CallHandler:
    """One script's calls: counted when they arrive, recorded when they end, a cancelled one too."""

    def __init__(self, job: Job, call: CallTool) -> None:
        self._tools = job.tools
        self._limits = job.limits
        self._call = call
        self._admitted = 0
        self._values = 0
        self._in_flight = asyncio.Semaphore(job.limits.calls_in_flight)
        self.records: list[CallRecord] = []

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

    async def answer(self, tool: str, args: Mapping[str, Json] | ToolCallRefused) -> Answer:
        """Make the call if it is allowed. Raises only what broken machinery under `call` raises.

        `args`: plain values, or why they cannot be passed on.
        """
        started = time.perf_counter()
        answer = Answer(ok=False)
        try:
            if isinstance(args, ToolCallRefused):
                raise args
            async with self._in_flight:
                started = time.perf_counter()
                answer = await self._make(tool, args)
        except ToolCallRefused as refusal:
            answer = _refused(refusal)
        finally:
            milliseconds = round((time.perf_counter() - started) * 1000, 3)
            shown: Mapping[str, Json] = {} if isinstance(args, ToolCallRefused) else recorded(args)
            record = CallRecord(tool=clean_text(tool)[:200], args=shown, ok=answer.ok, milliseconds=milliseconds)
            self.records.append(record)
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
    return Answer(ok=False, error=clean_text(str(refusal))[:REFUSAL_CHARACTERS])
