"""Turns the statements of the plan language into operations: calls, loops over a list, functions, cancels, replies."""

import ast
import builtins
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn, TypeAlias

from agent.ids import NodeId
from agent.limits import PlanLimits
from agent.plan.operations import Add
from agent.reading.operation_reader import Ask, NeedTools, Reply, read_operation
from agent.reading.plan_builder import Placed
from agent.reading.plan_language.functions import Function, Functions
from agent.reading.plan_language.names import HELPERS, NODE_WORDS, RESERVED, Loop, Names, ThreadNodes, can_be_id
from agent.reading.plan_language.syntax import NotInLanguage, Source, described
from agent.reading.plan_language.values import Values
from agent.reading.validation import Fault, FaultCode
from agent.tool import Registry
from sandbox.script import Json

Item: TypeAlias = Placed | Reply | Ask | NeedTools | Fault
_Parts: TypeAlias = dict[str, ast.AST | tuple[int, int]]

_PLACE = re.compile(r"""\$?\{(\w+)((?>(?:\.\w+|\[(?:\d+|"[^"{}\[\]]*"|'[^'{}\[\]]*')\])*))\}""")
"""A place for the item in the title of a template."""


@dataclass(kw_only=True)
class Scope:
    """What the answers of one planning have named so far."""

    names: dict[str, tuple[NodeId, ...]] = field(default_factory=dict[str, tuple[NodeId, ...]])
    functions: Functions = field(default_factory=Functions)


@dataclass(frozen=True, kw_only=True)
class Context:
    """The blocks around a statement."""

    when: str | Mapping[str, Json] = ""
    loop: Loop | None = None


class Statements:
    """Reads the statements of one answer, in order."""

    def __init__(
        self, registry: Registry, thread: ThreadNodes, limits: PlanLimits, scope: Scope, *, printed: bool = False
    ) -> None:
        self._registry = registry
        self._limits = limits
        self._printed = printed
        self._functions = scope.functions
        self.names = Names(registry, thread, scope.names)
        self.names.functions.update(scope.functions.by_name)
        #: The functions of this answer, and those of them that were refused.
        self._defined: dict[str, None] = {}
        self._refused: set[str] = set()

    def read(self, statement: ast.stmt, source: Source, context: Context) -> Sequence[Item]:
        """Return the operations of a statement, or its fault."""
        try:
            match statement:
                case ast.Assign(targets=[target], value=value):
                    return self._assigned(target, value, source, context)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    return self._assigned(target, value, source, context)
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    return ()
                case ast.Expr(value=value):
                    return self._alone(value, source, context)
                case ast.Import() | ast.ImportFrom():
                    self._functions.take_import(statement)
                    return ()
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._define(statement, source, context)
                    return ()
                case _:
                    raise NotInLanguage(_instead_of(statement))
        except NotInLanguage as wrong:
            return (fault_of(wrong, source, statement, self.refused_name(statement)),)

    def uncalled(self) -> Iterator[Fault]:
        """Yield the faults of this answer's functions that no step runs: their calls got lost, or stand inside them."""
        for name in (name for name in self._defined if name not in self._functions.called):
            line, column = self._functions.by_name[name].place
            message = f"nothing calls the function {name!r}; write name = {name}(...) at the left margin below it"
            yield Fault(code=FaultCode.BAD_STATEMENT, message=message, line=line, column=column)

    def refuse_function(self, name: str) -> None:
        """Remember a function that could not be read, so that its calls are not taken for calls of a tool."""
        self._refused.add(name)

    def refused_name(self, statement: ast.stmt) -> str:
        """Return the id of a statement that is left out; empty where nothing can refer to it.

        From here on each variable that it assigns, or would change in Python, means this node, which never comes: what
        uses one is held back, and does not take the result that the variable meant before.
        """
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                return self.refused_names([name] if self.names.meant_by(name) else [])
            case ast.Expr(value=ast.Call(func=ast.Attribute() as method)):
                bases = [base.id for base in [_base_of(method)] if isinstance(base, ast.Name)]
                return self.refused_names([base for base in bases if self.names.meant_by(base)])
            case _:
                changed = list(_changed_by(statement))
                exact = [node for base in changed if (node := _exact_id(base))]
                names = [base.id for base in changed if isinstance(base, ast.Name)]
                return self.refused_names(names) or next(iter(exact), "")

    def refused_names(self, names: Sequence[str]) -> str:
        """Let variables mean one node that never comes; return its id, empty without any variable."""
        if not names:
            return ""
        can_be = next(filter(can_be_id, names), None)
        node = next(self.names.generated_ids(names[0])) if can_be is None else self.names.new_id(can_be)
        for name in names:
            self.names.bind(name, node)
        return node

    def loop(self, target: ast.expr, values: ast.expr, source: Source, context: Context) -> tuple[Sequence[Item], Loop]:
        """Return the loop over a list, behind the operations of a call that gives the list.

        Raises:
            NotInLanguage: it cannot be a template.
        """
        if context.loop is not None:
            raise NotInLanguage("a loop inside a loop: put it into a function", values)
        index = ""
        match target, values:
            case ast.Name(id=item), _:
                pass
            case ast.Tuple(elts=[ast.Name(id=index), ast.Name(id=item)]), ast.Call(
                func=ast.Name(id="enumerate"), args=[counted], keywords=[]
            ):
                values = counted
            case _:
                raise NotInLanguage("a loop names its item: for item in name.list", target)
        for name in filter(None, (item, index)):
            self.names.check(name)
        before: list[Item] = []
        if isinstance(values, ast.List | ast.Tuple | ast.Constant):
            raise NotInLanguage("a loop goes through a list of a result; write one line for each of these", values)
        reading = Values(self.names, None, self._hoisting(before, source, context))
        listed = reading.reference_text(values, "/for_each")
        return before, Loop(values=listed, item=item, index=index)

    def _define(self, definition: ast.FunctionDef | ast.AsyncFunctionDef, source: Source, context: Context) -> None:
        name = definition.name
        try:
            if context != Context():
                raise NotInLanguage("a function stands at the left margin, above the blocks that call it")
            if name in self._defined and self._functions.by_name[name].text == source.line.text:
                return  # a model that says the same twice means it once
            if name in self._defined:
                message = f"the function {name!r} is defined twice; choose another name"
                raise NotInLanguage(message, code=FaultCode.DUPLICATE_ID)
            self.names.functions.discard(name)
            self.names.check(name)
            self._functions.define(definition, source.line, source.place(definition))
        except NotInLanguage:
            if name not in self._defined:
                self._refused.add(name)
            raise
        self._defined[name] = None
        self._refused.discard(name)
        self.names.functions.add(name)

    def _alone(self, value: ast.expr, source: Source, context: Context) -> Sequence[Item]:
        match _awaited(value):
            case ast.Call(func=ast.Name(id=("reply" | "ask" | "cancel" | "tools") as word)) as call:
                return (self._word(word, call, source, context),)
            case called:
                return self._made(None, called, source, context)[0]

    def _assigned(self, target: ast.expr, value: ast.expr, source: Source, context: Context) -> Sequence[Item]:
        name, node = "", None
        match target:
            case ast.Name(id="_"):
                pass  # what nobody refers to, as often as wanted
            case ast.Name(id=name):
                self.names.check(name)
                node = self.names.new_id(name) if can_be_id(name) else None
            case ast.Subscript(value=ast.Name(id="node"), slice=ast.Constant(value=str(exact))):
                node = self.names.exact_id(exact)
            case _:
                raise NotInLanguage("one name for each call: name = tool(key=value)", target)
        try:
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in _ALONE:
                raise NotInLanguage(f"{value.func.id}(...) has no result; write it without a name", value)
            items, made = self._made(node, _awaited(value), source, context, name)
        except NotInLanguage as wrong:
            made = node or NodeId(self.refused_names([name] if name else []))
            items = (fault_of(wrong, source, target, made),)
        if name:
            self.names.bind(name, made)
        return items

    def _word(self, word: str, call: ast.Call, source: Source, context: Context) -> Item:
        """Return the operation of `reply`, `ask`, `cancel` or `tools`."""
        if context != Context():
            message = f"{word}(...) stands alone, not in a block: nobody waits for a result while planning"
            raise NotInLanguage(message, call)
        match word, call.args, call.keywords:
            case "cancel", [target], []:
                written = {"op": "cancel", "id": self._node_named(target)}
            case ("cancel", [target, why], []) | ("cancel", [target], [ast.keyword(arg="why", value=why)]):
                written = {"op": "cancel", "id": self._node_named(target), "why": _plain(why, word)}
            case "reply", [text], []:
                written = {"op": "reply", "text": _plain(text, word)}
            case "ask", [text], []:
                written = {"op": "ask", "question": _plain(text, word)}
            case "tools", [text], []:
                written = {"op": "tools", "need": _plain(text, word)}
            case _:
                raise NotInLanguage(f"write {_ALONE[word]}", call)
        read = read_operation(written, source.place(call)[0], self._limits)
        if isinstance(read, Fault):
            return replace(read, column=source.place(call)[1])
        if isinstance(read, Reply | Ask | NeedTools):
            return read
        return Placed(operation=read, line=source.line.number, place=lambda _: source.place(call))

    def _node_named(self, part: ast.expr) -> str:
        match part:
            case ast.Name(id=name):
                nodes = self.names.meant_by(name)
                if nodes is None:
                    raise NotInLanguage(self.names.why_unknown(name), part, code=FaultCode.UNKNOWN_NODE, pointer="/id")
                return nodes[-1]
            case (
                ast.Constant(value=str(id))
                | ast.Subscript(value=ast.Name(id="node"), slice=ast.Constant(value=str(id)))
            ):
                return id
            case _:
                raise NotInLanguage('name the step: cancel(name, "why")', part)

    def _made(
        self, id: NodeId | None, value: ast.expr, source: Source, context: Context, name: str = ""
    ) -> tuple[Sequence[Item], NodeId]:
        """Return the operations of a call, and the id of its node, whose result gets the name."""
        before: list[Item] = []
        if isinstance(value, ast.ListComp):
            value, found, context = self._comprehension(value, source, context)
            before += found
        if not isinstance(value, ast.Call):
            raise NotInLanguage(_no_call(value), value)
        values = Values(self.names, context.loop, self._hoisting(before, source, context))
        parts: _Parts = {"": value, "/tool": value.func}
        base, fields = self._fields(value, values, parts)
        written: dict[str, Json] = {"op": "add", "id": id, **fields}
        if context.loop is not None:
            written["for_each"] = context.loop.values
        if context.when:
            written["when"] = context.when
        if title := self._title(source.line.comment, context.loop):
            written["title"] = title
        item, made = self._read(written, base, {**values.parts, **parts}, source, name)
        return (*before, item), made

    def _read(
        self, written: dict[str, Json], base: str, parts: _Parts, source: Source, name: str
    ) -> tuple[Item, NodeId]:
        def place(pointer: str) -> tuple[int, int]:
            while pointer and pointer not in parts:
                pointer = pointer.rpartition("/")[0]
            part = parts[pointer]
            return part if isinstance(part, tuple) else source.place(part)

        wanted = written["id"]
        first = NodeId(wanted) if isinstance(wanted, str) else next(self.names.generated_ids(base))
        read = read_operation({**written, "id": first}, source.line.number, self._limits, printed=self._printed)
        if isinstance(read, Fault):
            line, column = place(read.pointer)
            return replace(read, line=line, column=column, node=read.node or first), first
        assert isinstance(read, Add)  # noqa: S101 -- it was written as one
        # A plan file's names are its ids: nothing follows it.
        node = read.node if name == first or self._printed else replace(read.node, name=name)
        if wanted is None and not self.names.took(node):
            untitled = "title" not in written
            named = (
                replace(node, id=other, title=other if untitled else node.title)
                for other in self.names.generated_ids(base)
            )
            node = next(node for node in named if self.names.took(node))
        return Placed(operation=Add(node=node), line=source.line.number, place=place), node.id

    def _comprehension(
        self, part: ast.ListComp, source: Source, context: Context
    ) -> tuple[ast.expr, Sequence[Item], Context]:
        match part.generators:
            case [ast.comprehension(target=target, iter=values, ifs=[])]:
                before, loop = self.loop(target, values, source, context)
                return _awaited(part.elt), before, replace(context, loop=loop)
            case [ast.comprehension(ifs=[condition, *_])]:
                message = "a filter in a comprehension: let a function return the list that is left"
                raise NotInLanguage(message, condition)
            case _:
                raise NotInLanguage("a loop inside a loop: put it into a function", part)

    def _hoisting(self, before: list[Item], source: Source, context: Context) -> Callable[[ast.expr], NodeId]:
        def hoist(part: ast.expr) -> NodeId:
            if context.loop is not None:
                message = "a call inside a call in a loop: write a loop of its own for it before, or use a function"
                raise NotInLanguage(message, part)
            # Its title belongs to the whole line, so the inner call has none.
            inner = Source(line=replace(source.line, comment=""))
            items, made = self._made(None, _awaited(part), inner, context)
            before.extend(items)
            return made

        return hoist

    def _title(self, comment: str, loop: Loop | None) -> str:
        """Return the title that a comment gives; in a template with its places for the item."""
        if loop is None:
            return comment

        def place(found: re.Match[str]) -> str:
            if found[1] not in (loop.item, loop.index):
                return found[0]
            try:
                part = ast.parse(f"{found[1]}{found[2]}", mode="eval").body
                return str(Values(self.names, loop, _no_hoisting).reference(part, "/title"))
            except (SyntaxError, ValueError, NotInLanguage):
                return found[0]

        return _PLACE.sub(place, comment)

    def _fields(self, call: ast.Call, values: Values, parts: _Parts) -> tuple[str, dict[str, Json]]:
        """Return what a generated id is made from, and the fields of a call's node."""
        name, is_exact = _called(call.func)
        function = None if is_exact else self._functions.call(name)
        if function is None and not is_exact:
            self._check_called(name, call)
        given, rest = _arguments(call, values)
        role = "" if function is not None or is_exact or self._registry.role(name) is None else name
        if call.args and not (role and len(call.args) == 1 and "instruction" not in given):
            raise NotInLanguage(
                self._by_name(name, function), call.args[0], code=FaultCode.BAD_ARGUMENTS, pointer="/args"
            )
        fields: dict[str, Json] = {}
        if "after" in rest:
            fields["depends_on"] = self._after(rest["after"], values)
        if "ask_first" in rest:
            fields["require_human_approval"] = _truth(rest["ask_first"])
        if function is not None:
            return name, {**fields, **self._package(function, given, values, parts, call)}
        if role:
            said = {"instruction": call.args[0]} if call.args else {}
            return name, {**fields, **_worded("subagent", {**said, **given}, values), "role": role}
        if not is_exact and name in NODE_WORDS:
            return name, {**fields, **_worded(name, given, values)}
        values.parts["/args"] = call
        args = {key: values.value(part, _at("/args", key)) for key, part in given.items()}
        return name, {**fields, "kind": "tool", "tool": name, "args": args}

    def _check_called(self, name: str, call: ast.Call) -> None:
        """Return if something of that name can be called."""
        base = name.partition(".")[0]
        if name in self._refused:
            message = f"not accepted, because the function {name!r} was not; send it again with it"
            raise NotInLanguage(message, call, code=FaultCode.HELD_BACK, pointer="/code")
        if self._registry.find(name) is not None or name in NODE_WORDS or self._registry.role(name) is not None:
            return
        if name in HELPERS:
            raise NotInLanguage(f"{name}(...) is no step{_HELP.get(name, '')}", call)
        if base != name and (self.names.meant_by(base) is not None or base in self._functions.imports):
            raise NotInLanguage(f"{name}(...) cannot be worked out in a plan; put it into a function", call)
        if hasattr(builtins, name) or base != name:
            raise NotInLanguage(f"there is no tool {name!r}; what is worked out stands in a function", call)
        roles = [role.name for role in self._registry.roles]
        known = [*(tool.name for tool in self._registry), *roles, *self._functions.by_name]
        message = f"there is no tool or function {name!r}{self.names.near(name, known)}"
        raise NotInLanguage(message, call.func, code=FaultCode.UNKNOWN_TOOL, pointer="/tool")

    def _by_name(self, name: str, function: Function | None) -> str:
        tool = self._registry.find(name)
        properties = tool.arguments.get("properties") if tool is not None else None
        names = list(properties) if isinstance(properties, Mapping) else []
        if function is not None:
            names = list(function.parameters)
        if function is None and self._registry.role(name) is not None:
            return f'{name} takes one text and named arguments: {name}("what to do", files=[...])'
        shown = f"{', '.join(names)}; write {name}({names[0]}=...)" if names else f"write {name}(key=value)"
        return f"{name} takes its arguments by name: {shown}"

    def _after(self, part: ast.expr, values: Values) -> Json:
        values.parts["/depends_on"] = part
        elements = part.elts if isinstance(part, ast.List | ast.Tuple | ast.Set) else [part]
        found: list[Json] = []
        for element in elements:
            values.parts[f"/depends_on/{len(found)}"] = element
            found += self._edges(element, values)
        return found

    def _edges(self, part: ast.expr, values: Values) -> Sequence[Json]:
        on = "succeeded"
        match part:
            case ast.Call(func=ast.Name(id=("failed" | "finished") as on), args=[inner], keywords=[]):
                part = inner
            case _:
                pass
        if not isinstance(part, ast.Name | ast.Subscript):
            message = "after names steps: after=[name, failed(name), finished(name)]"
            raise NotInLanguage(message, part, pointer="/depends_on")
        reference = values.reference(part, "/depends_on")
        if reference.pointer:
            raise NotInLanguage("after names whole steps, not their fields", part, pointer="/depends_on")
        if reference.others and on != "finished":
            message = "several branches may make this; write finished(...), or refer to its result"
            raise NotInLanguage(message, part, pointer="/depends_on")
        return [node if on == "succeeded" else {"id": node, "on": on} for node in reference.nodes]

    def _package(
        self, function: Function, given: Mapping[str, ast.expr], values: Values, parts: _Parts, call: ast.Call
    ) -> dict[str, Json]:
        parameters = function.parameters
        if not function.takes_any:
            missing = [name for name, is_needed in parameters.items() if is_needed and name not in given]
            unknown = [name for name in given if name not in parameters]
            if missing or unknown:
                what = f"needs {missing[0]!r}" if missing else f"has no {unknown[0]!r}"
                message = f"{function.name} {what}; its parameters are: {', '.join(parameters) or 'none'}"
                part = given[unknown[0]] if unknown and not missing else call
                raise NotInLanguage(message, part, code=FaultCode.BAD_ARGUMENTS, pointer="/inputs")
        parts |= {"/code": function.place, "/tools": function.place, "/result_schema": function.place}
        values.parts["/inputs"] = call
        code, tools = self._functions.package(function)
        fields: dict[str, Json] = {"kind": "package", "code": code}
        if given:
            fields["inputs"] = {name: values.value(part, _at("/inputs", name)) for name, part in given.items()}
        if tools:
            fields["tools"] = list(tools)
        if function.result is not None:
            fields["result_schema"] = Values(self.names, None, _no_hoisting).literal(function.result, "/result_schema")
        return fields


_ALONE: Mapping[str, str] = {
    "reply": 'reply("text")',
    "ask": 'ask("question")',
    "cancel": 'cancel(name, "why")',
    "tools": 'tools("what I need")',
}
"""Word that is a statement of its own -> how it is written."""

_HELP: Mapping[str, str] = {
    "failed": "; it stands in after=[failed(name)]",
    "finished": "; it stands in after=[finished(name)]",
    "first_of": "; it stands in an argument",
    "stored": "; it stands in an argument",
    **{word: f"; write {form} on a line of its own" for word, form in _ALONE.items()},
}


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _changed_by(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the variables, and parts `node["id"]`, that a statement assigns, or would change in Python."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        match part := waiting.pop(0):
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield part
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                yield _base_of(part)
            case ast.ClassDef(name=name):
                yield ast.Name(id=name)
            case ast.comprehension():
                waiting.append(part.iter)  # its own variable is gone behind it
            case _:
                waiting += [inner for inner in ast.iter_child_nodes(part) if not isinstance(inner, _SCOPES)]


def _base_of(part: ast.expr) -> ast.expr:
    """Return what a field is a field of: a variable, `node["id"]` or anything else."""
    while isinstance(part, ast.Attribute | ast.Subscript | ast.Starred) and not _exact_id(part):
        part = part.value
    return part


def _exact_id(part: ast.expr) -> str:
    """Return the id of a part that is `node["id"]`; empty when it is another one."""
    match part:
        case ast.Subscript(value=ast.Name(id="node"), slice=ast.Constant(value=str(id))):
            return id
        case _:
            return ""


def _awaited(part: ast.expr) -> ast.expr:
    return part.value if isinstance(part, ast.Await) else part


def _no_hoisting(part: ast.expr) -> NoReturn:
    raise NotInLanguage("no call here; make it a line of its own before, and use its name", part)


def _called(part: ast.expr) -> tuple[str, bool]:
    """Return the name that is called, and whether it is written as `tool["name"]`."""
    names: list[str] = []
    base = part
    while isinstance(base, ast.Attribute):
        names.append(base.attr)
        base = base.value
    match base:
        case ast.Name(id=name):
            dotted = [name, *reversed(names)]
            return ".".join(dotted[1:] if name in ("tools", "atools") and names else dotted), False
        case ast.Subscript(value=ast.Name(id="tool"), slice=ast.Constant(value=str(name))) if not names:
            return name, True
        case _:
            raise NotInLanguage("call a tool or a function by its name", part)


def _arguments(call: ast.Call, values: Values) -> tuple[dict[str, ast.expr], dict[str, ast.expr]]:
    """Return a call's arguments, and apart from them those of the language itself."""
    given: dict[str, ast.expr] = {}
    rest: dict[str, ast.expr] = {}
    for keyword in call.keywords:
        match keyword:
            case ast.keyword(arg=None, value=ast.Dict() as value):
                named = values.items(value, "/args")
            case ast.keyword(arg=str(name), value=value):
                named = [(name, value)]
            case _:
                raise NotInLanguage('** takes an object that stands here: **{"key": value}', keyword.value)
        own = rest if keyword.arg in RESERVED else given
        for name, part in named:
            if name in own:
                message = f"the argument {name!r} stands twice"
                raise NotInLanguage(message, part, code=FaultCode.BAD_ARGUMENTS, pointer=_at("/args", name))
            own[name] = part
    return given, rest


def _worded(word: str, given: Mapping[str, ast.expr], values: Values) -> dict[str, Json]:
    kind, known = NODE_WORDS[word]
    fields: dict[str, Json] = {"kind": kind}
    for name, part in given.items():
        if name not in known:
            message = f"{word}(...) has no {name!r}; it may have: {', '.join(known)}"
            raise NotInLanguage(message, part, code=FaultCode.UNKNOWN_FIELD, pointer=_at("", name))
        fields[name] = values.value(part, f"/{name}") if known[name] else values.literal(part, f"/{name}")
    return fields


def _truth(part: ast.expr) -> bool:
    match part:
        case ast.Constant(value=bool(value)):
            return value
        case _:
            raise NotInLanguage("ask_first is True or False", part, pointer="/require_human_approval")


def _plain(part: ast.expr, word: str) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text
        case _:
            message = f"{word}(...) holds one plain text; results are not there yet, the answer is written from them"
            raise NotInLanguage(message, part)


def _at(pointer: str, key: str) -> str:
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"


def _no_call(part: ast.expr) -> str:
    match part:
        case ast.Constant() | ast.List() | ast.Dict() | ast.Tuple() | ast.JoinedStr():
            return "a name stands for a call's result; write this value where it is needed"
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return "a name stands for a call's result; write this reference where it is needed"
        case _:
            return f"{described(part)} cannot be worked out in a plan; put it into a function, and call that"


def _instead_of(statement: ast.stmt) -> str:
    match statement:
        case ast.Assign():
            return "one name for each call: name = tool(key=value)"
        case ast.AnnAssign():
            return "a name is given together with its call: name = tool(key=value)"
        case ast.Return():
            return "a plan returns nothing; the answer is written from all results"
        case _:
            return f"{described(statement)} is no step of a plan; put it into a function, and call that"


def fault_of(wrong: NotInLanguage, source: Source, part: ast.AST, node: str = "") -> Fault:
    """Return the fault of a part, or of what `wrong` names."""
    line, column = source.place(wrong.part or part)
    return Fault(code=wrong.code, message=wrong.message, line=line, column=column, node=node, pointer=wrong.pointer)
