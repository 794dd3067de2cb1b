"""Long-term memory: facts that people asked to remember, and where each may be read. Pure.

A fact stands in a namespace: a person's in one channel, a person's everywhere, a channel's or the team's. Nothing that
was said in a private channel or a direct message is read in any other place.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any, NewType, TypeAlias

from agent.ids import ChannelId, Tenant, ToolName, UserId
from agent.plan.operations import Add, Operation
from agent.plan.outside_text import values_in

FactId = NewType("FactId", str)
"""Unique within a tenant; people write it in commands."""

Namespace: TypeAlias = tuple[str, ...]
"""Where a fact stands: the tenant, then `team`, `channel` and its id, or `user`, their id and a channel's or
`everywhere`."""

REMEMBER = ToolName("remember")
"""The tool with which a model proposes a fact."""

LONGEST = 500
"""Characters of one fact."""

SHOWN = 8
"""Facts that one request shows at most."""

SHOWN_CHARACTERS = 2_000
"""The most that the facts of one request come to."""

MOST_DAYS = 3650

_EVERYWHERE = "everywhere"
_TEAM = "team"
_MOST_WORDS = 100
"""Of a request that facts are looked for with."""

_READ_CHARACTERS = 16 * 1024
_TELLING_CHARACTERS = 4
"""A shorter word may stand anywhere, unless it has a digit."""

_ENOUGH_WORDS = 3
"""Of a fact; who says so many that nobody asked with says something of it."""

_WORD = re.compile(r"[^\W_]+")
_COMMON = frozenset(
    _WORD.findall(
        "about after again also although always another anything because been before being between both cannot could "
        "does done during each either else even ever every everything first from have here however into itself just "
        "last less like made make many might more most much must need never next none nothing once only other over "
        "please same shall should since some still such than that their them then there these they thing this those "
        "through today until upon used very want well were what when where whether which while will with within "
        "without would your yours"
    )
)
"""Words that say nothing of what a sentence is about."""
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Characters of scripts without spaces between words, or with endings that are written together."""


class FactScope(StrEnum):
    """Whose fact it is."""

    #: A person's, in the channel or direct message where it was said.
    ME = "me"
    #: A person's, wherever they ask.
    EVERYWHERE = "me_everywhere"
    CHANNEL = "channel"
    TEAM = "team"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A conversation, as it decides what may be read there."""

    tenant: Tenant
    channel: ChannelId
    #: Whether every member of the workspace can read it.
    public: bool
    #: Whether people of another organisation are in it, or are invited.
    shared: bool = False

    @property
    def direct(self) -> bool:
        """Whether one person writes there to the app alone."""
        return self.channel.startswith("D")


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that people asked to remember."""

    id: FactId
    namespace: Namespace
    #: On one line.
    text: str
    #: Who said it, or in whose request it was proposed.
    by: UserId
    #: Where it was said.
    channel: ChannelId
    #: Whether every member of the workspace could read it there.
    public: bool
    at: datetime
    #: Whether people of another organisation were there, or were invited.
    shared: bool = False
    #: Of the message in which it was said; empty when Slack did not tell.
    link: str = ""
    #: 1: a person said so.
    confidence: float = 1.0
    #: None: it stays.
    expires_at: datetime | None = None
    #: Who wrote its present words in place of others.
    corrected_by: UserId | None = None
    #: Who approved it, of one that a model wrote; None: a person said it.
    approved_by: UserId | None = None
    #: Where the text comes from that strangers wrote and that its words hold, as its card said.
    outside: tuple[str, ...] = ()

    @property
    def scope(self) -> FactScope:
        """Whose fact it is."""
        match self.namespace[1:]:
            case ("user", _, last):
                return FactScope.EVERYWHERE if last == _EVERYWHERE else FactScope.ME
            case ("channel", _):
                return FactScope.CHANNEL
            case _:
                return FactScope.TEAM

    @property
    def owner(self) -> UserId | None:
        """The person whose it is, if it is one's."""
        return UserId(self.namespace[2]) if self.namespace[1] == "user" else None


def namespace_of(scope: FactScope, place: Place, person: UserId) -> Namespace | None:
    """Return where a fact said in a place stands; None: it may not be said there.

    What is read elsewhere must be said where every member, and nobody else, could read it.
    """
    own = (place.tenant, "user", person)
    everybody = place.public and not place.shared
    match scope:
        case FactScope.ME:
            return (*own, place.channel)
        case FactScope.CHANNEL:
            return (*own, place.channel) if place.direct else (place.tenant, "channel", place.channel)
        case FactScope.EVERYWHERE:
            return (*own, _EVERYWHERE) if everybody else None
        case FactScope.TEAM:
            return (place.tenant, _TEAM) if everybody else None


def everywhere(tenant: Tenant, person: UserId) -> Namespace:
    """Return the beginning of all namespaces of a person."""
    return (tenant, "user", person)


@dataclass(frozen=True, kw_only=True)
class Readable:
    """The facts that may be read in a place, by a person."""

    namespaces: tuple[Namespace, ...]
    #: Whether those that were said in a private place are left out: a channel may have been private before.
    only_public: bool
    #: Whether those are left out that nobody of another organisation could hear: they may have been invited since.
    only_shared: bool = False

    def allows(self, fact: Fact) -> bool:
        """Return whether the fact may be read."""
        return (
            fact.namespace in self.namespaces
            and (fact.public or not self.only_public)
            and (fact.shared or not self.only_shared)
        )


def readable(place: Place, person: UserId) -> Readable:
    """Return what may be read in a place when this person asks: everybody there reads the answer."""
    namespaces: list[Namespace] = [(place.tenant, "user", person, place.channel)]
    if not place.direct:
        namespaces.append((place.tenant, "channel", place.channel))
    if not place.shared:
        namespaces += [(place.tenant, "user", person, _EVERYWHERE), (place.tenant, _TEAM)]
    return Readable(namespaces=tuple(namespaces), only_public=place.public, only_shared=place.shared)


def told_in(facts: Iterable[Fact], place: Place | None, to: UserId | None = None) -> tuple[Fact, ...]:
    """Return facts as they are told in a place: to one person, or (None) to everybody there.

    One that may not be read so, and each while the place is not known, is named without its words: a person's own is
    for them alone.
    """
    return tuple(
        fact if place is not None and _may_be_told(fact, place, to) else replace(fact, text="", link="", outside=())
        for fact in facts
    )


def _may_be_told(fact: Fact, place: Place, to: UserId | None) -> bool:
    owner = fact.owner
    if owner is not None and owner != to and not place.direct:
        return False
    return readable(place, owner or fact.by).allows(fact)


def may_be_corrected_in(fact: Fact, place: Place) -> bool:
    """Return whether a fact's new words may be said in a place: they are read where it is read.

    That is where a fact like it could be said, and where every member, and nobody else, reads what is said.
    """
    everybody = place.public and not (place.shared or fact.shared)
    return everybody or namespace_of(fact.scope, place, fact.owner or fact.by) == fact.namespace


def may_change(fact: Fact, person: UserId, *, in_channel: bool, is_admin: bool) -> bool:
    """Return whether a member may correct and delete a fact. `in_channel`: whether they are in its channel now."""
    if fact.owner is not None:
        return fact.owner == person
    if fact.scope is FactScope.CHANNEL:
        return in_channel
    return fact.by == person or is_admin


def one_line(text: str) -> str:
    """Return a text on one line, with single spaces."""
    return " ".join(text.split())


def search_words(text: str) -> Sequence[str]:
    """Return the words of a text by which facts are found, in small letters.

    Of a text without spaces they are each two characters that follow each other.
    """
    words = (word for found in _WORD.findall(text[:_READ_CHARACTERS].lower()) for word in _parts(found))
    return list(dict.fromkeys(words))


def asked_words(request: str) -> Sequence[str]:
    """Return the words of a request that facts are looked for with."""
    return search_words(request)[:_MOST_WORDS]


def _parts(word: str) -> Iterable[str]:
    if len(word) < 3 or not _UNSPACED.search(word):
        return (word,)
    return (word[at : at + 2] for at in range(len(word) - 1))


def fitting_in(facts: Iterable[Fact]) -> Sequence[Fact]:
    """Return as many of the facts, the best fit first, as a request shows."""
    kept: list[Fact] = []
    room = SHOWN_CHARACTERS
    for fact in facts:
        room -= len(fact.text)
        if room < 0 or len(kept) == SHOWN:
            break
        kept.append(fact)
    return kept


def outside_texts(facts: Iterable[Fact]) -> Sequence[str]:
    """Return the words of the facts that hold text of strangers."""
    return [fact.text for fact in facts if fact.outside]


def is_used(fact: Fact, asked: str, told: str) -> bool:
    """Return whether what was planned or answered (`told`) says something of a fact that nobody asked with.

    That is half of the words that tell what the fact is about, whatever their endings, or three of them.
    """
    telling = _telling(fact.text) - _telling(asked)
    needed = min(_ENOUGH_WORDS, (len(telling) + 1) // 2)
    return bool(telling) and len(telling & _telling(told)) >= needed


def words_of_plan(operations: Iterable[Operation]) -> Iterator[str]:
    """Yield the words that a plan wrote itself: titles, values, instructions and code; no key and no tool's name."""
    for operation in operations:
        if isinstance(operation, Add):
            node = operation.node
            yield from (node.title, node.instruction, node.code)
            for values in (node.args, node.inputs):
                yield from values_in(values)


def _telling(text: str) -> frozenset[str]:
    """Return the words of a text that tell what it is about, without their endings."""
    words = (word for word in search_words(text) if word not in _COMMON)
    return frozenset(_stems()([word for word in words if len(word) >= _TELLING_CHARACTERS or not word.isalpha()]))


@cache
def _stems() -> Callable[[list[str]], list[str]]:
    stemmer: Any = import_module("Stemmer").Stemmer("english")
    return stemmer.stemWords
