"""Who is this: member, guest, bot or someone of another organisation; in which channels and groups.

Fresh where a decision hangs on it (a click), remembered for a minute elsewhere.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from agent.ids import ChannelId, Tenant, UserId
from bot.errors import SlackRefused
from bot.web_api import WebApi, listed

REMEMBERED_SECONDS = 60.0
_REMEMBERED_PEOPLE = 10_000
_NOBODY = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
_NO_CHANNEL = frozenset({"channel_not_found", "not_in_channel", "no_permission"})
_NO_GROUP = frozenset({"no_such_subteam", "subteam_not_found", "invalid_arguments"})


class Standing(StrEnum):
    """What someone is to the team the app is installed in. Only a member may start or decide."""

    MEMBER = "member"
    GUEST = "guest"
    BOT = "bot"
    OUTSIDER = "outsider"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone in Slack. `name` is what people call them, and not unique."""

    id: UserId
    standing: Standing
    name: str


def standing_of(user: Mapping[str, Any], tenant: Tenant) -> Standing:
    """Read `users.info`'s user. Doubt is an outsider: only a plain user of this very team is a member."""
    if user.get("deleted"):
        return Standing.GONE
    if user.get("is_bot") or user.get("is_workflow_bot") or user.get("id") == "USLACKBOT":
        return Standing.BOT
    enterprise = user.get("enterprise_user")
    teams = cast("Mapping[str, Any]", enterprise).get("teams") if isinstance(enterprise, Mapping) else None
    home = user.get("team_id") == tenant or (isinstance(teams, list) and tenant in teams)
    if user.get("is_stranger") or not home:
        return Standing.OUTSIDER
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Standing.GUEST
    return Standing.MEMBER


class Principals:
    """Asks Slack about people. Raises `BotError` when Slack cannot say: then nobody is let in."""

    def __init__(self, api: WebApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._people: dict[tuple[Tenant, UserId], tuple[float, Person]] = {}

    async def person(self, tenant: Tenant, user: UserId, *, fresh: bool = False) -> Person:
        """Return who `user` is to `tenant`; someone Slack does not know is an outsider."""
        known = self._people.get((tenant, user))
        if known is not None and not fresh and self._clock() - known[0] < REMEMBERED_SECONDS:
            return known[1]
        person = await self._ask(tenant, user)
        if len(self._people) >= _REMEMBERED_PEOPLE:
            self._people.clear()
        self._people[tenant, user] = (self._clock(), person)
        return person

    async def in_channel(self, channel: ChannelId, user: UserId) -> bool:
        """Tell whether `user` is in the channel now."""
        try:
            async for member in self._api.pages("conversations.members", "members", channel=channel):
                if member == user:
                    return True
        except SlackRefused as error:
            if error.code not in _NO_CHANNEL:
                raise
        return False

    async def groups(self, user: UserId, among: Iterable[str]) -> frozenset[str]:
        """Return those of the user groups `among` that `user` is in now; a group that is gone has nobody."""
        return frozenset([group for group in among if user in await self._group(group)])

    async def _ask(self, tenant: Tenant, user: UserId) -> Person:
        nobody = Person(id=user, standing=Standing.OUTSIDER, name="")
        try:
            found: object = (await self._api.read("users.info", user=user)).get("user")
        except SlackRefused as error:
            if error.code in _NOBODY:
                return nobody
            raise
        if not isinstance(found, Mapping):
            return nobody
        fields = cast("Mapping[str, Any]", found)
        name = fields.get("real_name") or fields.get("name") or ""
        return Person(id=user, standing=standing_of(fields, tenant), name=str(name))

    async def _group(self, group: str) -> list[str]:
        try:
            return listed(await self._api.read("usergroups.users.list", usergroup=group), "users")
        except SlackRefused as error:
            if error.code in _NO_GROUP:
                return []
            raise
