"""Ends turns with their answer: the conclusion's, the model's from the results, or a plain list of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from agent.budget.usage import Spending
from agent.errors import ContextExceeded, ModelSlow, ModelUnavailable, TurnError
from agent.ids import NodeId, ThreadId, ToolName, thread_parts
from agent.limits import Role
from agent.llm.guidance import Guidance
from agent.llm.memory import Memory
from agent.llm.prompts import FEW_RESULTS_BYTES, RESULTS_BYTES, results_message
from agent.llm.transcript import ShownNode, by_author, owners_of, shown_nodes, statuses_of
from agent.plan.json_values import sanitized_text
from agent.plan.operations import Add, LoggedOperation
from agent.plan.outcomes import Cancelled, Outcome, Rejected, Skipped, Succeeded
from agent.planning.system_messages import SystemMessages
from agent.planning.undoing import Undoing, is_only_undoing
from agent.ports import FINAL, ChatMessage, LanguageModel, OperationLog, Run, Runs, RunStatus, WrittenAnswer

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
    guidance: Guidance = field(default_factory=Guidance)
    spending: Spending | None = None
    #: Whether a tool's output is only for the person whose rights its call took.
    is_personal: Callable[[ToolName], bool] = lambda _: False
    #: None: all people may use the same tools.
    systems: SystemMessages | None = None
    #: Says what became of effects that a turn was to undo. None: there is no undoing here.
    undoing: Undoing | None = None

    async def answer(
        self, thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome], written: WrittenAnswer | None = None
    ) -> None:
        """Store the answer, or the turn's error. Does nothing for a turn that has ended."""
        run = await self.runs.read(thread, turn)
        if run.status in FINAL:
            return
        logged = [entry for entry in await self.log.after(thread, 0) if entry.turn == turn]
        nodes = shown_nodes(logged, statuses_of(outcomes))
        report = "" if self.undoing is None else await self.undoing.report(thread, turn, run.messages, outcomes)
        if run.stopped_by is not None:
            stopped = self.words.stopped(nodes, undecided=not run.stopped_by)
            await self._finish(run, RunStatus.STOPPED, "\n\n".join(part for part in (stopped, report) if part))
        elif nodes and is_only_undoing([shown.node for shown in nodes]):
            await self._finish(run, final_status(nodes), report, run.error)
        elif nodes:
            written = written or await self._written(run, nodes, logged)
            parts = (written.text or self.words.results(nodes), report)
            await self._finish(run, final_status(nodes), "\n\n".join(part for part in parts if part), written.error)
        else:
            status = RunStatus.FAILED if run.error else RunStatus.DONE
            has_words = run.error or any(run.replies)
            await self._finish(run, status, "" if has_words else self.words.nothing_left(), run.error)

    async def _finish(self, run: Run, status: RunStatus, answer: str, error: str = "") -> None:
        if self.spending is not None:
            await self.spending.flush()  # before: the board of a turn that has ended is shown only once more
        await self.runs.finish(run.thread, run.turn, status, answer, error)

    async def _written(self, run: Run, nodes: Sequence[ShownNode], logged: Sequence[LoggedOperation]) -> WrittenAnswer:
        """Return the model's answer to all requests of the turn.

        Where several people asked and not all may read every result, each is answered from their own steps alone.
        """
        if self.model is None or run.error not in _ANSWERABLE:
            return WrittenAnswer(error=run.error)
        try:
            texts = [await self._text(self.model, part, some) for part, some in self._parts(run, nodes, logged)]
        except ContextExceeded:
            return WrittenAnswer(error=TurnError.RESULTS_TOO_LONG.value)
        except ModelSlow:
            return WrittenAnswer(error=TurnError.ANSWER_SLOW.value)
        except ModelUnavailable:
            return WrittenAnswer(error=TurnError.MODEL_UNHEARD.value)
        return WrittenAnswer(text="\n\n".join(filter(None, texts)), error=run.error)

    def _parts(
        self, run: Run, nodes: Sequence[ShownNode], logged: Sequence[LoggedOperation]
    ) -> Sequence[tuple[Run, Sequence[ShownNode]]]:
        """Return the turn, or the part of each of its people who has steps, with the steps to answer from."""
        people = by_author(run.messages)
        if len(people) < 2 or not any(owners_of(logged, person, self.is_personal) for person in people):
            return [(run, nodes)]
        authors = {entry.operation.node.id: entry.author for entry in logged if isinstance(entry.operation, Add)}
        parts = [
            (replace(run, messages=tuple(messages)), [shown for shown in nodes if authors[shown.node.id] == person])
            for person, messages in people.items()
        ]
        return [(part, own) for part, own in parts if own]

    async def _text(self, model: LanguageModel, run: Run, nodes: Sequence[ShownNode]) -> str:
        try:
            text = await model.complete(Role.ANSWER, await self._dialogue(run, nodes))
        except ContextExceeded:
            text = await model.complete(Role.ANSWER, await self._dialogue(run, nodes, brief=True))
        return sanitized_text(text).strip()

    async def _dialogue(self, run: Run, nodes: Sequence[ShownNode], *, brief: bool = False) -> Sequence[ChatMessage]:
        """Return the messages to the model; `brief` leaves out the past and most of the results."""
        facts = await self.memory.facts_again(run)
        guides = await self.guidance.again(run, run.messages)
        named = [*guides.people, *(fact.by for fact in facts)]
        question = results_message(
            Role.ANSWER,
            run.messages,
            nodes,
            results_bytes=FEW_RESULTS_BYTES if brief else RESULTS_BYTES,
            names=await self.memory.names(run.thread, run.messages, nodes, named),
            place=thread_parts(run.thread).channel,
            facts=facts,
            guides=guides,
        )
        people = dict.fromkeys(message.author for message in run.messages)
        system = self.memory.system if self.systems is None else await self.systems.of(run.thread, *people)
        past: Sequence[ChatMessage] = () if brief else await self.memory.past(run.thread, run.turn, system)
        return [system, *past, question]


def final_status(nodes: Sequence[ShownNode]) -> RunStatus:
    """Return how a turn with nodes ended: done when a node succeeded, stopped when people wanted none of them."""
    outcomes = [node.outcome for node in nodes]
    if any(isinstance(outcome, Succeeded) for outcome in outcomes):
        return RunStatus.DONE
    unwanted = all(isinstance(outcome, Rejected | Cancelled | Skipped) for outcome in outcomes)
    return RunStatus.STOPPED if unwanted else RunStatus.FAILED
