"""Who is this: member, guest, bot or someone of another organisation; in which channels and groups.

Fresh where a decision hangs on it (a click), remembered for a minute elsewhere.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from agent.ids import ChannelId, Tenant, UserId
from bot.errors import SlackRefused, SlackUnreachable
from bot.slack.client import WebApi, listed

REMEMBERED_SECONDS = 60.0


_REMEMBERED_PEOPLE = 10_000


_NOBODY = frozenset({"user_not_found", "user_not_visible", "users_not_found"})


_NO_CHANNEL = frozenset({"channel_not_found", "not_in_channel", "no_permission"})


_NO_GROUP = frozenset({"no_such_subteam", "subteam_not_found", "invalid_arguments"})


class MembershipStatus(StrEnum):
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
    standing: MembershipStatus
    name: str


def membership_of(user: Mapping[str, Any], tenant: Tenant) -> MembershipStatus:
    """Read `users.info`'s user. Doubt is an outsider: only a plain user of this very team is a member."""
    if user.get("deleted"):
        return MembershipStatus.GONE
    if user.get("is_bot") or user.get("is_workflow_bot") or user.get("id") == "USLACKBOT":
        return MembershipStatus.BOT
    enterprise = user.get("enterprise_user")
    teams = cast("Mapping[str, Any]", enterprise).get("teams") if isinstance(enterprise, Mapping) else None
    home = user.get("team_id") == tenant or (isinstance(teams, list) and tenant in teams)
    if user.get("is_stranger") or not home:
        return MembershipStatus.OUTSIDER
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return MembershipStatus.GUEST
    return MembershipStatus.MEMBER


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
        nobody = Person(id=user, standing=MembershipStatus.OUTSIDER, name="")
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
        return Person(id=user, standing=membership_of(fields, tenant), name=str(name))

    async def _group(self, group: str) -> list[str]:
        try:
            return listed(await self._api.read("usergroups.users.list", usergroup=group), "users")
        except SlackRefused as error:
            if error.code in _NO_GROUP:
                return []
            raise


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The installation: its team, and the app's own user and bot id there."""

    tenant: Tenant
    enterprise: str | None
    user: UserId
    bot: str


class Identities:
    """Knows the installation after the first successful `auth.test`; a failed one is asked again."""

    def __init__(self, api: WebApi) -> None:
        self._api = api
        self._known: Identity | None = None
        self._asking = asyncio.Lock()

    async def current(self) -> Identity:
        """Return the installation.

        Raises:
            BotError: Slack refused the token or could not be reached.
        """
        async with self._asking:
            if self._known is None:
                answer = await self._api.write("auth.test")
                enterprise = answer.get("enterprise_id")
                self._known = Identity(
                    tenant=Tenant(_text(answer, "team_id")),
                    enterprise=enterprise if isinstance(enterprise, str) else None,
                    user=UserId(_text(answer, "user_id")),
                    bot=_text(answer, "bot_id"),
                )
            return self._known


def _text(answer: Any, key: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str) or not value:
        raise SlackUnreachable("auth.test")
    return value
