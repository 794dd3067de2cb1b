"""The users of the workspace: people, guests, people of another organisation, the app's bot user, user groups."""

from dataclasses import dataclass, field
from enum import StrEnum

from infra.dev.local_slack.state.payload import JsonObject


class Kind(StrEnum):
    """A person's relation to this workspace."""

    MEMBER = "member"
    GUEST = "guest"
    #: A person of another organisation, met in a shared channel.
    STRANGER = "stranger"
    BOT = "bot"


@dataclass(kw_only=True)
class Person:
    """One user as users.info tells them; mutable, since people leave."""

    id: str
    name: str
    real_name: str
    team_id: str
    kind: Kind = Kind.MEMBER
    color: str = "4b5a75"
    is_admin: bool = False
    deleted: bool = False

    def as_json(self) -> JsonObject:
        """Return the user object of the Web API, as for an app that may not read e-mail addresses."""
        profile: JsonObject = {
            "real_name": self.real_name,
            "real_name_normalized": self.real_name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "team": self.team_id,
        }
        return {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "real_name": self.real_name,
            "deleted": self.deleted,
            "color": self.color,
            "tz": "Etc/UTC",
            "tz_label": "Coordinated Universal Time",
            "tz_offset": 0,
            "profile": profile,
            "is_admin": self.is_admin,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": self.kind is Kind.GUEST,
            "is_ultra_restricted": False,
            "is_stranger": self.kind is Kind.STRANGER,
            "is_bot": self.kind is Kind.BOT,
            "is_app_user": False,
            "updated": 0,
        }


@dataclass(kw_only=True)
class Usergroup:
    """A group that can be mentioned, such as @oncall."""

    id: str
    handle: str
    name: str
    users: list[str] = field(default_factory=list[str])

    def as_json(self, team_id: str) -> JsonObject:
        """Return the usergroup object of the Web API."""
        return {
            "id": self.id,
            "team_id": team_id,
            "is_usergroup": True,
            "name": self.name,
            "handle": self.handle,
            "description": "",
            "is_external": False,
            "date_delete": 0,
            "user_count": len(self.users),
            "users": list(self.users),
        }
