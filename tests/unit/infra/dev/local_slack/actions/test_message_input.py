"""Typed text becomes a message as in a Slack client."""

import pytest

from infra.dev.local_slack.actions.message_input import command_text, message_text, rich_text
from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.seed import seeded_team

TEAM = seeded_team(Clock(), bot_user_id="U0GREENLIGHT", bot_name="Greenlight")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("@Greenlight go", "<@U0GREENLIGHT> go"),
        ("@greenlight go", "<@U0GREENLIGHT> go"),
        ("see #incidents.", "see <#C0INCIDENTS|incidents>."),
        ("@oncall @here", "<!subteam^S0ONCALL> <!here>"),
        ("@nobody #nowhere", "@nobody #nowhere"),
        ("ada@example.com", "ada@example.com"),
        ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
        ("<script>", "&lt;script&gt;"),
        ("<@U0ADA> hi", "<@U0ADA> hi"),
        ("see https://example.com/a?b=1&c=2#ops.", "see <https://example.com/a?b=1&amp;c=2#ops>."),
    ],
)
def test_typed_text_is_stored_as_slack_stores_it(typed: str, stored: str) -> None:
    assert message_text(TEAM, typed) == stored


def test_escaped_command_names_people_with_their_handle() -> None:
    assert command_text(TEAM, "ask @Ada in #ops") == "ask <@U0ADA|ada> in <#C0OPS|ops>"


def test_rich_text_names_people_channels_and_links() -> None:
    [block] = rich_text("<@U0ADA> in <#C0OPS|ops>: a &lt; b <https://example.com>")
    assert block["elements"][0]["elements"] == [
        {"type": "user", "user_id": "U0ADA"},
        {"type": "text", "text": " in "},
        {"type": "channel", "channel_id": "C0OPS"},
        {"type": "text", "text": ": a < b "},
        {"type": "link", "url": "https://example.com"},
    ]
