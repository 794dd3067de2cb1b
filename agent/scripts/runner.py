"""A package: one script, run in the sandbox, and repaired by a model when it crashes.

The sandbox keeps nothing, so throwing it away is the rollback; only an outcome that is `ok` and
fits the result schema counts. `agent/scripts/runner.py` is the graph of the attempts, this file what they do
to the world.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, TypedDict

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # typed inline; py.typed is a folder up
from langgraph.runtime import Runtime

from agent.errors import ModelUnavailable, StoreUnavailable
from agent.events import AttemptEnded
from agent.limits import Role
from agent.llm.prompts import system_message
from agent.packing.packing import STEPS, only_calls
from agent.packing.script_checks import script_in
from agent.plan.json_schema import schema_issues
from agent.plan.operations import Node
from agent.plan.outcomes import Failed, Succeeded
from agent.ports import Attempts, ChatMessage, LanguageModel, Progress
from agent.scripts.repair_prompt import (
    Assignment,
    Permits,
    end_of,
    refusal_of,
    story,
    summarized_calls,
    summarized_logs,
    summarized_message,
    summarized_traceback,
)
from agent.scripts.replay import ToolCallReplay
from agent.tool import CallContext, Registry
from agent.tools.call import kept_output
from sandbox.script import Job, Json, Limits, OutcomeKind, Sandbox, ScriptError, ScriptOutcome

INFRA_RETRY_AFTER_SECONDS = (0.5, 2.0)


_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PackageDependencies:
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

    def __init__(self, equipment: PackageDependencies) -> None:
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

    def __init__(
        self, equipment: PackageDependencies, node: Node, inputs: Mapping[str, Json], context: CallContext
    ) -> None:
        self.assignment = Assignment(node=node, inputs=inputs)
        self._equipment = equipment
        self._node = node
        self._context = context
        self._journal = ToolCallReplay(equipment.registry, node, context, equipment.pause)
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
        self.system = None if final else system_message(Role.REPAIR, dialect=equipment.sandbox.dialect)

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

    async def ask(self, said: Sequence[ChatMessage]) -> str | None:
        """Return the Reflexion model's answer."""
        if self._equipment.model is None:
            return None
        try:
            return await self._equipment.model.complete(Role.REPAIR, said)
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
            error=summarized_message(f"{error.type}: {error.message}") if error else "",
            traceback=summarized_traceback(error.traceback) if error else "",
            milliseconds=outcome.milliseconds,
            at=self._equipment.clock(),
            logs=summarized_logs(outcome.logs),
            calls=summarized_calls(outcome.calls),
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
    if node.result_schema is not None and (wrong := schema_issues(kept.value, node.result_schema)):
        return _refused(outcome, f"the result does not fit its schema at {wrong[0].pointer or '/'}: {wrong[0].message}")
    return replace(outcome, result=kept.value)


def _refused(outcome: ScriptOutcome, message: str) -> ScriptOutcome:
    return replace(
        outcome, kind=OutcomeKind.ERROR, result=None, error=ScriptError(type="ResultRefused", message=message)
    )


REWRITES_ASKED = 2
"""How often the model may answer one crash before the repair is given up."""


_STEPS = 64
"""More super-steps than three attempts with refused rewrites can take."""


class Tried(Protocol):
    """How one run of a script ended."""

    @property
    def attempt(self) -> AttemptEnded | None:
        """The attempt that was made; None when the sandbox failed, which is none."""
        ...

    @property
    def outcome(self) -> Succeeded | Failed | None:
        """What the package ends with; None after a crash."""
        ...


class Chain(Protocol):
    """What one package's attempts have in common, and what they do to the world."""

    @property
    def assignment(self) -> Assignment:
        """What the scripts are for."""
        ...

    @property
    def system(self) -> ChatMessage | None:
        """The Reflexion model's system message; None when a crash is final."""
        ...

    @property
    def permits(self) -> Permits:
        """Which tools the scripts may call."""
        ...

    def earlier(self) -> Awaitable[Sequence[AttemptEnded]]:
        """Return the attempts an earlier process made, with their answers back in the journal."""
        ...

    def attempt(self, number: int, code: str) -> Awaitable[Tried]:
        """Run the script once."""
        ...

    def rewind(self) -> None:
        """Forget everything of the last attempt but the journal."""
        ...

    def ask(self, said: Sequence[ChatMessage]) -> Awaitable[str | None]:
        """Return the model's answer, or None when it cannot be had."""
        ...


class Healing(TypedDict):
    """The state: `code` is the script that runs next or ran last, `attempts` all that ended so far.

    `said` is the dialogue with the model, `refused` how many rewrites after the last crash broke the
    rules, `ended` what the package ends with, once that is known.
    """

    code: str
    attempts: Sequence[AttemptEnded]
    said: Sequence[ChatMessage]
    refused: int
    ended: Succeeded | Failed | None


@dataclass(frozen=True, kw_only=True)
class _Given:
    """LangGraph's run context: what nodes have beside the state."""

    chain: Chain


class Healer:
    """The compiled graph; one serves any number of packages at once."""

    def __init__(self) -> None:
        builder: Any = StateGraph(Healing, context_schema=_Given)
        for node in (_snapshot, _run, _roll_back, _reflect, _check):
            builder.add_node(node.__name__.removeprefix("_"), node)
        builder.add_edge(START, "snapshot")
        builder.add_conditional_edges("snapshot", _after_snapshot, ["run", "roll_back"])
        builder.add_conditional_edges("run", _unless_ended("roll_back"), ["roll_back", END])
        builder.add_conditional_edges("roll_back", _unless_ended("reflect"), ["reflect", END])
        builder.add_conditional_edges("reflect", _unless_ended("check"), ["check", END])
        builder.add_conditional_edges("check", _after_check, ["run", "reflect", END])
        self._graph: Any = builder.compile(checkpointer=False, name="healing")

    async def heal(self, code: str, chain: Chain) -> Succeeded | Failed:
        """Run the script, and its rewrites after crashes, until one is `ok` or there is no further attempt.

        A cancellation ends the script or the model call that is at work before it is passed on.
        """
        state = Healing(code=code, attempts=(), said=(), refused=0, ended=None)
        # Nothing is inherited: with the outer graph's durability "sync" a graph without a checkpointer
        # waits for a checkpoint that never was (langgraph 1.2.22, pregel/main.py, AttributeError).
        outer = var_child_runnable_config.set(None)
        try:
            left = await self._graph.ainvoke(state, RunnableConfig(recursion_limit=_STEPS), context=_Given(chain=chain))
        finally:
            var_child_runnable_config.reset(outer)
        ended: Succeeded | Failed = left["ended"]
        return ended


async def _snapshot(_state: Healing, runtime: Runtime[_Given]) -> dict[str, Any]:
    chain = runtime.context.chain
    if chain.system is None:
        return {}
    attempts = await chain.earlier()
    said: list[ChatMessage] = [chain.system]
    if not attempts:
        return {"said": said}
    code = attempts[-1].code
    if attempts[-1].kind == OutcomeKind.OK.value:
        attempts = attempts[:-1]  # its result was lost with its process: it is run again
    for crashed, following in zip(attempts, [*(each.code for each in attempts[1:]), code], strict=True):
        if following != crashed.code:
            said += [chain.assignment.crash(crashed), ChatMessage(by="ai", text=f"```python\n{following}```")]
    return {"attempts": attempts, "code": code, "said": said}


def _after_snapshot(state: Healing) -> str:
    """The newest code crashed already, or is still to run."""
    attempts = state["attempts"]
    return "roll_back" if attempts and attempts[-1].code == state["code"] else "run"


async def _run(state: Healing, runtime: Runtime[_Given]) -> dict[str, Any]:
    attempts = state["attempts"]
    tried = await runtime.context.chain.attempt(len(attempts) + 1, state["code"])
    made = [] if tried.attempt is None else [tried.attempt]
    return {"attempts": [*attempts, *made], "ended": tried.outcome}


async def _roll_back(state: Healing, runtime: Runtime[_Given]) -> dict[str, Any]:
    chain, attempts = runtime.context.chain, state["attempts"]
    chain.rewind()
    if chain.system is None:
        return {"ended": story(attempts)}
    crash = chain.assignment.crash(attempts[-1])
    return {"ended": end_of(attempts, chain.permits), "said": [*state["said"], crash], "refused": 0}


async def _reflect(state: Healing, runtime: Runtime[_Given]) -> dict[str, Any]:
    answer = await runtime.context.chain.ask(state["said"])
    if answer is None:
        return {"ended": story(state["attempts"], "the model that repairs scripts did not answer")}
    return {"said": [*state["said"], ChatMessage(by="ai", text=answer)]}


async def _check(state: Healing, runtime: Runtime[_Given]) -> dict[str, Any]:
    assignment, attempts, said = runtime.context.chain.assignment, state["attempts"], state["said"]
    script = script_in(said[-1].text)
    refusal = refusal_of(script, assignment.node, attempts)
    if refusal is None:
        return {"code": script}
    if state["refused"] + 1 >= REWRITES_ASKED:
        return {"ended": story(attempts, f"no rewrite kept to the rules: {refusal}")}
    return {"refused": state["refused"] + 1, "said": [*said, assignment.refused(attempts[-1], refusal)]}


def _after_check(state: Healing) -> str:
    if state["ended"] is not None:
        return END
    return "run" if state["said"][-1].by == "ai" else "reflect"


def _unless_ended(following: str) -> Any:
    def route(state: Healing) -> str:
        return END if state["ended"] is not None else following

    return route
