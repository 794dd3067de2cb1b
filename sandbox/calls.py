"""Answers one script's tool calls on the host, within its allow-list and quota.

The script wrote everything that arrives here: names and arguments carry no authority.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sandbox.script import CallRecord, CallTool, Job, Json, ToolCallRefused
from sandbox.values import NotJson, TooLarge, clean_text, json_text, plain_json

REFUSAL_CHARACTERS = 4000
"""A refusal's text is cut here: it lands in the script's traceback and then in a prompt."""


class CallLimitReached(Exception):
    """The script asked the host more often than its limits allow; the run ends. The text names the limit."""


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
        self._in_flight = asyncio.Semaphore(job.limits.calls_in_flight)
        self.records: list[CallRecord] = []

    def admit(self) -> None:
        """Count one more call.

        Raises:
            CallLimitReached: it is one too many.
        """
        self._admitted += 1
        if self._admitted > self._limits.calls:
            raise CallLimitReached(f"more than {self._limits.calls} tool calls")

    async def answer(self, tool: str, positional: Sequence[object], named: Mapping[str, object]) -> Answer:
        """Make the call if it is allowed. Raises only what broken machinery under `call` raises."""
        started = time.perf_counter()
        args: dict[str, Json] = {}
        answer = Answer(ok=False)
        try:
            args = self._arguments(positional, named)
            async with self._in_flight:
                started = time.perf_counter()
                answer = await self._make(tool, args)
        except ToolCallRefused as refusal:
            answer = _refused(refusal)
        finally:
            milliseconds = round((time.perf_counter() - started) * 1000, 3)
            record = CallRecord(tool=clean_text(tool)[:200], args=args, ok=answer.ok, milliseconds=milliseconds)
            self.records.append(record)
        return answer

    def _arguments(self, positional: Sequence[object], named: Mapping[str, object]) -> dict[str, Json]:
        """Return the arguments: keywords, or one mapping in their place."""
        given: object = dict(named)
        match positional:
            case []:
                pass
            case [only] if isinstance(only, Mapping) and not named:
                given = cast("Mapping[object, object]", only)
            case _:
                raise ToolCallRefused("tools take keyword arguments only")
        try:
            args = plain_json(given, self._limits.line_bytes)
        except (NotJson, TooLarge) as error:
            raise ToolCallRefused(f"the arguments cannot be passed on: {error}") from error
        return dict(cast("Mapping[str, Json]", args))

    async def _make(self, tool: str, args: Mapping[str, Json]) -> Answer:
        try:
            if tool not in self._tools:
                declared = ", ".join(sorted(self._tools)) or "none"
                raise ToolCallRefused(f"tool {tool[:200]!r} is not declared for this script (declared: {declared})")
            return Answer(ok=True, text=json_text(await self._call(tool, args), self._limits.line_bytes))
        except ToolCallRefused as refusal:
            return _refused(refusal)
        except (NotJson, TooLarge) as error:
            return Answer(ok=False, error=f"the answer of {tool} cannot be passed to a script: {error}")


def _refused(refusal: ToolCallRefused) -> Answer:
    return Answer(ok=False, error=clean_text(str(refusal))[:REFUSAL_CHARACTERS])
