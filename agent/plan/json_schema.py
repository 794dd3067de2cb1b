"""JSON Schemas: values and not-yet-bound arguments against them, and which schemas a model may write.

The value behind a reference is not known yet, so a reference fits any schema; of a text with a reference inside
only its type is known. Nothing is ever fetched to resolve a `$ref`.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias, cast

import jsonschema
import jsonschema.validators
import referencing
import referencing.exceptions
from jsonschema.protocols import Validator

from agent.plan.json_values import at_most, truncated
from agent.plan.operations import canonical_json
from agent.plan.references import Reference, pieces, pointer_token, with_texts
from sandbox.script import Json

_MESSAGE_CHARACTERS = 300
_NOTHING_FETCHED: referencing.Registry[Any] = referencing.Registry()

_MODEL_KEYWORDS = frozenset(
    {"type", "enum", "const", "title", "description", "default", "examples"}
    | {"properties", "required", "additionalProperties", "minProperties", "maxProperties"}
    | {"items", "prefixItems", "minItems", "maxItems"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"}
    | {"anyOf", "allOf", "oneOf", "not"}
)
"""No `pattern` and no `uniqueItems` (both could stall the host), no `$ref` (recursion), no `format`."""

_MODEL_BRANCHES = 50
"""How many schemas the `anyOf`, `allOf` and `oneOf` of one schema may list together: each is tried for each element."""

_MOST_ISSUES = 20
"""An issue quotes the value, so a large value with many would take a multiple of its memory."""

CHECK_SECONDS = 2.0
"""The longest that a value is checked."""

_ELEMENTS_AT_ONCE = 200
"""A larger value is checked in a thread; so is one against a schema with branches."""


@dataclass(frozen=True, kw_only=True)
class SchemaIssue:
    """Where a value does not fit its schema, and how."""

    #: A JSON pointer into the value.
    pointer: str
    message: str


class _Unknown:
    """Stands for a whole reference: a value of any type."""

    def __repr__(self) -> str:
        return "a reference"


class _UnknownText(str):
    """Stands for a text with a reference inside."""

    __slots__ = ()


_Rule: TypeAlias = Callable[[Any, Any, Any, Mapping[str, Any]], Iterator[jsonschema.ValidationError] | None]


async def schema_issues(
    value: Json, schema: Mapping[str, Json], seconds: float = CHECK_SECONDS
) -> Sequence[SchemaIssue]:
    """Return where a known value does not fit, the first 20 places; empty when it fits.

    A check that could take long runs in a thread; one that takes longer than `seconds` is an issue.
    """
    if at_most(value, _ELEMENTS_AT_ONCE) and not _branches(schema):
        return _issues(_PLAIN, value, schema, seconds)
    return await asyncio.to_thread(_issues, _PLAIN, value, schema, seconds)


def argument_issues(arguments: Json, schema: Mapping[str, Json]) -> Sequence[SchemaIssue]:
    """Return where arguments cannot fit, whatever their references become; empty when they may fit.

    `arguments` holds only well-formed references.
    """
    return _issues(_UNBOUND, with_texts(arguments, _unknown_or_text), schema, CHECK_SECONDS)


def model_schema_issues(schema: Mapping[str, Json]) -> Sequence[SchemaIssue]:
    """Return why a schema written by a model is refused: not a schema, or a keyword it may not use."""
    refused = [
        SchemaIssue(pointer=at, message=f"the keyword {keyword!r} may not be used here")
        for at, keyword in _keywords(schema)
        if keyword not in _MODEL_KEYWORDS
    ]
    if refused:
        return refused
    if (branches := _branches(schema)) > _MODEL_BRANCHES:
        message = f"anyOf, allOf and oneOf list {branches} schemas together, more than {_MODEL_BRANCHES}"
        return [SchemaIssue(pointer="", message=message)]
    try:
        jsonschema.Draft202012Validator.check_schema(cast("dict[str, Any]", schema))
    except jsonschema.SchemaError as error:
        return [_issue(error)]
    return []


class _TookTooLong(Exception):
    """A check passed its deadline."""


_deadline: ContextVar[float] = ContextVar("deadline of a check, as time.monotonic() tells it")


def _issues(kind: type[Validator], value: Any, schema: Mapping[str, Json], seconds: float) -> Sequence[SchemaIssue]:
    until = _deadline.set(time.monotonic() + seconds)
    try:
        errors = _validator(kind, canonical_json(schema)).iter_errors(value)
        return [_issue(error) for error in islice(errors, _MOST_ISSUES)]
    except _TookTooLong:
        return [SchemaIssue(pointer="", message=f"it takes longer than {seconds:g} seconds to check")]
    except referencing.exceptions.Unresolvable as error:
        return [SchemaIssue(pointer="", message=f"the schema refers to something unknown: {error.ref}")]
    finally:
        _deadline.reset(until)


@lru_cache(maxsize=512)
def _validator(kind: type[Validator], schema: str) -> Validator:
    return kind(json.loads(schema), registry=_NOTHING_FETCHED)


def _issue(error: jsonschema.ValidationError | jsonschema.SchemaError) -> SchemaIssue:
    pointer = "".join(f"/{pointer_token(str(part))}" for part in error.absolute_path)
    return SchemaIssue(pointer=pointer, message=truncated(error.message, _MESSAGE_CHARACTERS))


def _keywords(schema: Json, at: str = "") -> Iterator[tuple[str, str]]:
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        place = f"{at}/{pointer_token(keyword)}"
        yield place, keyword
        if keyword == "properties" and isinstance(value, Mapping):
            for name, inner in value.items():
                yield from _keywords(inner, f"{place}/{pointer_token(name)}")
        elif keyword in ("items", "additionalProperties", "not"):
            yield from _keywords(value, place)
        elif keyword in ("prefixItems", "anyOf", "allOf", "oneOf") and isinstance(value, list | tuple):
            for index, inner in enumerate(value):
                yield from _keywords(inner, f"{place}/{index}")


def _branches(schema: Json) -> int:
    """Return how many schemas the combining keywords of a schema list together, and keywords like them."""
    match schema:
        case Mapping():
            lists = (value for key, value in schema.items() if key in ("anyOf", "allOf", "oneOf"))
            here = sum(len(value) for value in lists if isinstance(value, list | tuple))
            return here + sum(_branches(value) for value in schema.values())
        case list() | tuple():
            return sum(_branches(value) for value in schema)
        case _:
            return 0


def _unknown_or_text(text: str) -> object:
    parts = pieces(text)
    match parts:
        case (Reference(),):
            return _Unknown()
        case _ if any(isinstance(part, Reference) for part in parts):
            return _UnknownText(text)
        case _:
            return "".join(str(part) for part in parts)


def _holds_unknown(value: object) -> bool:
    match value:
        case _Unknown() | _UnknownText():
            return True
        case dict():
            return any(_holds_unknown(inner) for inner in cast("dict[str, object]", value).values())
        case list():
            return any(_holds_unknown(inner) for inner in cast("list[object]", value))
        case _:
            return False


_OF_UNKNOWN_TEXT = frozenset({"type", "allOf", "anyOf", "oneOf", "$ref", "$dynamicRef"})
_NEEDS_ALL = frozenset({"enum", "const", "not", "if", "contains", "uniqueItems", "unevaluatedProperties"})


def _lenient(keyword: str, rule: _Rule, any_of: _Rule) -> _Rule:
    def check(validator: Any, rule_value: Any, instance: Any, schema: Mapping[str, Any]) -> Any:
        if isinstance(instance, _Unknown):
            return None
        if isinstance(instance, _UnknownText) and keyword not in _OF_UNKNOWN_TEXT:
            return None
        if keyword in _NEEDS_ALL and _holds_unknown(instance):
            return None
        if keyword == "oneOf" and _holds_unknown(instance):
            return any_of(validator, rule_value, instance, schema)
        return rule(validator, rule_value, instance, schema)

    return check


def _timed(rule: _Rule) -> _Rule:
    def check(validator: Any, rule_value: Any, instance: Any, schema: Mapping[str, Any]) -> Any:
        if time.monotonic() > _deadline.get():
            raise _TookTooLong
        return rule(validator, rule_value, instance, schema)

    return check


def _kind(rules: Mapping[str, _Rule]) -> type[Validator]:
    return cast(
        "type[Validator]",
        jsonschema.validators.extend(  # pyright: ignore[reportUnknownMemberType] -- the stub leaves it untyped
            jsonschema.Draft202012Validator, {keyword: _timed(rule) for keyword, rule in rules.items()}
        ),
    )


_rules = cast("Mapping[str, _Rule]", jsonschema.Draft202012Validator.VALIDATORS)
_PLAIN = _kind(_rules)
_UNBOUND = _kind({keyword: _lenient(keyword, rule, _rules["anyOf"]) for keyword, rule in _rules.items()})
