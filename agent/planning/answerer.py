"""Writes a turn's answer: by the model from the results, or as a plain list of them without a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.budget.usage import Spending
from agent.errors import ContextExceeded, ModelUnavailable, TurnError
from agent.ids import NodeId, ThreadId
from agent.limits import Role
from agent.llm.memory import Memory
from agent.llm.prompts import FEW_RESULTS_BYTES, results_message, system_message
from agent.llm.transcript import ShownNode, shown_nodes, statuses_of
from agent.plan.json_values import sanitized_text
from agent.plan.outcomes import Cancelled, Outcome, Rejected, Skipped, Succeeded
from agent.ports import LanguageModel, OperationLog, Run, Runs, RunStatus

_FINAL = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED})

_ANSWERABLE = frozenset({"", TurnError.PLAN_TOO_LARGE.value})
"""The turn errors with which the model is asked all the same."""


class PlainWords(Protocol):
    """Writes answers in Markdown without a model."""

    def results(self, nodes: Sequence[ShownNode]) -> str:
        """Return how each node ended."""
        ...

    def nothing_left(self) -> str:
        """Return the answer of a turn that only cancelled nodes that had ended."""
        ...

    def stopped(self, nodes: Sequence[ShownNode], *, undecided: bool) -> str:
        """Return what a stopped turn has done and what it has not; `nodes` may be empty.

        `undecided`: nobody said in time whether to go on.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """The `Answerer` of `ports.py`. Without a model, and after an error, the answer is in plain words."""

    model: LanguageModel | None
    log: OperationLog
    runs: Runs
    words: PlainWords
    memory: Memory
    spending: Spending | None = None

    async def answer(self, thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome]) -> None:
        """Store the answer, or the turn's error. Does nothing for a turn that has ended."""
        run = await self.runs.read(thread, turn)
        if run.status in _FINAL:
            return
        logged = [entry for entry in await self.log.after(thread, 0) if entry.turn == turn]
        nodes = shown_nodes(logged, statuses_of(outcomes))
        if run.stopped_by is not None:
            await self._finish(run, RunStatus.STOPPED, self.words.stopped(nodes, undecided=not run.stopped_by))
        elif nodes:
            text, error = await self._text(run, nodes)
            await self._finish(run, final_status(nodes), text, error)
        else:
            status = RunStatus.FAILED if run.error else RunStatus.DONE
            has_words = run.error or any(run.replies)
            await self._finish(run, status, "" if has_words else self.words.nothing_left(), run.error)

    async def _finish(self, run: Run, status: RunStatus, answer: str, error: str = "") -> None:
        if self.spending is not None:
            await self.spending.flush()  # before: the board of a turn that has ended is shown only once more
        await self.runs.finish(run.thread, run.turn, status, answer, error)

    async def _text(self, run: Run, nodes: Sequence[ShownNode]) -> tuple[str, str]:
        """Return the answer and the turn's error."""
        if self.model is None or run.error not in _ANSWERABLE:
            return self.words.results(nodes), run.error
        past = await self.memory.past(run.thread, run.turn)
        names = await self.memory.names(run.thread, run.messages)
        system = system_message(Role.ANSWER)
        brief = results_message(run.messages, nodes, results_bytes=FEW_RESULTS_BYTES, names=names)
        try:
            try:
                whole = results_message(run.messages, nodes, names=names)
                text = await self.model.complete(Role.ANSWER, [system, *past, whole])
            except ContextExceeded:
                text = await self.model.complete(Role.ANSWER, [system, brief])
        except ContextExceeded:
            return self.words.results(nodes), TurnError.RESULTS_TOO_LONG.value
        except ModelUnavailable:
            return self.words.results(nodes), TurnError.MODEL_UNHEARD.value
        return sanitized_text(text).strip(), run.error


def final_status(nodes: Sequence[ShownNode]) -> RunStatus:
    """Return how a turn with nodes ended: done when a node succeeded, stopped when people wanted none of them."""
    outcomes = [node.outcome for node in nodes]
    if any(isinstance(outcome, Succeeded) for outcome in outcomes):
        return RunStatus.DONE
    unwanted = all(isinstance(outcome, Rejected | Cancelled | Skipped) for outcome in outcomes)
    return RunStatus.STOPPED if unwanted else RunStatus.FAILED
