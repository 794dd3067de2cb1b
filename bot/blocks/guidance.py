"""The replies to `/greenlight instructions` and `explain`."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from agent.facts import LONGEST, FactId
from agent.ids import thread_parts
from agent.ports import Choice, Instruction, Reflection
from bot import wording
from bot.blocks.memory import told_fact
from bot.elements import (
    Rendered,
    escaped,
    mention,
    moment,
    quoted,
    rendered,
    runbook_source,
    sections,
    words_only,
)
from bot.ports import Deletion, Explanation

_INSTRUCTION_CHARACTERS = 2_000
_MOST_TOOLS = 40


def instructions_message(instructions: Sequence[Instruction]) -> Rendered:
    """Return a channel's instructions with where each comes from."""
    if not instructions:
        return words_only(wording.NO_INSTRUCTIONS)
    lines = [f"*{wording.INSTRUCTIONS_TITLE}*", *map(_instruction, instructions), wording.INSTRUCTIONS_HOW]
    return rendered(wording.INSTRUCTIONS_TITLE, sections(lines))


def explanation_message(found: Explanation, instructions: Sequence[Instruction]) -> Rendered:
    """Return what shaped a plan, each with its source."""
    return rendered(wording.EXPLAIN_TITLE, sections(_lines(found, instructions)))


def _lines(found: Explanation, instructions: Sequence[Instruction]) -> Iterator[str]:
    yield f"*{wording.EXPLAIN_TITLE}*"
    channel = thread_parts(found.thread).channel
    several = len({one.author for one in found.decisions}) > 1
    parts = (
        (
            wording.EXPLAIN_INSTRUCTIONS,
            [*(_instruction(one, began=found.began) for one in instructions), *_cleared(found)],
        ),
        (
            wording.EXPLAIN_RUNBOOKS,
            [f"• `{escaped(book.name)}` _({runbook_source(book, channel)})_" for book in found.runbooks],
        ),
        (
            wording.EXPLAIN_FACTS,
            [
                *(f"• {told_fact(fact, '' if fact in found.used else wording.NOT_USED)}" for fact in found.facts),
                *(f"• {_gone(fact, deleted)}" for fact, deleted in found.gone.items()),
            ],
        ),
        (
            wording.EXPLAIN_TOOLS,
            [", ".join(f"`{escaped(tool)}`" for tool in found.tools[:_MOST_TOOLS])] * bool(found.tools),
        ),
        (wording.EXPLAIN_DECISIONS, [_decision(one, several=several) for one in found.decisions]),
        (wording.EXPLAIN_RULES, [f"• {quoted(rule)} _({wording.FROM_THE_OPERATOR})_" for rule in found.rules]),
    )
    for heading, lines in parts:
        yield f"*{heading}*"
        yield from lines or [wording.NONE_OF_THEM]


def _cleared(found: Explanation) -> Iterator[str]:
    """Yield who cleared what people wrote for the channel, where nobody wrote anything since."""
    if found.cleared is not None:
        since = f" _({wording.CLEARED_SINCE})_" if found.cleared.at > found.began else ""
        yield f"• {wording.instructions_cleared(_deleted(found.cleared))}{since}"


def _gone(fact: FactId, deleted: Deletion | None) -> str:
    return wording.fact_expired(fact) if deleted is None else wording.fact_deleted(fact, _deleted(deleted))


def _deleted(deletion: Deletion) -> str:
    """Return by whom and when."""
    return wording.done_by(mention(deletion.by) if deletion.by else wording.SOMEBODY_ERASED, moment(deletion.at))


def _decision(decision: Reflection, *, several: bool) -> str:
    """Return a decision with its reason, and once it is known of which round it was; `several`: also for whom."""
    made = ""
    if decision.round:
        when = "" if decision.at is None else moment(decision.at)
        who = mention(decision.author) if several and decision.author else ""
        made = f" _({wording.decided_in(decision.round, when, who)})_"
    if decision.choice is Choice.END and decision.at_end:
        return f"• {wording.ENOUGH_FOUND}{made}"
    why = quoted(decision.why, LONGEST) if decision.why else wording.NO_REASON
    words = wording.MORE_WANTED if decision.beyond else wording.DECISIONS_ON_THE_WAY[decision.choice]
    return f"• {words}: {why}{made}"


def _instruction(instruction: Instruction, *, began: datetime | None = None) -> str:
    """Return the line of an instruction, which says if it was written after a plan `began`."""
    told = wording.FROM_THE_OPERATOR if instruction.by is None else mention(instruction.by)
    at = "" if instruction.at is None else f", {moment(instruction.at)}"
    since = began is not None and instruction.at is not None and instruction.at > began
    late = f"; {wording.WRITTEN_SINCE}" if since else ""
    return f"• {quoted(instruction.text, _INSTRUCTION_CHARACTERS)} _({told}{at}{late})_"
