"""The replies to `/greenlight memory`, and the line that says what of an answer comes from memory."""

from collections.abc import Iterator, Sequence

from agent.facts import LONGEST, Fact, FactScope
from bot import wording
from bot.elements import Block, Rendered, context, mention, moment, quoted, rendered, sections, words_only

MOST_FACTS = 40
"""Of one message: however long they are, Slack takes them."""

_TITLE_CHARACTERS = 80
_CITED = 3
_CITED_CHARACTERS = 200


def memory_message(facts: Sequence[Fact], page: int = 1) -> Rendered:
    """Return what is remembered and may be read in a place, by whose it is: so many on a page, from page 1."""
    if not facts:
        return words_only(wording.MEMORY_EMPTY)
    return rendered(wording.MEMORY_TITLE, sections(_lines(facts, page)))


def own_memory_message(facts: Sequence[Fact], page: int = 1) -> Rendered:
    """Return what is remembered about a person and what they said, wherever that was."""
    if not facts:
        return words_only(wording.MEMORY_NONE_OF_YOURS)
    lines = [
        *(_line(fact, place=True) for fact in _on(page, facts)),
        *_rest(facts, page, "memory mine"),
        wording.MEMORY_HOW,
    ]
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
    told = (told_fact(fact, characters=_CITED_CHARACTERS) for fact in facts[:_CITED])
    return [context(f"{wording.FROM_MEMORY}: {'; '.join(told)}")] if facts else []


def told_fact(fact: Fact, remark: str = "", *, characters: int = LONGEST) -> str:
    """Return a fact and where it comes from; one without words may not be told here, and is named alone."""
    if fact.text:
        words, told = f"“{quoted(fact.text, characters)}”", _told(fact)
    else:
        words, told = (
            wording.UNTOLD_FACT if fact.owner is None else wording.fact_of_one(mention(fact.owner), fact.id),
            "",
        )
    remarks = "; ".join(filter(None, (told, remark)))
    return f"{words} _({remarks})_" if remarks else words


def _on(page: int, facts: Sequence[Fact]) -> Sequence[Fact]:
    return facts[(page - 1) * MOST_FACTS : page * MOST_FACTS]


def _lines(facts: Sequence[Fact], page: int) -> Iterator[str]:
    shown = _on(page, facts)
    for scope in FactScope:
        if some := [fact for fact in shown if fact.scope is scope]:
            yield f"*{wording.facts_shared(scope)}*"
            yield from (_line(fact) for fact in some)
    yield from _rest(facts, page, "memory")
    yield wording.MEMORY_HOW


def _rest(facts: Sequence[Fact], page: int, command: str) -> Sequence[str]:
    left = len(facts) - page * MOST_FACTS
    return [wording.more_facts(left, f"{command} {page + 1}")] if left > 0 else []


def _line(fact: Fact, *, place: bool = False) -> str:
    where = f" <#{fact.channel}>" if place and not fact.channel.startswith("D") else ""
    shared = f"; {wording.fact_shared_there(fact.scope)}" if place else ""
    return f"• `{fact.id}` {fact_words(fact)} _({_told(fact)}{where}{shared})_"


def _told(fact: Fact) -> str:
    at = moment(fact.at)
    said = f"<{fact.link}|{fact.at:%Y-%m-%d}>" if fact.link.startswith("https://") and ">" not in fact.link else at
    until = "" if fact.expires_at is None else moment(fact.expires_at)
    by = mention(fact.by)
    remarks = (
        wording.fact_told(by, said, until) if fact.approved_by is None else wording.fact_proposed(by, said, until),
        "" if fact.approved_by is None else wording.fact_approved_by(mention(fact.approved_by)),
        "" if fact.corrected_by is None else wording.fact_corrected_by(mention(fact.corrected_by)),
        "" if fact.confidence >= 1 else wording.fact_confidence(fact.confidence),
        wording.fact_from_outside(quoted(title, _TITLE_CHARACTERS) for title in fact.outside) if fact.outside else "",
    )
    return ", ".join(filter(None, remarks))
