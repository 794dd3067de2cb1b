"""References in texts: what is one, what is escaped, and what a pointer finds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import NodeId
from agent.plan.references import BadReference, PointerMissing, Reference, at_pointer, pieces, references_in
from tests.fakes.plans import json_values, places_in


def reference(node: str, pointer: str = "", *others: str) -> Reference:
    return Reference(node=NodeId(node), pointer=pointer, others=tuple(map(NodeId, others)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("plain $5 {x}", ("plain $5 {x}",)),
        ("${a}", (reference("a"),)),
        ("${a#/x/0}", (reference("a", "/x/0"),)),
        ("${a#}", (reference("a"),)),
        ("see ${a}, ${b-2#/k~1l}.", ("see ", reference("a"), ", ", reference("b-2", "/k~1l"), ".")),
        ("${a|b-2|c}", (reference("a", "", "b-2", "c"),)),
        ("x ${a|b#/p|q}", ("x ", reference("a", "/p|q", "b"))),
        ("$${a} costs", ("${a} costs",)),
        ("$$${a}", ("$${a}",)),
        ("$${${a}", ("${", reference("a"))),
    ],
)
def test_text_is_cut_into_literals_and_references(text: str, expected: tuple[str | Reference, ...]) -> None:
    assert pieces(text) == expected


@pytest.mark.parametrize("text", ["${a}", "${a#/x}", "${a|b}", "${c|a#/x|y}"])
def test_reference_is_written_as_it_was_read(text: str) -> None:
    [read] = pieces(text)
    assert str(read) == text


@pytest.mark.parametrize(
    "text",
    [
        *("${", "${}", "x ${a", "${a.b}", "${a b}", "${a#x}", "${a#/~2}", "${-a}", "${a}${"),
        *("${a|}", "${|a}", "${a|a}", "${a||b}", "${a|b c}", "${a |b}"),
    ],
)
def test_malformed_reference_is_refused(text: str) -> None:
    with pytest.raises(BadReference):
        pieces(text)


@given(st.text())
def test_any_text_is_cut_or_refused(text: str) -> None:
    try:
        pieces(text)
    except BadReference:
        assert "${" in text


@given(st.text().filter(lambda text: not text.endswith("$")))
def test_escaping_brings_any_text_through(text: str) -> None:
    escaped = text.replace("${", "$${")
    assert "".join(str(piece) for piece in pieces(escaped)) == text


def test_references_are_found_with_their_places() -> None:
    value = {"a": ["x", "${n}"], "b/c": {"d": "${m#/q} and ${n}"}, "e": 3}
    assert list(references_in(value, "/args")) == [
        ("/args/a/1", reference("n")),
        ("/args/b~1c/d", reference("m", "/q")),
        ("/args/b~1c/d", reference("n")),
    ]


RFC_6901: dict[str, Any] = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", RFC_6901),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_pointer_finds_what_rfc_6901_says(pointer: str, expected: object) -> None:
    assert at_pointer(RFC_6901, pointer) == expected


@pytest.mark.parametrize("pointer", ["/bar", "/foo/2", "/foo/-", "/foo/01", "/foo/x", "/foo/0/0", "/a~1b/c", "/foo/-1"])
def test_pointer_to_nothing_is_missing(pointer: str) -> None:
    with pytest.raises(PointerMissing):
        at_pointer(RFC_6901, pointer)


@given(json_values)
def test_pointer_finds_every_place(document: Any) -> None:
    for pointer, value in places_in(document):
        assert at_pointer(document, pointer) == value
