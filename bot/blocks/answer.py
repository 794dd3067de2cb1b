"""Answers and replies as Markdown messages, and the plain results of a turn where no model writes one."""

import re
from collections.abc import Iterator, Mapping, Sequence

from agent.ids import NodeId
from agent.llm.transcript import ShownNode
from agent.plan.effects import Effect
from agent.plan.json_values import truncated
from agent.plan.outcomes import (
    TOLD_IN_WORDS,
    ArtifactRef,
    Expired,
    Failed,
    NodeState,
    Rejected,
    Skipped,
    Succeeded,
    state_of,
)
from agent.plan.templates import shown_title
from agent.planning.undoing import UndoLine
from agent.tools.binding import rendered as shown_value
from bot import wording
from bot.elements import MARKDOWN_CHARACTERS, Block, Rendered, actions, button, markdown, notice, rendered
from bot.payloads import FEEDBACK_ACTION

_VALUE_CHARACTERS = 300

_FENCE = re.compile(r"^\s{0,3}(`{3,}+|~{3,}+)(.*)$")


def answer(text: str, below: Sequence[Block] = ()) -> tuple[Rendered, ...]:
    """Return an answer as one message or several, `below` under the last; nothing in it can alert anyone."""
    safe = defused(text).strip() or wording.NOTHING_TO_SAY
    *parts, last = markdown_parts(safe)
    return (
        *(rendered(notice(part), [markdown(part)]) for part in parts),
        rendered(notice(last), [markdown(last), *below]),
    )


def thumbs(turn: int) -> Block:
    """Return the row of buttons by which people say what they think of a turn's answer."""
    up = button(wording.THUMBS_UP, action=f"{FEEDBACK_ACTION}_up", value=str(turn))
    down = button(wording.THUMBS_DOWN, action=f"{FEEDBACK_ACTION}_down", value=str(turn))
    return actions([up, down], block_id=f"feedback-{turn}")


def defused(text: str) -> str:
    """Return Markdown in which `<!channel>`, `<@U1>` and `<!subteam^S1>` are only words; `<#C1>` alerts nobody."""
    return re.sub(r"<(?=[!@])", "<\N{ZERO WIDTH SPACE}", text)


def markdown_parts(text: str, characters: int = MARKDOWN_CHARACTERS) -> Iterator[str]:
    """Cut Markdown at line ends into parts a block holds; a code fence cut in two is closed and reopened."""
    part: list[str] = []
    size, fence = 0, ""
    for line in _lines(text, characters // 2):
        if part and size + len(line) + len(fence) + 8 > characters:
            yield "\n".join([*part, _closing(fence)] if fence else part)
            part, size = ([fence], len(fence) + 1) if fence else ([], 0)
        part.append(line)
        size += len(line) + 1
        if line:  # an answer may be thousands of empty lines
            fence = _fence_after(fence, line)
    yield "\n".join(part)


def _lines(text: str, characters: int) -> Iterator[str]:
    for line in text.split("\n"):
        for start in range(0, max(len(line), 1), characters):
            yield line[start : start + characters]


def _fence_after(fence: str, line: str) -> str:
    found = _FENCE.match(line)
    if not found:
        return fence
    if not fence:
        return line.strip()
    closes = found[1].startswith(_closing(fence)) and not found[2].strip()
    return "" if closes else fence


def _closing(fence: str) -> str:
    found = _FENCE.match(fence)
    return found[1] if found else ""


class PlainResults:
    """The `PlainWords` of `agent/planning/answerer.py`."""

    def results(self, nodes: Sequence[ShownNode]) -> str:
        """Return one line for each step: its title and how it ended."""
        titles = {shown.node.id: shown_title(shown.node) for shown in nodes}
        return "\n".join(f"- **{titles[shown.node.id]}**: {_ending(shown, titles)}" for shown in nodes)

    def nothing_left(self) -> str:
        """Return the answer to a turn that planned no step and has nothing else to tell."""
        return wording.NOTHING_LEFT

    def stopped(self, nodes: Sequence[ShownNode], *, undecided: bool) -> str:
        """Return what a stopped turn has done and what not; `undecided`: it stopped because nobody decided in time."""
        done = [shown for shown in nodes if isinstance(shown.outcome, Succeeded)]
        rest = [shown for shown in nodes if not isinstance(shown.outcome, Succeeded)]
        stopped = wording.STOPPED if nodes else wording.STOPPED_EARLY
        parts = [wording.STOPPED_UNDECIDED if undecided else stopped]
        if done:
            parts.append(f"{wording.WHAT_WAS_DONE}\n{self.results(done)}")
        if rest:
            parts.append(f"{wording.WHAT_WAS_NOT_DONE}\n{self.results(rest)}")
        return "\n\n".join(parts)


class UndoneInWords:
    """The `UndoWords` of `agent/planning/undoing.py`."""

    def undone(self, lines: Sequence[UndoLine], titles: Mapping[NodeId, str]) -> str:
        """Return which effects were undone, and why each of the others was not."""
        done = [line for line in lines if isinstance(line.outcome, Succeeded)]
        rest = [line for line in lines if not isinstance(line.outcome, Succeeded)]
        parts: list[str] = []
        if done:
            parts.append("\n".join([wording.UNDONE_TITLE, *map(_undone_line, done)]))
        if rest:
            heading = wording.UNDONE_NOT if done else wording.UNDONE_NOTHING
            listed = (_line(line.effect, _why_left(line, titles)) for line in rest)
            parts.append("\n".join([heading, *listed]))
        if done:
            parts.append(wording.UNDO_THE_UNDO)
        return "\n\n".join(parts)

    def nothing_to_undo(self) -> str:
        """Return the reply when every effect was undone already."""
        return wording.UNDONE_BEFORE


class DraftsInWords:
    """The `DraftWords` of `agent/planning/runbook_drafts.py`."""

    def nothing_to_save(self) -> str:
        """Return the reply when nothing worked in a turn, or nothing can be saved by who asks."""
        return wording.NOTHING_TO_SAVE

    def saved_already(self, name: str) -> str:
        """Return the reply when a runbook says all of it."""
        return wording.saved_already(name)

    def draft(self, text: str) -> str:
        """Return the reply that shows the draft, where it cannot be written to a folder."""
        return f"{wording.DRAFT_TO_COPY}\n\n```\n{text.rstrip().replace('```', '~~~')}\n```"


def _undone_line(line: UndoLine) -> str:
    value = line.outcome.value if isinstance(line.outcome, Succeeded) else None
    by_hand = isinstance(value, Mapping) and "done_by_hand_by" in value
    notes = [wording.UNDONE_BY_HAND] * by_hand + [wording.MAYBE_TWICE] * line.effect.repeated
    return _line(line.effect, "; ".join(notes))


def _line(effect: Effect, words: str) -> str:
    title = " ".join(effect.node.title.split())
    return f"- **{title}**: {words}" if words else f"- **{title}**"


def _why_left(line: UndoLine, titles: Mapping[NodeId, str]) -> str:
    if line.left is not None:
        return wording.LEFT[line.left]
    if line.unsure:
        return wording.MAYBE_UNDONE
    match line.outcome:
        case Failed(error=error, message=message) if error in TOLD_IN_WORDS and message:
            return message
        case Failed(error=error):
            return wording.failure(error)
        case Expired():
            return wording.NOBODY_DECIDED
        case Skipped(because=because):
            return wording.not_undone_because(titles.get(because, because))
        case None:
            return wording.STATES[NodeState.PLANNED]
        case outcome:
            reason = outcome.reason if isinstance(outcome, Rejected) else ""
            words = wording.STATES[state_of(outcome)]
            return f"{words}: {reason}" if reason else words


def _ending(shown: ShownNode, titles: Mapping[NodeId, str]) -> str:
    words = wording.STATES[shown.state]
    match shown.outcome:
        case Succeeded(artifact=ArtifactRef() as ref):
            return f"{words}; {ref.size} bytes, beginning with {_code(ref.head)}"
        case Succeeded(value=value):
            return words if value is None else f"{words}; {_code(shown_value(value))}"
        case Failed(error=error):
            return f"{words}: {wording.failure(error)}"
        case Expired():
            return f"{words}: {wording.NOBODY_DECIDED}"
        case Skipped(because=because, why=why) if why:
            return f"{words}: {wording.condition_unmet(titles.get(because, because))}"
        case Skipped(because=because):
            return f"{words}, because of “{titles.get(because, because)}”"
        case _:
            return words


def _code(text: str) -> str:
    return "`" + truncated(" ".join(text.split()), _VALUE_CHARACTERS).replace("`", "'").replace("\n", " ") + "`"
