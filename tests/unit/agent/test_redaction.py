"""Secrets are hidden in every form that programs write, whole and in a stream, and nothing else is."""

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncGenerator, Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.redaction import Redactor

SECRET = 'pä"ss\\wörd/9+Zq%7'
PADDED = st.binary(max_size=9)
TEXTS = st.text(max_size=20)


def knowing(*values: str) -> Redactor:
    redactor = Redactor()
    for number, value in enumerate(values):
        redactor.learn(f"S{number}", value)
    return redactor


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON in Unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "Python": repr,
    "hexadecimal": lambda text: text.encode().hex(),
    "capital hexadecimal": lambda text: text.encode().hex().upper(),
    "address": quote,
    "part of an address": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "small escapes": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
}


@pytest.mark.parametrize("form", FORMS)
@given(before=TEXTS, behind=TEXTS)
def test_secret_is_hidden_in_every_form_wherever_it_stands(form: str, before: str, behind: str) -> None:
    written = FORMS[form](SECRET).strip("\"'")
    hidden = knowing(SECRET).hide(f"{before}{written}{behind}")
    assert "[secret S0]" in hidden
    assert written not in hidden


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@given(before=PADDED, behind=PADDED)
def test_secret_is_hidden_in_base64_wherever_it_stands(
    encode: Callable[[bytes], bytes], before: bytes, behind: bytes
) -> None:
    assert "[secret S0]" in knowing(SECRET).hide(encode(before + SECRET.encode() + behind).decode())


@given(pieces=st.lists(st.sampled_from([*SECRET, SECRET[:5], SECRET[5:], SECRET, "x", "[", "\n"]), max_size=30))
@settings(max_examples=300)
def test_a_stream_is_hidden_as_the_whole_text_is(pieces: list[str]) -> None:
    async def given_out() -> AsyncGenerator[str, None]:
        for piece in pieces:
            yield piece

    async def read() -> str:
        return "".join([piece async for piece in knowing(SECRET).hide_stream(given_out())])

    assert asyncio.run(read()) == knowing(SECRET).hide("".join(pieces))


async def test_a_stream_without_a_beginning_of_a_secret_waits_for_nothing() -> None:
    async def given_out() -> AsyncGenerator[str, None]:
        for piece in ("a line\n", "another\n", "pä"):
            yield piece

    assert [piece async for piece in knowing(SECRET).hide_stream(given_out())] == ["a line\n", "another\n", "pä"]


def test_keys_and_texts_of_json_are_hidden_however_deep() -> None:
    value = {"a": [{f"x{SECRET}": 1}, SECRET, 2, None, True], "b": "plain"}
    hidden = {"a": [{"x[secret S0]": 1}, "[secret S0]", 2, None, True], "b": "plain"}
    assert knowing(SECRET).hide_in(value) == hidden


def test_the_longer_of_two_secrets_is_hidden_where_one_is_part_of_the_other() -> None:
    redactor = knowing("abcdefgh1", "abcdefgh1-and-more")
    assert redactor.hide("abcdefgh1-and-more abcdefgh1-and") == "[secret S1] [secret S0]-and"


def test_each_line_of_a_key_is_a_secret_of_its_own() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIKZ\nQ29yZ2V0IGFib3V0IGl0Cg==\n-----END PRIVATE KEY-----"
    shown = knowing(key).hide("  MC4CAQAwBQYDK2VwBCIEIKZ\n  Q29yZ2V0IGFib3V0IGl0Cg==\n-----END PRIVATE KEY-----")
    assert shown == "  [secret S0]\n  [secret S0]\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("value", ["", "short1", "postgres", "letters"])
def test_value_that_may_be_any_word_is_hidden_nowhere_and_the_log_says_so(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        redactor = knowing(value, value)
    assert redactor.hide(f"the {value} database") == f"the {value} database"
    assert [record.getMessage() for record in caplog.records] == (
        ["S0 is hidden nowhere: it is too short, or may be any word"] if value else []
    )


def test_what_is_forgotten_is_shown_again() -> None:
    redactor = knowing(SECRET)
    redactor.forget()
    assert redactor.hide(SECRET) == SECRET
