"""`@tool`: makes a tool of a typed async function. This is the file that a team's own tools import from.

    @tool(colour="green", timeout_seconds=20)
    async def office_hours(city: Annotated[str, Field(description="Such as Lisbon.")]) -> str:
        \"""Return when the office of a city is open.\"""

Parameters become the JSON Schema of the arguments by pydantic, the first paragraph of the docstring becomes the
description, and whatever the function returns becomes JSON. A parameter of type `CallContext` is no argument: it says
on whose behalf the call is made. Dry run, precondition, inverse and renderer are methods of the tool, used as
decorators.
"""

import dataclasses
import inspect
import keyword
import math
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Literal, NoReturn, ParamSpec, TypeVar, cast, get_type_hints

from pydantic import ConfigDict, GetJsonSchemaHandler, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, to_jsonable_python

from agent.ids import ToolName
from agent.plan.confidential import KEYWORD, confidential_places
from agent.plan.effects import Inverse, InverseCall, NoInverse
from agent.plan.operations import NodeKind
from agent.preview import DiffPreview, FieldsPreview, Preview, Previewer, TablePreview, cell_text
from agent.reading.plan_language.names import HELPERS
from agent.tool import CallContext, Colour, Egress, Reversibility, Tool, ToolError, Undoing, WorldChanged
from sandbox.script import Json

__all__ = [
    "CONFIDENTIAL",
    "CallContext",
    "DiffPreview",
    "Egress",
    "FieldsPreview",
    "Inverse",
    "InverseCall",
    "Json",
    "NoInverse",
    "Preview",
    "PythonTool",
    "TablePreview",
    "ToolError",
    "ToolUnusable",
    "WorldChanged",
    "cell_text",
    "tool",
]

MOST_RETRIES = 2
MOST_SECONDS = 3600.0

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TAKEN = HELPERS | {kind.value for kind in NodeKind} | {"default"}
_OF_INVERSE = frozenset({"output", "before"})

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., object])

_Async = Callable[[CallContext, Mapping[str, Json]], Awaitable[Json]]


class ToolUnusable(Exception):
    """A function cannot be a tool, or a file or package of tools cannot be loaded; one line names it and the reason."""


class _Confidential:
    """Marks the schema of a type as confidential."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), KEYWORD: True}


CONFIDENTIAL: Final = _Confidential()
"""Marks an argument, or a field of one, that only those who may decide see: `pin: Annotated[str, CONFIDENTIAL]`."""


class _Untitled(GenerateJsonSchema):
    """Leaves out titles: they repeat names, and a model reads every word of a schema."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 -- the library's hook
        return False


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `@tool` is told besides the function; see the fields of `agent.tool.Tool` of the same names."""

    name: str | None = None
    #: Anything but green is red.
    colour: str = Colour.RED
    timeout_seconds: float = 30.0
    #: How often a green call that failed in passing is made again.
    retries: int = 0
    cache_seconds: float = 0.0
    returns_outside_text: bool = True
    reversibility: Literal["reversible", "compensable", "final"] | None = None
    targets: tuple[str, ...] | None = None
    egress: Egress | None = None
    url_argument: str | None = None
    personal: bool = False
    account: str = ""
    version: str = "1"


class _Arguments:
    """The arguments of a function: their JSON Schema, and the values that the function gets."""

    def __init__(self, function: Callable[..., object], refuse: Callable[[str], NoReturn]) -> None:
        try:
            hints = get_type_hints(function, include_extras=True)
        except Exception as error:  # noqa: BLE001 -- annotations are code of the tool's author, which may raise anything
            refuse(f"its annotations cannot be read: {_first_line(error)}")
        self.context: str | None = None
        fields: list[tuple[str, object, Any]] = []
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                refuse(f"parameter {name!r} must be an ordinary one, because arguments have names")
            if name not in hints:
                refuse(f"parameter {name!r} has no type")
            if hints[name] is CallContext:
                self.context = name
            else:
                fields.append((name, hints[name], _default(parameter)))
        self.names = frozenset(name for name, _, _ in fields)
        try:
            made = dataclasses.make_dataclass(
                "Arguments",
                fields,
                kw_only=True,
                namespace={"__pydantic_config__": ConfigDict(extra="forbid", use_attribute_docstrings=False)},
            )
            self._adapter: TypeAdapter[object] = TypeAdapter(made)
            schema = self._adapter.json_schema(schema_generator=_Untitled)
        except (PydanticUserError, PydanticSchemaGenerationError, TypeError, ValueError) as error:
            refuse(f"its parameters make no JSON Schema: {_first_line(error)}")
        schema.pop("title", None)
        schema.pop("description", None)
        self.schema: Mapping[str, Json] = schema

    def values(self, args: Mapping[str, Json]) -> dict[str, object]:
        """Return the value of each parameter that is an argument.

        Raises:
            ToolError: `bad_arguments`: a value does not fit its type. No value is quoted.
        """
        try:
            made = self._adapter.validate_python(dict(args))
        except ValidationError as error:
            hides = bool(confidential_places(self.schema))
            issues = [
                f"/{'/'.join(map(str, fault['loc']))}: {'it does not fit its type' if hides else fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)[:5]
            ]
            raise ToolError("bad_arguments", "; ".join(issues)) from None
        return {name: getattr(made, name) for name in self.names}


class PythonTool(Generic[P, R]):
    """A tool made of a function. Calling it calls the function, for its own tests."""

    def __init__(self, function: Callable[P, Coroutine[Any, Any, R]], options: Options) -> None:
        self.function = function
        self.options = options
        self.name = ToolName(options.name or function.__name__)
        code = inspect.unwrap(function).__code__ if inspect.isfunction(inspect.unwrap(function)) else None
        #: The file that the function stands in.
        self.file = code.co_filename if code else ""
        self._line = code.co_firstlineno if code else 0
        self._dry_run: _Async | None = None
        self._precondition: _Async | None = None
        self._inverse: Callable[[CallContext, Mapping[str, Json], Json, Json], Inverse] | None = None
        self._renderer: Previewer | None = None
        self._check()
        self._arguments = _Arguments(function, self._refuse)
        self._check_named()

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as it stands."""
        return await self.function(*args, **kwargs)

    def dry_run(self, function: F) -> F:
        """Use an async function to say what a call would do, without doing it. It has parameters of the tool's names.

        Raises:
            ToolUnusable: its signature does not fit.
        """
        self._dry_run = self._reader(function, "dry run")
        return function

    def precondition(self, function: F) -> F:
        """Use an async function to read what a call is about to change. It has parameters of the tool's names.

        When it returns something else right before the call than for the card, people are asked again.

        Raises:
            ToolUnusable: its signature does not fit.
        """
        self._precondition = self._reader(function, "precondition")
        return function

    def inverse(self, function: Callable[..., Inverse]) -> Callable[..., Inverse]:
        """Use a plain, pure function to say which call takes the effect of one back.

        It has parameters of the tool's names, and may have `output` (what the call returned, as JSON) and `before`
        (what the precondition read right before it, or None). It returns `other_tool.inverse_call(...)`, or None.

        Raises:
            ToolUnusable: its signature does not fit, or the tool has an argument of such a name.
        """
        if self._arguments.names & _OF_INVERSE:
            self._refuse("a tool with an inverse has no argument 'output' or 'before'")
        if inspect.iscoroutinefunction(function):
            self._refuse("its inverse must be an ordinary function, not an async one")
        values = self._companion(function, "inverse", _OF_INVERSE)

        def inverse(context: CallContext, args: Mapping[str, Json], output: Json, before: Json) -> Inverse:
            return function(**values(context, args, {"output": output, "before": before}))

        self._inverse = inverse
        return function

    def renderer(self, function: Previewer) -> Previewer:
        """Use a plain, pure function to say how arguments look on a card.

        It gets the arguments as the card may show them, so none that is confidential, and returns parts such as
        `FieldsPreview`. A part counts only if it shows each argument that it covers whole.

        Raises:
            ToolUnusable: it is no function of one parameter.
        """
        if inspect.iscoroutinefunction(function) or len(inspect.signature(function).parameters) != 1:
            self._refuse("its renderer must be an ordinary function of one parameter, the arguments")
        self._renderer = function
        return function

    def inverse_call(self, **args: Json) -> InverseCall:
        """Return the call of this tool with these arguments, for an `inverse`."""
        return InverseCall(tool=self.name, args=args)

    @property
    def methods(self) -> Sequence[str]:
        """The names of the optional methods that this tool has."""
        given = {
            "dry_run": self._dry_run,
            "precondition": self._precondition,
            "inverse": self._inverse,
            "renderer": self._renderer,
        }
        return [name for name, function in given.items() if function is not None]

    def build(self) -> Tool:
        """Return the tool for the registry.

        Raises:
            ToolUnusable: an option names no argument, or a green tool has a method for red ones.
        """
        options, red = self.options, self.colour is Colour.RED
        if not red and self.methods:
            self._refuse(f"it is green, so it has no {', '.join(self.methods)}: only red tools do")
        undoing = None if self._inverse is None else Undoing(inverse=self._inverse, before=self._precondition)
        default = Reversibility.FINAL if undoing is None else Reversibility.REVERSIBLE
        return Tool(
            name=self.name,
            description=self.description,
            arguments=self._arguments.schema,
            colour=self.colour,
            call=self._call,
            reversibility=default if options.reversibility is None else Reversibility(options.reversibility),
            undoing=undoing,
            preview=self._renderer,
            dry_run=self._dry_run,
            precondition=self._precondition,
            timeout_seconds=options.timeout_seconds,
            retryable=options.retries > 0,
            retries=options.retries,
            cache_seconds=options.cache_seconds,
            targets=options.targets,
            egress=options.egress,
            url_argument=options.url_argument,
            personal=options.personal or bool(options.account),
            account=options.account,
            returns_outside_text=options.returns_outside_text,
            version=options.version,
        )

    @property
    def colour(self) -> Colour:
        """The colour: red unless the tool says green."""
        return Colour.GREEN if self.options.colour == Colour.GREEN else Colour.RED

    @property
    def description(self) -> str:
        """The first paragraph of the docstring, as one line."""
        return " ".join(inspect.cleandoc(self.function.__doc__ or "").partition("\n\n")[0].split())

    async def _call(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        values = self._with_context(self._arguments.context, context, self._arguments.values(args))
        if self.colour is Colour.RED:
            context.check_not_late()
        return _json(await cast("Callable[..., Awaitable[object]]", self.function)(**values))

    def _reader(self, function: Callable[..., object], what: str) -> _Async:
        if not inspect.iscoroutinefunction(function):
            self._refuse(f"its {what} must be an async function")
        values = self._companion(function, what)

        async def read(context: CallContext, args: Mapping[str, Json]) -> Json:
            return _json(await cast("Callable[..., Awaitable[object]]", function)(**values(context, args, {})))

        return read

    def _companion(
        self, function: Callable[..., object], what: str, more: frozenset[str] = frozenset()
    ) -> Callable[[CallContext, Mapping[str, Json], Mapping[str, object]], dict[str, object]]:
        """Return what picks the values for the parameters of a function beside the tool's own."""
        parameters = inspect.signature(function).parameters
        hints = get_type_hints(function, include_extras=True)
        wanted_context = next((name for name in parameters if hints.get(name) is CallContext), None)
        wanted = parameters.keys() - {wanted_context}
        if unknown := sorted(wanted - self._arguments.names - more):
            self._refuse(f"its {what} has a parameter {unknown[0]!r} that the tool has not")

        def values(context: CallContext, args: Mapping[str, Json], extra: Mapping[str, object]) -> dict[str, object]:
            every = {**self._arguments.values(args), **extra}
            return self._with_context(wanted_context, context, {name: every[name] for name in wanted})

        return values

    @staticmethod
    def _with_context(name: str | None, context: CallContext, values: dict[str, object]) -> dict[str, object]:
        return values if name is None else {**values, name: context}

    def _check(self) -> None:
        options = self.options
        if not inspect.iscoroutinefunction(self.function):
            self._refuse("it must be an async function; blocking work goes into `await asyncio.to_thread(...)`")
        if not _NAME.fullmatch(self.name) or keyword.iskeyword(self.name):
            self._refuse("a tool's name has lower-case letters, digits and _, begins with a letter, and is no keyword")
        if self.name in _TAKEN:
            self._refuse("the word has a meaning of its own in plans or settings; choose another name")
        if not self.description:
            self._refuse("it has no docstring, and the planner reads nothing else about it")
        if not 0 < options.timeout_seconds <= MOST_SECONDS:
            self._refuse(f"timeout_seconds must be more than 0 and at most {MOST_SECONDS:g}")
        if not 0 <= options.retries <= MOST_RETRIES:
            self._refuse(f"retries must be 0 to {MOST_RETRIES}")
        if not 0 <= options.cache_seconds < math.inf:
            self._refuse("cache_seconds must be 0 or more")
        if self.colour is Colour.RED and (options.retries or options.cache_seconds):
            self._refuse("it is red, and a red call is neither made again nor cached")

    def _check_named(self) -> None:
        egress = () if self.options.egress is None else (self.options.egress.argument,)
        url = () if self.options.url_argument is None else (self.options.url_argument,)
        if unknown := sorted({*(self.options.targets or ()), *egress, *url} - self._arguments.names):
            self._refuse(f"its options name {unknown[0]!r}, which is no argument")

    def _refuse(self, why: str) -> NoReturn:
        raise ToolUnusable(f"{self.file}:{self._line}: tool {self.name!r}: {why}") from None


def tool(
    *,
    name: str | None = None,
    colour: str = "red",
    timeout_seconds: float = 30.0,
    retries: int = 0,
    cache_seconds: float = 0.0,
    returns_outside_text: bool = True,
    reversibility: Literal["reversible", "compensable", "final"] | None = None,
    targets: Sequence[str] | None = None,
    egress: Egress | None = None,
    url_argument: str | None = None,
    personal: bool = False,
    account: str = "",
    version: str = "1",
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], PythonTool[P, R]]:
    """Make a tool of an async function with typed parameters and a docstring.

    Args:
        name: The name in plans; by default the function's.
        colour: `"green"` only reads and runs freely; anything else is red and waits for a person.
        timeout_seconds: The longest that a call takes.
        retries: How often a green call that failed in passing (ToolError `timeout`, `unreachable`, `unavailable`,
            `rate_limited`) is made again; 0 to 2.
        cache_seconds: How long a green result is returned again for the same person and arguments.
        returns_outside_text: Whether the output holds text that strangers wrote. Say False only if none can get in.
        reversibility: Whether a red call can be taken back; by default `"reversible"` with an `inverse`, or `"final"`.
        targets: The arguments that say what a red call changes; by default each one.
        egress: For a green tool that sends something to a host which a plan names.
        url_argument: The argument with the URL whose host a call asks.
        personal: Whether the output is for the person alone who asked.
        account: The provider (`[accounts.NAME]`) with the account of the person who asks: `await context.token()` of a
            parameter of type CallContext is their access token. Then it is `personal`.
        version: To be changed when the tool returns something else for the same arguments.

    Raises:
        ToolUnusable: the function cannot be a tool; the text names file, line, tool and reason.
    """
    options = Options(
        name=name,
        colour=colour,
        timeout_seconds=timeout_seconds,
        retries=retries,
        cache_seconds=cache_seconds,
        returns_outside_text=returns_outside_text,
        reversibility=reversibility,
        targets=None if targets is None else tuple(targets),
        egress=egress,
        url_argument=url_argument,
        personal=personal,
        account=account,
        version=version,
    )
    return partial(PythonTool[P, R], options=options)


def _default(parameter: inspect.Parameter) -> Any:
    default = parameter.default
    if default is parameter.empty:
        return dataclasses.field()
    if type(default).__hash__ is None:
        return dataclasses.field(default_factory=partial(deepcopy, default))
    return dataclasses.field(default=default)


def _json(value: object) -> Json:
    """Return a value as JSON: models, dataclasses, dates, decimals and sets too. What is no JSON stays as it is."""
    try:
        return to_jsonable_python(value)
    except ValueError:  # whoever keeps the output says what is wrong with it
        return cast("Json", value)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
