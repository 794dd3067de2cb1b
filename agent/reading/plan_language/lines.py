"""Cuts a model's text into logical lines of the plan language while it arrives: statements, blocks' headers, functions.

It knows strings, brackets, comments and indentation, and nothing of what they mean. Each character is looked at once.
Prose, code fences and a model's `<think>` are passed over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.limits import PlanLimits

MOST_BRACKETS = 64
"""How many brackets may be open at once."""

_TAB = 8
_TOKEN = re.compile(
    r"""
    (?P<comment>\#.*)
    | (?P<triple>\"{3}|'{3})
    | (?P<string>"(?>(?:[^"\\]|\\.)*)["\\]?|'(?>(?:[^'\\]|\\.)*)['\\]?)
    | (?P<quoted>[“”„](?>(?:[^“”"\\]|\\.)*)[“”"]?|[‘’‚](?>(?:[^‘’'\\]|\\.)*)[‘’']?)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    """,
    re.VERBOSE,
)
_LINE_END = re.compile(r"\r\n?|\n")
_WORD = r"[^\W\d]\w*+"
_STATEMENT = re.compile(
    rf"""\A(?:
    @{_WORD}
    | (?>(?:async[ \t]++)?)def[ \t]++{_WORD}[ \t]*+\(
    | (?:if|elif|while|with|async|match|class|except)\b.*[:(\[{{,\\] | for\b.*\bin\b
    | (?:else|try|finally)[ \t]*+: | (?:pass|\.\.\.)[ \t]*+(?:$|[\#;])
    | import[ \t]++[\w.]++[ \t]*+(?:$|[,\#;]|as\b) | from[ \t]++[\w.]++[ \t]++import\b
    | (?:assert|raise|return|del|global|nonlocal|yield)\b.*[.()\[\]]
    | {_WORD}[ \t]*+(?>(?::[^=:]++)?)[-+*/%@&|^<>:]*+=(?!=)
    | [\w.,*'"()\[\] \t-]++=(?!=)
    | (?>(?:await[ \t]++)?){_WORD}(?>(?:\.\w++)*)(?:\(|[ \t]++\(.*(?:=|\)[ \t]*+$))
    | (?>(?:await[ \t]++)?)(?:node|tool)\[
    | \[[ \t]*+(?>(?:await[ \t]++)?){_WORD}[.(\[] | \[[ \t]*+$ | \{{[ \t]*+["'}}]
    | [rRuU]?+(?:\"{{3}}|'{{3}})
    )""",
    re.VERBOSE,
)
"""How a line begins that is no prose, as far as its first row shows."""

_BEGINS = re.compile(
    rf"\A(?:(?:{_WORD}|node\[.*?\])[ \t]++=[ \t]++(?:await[ \t]++)?\[?[\w.]++[(\[]|"
    r"(?:if|elif|for)\b.*:[ \t]*$|else[ \t]*:|(?:async[ \t]++)?def\b|(?:reply|cancel|ask)\(|```)"
)
"""How a line begins that cannot go on inside a bracket: the one before was never closed."""

_FUNCTION = re.compile(r"\A(?:@|(?>(?:async[ \t]++)?)def\b)")
_THOUGHT = "<think>"
_THOUGHT_END = "</think>"
_TRIPLE_END = {
    '"""': re.compile(r'(?>(?:[^"\\]++|\\.|"(?!""))*)(?P<end>""")?'),
    "'''": re.compile(r"(?>(?:[^'\\]++|\\.|'(?!''))*)(?P<end>''')?"),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A statement, the header of a block, or a whole function."""

    #: Without the indentation of its first line.
    text: str
    #: The number of its first line in the text, from 1.
    number: int
    #: The columns of its indentation.
    indent: int
    #: The characters of its indentation.
    margin: int
    #: The comment behind it, or behind its first line; empty without one.
    comment: str = ""
    #: Why it cannot be read; empty when it can be tried.
    broken: str = ""
    #: Whether it is the text's size that makes it unreadable.
    too_large: bool = False

    @property
    def is_function(self) -> bool:
        """Return whether it is a function."""
        return _FUNCTION.match(self.text) is not None


def is_statement(line: str) -> bool:
    """Return whether a line looks like a statement of the language, not like prose."""
    return _STATEMENT.match(line.lstrip()) is not None


@dataclass(kw_only=True)
class _Open:
    """A logical line that is not complete."""

    number: int
    indent: int
    margin: int
    is_function: bool
    rows: list[str] = field(default_factory=list[str])
    size: int = 0
    depth: int = 0
    #: The quotes that end the text in which the last row ended.
    quotes: str = ""
    #: The last row goes on behind a backslash.
    goes_on: bool = False
    comment: str = ""
    first_comment: str = ""

    @property
    def is_inside(self) -> bool:
        """Return whether the next row can only be a part of this line."""
        return self.depth > 0 or bool(self.quotes) or self.goes_on


class LineCutter:
    """Cuts text that arrives in chunks of any size."""

    def __init__(self, limits: PlanLimits) -> None:
        self._limits = limits
        self._number = 0
        self._tail: list[str] = []
        self._tail_size = 0
        self._held_return = False
        self._open: _Open | None = None
        self._in_thought = False
        #: The number of the first line of prose; 0 without any.
        self.prose = 0

    @property
    def number(self) -> int:
        """Return the number of the line that is being read."""
        return self._number + 1

    def feed(self, chunk: str) -> Iterator[Line]:
        """Yield the logical lines that are complete with this chunk."""
        if self._held_return:
            chunk = "\r" + chunk
        self._held_return = chunk.endswith("\r")
        if self._held_return:
            chunk = chunk[:-1]
        at = 0
        for end in _LINE_END.finditer(chunk):
            self._keep(chunk[at : end.start()])
            at = end.end()
            yield from self._row()
        self._keep(chunk[at:])

    def finish(self) -> Iterator[Line]:
        """Yield what is left at the end of the text; an unfinished line is a broken one."""
        self._held_return = False
        if self._tail:
            yield from self._row()
        if self._open is not None:
            yield self._cut("the text ends inside it" if self._open.is_inside else "")

    def _keep(self, piece: str) -> None:
        # A row that is too long is not kept: it may never end.
        if piece and self._tail_size <= self._limits.line_characters:
            self._tail.append(piece)
        self._tail_size += len(piece)

    def _row(self) -> Iterator[Line]:
        """Read the row that has ended."""
        row = "".join(self._tail)
        is_too_long = self._tail_size > self._limits.line_characters
        self._tail, self._tail_size = [], 0
        self._number += 1
        if self._number == 1:
            row = row.removeprefix("\ufeff")
        if not is_too_long:
            yield from self._read(row)
        elif self._open is not None or not self._passed_over(row.strip()):
            yield self._refused(row)

    def _refused(self, row: str) -> Line:
        most = self._limits.line_characters
        if self._open is None:
            self._begin(row)
        return self._cut(f"line {self._number} has more than {most} characters; write the text in parts", large=True)

    def _read(self, row: str) -> Iterator[Line]:
        stripped = row.strip()
        if self._in_thought or ((self._open is None or not self._open.is_inside) and stripped.startswith(_THOUGHT)):
            _, end, row = row.partition(_THOUGHT_END)
            self._in_thought = not end
            stripped = row.strip()
        if self._open is not None and self._ends_before(row, stripped):
            yield self._cut("a bracket in it is never closed" if self._open.depth else "")
        if self._open is None:
            if self._passed_over(stripped):
                return
            self._begin(row)
        elif stripped.startswith("```") and not self._open.quotes:
            return
        yield from self._scan(row)

    def _ends_before(self, row: str, stripped: str) -> bool:
        """Return whether the open line ends before this row."""
        opened = self._open
        assert opened is not None  # noqa: S101 -- asked of an open line only
        if opened.quotes or opened.goes_on or not stripped:
            return False
        if opened.depth:
            return _indent(row) <= opened.indent and _BEGINS.match(stripped) is not None
        if all(line.lstrip().startswith("@") for line in opened.rows):
            return False
        return _indent(row) <= opened.indent and not stripped.startswith("#")

    def _passed_over(self, stripped: str) -> bool:
        """Return whether the row is blank, a comment, a fence or prose."""
        if not stripped or stripped.startswith(("#", "```", "~~~")):
            return True
        if _STATEMENT.match(stripped) is not None:
            return False
        self.prose = self.prose or self._number
        return True

    def _begin(self, row: str) -> None:
        text = row.lstrip(" \t\f")
        self._open = _Open(
            number=self._number,
            indent=_indent(row),
            margin=len(row) - len(text),
            is_function=_FUNCTION.match(text) is not None,
        )

    def _scan(self, row: str) -> Iterator[Line]:
        """Add a row to the open line, and yield the line when that completes it."""
        opened = self._open
        assert opened is not None  # noqa: S101 -- begun before
        row = row if opened.rows else row[opened.margin :]
        opened.goes_on = False
        parts: list[str] = []
        at = 0
        opened.comment = ""
        while at < len(row):
            at = self._in_text(opened, row, at, parts) if opened.quotes else self._outside(opened, row, at, parts)
        opened.rows.append("".join(parts))
        opened.size += len(row) + 1
        if len(opened.rows) == 1:
            opened.first_comment = opened.comment
        if opened.depth > MOST_BRACKETS:
            yield self._cut(f"brackets are nested deeper than {MOST_BRACKETS} levels", large=True)
        elif opened.size > self._limits.operation_bytes:
            yield self._cut(f"longer than {self._limits.operation_bytes} characters", large=True)
        elif not opened.is_inside and not opened.is_function:
            yield self._cut("")

    def _in_text(self, opened: _Open, row: str, at: int, parts: list[str]) -> int:
        """Read on in a text of several rows, and return where it stops."""
        found = _TRIPLE_END[opened.quotes].match(row, at)
        assert found is not None  # noqa: S101 -- it matches nothing, too
        end = found.end()
        if found["end"]:
            opened.quotes = ""
        else:
            end = len(row)  # at most a backslash is left
        parts.append(row[at:end])
        return end

    def _outside(self, opened: _Open, row: str, at: int, parts: list[str]) -> int:
        """Read up to the next token outside any text, and return where it ends."""
        found = _TOKEN.search(row, at)
        if found is None:
            parts.append(row[at:])
            opened.goes_on = row.endswith("\\")
            return len(row)
        parts.append(row[at : found.start()])
        token = found.group()
        match found.lastgroup:
            case "comment":
                opened.comment = token[1:].strip()
            case "triple":
                opened.quotes = token
            case "quoted":
                token = _with_plain_quotes(token)
            case "open":
                opened.depth += 1
            case "close":
                opened.depth = max(0, opened.depth - 1)
            case _:
                opened.goes_on = token.endswith("\\") and found.end() == len(row)
        parts.append(token)
        return found.end()

    def _cut(self, broken: str, *, large: bool = False) -> Line:
        """Return the open line, and leave none."""
        opened = self._open
        assert opened is not None  # noqa: S101 -- cut only when there is one
        self._open = None
        rows = opened.rows
        while len(rows) > 1 and (not rows[-1].strip() or _is_outer_comment(rows[-1], opened.indent)):
            rows.pop()
        return Line(
            text="\n".join(rows),
            number=opened.number,
            indent=opened.indent,
            margin=opened.margin,
            comment=opened.comment or opened.first_comment,
            broken=broken,
            too_large=large,
        )


def _indent(row: str) -> int:
    """Return the columns of a row's indentation; a tab goes on to the next multiple of 8, as in Python."""
    columns = 0
    for character in row:
        if character == " ":
            columns += 1
        elif character == "\t":
            columns += _TAB - columns % _TAB
        elif character != "\f":
            break
    return columns


def _is_outer_comment(row: str, indent: int) -> bool:
    return row.lstrip().startswith("#") and _indent(row) <= indent


def _with_plain_quotes(text: str) -> str:
    """Return a text in typographic quotes with plain ones."""
    quote = '"' if text[0] in "“”„" else "'"
    closed = len(text) > 1 and text[-1] in "“”\"‘’'"
    return quote + (text[1:-1] + quote if closed else text[1:])
