"""`@tool`: what it makes of a function, what a call gives it and returns, and which functions it refuses."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, field_validator

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.confidential import confidential_places
from agent.plan.effects import InverseCall
from agent.plan.outcomes import Failed, Succeeded
from agent.tool import Colour, Reversibility, TooLate
from agent.tools.call import call_tool, dry_run, inverse_of, value_before, world_state
from agent.tools.decorator import (
    CONFIDENTIAL,
    CallContext,
    FieldsPreview,
    Inverse,
    Json,
    PythonTool,
    ToolError,
    ToolUnusable,
    tool,
)


def context() -> CallContext:
    return CallContext(thread=ThreadId("t"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("d"))


class Seat(BaseModel):
    row: int
    pin: Annotated[str, CONFIDENTIAL] = ""

    @field_validator("pin")
    @classmethod
    def _even(cls, pin: str) -> str:
        if len(pin) % 2:
            raise ValueError(f"{pin} is odd")
        return pin


@tool(colour="green", timeout_seconds=7, retries=1, returns_outside_text=False)
async def open_hours(
    city: Annotated[str, Field(description="Such as Lisbon.", max_length=20)],
    on: date | None = None,
    copy: list[str] = ["x"],  # noqa: B006 -- a default that a call must not share
    *,
    asker: CallContext,
) -> Mapping[str, object]:
    """Return when the office
    of a city is open.

    Nobody reads this.
    """
    copy.append("y")
    return {"city": city, "on": on, "copy": copy, "author": asker.author, "price": Decimal("1.50"), "all": {1}}


def test_a_function_makes_name_description_schema_and_limits() -> None:
    built = open_hours.build()
    assert (built.name, built.colour, built.timeout_seconds) == ("open_hours", Colour.GREEN, 7)
    assert built.description == "Return when the office of a city is open."
    assert (built.retryable, built.retries, built.returns_outside_text) == (True, 1, False)
    assert built.arguments == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Such as Lisbon.", "maxLength": 20},
            "on": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": None},
            "copy": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


async def test_a_call_gets_typed_values_and_the_context_and_returns_json() -> None:
    expected = {"city": "Lisbon", "on": "2026-01-02", "copy": ["x", "y"], "author": "U1", "price": "1.50", "all": [1]}
    for _ in range(2):  # the default list is not shared
        outcome = await call_tool(open_hours.build(), context(), {"city": "Lisbon", "on": "2026-01-02"})
        assert outcome == Succeeded(value=expected)


async def test_calling_the_tool_itself_calls_the_function() -> None:
    assert (await open_hours("Porto", asker=context()))["city"] == "Porto"


@pytest.mark.parametrize(
    ("args", "place"),
    [
        ({"city": "Lisbon", "more": 1}, "more"),
        ({}, "city"),
        ({"city": 5}, "/city"),
        ({"city": "L" * 21}, "/city"),
        ({"city": "Lisbon", "on": "today"}, "/on"),
    ],
    ids=["unknown", "missing", "wrong type", "too long", "no date"],
)
async def test_arguments_that_do_not_fit_are_refused(args: Mapping[str, Json], place: str) -> None:
    outcome = await call_tool(open_hours.build(), context(), args)
    assert isinstance(outcome, Failed)
    assert outcome.error == "bad_arguments"
    assert place in outcome.message


@pytest.mark.parametrize("colour", ["red", "gren", ""])
async def test_a_tool_is_red_unless_it_says_green(colour: str) -> None:
    @tool(colour=colour)
    async def pay() -> None:
        """Pay."""

    @tool()
    async def unsaid() -> None:
        """Pay."""

    assert pay.build().colour is Colour.RED
    assert unsaid.build().colour is Colour.RED


async def test_a_red_call_is_not_made_when_it_is_too_late() -> None:
    paid: list[str] = []

    @tool()
    async def pay(to: str) -> None:
        """Pay."""
        paid.append(to)

    with pytest.raises(TooLate):
        await call_tool(pay.build(), replace(context(), not_after=lambda: 0.0), {"to": "Ada"})
    assert paid == []


async def test_a_green_call_is_made_again_as_often_as_it_says() -> None:
    tries: list[int] = []

    @tool(colour="green", retries=1)
    async def flaky() -> None:
        """Fail in passing."""
        tries.append(1)
        raise ToolError("unavailable", "later")

    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    assert isinstance(await call_tool(flaky.build(), context(), {}, pause=at_once), Failed)
    assert len(tries) == 2


async def test_confidential_arguments_are_marked_and_never_quoted() -> None:
    @tool()
    async def book(seat: Seat, code: Annotated[int, Field(description="Secret."), CONFIDENTIAL] = 0) -> None:
        """Book a seat."""

    assert confidential_places(book.build().arguments) == ("/code", "/seat/pin")
    outcome = await call_tool(book.build(), context(), {"seat": {"row": 1, "pin": "hunter2"}})
    assert isinstance(outcome, Failed)
    assert outcome.error == "bad_arguments"
    assert "hunter2" not in outcome.message


@dataclass
class _Odd:
    value: object


async def test_a_result_that_is_no_json_fails_the_call_in_plain_words() -> None:
    @tool(colour="green")
    async def odd() -> object:
        """Return something odd."""
        return _Odd(object())

    outcome = await call_tool(odd.build(), context(), {})
    assert isinstance(outcome, Failed)
    assert outcome.error == "bad_output"


FLAGS: dict[str, bool] = {"beta": False}


@tool(targets=["name"])
async def set_flag(name: str, on: bool) -> str:
    """Set a feature flag."""
    FLAGS[name] = on
    return "set"


@set_flag.dry_run
async def _would(name: str, on: bool) -> str:
    return f"{name}: {FLAGS[name]} -> {on}"


@set_flag.precondition
async def _state(name: str) -> bool:
    return FLAGS[name]


@set_flag.inverse
def _back(name: str, output: Json, before: Json) -> Inverse:
    assert output == "set"
    return set_flag.inverse_call(name=name, on=before)


@set_flag.renderer
def _card(args: Mapping[str, Json]) -> Sequence[FieldsPreview]:
    return [FieldsPreview(covers=("name",), name="Flag", fields=(("Name", str(args["name"])),))]


async def test_the_optional_methods_become_those_of_the_tool() -> None:
    built, args = set_flag.build(), {"name": "beta", "on": True}
    told = await dry_run(built, context(), args)
    assert told is not None
    assert told.result == "beta: False -> True"
    assert await world_state(built, context(), args) == {"read": False}
    before = await value_before(built, context(), args)
    assert await call_tool(built, context(), args) == Succeeded(value="set")
    back = inverse_of(built, context(), args, "set", before)
    assert back == InverseCall(tool=set_flag.name, args={"name": "beta", "on": False})
    assert built.reversibility is Reversibility.REVERSIBLE
    assert built.targets == ("name",)
    assert built.preview is not None
    assert built.preview(args) == _card(args)
    assert set_flag.methods == ["dry_run", "precondition", "inverse", "renderer"]


async def _no_docstring() -> None:
    pass


def _not_async() -> None:
    """Be plain."""


async def _many(*cities: str) -> None:
    """Take many."""


async def _no_schema(made: Callable[[], int]) -> None:
    """Take a function."""


async def _fine(city: str) -> None:
    """Be fine."""


def _as_annotated(**annotations: object) -> Any:
    """Return a function with annotations that a type checker would refuse."""

    async def function(city: str) -> None:
        """Have wrong annotations."""

    function.__annotations__ = annotations
    return function


REFUSED: Sequence[tuple[Any, Mapping[str, Any], str]] = [
    (_no_docstring, {"name": "a"}, "no docstring"),
    (_not_async, {"name": "a"}, "async function"),
    (_as_annotated(), {"name": "a"}, "'city' has no type"),
    (_many, {"name": "a"}, "'cities' must be an ordinary one"),
    (_no_schema, {"name": "a"}, "make no JSON Schema"),
    (_as_annotated(city="Nowhere"), {"name": "a"}, "annotations cannot be read"),
    (_fine, {"name": "Not good"}, "a tool's name has"),
    (_fine, {"name": "class"}, "no keyword"),
    (_fine, {"name": "script"}, "meaning of its own"),
    (_fine, {"name": "a", "timeout_seconds": 0}, "timeout_seconds"),
    (_fine, {"name": "a", "colour": "green", "retries": 3}, "retries must be"),
    (_fine, {"name": "a", "retries": 1}, "neither made again nor cached"),
    (_fine, {"name": "a", "targets": ["town"]}, "'town', which is no argument"),
]


@pytest.mark.parametrize(("function", "options", "why"), REFUSED)
def test_a_function_that_cannot_be_a_tool_is_refused_in_one_line(
    function: Any, options: Mapping[str, Any], why: str
) -> None:
    with pytest.raises(ToolUnusable) as refused:
        tool(**options)(function)
    text = str(refused.value)
    assert why in text
    assert text.startswith(f"{__file__}:")
    assert f"tool {options['name']!r}" in text
    assert "\n" not in text


def _flag() -> PythonTool[..., None]:
    @tool(name="flag")
    async def flag(name: str) -> None:
        """Set a flag."""

    return flag


async def _other(town: str) -> None:
    pass


def _plain(name: str) -> None:
    pass


async def _async_inverse(name: str) -> None:
    pass


@pytest.mark.parametrize(
    ("method", "function", "why"),
    [
        ("dry_run", _other, "has a parameter 'town' that the tool has not"),
        ("dry_run", _plain, "must be an async function"),
        ("precondition", _plain, "must be an async function"),
        ("inverse", _async_inverse, "must be an ordinary function"),
        ("renderer", _other, "must be an ordinary function"),
    ],
)
def test_a_method_that_does_not_fit_the_tool_is_refused(method: str, function: Any, why: str) -> None:
    with pytest.raises(ToolUnusable, match=why):
        getattr(_flag(), method)(function)


def test_a_green_tool_has_no_methods_for_red_ones() -> None:
    @tool(name="look", colour="green")
    async def look(name: str) -> None:
        """Look."""

    @look.dry_run
    async def _dry(name: str) -> None:
        pass

    with pytest.raises(ToolUnusable, match="it is green, so it has no dry_run"):
        look.build()
