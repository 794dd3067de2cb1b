"""A package: one script, run in the sandbox, and repaired by a model when it crashes.

The sandbox keeps nothing, so throwing it away is the rollback; only an outcome that is `ok` and
fits the result schema counts. `agent/healing.py` is the graph of the attempts, this file what they do
to the world.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agent.calling import kept_output
from agent.dialogue import LanguageModel, Role, Said
from agent.errors import ModelUnavailable, StoreUnavailable
from agent.events import AttemptEnded
from agent.healing import Healer
from agent.journal import Journal
from agent.lifecycle import Failed, Succeeded
from agent.packaging import STEPS, only_calls
from agent.plan import Node
from agent.ports import Attempts, Progress
from agent.prompt import system_message
from agent.rewriting import Assignment, story, told_calls, told_logs, told_message, told_traceback
from agent.schemas import misfits
from agent.tools.registry import CallContext, Registry
from sandbox.script import Job, Json, Limits, OutcomeKind, Sandbox, ScriptError, ScriptOutcome

INFRA_RETRY_AFTER_SECONDS = (0.5, 2.0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """What every package of an installation is run with.

    Without `attempts` a package whose process died begins from its first attempt again.
    """

    registry: Registry
    sandbox: Sandbox
    progress: Progress
    attempts: Attempts | None
    model: LanguageModel | None
    limits: Limits
    clock: Callable[[], datetime]
    pause: Callable[[float], Awaitable[None]]


class PackageRunner:
    """Runs packages in one sandbox."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._healer = Healer()

    async def run(self, node: Node, inputs: Mapping[str, Json], context: CallContext) -> Succeeded | Failed:
        """Return the script's result inline, or how its last attempt ended. Raises only CancelledError."""
        return await self._healer.heal(node.code, _Attempts(self._equipment, node, inputs, context))


@dataclass(frozen=True, kw_only=True)
class _Tried:
    attempt: AttemptEnded | None
    outcome: Succeeded | Failed | None


class _Attempts:
    """One package's attempts: a `Chain`."""

    def __init__(self, equipment: Equipment, node: Node, inputs: Mapping[str, Json], context: CallContext) -> None:
        self.assignment = Assignment(node=node, inputs=inputs)
        self._equipment = equipment
        self._node = node
        self._context = context
        self._journal = Journal(equipment.registry, node, context, equipment.pause)
        self.permits = self._journal.permits
        # Code is each attempt's own; everything else is fixed here, whatever a rewrite looks like.
        self._job = Job(
            code="",
            inputs=inputs,
            tools=frozenset(node.tools),
            limits=_limits_of(node, equipment.limits),
            queue=context.thread,
        )
        # What a person approved is exactly what runs: a rewrite would be another script. And where a
        # script is all ours, a tool failed: a rewrite could only hide it.
        final = equipment.model is None or node.require_human_approval or only_calls(node)
        self.system = None if final else system_message(Role.REFLEXION, dialect=equipment.sandbox.dialect)

    async def earlier(self) -> Sequence[AttemptEnded]:
        """Return the attempts at this very call that an earlier process made; they are lost with the database."""
        if self._equipment.attempts is None:
            return ()
        try:
            found = await self._equipment.attempts.of(self._context.thread, self._context.node)
        except StoreUnavailable:
            return ()
        ours = [each for each in found if each.of == self._context.idempotency_key]
        for each in ours:
            self._journal.restore(each.answers)
        return ours

    def rewind(self) -> None:
        """Let the next script be answered from the journal's beginning."""
        self._journal.rewind()

    async def attempt(self, number: int, code: str) -> _Tried:
        """Run the script once; when the sandbox itself fails, that was no attempt and is tried again."""
        job = replace(self._job, code=code)
        outcome = await self._equipment.sandbox.run(job, self._journal)
        for seconds in INFRA_RETRY_AFTER_SECONDS:
            if outcome.kind is not OutcomeKind.INFRA:
                break
            await self._equipment.pause(seconds)
            self._journal.rewind()
            outcome = await self._equipment.sandbox.run(job, self._journal)
        outcome = _judged(outcome, self._node)
        ended = self._ended(number, code, outcome)
        if outcome.kind is OutcomeKind.INFRA:
            return _Tried(attempt=None, outcome=story([ended]))
        await self._note(ended)
        done = outcome.kind is OutcomeKind.OK
        return _Tried(attempt=ended, outcome=Succeeded(value=outcome.result) if done else None)

    async def ask(self, said: Sequence[Said]) -> str | None:
        """Return the Reflexion model's answer."""
        if self._equipment.model is None:
            return None
        try:
            return await self._equipment.model.complete(Role.REFLEXION, said)
        except ModelUnavailable:
            return None

    async def _note(self, ended: AttemptEnded) -> None:
        """Note the attempt; one that will be repaired is committed first, so that no crash of ours loses it."""
        self._equipment.progress.note(self._context.thread, ended)
        if ended.kind == OutcomeKind.OK.value or self.system is None:
            return
        try:
            await self._equipment.progress.flush()
        except StoreUnavailable:
            _log.warning("attempt %d of %s is not stored yet", ended.attempt, self._context.node)

    def _ended(self, number: int, code: str, outcome: ScriptOutcome) -> AttemptEnded:
        error = outcome.error
        fresh = self._journal.fresh()
        return AttemptEnded(
            node=self._context.node,
            attempt=number,
            kind=outcome.kind.value,
            code=code,
            error=told_message(f"{error.type}: {error.message}") if error else "",
            traceback=told_traceback(error.traceback) if error else "",
            milliseconds=outcome.milliseconds,
            at=self._equipment.clock(),
            logs=told_logs(outcome.logs),
            calls=told_calls(outcome.calls),
            of=self._context.idempotency_key,
            answers=fresh if self.system is not None and outcome.kind is not OutcomeKind.OK else (),
        )


def _limits_of(node: Node, limits: Limits) -> Limits:
    """Return what a script may use: one of several steps, as much time and calls as they had apart."""
    steps = max(1, min(len(node.packed), STEPS))
    return replace(limits, wall_seconds=limits.wall_seconds * steps, calls=limits.calls * steps)


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
