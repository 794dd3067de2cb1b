"""The people and channels a fresh workspace starts with."""

from typing import Any

from infra.dev.local_slack.state.channels import Channel
from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.people import Kind, Person, Usergroup
from infra.dev.local_slack.state.team import Team

TEAM_ID = "T0LOCAL"
OTHER_TEAM_ID = "T0OTHER"
CREATED = 1_700_000_000
"""When the seeded channels were made, in seconds since the epoch."""


def seeded_team(clock: Clock, *, bot_user_id: str, bot_name: str) -> Team:
    """Return a team with Ada, Grace, Linus, a guest, a person of another organisation, and the app's bot user."""
    team = Team(clock=clock, id=TEAM_ID, bot_user_id=bot_user_id)
    people = [
        _person("U0ADA", "Ada Lovelace", "7a3e9d", is_admin=True),
        _person("U0GRACE", "Grace Hopper", "1f6f8b"),
        _person("U0LINUS", "Linus Torvalds", "a15c1b"),
        _person("U0GUEST", "Gus Guest", "6b7280", kind=Kind.GUEST),
        _person("U0OTHER", "Olga Otherorg", "8b2f4b", kind=Kind.STRANGER, team_id=OTHER_TEAM_ID),
        Person(id=bot_user_id, name=bot_name, real_name=bot_name, team_id=TEAM_ID, kind=Kind.BOT, color="2f7d4f"),
    ]
    team.people = {person.id: person for person in people}
    members = ["U0ADA", "U0GRACE", "U0LINUS"]
    partners = ["U0ADA", "U0GRACE", "U0OTHER", bot_user_id]
    channels = [
        _channel("C0GENERAL", "general", "Company-wide news", [*members, "U0GUEST", bot_user_id]),
        _channel("C0OPS", "ops", "Running our services", [*members, "U0GUEST", bot_user_id]),
        _channel("C0INCIDENTS", "incidents", "What is broken, and who is on it", [*members, bot_user_id]),
        _channel("C0PARTNERS", "partners", "Shared with another organisation", partners, is_ext_shared=True),
        _channel("C0FINANCE", "finance", "The app is not a member here", ["U0ADA", "U0GRACE"]),
        _channel("G0LEADS", "leads", "Private", ["U0ADA", "U0GRACE", bot_user_id], is_private=True),
        _channel("C0OLDOPS", "old-ops", "Archived", [*members, bot_user_id], is_archived=True),
    ]
    team.channels = {channel.id: channel for channel in channels}
    team.usergroups["S0ONCALL"] = Usergroup(
        id="S0ONCALL", handle="oncall", name="On call", users=["U0GRACE", "U0LINUS"]
    )
    for user in members:
        team.open_direct_message(user)
    return team


def _person(id: str, real_name: str, color: str, *, team_id: str = TEAM_ID, **more: Any) -> Person:
    return Person(id=id, name=real_name.split()[0], real_name=real_name, team_id=team_id, color=color, **more)


def _channel(id: str, name: str, topic: str, members: list[str], **more: Any) -> Channel:
    return Channel(id=id, name=name, creator="U0ADA", created=CREATED, members=list(members), topic=topic, **more)
