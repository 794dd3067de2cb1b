"""How a package heals itself, as a LangGraph of its own inside the task of its node.

    snapshot -> run -> (end)
                run -> roll_back -> reflect -> check -> run
                                    reflect <- check

`snapshot` fixes what every attempt begins from, with the attempts an earlier process made. `run` runs
the script once; only an outcome that is `ok` is committed. `roll_back` forgets everything of a crash
but the journal of green answers, and ends what is not repaired. `reflect` asks the model, `check`
holds its rewrite against the rules.

The graph has no checkpointer, not even its parent's: what an attempt leaves is a row (`Attempts`), like
everything that happens inside a step. Its super-steps are its own; no other node waits for them.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # typed inline; py.typed is a folder up
from langgraph.runtime import Runtime

from agent.dialogue import Said
from agent.events import AttemptEnded
from agent.lifecycle import Failed, Succeeded
from agent.rewriting import Assignment, Permits, end_of, refusal_of, story
from agent.scripts import script_in
from sandbox.script import OutcomeKind

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
    def system(self) -> Said | None:
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

    def ask(self, said: Sequence[Said]) -> Awaitable[str | None]:
        """Return the model's answer, or None when it cannot be had."""
        ...


class Healing(TypedDict):
    """The state: `code` is the script that runs next or ran last, `attempts` all that ended so far.

    `said` is the dialogue with the model, `refused` how many rewrites after the last crash broke the
    rules, `ended` what the package ends with, once that is known.
    """

    code: str
    attempts: Sequence[AttemptEnded]
    said: Sequence[Said]
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
    said: list[Said] = [chain.system]
    if not attempts:
        return {"said": said}
    code = attempts[-1].code
    if attempts[-1].kind == OutcomeKind.OK.value:
        attempts = attempts[:-1]  # its result was lost with its process: it is run again
    for crashed, following in zip(attempts, [*(each.code for each in attempts[1:]), code], strict=True):
        if following != crashed.code:
            said += [chain.assignment.crash(crashed), Said(by="ai", text=f"```python\n{following}```")]
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
    return {"said": [*state["said"], Said(by="ai", text=answer)]}


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
