"""Writes a turn's answer: by the model from the results, or plainly from them when there is no model."""

from collections.abc import Mapping, Sequence

from agent.binding import rendered
from agent.conversation import ShownNode, past_dialogue, shown_nodes, standings_of
from agent.dialogue import LanguageModel, Role
from agent.errors import ContextExceeded, ModelUnavailable, Trouble
from agent.ids import NodeId, ThreadId
from agent.lifecycle import (
    ArtifactRef,
    Cancelled,
    Expired,
    Failed,
    Outcome,
    Rejected,
    Skipped,
    Succeeded,
)
from agent.plan import LoggedOperation
from agent.ports import OperationLog, Run, Runs, RunStatus
from agent.prompt import FEW_RESULTS_BYTES, results_message, system_message
from agent.values import mended_text, trimmed

_FINAL = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED})
_VALUE_CHARACTERS = 300


class Answerer:
    """The `Answerer` of `ports.py`. Without a model, and in trouble, the answer is a plain list of results."""

    def __init__(self, *, model: LanguageModel | None, log: OperationLog, runs: Runs) -> None:
        self._model = model
        self._log = log
        self._runs = runs

    async def answer(self, thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome]) -> None:
        """Store the answer, or the turn's trouble. Does nothing for a turn that has ended."""
        run = await self._runs.read(thread, turn)
        if run.status in _FINAL:
            return
        nodes = shown_nodes(_of_turn(await self._log.after(thread, 0), turn), standings_of(outcomes))
        if run.stopped_by is not None:
            await self._runs.finish(thread, turn, RunStatus.STOPPED, stopped_answer(nodes))
            return
        if not nodes:
            status = RunStatus.FAILED if run.trouble else RunStatus.DONE
            await self._runs.finish(thread, turn, status, "", run.trouble)
            return
        text, trouble = await self._text(run, nodes)
        await self._runs.finish(thread, turn, RunStatus.DONE, text, trouble)

    async def _text(self, run: Run, nodes: Sequence[ShownNode]) -> tuple[str, str]:
        """Return the answer and the turn's trouble."""
        if self._model is None or run.trouble:
            return plain_answer(nodes), run.trouble
        past = past_dialogue(await self._runs.past(run.thread, run.turn))
        whole = [system_message(Role.ANSWER), *past, results_message(run.messages, nodes)]
        brief = [whole[0], results_message(run.messages, nodes, results_bytes=FEW_RESULTS_BYTES)]
        try:
            try:
                text = await self._model.complete(Role.ANSWER, whole)
            except ContextExceeded:
                text = await self._model.complete(Role.ANSWER, brief)
            return mended_text(text).strip(), ""
        except ContextExceeded:
            return plain_answer(nodes), Trouble.RESULTS_TOO_LONG.value
        except ModelUnavailable:
            return plain_answer(nodes), Trouble.MODEL_UNHEARD.value


def _of_turn(logged: Sequence[LoggedOperation], turn: int) -> Sequence[LoggedOperation]:
    return [each for each in logged if each.turn == turn]


def plain_answer(nodes: Sequence[ShownNode]) -> str:
    """Return one line of Markdown for each node: its title and how it ended."""
    titles = {each.node.id: each.node.title for each in nodes}
    return "\n".join(f"- **{each.node.title}**: {_ending(each, titles)}" for each in nodes)


def stopped_answer(nodes: Sequence[ShownNode]) -> str:
    """Return what a stopped turn has done and what it has not, in Markdown."""
    done = [each for each in nodes if isinstance(each.outcome, Succeeded)]
    rest = [each for each in nodes if not isinstance(each.outcome, Succeeded)]
    parts = ["Stopped." if nodes else "Stopped before anything was planned."]
    if done:
        parts.append(f"What was done:\n{plain_answer(done)}")
    if rest:
        parts.append(f"What was not done:\n{plain_answer(rest)}")
    return "\n\n".join(parts)


def _ending(shown: ShownNode, titles: Mapping[NodeId, str]) -> str:
    match shown.outcome:
        case Succeeded(artifact=ArtifactRef() as ref):
            return f"done; {ref.size} bytes, beginning with {_code(ref.head)}"
        case Succeeded(value=value):
            return "done" if value is None else f"done; {_code(rendered(value))}"
        case Failed(error=error):
            return f"failed ({error})"
        case Rejected():
            return "rejected"
        case Expired():
            return "not done; nobody decided in time"
        case Skipped(because=because):
            return f"skipped, because of “{titles.get(because, because)}”"
        case Cancelled():
            return "cancelled"
        case None:
            return shown.state.value


def _code(text: str) -> str:
    return "`" + trimmed(" ".join(text.split()), _VALUE_CHARACTERS).replace("`", "'").replace("\n", " ") + "`"
