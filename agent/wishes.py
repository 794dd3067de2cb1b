"""Reads what people ask to remember out of their words, without a model. Pure.

A wish is one statement. Where a text goes on with something else that is asked for, nobody can say where the fact ends:
in doubt it is no wish, and a model reads the message as a request.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.facts import MOST_DAYS, FactScope, one_line

MOST_PARTS = 400
"""A longer text is more than one statement."""

_OPTION = r"for (?:me everywhere|me|this channel|the channel|the team|everybody|[0-9]{1,4} days?)"
_WISH = re.compile(rf"(?:please )?remember(?P<options>(?: {_OPTION}){{0,2}}),? that:? (?P<text>.+)", re.IGNORECASE)
_ADDITION = re.compile(rf"(?P<options>(?:{_OPTION}(?: |: )){{0,2}})(?:that:? )?(?P<text>.+)", re.IGNORECASE)
_ONE_OPTION = re.compile(_OPTION, re.IGNORECASE)
_SENTENCE_GOES_ON = re.compile(r"[.!…]['\")\]]? [^ ]|[。！].")
_WEB_ADDRESS = re.compile(r"https?://[^\s>]+")
_QUOTED = re.compile(r'"[^"\n]*"|“[^“”\n]*”|`[^`\n]*`')
_NUMBERED = re.compile(r"(?:^|\s)(?:\(?(?:[0-9]{1,2}|[a-e])[.)]|[•*])\s")
_PART = re.compile(r"[\n,;:&()]|[^\s,;:&()]+")
_MARKS = ".!…'\"’*_"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_JOINTS = _words("and but also plus then so afterwards after, & , ; : ( - – —") | {"\n"}
"""After these a request may begin."""

_FILLERS = _words(
    "and but also then please now first next just afterwards finally kindly quickly so later ok okay thanks , ; : \n"
) | {"\n"}
"""These may stand before it."""

_ASKING = _words(
    "add analyse analyze ask calculate compare compute confirm convert create delete describe email ensure explain "
    "fetch figure find give inform investigate let look notify ping remember remind remove send show sum "
    "summarise summarize tell translate verify"
)
"""Verbs with which hardly anything but a request begins."""

_WORKING = _words(
    "alert approve assign book build call cancel change check clean close copy count deploy do download draft drain "
    "export file fix get graph help import invite kill list make mark merge monitor move note open order page pause "
    "plan plot post print publish put query read release rename reopen report reset restart restore resume retry "
    "revert review roll run save scale schedule search see set start stop store sync test try undo update upload use "
    "watch write"
)
"""Verbs that also stand in statements, or are nouns there."""

_NOUN_FOLLOWS = _words(
    "is are was were has have had can may must should will would do does don't never always and or ,"
)
"""After one of `_WORKING` that is a noun."""

_PREPOSITIONS = _words("of on in at to by with from as only")
_SUBJECTS = _words(
    "the a an it they we he she you i nobody somebody everybody everyone people this that these those there our your "
    "my their his her its no not only each all"
)
_DETERMINERS = _words("the a an our your my their his her its this that these those all both")
_VERBS_OF_ONE = _words("is isn't has hasn't does doesn't was wasn't")
_VERBS = _VERBS_OF_ONE | _words(
    "are aren't were weren't have haven't had do don't did didn't can can't cannot could may might must should will "
    "won't would need needs"
)
_QUESTIONS = _words("what which who whose whom why how where when")
_OF_QUESTIONS = _VERBS | _words("many much often long come about caused happened changed broke went")
_CONDITIONS = _words("if when whenever before after while once unless until to every in on for as")
"""A statement that begins with one goes on with its main clause, which may be an instruction."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person asks to remember."""

    text: str
    #: None: they did not say.
    scope: FactScope | None = None
    #: None: they did not say.
    days: int | None = None


@dataclass(frozen=True, kw_only=True)
class UnclearWish:
    """Words that begin as a wish, and ask for something else as well, or may do so."""


def read_wish(message: str) -> Wish | UnclearWish | None:
    """Return what a message asks to remember; None: nothing.

    A wish is one statement: no question, no list, nothing that goes on with a request. In doubt it is unclear.
    """
    found = _WISH.fullmatch(one_line(message))
    if found is None:
        return None
    text = _QUOTED.sub("it", _WEB_ADDRESS.sub(lambda address: "it" + _end_of(address[0]), message))
    return _wish(found) if _is_statement(text) and not _goes_on(text) else UnclearWish()


def _end_of(address: str) -> str:
    """Return the mark that ends a sentence, where an address has it as its last character."""
    return address[-1] if address[-1] in ".!?" else ""


def _is_statement(text: str) -> bool:
    """Return whether a text is one sentence, and no question. A line that begins small goes on with the one before."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    asks = any(mark in text for mark in "?？")
    return not asks and all(line[0].islower() for line in lines[1:]) and not _SENTENCE_GOES_ON.search(one_line(text))


def _goes_on(message: str) -> bool:
    """Return whether a statement may go on with a request."""
    if len(_NUMBERED.findall(message)) > 1:
        return True
    parts = [part.lower().strip(_MARKS) or part for part in _PART.findall(message)]
    parts = parts[parts.index("that") + 1 :]  # what was asked to remember
    if len(parts) > MOST_PARTS:
        return True
    polite = (parts[at + 1] for at, part in enumerate(parts[:-1]) if part == "please")
    return any(word in _ASKING | _WORKING for word in polite) or any(
        _asks(before, after) for before, after in _cut_at_joints(parts)
    )


def _cut_at_joints(parts: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield what stands before and behind each place at which a request may begin."""
    for at, part in enumerate(parts):
        if part in _JOINTS and at > 0:
            yield parts[:at], parts[at:]


def _asks(before: Sequence[str], after: Sequence[str]) -> bool:
    """Return whether what comes after a joint asks for something, or may do so."""
    fillers = 0
    while fillers < len(after) and after[fillers] in _FILLERS | _JOINTS:
        fillers += 1
    asked = [*after[fillers : fillers + 3], "", "", ""]
    first, second, third = asked[:3]
    if not first:
        return False
    if "then" in after[:fillers] and first not in _SUBJECTS:
        return True
    if first in {"can", "could", "would", "will"} and second == "you":
        return True
    if first in {"i", "we"} and second in {"want", "need"} and third in {"you", "to"}:
        return True
    if first in _QUESTIONS and second in _OF_QUESTIONS:
        return True
    if after[0] == "," and before[0] in _CONDITIONS and not _JOINTS.intersection(before):
        return False  # the main clause
    coordinated = before[-1] in _ASKING | _WORKING and not _JOINTS.intersection(before[-2:-1])
    if first in _ASKING:
        return not coordinated
    return first in _WORKING and not coordinated and _may_be_told_to(before, second, third)


def _may_be_told_to(before: Sequence[str], second: str, third: str) -> bool:
    """Return whether a word that may be a verb is one in the imperative: what stands before it is a statement then."""
    words = [word for word in before if word not in _DETERMINERS and word not in _JOINTS]
    if len(words) < 3 and not _VERBS.intersection(words):
        return False  # a list of nouns
    if not second or second in _NOUN_FOLLOWS:
        return False
    if second in _PREPOSITIONS:
        # "It is built and run on Kubernetes" is no statement: what one thing does has another form.
        return third in {"me", "us"} or third[:1] in {"#", "<"} or bool(_VERBS_OF_ONE.intersection(words))
    return True


def read_addition(words: str) -> Wish | None:
    """Return what a command's words ask to remember; None: they are empty."""
    found = _ADDITION.fullmatch(one_line(words))
    return None if found is None else _wish(found)


def _wish(found: re.Match[str]) -> Wish:
    scope, days = None, None
    for option in _ONE_OPTION.findall(found["options"]):
        match option.lower().split()[1:]:
            case ["me", "everywhere"]:
                scope = FactScope.EVERYWHERE
            case ["me"]:
                scope = FactScope.ME
            case [_, "channel"]:
                scope = FactScope.CHANNEL
            case [number, "day" | "days"]:
                days = min(int(number), MOST_DAYS)
            case _:
                scope = FactScope.TEAM
    return Wish(text=found["text"], scope=scope, days=days)
