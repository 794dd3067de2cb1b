"""One script's tool calls: what is counted, and what is kept of them."""

import json
from collections.abc import Mapping

import pytest

from sandbox.calls import (
    RECORDED_ARGUMENTS,
    RECORDED_CHARACTERS,
    SCRIPT_VALUES,
    CallHandler,
    CallLimitReached,
    WireLimitReached,
    recorded,
)
from sandbox.script import Job, Json, Limits, ToolCallRefused
from sandbox.values import NESTING

pytestmark = pytest.mark.asyncio


async def answered(tool: str, args: Mapping[str, Json]) -> Json:
    if tool == "no":
        raise ToolCallRefused("no")
    value: Json = None
    for _ in range(NESTING + 1 if tool == "deep" else 0):
        value = [value]
    return value


def handler_of(**limits: int) -> CallHandler:
    job = Job(code="", tools=frozenset({"yes", "no", "deep"}), limits=Limits(**limits))
    return CallHandler(job, answered)


@pytest.mark.parametrize("tool", ["yes", "no", "undeclared"])
async def test_record_keeps_the_beginning_of_long_arguments(tool: str) -> None:
    handler = handler_of()
    rows: Json = [[["x"]]] * 100_000
    args: Mapping[str, Json] = {"page": 7, "note": "n" * 1_000_000, "rows": rows, "k" * 100_000: None}
    await handler.answer(tool, args)
    (record,) = handler.records
    assert record.ok is (tool == "yes")
    assert record.args["page"] == 7
    assert record.args["note"] == "n" * RECORDED_CHARACTERS + "..."
    assert record.args["rows"] == json.dumps(rows)[:RECORDED_CHARACTERS] + "..."
    assert len(json.dumps(record.args)) < 2000


async def test_record_of_many_arguments_says_how_many_it_leaves_out() -> None:
    kept = recorded({f"a{number}": number for number in range(10_000)})
    assert len(kept) == RECORDED_ARGUMENTS + 1
    assert kept["..."] == f"{10_000 - RECORDED_ARGUMENTS} more"


async def test_arguments_that_cannot_be_passed_on_are_refused_and_recorded_without_them() -> None:
    handler = handler_of()
    answer = await handler.answer("yes", ToolCallRefused("too much"))
    assert (answer.ok, answer.error) == (False, "too much")
    assert [(record.tool, record.args, record.ok) for record in handler.records] == [("yes", {}, False)]


async def test_answer_nested_too_deeply_is_refused() -> None:
    answer = await handler_of().answer("deep", {})
    assert not answer.ok
    assert "deep" in answer.error


async def test_calls_are_counted() -> None:
    handler = handler_of(calls=2)
    handler.admit()
    handler.admit()
    with pytest.raises(CallLimitReached):
        handler.admit()


async def test_values_of_all_calls_are_counted_together() -> None:
    handler = handler_of()
    handler.admit(SCRIPT_VALUES)
    with pytest.raises(WireLimitReached):
        handler.admit(1)
