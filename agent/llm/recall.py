"""Recalls what people asked to remember: the few facts that fit a request, as far as the thread's place may read them.

They are found by their words and, where an endpoint makes vectors, by meaning. Each stands in the request as data, with
who said it, where and when; the turn notes which ones it was made with, so that its conclusion is shown the same.
"""

import asyncio
import logging
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot

from agent.errors import ModelUnavailable
from agent.facts import SHOWN, Fact, Readable, asked_words, fitting_in, readable
from agent.ids import ThreadId, UserId
from agent.llm.tool_search import Embedder
from agent.ports import Facts, Message, Places, Recalled, Run

_log = logging.getLogger(__name__)

_BY_WORDS = 40
"""Facts that are looked at because of their words."""

_WITH_VECTORS = 800
"""The newest facts that are compared by meaning: all that four namespaces have unless the configuration allows more."""

_EMBEDDED_AT_ONCE = 100
"""Facts without a vector that one recall has some made for."""

_LEAST_SIMILARITY = 0.3
"""A fact whose meaning is farther from the request is about something else."""

_EMBED_SECONDS = 10.0
_EMBEDDED_CHARACTERS = 2_000
_LEVELS = 127
_RANKS = 10
"""Softens reciprocal ranks (Cormack et al., SIGIR 2009): what is near the top by words or by meaning comes first."""


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Finds facts for requests."""

    facts: Facts
    places: Places
    #: Makes vectors with the model of this name; None: facts are found by their words alone.
    embedder: Embedder | None = None
    vectors_of: str = ""

    async def fitting(self, thread: ThreadId, author: UserId, messages: Sequence[Message]) -> Sequence[Fact]:
        """Return the facts that fit a person's messages, the best first; none while the place is not known."""
        place = await self.places.of(thread)
        if place is None:
            return ()
        may = readable(place, author)
        asked = "\n".join(message.text for message in messages)
        by_words = await self.facts.fitting(may, asked_words(asked), _BY_WORDS)
        by_meaning = await self._by_meaning(may, asked)
        ranked = _fused(by_words, by_meaning)
        return fitting_in(fact for fact in ranked if may.allows(fact))

    async def again(self, run: Run, author: UserId | None) -> Sequence[Fact]:
        """Return the facts that the turn's plan for a person was made with, as far as they still stand and may be read.

        None: for everybody who asked in the turn, so that what is one person's alone is left out.
        """
        told = [one for one in run.recalled if author is None or one.author == author]
        if not told or (place := await self.places.of(run.thread)) is None:
            return ()
        may = readable(place, told[0].author if author is None else author)
        facts = await self.facts.among(may, list(dict.fromkeys(one.fact for one in told)))
        return [fact for fact in facts if may.allows(fact) and (author is not None or fact.owner is None)]

    async def _by_meaning(self, may: Readable, asked: str) -> Sequence[Fact]:
        """Return the facts near a request, the nearest first; none without an endpoint, or while it is away."""
        if self.embedder is None:
            return ()
        known = await self.facts.vectors(may, self.vectors_of, _WITH_VECTORS)
        if not known:
            return ()
        try:
            async with asyncio.timeout(_EMBED_SECONDS):
                made = await self._made(self.embedder, [fact for fact, vector in known if not vector])
                [vector] = await self.embedder.embed([asked[:_EMBEDDED_CHARACTERS]])
        except (ModelUnavailable, TimeoutError) as error:
            _log.warning("facts are found by words alone: %s", error or "no vectors in time")
            return ()
        every = [(fact, known_vector) for fact, known_vector in known if known_vector] + [*made]
        return await asyncio.to_thread(_nearest, every, encoded(vector))

    async def _made(self, embedder: Embedder, facts: Sequence[Fact]) -> Sequence[tuple[Fact, bytes]]:
        """Return facts with new vectors, which are kept beside them."""
        if not (some := facts[:_EMBEDDED_AT_ONCE]):
            return ()
        vectors = await embedder.embed([fact.text for fact in some])
        made = [(fact, encoded(vector)) for fact, vector in zip(some, vectors, strict=True)]
        await self.facts.keep_vectors(self.vectors_of, made)
        return made


def recalled(author: UserId, facts: Iterable[Fact]) -> Sequence[Recalled]:
    """Return what a turn notes of the facts that a person's plan was made with."""
    return [Recalled(author=author, fact=fact.id, outside=bool(fact.outside)) for fact in facts]


def encoded(vector: Sequence[float]) -> bytes:
    """Return a vector's direction in one byte per dimension: a fact holds it itself, and the order hardly changes."""
    length = hypot(*vector) or 1.0
    largest = max((abs(part) for part in vector), default=0.0) / length or 1.0
    return array("b", (round(part / length / largest * _LEVELS) for part in vector)).tobytes()


def similarity(one: bytes, other: bytes) -> float:
    """Return the cosine of the angle between two encoded vectors; 0 when they are of different models."""
    if len(one) != len(other) or not one:
        return 0.0
    a, b = array("b", one), array("b", other)
    lengths = (sum(part * part for part in a) * sum(part * part for part in b)) ** 0.5
    return sum(map(int.__mul__, a, b)) / (lengths or 1.0)


def _nearest(facts: Sequence[tuple[Fact, bytes]], asked: bytes) -> Sequence[Fact]:
    near = [(similarity(vector, asked) * fact.confidence, fact) for fact, vector in facts]
    near = [(score, fact) for score, fact in near if score >= _LEAST_SIMILARITY]
    return [fact for _, fact in sorted(near, key=lambda pair: -pair[0])][:SHOWN]


def _fused(*rankings: Sequence[Fact]) -> Sequence[Fact]:
    """Return all facts of several rankings, each once."""
    scores: dict[Fact, float] = {}
    for ranking in rankings:
        for rank, fact in enumerate(ranking):
            scores[fact] = scores.get(fact, 0.0) + 1 / (_RANKS + rank)
    return sorted(scores, key=lambda fact: -scores[fact])
