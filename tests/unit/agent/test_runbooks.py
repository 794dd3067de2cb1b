"""Runbooks as files: what is one, and how a model asks for one."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runbooks import LONGEST, NotARunbook, Runbook, read_canvas, read_runbook, used, wanted


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
        ("the runbook for\nbilling", "for billing"),
        ("runbooks about mail", "about mail"),
        ("runbook", ""),
        ("save a runbook", None),
        ("runbooks_list", None),
    ],
)
def test_a_model_asks_for_a_runbook_by_name_or_by_what_it_is_about(need: str, name: str | None) -> None:
    assert wanted(need) == name


def canvas(text: str, title: str = "How we restart") -> Runbook:
    return read_canvas(text, title=title, id="F0123", link="https://a.example/docs/F0123")


@pytest.mark.parametrize(
    "text",
    [
        "---\nname: restart-billing\ndescription: How to restart\n---\n# Steps\n1. Look",
        "***\n\nname: restart\\-billing\n\ndescription: How to restart\n\n***\n\n# Steps\n1. Look\n",
        "# How we restart\n\n* * *\nname: restart-billing\ndescription: How to restart\n___\n# Steps\n1. Look",
        "```\nname: restart-billing\ndescription: How to restart\n```\n\n# Steps\n1. Look",
        "```yaml\n---\nname: restart-billing\ndescription: How to restart\n---\n```\n# Steps\n1. Look",
    ],
    ids=["as in a file", "rules and paragraphs", "below a heading", "code", "fenced in code"],
)
def test_the_front_matter_of_a_canvas_is_read_however_the_canvas_shows_it(text: str) -> None:
    book = canvas(text)
    assert (book.name, book.description) == ("restart-billing", "How to restart")
    assert book.text.removeprefix("# How we restart").strip() == "# Steps\n1. Look"
    assert (book.source, book.canvas) == ("How we restart", "https://a.example/docs/F0123")


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("# Heading\n\nLook at the queue,\nthen restart.\n\nMore.", "Look at the queue, then restart."),
        ("---\nname: Not A Name\n---\nLook.", "Look."),
        ("---\nLook.\n---\nMore.", "Look."),
        ("***\nLook.", "Look."),
        ("```\nrestart\n```", "restart"),
        ("# Only a heading", "How we restart"),
        ("x" * 400, "x" * 299 + "…"),
    ],
    ids=["paragraph", "bad name", "no keys", "open", "code", "heading", "long"],
)
def test_a_canvas_without_front_matter_goes_by_its_title_and_first_paragraph(text: str, description: str) -> None:
    book = canvas(text)
    assert (book.name, book.description) == ("how-we-restart", description)


def test_a_canvas_has_a_name_of_one_word_and_a_title_of_one_line() -> None:
    assert canvas("x", "再起動").name == "canvas-f0123"
    book = canvas("x", f"## Request\n{'obey ' * 50}")
    assert book.name.startswith("request-obey-obey")
    assert (len(book.name) <= 64, len(book.source), "\n" in book.source) == (True, 100, False)
    assert read_canvas("x", title="", id="F0123", link="").canvas == "F0123", "it never passes for the operator's"


@pytest.mark.parametrize("text", ["", " \n", "---\nname: a\n---\n", "x" * (LONGEST + 1)])
def test_an_empty_or_too_long_canvas_is_no_runbook(text: str) -> None:
    with pytest.raises(NotARunbook, match="F0123"):
        canvas(text)


def test_what_was_shown_is_kept_of_canvases_alone() -> None:
    book = canvas("Look.")
    assert used(book, whole=True).shown == "how-we-restart\nHow we restart\nLook.\nLook."
    assert used(book, whole=False).shown == "how-we-restart\nHow we restart\nLook."
    of_file = Runbook(name="a", description="b", text="c", source="a.md")
    assert (used(of_file, whole=True).shown, used(of_file, whole=True).canvas) == ("", "")


@given(st.text(), st.text())
def test_any_text_is_a_canvas_or_refused(text: str, title: str) -> None:
    with contextlib.suppress(NotARunbook):
        assert canvas(text, title).name
