"""Ids in arguments by name: which are asked for, how often, and how many."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from agent.ids import ThreadId
from bot.slack.names import ASKED_AGAIN_SECONDS, MOST_IDS, SlackDirectory, StableNames, ids_in, named
from sandbox.script import Json
from tests.fakes.run_views import an_approval


class Directory:
    """Tells what `known` holds, and keeps what it was asked."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known
        self.asked: list[tuple[str, ...]] = []

    async def names(self, thread: ThreadId, ids: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(tuple(ids))
        return {asked: self.known[asked] for asked in ids if asked in self.known}


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ({"channel": "C0OPS"}, ["C0OPS"]),
        ({"text": "<@U012AB3CD> and <#C99ZZ|ops>, U012AB3CD again"}, ["U012AB3CD", "C99ZZ"]),
        ({"users": ["W123456", {"who": "U0ADA"}], "n": 5, "none": None}, ["W123456", "U0ADA"]),
        ({"text": "UNKNOWN CHANGELOG C3 a xC0OPS C0OPSx UTF8 CVE202412345678901234"}, ["UTF8"]),
    ],
)
def test_what_may_be_an_id_is_found_wherever_it_stands(args: Mapping[str, Json], found: list[str]) -> None:
    assert list(ids_in(args)) == found


def test_a_text_full_of_ids_has_some_of_them_named() -> None:
    assert len(list(ids_in({"text": " ".join(f"U{number:06}" for number in range(9999))}))) == MOST_IDS


async def test_names_are_asked_for_once_and_those_missing_again_after_a_while() -> None:
    directory, now = Directory({"C0OPS": "ops"}), [1000.0]
    names = StableNames(cast("SlackDirectory", cast("Any", directory)), clock=lambda: now[0])
    view = an_approval(args={"channel": "C0OPS", "text": "U0ADA"})
    assert [await names.of(view) for _ in range(3)] == [{"C0OPS": "ops"}] * 3
    assert directory.asked == [("C0OPS", "U0ADA")]
    directory.known = {"U0ADA": "Ada"}
    now[0] += ASKED_AGAIN_SECONDS + 1
    assert await names.of(view) == {"C0OPS": "ops", "U0ADA": "Ada"}
    now[0] += ASKED_AGAIN_SECONDS + 1
    assert await names.of(view) == {"C0OPS": "ops", "U0ADA": "Ada"}
    assert directory.asked == [("C0OPS", "U0ADA"), ("U0ADA",)]


async def test_a_request_without_ids_asks_nobody() -> None:
    directory = Directory({})
    names = StableNames(cast("SlackDirectory", cast("Any", directory)))
    assert await names.of(an_approval()) == {}
    assert directory.asked == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ask <@U0ADA> in <#C0OPS>.", "Ask @Ada Lovelace in #ops."),
        ("Ask <@U0ADA|ada> in <#C0OPS|>.", "Ask @Ada Lovelace in #ops."),
        ("Ask <@U0NEW|new one> in <#C0NEW>.", "Ask @new one in #C0NEW."),
        ("<@U0EVIL>", "@Click here https://evil.example"),
        ("<!channel> <@ada> a <b> <@>", "<!channel> <@ada> a <b> <@>"),
    ],
)
def test_mentions_become_names_in_which_nothing_is_markup(text: str, shown: str) -> None:
    names = {"U0ADA": "Ada Lovelace", "C0OPS": "ops", "U0EVIL": "[Click *here*](https://evil.example)<!channel"}
    assert named(text, names).replace(" channel", "") == shown
