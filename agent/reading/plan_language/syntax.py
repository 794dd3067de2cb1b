"""Parses one line of the plan language, and says where in the text a part of it stands."""

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from agent.packing.script_checks import MOST_TOKENS, is_dense
from agent.reading.plan_language.lines import Line
from agent.reading.validation import FaultCode

_DEPTH = 150
_BODY = "\n pass"
_WORD = re.compile(r"\w++")
_BLOCKS = frozenset({"if", "elif", "else", "for", "while", "with", "try", "match", "class"})
_SAME_WIDTH: Mapping[str, str] = {"elif": "if  ", "else": "if 1"}
"""A branch that goes on with another one -> an `if` of the same width, which parses alone."""


class NotInLanguage(Exception):
    """Something that the plan language does not have; never leaves the reader."""

    def __init__(
        self, message: str, part: ast.AST | None = None, *, code: FaultCode = FaultCode.BAD_STATEMENT, pointer: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.part = part
        self.code = code
        self.pointer = pointer


class SyntaxWrong(Exception):
    """The text is no Python."""

    def __init__(self, message: str, place: tuple[int, int], code: FaultCode) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Source:
    """One logical line, as a place for faults."""

    line: Line

    def place(self, part: ast.AST | None = None) -> tuple[int, int]:
        """Return line and column of a part, from 1; of the whole without one."""
        number, column = getattr(part, "lineno", 1), getattr(part, "col_offset", 0)
        row = self.line.text.split("\n")[number - 1 : number]
        characters = len("".join(row).encode(errors="replace")[:column].decode(errors="ignore"))
        return self.at(number, characters + 1)

    def at(self, row: int, column: int) -> tuple[int, int]:
        """Return where a row and a column of the line stand in the text."""
        return self.line.number + row - 1, column + (self.line.margin if row == 1 else 0)


def statements_of(line: Line) -> list[ast.stmt]:
    """Return the statements of a line; of a block's header that stands alone, the block with a body of `pass`.

    Raises:
        SyntaxWrong: it is no Python, or too dense or nested too deep to be looked into.
    """
    source = Source(line=line)
    if is_dense(line.text):
        message = f"this has more than {MOST_TOKENS} words and signs; write it in parts"
        raise SyntaxWrong(message, source.place(), FaultCode.TOO_LARGE)
    word = next(
        (word for word in _BLOCKS if line.text.startswith(word) and not line.text[len(word) :][:1].isalnum()), ""
    )
    text = _SAME_WIDTH.get(word, word) + line.text[len(word) :]
    try:
        module = _parsed_block(text) if word else _parsed(text)
    except SyntaxError as error:
        message = f"not Python: {error.msg}"
        raise SyntaxWrong(
            message, source.at(error.lineno or 1, max(1, error.offset or 1)), FaultCode.NOT_PYTHON
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise SyntaxWrong("not Python, or nested too deep", source.place(), FaultCode.NOT_PYTHON) from None
    if not _is_shallow(module):
        raise SyntaxWrong("nested too deep", source.place(), FaultCode.NOT_PYTHON)
    return module.body


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings(action="ignore"):  # of a model's odd escapes
        return ast.parse(text)


def _parsed_block(text: str) -> ast.Module:
    try:
        return _parsed(text + _BODY)
    except SyntaxError as error:
        first = error
    try:
        return _parsed(text)
    except IndentationError:
        raise first from None


def _is_shallow(module: ast.Module) -> bool:
    level: list[ast.AST] = [module]
    for _ in range(_DEPTH):
        level = [child for parent in level for child in ast.iter_child_nodes(parent)]
        if not level:
            return True
    return False


def described(part: ast.AST) -> str:
    """Return what a part is, for a fault."""
    return _DESCRIPTIONS.get(type(part), "this")


_DESCRIPTIONS: Mapping[type[ast.AST], str] = {
    ast.BinOp: "a calculation",
    ast.BoolOp: "and/or",
    ast.Compare: "a comparison",
    ast.UnaryOp: "a calculation",
    ast.IfExp: "if/else in a value",
    ast.Lambda: "a lambda",
    ast.Set: "a set",
    ast.SetComp: "a set",
    ast.DictComp: "a comprehension with keys",
    ast.ListComp: "a comprehension",
    ast.GeneratorExp: "a generator",
    ast.Starred: "a star",
    ast.Slice: "a slice",
    ast.NamedExpr: "an assignment in a value",
    ast.AugAssign: "a changed value",
    ast.While: "while",
    ast.With: "with",
    ast.AsyncWith: "with",
    ast.Try: "try",
    ast.Match: "match",
    ast.ClassDef: "a class",
    ast.Return: "return",
    ast.Raise: "raise",
    ast.Assert: "assert",
    ast.Delete: "del",
    ast.Global: "global",
    ast.Nonlocal: "nonlocal",
    ast.Constant: "a value",
    ast.JoinedStr: "a text",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Dict: "an object",
    ast.Name: "a name",
    ast.Attribute: "a field",
    ast.Subscript: "a field",
}
