"""The modal of a script's attempts: one attempt at a time, everything literal, within Slack's limits."""

import json
from dataclasses import replace
from typing import Any

import pytest

from agent.events import AttemptEnded, SummarizedCall
from agent.ids import NodeId
from bot.blocks.details import details, loading, shown_by, unreadable
from bot.ports import PackageView
from infra.dev.local_slack.block_kit.block_kit import view_faults
from tests.fakes.bot_ports import NOON
from tests.fakes.run_views import THREAD

HOSTILE = "<!channel> *bold* `x` <@U1> ```\n\u202egnp.exe\x07 ]]> </script>"
CRASH = AttemptEnded(
    node=NodeId("count"),
    attempt=1,
    kind="error",
    code="def main(inputs):\n    return 1 / 0\n",
    error="ZeroDivisionError: division by zero",
    traceback='File "script.py", line 2, in main',
    milliseconds=12.3,
    at=NOON,
    logs="so far so good",
    calls=(SummarizedCall(tool="read_page", args='{"page": 1}', ok=False, milliseconds=3.0),),
)
DONE = replace(CRASH, attempt=2, kind="ok", error="", traceback="", logs="", calls=(), code="def main(inputs): ...")


def package(*attempts: AttemptEnded, title: str = "Count errors") -> PackageView:
    return PackageView(thread=THREAD, node=NodeId("count"), title=title, attempts=attempts)


def texts(view: Any) -> dict[str, str]:
    """Return heading -> what stands below it, pieces joined."""
    told: dict[str, str] = {}
    heading = ""
    for block in view["blocks"]:
        if block["type"] != "rich_text":
            continue
        for part in block["elements"]:
            words = part["elements"][0]["text"]
            if part["type"] == "rich_text_section":
                heading = words
                told[heading] = ""
            else:
                told[heading] += words + "\n"
    return told


@pytest.mark.parametrize(
    ("view", "title"),
    [
        (details(package(CRASH)), "Script details"),
        (details(package(replace(DONE, code=""))), "Subagent details"),
        (loading(), "Details"),
    ],
    ids=["script", "subagent", "not read yet"],
)
def test_title_says_what_it_is_the_details_of(view: Any, title: str) -> None:
    assert view["title"]["text"] == title


def test_last_attempt_is_shown_first_and_any_other_on_request() -> None:
    assert texts(details(package(CRASH, DONE))) == {"The script": "def main(inputs): ...\n"}
    assert texts(details(package(CRASH, DONE), 1)) == {
        "How it ended": "ZeroDivisionError: division by zero\n",
        "Where it crashed": 'File "script.py", line 2, in main\n',
        "Calls it made": 'failed     3.0 ms  read_page {"page": 1}\n',
        "The end of what it printed": "so far so good\n",
        "The script": "def main(inputs):\n    return 1 / 0\n",
    }


def test_buttons_name_every_attempt_and_how_it_ended() -> None:
    view: Any = details(package(CRASH, DONE), 1)
    [row] = [block for block in view["blocks"] if block["type"] == "actions"]
    assert [(element["text"]["text"], element["value"], element.get("style")) for element in row["elements"]] == [
        ("Attempt 1: crashed", "1", "primary"),
        ("Attempt 2: worked", "2", None),
    ]
    assert [block["type"] for block in details(package(DONE))["blocks"]] == ["section", "context", "rich_text"]  # type: ignore[index]


def test_modal_remembers_what_it_shows() -> None:
    assert shown_by(str(details(package(CRASH))["private_metadata"])) == (THREAD, "count")


@pytest.mark.parametrize(
    "view",
    [
        loading(),
        unreadable("No."),
        details(package()),
        details(package(CRASH, DONE, replace(CRASH, attempt=3)), 2),
        details(
            package(
                replace(
                    CRASH,
                    code="x = 1\n" * 20_000,
                    error="e" * 5000,
                    traceback="t" * 9000,
                    logs="\u202e" * 9000,
                    calls=CRASH.calls * 200,
                ),
                title="t" * 500,
            )
        ),
        details(package(replace(CRASH, code=HOSTILE, error=HOSTILE, logs=HOSTILE), title=HOSTILE)),
    ],
    ids=["loading", "unreadable", "gone", "three", "huge", "hostile"],
)
def test_every_modal_is_within_slacks_limits(view: Any) -> None:
    assert view_faults(view) == []
    assert len(json.dumps(view)) < 100_000


def test_foreign_words_are_never_formatting() -> None:
    view: Any = details(package(replace(CRASH, code=HOSTILE), title=HOSTILE))
    mrkdwn = json.dumps([block for block in view["blocks"] if block["type"] != "rich_text"])
    assert "<!channel>" not in mrkdwn
    assert "<@U1>" not in mrkdwn
    code = texts(view)["The script"]
    assert "<!channel> *bold*" in code
    assert "\\u202e" in code
    assert "\x07" not in code


def test_how_long_an_attempt_took_is_told_in_minutes_where_it_took_minutes() -> None:
    view: Any = details(package(replace(CRASH, milliseconds=125_034.0)))
    assert [block["elements"][0]["text"] for block in view["blocks"] if block["type"] == "context"] == [
        "Attempt 1 of 1 crashed · 2 min 5 s"
    ]
