"""Personal data in text: found in whatever form it stands, told from other numbers, in bounded time."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.limits import PersonalKind, Privacy
from agent.llm.personal_data import PersonalData, own_pattern

ALL = PersonalData(Privacy(mask=tuple(PersonalKind), region="DE", patterns={"employee": r"E\d{5}"}))

PLANTED = {
    "email": [
        "ada@example.com",
        "ada.lovelace+news@mail.example.co.uk",
        "jörg@müller.example",
        "ADA@EXAMPLE.COM",
        "x%40example.org",
        "ada (at) example.com",
        "ada&#64;example.com",
    ],
    "phone": ["+49 30 901820", "+1 415-555-2671", "+442079460958", "0049 30 901820", "(030) 901820", "030/901820"],
    "iban": [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB82WEST12345698765432",
        "de89370400440532013000",
    ],
    "card": ["4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"],
    "ip": ["10.1.2.3", "203.0.113.77", "2001:db8::8a2e:370:7334"],
    "employee": ["E12345"],
}
EACH = [(kind, datum) for kind, data in PLANTED.items() for datum in data]

OTHERS = [
    "2026-11-24 07:30:16",
    "1700000000000",
    "0.12345678",
    "version 1.2.3",
    "pkg@1.2.3",
    "<@U0ADA>",
    "@ada",
    "12:30:45",
    "127.0.0.1",
    "::1",
    "DE12 3456",
    "4111111111111112",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
]

AROUND = st.sampled_from(["{}", "({})", "<{}>", '"{}"', "mail: {}.", "{}, and", "{}\nnext", "\t{}", "a {} b", "*{}*"])


def found(text: str, data: PersonalData = ALL) -> list[tuple[str, str]]:
    return [(datum.kind, text[datum.start : datum.end]) for datum in data.find(text)]


def without(text: str) -> str:
    for datum in reversed(ALL.find(text)):
        text = f"{text[: datum.start]}[{datum.kind}]{text[datum.end :]}"
    return text


@pytest.mark.parametrize(("kind", "datum"), EACH, ids=[datum for _, datum in EACH])
def test_a_datum_is_found_as_it_is(kind: str, datum: str) -> None:
    assert found(f"Write to {datum} now") == [(kind, datum)]


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_none_is_left_alone(text: str) -> None:
    assert found(f"see {text} there") == []


@given(st.lists(st.tuples(st.sampled_from(EACH), AROUND), min_size=1, max_size=6), st.booleans(), st.booleans())
def test_a_datum_is_found_in_any_place_of_a_text_of_json_and_of_json_in_json(
    planted: list[tuple[tuple[str, str], str]], in_json: bool, twice: bool
) -> None:
    text = " and ".join(around.format(datum) for (_, datum), around in planted)
    if in_json:
        text = json.dumps({"text": text}, ensure_ascii=False)
    if in_json and twice:
        text = json.dumps([text], ensure_ascii=False)
    left = without(text)
    for (_, datum), _ in planted:
        assert datum not in left


@pytest.mark.parametrize("before", ["\n", "\t", "\r\n", "\b", "\f", '"', "\\"], ids=ascii)
@pytest.mark.parametrize(("kind", "datum"), EACH, ids=[datum for _, datum in EACH])
def test_the_letter_of_an_escape_is_no_part_of_the_datum_behind_it(kind: str, datum: str, before: str) -> None:
    assert found(json.dumps(f"{before}{datum}", ensure_ascii=False)) == [(kind, datum)]


def test_a_datum_that_would_end_a_literal_is_masked_in_pieces() -> None:
    data = PersonalData(Privacy(patterns={"name": r"Conan [\"']O['\"] ?Brien \$\{x\}"}))
    assert found("Conan \"O' Brien ${x}", data) == [("name", "Conan"), ("name", "O"), ("name", "Brien"), ("name", "x")]


def test_data_that_overlap_are_one() -> None:
    data = PersonalData(Privacy(mask=(PersonalKind.EMAIL,), patterns={"account": r"acc-\w+@"}))
    assert found("acc-ada@example.com", data) == [("account", "acc-ada@example.com")]


def test_only_kinds_that_are_named_are_found() -> None:
    assert found("ada@example.com 10.1.2.3", PersonalData(Privacy(mask=(PersonalKind.IP,)))) == [("ip", "10.1.2.3")]


def test_without_a_country_only_numbers_with_a_prefix_are_telephone_numbers() -> None:
    assert found("(030) 901820 +49 30 901820", PersonalData(Privacy(mask=(PersonalKind.PHONE,)))) == [
        ("phone", "+49 30 901820")
    ]


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a*", ""], ids=str)
def test_a_pattern_that_re2_does_not_read_or_that_matches_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"RE2|empty"):
        own_pattern(pattern)


HOSTILE = [
    "a",
    "1",
    "1 ",
    "+1 ",
    "@",
    "a@",
    "a@b.",
    "a.",
    ":",
    "1.",
    "DE12 ",
    "\\",
    "10.1.2.3 ",
    "00 1",
    "a@b.cc ",
    "(at)",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_with_the_text_and_not_faster(unit: str) -> None:
    """Of a text 8 times as long the time may be 8 times as long, with room for a busy machine."""
    data = PersonalData(Privacy(mask=tuple(PersonalKind), region="DE", patterns={"odd": "(a|a)*b"}))

    def seconds(length: int) -> float:
        text = (unit * (length // len(unit) + 1))[:length]
        took: list[float] = []
        for _ in range(3):
            began = time.process_time()
            data.find(text)
            took.append(time.process_time() - began)
        return min(took)

    assert seconds(64_000) < 8 * 4 * max(seconds(8_000), 0.002)
