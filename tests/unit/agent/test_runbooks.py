"""Runbooks as files: what is one, and how a model asks for one."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runbooks import LONGEST, NotARunbook, Runbook, read_runbook, wanted


def test_a_runbook_is_front_matter_and_text() -> None:
    matter = 'name: restart-billing\nlicense: MIT\ndescription: >\n  How to restart\n  the "service"'
    text = f"---\n{matter}\n---\n\n# Steps\n---\n1. Look\n"
    book = read_runbook(text, "billing.md")
    description = 'How to restart the "service"'
    assert book == Runbook(
        name="restart-billing", description=description, text="# Steps\n---\n1. Look", source="billing.md"
    )
    assert read_runbook("\ufeff---\r\nname: \"a\"\r\ndescription: 'b: c'\r\n---\r\nd", "x").description == "b: c"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# Steps",
        "---\nname: a\ndescription: b\n",
        "---\nname: a\n---\n",
        "---\ndescription: b\n---\n",
        "---\nname: ../a\ndescription: b\n---\n",
        "---\nname: A b\ndescription: b\n---\n",
        "---\nname: a\ndescription: b\n---\n" + "x" * LONGEST,
    ],
    ids=["empty", "none", "open", "no description", "no name", "a path", "two words", "too long"],
)
def test_what_is_no_runbook_is_refused_with_its_file(text: str) -> None:
    with pytest.raises(NotARunbook, match="some file"):
        read_runbook(text, "some file")


@given(st.text())
def test_any_text_is_a_runbook_or_refused(text: str) -> None:
    with contextlib.suppress(NotARunbook):
        assert read_runbook(f"---\n{text}", "x").name


@pytest.mark.parametrize(
    ("need", "name"),
    [
        ("runbook restart-billing", "restart-billing"),
        (" Runbook: `restart-billing` ", "restart-billing"),
        ("send a mail", None),
        ("the runbook for billing", None),
    ],
)
def test_a_model_asks_for_a_runbook_by_name(need: str, name: str | None) -> None:
    assert wanted(need) == name
