"""The tools `reduce_list` and `require_passed`: what becomes of a loop's results, and the end of a review."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, cast

from agent.ids import ToolName
from agent.plan.json_values import truncated
from agent.plan.references import PointerMissing, at_pointer
from agent.tool import CallContext, Colour, Tool, ToolError
from sandbox.script import Json

REDUCE_LIST = ToolName("reduce_list")
REQUIRE_PASSED = ToolName("require_passed")

_WORDS = 400

_Values: TypeAlias = Sequence[Json]


def reduce_list() -> Tool:
    """Return the tool."""

    async def call(_context: CallContext, args: Mapping[str, Json]) -> Json:
        return reduced(str(args["how"]), cast("_Values", args["values"]), str(args.get("at", "")))

    return Tool(
        name=REDUCE_LIST,
        description="Put the values of a list together, such as those of a loop. Returns value, used, left_out: how "
        "many values were used, and how many were null or not there. sum, average, min and max take numbers (the last "
        "two also texts), merge takes objects (the last one counts, and overwritten names the keys), concatenate takes "
        "anything, lists as their items.",
        arguments={
            "type": "object",
            "properties": {
                "how": {"enum": list(_REDUCERS)},
                "values": {"type": "array"},
                "at": {
                    "type": "string",
                    "maxLength": 200,
                    "description": "A JSON pointer to the value in each item, such as /value.",
                },
            },
            "required": ["how", "values"],
            "additionalProperties": False,
        },
        colour=Colour.GREEN,
        call=call,
        timeout_seconds=10.0,
    )


def require_passed() -> Tool:
    """Return the tool."""

    async def call(_context: CallContext, args: Mapping[str, Json]) -> Json:
        if args["passed"] is not True:
            raise ToolError("not_passed", str(args["otherwise"]))
        return args["value"]

    return Tool(
        name=REQUIRE_PASSED,
        description="Return the value if it passed; else the step fails with the words in otherwise, and what needs it "
        "does not run.",
        arguments={
            "type": "object",
            "properties": {
                "passed": {"type": "boolean"},
                "value": {},
                "otherwise": {"type": "string", "minLength": 1, "maxLength": _WORDS},
            },
            "required": ["passed", "value", "otherwise"],
            "additionalProperties": False,
        },
        colour=Colour.GREEN,
        call=call,
        timeout_seconds=5.0,
    )


def reduced(how: str, items: _Values, at: str = "") -> Json:
    """Return what a reducer makes of the values in a list.

    Raises:
        ToolError: `bad_value`: one is not what the reducer takes, or the result is too large for a number.
    """
    found = [(number, _value_in(item, at)) for number, item in enumerate(items, start=1)]
    used = [(number, value) for number, value in found if value is not None]
    result = {"value": _REDUCERS[how](used), "used": len(used), "left_out": len(found) - len(used)}
    overwritten = _overwritten(used) if how == "merge" else ()
    return {**result, "overwritten": [*overwritten]} if overwritten else result


def _value_in(item: Json, at: str) -> Json:
    try:
        return at_pointer(item, at)
    except PointerMissing:
        return None


_Used: TypeAlias = Sequence[tuple[int, Json]]


def _numbers(used: _Used) -> Sequence[int | float]:
    numbers: list[int | float] = []
    for number, value in used:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _unfit(number, value, "a number")
        numbers.append(value)
    return numbers


def _sum(used: _Used) -> int | float:
    numbers = _numbers(used)
    try:
        return sum(numbers) if all(isinstance(number, int) for number in numbers) else math.fsum(numbers)
    except (OverflowError, ValueError):
        raise ToolError("bad_value", "The sum is too large.") from None


def _average(used: _Used) -> float | None:
    try:
        return _sum(used) / len(used) if used else None
    except OverflowError:
        raise ToolError("bad_value", "The sum is too large.") from None


def _extreme(of: Callable[[Sequence[Json]], Json]) -> Callable[[_Used], Json]:
    def extreme(used: _Used) -> Json:
        if not used:
            return None
        if isinstance(used[0][1], str):
            if wrong := [(number, value) for number, value in used if not isinstance(value, str)]:
                raise _unfit(*wrong[0], "a text, as the first is")
            return of([value for _, value in used])
        return of(_numbers(used))

    return extreme


def _merged(used: _Used) -> dict[str, Json]:
    merged: dict[str, Json] = {}
    for number, value in used:
        if not isinstance(value, Mapping):
            raise _unfit(number, value, "an object")
        merged |= value
    return merged


def _overwritten(used: _Used) -> Sequence[str]:
    """Return the keys that objects of a merge have with different values, in order."""
    values: dict[str, Json] = {}
    found: dict[str, None] = {}
    for _, value in used:
        for key, own in value.items() if isinstance(value, Mapping) else ():
            if values.setdefault(key, own) != own:
                found[key] = None
    return [*found]


def _concatenated(used: _Used) -> Json:
    return [one for _, value in used for one in (value if isinstance(value, list | tuple) else [value])]


def _unfit(number: int, value: Json, wanted: str) -> ToolError:
    shown = truncated(repr(value), 60)
    return ToolError("bad_value", f"Value {number} is {shown}; it must be {wanted}, or null to be left out.")


_REDUCERS: Mapping[str, Callable[[_Used], Json]] = {
    "sum": _sum,
    "count": len,
    "average": _average,
    "min": _extreme(cast("Callable[[Sequence[Json]], Json]", min)),
    "max": _extreme(cast("Callable[[Sequence[Json]], Json]", max)),
    "merge": _merged,
    "concatenate": _concatenated,
}
