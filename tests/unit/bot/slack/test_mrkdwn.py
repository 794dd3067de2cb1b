"""Slack's mrkdwn as plain words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.elements import escaped
from bot.slack.mrkdwn import people_in, plain_words

NAMES = {"U1": "Ada Lovelace"}


@pytest.mark.parametrize(
    ("mrkdwn", "words"),
    [
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("&amp;lt;", "&lt;"),
        ("<@U1> and <@U2|grace> and <@U3>", "@Ada Lovelace and @grace and @U3"),
        ("see <#C1|ops> and <#C2>", "see #ops and #C2"),
        ("<!here> <!subteam^S1|@oncall> <!subteam^S2>", "@here @oncall @S2"),
        ("<!date^1700000000^{date}|14 Nov 2023>", "14 Nov 2023"),
        ("<https://a.example/?x=1&amp;y=2|the page>", "the page (https://a.example/?x=1&y=2)"),
        ("<https://a.example>", "https://a.example"),
        ("<mailto:ada@example.com|ada@example.com>", "ada@example.com"),
        ("2 < 3 <", "2 < 3 <"),
    ],
)
def test_reads_as_a_person_sees_it(mrkdwn: str, words: str) -> None:
    assert plain_words(mrkdwn, NAMES) == words


@given(st.text())
def test_what_was_escaped_comes_back(words: str) -> None:
    assert plain_words(escaped(words), {}) == words


def test_mentioned_people_are_found() -> None:
    assert list(people_in("<@U1> <@W2|x> <#C1> <!here> &lt;@U9&gt;")) == ["U1", "W2"]
