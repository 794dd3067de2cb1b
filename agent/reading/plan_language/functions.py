"""Functions of the plan language: what a function needs, and the script that it becomes."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.packing.script_checks import tools_named
from agent.plan.file_names import FILES_WRITE
from agent.reading.plan_language.lines import Line
from agent.reading.plan_language.syntax import NotInLanguage
from agent.reading.validation import FaultCode

_INDENT = "    "


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of a plan."""

    name: str
    definition: ast.FunctionDef | ast.AsyncFunctionDef
    #: Its text as written, at the left margin.
    text: str
    place: tuple[int, int]

    @property
    def parameters(self) -> Mapping[str, bool]:
        """Return parameter -> whether a call must give it."""
        arguments = self.definition.args
        positional = [*arguments.posonlyargs, *arguments.args]
        needed = len(positional) - len(arguments.defaults)
        found = {argument.arg: number < needed for number, argument in enumerate(positional)}
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            found[argument.arg] = default is None
        return found

    @property
    def takes_any(self) -> bool:
        """Return whether a call may give it whatever it likes: its only parameter is `**inputs`."""
        return self.definition.args.kwarg is not None

    @property
    def result(self) -> ast.Dict | None:
        """Return the JSON Schema behind its arrow; any other annotation means nothing."""
        return self.definition.returns if isinstance(self.definition.returns, ast.Dict) else None


@dataclass(kw_only=True)
class Functions:
    """The functions and imports of a plan so far."""

    by_name: dict[str, Function] = field(default_factory=dict[str, Function])
    #: Name that an import binds -> the import.
    imports: dict[str, str] = field(default_factory=dict[str, str])
    #: The functions that some step runs, directly or through another one.
    called: set[str] = field(default_factory=set[str])
    #: Function -> its script and its tools, as long as nothing is added.
    _made: dict[str, tuple[str, Sequence[str]]] = field(default_factory=dict[str, tuple[str, Sequence[str]]])

    def call(self, name: str) -> Function | None:
        """Return a function that a step runs; None when there is none of that name."""
        function = self.by_name.get(name)
        if function is not None and name not in self.called:
            self.called.update((name, *(used.name for used in self._used(function))))
        return function

    def take_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        """Keep an import for the functions that use it."""
        self._made.clear()
        for alias in statement.names:
            name = (alias.asname or alias.name).partition(".")[0]
            self.imports[name] = ast.unparse(statement)

    def define(self, definition: ast.FunctionDef | ast.AsyncFunctionDef, line: Line, place: tuple[int, int]) -> None:
        """Take a function.

        Raises:
            NotInLanguage: it cannot become a script.
        """
        arguments = definition.args
        if definition.decorator_list:
            raise NotInLanguage("a function has no decorators here", definition.decorator_list[0])
        if arguments.vararg is not None:
            raise NotInLanguage("a function names each parameter; *args are not possible", arguments.vararg)
        if arguments.kwarg is not None and (arguments.posonlyargs or arguments.args or arguments.kwonlyargs):
            raise NotInLanguage("a function names each parameter, or has **inputs alone", arguments.kwarg)
        name = definition.name
        self._made.clear()
        self.by_name[name] = Function(name=name, definition=definition, text=line.text, place=place)

    def package(self, function: Function) -> tuple[str, Sequence[str]]:
        """Return the script that runs a function, with the imports and the functions above that it uses, and its tools.

        Raises:
            NotInLanguage: one of those functions has a name that the script needs.
        """
        if function.name not in self._made:
            self._made[function.name] = self._script(function), self._tools(function)
        return self._made[function.name]

    def _script(self, function: Function) -> str:
        used = list(self._used(function))
        if any(helper.name == "main" for helper in used):
            message = "a function that another one calls cannot be called main"
            raise NotInLanguage(message, code=FaultCode.BAD_SCRIPT, pointer="/code")
        names = {name for part in (function, *used) for name in _names_in(part)}
        imports = dict.fromkeys(text for name, text in self.imports.items() if name in names)
        parts = [*(helper.text for helper in used), *_main(function)]
        return "".join(f"{text}\n" for text in imports) + "\n\n".join(parts) + "\n"

    def _tools(self, function: Function) -> Sequence[str]:
        """Return the tools that a function and those it uses may call, in the order of the text."""
        found: dict[str, None] = {}
        for part in (*self._used(function), function):
            module = ast.Module(body=[part.definition], type_ignores=[])
            named = sorted(tools_named(module), key=lambda attribute: (attribute.lineno, attribute.col_offset))
            found.update((attribute.attr, None) for attribute in named if attribute.attr != FILES_WRITE)
        return list(found)

    def _used(self, function: Function) -> Iterator[Function]:
        """Yield the other functions that a function needs, in the order of the text."""
        needed: dict[str, Function] = {}
        waiting = [function]
        while waiting:
            for name in _names_in(waiting.pop()):
                if name in self.by_name and name not in needed and name != function.name:
                    needed[name] = self.by_name[name]
                    waiting.append(needed[name])
        yield from (other for name, other in self.by_name.items() if name in needed)


def _names_in(function: Function) -> Iterator[str]:
    yield from (part.id for part in ast.walk(function.definition) if isinstance(part, ast.Name))


def _main(function: Function) -> Iterator[str]:
    """Yield the function as `main(inputs)`; one that calls itself stays as it is, and `main` calls it."""
    is_async = isinstance(function.definition, ast.AsyncFunctionDef)
    define = "async def" if is_async else "def"
    if function.name in _names_in(function):
        yield function.text
        yield f"{define} main(inputs):\n{_INDENT}return {'await ' if is_async else ''}{function.name}(**inputs)"
        return
    indent, body = body_of(function.definition, function.text)
    kwarg = function.definition.args.kwarg
    inputs = kwarg.arg if kwarg is not None else "inputs"
    taken = "".join(f"{indent}{row}\n" for row in _unpacked(function))
    yield f"{define} main({inputs}):\n{taken}{body}"


def _unpacked(function: Function) -> Iterator[str]:
    """Yield the lines that take a function's parameters out of `inputs`."""
    needed = [name for name, is_needed in function.parameters.items() if is_needed]
    optional = {name: ast.unparse(default) for name, default in _defaults(function.definition.args)}
    # In one statement: a parameter may itself be called `inputs`.
    values = [f'inputs["{name}"]' for name in needed]
    values += [f'inputs.get("{name}", {default})' for name, default in optional.items()]
    if values:
        yield f"{', '.join([*needed, *optional])} = {', '.join(values)}"


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    yield from (
        (argument.arg, default) for argument, default in zip(positional[first:], arguments.defaults, strict=True)
    )
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    yield from ((argument.arg, default) for argument, default in named if default is not None)


def body_of(definition: ast.FunctionDef | ast.AsyncFunctionDef, text: str) -> tuple[str, str]:
    """Return the indentation of a function's body and its text; `text` holds the function and ends with it."""
    rows = text.split("\n")
    first = definition.body[0]
    number = min([first.lineno, *(decorator.lineno for decorator in getattr(first, "decorator_list", []))])
    row = rows[number - 1]
    margin = row[: len(row) - len(row.lstrip())]
    before = row.encode()[: first.col_offset].decode() if number == first.lineno else margin
    if before.strip():
        return _INDENT, "\n".join([_INDENT + row[len(before) :], *rows[number:]])
    return before, "\n".join(rows[number - 1 :])
