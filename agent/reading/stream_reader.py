"""Reads a model's output, or a file, as a plan while its text is still arriving.

Objects are cut out of the text by their brackets, so one per line, pretty-printed ones, a list,
`{"operations": [...]}` and code fences all read the same; prose and a model's `<think>` are skipped.
After a broken object reading starts again at the next one.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import TypeAlias, cast

from agent.limits import DEFAULT_LIMITS, PlanLimits
from agent.reading.operation_reader import Ask, NeedTools, Reply, read_operation
from agent.reading.plan_builder import Placed
from agent.reading.validation import Fault, FaultCode
from sandbox.script import Json

Item: TypeAlias = Placed | Reply | Ask | NeedTools | Fault

_WRAPPER = re.compile(r'\{\s*"operations"\s*:\s*\[')
_WRAPPER_CHARACTERS = 64
_CLOSES = {"{": "}", "[": "]"}
_OPENS_AFTER = {"{": ":", "[": "[,"}
"""By the bracket that is open, the characters after which another one may open."""


class _At(Enum):
    """Where the reader is."""

    OUTSIDE = auto()
    OBJECT = auto()
    #: Inside a string of an object.
    STRING = auto()
    #: In a string, behind a backslash with which the chunk or the line ended.
    ESCAPED = auto()
    #: Inside a model's `<think>`.
    THOUGHT = auto()
    #: After a broken object, before a line that begins with `{`.
    BROKEN = auto()
    #: Past the most characters that are read.
    FULL = auto()


_INSIDE = (_At.OBJECT, _At.STRING, _At.ESCAPED)

_MARK = {
    _At.OUTSIDE: re.compile(r"\{|(?<=<think)>|\A[think]{0,5}>"),
    _At.OBJECT: re.compile(r'["{}\[\]]'),
    _At.STRING: re.compile(r'(?>(?:[^"\\\n]++|\\.)+)|["\\\n]'),
    _At.ESCAPED: re.compile(r".", re.DOTALL),
    _At.THOUGHT: re.compile(r"(?<=</think)>|\A/?[think]{0,5}>"),
    _At.BROKEN: re.compile(r"\{|\s++"),
}
"""What can change where the reader is: a character, a string's text, or the end of a tag that a chunk begins with."""

_TO_LINE_WITH_BRACKET = re.compile(r"[^\n]*+(?>(?:\n\s*+(?=[^\s{])[^\n]*+)*)(?:\n\s*+)?")
"""The rest of a line, and the lines behind it that do not begin with `{`."""

_TO_BRACKET = re.compile(r'((?>(?:[^"{}\[\]]++|"(?>(?:[^"\\\n]++|\\.)*)")*))(\[++|[{}\]]|"(?>(?:[^"\\\n]++|\\.)*)|)')
"""Whole strings of an object and what is between them, and the bracket behind them: as many `[` as stand together,
or a string that does not end."""

_ID = re.compile(r'"id"\s*+:\s*+"([A-Za-z0-9][A-Za-z0-9_-]{0,63})"')
_ID_CHARACTERS = 2_000
"""How far into a broken object its id is looked for."""

_MOST_FAULTS = 200
"""More than a repair can use: the text is no plan."""


def read_plan_text(text: str, limits: PlanLimits = DEFAULT_LIMITS, *, printed: bool = False) -> tuple[Item, ...]:
    """Return the items of a whole text, in order. `printed`: it may be a plan that we printed."""
    reader = PlanStreamReader(limits, printed=printed)
    return (*reader.feed(text), *reader.finish())


class PlanStreamReader:
    """Reads a plan from chunks of text that are cut anywhere."""

    def __init__(self, limits: PlanLimits = DEFAULT_LIMITS, *, printed: bool = False) -> None:
        self._limits = limits
        self._printed = printed
        self._taken = 0
        self._line = 1
        self._line_blank = True
        self._faults = 0
        self._recent = ""
        self._enter("")
        self._at = _At.OUTSIDE

    @property
    def full(self) -> bool:
        """Whether the text is longer than allowed. Then nothing more is read."""
        return self._at is _At.FULL

    def feed(self, chunk: str) -> Iterator[Item]:
        """Yield the items that are complete with this chunk. The iterator must be used up before the next chunk."""
        room = self._limits.text_characters - self._taken
        self._taken += len(chunk)
        at = 0
        while at < min(len(chunk), room) and self._at is not _At.FULL:
            if self._at is _At.OBJECT and (end := self._nested(chunk, at, room)) > at:
                piece, items = chunk[at:end], self._grow(chunk[at:end])
            else:
                # A mark, or text up to the next one, in which nothing can change but the size.
                lost = self._at is _At.BROKEN and not self._line_blank
                mark = (_TO_LINE_WITH_BRACKET if lost else _MARK[self._at]).search(chunk, at, room)
                piece = chunk[at : room if mark is None else mark.end() if mark.start() == at else mark.start()]
                items = self._take(piece)
            at += len(piece)
            for item in items:
                yield item
                self._faults += isinstance(item, Fault)
                if self._faults > _MOST_FAULTS:
                    yield self._full(f"the output has more than {_MOST_FAULTS} faults")
                    return
            if (line := piece.rfind("\n")) >= 0:
                self._line += piece.count("\n")
                self._line_blank = True
            self._line_blank = self._line_blank and not piece[line + 1 :].strip()
        if len(chunk) > room and self._at is not _At.FULL:
            yield self._full(f"the output is longer than {self._limits.text_characters} characters")

    def finish(self) -> Iterator[Item]:
        """Yield a fault for an object that never ended."""
        if self._at in _INSIDE:
            yield self._fault(FaultCode.UNFINISHED, "the text ends inside this object")
        self._at = _At.FULL

    def _full(self, why: str) -> Fault:
        self._at = _At.FULL
        return Fault(code=FaultCode.TOO_LARGE, message=f"{why}; the rest is left out", line=self._line)

    def _take(self, piece: str) -> Iterable[Item]:
        """Read one mark, or a piece of text without any."""
        match self._at:
            case _At.OBJECT:
                return self._grow(piece, self._in_object)
            case _At.STRING | _At.ESCAPED:
                return self._grow(piece, self._in_string)
            case _At.OUTSIDE | _At.THOUGHT:
                self._recent = (self._recent + piece[-8:])[-8:]
                if self._at is _At.THOUGHT:
                    self._at = _At.OUTSIDE if self._recent == "</think>" else _At.THOUGHT
                elif piece == "{":
                    self._enter(piece)
                elif self._recent.endswith("<think>"):
                    self._at = _At.THOUGHT
            case _At.BROKEN:
                if piece == "{" and self._line_blank:
                    self._enter(piece)
            case _At.FULL:
                pass
        return ()

    def _nested(self, chunk: str, at: int, room: int) -> int:
        """Follow brackets and whole strings inside the object; return where a mark stands that does more.

        One short loop instead of a mark at a time: a text may hold nothing but brackets.
        """
        opened, previous = self._open, self._previous
        room = min(room, at + self._limits.operation_bytes - self._size + 1)
        while True:
            found = _TO_BRACKET.match(chunk, at, room)
            between, bracket = found.groups() if found else ("", "")
            if between:
                at += len(between)
                previous = between.rstrip()[-1:] or previous
            if bracket[:1] in _CLOSES and previous in _OPENS_AFTER[opened[-1]] and len(opened) > 1:
                opened += bracket
            elif bracket == _CLOSES[opened[-1]] and len(opened) > 1:
                opened.pop()
            else:
                self._previous = previous
                return at
            previous = bracket[0]
            at += len(bracket)

    def _grow(self, piece: str, take: Callable[[str], Iterable[Item]] = lambda _: ()) -> Iterable[Item]:
        """Add to the object, and read the piece that may change more than its nesting."""
        self._text.append(piece)
        self._size += len(piece)
        items = take(piece)
        if self._at in _INSIDE and self._size > self._limits.operation_bytes:
            return (self._broken(f"longer than {self._limits.operation_bytes} characters", FaultCode.TOO_LARGE),)
        return items

    def _enter(self, opening: str) -> None:
        """Begin an object."""
        self._at = _At.OBJECT
        self._text = [opening]
        self._size = len(opening)
        self._open = [opening]
        self._start = self._line
        self._previous = opening

    def _in_object(self, piece: str) -> Iterable[Item]:
        found: Iterable[Item] = ()
        match piece[0]:
            case '"':
                self._at = _At.STRING
            case "{" | "[" if self._previous not in _OPENS_AFTER[self._open[-1]]:
                found = [self._broken("a bracket opens where none may; is the one before it closed?")]
                if piece == "{":
                    self._enter(piece)
            case "{" | "[":
                self._open.append(piece)
                self._unwrap()
            case "}" | "]" if piece != _CLOSES[self._open[-1]]:
                found = [self._broken(f"{piece!r} closes what {self._open[-1]!r} opened")]
            case "}" | "]":
                self._open.pop()
                if not self._open:
                    self._at = _At.OUTSIDE
                    found = self._read("".join(self._text))
            case _:
                pass
        self._previous = piece.rstrip()[-1:] or self._previous
        return found

    def _unwrap(self) -> None:
        if len(self._open) == 2 and self._size <= _WRAPPER_CHARACTERS and _WRAPPER.fullmatch("".join(self._text)):
            self._at = _At.OUTSIDE

    def _in_string(self, piece: str) -> Iterable[Item]:
        if self._at is _At.ESCAPED:
            self._at = _At.STRING
        elif piece == "\\":
            self._at = _At.ESCAPED
        elif piece == '"':
            self._at = _At.OBJECT
            self._previous = '"'
        elif piece == "\n":
            return [self._broken("a text holds a line break; write it as \\n, and close the text")]
        return ()

    def _broken(self, message: str, code: FaultCode = FaultCode.NOT_JSON) -> Fault:
        fault = self._fault(code, message)
        self._at = _At.BROKEN
        return fault

    def _fault(self, code: FaultCode, message: str) -> Fault:
        """Return a fault of the object that is being read, with the id that stands in it."""
        named = _ID.search("".join(self._text)[:_ID_CHARACTERS])
        return Fault(code=code, message=message, line=self._start, node=named[1] if named else "")

    def _read(self, text: str) -> Iterator[Item]:
        try:
            value: object = json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            yield self._fault(FaultCode.NOT_JSON, "nested too deep")
        except ValueError as error:
            yield self._fault(FaultCode.NOT_JSON, f"not JSON: {error}")
        else:
            yield from self._items(cast("Mapping[str, Json]", value))

    def _items(self, value: Mapping[str, Json]) -> Iterator[Item]:
        operations = value.get("operations")
        if "op" in value or not isinstance(operations, list):
            yield self._item(value)
            return
        for operation in operations:
            if isinstance(operation, Mapping):
                yield self._item(operation)
            else:
                yield Fault(code=FaultCode.BAD_OP, message="an operation is an object", line=self._start)

    def _item(self, value: Mapping[str, Json]) -> Item:
        read = read_operation(value, self._start, self._limits, printed=self._printed)
        if isinstance(read, Reply | Ask | NeedTools | Fault):
            return read
        return Placed(operation=read, line=self._start)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
