"""People, channels and groups as Slack knows them, and the installation itself: asked through one cache.

Each caller says how old an answer it accepts. A decision (a click, a write) accepts none but a fresh one.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

from agent.ids import ChannelId, Tenant, UserId
from bot.errors import BotError, SlackRefused, SlackUnreachable
from bot.payloads import mapping
from bot.slack.client import WebApi, listed

_log = logging.getLogger(__name__)

FRESH = 0.0
RECENT_SECONDS = 60.0
"""How old an answer may be where nothing but who may start or read something hangs on it."""

_MOST_REMEMBERED = 10_000
_MOST_PEOPLE = 50_000
_NOBODY = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
_NO_CHANNEL = frozenset({"channel_not_found", "not_in_channel", "no_permission"})
_NO_GROUP = frozenset({"no_such_subteam", "subteam_not_found", "invalid_arguments"})

Answer = TypeVar("Answer")


class MembershipStatus(StrEnum):
    """A person's relation to the team the app is installed in. Only a member may start or decide."""

    MEMBER = "member"
    GUEST = "guest"
    BOT = "bot"
    OUTSIDER = "outsider"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone in Slack."""

    id: UserId
    status: MembershipStatus
    #: What people call them; not unique.
    name: str
    #: An admin or owner of the workspace.
    is_admin: bool = False

    @property
    def is_member(self) -> bool:
        """Whether they may start work."""
        return self.status is MembershipStatus.MEMBER


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A conversation the app can see."""

    id: ChannelId
    #: Empty for direct messages.
    name: str
    public: bool
    archived: bool = False
    #: Whether people of another organisation are in it, or are invited.
    shared: bool = False
    #: False for a public channel that the app has not joined.
    has_app: bool = True

    @property
    def writable(self) -> bool:
        """Whether the app can post there."""
        return self.has_app and not self.archived


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The installation."""

    tenant: Tenant
    enterprise: str | None
    #: The app's own user id.
    user: UserId
    #: The app's own bot id.
    bot: str


def membership_of(user: Mapping[str, Any], tenant: Tenant) -> MembershipStatus:
    """Read `users.info`'s user. Doubt is an outsider: only a plain user of this very team is a member."""
    if user.get("deleted"):
        return MembershipStatus.GONE
    if user.get("is_bot") or user.get("is_workflow_bot") or user.get("id") == "USLACKBOT":
        return MembershipStatus.BOT
    teams = mapping(user.get("enterprise_user")).get("teams")
    home = user.get("team_id") == tenant or (isinstance(teams, list) and tenant in teams)
    if user.get("is_stranger") or not home:
        return MembershipStatus.OUTSIDER
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return MembershipStatus.GUEST
    return MembershipStatus.MEMBER


def is_person(id: str) -> bool:
    """Return whether an id is a person's, and no channel's."""
    return id.startswith(("U", "W"))


class Principals:
    """Asks Slack about people, channels and groups. Raises `BotError` when Slack cannot say: then nobody is let in."""

    def __init__(self, api: WebApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._answers: dict[Hashable, tuple[float, object]] = {}
        #: Name -> the channel that had it when all were listed.
        self._named: dict[str, ChannelId] = {}
        self._identity: Identity | None = None
        self._identifying = asyncio.Lock()

    async def identity(self) -> Identity:
        """Return the installation, which never changes; a failed `auth.test` is asked again at the next call."""
        async with self._identifying:
            if self._identity is None:
                answer = await self._api.write("auth.test")
                enterprise = answer.get("enterprise_id")
                self._identity = Identity(
                    tenant=Tenant(_required(answer, "team_id")),
                    enterprise=enterprise if isinstance(enterprise, str) else None,
                    user=UserId(_required(answer, "user_id")),
                    bot=_required(answer, "bot_id"),
                )
            return self._identity

    async def person(self, tenant: Tenant, user: UserId, *, max_age_seconds: float = RECENT_SECONDS) -> Person:
        """Return who `user` is to `tenant`; someone Slack does not know is an outsider."""

        async def ask() -> Person:
            found = await _object(self._api.read("users.info", user=user), "user", _NOBODY)
            if found is None:
                return Person(id=user, status=MembershipStatus.OUTSIDER, name="")
            name = found.get("real_name") or found.get("name") or ""
            admin = any(found.get(role) is True for role in ("is_admin", "is_owner", "is_primary_owner"))
            return Person(id=user, status=membership_of(found, tenant), name=str(name), is_admin=admin)

        return await self._remembered(("person", tenant, user), ask, max_age_seconds)

    async def everybody(self) -> Sequence[Mapping[str, Any]]:
        """Return all users as `users.list` shows them, apps and people who left included."""

        async def ask() -> Sequence[Mapping[str, Any]]:
            return [person async for person in self._api.objects("users.list", "members")][:_MOST_PEOPLE]

        return await self._remembered("everybody", ask, RECENT_SECONDS)

    async def channel(self, channel: ChannelId, *, max_age_seconds: float = FRESH) -> Channel | None:
        """Return the channel, or None when there is none that the app can see."""

        async def ask() -> Channel | None:
            found = await _object(
                self._api.read("conversations.info", channel=channel), "channel", {"channel_not_found"}
            )
            return None if found is None else _channel(found)

        return await self._remembered(("channel", channel), ask, max_age_seconds)

    async def channel_named(self, name: str) -> Channel | None:
        """Return the channel of this name as of now, or None when there is none that the app can see.

        Slack lists channels some 20 times a minute, and shows a single one far more often: one that had the name is
        looked at first.
        """
        known = self._named.get(name)
        found = None if known is None else await self.channel(known)
        if found is not None and found.name == name and not found.archived:
            return found
        channels = self._api.objects(
            "conversations.list", "channels", types="public_channel,private_channel", exclude_archived=True
        )
        self._named.pop(name, None)
        async for listed_one in channels:
            if listed_one.get("name") == name:
                channel = _channel(listed_one)
                self._remember_name(channel)
                return channel
        return None

    def _remember_name(self, channel: Channel) -> None:
        if len(self._named) >= _MOST_REMEMBERED:
            self._named.clear()
        self._named[channel.name] = channel.id

    async def channel_wanted(self, wanted: str) -> Channel | None:
        """Return the channel of this `#name` or id as of now, or None when there is none that the app can see."""
        name = wanted.removeprefix("#")
        if re.fullmatch(r"[CGD][A-Z0-9]+", name):
            return await self.channel(ChannelId(name))
        return await self.channel_named(name)

    async def members(self, channel: ChannelId) -> AsyncIterator[UserId]:
        """Yield who is in the channel now."""
        async for member in self._api.pages("conversations.members", "members", channel=channel):
            yield UserId(str(member))

    async def in_channel(self, channel: ChannelId, user: UserId) -> bool:
        """Return whether `user` is in the channel now; nobody is in one that the app cannot see."""
        try:
            async for member in self.members(channel):
                if member == user:
                    return True
        except SlackRefused as error:
            if error.code not in _NO_CHANNEL:
                raise
        return False

    async def groups(self, user: UserId, among: Iterable[str], *, max_age_seconds: float = FRESH) -> frozenset[str]:
        """Return those of the user groups `among` that `user` is in; a group that is gone has nobody."""
        return frozenset([group for group in among if user in await self._group(group, max_age_seconds)])

    async def known_groups(self, user: UserId, among: AbstractSet[str], *, fresh: bool) -> frozenset[str]:
        """Return those of the groups that `user` is certainly in, now if `fresh`; a `GroupsOf` of `ToolAccess`."""
        try:
            return await self.groups(user, among, max_age_seconds=FRESH if fresh else RECENT_SECONDS)
        except BotError as error:
            _log.warning("could not learn which groups %s is in: %s", user, error)
            return frozenset()

    async def _group(self, group: str, max_age_seconds: float) -> list[str]:
        async def ask() -> list[str]:
            try:
                return listed(await self._api.read("usergroups.users.list", usergroup=group), "users")
            except SlackRefused as error:
                if error.code not in _NO_GROUP:
                    raise
                return []

        return await self._remembered(("group", group), ask, max_age_seconds)

    async def _remembered(self, key: Hashable, ask: Callable[[], Awaitable[Answer]], max_age_seconds: float) -> Answer:
        known = self._answers.get(key)
        if known is not None and self._clock() - known[0] < max_age_seconds:
            return cast("Answer", known[1])
        answer = await ask()
        if len(self._answers) >= _MOST_REMEMBERED:
            self._answers.clear()
        self._answers[key] = (self._clock(), answer)
        return answer


async def _object(answer: Awaitable[Mapping[str, Any]], key: str, unknown: Collection[str]) -> Mapping[str, Any] | None:
    """Return the object at `key` of an answer, or None when Slack refuses with one of the codes `unknown`."""
    try:
        found: object = (await answer).get(key)
    except SlackRefused as error:
        if error.code not in unknown:
            raise
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else None


def _channel(found: Mapping[str, Any]) -> Channel:
    public = found.get("is_channel") is True and found.get("is_private") is False
    return Channel(
        id=ChannelId(str(found.get("id", ""))),
        name=str(found.get("name") or ""),
        public=public,
        archived=found.get("is_archived") is True,
        shared=found.get("is_ext_shared") is True or found.get("is_pending_ext_shared") is True,
        has_app=found.get("is_member") is not False,
    )


def _required(answer: Mapping[str, Any], key: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str) or not value:
        raise SlackUnreachable("auth.test")
    return value
