"""Which tools a model is shown: all where they are few, where they are many those that a request is likely to need.

Tools are found by the words of their names, descriptions and parameters (BM25), by words that these tools use beside
them (latent semantic indexing: "film" finds what says "movie"), and by vectors where an endpoint makes some. A prompt
stays about as long as with as many tools as are all shown, however many there are.
"""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from math import hypot, log
from statistics import mean
from typing import Any, Protocol, cast

from agent.errors import ModelUnavailable
from agent.ids import ToolName
from agent.plan.operations import canonical_json
from agent.tool import Colour, Registry, Tool
from sandbox.script import Json

ALL_SHOWN = 30
"""Up to so many tools a model is shown all of them."""

_ROOM = 1.44
"""The room for tools, names included, beside that of as many as are all shown."""

_WHOLE = 0.6
"""The part of it for schemas; the rest is for signatures."""

_MORE = 10
"""The room for schemas when a model asks for more tools, counted in tools of this installation's average."""

_SIGNATURE_CHARACTERS = 400
_VALUES_CHARACTERS = 40
"""The possible values that stand in a signature."""

_NAMES_CHARACTERS = 16 * 1024
"""The room for the names of all tools. Where they need more, only those of likely ones are shown."""

_NAMED = 200
"""How many likely tools are named where not all are."""

_FIRST = 12
"""How many tools are shown because the plan so far uses them."""

_TEXT_CHARACTERS = 16 * 1024
"""How much of a request is searched with."""

_TOPICS = 50
"""The dimensions of latent semantic indexing (Deerwester et al., JASIS 1990)."""

_MOST_WITH_TOPICS = 2_000
"""Tools of which topics are made: the time that takes grows with the third power of their number."""

_NOTHING = 1e-4
"""A square of a singular value that is none but for rounding."""

_SCHEMA_LEVELS = 16
_EMBEDDED_CHARACTERS = 2_000
_MEANING = 2.0
"""How much more a vector's similarity counts than that of words: models that make vectors know what words mean."""

_EMBED_SECONDS = 10.0
_EMBED_AGAIN_SECONDS = 300.0
"""How long vectors are done without after their endpoint failed."""

_MOST_PARTS = 32
"""Searches among some of the tools that are kept."""

_log = logging.getLogger(__name__)

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORDLIKE = re.compile(r"\w")
_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Characters of scripts without spaces between words, or with endings that are written together."""


class Embedder(Protocol):
    """Makes vectors of texts; those of similar texts point the same way."""

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return a vector for each text.

        Raises:
            ModelUnavailable: the endpoint is away.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ShownTools:
    """The tools that one request shows, each list by name: the order does not depend on how likely they are."""

    #: With their schemas.
    whole: Sequence[Tool] = ()
    #: By their signatures.
    briefly: Sequence[Tool] = ()
    #: By name, where not every request shows the names of all.
    named: Sequence[Tool] = ()


def names_of_all(registry: Registry) -> Sequence[ToolName]:
    """Return the names of all tools in their order, none where they are too many to be shown."""
    names = sorted(tool.name for tool in registry)
    return names if sum(map(len, names)) + 2 * len(names) <= _NAMES_CHARACTERS else ()


def signature(tool: Tool) -> str:
    """Return a tool's name with its arguments in one line; `?` stands behind those that may be left out."""
    properties, needed = tool.arguments.get("properties"), tool.arguments.get("required")
    named = properties.items() if isinstance(properties, Mapping) else ()
    parts = [
        f"{name}{'' if isinstance(needed, list | tuple) and name in needed else '?'}{_kind(schema)}"
        for name, schema in named
    ]
    # In one line whatever a schema holds: it may be a stranger's.
    text = " ".join(f"{tool.name}({', '.join(parts)})".split())
    text = text if len(text) <= _SIGNATURE_CHARACTERS else f"{text[: _SIGNATURE_CHARACTERS - 1]}…"
    return text + ("" if tool.colour is Colour.GREEN else f" {tool.colour.value}")


def _kind(schema: Json) -> str:
    """Return what an argument may be, after a colon; empty for a text."""
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    values = schema.get("enum") if isinstance(schema, Mapping) else None
    if isinstance(values, list | tuple) and values:
        shown = "|".join(map(str, values[:_VALUES_CHARACTERS]))
        if len(shown) <= _VALUES_CHARACTERS:
            return f": {shown}"
    return "" if not isinstance(kind, str) or kind == "string" else f": {kind}"


class ToolSearch:
    """Finds the tools of a registry by need. The index is made once, at the first search."""

    def __init__(self, registry: Registry, embedder: Embedder | None = None) -> None:
        self.registry = registry
        self._embedder = embedder
        self._parts: dict[frozenset[ToolName], ToolSearch] = {}
        self._indexing = asyncio.Lock()
        self._index: _Index | None = None
        self._vectors: Sequence[Sequence[float]] | None = None
        self._no_vectors_before = 0.0

    def among(self, names: frozenset[ToolName]) -> "ToolSearch":
        """Return the search among these tools alone."""
        if len(names) == len(self.registry):
            return self
        if names not in self._parts:
            if len(self._parts) >= _MOST_PARTS:
                self._parts.clear()
            some = Registry((tool for tool in self.registry if tool.name in names), self.registry.roles)
            self._parts[names] = ToolSearch(some, self._embedder)
        return self._parts[names]

    @property
    def shows_all(self) -> bool:
        """Whether there are so few tools that a model is shown all of them, and nothing is searched."""
        return len(self.registry) <= ALL_SHOWN

    async def likely(self, request: str, used: Iterable[ToolName] = ()) -> ShownTools:
        """Return the tools that a request is likely to need; `used` are those of the plan so far, the newest last."""
        first = list(dict.fromkeys(reversed(list(used))))[:_FIRST]
        names = sum(len(name) + 2 for name in names_of_all(self.registry))
        room = max(_ROOM * ALL_SHOWN * self._size - names, self._least)
        return self._shown(await self._ranked(request, first), room)

    async def more(self, need: str, besides: Collection[ToolName], briefly: Collection[ToolName] = ()) -> ShownTools:
        """Return the tools that fit a need in words, those left out whose schemas were shown before, and the
        signatures of `briefly`, too.
        """
        ranked = [tool for tool in await self._ranked(need, ()) if tool.name not in besides]
        return self._shown(ranked, self._least, briefly)

    async def ranked(self, text: str) -> Sequence[ToolName]:
        """Return the names of all, the best fit first."""
        return [tool.name for tool in await self._ranked(text, ())]

    def _shown(self, ranked: Sequence[Tool], room: float, besides: Collection[ToolName] = ()) -> ShownTools:
        whole, left = _fitting(ranked, room * _WHOLE, self._sizes)
        briefly, others = _fitting(
            [tool for tool in left if tool.name not in besides], room * (1 - _WHOLE), self._signatures
        )
        named = () if names_of_all(self.registry) else others[:_NAMED]
        return ShownTools(whole=_by_name(whole), briefly=_by_name(briefly), named=_by_name(named))

    @property
    def _least(self) -> float:
        """The least room that a request has for tools, however long the names are."""
        return _MORE * self._size / _WHOLE

    @cached_property
    def _size(self) -> float:
        return mean(self._sizes.values())

    @cached_property
    def _sizes(self) -> Mapping[ToolName, int]:
        return {tool.name: _size(tool) for tool in self.registry}

    @cached_property
    def _signatures(self) -> Mapping[ToolName, int]:
        return {tool.name: len(signature(tool)) + 1 for tool in self.registry}

    async def _ranked(self, text: str, first: Sequence[ToolName]) -> Sequence[Tool]:
        """Return all tools, those in front that the text names, then the `first`, then by how well they fit."""
        text = text[:_TEXT_CHARACTERS]
        index = await self._ready()
        ranking = await asyncio.to_thread(index.ranking, text, await self._similarities(text))
        named = [tool.name for tool in self.registry if _names(text, tool.name)]
        order = dict.fromkeys([*named, *first, *ranking])
        return [tool for name in order if (tool := self.registry.find(name)) is not None]

    async def _ready(self) -> "_Index":
        async with self._indexing:
            if self._index is None:
                self._index = await asyncio.to_thread(_Index, list(self.registry))
            return self._index

    async def _similarities(self, text: str) -> Sequence[float] | None:
        """Return how similar each tool is to the text; None without vectors."""
        now = asyncio.get_running_loop().time()
        if self._embedder is None or now < self._no_vectors_before:
            return None
        try:
            async with asyncio.timeout(_EMBED_SECONDS):
                vectors = await self._tool_vectors(self._embedder)
                [vector] = await self._embedder.embed([text[:_EMBEDDED_CHARACTERS]])
        except (ModelUnavailable, TimeoutError) as error:
            _log.warning("tools are searched by words alone for a while: %s", error or "no vectors in time")
            self._no_vectors_before = now + _EMBED_AGAIN_SECONDS
            return None
        return await asyncio.to_thread(_products, vectors, vector)

    async def _tool_vectors(self, embedder: Embedder) -> Sequence[Sequence[float]]:
        async with self._indexing:
            if self._vectors is None:
                self._vectors = _normed(await embedder.embed([_embedded(tool) for tool in self.registry]))
            return self._vectors


class _Index:
    """The words of all tools. A name, a description and parameters count each by itself: one that has many parameters
    is found by its name as easily as another. Making it takes a moment, so it is made in a thread.
    """

    def __init__(self, tools: Sequence[Tool]) -> None:
        # Here: numpy comes with it, which an installation with few tools never needs.
        import bm25s  # pyright: ignore[reportMissingTypeStubs]  # it has none
        from bm25s.stopwords import STOPWORDS_EN_PLUS  # pyright: ignore[reportMissingTypeStubs]  # it has none

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # importing it makes it tell everything
        self._names = [tool.name for tool in tools]
        self._stopwords: AbstractSet[str] = frozenset(STOPWORDS_EN_PLUS)
        self._stems = _stemmer()
        self._columns: list[Any] = []
        names, descriptions, parameters = (
            [self._words(text(tool)) for tool in tools] for text in (_name_text, _description_text, _parameters_text)
        )
        for column in (names, descriptions, parameters):
            words: Any = bm25s.BM25(k1=1.5, b=0.5)
            words.index([each or [""] for each in column], show_progress=False)
            self._columns.append(words)
        texts = [
            [*name, *name, *others, *more] for name, others, more in zip(names, descriptions, parameters, strict=True)
        ]
        self._topics = _Topics(texts) if len(tools) <= _MOST_WITH_TOPICS else None

    def ranking(self, text: str, similarities: Sequence[float] | None) -> Sequence[ToolName]:
        """Return the tools' names, the best fit first; those that fit equally in the registry's order."""
        words = list(dict.fromkeys(self._words(text)))
        scores = [0.0] * len(self._names)
        for column in self._columns:
            if known := [word for word in words if word in column.vocab_dict]:
                scores = _sums(scores, map(float, column.get_scores(known)))
        if self._topics is not None:
            best = max(scores) or 1.0
            scores = _sums([score / best for score in scores], self._topics.similarities(words))
        if similarities:
            least, range_ = min(similarities), max(similarities) - min(similarities) or 1.0
            scores = _sums(scores, (_MEANING * (similarity - least) / range_ for similarity in similarities))
        return [self._names[at] for at in sorted(range(len(scores)), key=lambda at: -scores[at])]

    def _words(self, text: str) -> list[str]:
        words = (word.lower() for found in _WORD.findall(_HUMP.sub(" ", text)) for word in _parts(found))
        return self._stems([word for word in words if word not in self._stopwords and len(word) > 1])


class _Topics:
    """Latent semantic indexing: tools whose words stand beside the same other words are near each other."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        import numpy

        self._numpy: Any = numpy
        counts = [Counter(words) for words in texts]
        tools_with = Counter(word for count in counts for word in count)
        self._weights = {word: log(1 + len(texts) / number) for word, number in tools_with.items()}
        self._places = {word: place for place, word in enumerate(self._weights)}
        matrix: Any = numpy.zeros((len(texts), max(len(self._places), 1)), dtype=numpy.float32)
        for row, count in enumerate(counts):
            for word, number in count.items():
                matrix[row, self._places[word]] = log(1 + number) * self._weights[word]
        matrix = self._normed(matrix)
        # The singular vectors of the largest values, by way of the smaller square matrix.
        squares, vectors = numpy.linalg.eigh(matrix @ matrix.T)
        kept = [at for at in range(len(texts))[-_TOPICS:] if squares[at] > _NOTHING]
        self._directions: Any = matrix.T @ vectors[:, kept] / numpy.sqrt(squares[kept])
        self._tools: Any = self._normed(matrix @ self._directions)

    def similarities(self, words: Sequence[str]) -> Iterable[float]:
        """Return how near each tool is to a text of these words: the cosine of their angle."""
        text: Any = self._numpy.zeros((1, self._directions.shape[0]), dtype=self._numpy.float32)
        for word in words:
            if (place := self._places.get(word)) is not None:
                text[0, place] = self._weights[word]
        return map(float, (self._tools @ self._normed(text @ self._directions).T)[:, 0])

    def _normed(self, rows: Any) -> Any:
        lengths = self._numpy.linalg.norm(rows, axis=1, keepdims=True)
        return rows / self._numpy.where(lengths == 0, 1, lengths)


def _stemmer() -> Callable[[list[str]], list[str]]:
    stemmer: Any = import_module("Stemmer").Stemmer("english")
    return stemmer.stemWords


def _sums(scores: Iterable[float], others: Iterable[float]) -> list[float]:
    return [score + other for score, other in zip(scores, others, strict=True)]


def _parts(word: str) -> Iterable[str]:
    """Return the word, or of a text without spaces each two characters that follow each other."""
    if len(word) < 3 or not _UNSPACED.search(word):
        return (word,)
    return (word[at : at + 2] for at in range(len(word) - 1))


def _normed(vectors: Sequence[Sequence[float]]) -> Sequence[Sequence[float]]:
    return [[part / (hypot(*vector) or 1.0) for part in vector] for vector in vectors]


def _products(vectors: Sequence[Sequence[float]], vector: Sequence[float]) -> Sequence[float]:
    return [sum(map(float.__mul__, other, vector)) for other in vectors]


def _names(text: str, name: ToolName) -> bool:
    """Return whether a text names a tool as it is written; a name of one plain word may mean anything."""
    if name.isalpha() and name.islower():
        return False
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        if not _WORDLIKE.match(text[at - 1 : at]) and not _WORDLIKE.match(text[end : end + 1]):
            return True
        at = text.find(name, at + 1)
    return False


def _name_text(tool: Tool) -> str:
    return tool.name


def _description_text(tool: Tool) -> str:
    return tool.description


def _parameters_text(tool: Tool) -> str:
    return "\n".join(_schema_texts(tool.arguments, 0))


def _schema_texts(schema: Json, level: int) -> Iterator[str]:
    """Yield the names, descriptions and possible values in a JSON Schema."""
    if level > _SCHEMA_LEVELS:
        return
    match schema:
        case Mapping():
            for key, inner in schema.items():
                if key == "properties" and isinstance(inner, Mapping):
                    yield from inner
                if key == "enum" and isinstance(inner, list | tuple):
                    yield from (value for value in inner if isinstance(value, str))
                elif key in ("description", "title") and isinstance(inner, str):
                    yield inner
                else:
                    yield from _schema_texts(inner, level + 1)
        case list() | tuple():
            for inner in schema:
                yield from _schema_texts(inner, level + 1)
        case _:
            return


def _embedded(tool: Tool) -> str:
    return f"{tool.name}: {tool.description}\n{_parameters_text(tool)}"[:_EMBEDDED_CHARACTERS]


def _size(tool: Tool) -> int:
    return len(tool.name) + len(tool.description) + len(canonical_json(cast("Json", tool.arguments)))


def _fitting(
    ranked: Sequence[Tool], room: float, sizes: Mapping[ToolName, int]
) -> tuple[Sequence[Tool], Sequence[Tool]]:
    """Return the first tools that fit into the room, at least one, and the others."""
    within: list[Tool] = []
    others: list[Tool] = []
    for tool in ranked:
        fits = (size := sizes[tool.name]) <= room or not within
        room -= size if fits else 0
        (within if fits else others).append(tool)
    return within, others


def _by_name(tools: Iterable[Tool]) -> Sequence[Tool]:
    return tuple(sorted(tools, key=lambda tool: tool.name))
