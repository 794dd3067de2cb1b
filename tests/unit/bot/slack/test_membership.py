"""Only a plain user of the installing team is a member; every doubt is not."""

from typing import Any

import pytest

from agent.ids import Tenant
from bot.slack.membership import MembershipStatus, membership_of

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
        ({}, MembershipStatus.MEMBER),
        ({"is_restricted": True}, MembershipStatus.GUEST),
        ({"is_restricted": True, "is_ultra_restricted": True}, MembershipStatus.GUEST),
        ({"is_bot": True}, MembershipStatus.BOT),
        ({"id": "USLACKBOT"}, MembershipStatus.BOT),
        ({"team_id": "T2"}, MembershipStatus.OUTSIDER),
        ({"team_id": None}, MembershipStatus.OUTSIDER),
        ({"is_stranger": True}, MembershipStatus.OUTSIDER),
        ({"team_id": "T2", "enterprise_user": {"teams": ["T3", "T1"]}}, MembershipStatus.MEMBER),
        ({"team_id": "T2", "enterprise_user": {"teams": ["T3"]}}, MembershipStatus.OUTSIDER),
        ({"deleted": True}, MembershipStatus.GONE),
        ({"team_id": "T2", "is_restricted": True}, MembershipStatus.OUTSIDER),
    ],
    ids=str,
)
def test_standing_of(changes: dict[str, Any], standing: MembershipStatus) -> None:
    assert membership_of(PLAIN | changes, Tenant("T1")) is standing
