"""Prints operations in the plan language, so that reading the text gives exactly the same operations."""

import ast
import json
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby

from agent.ids import NodeId
from agent.packing.script_checks import is_main, parsed
from agent.plan.conditions import Condition
from agent.plan.operations import Add, Cancel, Dependency, Node, NodeKind, On, node_json
from agent.plan.references import OF_ITEM, BadReference, Piece, Reference, pieces
from agent.plan.templates import about_item
from agent.reading.operation_reader import read_operation
from agent.reading.plan_language.functions import Functions, body_of
from agent.reading.plan_language.lines import Line
from agent.reading.plan_language.names import HELPERS, NODE_WORDS, RESERVED
from agent.reading.plan_language.syntax import NotInLanguage
from agent.reading.plan_language.values import COMPARISONS, escaped
from sandbox.script import Json

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")
_UNSAFE_IN_TEXT = re.compile(r"""[\\'"\#\x00-\x1f]""")
"""What an expression inside a text cannot hold before Python 3.12."""

_OWN = re.compile(r"(?<!\$)\$\{(item|index)((?:#(?:/[A-Za-z_]\w*)+)?)\}")
_PLAIN_CODE = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*")
_ROW_CHARACTERS = 2_000
"""What is longer is written in several rows."""

_INDENT = "    "
_SIGNS = {name: sign for sign, name in COMPARISONS}


def plan_text(
    operations: Sequence[Add | Cancel],
    tools: AbstractSet[str],
    known: Iterable[NodeId] = (),
    roles: AbstractSet[str] = frozenset(),
) -> str:
    """Return the operations as a plan in the plan language, for a reader who has these tools and roles.

    `known` are nodes that the reader knows.
    """
    return "".join(_Printer(tools, known, roles).plan(operations))


class _Printer:
    def __init__(self, tools: AbstractSet[str], known: Iterable[NodeId], roles: AbstractSet[str]) -> None:
        self._tools = tools
        self._roles = roles - tools
        self._functions = Functions()
        #: The nodes that have a variable of their own name.
        self._assigned: set[str] = {*filter(self._can_name, known)}
        self._taken: set[str] = set()
        #: The variables of the loop around, for `item` and `index`.
        self._loop: Mapping[str, str] = {}

    def plan(self, operations: Sequence[Add | Cancel]) -> Iterator[str]:
        self._taken = {operation.node.id for operation in operations if isinstance(operation, Add)}
        open_when: Condition = ""
        for operation in operations:
            node = operation.node if isinstance(operation, Add) else None
            when = node.when if node is not None and not (node.for_each and about_item(node.when)) else ""
            before, text = self._operation(operation)
            if before:
                open_when = ""
            yield from before
            if when and when != open_when:
                yield f"if {self._condition(when)}:\n"
            open_when = when
            yield _indented(text, 1 if when else 0)
            if node is not None and self._can_name(node.id):
                self._assigned.add(node.id)

    def _operation(self, operation: Add | Cancel) -> tuple[Sequence[str], str]:
        """Return what stands above an operation, and its statement."""
        if isinstance(operation, Cancel):
            why = f", {self._literal(operation.why)}" if operation.why else ""
            return (), f"cancel({self._node(operation.id)}{why})\n"
        node = operation.node
        if not node.for_each:
            return self._statement(node)
        listed = self._text(node.for_each)
        title = self._choose_loop(node)
        target, values = self._loop["item"], listed
        if "index" in self._loop:
            target, values = f"{self._loop['index']}, {target}", f"enumerate({listed})"
        before, call = self._statement(node, title)
        if about_item(node.when):
            call = f"if {self._condition(node.when)}:\n{_indented(call, 1)}"
        self._loop = {}
        return before, f"for {target} in {values}:\n{_indented(call, 1)}"

    def _choose_loop(self, node: Node) -> str:
        """Choose the variables of a node's loop, and return its title with them."""
        written = json.dumps(node_json(node), ensure_ascii=False)
        taken = self._assigned | self._taken | self._functions.by_name.keys() | HELPERS
        free = (name for name in ("item", "one", *(f"item_{number}" for number in range(1, 1_000))))
        for name in free:
            if not self._is_free(name, taken):
                continue
            number = next(n for n in ("index", "number", f"{name}_index") if self._is_free(n, taken))
            self._loop = {"item": name, **({"index": number} if "${index" in written else {})}
            title = _OWN.sub(self._place, node.title)
            left = _OWN.sub("", node.title)
            if f"{{{name}" not in left and f"{{{number}" not in left:
                return title
        return node.title

    def _is_free(self, name: str, taken: AbstractSet[str]) -> bool:
        return name not in taken and name not in self._tools and name not in self._roles

    def _place(self, found: re.Match[str]) -> str:
        """Return a place for the item in a title."""
        name = self._loop.get(found[1])
        return found[0] if name is None else f"{{{name}{found[2].replace('#', '').replace('/', '.')}}}"

    def _statement(self, node: Node, title: str | None = None) -> tuple[Sequence[str], str]:
        before, callee, arguments = self._call(node)
        if after := [*self._after(node)]:
            arguments.append(f"after=[{', '.join(after)}]")
        if node.require_human_approval:
            arguments.append("ask_first=True")
        call = f"{callee}({', '.join(arguments)})"
        if len(call) > _ROW_CHARACTERS:
            rows = "".join(_indented(f"{argument},\n", 1) for argument in arguments)
            call = f"{callee}(\n{rows})"
        comment = f"  # {title or node.title}" if node.title != node.id else ""
        target = node.id if self._can_name(node.id) else f"node[{json.dumps(node.id)}]"
        return before, f"{target} = {call}{comment}\n"

    def _call(self, node: Node) -> tuple[Sequence[str], str, list[str]]:
        """Return the function above a call, what is called, and with which arguments."""
        match node.kind:
            case NodeKind.TOOL:
                name = node.tool or ""
                plain = _is_variable(name) and name in self._tools
                return (), name if plain else f"tool[{json.dumps(name)}]", self._arguments(node.args)
            case NodeKind.PACKAGE:
                if (above := self._function(node)) is not None:
                    return above[0], above[1], self._arguments(node.inputs)
                return (), "script", self._words(node, "script")
            case NodeKind.SUBAGENT:
                if node.role not in self._roles or not _is_variable(node.role):
                    return (), "subagent", self._words(node, "subagent")
                words = self._words(node, "subagent", besides=("role", "instruction"))
                return (), node.role, [self._value(node.instruction), *words]

    def _arguments(self, values: Mapping[str, Json]) -> list[str]:
        written: list[str] = []
        for plain, group in groupby(values.items(), key=lambda item: _is_keyword(item[0])):  # their order is kept
            part = dict(group)
            written += (
                [f"{key}={self._value(value)}" for key, value in part.items()] if plain else [f"**{self._value(part)}"]
            )
        return written

    def _words(self, node: Node, word: str, besides: Sequence[str] = ()) -> list[str]:
        """Return the fields of a node that has no shorter form."""
        fields = node_json(node)
        written: list[str] = []
        for name, may_refer in NODE_WORDS[word][1].items():
            if name not in fields or name in besides:
                continue
            if name == "code":
                written.append(f"code={_code_literal(node.code)}")
            else:
                value = self._value(fields[name]) if may_refer else self._literal(fields[name])
                written.append(f"{name}={value}")
        return written

    def _after(self, node: Node) -> Iterator[str]:
        """Yield the dependencies that no reference implies."""
        fields = {
            key: value for key, value in node_json(node).items() if key not in ("depends_on", "packed", "item_of")
        }
        read = read_operation({"op": "add", **fields}, None)
        implied = read.node.depends_on if isinstance(read, Add) else ()
        own = node.depends_on
        written = next(
            length for length in range(len(own) + 1) if _completed(own[:length], implied) == own or length == len(own)
        )
        yield from map(self._edge, own[:written])

    def _edge(self, dependency: Dependency) -> str:
        name = self._node(dependency.node)
        return name if dependency.on is On.SUCCEEDED else f"{dependency.on.value}({name})"

    def _can_name(self, node: str) -> bool:
        """Return whether a variable can have the name of a node."""
        taken = node in HELPERS or node in self._functions.by_name or node in self._tools or node in self._roles
        return _is_variable(node) and not taken

    def _node(self, node: NodeId, quote: str = '"') -> str:
        return node if node in self._assigned else f"node[{quote}{node}{quote}]"

    def _function(self, node: Node) -> tuple[Sequence[str], str] | None:
        """Return a package's script as a function with what stands above it, and its name; None: as it is."""
        if node.packed or (module := parsed(node.code)) is None or not module.body:
            return None
        *imports, main = module.body
        if not is_main(main) or not all(isinstance(part, ast.Import | ast.ImportFrom) for part in imports):
            return None
        name = self._function_name(node.id)
        arrow = "" if node.result_schema is None else f" -> {self._literal(node.result_schema)}"
        for header, body in _headers(main, node, name, arrow):
            known = Functions(by_name=dict(self._functions.by_name), imports=dict(self._functions.imports))
            for part in imports:
                assert isinstance(part, ast.Import | ast.ImportFrom)  # noqa: S101 -- asked above
                known.take_import(part)
            if _gives(known, f"{header}\n{body}", name, node):
                above = [f"{ast.unparse(part)}\n" for part in imports]
                above = [text for text in above if text.rstrip() not in self._functions.imports.values()]
                self._functions = known
                return [*above, f"{header}\n{body}\n"], name
        return None

    def _function_name(self, node: NodeId) -> str:
        base = "run_" + re.sub(r"[^A-Za-z0-9_]", "_", node)
        taken = self._assigned | self._taken | self._functions.by_name.keys() | HELPERS
        names = (base if number == 1 else f"{base}_{number}" for number in range(1, 1_000))
        return next(name for name in names if self._is_free(name, taken))

    def _value(self, value: Json) -> str:
        """Return a value with references as an expression."""
        return self._text(value) if isinstance(value, str) else self._compound(value, literal=False)

    def _literal(self, value: Json) -> str:
        """Return a value without references as an expression."""
        return _quoted(value) if isinstance(value, str) else self._compound(value, literal=True)

    def _compound(self, value: Json, *, literal: bool) -> str:
        printed = self._literal if literal else self._value
        match value:
            case Mapping():
                return _listed("{", [f"{_quoted(key)}: {printed(inner)}" for key, inner in value.items()], "}")
            case list() | tuple():
                return _listed("[", [printed(inner) for inner in value], "]")
            case _:
                return repr(value)

    def _text(self, text: str) -> str:
        try:
            parts = pieces(text)
        except BadReference:
            return _stored(text)
        if "".join(escaped(part) if isinstance(part, str) else str(part) for part in parts) != text:
            return _stored(text)
        match parts:
            case []:
                return '""'
            case [str(alone)]:
                return _quoted(alone)
            case [Reference() as alone]:
                return self._reference(alone)
            case _:
                return self._filled(parts) or _stored(text)

    def _filled(self, parts: Sequence[Piece]) -> str:
        """Return a text with values; empty when it cannot be written so."""
        written = ""
        for part in parts:
            if isinstance(part, str):
                written += json.dumps(part, ensure_ascii=False)[1:-1].replace("{", "{{").replace("}", "}}")
                continue
            expression = self._reference(part, quote="'")
            if _UNSAFE_IN_TEXT.search(expression.replace("['", "").replace("']", "")):
                return ""
            written += f"{{{expression}}}"
        return f'f"{written}"' if len(written) <= _ROW_CHARACTERS else ""

    def _reference(self, reference: Reference, quote: str = '"') -> str:
        names = [self._node(node, quote) for node in reference.nodes]
        base = f"first_of({', '.join(names)})" if reference.others else names[0]
        if self._loop and reference.node in OF_ITEM:
            base = self._loop[reference.node]
        for token in reference.pointer.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            if _is_variable(key):
                base += f".{key}"
            elif _INDEX.fullmatch(key):
                base += f"[{key}]"
            else:
                base += f"[{quote}{json.dumps(key, ensure_ascii=False)[1:-1]}{quote}]"
        return base

    def _condition(self, condition: Condition, *, inside: bool = False) -> str:
        if isinstance(condition, str):
            return self._text(condition)
        [(name, inner)] = condition.items()
        match name, inner:
            case "not", _:
                return f"not {self._condition(_as_condition(inner), inside=True)}"
            case (("all" | "any"), [alone]):
                return f"{name}([{self._condition(_as_condition(alone))}])"
            case (("all" | "any"), list() | tuple()):
                word = " and " if name == "all" else " or "
                text = word.join(self._condition(_as_condition(term), inside=True) for term in inner)
                return f"({text})" if inside else text
            case _, [left, right]:
                return f"{self._value(left)} {_SIGNS[name]} {self._value(right)}"
            case _:
                raise ValueError(f"no condition: {name}")


def _as_condition(value: Json) -> Condition:
    assert isinstance(value, str | Mapping)  # noqa: S101 -- a condition that was read
    return value


def _headers(
    main: ast.FunctionDef | ast.AsyncFunctionDef, node: Node, name: str, arrow: str
) -> Iterator[tuple[str, str]]:
    """Yield the headers and bodies that may stand for a script: with its inputs as parameters, or with all of them."""
    define = "async def" if isinstance(main, ast.AsyncFunctionDef) else "def"
    match main.args:
        case ast.arguments(
            posonlyargs=[], args=[ast.arg(arg=inputs)], vararg=None, kwonlyargs=[], kwarg=None, defaults=[]
        ):
            pass
        case _:
            return
    _, body = body_of(main, node.code.rstrip("\n"))
    match main.body:
        case [ast.Assign(targets=[target], value=value), _, *_]:
            names = [*map(ast.unparse, target.elts)] if isinstance(target, ast.Tuple) else [ast.unparse(target)]
            values = value.elts if isinstance(value, ast.Tuple) else [value]
            parameters = [_parameter(one, taken) for one, taken in zip(names, values, strict=False)]
            rest = body.split("\n", 1)
            if inputs == "inputs" and len(rest) == 2 and set(node.inputs) <= set(names):
                yield f"{define} {name}({', '.join(parameters)}){arrow}:", rest[1]
        case _:
            pass
    if not node.inputs and inputs == "inputs":
        yield f"{define} {name}(){arrow}:", body
    yield f"{define} {name}(**{inputs}){arrow}:", body


def _parameter(name: str, taken: ast.expr) -> str:
    match taken:
        case ast.Call(args=[_, default]):
            return f"{name}={ast.unparse(default)}"
        case _:
            return name


def _gives(known: Functions, text: str, name: str, node: Node) -> bool:
    """Return whether the function, read again, gives exactly this package; then it is among those known."""
    module = parsed(text)
    if (
        module is None
        or len(module.body) != 1
        or not isinstance(module.body[0], ast.FunctionDef | ast.AsyncFunctionDef)
    ):
        return False
    try:
        known.define(module.body[0], Line(text=text, number=1, indent=0, margin=0), (1, 1))
        function = known.by_name[name]
        needed = {parameter for parameter, is_needed in function.parameters.items() if is_needed}
        return (known.package(function)[0], tuple(known.package(function)[1])) == (
            node.code,
            node.tools,
        ) and needed <= node.inputs.keys()
    except NotInLanguage:
        return False


def _completed(written: tuple[Dependency, ...], implied: tuple[Dependency, ...]) -> tuple[Dependency, ...]:
    named = {dependency.node for dependency in written}
    return (*written, *(dependency for dependency in implied if dependency.node not in named))


def _is_variable(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not keyword.iskeyword(name) and not keyword.issoftkeyword(name)


def _is_keyword(name: str) -> bool:
    return _is_variable(name) and name not in RESERVED


def _listed(opening: str, parts: Sequence[str], closing: str) -> str:
    text = f"{opening}{', '.join(parts)}{closing}"
    if len(text) <= _ROW_CHARACTERS:
        return text
    return f"{opening}\n" + "".join(_indented(f"{part},\n", 1) for part in parts) + closing


def _quoted(text: str) -> str:
    if len(text) <= _ROW_CHARACTERS:
        return json.dumps(text, ensure_ascii=False)
    parts = [text[at : at + _ROW_CHARACTERS] for at in range(0, len(text), _ROW_CHARACTERS)]
    return "(\n" + "".join(f"{_INDENT}{json.dumps(part, ensure_ascii=False)}\n" for part in parts) + ")"


def _stored(text: str) -> str:
    return f"stored({_quoted(text)})"


def _code_literal(code: str) -> str:
    """Return a script as a text of several rows."""
    longest = max(map(len, code.split("\n")))
    if _PLAIN_CODE.fullmatch(code) is None or longest > _ROW_CHARACTERS or "\n" not in code:
        return _quoted(code)
    text = code.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return '"""' + (text[:-1] + '\\"' if text.endswith('"') else text) + '"""'


def _indented(text: str, levels: int) -> str:
    """Return a statement further in; the rows of its texts stay where they are."""
    if not levels:
        return text
    rows = text.split("\n")
    inside = _rows_in_texts(text)
    return "\n".join(row if not row or number in inside else _INDENT * levels + row for number, row in enumerate(rows))


def _rows_in_texts(text: str) -> frozenset[int]:
    """Return the rows that begin inside a text of several rows."""
    found: set[int] = set()
    number = 0
    for index, part in enumerate(re.split(r'(?<!\\)"""', text)):
        rows = part.count("\n")
        if index % 2:
            found.update(range(number + 1, number + rows + 1))
        number += rows
    return frozenset(found)
