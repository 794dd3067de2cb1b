"""Previews as a card shows them: nothing shortened, and nothing that reads as something else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.preview import (
    DiffPreview,
    FieldsPreview,
    FileEdit,
    FilesPreview,
    MessagePreview,
    RequestPreview,
    TablePreview,
)
from bot.cards.call_preview import PreviewPart, message_runs, parts_of


def part(preview: MessagePreview | RequestPreview | TablePreview | FieldsPreview | DiffPreview) -> PreviewPart:
    (only,) = parts_of(preview, {"C0OPS": "ops"})
    return only


@pytest.mark.parametrize(
    ("channel", "label"),
    [("C0OPS", "Message to #ops (C0OPS)"), ("C2", "Message to C2"), ("#ops", "Message to #ops")],
)
def test_a_channel_stands_by_name_and_id(channel: str, label: str) -> None:
    assert part(MessagePreview(covers=(), channel=channel, text="x")).label == label


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://api.example.com/x?y=1", "PUT to api.example.com"),
        ("https://good.com@evil.com/", "PUT to evil.com"),
        ("https://xn--pple-43d.com/", "PUT to xn--pple-43d.com (\\u0430pple.com)"),
        ("https://[::1", "PUT to no valid address"),
    ],
)
def test_a_request_says_which_host_it_goes_to(url: str, label: str) -> None:
    shown = part(RequestPreview(covers=(), method="PUT", url=url))
    assert shown.label == label
    assert url in shown.text.replace(" (\\u0430pple.com)", "")


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("*a* b", [("a", "bold"), (" b", "")]),
        ("_a_ ~b~ `c`", [("a", "italic"), (" ", ""), ("b", "strike"), (" ", ""), ("c", "code")]),
        ("a*b*c 2*3*4 * x *", [("a*b*c 2*3*4 * x *", "")]),
        ("```*a*```", [("```*a*```", "")]),
        ("<https://a.b|*here*>", [("*here* (https://a.b)", "")]),
        ("see <https://a.b>", [("see ", ""), ("https://a.b", "")]),
        ("<!channel> <@U1>", [("<!channel> <@U1>", "")]),
    ],
)
def test_a_message_has_the_styles_that_slack_gives_it(text: str, runs: list[tuple[str, str]]) -> None:
    shown = [(str(run["text"]), "".join(dict(run.get("style") or {}))) for run in message_runs(text) if run["text"]]  # type: ignore[call-overload]
    assert shown == runs


@given(st.text(alphabet="ab *_~`<>|\n", max_size=60))
def test_a_message_loses_nothing_but_the_marks_of_its_styles(text: str) -> None:
    shown = "".join(str(run["text"]) for run in message_runs(text))
    letters = re.compile(r"[^ab <>|\n]")
    assert letters.sub("", shown) == letters.sub("", text)


def test_a_table_is_aligned_and_one_that_is_too_wide_stands_row_by_row() -> None:
    rows = (("1", "a"), ("20", "bcd"))
    narrow = part(TablePreview(covers=(), name="rows", columns=("id", "name"), rows=rows))
    assert (narrow.label, narrow.text) == ("rows (2 rows)", "id | name\n---+-----\n1  | a\n20 | bcd")
    wide = part(TablePreview(covers=(), name="rows", columns=("id", "x" * 80), rows=rows))
    assert wide.text == f"1.\n   id: 1\n   {'x' * 80}: a\n2.\n   id: 20\n   {'x' * 80}: bcd"


LINES = st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=90).map("\n".join)


@given(before=LINES, after=LINES)
def test_a_diff_holds_both_texts_whole(before: str, after: str) -> None:
    lines = part(DiffPreview(covers=(), name="", before=before, after=after)).text.split("\n")
    assert "\n".join(line[2:] for line in lines if line[0] in " -") == before
    assert "\n".join(line[2:] for line in lines if line[0] in " +") == after


def test_a_diff_marks_only_what_changed() -> None:
    shown = part(DiffPreview(covers=(), name="text", before="a\nb\nc\nd", after="a\nx\nc\ny\nd"))
    assert (shown.label, shown.text) == ("Change of text", "  a\n- b\n+ x\n  c\n+ y\n  d")


def test_edits_of_files_stand_each_under_its_path() -> None:
    edits = (
        FileEdit(path="pool.toml", before="size = 20\nwait = 2", after="size = 100\nwait = 2"),
        FileEdit(path="run\u202e.sh", before=None, after="#!/bin/sh\n", executable=True),
        FileEdit(path="old", before="a\nb", after=None),
    )
    shown = [(found.label, found.text) for found in parts_of(FilesPreview(covers=(), edits=edits), {})]
    assert shown == [
        ("Change of pool.toml", "- size = 20\n+ size = 100\n  wait = 2"),
        ("New file run\\u202e.sh (executable)", "+ #!/bin/sh\n+ "),
        ("Deleted file old", "- a\n- b"),
    ]


def test_fields_stand_line_by_line() -> None:
    assert part(FieldsPreview(covers=(), name="headers", fields=(("X-A", "1"), ("X-B", "\u202e")))).text == (
        "X-A: 1\nX-B: \\u202e"
    )
