"""Runs a package: one script in the sandbox, which a model rewrites when it crashes.

The sandbox keeps nothing between runs, so a crash leaves nothing to undo. Only a result that can be kept and fits the
result schema counts. Each attempt is a row (`AttemptEnded`), so another process goes on where this one died.

A script that waits for people is suspended: its container is thrown away and its attempt's row has the answers so far.
Once people decided, the same attempt runs again from its journal (`agent/scripts/replay.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, pairwise, repeat

from agent.errors import ModelUnavailable, StoreUnavailable
from agent.events import AttemptEnded, NodeChanged
from agent.ids import Digest, ThreadId, UserId
from agent.limits import Role
from agent.packing.packing import STEPS, only_calls
from agent.packing.script_checks import script_in
from agent.plan.file_names import FILES_WRITE
from agent.plan.json_schema import schema_issues
from agent.plan.operations import Node, canonical_json
from agent.plan.outcomes import Failed, NodeState, Succeeded
from agent.plan.script_calls import MOST_DIVERGENT_CALLS, DecidedCalls, Suspended, divergent
from agent.ports import Attempts, ChatMessage, LanguageModel, Progress
from agent.reading.egress import confined
from agent.scripts.repair_prompt import (
    attempt_ended,
    crash_request,
    failure_story,
    final_failure,
    refusal_request,
    rewrite_refusal,
)
from agent.scripts.replay import AsAuthor, ToolCallReplay, as_app, ending
from agent.tool import CallContext, Registry, asks_inside
from agent.tools.call import kept_output
from agent.tools.call_bounds import CallBounds
from agent.tools.shared_bounds import SharedBounds
from sandbox.script import NO_SANDBOX, Job, Json, Limits, OutcomeKind, Sandbox, ScriptError, ScriptOutcome

INFRA_RETRY_AFTER_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Pauses before a script runs again because the sandbox failed, which is no attempt. The last one repeats."""

_NO_DECISIONS = DecidedCalls()
_SUSPENDED = OutcomeKind.SUSPENDED.value

_DIVERGES = Failed(
    error="script_diverges",
    message="each time the script ran it came to other arguments for calls that ask people, so it would never end; "
    "take the time, random numbers and the like from inputs or tools",
)

_ASKS_AFTER = frozenset({OutcomeKind.SUSPENDED, OutcomeKind.OK, OutcomeKind.ERROR, OutcomeKind.TIMEOUT})
"""Ends of a run whose open calls people are asked about: also a script that did not wait for a call has made it."""

WAITS_FOR_PEOPLE = "waiting for decisions about its calls"

WAITS_FOR_WORKERS = "waiting for those it handed work to"

WAITS_FOR_SANDBOX = "waiting for the sandbox, which does not answer"

REWRITES_PER_CRASH = 2
"""How often the model is asked about one crash before the repair ends."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PackageDependencies:
    """The dependencies of every package of an installation."""

    registry: Registry
    sandbox: Sandbox
    #: Returns the system message of every call for a person in a thread.
    system: Callable[[ThreadId, UserId], Awaitable[ChatMessage]]
    progress: Progress
    #: Without it, a package whose process died starts again with its first attempt.
    attempts: Attempts | None
    #: Without it, every crash is final.
    model: LanguageModel | None
    #: For the script of one step; a script of several steps gets a multiple.
    limits: Limits
    #: On the tool calls of scripts, and on the model calls that rewrite them.
    bounds: CallBounds
    #: Calls of one script that ask people.
    red_calls: int
    repairs: SharedBounds[Role]
    clock: Callable[[], datetime]
    pause: Callable[[float], Awaitable[None]]
    as_author: AsAuthor = as_app


class ScriptRunner:
    """Runs one package's script, and after crashes the model's rewrites of it."""

    def __init__(
        self,
        dependencies: PackageDependencies,
        node: Node,
        inputs: Mapping[str, Json],
        context: CallContext,
        decided: DecidedCalls = _NO_DECISIONS,
    ) -> None:
        self._dependencies = dependencies
        self._node = node
        self._inputs = inputs
        self._context = context
        self._decided = decided
        self._asks = asks_inside(node, dependencies.registry)
        self._replay = ToolCallReplay(
            confined(dependencies.registry, node),
            node,
            context,
            dependencies.pause,
            dependencies.bounds,
            decided=decided,
            most_red_calls=dependencies.red_calls,
            as_author=dependencies.as_author,
        )
        # A rewrite changes the code only: tools, inputs and limits stay the node's.
        self._job = Job(
            code=node.code,
            inputs=inputs,
            tools=frozenset({*node.tools, FILES_WRITE}),
            limits=_limits_of(node, dependencies.limits),
            queue=context.thread,
        )
        # A person approved exactly this script, so a rewrite would need another approval. A script that only calls
        # tools was generated without a model: it crashes when a tool fails, and a rewrite could only hide that.
        repairable = not node.require_human_approval and not only_calls(node)
        self._model = dependencies.model if repairable else None
        self._attempts: list[AttemptEnded] = []
        self._dialogue: list[ChatMessage] = []

    @property
    def files(self) -> Mapping[str, str]:
        """Name -> text of what the script kept in its last run; it counts once that run ended well."""
        return self._replay.files

    async def run(self) -> Succeeded | Failed | Suspended:
        """Return the script's result inline, how its last attempt ended, or which calls people are to be asked about.

        Raises only CancelledError, and InputRequired when the author must connect an account before it can run.

        A cancellation first ends the script or the model call that is in progress.
        """
        code = await self._snapshot()
        while True:
            # The newest script has crashed already when an earlier process died before its rewrite.
            if not self._attempts or self._attempts[-1].code != code:
                outcome = await self._attempt(code)
                if outcome is not None:
                    return outcome
            rewrite = await self._rewrite()
            if isinstance(rewrite, Failed):
                return rewrite
            self._replay.rewind()
            self._replay.forget_failures()
            code = rewrite

    async def _snapshot(self) -> str:
        """Return the newest script, with the attempts, answers and dialogue of an earlier process restored."""
        if self._model is None and not self._asks:
            return self._node.code
        self._dialogue = []
        await self._restore_attempts()
        suspended = self._attempts.pop() if self._attempts and self._attempts[-1].kind == _SUSPENDED else None
        if suspended is not None and not self._attempts:
            return suspended.code
        if not self._attempts:
            return self._node.code
        for crashed, following in pairwise(self._attempts):
            if following.code != crashed.code:
                answer = ChatMessage(by="ai", text=f"```python\n{following.code}```")
                self._dialogue += [crash_request(self._node, self._inputs, crashed, self._decided), answer]
        if suspended is not None:
            if suspended.code != self._attempts[-1].code:
                answer = ChatMessage(by="ai", text=f"```python\n{suspended.code}```")
                self._dialogue += [crash_request(self._node, self._inputs, self._attempts[-1], self._decided), answer]
            return suspended.code
        newest = self._attempts[-1]
        if newest.kind == OutcomeKind.OK.value:
            self._attempts.pop()  # Its result was lost with its process, so the script runs again.
        return newest.code

    async def _restore_attempts(self) -> None:
        """Load the attempts that an earlier process made at this very call; an unreachable store has none."""
        if self._dependencies.attempts is None:
            return
        try:
            stored = await self._dependencies.attempts.of(self._context.thread, self._context.node)
        except StoreUnavailable:
            return
        self._attempts = [attempt for attempt in stored if attempt.of == self._context.idempotency_key]
        for attempt in self._attempts:
            same = attempt.kind in (_SUSPENDED, OutcomeKind.OK.value)  # the very script runs again
            self._replay.restore(attempt.answers, failures=same, again=same)

    async def _attempt(self, code: str) -> Succeeded | Failed | Suspended | None:
        """Run a script; return None after a crash."""
        outcome = await _checked(await self._outcome(code), self._node)
        if self._replay.needed is not None:
            raise self._replay.needed
        suspended = self._replay.suspended if outcome.kind in _ASKS_AFTER else None
        if suspended is not None:
            outcome = replace(outcome, kind=OutcomeKind.SUSPENDED, result=None, error=None)
        elif happened := self._unreached():
            outcome = replace(outcome, logs=f"{outcome.logs}\n{happened}")
        ended = attempt_ended(
            outcome,
            self._context,
            number=len(self._attempts) + 1,
            code=code,
            at=self._dependencies.clock(),
            # Also when it ended well: its result may be lost with this process, and the run may become a goal.
            answers=self._replay.take_new_answers(),
        )
        if outcome.kind is OutcomeKind.INFRA:
            return failure_story([ended])
        self._dependencies.progress.note(self._context.thread, ended)
        if suspended is not None:
            return await self._suspended(suspended, ended)
        self._attempts.append(ended)
        if outcome.kind is OutcomeKind.OK:
            return Succeeded(value=outcome.result)
        if self._model is not None:
            await self._commit(ended)
        return None

    def _unreached(self) -> str:
        """Return a line on calls that happened and that this script did not come to; "" when there are none."""
        outcomes, nodes = self._decided.outcomes, self._replay.unreached
        made = [node for node in nodes if isinstance(outcomes.get(node.position or Digest("")), Succeeded)]
        calls = "; ".join(f"{node.tool} {canonical_json(node.args)}" for node in made)
        return f"This script did not come to calls that have happened: {calls}" if made else ""

    async def _suspended(self, suspended: Suspended, ended: AttemptEnded) -> Suspended | Failed:
        """Commit what the script was answered before anyone is asked about its calls."""
        if divergent(self._decided.nodes.values()) >= MOST_DIVERGENT_CALLS and suspended.unreached:
            return _DIVERGES
        await self._commit(ended)
        return suspended

    async def _outcome(self, code: str) -> ScriptOutcome:
        """Run a script; while the sandbox fails, run it again for as long as a script may take."""
        job = replace(self._job, code=code)
        clock = asyncio.get_running_loop().time
        started, paused = clock(), 0.0
        pauses = chain(INFRA_RETRY_AFTER_SECONDS, repeat(INFRA_RETRY_AFTER_SECONDS[-1]))
        while True:
            outcome = await self._dependencies.sandbox.run(job, self._replay)
            if outcome.kind is not OutcomeKind.INFRA or (outcome.error and outcome.error.type == NO_SANDBOX):
                break
            seconds = next(pauses)
            if max(clock() - started, paused) + seconds > job.limits.wall_seconds:
                break
            if not paused:
                self._tell(WAITS_FOR_SANDBOX)
            await self._dependencies.pause(seconds)
            paused += seconds
            self._replay.rewind()
            if not self._asks:  # The failed calls may have failed of what the sandbox did.
                self._replay.forget_failures()
        if paused:
            self._tell("")
        return outcome

    def _tell(self, detail: str) -> None:
        """Put one short line on the board, beside the running node."""
        change = NodeChanged(node=self._node.id, state=NodeState.RUNNING, at=self._dependencies.clock(), detail=detail)
        self._dependencies.progress.note(self._context.thread, change)

    async def _commit(self, ended: AttemptEnded) -> None:
        """Commit the attempt before its repair, so that no process repeats it."""
        try:
            await self._dependencies.progress.flush()
        except StoreUnavailable:
            _log.warning("attempt %d of %s is not stored yet", ended.attempt, self._context.node)

    async def _rewrite(self) -> str | Failed:
        """Return the model's next script, or how the package ends without one."""
        error = self._attempts[-1].error.partition(": ")[2]
        if (failure := ending(error, self._decided)) is not None:
            return failure
        if self._model is None:
            return failure_story(self._attempts)
        if (failure := final_failure(self._attempts, self._replay.permits)) is not None:
            return failure
        crashed = self._attempts[-1]
        self._dialogue.append(crash_request(self._node, self._inputs, crashed, self._decided))
        system = await self._dependencies.system(self._context.thread, self._context.author)
        refusal = None
        for _ in range(REWRITES_PER_CRASH):
            try:
                async with self._dependencies.repairs.taken(Role.REPAIR, self._context.thread):
                    answer = await self._model.complete(Role.REPAIR, [system, *self._dialogue])
            except ModelUnavailable:
                return failure_story(self._attempts, "the model that repairs scripts did not answer")
            self._dialogue.append(ChatMessage(by="ai", text=answer))
            script = script_in(answer)
            refusal = rewrite_refusal(script, self._node, self._attempts)
            if refusal is None:
                return script
            self._dialogue.append(refusal_request(self._node, self._inputs, crashed, refusal, self._decided))
        return failure_story(self._attempts, f"no rewrite kept to the rules: {refusal}")


def _limits_of(node: Node, limits: Limits) -> Limits:
    """Return a script's limits: as much time and as many calls as its steps would have as nodes of their own."""
    steps = max(1, min(len(node.packed), STEPS))
    return replace(limits, wall_seconds=limits.wall_seconds * steps, calls=limits.calls * steps)


async def _checked(outcome: ScriptOutcome, node: Node) -> ScriptOutcome:
    """Return the outcome, as an error of the script when its result cannot be kept or breaks the result schema."""
    if outcome.kind is not OutcomeKind.OK:
        return outcome
    kept = await kept_output(outcome.result)
    if isinstance(kept, Failed):
        message = kept.message
    elif node.result_schema is not None and (issues := await schema_issues(kept.value, node.result_schema)):
        message = f"the result does not fit its schema at {issues[0].pointer or '/'}: {issues[0].message}"
    else:
        return replace(outcome, result=kept.value)
    error = ScriptError(type="ResultRefused", message=message)
    return replace(outcome, kind=OutcomeKind.ERROR, result=None, error=error)
