"""The modal with the attempts of a script: how each ended, where, its calls, its logs, its code; or a subagent's steps.

A model, a script or a tool wrote all of it, so it goes into literal blocks, where nothing is formatting.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from agent.events import AttemptEnded, SummarizedCall
from agent.ids import NodeId, ThreadId
from bot import wording
from bot.elements import (
    Block,
    actions,
    button,
    context,
    modal,
    plain,
    preformatted,
    quoted,
    rich_text,
    section,
    shortened,
)
from bot.payloads import ATTEMPT_ACTION
from bot.ports import PackageView
from bot.visibility import visible

CALLBACK = "script_details"
TEXT_CHARACTERS = 2900
CODE_CHARACTERS = 30_000
CALLS_CHARACTERS = 12_000
OTHER_CHARACTERS = 6000


def loading() -> Block:
    """Return the modal as it opens: its trigger is only good for three seconds."""
    return _modal([section(wording.DETAILS_LOADING)])


def unreadable(words: str) -> Block:
    """Return the modal when there is nothing to show, or not to this person; `words` are ready mrkdwn."""
    return _modal([section(words)])


def details(package: PackageView, number: int | None = None) -> Block:
    """Return the modal for one attempt, the last one unless `number` names another."""
    if not package.attempts:
        return unreadable(wording.DETAILS_GONE)
    shown = next((attempt for attempt in package.attempts if attempt.attempt == number), package.attempts[-1])
    choice = [_choice(package.attempts, shown)] if len(package.attempts) > 1 else []
    blocks = [section(f"*{quoted(package.title)}*"), *choice, _how(shown, len(package.attempts)), *_parts(shown)]
    title = wording.SCRIPT_DETAILS if shown.code else wording.SUBAGENT_DETAILS
    return _modal(blocks, f"{package.node} {package.thread}", title=title)


def shown_by(private_metadata: str) -> tuple[ThreadId, NodeId]:
    """Return which package a modal of ours shows."""
    node, _, thread = private_metadata.partition(" ")
    return ThreadId(thread), NodeId(node)


def _modal(blocks: Sequence[Block], private_metadata: str = "", title: str = wording.DETAILS) -> Block:
    return modal(title, blocks, close=wording.CLOSE, callback=CALLBACK, private_metadata=private_metadata)


def _choice(attempts: Sequence[AttemptEnded], shown: AttemptEnded) -> Block:
    buttons = [
        button(
            f"Attempt {attempt.attempt}: {wording.attempt_kind(attempt.kind)}",
            action=f"{ATTEMPT_ACTION}_{attempt.attempt}",
            value=str(attempt.attempt),
            style="primary" if attempt is shown else None,
        )
        for attempt in attempts
    ]
    return actions(buttons, block_id=f"attempts-{shown.attempt}")


def _how(attempt: AttemptEnded, of: int) -> Block:
    took = wording.duration_of(timedelta(milliseconds=attempt.milliseconds))
    return context(f"Attempt {attempt.attempt} of {of} {wording.attempt_kind(attempt.kind)} · {took}")


def _parts(attempt: AttemptEnded) -> Iterator[Block]:
    for title, words, characters in (
        (wording.HOW_IT_ENDED, attempt.error, OTHER_CHARACTERS),
        (wording.WHERE_IT_CRASHED, attempt.traceback, OTHER_CHARACTERS),
        (wording.CALLS_MADE, _calls(attempt.calls), CALLS_CHARACTERS),
        (wording.END_OF_THE_LOGS, attempt.logs, OTHER_CHARACTERS) if attempt.code else _steps(attempt),
        (wording.THE_SCRIPT, attempt.code, CODE_CHARACTERS),
    ):
        pieces = list(_pieces(shortened(visible(words).rstrip(), characters)))
        for piece in pieces:
            label = [plain(title, bold=True)] if piece is pieces[0] else []
            yield rich_text([*label, preformatted(piece)])


def _steps(attempt: AttemptEnded) -> tuple[str, str, int]:
    """Return the part with the steps of a subagent, which has no code."""
    return wording.ITS_STEPS, attempt.logs, CODE_CHARACTERS


def _calls(calls: Sequence[SummarizedCall]) -> str:
    return "\n".join(
        f"{'ok    ' if call.ok else 'failed'} {call.milliseconds:7.1f} ms  {call.tool} {call.args}" for call in calls
    )


def _pieces(words: str) -> Iterator[str]:
    """Yield the words in pieces that one block holds, cut where a line ends if there is one."""
    while len(words) > TEXT_CHARACTERS:
        end = words.rfind("\n", 1, TEXT_CHARACTERS)
        cut = TEXT_CHARACTERS if end < 0 else end
        yield words[:cut]
        words = words[cut:].removeprefix("\n")
    if words.strip():
        yield words
