"""The journal of a package's scripts: what its tool calls were answered, so that no run of a script repeats a call.

Green tools are called here, and their answers recorded. A red call is never made here: it is answered with what became
of its node, or deferred, so that the script is suspended while people are asked.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TypeAlias, assert_never

from agent.events import RecordedAnswer
from agent.ids import ToolName
from agent.limits import Limits
from agent.plan.file_names import FILES_WRITE, file_to_write
from agent.plan.json_schema import schema_issues
from agent.plan.json_values import json_issue_in, sanitized_text
from agent.plan.operations import Node, canonical_json, digest_of
from agent.plan.outcomes import (
    INPUT_REQUIRED,
    Cancelled,
    Expired,
    Failed,
    Outcome,
    Rejected,
    Skipped,
    Succeeded,
    state_of,
)
from agent.plan.script_calls import DecidedCalls, ScriptCall, Suspended, position_of
from agent.tool import CallContext, Colour, InputRequired, Registry, Tool, asks_inside
from agent.tools.binding import BOUND_BYTES
from agent.tools.call import issue_words
from agent.tools.call_bounds import CallBounds
from sandbox.script import CallDeferred, CallRejected, Json, ToolCallRefused

_RECORDED_BYTES = 64 * 1024 * 1024
CALL_BYTES = 64 * 1024
_STORED_BYTES = 1024 * 1024
"""The most of a package's answers that is stored: another process repeats the other calls, and a run of which more
was answered becomes no goal of `greenlight eval`."""

_STORED_BYTES_OF_SUSPENDED = 8 * 1024 * 1024
"""The same of a script that asks people: each of its runs may be in another process."""

_COMPARED_CHARACTERS = 400
"""Of an error's text, whose middle is left out when it is long."""

_NO_DECISIONS = DecidedCalls()

AsAuthor: TypeAlias = Callable[[Tool, CallContext, Mapping[str, Json]], CallContext]
"""Returns the context of a tool's call with the account of the author that it needs, if any."""


def as_app(_tool: Tool, context: CallContext, _args: Mapping[str, Json]) -> CallContext:
    """Return the context as it is: nobody has an account."""
    return context


class ToolCallReplay:
    """Answers a script's tool calls with the rights of the operation's author, and records the answers."""

    def __init__(
        self,
        registry: Registry,
        node: Node,
        context: CallContext,
        pause: Callable[[float], Awaitable[None]],
        bounds: CallBounds | None = None,
        *,
        decided: DecidedCalls = _NO_DECISIONS,
        most_red_calls: int = Limits.fan_out,
        as_author: AsAuthor = as_app,
    ) -> None:
        self._registry = registry
        self._declared = frozenset(node.tools)
        self._asks = asks_inside(node, registry)
        # A packed step's call may be as large as it could be as a node of its own.
        self._call_bytes = BOUND_BYTES if node.packed else CALL_BYTES
        self._context = context
        self._pause = pause
        self._bounds = bounds or CallBounds(Limits())
        self._decided = decided
        self._most_red_calls = most_red_calls
        self._as_author = as_author
        #: What a call of this run needs of the author before the script can run: an account.
        self.needed: InputRequired | None = None
        #: Canonical JSON of tool and arguments -> the answers to equal calls, in order.
        self._answers: dict[str, list[RecordedAnswer]] = defaultdict(list)
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._recorded_bytes = 0
        #: How many of each call's answers this run has taken.
        self._replayed: Counter[str] = Counter()
        #: The red calls of this run that nobody has decided, and the positions of those that were.
        self._waiting: list[ScriptCall] = []
        self._reached: set[str] = set()
        self._new_answers: list[RecordedAnswer] = []
        #: Name -> text of what this run keeps as files.
        self._files: dict[str, str] = {}
        self._storable_bytes = _STORED_BYTES_OF_SUSPENDED if self._asks else _STORED_BYTES

    def rewind(self) -> None:
        """Begin a run: the n-th equal call gets the n-th recorded answer."""
        self._replayed.clear()
        self._locks.clear()
        self._waiting.clear()
        self._reached.clear()
        self._files = {}
        self.needed = None

    def forget_failures(self) -> None:
        """Have the calls made anew that failed: another script makes them, or the same one once more."""
        for answers in self._answers.values():
            answers[:] = [answer for answer in answers if not answer.error]
        self._new_answers = [answer for answer in self._new_answers if not answer.error]

    def restore(self, answers: Iterable[RecordedAnswer], *, failures: bool = False, again: bool = False) -> None:
        """Record the answers that an earlier run stored, in its order; with `failures` also how calls failed.

        With `again`, `take_new_answers` returns them once more.
        """
        for answer in answers:
            if answer.error and not failures:
                continue
            self._storable_bytes -= self._record(answer)
            if again:
                self._new_answers.append(answer)

    def take_new_answers(self) -> tuple[RecordedAnswer, ...]:
        """Return the answers that are new since the last call of this method, for its attempt's record.

        After the first answer that exceeds the storable bytes it returns no more: those of equal calls would be out
        of order.
        """
        answers, self._new_answers = tuple(self._new_answers), []
        return answers

    def permits(self, tool: str) -> bool:
        """Return whether the script may call this tool at all."""
        found = self._declared_tool(tool)
        return tool == FILES_WRITE or (found is not None and (found.colour is Colour.GREEN or self._asks))

    @property
    def files(self) -> Mapping[str, str]:
        """Name -> text of what this run keeps as files."""
        return self._files

    @property
    def suspended(self) -> Suspended | None:
        """Return the calls of this run that people are to be asked about; None when there are none."""
        if not self._waiting:
            return None
        return Suspended(calls=tuple(self._waiting), unreached=tuple(node.id for node in self.unreached))

    @property
    def unreached(self) -> Sequence[Node]:
        """The nodes of calls that an earlier run came to and this one did not."""
        return [node for position, node in self._decided.nodes.items() if position not in self._reached]

    async def __call__(self, tool: str, args: Mapping[str, Json]) -> Json:
        """Return the tool's output, recorded when this very call was answered before.

        Raises:
            ToolCallRefused: the script may not make this call, or the tool failed, or a person said no.
            CallDeferred: people are to be asked about it, or the author must connect an account first.
        """
        if tool == FILES_WRITE:
            return self._write(args)
        found = self._permitted_tool(tool)
        check_arguments(args, self._call_bytes)
        key = canonical_json([tool, args])
        number = self._replayed[key]
        self._replayed[key] += 1
        if found.colour is not Colour.GREEN:
            return await self._red_answer(found, args, number)
        # A script that is run again gets the n-th answer at its n-th equal call, so these are made one by one.
        async with self._locks[key] if self._asks else nullcontext():
            return await self._green_answer(found, args, key, number)

    def _write(self, args: Mapping[str, Json]) -> Json:
        """Hold a file until the run ends well; return its name for references. The last text of a name counts."""
        sizes = {name: len(text.encode()) for name, text in self._files.items()}
        name, text = file_to_write(args, self._context.node, sizes)
        self._files = {**self._files, name: text}
        return {"name": name, "size": len(text.encode())}

    async def _green_answer(self, tool: Tool, args: Mapping[str, Json], key: str, number: int) -> Json:
        if number < len(self._answers[key]):
            return _value_of(self._answers[key][number])
        context = replace(self._context, idempotency_key=digest_of([self._context.idempotency_key, key]))
        try:
            outcome = await self._bounds.call(tool, self._as_author(tool, context, args), args, self._pause)
        except InputRequired as needed:
            if needed.asked.account:
                self.needed = needed
                raise CallDeferred from needed
            outcome = Failed(error=INPUT_REQUIRED, message="it asks a person; plan this as its own node")
        await self._bounds.learn(context.thread, tool, outcome)
        if isinstance(outcome, Succeeded):
            answer = RecordedAnswer(call=key, value=outcome.value)
        else:
            answer = RecordedAnswer(call=key, error=f"{tool.name}: {outcome.error}: {outcome.message}")
        # A call that failed counts among its equals, too, so that a later one finds its own answer.
        self._storable_bytes -= self._record(answer)
        if self._storable_bytes >= 0:
            self._new_answers.append(answer)
        return _value_of(answer)

    async def _red_answer(self, tool: Tool, args: Mapping[str, Json], number: int) -> Json:
        position = position_of(tool.name, args, number)
        if (outcome := self._decided.outcomes.get(position)) is not None:
            self._reached.add(position)
            return told(tool.name, outcome)
        if wrong := await schema_issues(args, tool.arguments):
            raise ToolCallRefused(
                f"{tool.name}: bad_arguments: {wrong[0].pointer or '/'}: {issue_words(tool, wrong[0])}"
            )
        if len(self._decided.nodes) + len(self._waiting) >= self._most_red_calls:
            raise ToolCallRefused(f"a script may make {self._most_red_calls} calls that ask people, and no more")
        self._waiting.append(ScriptCall(tool=tool.name, args=args, position=position))
        raise CallDeferred

    def _declared_tool(self, name: str) -> Tool | None:
        return self._registry.find(name) if name in self._declared else None

    def _permitted_tool(self, name: str) -> Tool:
        tool = self._declared_tool(name)
        if tool is None:
            raise ToolCallRefused(f"{name!r} is not among the tools of this script")
        if tool.colour is not Colour.GREEN and not self._asks:
            raise ToolCallRefused(f"{name!r} changes something; this script may only read: plan this as its own node")
        return tool

    def _record(self, answer: RecordedAnswer) -> int:
        """Record an answer unless too much is recorded already, and then none that follows; return its size.

        An equal call that follows would find the answer of another one.
        """
        size = len(answer.call) + len(canonical_json(answer.value)) + len(answer.error)
        self._recorded_bytes += size
        if self._recorded_bytes <= _RECORDED_BYTES:
            self._answers[answer.call].append(answer)
        return size


def check_arguments(args: Mapping[str, Json], most_bytes: int = CALL_BYTES) -> None:
    """Return if a call can be made with these arguments.

    Raises:
        ToolCallRefused: it cannot.
    """
    if (issue := json_issue_in(args, strict_text=True)) is not None:
        raise ToolCallRefused(f"the arguments cannot be used: {issue.pointer}: {issue.message}")
    if len(canonical_json(args).encode()) > most_bytes:
        raise ToolCallRefused(f"the arguments come to more than {most_bytes} bytes")


def told(tool: ToolName, outcome: Outcome) -> Json:
    """Return the value of a call that became a node, or raise what its caller is told of it."""
    if isinstance(outcome, Succeeded):
        return outcome.value
    if _is_rejected(outcome):
        raise CallRejected(_words(tool, outcome))
    raise ToolCallRefused(_words(tool, outcome))


def _is_rejected(outcome: Outcome) -> bool:
    """Return whether a person said no, or asked for something else."""
    return isinstance(outcome, Rejected) or (isinstance(outcome, Cancelled) and outcome.by is not None)


def _words(tool: ToolName, outcome: Outcome) -> str:
    match outcome:
        case Rejected(reason=reason) | Cancelled(why=reason, by=str()):
            return reason or "no reason given"
        case Failed(error=error, message=message):
            return f"{tool}: {error}: {message}"
        case Expired():
            return f"{tool}: expired: nobody decided in time"
        case Cancelled(why=why):
            return f"{tool}: cancelled: {why}"
        case Skipped() | Succeeded():
            return f"{tool}: {state_of(outcome).value}"
        case _:
            assert_never(outcome)


def ending(error: str, decided: DecidedCalls) -> Failed | None:
    """Return how a package ends whose script raised this text, if it is that of a call people did not let happen.

    No other script may be tried then: it could only find a way around what a person said.
    """
    for position, outcome in decided.outcomes.items():
        tool = decided.nodes[position].tool or ToolName("")
        if isinstance(outcome, Succeeded | Failed):
            continue
        words = _words(tool, outcome)
        if sanitized_text(words)[:_COMPARED_CHARACTERS] == error[:_COMPARED_CHARACTERS]:
            if _is_rejected(outcome):
                return Failed(error="call_rejected", message=f"a person rejected {tool}: {words}")
            return Failed(error="call_not_made", message=words)
    return None


def _value_of(answer: RecordedAnswer) -> Json:
    if answer.error:
        raise ToolCallRefused(answer.error)
    return answer.value
