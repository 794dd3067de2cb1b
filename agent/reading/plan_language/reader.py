"""Reads a plan in the plan language while its text is still arriving: a small subset of Python, of which nothing runs.

Every statement is one operation, given out the moment its line is complete, with the conditions and the list of the
blocks around it. The result is the same operations and faults as `stream_reader.py` gives for JSON.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.ids import NodeId
from agent.limits import DEFAULT_LIMITS, PlanLimits
from agent.reading.plan_language.lines import Line, LineCutter
from agent.reading.plan_language.names import Loop, ThreadNodes
from agent.reading.plan_language.statements import Context, Item, Scope, Statements, fault_of
from agent.reading.plan_language.syntax import NotInLanguage, Source, SyntaxWrong, statements_of
from agent.reading.plan_language.values import Values, condition
from agent.reading.validation import Fault, FaultCode
from agent.tool import Registry
from sandbox.script import Json

_MOST_FAULTS = 200
"""More than a repair can use: the text is no plan."""

_MORE_STATEMENTS = 200
"""How many functions, replies, cancels and the like there may be beside the nodes."""

_MOST_BLOCKS = 16
_MOST_BRANCHES = 64
_DEFINED = re.compile(r"(?:async[ \t]++)?def[ \t]++(\w+)")
_CHANGED = re.compile(
    r"""\A(?:for\b)?[ \t(]*+(?P<names>[\w.,\[\]'" \t]{1,200}?)[ \t)]*+(?::[^:=]{0,200})?"""
    r"""(?:\bin\b|(?:\*\*|//|<<|>>|[-+*/%@&|^])?=(?!=))"""
)
"""What a line that cannot be parsed would assign, as far as its beginning shows."""

_EXACT = re.compile(r"""\Anode\[["']([\w-]{1,64})["']\]""")
_VARIABLE = re.compile(r"\A[ \t\[*]*+([^\W\d]\w*+)")
_BRANCH = re.compile(r"(?:elif|else)\b")
_OPENS = re.compile(r"(?:if|elif|else|for|async|while|with|try|except|finally|match|case|class)\b")


@dataclass(kw_only=True)
class _Block:
    """An open block."""

    #: Its first line.
    line: Line
    #: Whether what stands in it is left out, because the block itself could not be read.
    is_left_out: bool = False
    #: The conditions of this branch; each of them must hold.
    conditions: Sequence[str | Mapping[str, Json]] = ()
    #: The negated conditions of the branches above.
    negated: list[str | Mapping[str, Json]] = field(default_factory=list[str | Mapping[str, Json]])
    loop: Loop | None = None
    #: How many statements a loop has.
    statements: int = 0
    #: The columns of its statements' indentation, once known.
    body: int | None = None
    #: What the branches above assigned.
    branches: list[dict[str, tuple[NodeId, ...]]] = field(default_factory=list[dict[str, tuple[NodeId, ...]]])
    #: Whether its last branch is an `else`.
    is_closed: bool = False


class PythonReader:
    """Reads a plan from chunks of text that are cut anywhere.

    `scope` is what earlier answers of the same planning named; this one adds to it.
    """

    def __init__(
        self,
        registry: Registry,
        thread: ThreadNodes,
        limits: PlanLimits = DEFAULT_LIMITS,
        *,
        scope: Scope | None = None,
        printed: bool = False,
    ) -> None:
        self._limits = limits
        self._lines = LineCutter(limits)
        self._statements = Statements(registry, thread, limits, scope or Scope(), printed=printed)
        self._names = self._statements.names
        self._blocks: list[_Block] = []
        #: The columns of the text's left margin, once known.
        self._margin: int | None = None
        self._taken = 0
        self._faults = 0
        #: The assignments so far, each with the blocks around it.
        self._said: set[tuple[str, str]] = set()
        self._read_statements = 0
        self._is_full = False

    @property
    def full(self) -> bool:
        """Whether the text is longer than allowed. Then nothing more is read."""
        return self._is_full

    def feed(self, chunk: str) -> Iterator[Item]:
        """Yield the items that are complete with this chunk. The iterator must be used up before the next chunk."""
        room = self._limits.python_characters - self._taken
        self._taken += len(chunk)
        yield from self._read(self._lines.feed(chunk[: max(0, room)]))
        if len(chunk) > room and not self._is_full:
            yield self._full(f"the output is longer than {self._limits.python_characters} characters")

    def finish(self) -> Iterator[Item]:
        """Yield the last items, and a fault for a line that never ended."""
        yield from self._read(self._lines.finish())
        if not self._is_full:
            yield from self._close(lambda _: True)
            yield from self._statements.uncalled()
        self._is_full = True

    def _read(self, lines: Iterator[Line]) -> Iterator[Item]:
        for line in lines:
            if self._is_full:
                return
            for item in self._line(line):
                yield item
                self._faults += isinstance(item, Fault)
                if self._faults > _MOST_FAULTS:
                    yield self._full(f"the output has more than {_MOST_FAULTS} faults")
                    return

    def _full(self, why: str) -> Fault:
        self._is_full = True
        return Fault(code=FaultCode.TOO_LARGE, message=f"{why}; the rest is left out", line=self._lines.number)

    def _line(self, line: Line) -> Iterator[Item]:
        is_branch = _BRANCH.match(line.text) is not None
        yield from self._close(lambda block: _ends(block, line, is_branch=is_branch))
        if is_branch:
            yield from self._branch(line)
            return
        if (misplaced := self._misplaced(line)) is not None:
            yield misplaced
            if _OPENS.match(line.text):
                self._open(_Block(line=line, is_left_out=True))
            return
        if self._is_left_out:
            yield from self._left_out(line)
            return
        try:
            statements = self._parsed(line)
        except SyntaxWrong as wrong:
            yield self._unreadable(line, wrong)
            return
        for statement in statements:
            self._read_statements += 1
            if self._read_statements > (most := self._limits.nodes + _MORE_STATEMENTS):
                yield self._full(f"the output has more than {most} statements")
                return
            yield from self._statement(statement, line)

    def _parsed(self, line: Line) -> list[ast.stmt]:
        if line.broken:
            code = FaultCode.TOO_LARGE if line.too_large else FaultCode.UNFINISHED
            raise SyntaxWrong(line.broken, Source(line=line).place(), code)
        return statements_of(line)

    def _unreadable(self, line: Line, wrong: SyntaxWrong) -> Fault:
        name = ""
        if (defined := _DEFINED.search(line.text)) is not None and line.is_function:
            self._statements.refuse_function(defined[1])
        elif (opens := _OPENS.match(line.text)) is not None:
            name = self._unparsed_name(line) if opens[0] == "for" else ""
            self._open(_Block(line=line, is_left_out=True))
            if opens[0] in ("try", "except", "finally"):
                message = f"{opens[0]} is no step of a plan; put it into a function, and call that"
                wrong = SyntaxWrong(message, Source(line=line).place(), FaultCode.BAD_STATEMENT)
        else:
            name = self._unparsed_name(line)
        number, column = wrong.place
        return Fault(code=wrong.code, message=wrong.message, line=number, column=column, node=name)

    def _name_in(self, line: Line) -> str:
        """Return the id that a line would have had; uses of what it assigns are then held back."""
        try:
            statements = self._parsed(line)
        except SyntaxWrong:
            return self._unparsed_name(line)
        return next(filter(None, [self._statements.refused_name(statement) for statement in statements]), "")

    def _unparsed_name(self, line: Line) -> str:
        if (exact := _EXACT.match(line.text)) is not None:
            return exact[1]
        if (changed := _CHANGED.match(line.text)) is None:
            return ""
        found = [_VARIABLE.match(part) for part in changed["names"].split(",")]
        return self._statements.refused_names([name[1] for name in found if name is not None])

    def _misplaced(self, line: Line) -> Fault | None:
        """Return the fault of a line whose indentation fits no block."""
        block = self._blocks[-1] if self._blocks else None
        if block is not None and block.body is None:
            block.body = line.indent
            return None
        if block is None and (self._margin is None or line.indent < self._margin):
            self._margin = line.indent
        expected = self._margin if block is None else block.body
        if line.indent == expected:
            return None
        message = f"this line is indented by {line.indent}, and the block it may belong to by {expected}; send it again"
        number, column = Source(line=line).place()
        return Fault(code=FaultCode.BAD_INDENT, message=message, line=number, column=column, node=self._name_in(line))

    @property
    def _is_left_out(self) -> bool:
        return any(block.is_left_out for block in self._blocks)

    def _left_out(self, line: Line) -> Iterator[Fault]:
        """Yield the faults of the steps in a block that could not be read."""
        if line.is_function and (defined := _DEFINED.search(line.text)) is not None:
            self._statements.refuse_function(defined[1])
            return
        name = self._name_in(line)
        if _OPENS.match(line.text):
            self._open(_Block(line=line, is_left_out=True))
        if name:
            yield self._held_back(name, line)

    def _held_back(self, name: str, line: Line) -> Fault:
        around = next(block.line.number for block in self._blocks if block.is_left_out)
        message = f"not accepted, because the block of line {around} was not; send it again with it"
        return Fault(code=FaultCode.HELD_BACK, message=message, line=line.number, node=name)

    def _statement(self, statement: ast.stmt, line: Line) -> Iterator[Item]:
        source = Source(line=line)
        match statement:
            case ast.If():
                yield from self._if(statement, source)
            case ast.For() | ast.AsyncFor():
                yield from self._for(statement, source)
            case ast.While() | ast.With() | ast.AsyncWith() | ast.Try() | ast.Match() | ast.ClassDef():
                yield from self._statements.read(statement, source, self._context())
                self._open(_Block(line=line, is_left_out=True))
            case _:
                yield from self._simple(statement, source)

    def _simple(self, statement: ast.stmt, source: Source) -> Iterator[Item]:
        context = self._context()
        if isinstance(statement, ast.Assign):
            if (said := (source.line.text, str(context))) in self._said:
                return  # a model that says the same line twice means it once
            self._said.add(said)
        loop = next((block for block in self._blocks if block.loop is not None), None)
        if loop is not None and not isinstance(statement, ast.Pass):
            loop.statements += 1
            if loop.statements > 1:
                message = "a loop has one step; put the steps into a function, or write one loop over the list for each"
                name = self._statements.refused_name(statement)
                yield fault_of(NotInLanguage(message), source, statement, name)
                return
        yield from self._statements.read(statement, source, context)

    def _context(self) -> Context:
        conditions = [term for block in self._blocks for term in block.conditions]
        loop = next((block.loop for block in self._blocks if block.loop is not None), None)
        match conditions:
            case []:
                return Context(loop=loop)
            case [alone]:
                return Context(when=alone, loop=loop)
            case _:
                return Context(when={"all": conditions}, loop=loop)

    def _if(self, statement: ast.If, source: Source) -> Iterator[Item]:
        block = _Block(line=source.line)
        self._open(block)
        yield from self._holds_if(block, statement, source)
        yield from self._inline(statement.body, source)

    def _holds_if(self, block: _Block, statement: ast.If, source: Source) -> Iterator[Fault]:
        """Read the condition of a block's branch."""
        outer = self._blocks[:-1]
        loop = next((other.loop for other in outer if other.loop is not None), None)
        try:
            if len(self._blocks) > _MOST_BLOCKS:
                raise NotInLanguage(f"more than {_MOST_BLOCKS} blocks inside each other", code=FaultCode.TOO_LARGE)
            if len(block.negated) > _MOST_BRANCHES:
                raise NotInLanguage(f"more than {_MOST_BRANCHES} branches", code=FaultCode.TOO_LARGE)
            asked = condition(Values(self._names, loop, _no_call), statement.test)
        except NotInLanguage as wrong:
            block.is_left_out = True
            yield fault_of(wrong, source, statement.test)
            return
        block.conditions = (*block.negated, asked)
        block.negated.append({"not": asked})

    def _branch(self, line: Line) -> Iterator[Item]:
        """Read an `elif` or an `else`."""
        source = Source(line=line)
        block = self._blocks[-1] if self._blocks else None
        if block is None or block.line.indent != line.indent or block.loop is not None or block.is_closed:
            word = line.text[:4]
            number, column = source.place()
            message = f"there is no if for this {word} above it"
            yield Fault(code=FaultCode.BAD_INDENT, message=message, line=number, column=column)
            self._open(_Block(line=line, is_left_out=True))
            return
        block.branches.append(self._names.close_branch())
        self._names.open_branch()
        block.body = None
        block.is_closed = line.text.startswith("else")
        if block.is_left_out:
            return
        try:
            [statement] = self._parsed(line)
            assert isinstance(statement, ast.If)  # noqa: S101 -- it was parsed as one
        except SyntaxWrong as wrong:
            block.is_left_out = True
            yield Fault(code=wrong.code, message=wrong.message, line=wrong.place[0], column=wrong.place[1])
            return
        if block.is_closed:
            block.conditions = tuple(block.negated)
        else:
            yield from self._holds_if(block, statement, source)
        yield from self._inline(statement.body, source)

    def _for(self, statement: ast.For | ast.AsyncFor, source: Source) -> Iterator[Item]:
        block = _Block(line=source.line)
        try:
            before, block.loop = self._statements.loop(statement.target, statement.iter, source, self._context())
            for name in filter(None, (block.loop.item, block.loop.index)):
                self._names.end(name)
            yield from before
        except NotInLanguage as wrong:
            block.is_left_out = True
            header = ast.For(target=statement.target, iter=statement.iter, body=[], orelse=[])
            yield fault_of(wrong, source, statement, self._statements.refused_name(header))
        self._open(block)
        yield from self._inline(statement.body, source)

    def _inline(self, body: Sequence[ast.stmt], source: Source) -> Iterator[Item]:
        """Read the statements that stand behind the colon of a block."""
        if all(isinstance(statement, ast.Pass) for statement in body):
            return
        block = self._blocks[-1]
        block.body = -1
        for statement in body:
            if not block.is_left_out:
                yield from self._simple(statement, source)
            elif name := self._statements.refused_name(statement):
                yield self._held_back(name, source.line)

    def _open(self, block: _Block) -> None:
        self._blocks.append(block)
        self._names.open_branch()

    def _close(self, is_over: Callable[[_Block], bool]) -> Iterator[Fault]:
        """Close the blocks that are over, from the innermost outwards."""
        while self._blocks and is_over(self._blocks[-1]):
            block = self._blocks.pop()
            self._names.join([*block.branches, self._names.close_branch()])
            if block.body is None and not block.is_left_out:
                message = "nothing is indented under this line; indent what belongs to it, or write pass"
                number, column = Source(line=block.line).place()
                yield Fault(code=FaultCode.BAD_INDENT, message=message, line=number, column=column)


def _ends(block: _Block, line: Line, *, is_branch: bool) -> bool:
    if is_branch and line.indent == block.line.indent:
        return block.loop is not None
    return line.indent <= block.line.indent if block.body in (None, -1) else line.indent < block.body


def _no_call(part: ast.expr) -> NodeId:
    message = "a condition asks about results; make this call a line of its own before, and use its name"
    raise NotInLanguage(message, part, code=FaultCode.BAD_VALUE, pointer="/when")
