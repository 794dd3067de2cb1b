"""The replies to `/greenlight memory`, and the line that says what of an answer comes from memory."""

from collections.abc import Iterator, Sequence

from agent.facts import LONGEST, Fact, FactScope
from bot import wording
from bot.blocks.elements import Block, Rendered, context, mention, moment, quoted, rendered, sections, words_only

MOST_FACTS = 100

_CITED = 3
_CITED_CHARACTERS = 200


def memory_message(facts: Sequence[Fact]) -> Rendered:
    """Return what is remembered and may be read in a place, by whose it is."""
    if not facts:
        return words_only(wording.MEMORY_EMPTY)
    return rendered(wording.MEMORY_TITLE, sections(_lines(facts, wording.FACT_SCOPES)))


def own_memory_message(facts: Sequence[Fact]) -> Rendered:
    """Return what is remembered about a person and what they said, wherever that was."""
    if not facts:
        return words_only(wording.MEMORY_NONE_OF_YOURS)
    lines = [*(_line(fact, place=True) for fact in facts[:MOST_FACTS]), *_rest(facts), wording.MEMORY_HOW]
    return rendered(wording.MEMORY_OF_YOURS, sections([f"*{wording.MEMORY_OF_YOURS}*", *lines]))


def remembered_message(fact: Fact) -> Rendered:
    """Return what a person reads whose fact is remembered from now on."""
    until = "" if fact.expires_at is None else moment(fact.expires_at)
    return words_only(wording.fact_kept(fact_words(fact), fact.id, fact.scope, until))


def fact_words(fact: Fact) -> str:
    """Return a fact's words as mrkdwn in which nothing is formatting, a link or a mention."""
    return quoted(fact.text, LONGEST)


def cited(facts: Sequence[Fact]) -> Sequence[Block]:
    """Return the small print below an answer that used facts."""
    told = (f"“{quoted(fact.text, _CITED_CHARACTERS)}” ({_told(fact)})" for fact in facts[:_CITED])
    return [context(f"{wording.FROM_MEMORY}: {'; '.join(told)}")] if facts else []


def _lines(facts: Sequence[Fact], headings: dict[FactScope, str]) -> Iterator[str]:
    shown = facts[:MOST_FACTS]
    for scope, heading in headings.items():
        if some := [fact for fact in shown if fact.scope is scope]:
            yield f"*{heading}*"
            yield from (_line(fact) for fact in some)
    yield from _rest(facts)
    yield wording.MEMORY_HOW


def _rest(facts: Sequence[Fact]) -> Sequence[str]:
    return [wording.more_facts(len(facts) - MOST_FACTS)] if len(facts) > MOST_FACTS else []


def _line(fact: Fact, *, place: bool = False) -> str:
    where = f" <#{fact.channel}>" if place and not fact.channel.startswith("D") else ""
    return f"• `{fact.id}` {fact_words(fact)} _({_told(fact)}{where})_"


def _told(fact: Fact) -> str:
    at = moment(fact.at)
    said = f"<{fact.link}|{fact.at:%Y-%m-%d}>" if fact.link.startswith("https://") and ">" not in fact.link else at
    until = "" if fact.expires_at is None else moment(fact.expires_at)
    words = wording.fact_told(mention(fact.by), said, until)
    return words if fact.corrected_by is None else f"{words}, {wording.fact_corrected_by(mention(fact.corrected_by))}"
