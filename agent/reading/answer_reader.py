"""Reads a model's plan as what it really is: JSON, or the plan language. The first line that is no prose decides."""

import re
from collections.abc import Iterator, Mapping, Sequence

from agent.ids import NodeId
from agent.limits import DEFAULT_LIMITS, PlanLanguage, PlanLimits
from agent.plan.operations import Node
from agent.reading.plan_builder import PlanBuilder
from agent.reading.plan_language.lines import is_statement
from agent.reading.plan_language.names import ThreadNodes
from agent.reading.plan_language.reader import PythonReader
from agent.reading.plan_language.statements import Item, Scope
from agent.reading.stream_reader import PlanStreamReader
from agent.tool import Registry

_JSON = re.compile(r"""\A(?:(?:[-*]|\d++[.)])[ \t]++)?(?:\[\s*+)?\{\s*+(?:["'{]|\Z)""")
"""How a line begins that begins a plan in JSON. A bracket alone does not show it: a comprehension begins so, too."""

_OPERATION = re.compile(r"""\{\s*+["']op["']\s*+:""")
"""An operation, perhaps behind prose on its line. In an argument of a call it is a value: JSON Patch has `op`, too."""

_LINE = re.compile(r"\r\n?|\n")
_BEGINNING = 200
"""How much of a line that has not ended is looked at: a JSON object may be one line, which starts its node at once."""

_UNDECIDED = 64 * 1024
"""How much prose there may be before a plan."""


class AnswerReader:
    """Reads a plan from chunks of text that are cut anywhere.

    `language` is how a text is read that does not show it. `scope` is what earlier answers of the same planning named.
    """

    def __init__(
        self,
        registry: Registry,
        thread: ThreadNodes,
        limits: PlanLimits = DEFAULT_LIMITS,
        *,
        language: PlanLanguage = PlanLanguage.JSON,
        scope: Scope | None = None,
        printed: bool = False,
    ) -> None:
        self._json = PlanStreamReader(limits, printed=printed)
        self._python = PythonReader(registry, thread, limits, scope=scope, printed=printed)
        self._default = self._json if language is PlanLanguage.JSON else self._python
        self._chosen: PlanStreamReader | PythonReader | None = None
        #: The text so far, until the language is known.
        self._held: list[str] = []
        self._held_size = 0
        self._row = ""
        self._in_thought = False

    @property
    def full(self) -> bool:
        """Whether the text is longer than allowed. Then nothing more is read."""
        return self._chosen is not None and self._chosen.full

    def feed(self, chunk: str) -> Iterator[Item]:
        """Yield the items that are complete with this chunk. The iterator must be used up before the next chunk."""
        if self._chosen is not None:
            yield from self._chosen.feed(chunk)
            return
        self._held.append(chunk)
        self._held_size += len(chunk)
        self._chosen = self._decided(chunk)
        if self._chosen is None and self._held_size > _UNDECIDED:
            self._chosen = self._default
        if self._chosen is not None:
            yield from self._read_held()

    def finish(self) -> Iterator[Item]:
        """Yield the last items, and a fault for what never ended."""
        if self._chosen is None:
            self._chosen = self._language_of(self._row) or self._default
            yield from self._read_held()
        yield from self._chosen.finish()

    def _read_held(self) -> Iterator[Item]:
        assert self._chosen is not None  # noqa: S101 -- decided before
        for piece in self._held:
            yield from self._chosen.feed(piece)
        self._held.clear()

    def _decided(self, chunk: str) -> PlanStreamReader | PythonReader | None:
        *rows, rest = _LINE.split(chunk)
        for row in rows:
            chosen = self._language_of(self._row + row)
            self._row = ""
            if chosen is not None:
                return chosen
        if len(self._row) < _BEGINNING:
            self._row += rest
            beginning = self._row.lstrip()
            if not self._in_thought and len(beginning) > 1 and _JSON.match(beginning):
                return self._json
        else:
            self._row += rest[: _UNDECIDED - len(self._row)]
        return None

    def _language_of(self, row: str) -> PlanStreamReader | PythonReader | None:
        """Return the reader for the language of a whole line; None when it does not show it."""
        if self._in_thought:
            _, end, row = row.partition("</think>")
            self._in_thought = not end
        before, thought, after = row.partition("<think>")
        if thought:
            _, end, after = after.partition("</think>")
            self._in_thought = not end
            row = before + after
        stripped = row.strip().removeprefix("\ufeff")
        if _JSON.match(stripped):
            return self._json
        operation = None if stripped.startswith("#") else _OPERATION.search(stripped)
        if operation is not None and not is_statement(stripped[: operation.start()]):
            return self._json
        return self._python if stripped != "[" and is_statement(stripped) else None


def read_answer(
    text: str,
    registry: Registry,
    limits: PlanLimits = DEFAULT_LIMITS,
    *,
    printed: bool = False,
    known: Mapping[NodeId, Node] | None = None,
) -> Sequence[Item]:
    """Return the items of a whole text, in order, without admitting them to a plan, which may refer to `known`."""
    reader = AnswerReader(registry, PlanBuilder(registry=registry, known=known or {}), limits, printed=printed)
    return (*reader.feed(text), *reader.finish())
