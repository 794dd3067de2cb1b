"""Reads an expression of the plan language as a JSON value with references, as it stands in operations."""

import ast
from collections.abc import Callable, Mapping
from itertools import chain

from agent.ids import NodeId
from agent.plan.references import OF_ITEM, Reference, pointer_token
from agent.reading.plan_language.names import Loop, Names
from agent.reading.plan_language.syntax import NotInLanguage, described
from agent.reading.validation import FaultCode
from sandbox.script import Json

Hoist = Callable[[ast.expr], NodeId]
"""Makes a call inside another one a node of its own, and returns its id."""


COMPARISONS = (
    *(("==", "eq"), ("!=", "ne"), ("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge")),
    *(("in", "in"), ("not in", "not_in")),
)
"""Signs of comparisons, and their names in a condition."""


class Values:
    """Reads the values of one statement."""

    def __init__(self, names: Names, loop: Loop | None, hoist: Hoist) -> None:
        self._names = names
        self._loop = loop
        self._hoist = hoist
        #: JSON pointer into the operation -> the part of the statement that gave the value there.
        self.parts: dict[str, ast.AST] = {}

    def value(self, part: ast.expr, at: str) -> Json:
        """Return the value with its references; `at` is its pointer in the operation."""
        self.parts[at] = part
        match part:
            case ast.Constant(value=str(text)):
                return escaped(text)
            case ast.Constant() | ast.UnaryOp():
                return self._number(part, at)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return [self.value(element, f"{at}/{index}") for index, element in enumerate(elements)]
            case ast.Dict():
                return {key: self.value(inner, f"{at}/{pointer_token(key)}") for key, inner in self.items(part, at)}
            case ast.JoinedStr():
                return self._text(part, at)
            case _:
                return self.reference_text(part, at)

    def reference_text(self, part: ast.expr, at: str) -> str:
        """Return a reference as it stands in operations; `stored("...")` is one as it is."""
        match part:
            case ast.Call(func=ast.Name(id="stored"), args=[ast.Constant(value=str(text))], keywords=[]):
                return text
            case _:
                return str(self.reference(part, at))

    def literal(self, part: ast.expr, at: str) -> Json:
        """Return a value in which nothing may be a reference."""
        self.parts[at] = part
        match part:
            case ast.Constant(value=str(text)):
                return text
            case ast.Constant() | ast.UnaryOp():
                return self._number(part, at)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return [self.literal(element, f"{at}/{index}") for index, element in enumerate(elements)]
            case ast.Dict():
                return {key: self.literal(inner, f"{at}/{pointer_token(key)}") for key, inner in self.items(part, at)}
            case _:
                raise _wrong("write the value itself here: a text, a number, a list or an object", part, at)

    def items(self, part: ast.Dict, at: str) -> list[tuple[str, ast.expr]]:
        """Return the keys of an object and their values, as written."""
        found: dict[str, ast.expr] = {}
        for key, inner in zip(part.keys, part.values, strict=True):
            match key:
                case ast.Constant(value=str(name)) if name not in found:
                    found[name] = inner
                case ast.Constant(value=str(name)):
                    raise _wrong(f"the key {name!r} stands twice in this object", key, at)
                case None:
                    raise _wrong("an object cannot take in another one with **; write its keys", inner, at)
                case _:
                    raise _wrong("an object's keys are texts", key, at)
        return list(found.items())

    def _number(self, part: ast.expr, at: str) -> Json:
        match part:
            case ast.Constant(value=(None | bool() | int() | float()) as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=(int() | float()) as number)):
                return -number
            case ast.UnaryOp(op=ast.UAdd(), operand=ast.Constant(value=(int() | float()) as number)):
                return number
            case ast.Constant():
                raise _wrong("bytes, complex numbers and ... are no values here", part, at)
            case _:
                return str(self.reference(part, at))

    def _text(self, part: ast.JoinedStr, at: str) -> str:
        text = ""
        for piece in part.values:
            match piece:
                case ast.Constant(value=str(literal)):
                    text += escaped(literal)
                case ast.FormattedValue(value=inner, conversion=-1, format_spec=None):
                    text += self._inserted(inner, part, at, text)
                case _:
                    raise _wrong(
                        "a text takes values as they are, without !r and :.2f; let a function make it", part, at
                    )
        return text

    def _inserted(self, inner: ast.expr, text: ast.JoinedStr, at: str, before: str) -> str:
        if not isinstance(inner, ast.Name | ast.Attribute | ast.Subscript) and not _is_choice(inner):
            message = f"{described(inner)} cannot stand inside a text; make it a line of its own, and use its name here"
            raise _wrong(message if described(inner) != "this" else _NO_CALL_IN_TEXT, text, at)
        if before.endswith("$"):
            message = "a $ right before a value cannot be written; put a space between, or let a function make the text"
            raise _wrong(message, text, at, FaultCode.BAD_REFERENCE)
        return str(self.reference(inner, at, shown_at=text))

    def reference(self, part: ast.expr, at: str, *, shown_at: ast.expr | None = None) -> Reference:
        """Return the reference that an expression is.

        `shown_at`: where faults stand, for an expression inside a text, whose place Python does not know.
        """
        shown = shown_at or part
        tokens: list[str] = []
        base = part
        while isinstance(base, ast.Attribute | ast.Subscript) and not _is_node(base):
            tokens.append(_token(base, shown, at))
            base = base.value
        pointer = "".join(f"/{token}" for token in reversed(tokens))
        if "{" in pointer or "}" in pointer:
            raise _wrong("a key with { or } cannot be named; use a function", shown, at, FaultCode.BAD_REFERENCE)
        nodes = self._nodes(base, shown, at)
        return Reference(node=nodes[0], pointer=pointer, others=nodes[1:])

    def _nodes(self, base: ast.expr, shown: ast.expr, at: str) -> tuple[NodeId, ...]:
        match base:
            case ast.Name(id=name) if self._loop is not None and name == self._loop.item:
                return (NodeId("item"),)
            case ast.Name(id=name) if self._loop is not None and name == self._loop.index:
                return (NodeId("index"),)
            case ast.Name(id=name):
                nodes = self._names.meant_by(name)
                if nodes is None:
                    raise _wrong(self._names.why_unknown(name), shown, at, FaultCode.UNKNOWN_NODE)
            case ast.Subscript(slice=ast.Constant(value=str(id))):
                nodes = (NodeId(id),)
            case ast.Call(func=ast.Name(id="first_of"), args=[_, *_] as alternatives, keywords=[]):
                found = [self._nodes(alternative, shown, at) for alternative in alternatives]
                return tuple(dict.fromkeys(chain.from_iterable(found)))
            case ast.Call() | ast.Await() | ast.ListComp():
                nodes = (self._hoist(base),)
            case _:
                raise _wrong(_instead_of(base), shown, at)
        if self._loop is not None and OF_ITEM.intersection(nodes) and not at.startswith("/depends_on"):
            raise _wrong(f"a node called {nodes[0]!r} cannot be used in a loop; give it another name", shown, at)
        return nodes


_NO_CALL_IN_TEXT = "no call inside a text; make it a line of its own, and use its name here"


def _is_node(part: ast.expr) -> bool:
    """Return whether a part is `node["id"]`."""
    match part:
        case ast.Subscript(value=ast.Name(id="node"), slice=ast.Constant(value=str())):
            return True
        case _:
            return False


def _is_choice(part: ast.expr) -> bool:
    """Return whether a part is `first_of(...)`."""
    match part:
        case ast.Call(func=ast.Name(id="first_of")):
            return True
        case _:
            return False


def _token(part: ast.Attribute | ast.Subscript, shown: ast.expr, at: str) -> str:
    match part:
        case ast.Attribute(attr=name):
            return pointer_token(name)
        case ast.Subscript(slice=ast.Constant(value=bool())):
            pass
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return pointer_token(key)
        case ast.Subscript(slice=ast.Constant(value=int(index))):
            return str(index)
        case ast.Subscript(slice=ast.Slice()):
            raise _wrong("a slice cannot be named; let a function return that part", shown, at)
        case ast.Subscript(slice=ast.UnaryOp(op=ast.USub())):
            raise _wrong("counting from the end cannot be named; let a function return that part", shown, at)
        case _:
            pass
    raise _wrong("a field is named by a text or by a number; use a function for anything else", shown, at)


def _instead_of(part: ast.expr) -> str:
    match part:
        case ast.BinOp(op=ast.Add(), left=left, right=right) if any(
            isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
            for side in (left, right)
        ):
            return 'write a text with values as f"... {name.field} ..."'
        case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str())):
            return 'write a text with values as f"... {name.field} ..."'
        case _:
            what = described(part)
            what = "this" if isinstance(part, ast.Constant | ast.JoinedStr) else what
            return f"{what} cannot be worked out in a plan; put it into a function: def f(...), and name = f(...)"


def escaped(text: str) -> str:
    """Return a literal text as it stands in operations, where `${` begins a reference."""
    return text.replace("${", "$${")


def _wrong(message: str, part: ast.AST, at: str, code: FaultCode = FaultCode.BAD_VALUE) -> NotInLanguage:
    return NotInLanguage(message, part, code=code, pointer=at)


_OPERATORS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.In: "in",
    ast.NotIn: "not_in",
}
_IDENTITIES: Mapping[type[ast.cmpop], str] = {ast.Is: "eq", ast.IsNot: "ne"}


def condition(values: Values, part: ast.expr) -> str | Mapping[str, Json]:
    """Return a condition as a node's `when` has it: a reference, or a tree."""
    match part:
        case ast.BoolOp(op=ast.And(), values=terms):
            return {"all": [condition(values, term) for term in terms]}
        case ast.BoolOp(values=terms):
            return {"any": [condition(values, term) for term in terms]}
        case ast.UnaryOp(op=ast.Not(), operand=term):
            return {"not": condition(values, term)}
        case ast.Compare(left=left, ops=operators, comparators=others):
            sides = [left, *others]
            compared = [
                _comparison(values, sides[number], operator, sides[number + 1])
                for number, operator in enumerate(operators)
            ]
            return compared[0] if len(compared) == 1 else {"all": compared}
        case ast.Call(func=ast.Name(id="all" | "any" as word), args=[ast.List(elts=terms)], keywords=[]) if terms:
            return {word: [condition(values, term) for term in terms]}
        case ast.Call(func=ast.Name(id=word)) if word not in ("first_of", "stored"):
            message = f"{word}(...) cannot be asked in a condition; make it a line of its own before, and use its name"
            raise _wrong(message, part, "/when")
        case ast.Constant():
            raise _wrong("a condition asks about a result; leave the if away, or ask about one", part, "/when")
        case _:
            return values.reference_text(part, "/when")


def _comparison(values: Values, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> dict[str, Json]:
    name = _OPERATORS.get(type(operator))
    if name is None and any(_is_singleton(side) for side in (left, right)):
        name = _IDENTITIES[type(operator)]
    if name is None:
        raise _wrong("'is' compares with None only; write ==", right, "/when")
    return {name: [values.value(left, "/when"), values.value(right, "/when")]}


def _is_singleton(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and (part.value is None or isinstance(part.value, bool))
