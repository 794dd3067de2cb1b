"""The wire: lines out of pieces, messages out of lines, whatever the script writes there."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import ProtocolViolation
from sandbox.protocol import (
    ENVELOPE_VALUES,
    Call,
    LineSplitter,
    OversizedResult,
    Place,
    Raised,
    Ready,
    Result,
    answer_line,
    job_line,
    read_message,
)
from sandbox.script import Job, Limits
from sandbox.traces import ScriptFrame
from sandbox.values import NESTING, VALUES, TooLarge


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=8), st.data())
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    splitter = LineSplitter(1000)
    found: list[bytes] = []
    while whole:
        cut = data.draw(st.integers(1, len(whole)))
        found += splitter.feed(whole[:cut])
        whole = whole[cut:]
    assert found == lines


@pytest.mark.parametrize("pieces", [[b"x" * 11], [b"x" * 6, b"x" * 5], [b"x" * 11 + b"\n"]])
def test_line_over_the_limit_is_a_violation(pieces: list[bytes]) -> None:
    splitter = LineSplitter(10)
    with pytest.raises(ProtocolViolation):
        _ = [splitter.feed(piece) for piece in pieces]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"op":"ready","python":"3.12.1"}', Ready(python="3.12.1")),
        (
            '{"op":"call","id":1,"tool":"t","args":[],"kwargs":{"a":1}}',
            Call(id=1, tool="t", positional=[], named={"a": 1}),
        ),
        ('{"op":"result","mark":"m","value":[1]}', Result(value=[1], size=3)),
        ('{"op":"too_large","mark":"m","size":5}', OversizedResult(size=5)),
        (
            '{"op":"raised","mark":"m","kind":"error","type":"KeyError","message":"x","frames":[[3,"main"],["y"]]}',
            Raised(kind="error", type="KeyError", message="x", frames=(ScriptFrame(line=3, function="main"),)),
        ),
        ('{"op":"where","frames":null}', Place(frames=())),
    ],
    ids=["ready", "call", "result", "too_large", "raised", "where"],
)
def test_messages_are_read(line: str, message: object) -> None:
    assert read_message(line.encode(), "m") == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[]",
        b"null",
        b"{}",
        b'{"op":"call"}',
        b'{"op":"call","id":"1","tool":"t","args":[],"kwargs":{}}',
        b'{"op":"call","id":1,"tool":1,"args":[],"kwargs":{}}',
        b'{"op":"call","id":1,"tool":"t","args":"xx","kwargs":{}}',
        b'{"op":"answer","id":1}',
        b'{"op":"result","mark":"m"}',
        b'{"op":"raised","mark":"m","kind":"error"}',
        b'{"op":"result","value":1}',
        b'{"op":"result","mark":null,"value":1}',
        b'{"op":"result","mark":"forged","value":1}',
        b'{"op":"raised","mark":["m"],"kind":"error","type":"E","message":"x","frames":[]}',
        b'{"op":"too_large","mark":"m","size":-1}',
        b"[" * 100_000,
        b"9" * 100_000,
        b'{"op":"result","mark":"m","value":NaN}',
        b"\xff",
        b'{"op":["call"]}',
    ],
    ids=lambda line: repr(line[:30]),
)
def test_anything_else_is_a_violation(line: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_message(line, "m")


def line_of_call(*, positional: bool, levels: int) -> bytes:
    value = '{"x":' * (levels - 1) + "{}" + "}" * (levels - 1)
    args, named = (f"[{value}]", "{}") if positional else ("[]", value)
    return f'{{"op":"call","id":1,"tool":"t","args":{args},"kwargs":{named}}}'.encode()


@pytest.mark.parametrize("positional", [True, False], ids=["one-mapping", "keywords"])
def test_nesting_of_arguments_is_counted_without_the_message_around_them(positional: bool) -> None:
    read_message(line_of_call(positional=positional, levels=NESTING), "m")
    with pytest.raises(ProtocolViolation, match="deep"):
        read_message(line_of_call(positional=positional, levels=NESTING + 1), "m")


def test_nesting_of_a_result_is_counted_without_the_message_around_it() -> None:
    read_message(b'{"op":"result","mark":"m","value":' + b"[" * NESTING + b"]" * NESTING + b"}", "m")
    with pytest.raises(ProtocolViolation, match="deep"):
        read_message(b'{"op":"result","mark":"m","value":' + b"[" * 101 + b"]" * 101 + b"}", "m")


def test_line_of_too_many_values_is_a_violation() -> None:
    line = b'{"op":"result","mark":"m","value":[' + b"1," * (VALUES + ENVELOPE_VALUES) + b"1]}"
    with pytest.raises(ProtocolViolation, match="values"):
        read_message(line, "m")


def test_job_line_is_one_line_of_ascii() -> None:
    line = job_line(Job(code="é\n\ud800", inputs={"x": "\u2028"}), "mark")
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert json.loads(line)["code"].startswith("é\n\ufffd")


def test_job_over_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        job_line(Job(code="x" * 200, limits=Limits(line_bytes=100)), "mark")


def test_answer_carries_value_or_error() -> None:
    given = answer_line(3, ok=True, text='{"a":null}', error="")
    assert json.loads(given) == {"id": 3, "ok": True, "value": {"a": None}}
    refused = answer_line(3, ok=False, text="null", error="no")
    assert json.loads(refused) == {"id": 3, "ok": False, "error": "no"}
