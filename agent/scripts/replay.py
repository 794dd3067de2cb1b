"""Recorded tool answers: the answers of green tools to a package's scripts, so that no attempt repeats a call."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from agent.events import RecordedAnswer
from agent.limits import Limits
from agent.plan.json_values import json_issue_in
from agent.plan.operations import Node, canonical_json, digest_of
from agent.plan.outcomes import Failed
from agent.tool import CallContext, Colour, Registry, Tool
from agent.tools.binding import BOUND_BYTES
from agent.tools.call_bounds import CallBounds
from sandbox.script import Json, ToolCallRefused

_RECORDED_BYTES = 64 * 1024 * 1024
_CALL_BYTES = 64 * 1024
_STORED_BYTES = 1024 * 1024
"""The most of a package's answers that is stored for another process, which repeats the other calls."""


class ToolCallReplay:
    """Answers a script's tool calls with the rights of the operation's author, and records the answers."""

    def __init__(
        self,
        registry: Registry,
        node: Node,
        context: CallContext,
        pause: Callable[[float], Awaitable[None]],
        bounds: CallBounds | None = None,
    ) -> None:
        self._registry = registry
        self._declared = frozenset(node.tools)
        # A packed step's call may be as large as it could be as a node of its own.
        self._call_bytes = BOUND_BYTES if node.packed else _CALL_BYTES
        self._context = context
        self._pause = pause
        self._bounds = bounds or CallBounds(Limits())
        #: Canonical JSON of tool and arguments -> the answers to equal calls, in order.
        self._answers: dict[str, list[Json]] = defaultdict(list)
        self._recorded_bytes = 0
        #: How many of each call's answers this attempt has taken.
        self._replayed: Counter[str] = Counter()
        self._new_answers: list[RecordedAnswer] = []
        self._storable_bytes = _STORED_BYTES

    def rewind(self) -> None:
        """Begin an attempt: the n-th equal call gets the n-th recorded answer."""
        self._replayed.clear()

    def restore(self, answers: Iterable[RecordedAnswer]) -> None:
        """Record the answers that an earlier process stored, in its order."""
        for answer in answers:
            self._storable_bytes -= self._record(answer.call, answer.value)

    def take_new_answers(self) -> tuple[RecordedAnswer, ...]:
        """Return the answers that are new since the last call of this method, for another process to restore.

        After the first answer that exceeds the storable bytes it returns no more: those of equal calls would be out
        of order.
        """
        answers, self._new_answers = tuple(self._new_answers), []
        return answers

    def permits(self, tool: str) -> bool:
        """Return whether the script may call this tool at all."""
        found = self._declared_tool(tool)
        return found is not None and found.colour is Colour.GREEN

    async def __call__(self, tool: str, args: Mapping[str, Json]) -> Json:
        """Return the tool's output, recorded when this very call was answered before.

        Raises:
            ToolCallRefused: the script may not make this call, or the tool failed.
        """
        found = self._green_tool(tool)
        self._check(args)
        key = canonical_json([tool, args])
        number = self._replayed[key]
        self._replayed[key] += 1
        if number < len(self._answers[key]):
            return self._answers[key][number]
        context = replace(self._context, idempotency_key=digest_of([self._context.idempotency_key, key]))
        outcome = await self._bounds.call(found, context, args, self._pause)
        if isinstance(outcome, Failed):
            raise ToolCallRefused(f"{tool}: {outcome.error}: {outcome.message}")
        if number == len(self._answers[key]):
            self._storable_bytes -= self._record(key, outcome.value)
            if self._storable_bytes >= 0:
                self._new_answers.append(RecordedAnswer(call=key, value=outcome.value))
        return outcome.value

    def _declared_tool(self, name: str) -> Tool | None:
        return self._registry.find(name) if name in self._declared else None

    def _green_tool(self, name: str) -> Tool:
        tool = self._declared_tool(name)
        if tool is None:
            raise ToolCallRefused(f"{name!r} is not among the tools of this script")
        if tool.colour is not Colour.GREEN:
            raise ToolCallRefused(f"{name!r} changes something; a script may only read: plan this as its own node")
        return tool

    def _check(self, args: Mapping[str, Json]) -> None:
        if (issue := json_issue_in(args, strict_text=True)) is not None:
            raise ToolCallRefused(f"the arguments cannot be used: {issue.pointer}: {issue.message}")
        if len(canonical_json(args).encode()) > self._call_bytes:
            raise ToolCallRefused(f"the arguments come to more than {self._call_bytes} bytes")

    def _record(self, key: str, value: Json) -> int:
        """Record an answer unless too much is recorded already; return its size."""
        size = len(canonical_json(value))
        if self._recorded_bytes + size <= _RECORDED_BYTES:
            self._recorded_bytes += size
            self._answers[key].append(value)
        return size
