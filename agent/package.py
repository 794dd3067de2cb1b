"""A package: one script, run in the sandbox, and repaired by a model when it crashes.

The sandbox keeps nothing, so throwing it away is the rollback; only an outcome that is `ok` and
fits the result schema counts. Answers of green tools are journaled along the attempts: a script
that asks the same again is answered from the journal.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from agent.binding import BOUND_BYTES
from agent.calling import call_tool, kept_output
from agent.dialogue import LanguageModel, Role, Said
from agent.errors import ModelUnavailable
from agent.events import AttemptEnded
from agent.faults import DEFAULT_LIMITS
from agent.lifecycle import Failed, Succeeded
from agent.packaging import STEPS, only_calls
from agent.plan import Node, canonical_json, digest_of
from agent.ports import Progress
from agent.prompt import Crash, crash_message, system_message
from agent.schemas import misfits
from agent.scripts import script_flaws, script_in
from agent.tools.registry import CallContext, Colour, Registry, Tool
from agent.values import flaw_in, mended_text, trimmed
from sandbox.script import Job, Json, Limits, OutcomeKind, Sandbox, ScriptError, ScriptOutcome, ToolCallRefused

ATTEMPTS = 3
INFRA_RETRY_AFTER_SECONDS = (0.5, 2.0)
_REWRITES_ASKED = 2
_JOURNAL_BYTES = 64 * 1024 * 1024
_CALL_BYTES = 64 * 1024
_TRACEBACK_CHARACTERS = 4000
_LOGS_CHARACTERS = 4000
_MESSAGE_CHARACTERS = 1000
_CALLS_SHOWN = 40
_CALL_CHARACTERS = 400


class PackageRunner:
    """Runs packages in one sandbox."""

    def __init__(
        self,
        *,
        registry: Registry,
        sandbox: Sandbox,
        progress: Progress,
        model: LanguageModel | None,
        limits: Limits,
        clock: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._registry = registry
        self._sandbox = sandbox
        self._progress = progress
        self._model = model
        self._limits = limits
        self._clock = clock
        self._pause = pause

    async def run(self, node: Node, inputs: Mapping[str, Json], context: CallContext) -> Succeeded | Failed:
        """Return the script's result inline, or how its last attempt ended. Raises only CancelledError."""
        host = _Host(self._registry, node, context, self._pause)
        # What a person approved is exactly what runs: a rewrite would be another script. And where a
        # script is all ours, a tool failed: a rewrite could only hide it.
        final = node.require_human_approval or only_calls(node)
        repair = _Repair(None if final else self._model, node, inputs, self._sandbox.dialect)
        job = Job(code=node.code, inputs=inputs, tools=frozenset(node.tools), limits=self._limits_of(node))
        for attempt in count(1):
            outcome = _judged(await self._attempt(job, host), node)
            if outcome.kind is OutcomeKind.INFRA:
                return _failed(outcome)
            self._note(context, attempt, job.code, outcome)
            if outcome.kind is OutcomeKind.OK:
                return Succeeded(value=outcome.result)
            code = await repair.rewrite(job.code, outcome) if attempt < ATTEMPTS else None
            if code is None:
                return _failed(outcome)
            job = replace(job, code=code)
        raise AssertionError("counting ended")

    def _limits_of(self, node: Node) -> Limits:
        """Return what a script may use: one of several steps, as much time and calls as they had apart."""
        steps = max(1, min(len(node.packed), STEPS))
        return replace(self._limits, wall_seconds=self._limits.wall_seconds * steps, calls=self._limits.calls * steps)

    async def _attempt(self, job: Job, host: "_Host") -> ScriptOutcome:
        """Run the script once; when the sandbox itself fails, that was no attempt and is tried again."""
        host.rewind()
        outcome = await self._sandbox.run(job, host)
        for seconds in INFRA_RETRY_AFTER_SECONDS:
            if outcome.kind is not OutcomeKind.INFRA:
                break
            await self._pause(seconds)
            host.rewind()
            outcome = await self._sandbox.run(job, host)
        return outcome

    def _note(self, context: CallContext, attempt: int, code: str, outcome: ScriptOutcome) -> None:
        error = outcome.error
        self._progress.note(
            context.thread,
            AttemptEnded(
                node=context.node,
                attempt=attempt,
                kind=outcome.kind.value,
                code=code,
                error=trimmed(mended_text(f"{error.type}: {error.message}"), _MESSAGE_CHARACTERS) if error else "",
                traceback=trimmed(mended_text(error.traceback), _TRACEBACK_CHARACTERS) if error else "",
                milliseconds=outcome.milliseconds,
                at=self._clock(),
            ),
        )


def _judged(outcome: ScriptOutcome, node: Node) -> ScriptOutcome:
    """Return the outcome, as an error of the script when its result cannot be kept or does not fit."""
    if outcome.kind is not OutcomeKind.OK:
        return outcome
    kept = kept_output(outcome.result)
    if isinstance(kept, Failed):
        return _refused(outcome, kept.message)
    if node.result_schema is not None and (wrong := misfits(kept.value, node.result_schema)):
        return _refused(outcome, f"the result does not fit its schema at {wrong[0].pointer or '/'}: {wrong[0].message}")
    return replace(outcome, result=kept.value)


def _refused(outcome: ScriptOutcome, message: str) -> ScriptOutcome:
    return replace(
        outcome, kind=OutcomeKind.ERROR, result=None, error=ScriptError(type="ResultRefused", message=message)
    )


def _failed(outcome: ScriptOutcome) -> Failed:
    error = outcome.error or ScriptError(type=outcome.kind.value, message="")
    message = mended_text(f"{error.type}: {error.message}\n{error.traceback}").strip()
    return Failed(error=f"sandbox_{outcome.kind.value}", message=trimmed(message, 2 * _MESSAGE_CHARACTERS))


class _Host:
    """Answers a script's tool calls, with the rights of the operation's author."""

    def __init__(
        self, registry: Registry, node: Node, context: CallContext, pause: Callable[[float], Awaitable[None]]
    ) -> None:
        self._registry = registry
        self._declared = frozenset(node.tools)
        # A packed step's call may carry what it might have carried as a node of its own.
        self._call_bytes = BOUND_BYTES if node.packed else _CALL_BYTES
        self._context = context
        self._pause = pause
        self._journal: dict[str, list[Json]] = defaultdict(list)
        self._journal_bytes = 0
        self._replayed: Counter[str] = Counter()

    def rewind(self) -> None:
        """Begin an attempt: the n-th equal call gets the n-th answer journaled for it."""
        self._replayed.clear()

    async def __call__(self, tool: str, args: Mapping[str, Json]) -> Json:
        """Return the tool's output, from the journal when this very call was answered before."""
        found = self._green(tool)
        self._check(args)
        key = canonical_json([tool, args])
        number = self._replayed[key]
        self._replayed[key] += 1
        if number < len(self._journal[key]):
            return self._journal[key][number]
        context = replace(self._context, idempotency_key=digest_of([self._context.idempotency_key, key]))
        outcome = await call_tool(found, context, args, pause=self._pause)
        if isinstance(outcome, Failed):
            raise ToolCallRefused(f"{tool}: {outcome.error}: {outcome.message}")
        if number == len(self._journal[key]):
            self._keep(key, outcome.value)
        return outcome.value

    def _green(self, name: str) -> Tool:
        tool = self._registry.find(name) if name in self._declared else None
        if tool is None:
            raise ToolCallRefused(f"{name!r} is not among the tools of this script")
        if tool.colour is not Colour.GREEN:
            raise ToolCallRefused(f"{name!r} changes something; a script may only read")
        return tool

    def _check(self, args: Mapping[str, Json]) -> None:
        if (flaw := flaw_in(args, strict_text=True)) is not None:
            raise ToolCallRefused(f"the arguments cannot be used: {flaw.pointer}: {flaw.message}")
        if len(canonical_json(args).encode()) > self._call_bytes:
            raise ToolCallRefused(f"the arguments come to more than {self._call_bytes} bytes")

    def _keep(self, key: str, value: Json) -> None:
        size = len(canonical_json(value))
        if self._journal_bytes + size <= _JOURNAL_BYTES:
            self._journal_bytes += size
            self._journal[key].append(value)


@dataclass
class _Repair:
    """Asks the reflexion model for new scripts; it remembers its earlier ones."""

    model: LanguageModel | None
    node: Node
    inputs: Mapping[str, Json]
    dialect: str

    def __post_init__(self) -> None:
        self._dialogue: list[Said] = [system_message(Role.REFLEXION, dialect=self.dialect)]

    async def rewrite(self, code: str, outcome: ScriptOutcome) -> str | None:
        """Return a script that may run in place of `code`, or None when there is no model or no such script."""
        if self.model is None:
            return None
        self._dialogue.append(crash_message(self._crash(code, outcome)))
        for _ in range(_REWRITES_ASKED):
            try:
                answer = await self.model.complete(Role.REFLEXION, self._dialogue)
            except ModelUnavailable:
                return None
            self._dialogue.append(Said(by="ai", text=answer))
            script = script_in(answer)
            refusal = self._refusal(code, script)
            if refusal is None:
                return script
            refused = ScriptOutcome(
                kind=OutcomeKind.ERROR, error=ScriptError(type="RewriteRefused", message=refusal), milliseconds=0.0
            )
            self._dialogue.append(crash_message(self._crash(code, refused)))
        return None

    def _refusal(self, code: str, script: str) -> str | None:
        flaws = script_flaws(script, frozenset(self.node.tools), DEFAULT_LIMITS.code_bytes)
        if flaws:
            return "; ".join(flaws)
        if flaw_in(script, strict_text=True) is not None:
            return "the script holds a NUL or a lone surrogate"
        return "this is the script that crashed" if script.strip() == code.strip() else None

    def _crash(self, code: str, outcome: ScriptOutcome) -> Crash:
        error = outcome.error or ScriptError(type=outcome.kind.value, message="")
        return Crash(
            goal=self._goal(),
            script=code,
            kind=outcome.kind.value,
            type=error.type,
            message=trimmed(error.message, _MESSAGE_CHARACTERS),
            traceback=trimmed(error.traceback, _TRACEBACK_CHARACTERS),
            logs=trimmed(outcome.logs, _LOGS_CHARACTERS),
            calls=_calls_json(outcome),
        )

    def _goal(self) -> str:
        lines = [self.node.title, f"Tools: {', '.join(self.node.tools) or 'none'}"]
        if self.inputs:
            lines.append(f"Inputs: {trimmed(json.dumps(self.inputs, ensure_ascii=False), _MESSAGE_CHARACTERS)}")
        if self.node.result_schema is not None:
            lines.append(f"Result schema: {canonical_json(self.node.result_schema)}")
        return "\n".join(lines)


def _calls_json(outcome: ScriptOutcome) -> Sequence[Mapping[str, Json]]:
    return [
        {
            "tool": call.tool,
            "args": trimmed(json.dumps(call.args, ensure_ascii=False), _CALL_CHARACTERS),
            "ok": call.ok,
            "milliseconds": round(call.milliseconds, 1),
        }
        for call in outcome.calls[-_CALLS_SHOWN:]
    ]
