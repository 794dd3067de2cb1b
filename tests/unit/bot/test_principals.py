"""Only a plain user of the installing team is a member; every doubt is not."""

from typing import Any

import pytest

from agent.ids import Tenant
from bot.principals import Standing, standing_of

# fields as users.info returns them, https://docs.slack.dev/reference/objects/user-object
PLAIN = {
    "id": "U1",
    "team_id": "T1",
    "deleted": False,
    "is_bot": False,
    "is_restricted": False,
    "is_ultra_restricted": False,
}


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({}, Standing.MEMBER),
        ({"is_restricted": True}, Standing.GUEST),
        ({"is_restricted": True, "is_ultra_restricted": True}, Standing.GUEST),
        ({"is_bot": True}, Standing.BOT),
        ({"id": "USLACKBOT"}, Standing.BOT),
        ({"team_id": "T2"}, Standing.OUTSIDER),
        ({"team_id": None}, Standing.OUTSIDER),
        ({"is_stranger": True}, Standing.OUTSIDER),
        ({"team_id": "T2", "enterprise_user": {"teams": ["T3", "T1"]}}, Standing.MEMBER),
        ({"team_id": "T2", "enterprise_user": {"teams": ["T3"]}}, Standing.OUTSIDER),
        ({"deleted": True}, Standing.GONE),
        ({"team_id": "T2", "is_restricted": True}, Standing.OUTSIDER),
    ],
    ids=str,
)
def test_standing_of(changes: dict[str, Any], standing: Standing) -> None:
    assert standing_of(PLAIN | changes, Tenant("T1")) is standing
