"""The outer graph, `execute -> reflect -> (execute | answer)`, and the runner that advances one thread."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from copy import copy
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, TypedDict, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphInterrupt
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # typed inline; py.typed is a folder up
from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite, StateSnapshot

from agent.budget.metering import metered
from agent.execution.execution_context import ExecutionContext, Lease, Ports
from agent.execution.executor import Execution
from agent.execution.turn_flow import NextStage, TurnFlow
from agent.ids import NodeId, ThreadId
from agent.limits import Limits
from agent.plan.operations import Add
from agent.plan.outcomes import Outcome, outcome_from_json
from agent.ports import Mail, News, RunStatus, Subscription

Results: TypeAlias = Mapping[NodeId, Mapping[str, Any]]
"""Node id -> `OutcomeJson`. Spelled without `Json`: LangGraph evaluates the state's annotations, and
cannot evaluate an alias that names itself."""


def _merged(old: Results, new: Results) -> Results:
    return {**old, **new}


Done = TypeVar("Done")


@dataclass(frozen=True)
class Stopped:
    """Instead of a result: somebody stopped the turn first."""


class State(TypedDict):
    """A thread's LangGraph state: plain types only."""

    #: Counts from 1.
    turn: int
    #: The last operation acted on.
    seq: int
    #: How often this turn was replanned.
    rounds: int
    #: The outcomes of the turn; those of earlier turns are rows, and read again by the nodes that need them.
    results: Annotated[Results, _merged]


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """One job's access to the checkpoint store."""

    saver: BaseCheckpointSaver[str]
    #: Returns once the writes of the LangGraph task with this id, handed to `saver` before, are committed.
    #: Raises when they cannot be.
    committed: Callable[[str], Awaitable[None]]
    #: Deletes all checkpoints of a thread but the newest.
    prune: Callable[[ThreadId], Awaitable[None]]
    #: Refuses what `saver` is asked from now on, and returns once nothing of it is on its way to the store.
    end: Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the graph's nodes know of the job that runs them."""

    thread: ThreadId
    lease: Lease
    #: As in `Checkpoints`.
    committed: Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Graph:
    """The graph as one job runs it; LangGraph's own signatures are partly untyped."""

    compiled: Any
    job: Job

    async def ainvoke(self, input: Mapping[str, Any] | None, config: RunnableConfig, *, durability: str) -> Any:
        """Run until the graph ends or parks."""
        return await self.compiled.ainvoke(input, config, durability=durability, context=self.job)

    async def aget_state(self, config: RunnableConfig) -> StateSnapshot:
        """Return the thread's newest state."""
        return await self.compiled.aget_state(config)


OpenCheckpoints: TypeAlias = Callable[[ThreadId, Lease], Checkpoints]
"""Opens a saver of its own for a job: one saver instance serialises its callers."""


class AdvanceResult(StrEnum):
    """Why a thread needs no runner for now."""

    #: It waits for people.
    PARKED = "parked"
    FINISHED = "finished"


def _state(values: Mapping[str, Any]) -> State:
    return State(
        turn=values.get("turn", 0),
        seq=values.get("seq", 0),
        rounds=values.get("rounds", 0),
        results=values.get("results", {}),
    )


def _outcomes(state: State) -> Mapping[NodeId, Outcome]:
    return {node: outcome_from_json(result) for node, result in state["results"].items()}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ThreadRunner:
    """Advances threads: one instance serves any number of them, one runner per thread at a time."""

    def __init__(
        self,
        ports: Ports,
        checkpoints: OpenCheckpoints,
        *,
        limits: Limits | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._ports = ports
        self._checkpoints = checkpoints
        self._limits = limits or Limits()
        self._now = now
        self._turn_flow = TurnFlow(ports, self._limits.rounds_per_turn)
        self._compiled = self._build()

    async def advance(self, thread: ThreadId, lease: Lease) -> AdvanceResult:
        """Process everything new for the thread and run until it is finished or parked.

        Idempotent: nothing new means nothing done. The caller holds the thread's lease; when the
        lease is lost it cancels this call, and `lease.check` guards every red call besides.

        Raises:
            RunnerLost: the thread is no longer ours.
            AgentError: the run broke off; advancing again loses and repeats nothing.
        """
        checkpoints = self._checkpoints(thread, lease)
        try:
            return await self._advance(thread, self.graph(thread, lease, checkpoints), checkpoints)
        finally:
            # LangGraph does not wait for the writes of calls that end while it is cancelled: such a write could
            # arrive when the thread is another runner's.
            await checkpoints.end()

    async def _advance(self, thread: ThreadId, graph: Graph, checkpoints: Checkpoints) -> AdvanceResult:
        config = RunnableConfig(configurable={"thread_id": thread}, recursion_limit=100)
        while True:
            head = await _head(graph, checkpoints, config)
            if not head.open and not await self._has_news(thread, head.state):
                if head.has_older:
                    await checkpoints.prune(thread)
                return AdvanceResult.FINISHED
            new_input = None if head.open else await self._new_turn(thread, head.state)
            await graph.ainvoke(new_input, config, durability="sync")
            head = await _head(graph, checkpoints, config)
            if head.open and not await self._reconsider(thread, head.state):
                await self._ports.runs.set_status(thread, head.state["turn"], RunStatus.WAITING)
                return AdvanceResult.PARKED

    def graph(self, thread: ThreadId, lease: Lease, checkpoints: Checkpoints) -> Graph:
        """Return the thread's graph, as a job runs it."""
        # A copy of its own: LangGraph compiles for longer than it takes to run a step.
        compiled = copy(self._compiled)
        compiled.checkpointer = checkpoints.saver
        return Graph(compiled, Job(thread=thread, lease=lease, committed=checkpoints.committed))

    def _build(self) -> Any:
        builder: Any = StateGraph(State, context_schema=Job)
        builder.add_node("execute", self._execute_node)
        builder.add_node("reflect", self._reflect_node)
        builder.add_node("answer", self._answer_node)
        builder.add_edge(START, "execute")
        builder.add_edge("execute", "reflect")
        return builder.compile()

    async def _execute_node(self, values: State, runtime: Runtime[Job]) -> dict[str, Any]:
        state, job = _state(values), runtime.context
        context = ExecutionContext(
            thread=job.thread,
            ports=self._ports,
            lease=job.lease,
            limits=self._limits,
            now=self._now,
            outcomes=_outcomes(state),
        )
        execution = Execution(context, turn=state["turn"], seq=state["seq"], committed=job.committed)
        progressed = await execution.run()
        return {"results": progressed.results, "seq": progressed.seq}

    async def _reflect_node(self, values: State, runtime: Runtime[Job]) -> Command[Literal["execute", "answer"]]:
        state = _state(values)
        stage = await self._reflect(runtime.context.thread, state)
        rounds = state["rounds"] + (stage is NextStage.ROUND)
        return Command(update={"rounds": rounds}, goto="answer" if stage is NextStage.ANSWER else "execute")

    async def _answer_node(self, values: State, runtime: Runtime[Job]) -> None:
        await self._answer(runtime.context.thread, _state(values))

    async def _has_news(self, thread: ThreadId, state: State) -> bool:
        """Return whether a finished thread needs another turn. A late stop or cancel is no reason: nothing is open."""
        news = await self._news(thread, state)
        if news.mail.stop:
            await self._ports.mailbox.drop_late_stops(thread, state["turn"])
            news = await self._news(thread, state)
        return bool(news.mail.messages) or any(isinstance(logged.operation, Add) for logged in news.operations)

    async def _news(self, thread: ThreadId, state: State) -> News:
        return await self._ports.news.read(thread, state["turn"], state["seq"])

    async def _new_turn(self, thread: ThreadId, state: State) -> Mapping[str, Any]:
        turn = state["turn"] + 1
        if self._ports.budget_trackers is not None:
            await self._ports.budget_trackers.settle()
        await self._ports.runs.begin(thread, turn)
        return {"turn": turn, "rounds": 0, **await self._kept_results(thread, turn, state["results"])}

    async def _kept_results(self, thread: ThreadId, turn: int, results: Results) -> Mapping[str, Any]:
        """Return the update that takes the results of earlier turns out of the state, once they are rows."""
        if not results:
            return {}
        stored = await self._ports.statuses.ended(thread, results.keys(), turn)
        kept = {node: result for node, result in results.items() if node not in stored}
        return {"results": asdict(Overwrite(kept))}  # as a dict: checkpoints hold plain types only

    async def _reflect(self, thread: ThreadId, state: State) -> NextStage:
        turn = state["turn"]
        with self._ports.notifications.subscribe(thread) as subscription:
            news = await self._news(thread, state)
            if news.operations:
                return NextStage.ROUND  # a replan appended and crashed before its step was stored
            after = partial(self._turn_flow.after, thread, turn, state["rounds"], _outcomes(state), news)
            stage = await self._unless_stopped(thread, turn, after, subscription, news.mail)
        if not isinstance(stage, Stopped):
            return stage
        await self._turn_flow.stopped(thread, turn)
        return NextStage.ROUND if await self._ports.log.after(thread, state["seq"]) else NextStage.ANSWER

    async def _answer(self, thread: ThreadId, state: State) -> None:
        turn, outcomes = state["turn"], _outcomes(state)
        answer = partial(self._ports.answerer.answer, thread, turn, outcomes)
        with self._ports.notifications.subscribe(thread) as subscription:
            mail = await self._ports.mailbox.mail(thread, turn)
            answered = await self._unless_stopped(thread, turn, answer, subscription, mail)
        if isinstance(answered, Stopped):
            await self._turn_flow.stopped(thread, turn)
            await self._ports.answerer.answer(thread, turn, outcomes)

    async def _reconsider(self, thread: ThreadId, state: State) -> bool:
        """Return whether a parked turn is to be entered again at once."""
        turn = state["turn"]
        try:
            with self._ports.notifications.subscribe(thread) as subscription:
                news = await self._news(thread, state)
                if news.mail.stop and await self._is_stopped(thread, turn):
                    return False
                work = partial(self._turn_flow.while_parked, thread, turn, state["rounds"], news)
                again = await self._unless_stopped(thread, turn, work, subscription, news.mail)
        except GraphInterrupt:
            return False  # a person is asked first whether it may spend more
        return isinstance(again, Stopped) or again

    async def _unless_stopped(
        self,
        thread: ThreadId,
        turn: int,
        work: Callable[[], Coroutine[Any, Any, Done]],
        subscription: Subscription,
        mail: Mail,
    ) -> Done | Stopped:
        """Return the result of the work, which is cancelled when somebody stops the turn first.

        `mail` is what there was when the thread's notifications were subscribed to already.

        Raises:
            GraphInterrupt: a person is asked; holds the request.
        """
        if mail.stop and await self._is_stopped(thread, turn):
            return Stopped()
        with metered(self._ports.budget_trackers and self._ports.budget_trackers.meter(thread, turn)):
            working = asyncio.create_task(work())
        stopping = asyncio.create_task(self._wait_for_stop(thread, turn, subscription))
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return stopping.result()
            asked = isinstance(working.exception(), GraphInterrupt)
            return Stopped() if asked and await self._is_stopped(thread, turn) else working.result()
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    async def _wait_for_stop(self, thread: ThreadId, turn: int, subscription: Subscription) -> Stopped:
        while True:
            await subscription.wait(self._limits.poll_seconds)
            if await self._is_stopped(thread, turn):
                return Stopped()

    async def _is_stopped(self, thread: ThreadId, turn: int) -> bool:
        return await self._ports.mailbox.stopped(thread, turn) is not None


class _Head(NamedTuple):
    open: bool
    state: State
    #: Whether the store holds checkpoints before it.
    has_older: bool


async def _head(graph: Graph, checkpoints: Checkpoints, config: RunnableConfig) -> _Head:
    """Return whether the thread's newest step is open, and its state before that step.

    `next` alone is not enough: killed between a step's writes and its checkpoint, a thread has
    writes and no next, and new input would throw them away.
    """
    raw = await checkpoints.saver.aget_tuple(config)
    if raw is None:
        return _Head(open=False, state=_state({}), has_older=False)
    is_open = bool(raw.pending_writes) or bool((await graph.aget_state(config)).next)
    state = _state(raw.checkpoint["channel_values"])
    return _Head(open=is_open, state=state, has_older=raw.parent_config is not None)
