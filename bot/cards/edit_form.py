"""A call's arguments as the fields of a form, from the tool's JSON Schema, and back as arguments. Pure.

A field that nobody touched keeps its value exactly, whatever a form can hold of it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from agent.plan.confidential import is_confidential
from agent.plan.json_schema import SchemaIssue
from agent.plan.json_values import json_issue_in
from agent.plan.references import pointer_token
from bot import wording
from bot.elements import (
    INPUT_CHARACTERS,
    OPTION_CHARACTERS,
    PLAIN_CHARACTERS,
    Block,
    field,
    number_input,
    options_input,
    shortened,
    text_input,
)
from bot.payloads import FormSubmission
from bot.visibility import visible
from sandbox.script import Json

MOST_FIELDS = 90
"""A modal has 100 blocks at most."""

_MOST_OPTIONS = 100
_LONG_CHARACTERS = 60
"""A longer text gets a field of several lines."""

_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_ISSUE_CHARACTERS = 140


class _Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ENUM = "enum"
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class ArgumentField:
    """A field of the form."""

    name: str
    block_id: str
    kind: _Kind
    required: bool
    #: What stands in it at first; empty for nothing.
    initial: str
    hint: str
    #: Of an enum: the values, in the order of its options.
    values: Sequence[Json] = ()
    whole: bool = False

    @property
    def block(self) -> Block:
        """The input."""
        return field(
            visible(self.name),
            self._element,
            block_id=self.block_id,
            optional=not self.required or (self.kind in (_Kind.TEXT, _Kind.JSON) and not self.initial),
            hint=self.hint,
        )

    @property
    def _element(self) -> Block:
        match self.kind:
            case _Kind.NUMBER:
                return number_input(self.initial, decimal=not self.whole)
            case _Kind.BOOLEAN:
                return options_input([("Yes", "true"), ("No", "false")], self.initial)
            case _Kind.ENUM:
                return options_input([(_label(value), str(at)) for at, value in enumerate(self.values)], self.initial)
            case _Kind.TEXT:
                return text_input(self.initial, multiline=len(self.initial) > _LONG_CHARACTERS or "\n" in self.initial)
            case _Kind.JSON:
                return text_input(self.initial)


def fields_of(
    schema: Mapping[str, Json], args: Mapping[str, Json], confidential: Sequence[str] = ()
) -> Sequence[ArgumentField] | None:
    """Return a field for each argument that there is or could be; None when they do not fit a form.

    Arguments that are or hold something confidential have none, and keep their value. `confidential` are its places
    (`agent/plan/confidential.py`).
    """
    known = _object(schema.get("properties"))
    required = schema.get("required")
    needed = set(map(str, required)) if isinstance(required, list | tuple) else set[str]()
    names = [name for name in dict.fromkeys([*known, *args]) if not is_confidential(name, confidential)]
    if len(names) > MOST_FIELDS:
        return None
    found = [_field(f"argument-{at}", name, known.get(name), args, name in needed) for at, name in enumerate(names)]
    return (
        None if any(len(one.initial) > INPUT_CHARACTERS or len(one.name) > PLAIN_CHARACTERS for one in found) else found
    )


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else dict[str, Json]()


def entered(
    fields: Sequence[ArgumentField], args: Mapping[str, Json], submission: FormSubmission
) -> tuple[Mapping[str, Json], Mapping[str, str]]:
    """Return the arguments with what the person entered, and block id -> what is wrong with a field."""
    result, errors = dict(args), dict[str, str]()
    for one in fields:
        value = _entered(one, args, submission)
        match value:
            case _Wrong(words=words):
                errors[one.block_id] = words
            case Entered(value=given):
                result[one.name] = given
            case None:
                result.pop(one.name, None)
    return result, errors


def schema_errors(
    fields: Sequence[ArgumentField], issues: Sequence[SchemaIssue], *, quotes: bool = True
) -> Mapping[str, str]:
    """Return block id -> why it does not fit the schema; what is about no single field stands under the first.

    An issue quotes values, perhaps all of them; without `quotes` none is told.
    """
    by_token = {pointer_token(one.name): one.block_id for one in fields}
    errors: dict[str, str] = {}
    for issue in issues:
        block_id = by_token.get(issue.pointer.removeprefix("/").split("/", 1)[0], fields[0].block_id)
        quoted = wording.does_not_fit(shortened(visible(issue.message), _ISSUE_CHARACTERS))
        errors.setdefault(block_id, quoted if quotes else wording.DOES_NOT_FIT)
    return errors


@dataclass(frozen=True, kw_only=True)
class Entered:
    """What a person entered."""

    value: Json


@dataclass(frozen=True, kw_only=True)
class _Wrong:
    words: str


def _entered(one: ArgumentField, args: Mapping[str, Json], submission: FormSubmission) -> Entered | _Wrong | None:
    """Return the field's value; None: the argument is not given."""
    chosen = one.kind in (_Kind.BOOLEAN, _Kind.ENUM)
    typed = submission.chosen(one.block_id) if chosen else submission.text(one.block_id)
    if _same(typed, one.initial):
        return Entered(value=args[one.name]) if one.name in args else None
    if not typed:
        return Entered(value="") if one.kind is _Kind.TEXT and one.required else None
    match one.kind:
        case _Kind.TEXT:
            return Entered(value=typed)
        case _Kind.NUMBER:
            if not _NUMBER.fullmatch(typed.strip()):
                return _Wrong(words=wording.NOT_A_NUMBER)
            return Entered(value=float(typed) if "." in typed else int(typed))
        case _Kind.BOOLEAN:
            return Entered(value=typed == "true")
        case _Kind.ENUM:
            at = int(typed) if re.fullmatch("[0-9]{1,3}", typed) else len(one.values)
            return Entered(value=one.values[at]) if at < len(one.values) else _Wrong(words=wording.PLEASE_CHOOSE)
        case _Kind.JSON:
            return parsed_json(typed) or _Wrong(words=wording.NOT_JSON)


def parsed_json(text: str) -> Entered | None:
    """Return the value of a JSON text; None when it is none that can be stored."""
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return Entered(value=value) if json_issue_in(value) is None else None


def _same(typed: str, initial: str) -> bool:
    """Return whether nobody changed the field: a form writes line ends its own way."""
    return "\n".join(typed.splitlines()) == "\n".join(initial.splitlines())


def _field(block_id: str, name: str, schema: Json, args: Mapping[str, Json], required: bool) -> ArgumentField:
    told = _object(schema)
    described = told.get("description")
    plain = ArgumentField(
        name=name,
        block_id=block_id,
        kind=_Kind.JSON,
        required=required,
        initial=json.dumps(args[name], ensure_ascii=False, indent=2) if name in args else "",
        hint=shortened(visible(described), PLAIN_CHARACTERS) if isinstance(described, str) else "",
    )
    return next(_simpler(plain, told, args.get(name), given=name in args), plain)


def _simpler(plain: ArgumentField, schema: Mapping[str, Json], value: Json, *, given: bool) -> Iterator[ArgumentField]:
    """Yield the field in a form that is easier than JSON, where the schema and the value allow one."""
    values = schema.get("enum")
    if isinstance(values, list | tuple) and _fits_options(values):
        at = [str(number) for number, one in enumerate(values) if given and json.dumps(one) == json.dumps(value)]
        if at or not given:
            yield replace(plain, kind=_Kind.ENUM, values=tuple(values), initial="".join(at[:1]))
    match schema.get("type"):
        case "string" if not given or isinstance(value, str):
            yield replace(plain, kind=_Kind.TEXT, initial=value if isinstance(value, str) else "")
        case "boolean" if not given or isinstance(value, bool):
            yield replace(plain, kind=_Kind.BOOLEAN, initial=json.dumps(value) if given else "")
        case "integer" | "number" as kind if not given or _is_plain_number(value):
            yield replace(plain, kind=_Kind.NUMBER, initial=json.dumps(value) if given else "", whole=kind == "integer")
        case _:
            return


def _fits_options(values: Sequence[Json]) -> bool:
    labels = (_label(one) if isinstance(one, str | int | float) else "" for one in values[: _MOST_OPTIONS + 1])
    return 0 < len(values) <= _MOST_OPTIONS and all(0 < len(label) <= OPTION_CHARACTERS for label in labels)


def _is_plain_number(value: Json) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and _NUMBER.fullmatch(json.dumps(value)) is not None


def _label(value: Json) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value))
