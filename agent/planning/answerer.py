"""Writes a turn's answer: by the model from the results, or plainly from them when there is no model."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.budget.usage import Spending
from agent.errors import ContextExceeded, ModelUnavailable, TurnError
from agent.ids import NodeId, ThreadId
from agent.limits import Role
from agent.llm.memory import Memory
from agent.llm.prompts import FEW_RESULTS_BYTES, results_message, system_message
from agent.llm.transcript import ShownNode, shown_nodes, standings_of
from agent.plan.json_values import sanitized_text
from agent.plan.operations import LoggedOperation
from agent.plan.outcomes import Cancelled, Outcome, Rejected, Skipped, Succeeded
from agent.ports import LanguageModel, OperationLog, Run, Runs, RunStatus

_FINAL = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED})

_ANSWERED = frozenset({"", TurnError.PLAN_TOO_LARGE.value})
"""The troubles with which the model is asked all the same."""


class PlainWords(Protocol):
    """Tells people in Markdown, without a model, what came of a turn's steps."""

    def results(self, nodes: Sequence[ShownNode]) -> str:
        """Return how each step ended."""
        ...

    def nothing_left(self) -> str:
        """Return what to say of a turn that only took back what had ended."""
        ...

    def stopped(self, nodes: Sequence[ShownNode], *, undecided: bool) -> str:
        """Return what a stopped turn has done and what it has not; `nodes` may be empty.

        `undecided`: nobody said in time whether to go on.
        """
        ...


class Answerer:
    """The `Answerer` of `ports.py`. Without a model, and in trouble, the answer is in plain words."""

    def __init__(
        self,
        *,
        model: LanguageModel | None,
        log: OperationLog,
        runs: Runs,
        words: PlainWords,
        memory: Memory | None = None,
        spending: Spending | None = None,
    ) -> None:
        self._model = model
        self._memory = memory or Memory(runs=runs)
        self._log = log
        self._runs = runs
        self._words = words
        self._spending = spending

    async def answer(self, thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome]) -> None:
        """Store the answer, or the turn's trouble. Does nothing for a turn that has ended."""
        run = await self._runs.read(thread, turn)
        if run.status in _FINAL:
            return
        nodes = shown_nodes(_of_turn(await self._log.after(thread, 0), turn), standings_of(outcomes))
        if run.stopped_by is not None:
            await self._finish(run, RunStatus.STOPPED, self._words.stopped(nodes, undecided=not run.stopped_by))
            return
        if not nodes:
            status = RunStatus.FAILED if run.trouble else RunStatus.DONE
            told = run.trouble or any(run.replies)
            await self._finish(run, status, "" if told else self._words.nothing_left(), run.trouble)
            return
        text, trouble = await self._text(run, nodes)
        await self._finish(run, ending(nodes), text, trouble)

    async def _finish(self, run: Run, status: RunStatus, answer: str, trouble: str = "") -> None:
        if self._spending is not None:
            await self._spending.flush()  # before: a turn that has ended is shown once more, and never again
        await self._runs.finish(run.thread, run.turn, status, answer, trouble)

    async def _text(self, run: Run, nodes: Sequence[ShownNode]) -> tuple[str, str]:
        """Return the answer and the turn's trouble."""
        if self._model is None or run.trouble not in _ANSWERED:
            return self._words.results(nodes), run.trouble
        past = await self._memory.past(run.thread, run.turn)
        names = await self._memory.names(run.thread, run.messages)
        whole = [system_message(Role.ANSWER), *past, results_message(run.messages, nodes, names=names)]
        brief = [whole[0], results_message(run.messages, nodes, results_bytes=FEW_RESULTS_BYTES, names=names)]
        try:
            try:
                text = await self._model.complete(Role.ANSWER, whole)
            except ContextExceeded:
                text = await self._model.complete(Role.ANSWER, brief)
            return sanitized_text(text).strip(), run.trouble
        except ContextExceeded:
            return self._words.results(nodes), TurnError.RESULTS_TOO_LONG.value
        except ModelUnavailable:
            return self._words.results(nodes), TurnError.MODEL_UNHEARD.value


def _of_turn(logged: Sequence[LoggedOperation], turn: int) -> Sequence[LoggedOperation]:
    return [each for each in logged if each.turn == turn]


def ending(nodes: Sequence[ShownNode]) -> RunStatus:
    """Return how a turn with nodes ended: done only when one of them was, stopped when people wanted none of them."""
    outcomes = [each.outcome for each in nodes]
    if any(isinstance(each, Succeeded) for each in outcomes):
        return RunStatus.DONE
    unwanted = all(isinstance(each, Rejected | Cancelled | Skipped) for each in outcomes)
    return RunStatus.STOPPED if unwanted else RunStatus.FAILED
