"""Drafts: a model's output in every shape it may take, cut into chunks anywhere."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ids import NodeId
from agent.limits import PlanLimits
from agent.plan.operations import Cancel, operation_json
from agent.reading.operation_reader import Reply
from agent.reading.plan_builder import Placed
from agent.reading.stream_reader import Item, PlanStreamReader, read_plan_text
from agent.reading.validation import Fault, FaultCode
from tests.fakes.plans import Written, json_lines, plans


def cancel(id: str) -> str:
    return json.dumps({"op": "cancel", "id": id})


def operations(items: tuple[Item, ...]) -> list[Any]:
    assert [item for item in items if isinstance(item, Fault)] == []
    return [item.operation for item in items if isinstance(item, Placed)]


def codes(text: str) -> list[tuple[FaultCode, int | None]]:
    return [(item.code, item.line) for item in read_plan_text(text) if isinstance(item, Fault)]


SHAPES: Mapping[str, Callable[[list[Written]], str]] = {
    "json lines": json_lines,
    "fenced": lambda plan: f"```jsonl\n{json_lines(plan)}```\n",
    "prose around": lambda plan: f"Here is the plan:\n\n{json_lines(plan)}\nThat's all.",
    "thinking first": lambda plan: f'<think>\nmaybe {{"op":"cancel","id":"x"}}?</think>\n{json_lines(plan)}',
    "one line": lambda plan: " ".join(json.dumps(step) for step in plan),
    "pretty": lambda plan: "\n".join(json.dumps(step, indent=2) for step in plan),
    "list": lambda plan: json.dumps(plan),
    "pretty list": lambda plan: json.dumps(plan, indent=1),
    "object": lambda plan: json.dumps({"operations": plan}),
    "pretty object": lambda plan: json.dumps({"operations": plan}, indent=4),
    "object with more": lambda plan: json.dumps({"title": "a plan", "operations": plan}),
    "windows lines": lambda plan: json_lines(plan).replace("\n", "\r\n"),
    "byte order mark": lambda plan: "\ufeff" + json_lines(plan),
}


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=15)
@given(plan=plans())
def test_reader_reads_every_shape_the_same(shape: str, plan: list[Written]) -> None:
    assert operations(read_plan_text(SHAPES[shape](plan))) == operations(read_plan_text(json_lines(plan)))


@settings(max_examples=50)
@given(plan=plans(most=4), cuts=st.lists(st.integers(0, 400), max_size=8), shape=st.sampled_from(sorted(SHAPES)))
def test_chunks_cut_anywhere_read_the_same(plan: list[Written], cuts: list[int], shape: str) -> None:
    text = SHAPES[shape](plan)
    reader = PlanStreamReader()
    items: list[Item] = []
    start = 0
    for end in [*sorted(cuts), len(text)]:
        items += reader.feed(text[start:end])
        start = max(start, end)
    items += reader.finish()
    assert tuple(items) == read_plan_text(text)


@given(plan=plans())
def test_written_operations_read_back_as_themselves(plan: list[Written]) -> None:
    first = operations(read_plan_text(json_lines(plan)))
    assert operations(read_plan_text("\n".join(json.dumps(operation_json(operation)) for operation in first))) == first


@given(st.text(st.sampled_from('{}[]",:\\\n opaddid01x`')), st.integers(0, 5))
def test_no_text_raises(text: str, chunks: int) -> None:
    read_plan_text(text)
    read_plan_text(json_lines([{"op": "cancel", "id": "a"}]) + text)


@given(plan=plans(most=4), position=st.integers(0, 10_000), put=st.sampled_from(['"', *"{}[],x\\\n", ""]))
def test_spoilt_plan_is_read_or_refused_with_a_line(plan: list[Written], position: int, put: str) -> None:
    text = json_lines(plan)
    at = position % len(text)
    lines = text.count("\n") + 2
    for item in read_plan_text(text[:at] + put + text[at + 1 :]):
        if isinstance(item, Fault):
            assert item.line is not None
            assert 1 <= item.line <= lines


def test_operation_is_there_as_soon_as_its_bracket_closes() -> None:
    reader = PlanStreamReader()
    assert list(reader.feed('{"op":"cancel","id":"a"')) == []
    assert list(reader.feed("}")) == [Placed(operation=Cancel(id=NodeId("a")), line=1)]


def test_wrapped_operations_stream_too() -> None:
    reader = PlanStreamReader()
    items = list(reader.feed('{ "operations" : [ {"op":"cancel","id":"a"}'))
    assert items == [Placed(operation=Cancel(id=NodeId("a")), line=1)]


def test_reply_is_read_apart_from_operations() -> None:
    assert read_plan_text('{"op":"reply","text":"Which {one}?"}') == (Reply(text="Which {one}?"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"op":"cancel","id":"a"\n' + cancel("b"), [(FaultCode.NOT_JSON, 1)]),
        ('\n{"op":"cancel","id":"a]}\n' + cancel("b"), [(FaultCode.NOT_JSON, 2)]),
        ('{"op":"cancel","id":["a"}\n' + cancel("b"), [(FaultCode.NOT_JSON, 1)]),
        (cancel("b") + '\n{"op":"cancel",', [(FaultCode.UNFINISHED, 2)]),
        ('{"op":"cancel","id":NaN}' + cancel("b"), [(FaultCode.NOT_JSON, 1)]),
        ('{"op":"cancel","id":1e999}' + cancel("b"), [(FaultCode.BAD_VALUE, 1)]),
        ("{'op':'cancel'}\n" + cancel("b"), [(FaultCode.NOT_JSON, 1)]),
        ('{"operations":[3]}\n' + cancel("b"), []),
        ('{"n":1,"operations":[3]}\n' + cancel("b"), [(FaultCode.BAD_OP, 1)]),
        ('{"a":' * 3000 + "1" + "}" * 3000 + cancel("b"), [(FaultCode.NOT_JSON, 1)]),
        ('{"a":' + "9" * 5000 + "}" + cancel("b"), [(FaultCode.NOT_JSON, 1)]),
    ],
    ids=[
        "missing bracket",
        "open string",
        "wrong bracket",
        "cut off",
        "nan",
        "infinite",
        "python quotes",
        "number in stream",
        "number in list",
        "nested too deep",
        "huge number",
    ],
)
def test_reading_goes_on_after_a_broken_object(text: str, expected: list[tuple[FaultCode, int]]) -> None:
    items = read_plan_text(text)
    assert codes(text) == expected
    assert [item.operation for item in items if isinstance(item, Placed)] == [Cancel(id=NodeId("b"))]


def test_script_with_raw_line_breaks_costs_one_fault() -> None:
    script = "def main(inputs):\n    x = {1: 2}\n    return x"
    text = f'{{"op":"add","id":"p","kind":"package","code":"{script}"}}\n{cancel("b")}'
    assert codes(text) == [(FaultCode.NOT_JSON, 1)]


def test_object_longer_than_allowed_is_left_out() -> None:
    limits = PlanLimits(operation_bytes=100)
    text = json.dumps({"op": "cancel", "id": "a", "why": "x" * 200}) + "\n" + cancel("b")
    items = read_plan_text(text, limits)
    assert [type(item) for item in items] == [Fault, Placed]


def test_output_longer_than_allowed_is_cut_off_with_one_fault() -> None:
    reader = PlanStreamReader(PlanLimits(text_characters=60))
    items = [*reader.feed((cancel("b") + "\n") * 10), *reader.finish()]
    assert [type(item) for item in items] == [Placed, Placed, Fault]
    assert reader.full


def test_chunk_far_beyond_the_bound_costs_no_more_than_one_at_the_bound() -> None:
    def seconds(characters: int) -> float:
        chunk = "<" * characters
        reader = PlanStreamReader(PlanLimits(text_characters=100_000))
        started = time.thread_time()
        assert len([*reader.feed(chunk)]) == (characters > 100_000)
        return time.thread_time() - started

    assert min(seconds(20_000_000) for _ in range(5)) < 3 * min(seconds(100_000) for _ in range(5))


def test_output_with_nothing_but_faults_is_given_up() -> None:
    faults = [item for item in read_plan_text("{]\n" * 10_000) if isinstance(item, Fault)]
    assert len(faults) == 202
    assert faults[-1].code is FaultCode.TOO_LARGE
