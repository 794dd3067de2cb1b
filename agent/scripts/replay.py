"""The journal: what green tools answered a package's script, so that no attempt asks the same twice."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from agent.events import RecordedAnswer
from agent.plan.json_values import json_issue_in
from agent.plan.operations import Node, canonical_json, digest_of
from agent.plan.outcomes import Failed
from agent.tool import CallContext, Colour, Registry, Tool
from agent.tools.binding import BOUND_BYTES
from agent.tools.call import call_tool
from sandbox.script import Json, ToolCallRefused

_JOURNAL_BYTES = 64 * 1024 * 1024
_CALL_BYTES = 64 * 1024
_STORED_BYTES = 1024 * 1024
"""What of a chain's answers is kept for another process; the rest it would ask for again."""


class ToolCallReplay:
    """Answers a script's tool calls, with the rights of the operation's author, and remembers the answers."""

    def __init__(
        self, registry: Registry, node: Node, context: CallContext, pause: Callable[[float], Awaitable[None]]
    ) -> None:
        self._registry = registry
        self._declared = frozenset(node.tools)
        # A packed step's call may carry what it might have carried as a node of its own.
        self._call_bytes = BOUND_BYTES if node.packed else _CALL_BYTES
        self._context = context
        self._pause = pause
        self._answers: dict[str, list[Json]] = defaultdict(list)
        self._bytes = 0
        self._replayed: Counter[str] = Counter()
        self._fresh: list[RecordedAnswer] = []
        self._storable = _STORED_BYTES

    def rewind(self) -> None:
        """Begin an attempt: the n-th equal call gets the n-th answer journaled for it."""
        self._replayed.clear()

    def restore(self, answers: Iterable[RecordedAnswer]) -> None:
        """Take up what an earlier process journaled, in its order."""
        for each in answers:
            self._storable -= self._keep(each.call, each.value)

    def fresh(self) -> tuple[RecordedAnswer, ...]:
        """Return the answers that are new since this was last asked, for another process to take up.

        Once they come to too much no more are given: those of equal calls would change places.
        """
        fresh, self._fresh = tuple(self._fresh), []
        return fresh

    def permits(self, tool: str) -> bool:
        """Tell whether the script may call this tool at all."""
        found = self._registry.find(tool) if tool in self._declared else None
        return found is not None and found.colour is Colour.GREEN

    async def __call__(self, tool: str, args: Mapping[str, Json]) -> Json:
        """Return the tool's output, from the journal when this very call was answered before."""
        found = self._green(tool)
        self._check(args)
        key = canonical_json([tool, args])
        number = self._replayed[key]
        self._replayed[key] += 1
        if number < len(self._answers[key]):
            return self._answers[key][number]
        context = replace(self._context, idempotency_key=digest_of([self._context.idempotency_key, key]))
        outcome = await call_tool(found, context, args, pause=self._pause)
        if isinstance(outcome, Failed):
            raise ToolCallRefused(f"{tool}: {outcome.error}: {outcome.message}")
        if number == len(self._answers[key]):
            self._note(key, outcome.value)
        return outcome.value

    def _green(self, name: str) -> Tool:
        tool = self._registry.find(name) if name in self._declared else None
        if tool is None:
            raise ToolCallRefused(f"{name!r} is not among the tools of this script")
        if tool.colour is not Colour.GREEN:
            raise ToolCallRefused(f"{name!r} changes something; a script may only read: plan this as its own node")
        return tool

    def _check(self, args: Mapping[str, Json]) -> None:
        if (flaw := json_issue_in(args, strict_text=True)) is not None:
            raise ToolCallRefused(f"the arguments cannot be used: {flaw.pointer}: {flaw.message}")
        if len(canonical_json(args).encode()) > self._call_bytes:
            raise ToolCallRefused(f"the arguments come to more than {self._call_bytes} bytes")

    def _note(self, key: str, value: Json) -> None:
        self._storable -= self._keep(key, value)
        if self._storable >= 0:
            self._fresh.append(RecordedAnswer(call=key, value=value))

    def _keep(self, key: str, value: Json) -> int:
        """Remember an answer unless there is too much already; return its size."""
        size = len(canonical_json(value))
        if self._bytes + size <= _JOURNAL_BYTES:
            self._bytes += size
            self._answers[key].append(value)
        return size
