"""Runs a subagent: langchain's agent loop around the model of a role, each step of it journaled.

A subagent begins with its role's system message and one request, and has nothing else of the run. Every answer of its
model and everything it was told of a call is a row before the next step begins, so another process goes on where this
one died. A red call, and work that a lead hands out, is not answered while it runs: once the other calls of the same
answer ended, the run is suspended, and each becomes a node. When these ended, the subagent runs again from its journal.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType]  # generic in what is not used
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command
from typing_extensions import override

from agent.budget.metering import stopping_while_held_back
from agent.errors import ContextExceeded, ModelUnavailable, StoreUnavailable
from agent.events import NodeChanged
from agent.plan.json_schema import schema_issues
from agent.plan.json_values import truncated
from agent.plan.operations import Node, canonical_json
from agent.plan.outcomes import Failed, NodeState, Succeeded
from agent.plan.script_calls import DecidedCalls, Suspended
from agent.ports import AgentModel, Artifacts, Bound, ChatMessage, Progress, SubagentSteps
from agent.roles import SubagentRole
from agent.scripts.replay import AsAuthor, as_app
from agent.subagents.calls import SubagentCalls, Told
from agent.subagents.chat_model import (
    RoleChatModel,
    ai_message,
    answer_json,
    answer_of,
    place_of,
    said,
    tool_definition,
)
from agent.subagents.dialogue import (
    LAST_STEP,
    TOO_LONG,
    correction,
    given_up,
    json_in,
    request_message,
    role_message,
    shows_all,
)
from agent.subagents.files import FILE, SubagentFiles, file_json, made_by
from agent.subagents.journal import Journal
from agent.subagents.trace import trace_of
from agent.tool import CallContext, Registry
from agent.tools.call import kept_output
from agent.tools.call_bounds import CallBounds
from sandbox.script import Json

MOST_DIALOGUE_CHARACTERS = 800_000
"""Of one subagent: its next answer is its last once it has come to so much."""

_ISSUE_CHARACTERS = 400

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SubagentDependencies:
    """The dependencies of every subagent of an installation."""

    registry: Registry
    model: AgentModel
    steps: SubagentSteps
    artifacts: Artifacts
    progress: Progress
    bounds: CallBounds
    #: Calls of one subagent that become nodes.
    node_calls: int
    clock: Callable[[], datetime]
    pause: Callable[[float], Awaitable[None]]
    as_author: AsAuthor = as_app


class WorkTime:
    """Bounds the work of a subagent over all its runs.

    A run counts from its first step that the journal does not have, and not while `stopping_while_held_back` stops the
    limit: reading what is done, and waiting for people, takes nothing of it.
    """

    def __init__(self, most_seconds: float) -> None:
        self.limit = asyncio.timeout(None)
        #: Of the runs before, and of this one as of the last `spent`.
        self.seconds = 0.0
        self._most_seconds = most_seconds
        self._begun = False

    def begin(self) -> None:
        """Count from now on, unless this run does already."""
        if not self._begun:
            self._begun = True
            self.limit.reschedule(asyncio.get_running_loop().time() + self._most_seconds - self.seconds)

    def spent(self) -> float:
        """Return the seconds of work so far."""
        if (until := self.limit.when()) is not None:
            self.seconds = self._most_seconds - (until - asyncio.get_running_loop().time())
        return self.seconds


class _Suspends(Exception):
    """Ends a run whose next answer needs what became of its calls; never leaves this file."""


class SubagentRunner:
    """Runs one subagent, from its beginning or from its journal."""

    def __init__(
        self,
        dependencies: SubagentDependencies,
        node: Node,
        role: SubagentRole,
        bound: Bound,
        context: CallContext,
        decided: DecidedCalls,
    ) -> None:
        self._dependencies = dependencies
        self._node = node
        self._role = role
        self._bound = bound
        self._context = context
        self._journal = Journal(dependencies.steps, context, dependencies.pause)
        self._files = SubagentFiles(
            dependencies.artifacts, context, dependencies.pause, given=bound.file_names, made=made_by(decided)
        )
        self._calls = SubagentCalls(
            dependencies.registry,
            node,
            role,
            context,
            dependencies.bounds,
            dependencies.pause,
            files=self._files,
            decided=decided,
            reads_on=any(bound.file_names) and not shows_all(bound.args),
            most_nodes=dependencies.node_calls,
            as_author=dependencies.as_author,
        )
        self._step = 0
        self._work = WorkTime(role.seconds)

    async def run(self) -> Succeeded | Failed | Suspended:
        """Return the result inline, how it failed, or which calls are to become nodes.

        Raises only CancelledError, and InputRequired when the author must connect an account first; it then goes on
        from its journal.
        """
        began = self._dependencies.clock()
        ended = await self._ended()
        if isinstance(ended, Succeeded):
            ended = replace(ended, files=tuple(self._files.written))
        trace = trace_of(
            self._journal, ended, node=self._node.id, of=self._context.idempotency_key, at=self._dependencies.clock()
        )
        took = (trace.at - began).total_seconds() * 1000
        self._dependencies.progress.note(self._context.thread, replace(trace, milliseconds=took))
        return ended

    async def _ended(self) -> Succeeded | Failed | Suspended:
        limit = self._work.limit
        try:
            await self._journal.restore()
            self._files.restore(self._journal)
            self._work.seconds = self._journal.seconds
            async with limit:
                with stopping_while_held_back(limit):
                    return await self._result()
        except _Suspends:
            return Suspended(calls=tuple(self._calls.waiting))
        except TimeoutError:
            if not limit.expired():
                raise
            return Failed(error="timeout", message=f"it was not done within {self._role.seconds:g} seconds of work")
        except ContextExceeded:
            return Failed(error="too_long", message="it was given, or has read, more than its model can read")
        except ModelUnavailable as error:
            return Failed(error="model_unavailable", message=str(error))
        except StoreUnavailable:
            return Failed(error="store_unavailable", message="its steps could not be stored, so it did not go on")

    async def _result(self) -> Succeeded | Failed:
        schema = self._node.result_schema
        team = tuple(self._calls.team.values())
        request = request_message(self._role, self._bound.args, schema, team, self._bound.file_names)
        messages: list[AnyMessage] = [HumanMessage(request.text)]
        messages = await self._dialogue(messages)
        outcome = await self._checked(messages[-1].text)
        if isinstance(outcome, str) and self._step >= self._role.steps:
            return Failed(error="bad_result", message=f"its last result does not fit: {outcome}")
        if isinstance(outcome, str):
            messages = await self._dialogue([*messages, HumanMessage(correction(outcome).text)])
            outcome = await self._checked(messages[-1].text)
        if isinstance(outcome, str):
            return Failed(error="bad_result", message=f"its result does not fit, twice: {outcome}")
        return outcome

    async def _checked(self, answer: str) -> Succeeded | Failed | str:
        """Return the outcome that an answer is, or how it breaks the schema."""
        if (failed := given_up(answer)) is not None:
            return failed
        if not answer.strip():
            return Failed(error="steps_used_up", message=f"it came to no result in {self._role.steps} steps")
        if self._node.result_schema is None:
            return await kept_output(answer.strip())
        try:
            value = await asyncio.to_thread(json_in, answer, self._node.result_schema)
        except (ValueError, RecursionError):
            return "it is not JSON"
        kept = await kept_output(value)
        if isinstance(kept, Failed):
            return truncated(kept.message, _ISSUE_CHARACTERS)
        if issues := await schema_issues(kept.value, self._node.result_schema):
            return truncated(f"{issues[0].pointer or '/'}: {issues[0].message}", _ISSUE_CHARACTERS)
        return kept

    async def _dialogue(self, messages: list[AnyMessage]) -> list[AnyMessage]:
        """Return the dialogue up to an answer without tool calls."""
        agent = create_agent(
            RoleChatModel(self._dependencies.model, self._role),
            tools=[tool_definition(tool) for tool in self._calls.offered],
            system_prompt=role_message(self._role).text,
            middleware=[_Journaled(self)],
            checkpointer=False,  # else it would write into the checkpoints of the run around it
        )
        # The loop is a graph of its own: nothing of the run around it, of which this task is a part, reaches into it.
        outer = var_child_runnable_config.set(None)
        try:
            loop: Any = agent
            ended: Mapping[str, list[AnyMessage]] = await loop.ainvoke({"messages": messages})
        finally:
            var_child_runnable_config.reset(outer)
        return list(ended["messages"])

    async def model_step(
        self, request: ModelRequest, ask: Callable[[ModelRequest], Awaitable[ModelResponse]]
    ) -> AIMessage:
        """Return the model's next answer: the journaled one, or a new one that is committed by then."""
        if self._calls.needed is not None:
            raise self._calls.needed
        if self._calls.waiting:
            raise _Suspends
        self._step += 1
        step, known = self._step, self._journal.find(self._step)
        if known is not None:
            return ai_message(answer_of(known, step))
        self._work.begin()
        self._tell(f"step {min(step, self._role.steps)} of {self._role.steps}")
        if final := self._final_words(request, step):
            request = request.override(tools=[], messages=[*request.messages, HumanMessage(final)])
        response = await ask(request)
        answer = said(response.result[0])
        content = answer_json(ChatMessage(by="ai", text=answer.text, calls=() if final else answer.calls))
        await self._journal.keep(content, step, seconds=self._work.spent())
        return ai_message(answer_of(content, step))

    def _final_words(self, request: ModelRequest, step: int) -> str:
        """Return what the model is told for whom this answer is the last; empty while it may go on."""
        if step >= self._role.steps:
            return LAST_STEP
        return TOO_LONG if sum(map(_characters, request.messages)) > MOST_DIALOGUE_CHARACTERS else ""

    async def tool_step(self, id: str) -> Told | None:
        """Return what the model is told of a call, which is committed by then; None: the run will be suspended."""
        step, number = place_of(id)
        if (known := self._journal.find(step, number)) is not None:
            return Told(text=str(known["text"]), failed=bool(known["failed"]))
        self._work.begin()
        asked = answer_of(self._journal.find(step) or {}, step).calls
        told = await self._calls.answer(asked, step, number)
        if told is not None:
            file: dict[str, Json] = {} if told.file is None else {FILE: file_json(told.file)}
            content = {"text": told.text, "failed": told.failed, **file}
            await self._journal.keep(content, step, number, seconds=self._work.spent())
        return told

    def _tell(self, detail: str) -> None:
        """Put one short line on the board, beside the running node."""
        change = NodeChanged(node=self._node.id, state=NodeState.RUNNING, at=self._dependencies.clock(), detail=detail)
        self._dependencies.progress.note(self._context.thread, change)


def _characters(message: AnyMessage) -> int:
    """Return how much of a dialogue a message is, what its calls hold included."""
    calls = message.tool_calls if isinstance(message, AIMessage) else ()
    return len(message.text) + sum(len(canonical_json(cast("Json", call["args"]))) for call in calls)


class _Journaled(AgentMiddleware):
    """Leads each step of the agent loop through its subagent's journal."""

    def __init__(self, runner: SubagentRunner) -> None:
        super().__init__()
        self._runner = runner

    @override
    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse]]
    ) -> AIMessage:
        return await self._runner.model_step(request, handler)

    @override
    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage:
        asked = str(request.tool_call["id"])
        told = await self._runner.tool_step(asked)
        text, failed = ("", False) if told is None else (told.text, told.failed)
        return ToolMessage(content=text, tool_call_id=asked, status="error" if failed else "success")
