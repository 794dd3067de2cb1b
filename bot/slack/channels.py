"""Channels as tools see them: found by name or id, and only as far as the author of a call may go."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from agent.ids import ChannelId, thread_parts
from agent.tool import CallContext, ToolError
from bot.errors import SlackRefused
from bot.slack.client import WebApi
from bot.slack.membership import MembershipStatus, Principals


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A conversation the app can see. `name` is empty for direct messages."""

    id: ChannelId
    name: str
    public: bool


class Channels:
    """Finds channels and holds people's rights to them. Raises `BotError` when Slack cannot say."""

    def __init__(self, api: WebApi, principals: Principals) -> None:
        self._api = api
        self._principals = principals

    async def writable(self, wanted: str, context: CallContext) -> Channel:
        """Return the channel, if the author may write there: public, where the thread is, or the author is in it.

        Raises:
            ToolError: there is none, or the author may not.
        """
        channel = await self._existing(wanted)
        here = channel.id == thread_parts(context.thread).channel
        if not (channel.public or here or await self._principals.in_channel(channel.id, context.author)):
            raise _not_allowed()
        return channel

    async def readable(self, wanted: str, context: CallContext) -> Channel:
        """Return the channel, if the author may read there: full members any public one, else who is in it now.

        Raises:
            ToolError: there is none, or the author may not.
        """
        channel = await self._existing(wanted)
        tenant = thread_parts(context.thread).tenant
        if (
            channel.public
            and (await self._principals.person(tenant, context.author)).standing is MembershipStatus.MEMBER
        ):
            return channel
        if await self._principals.in_channel(channel.id, context.author):
            return channel
        raise _not_allowed()

    async def _existing(self, wanted: str) -> Channel:
        found = await self._find(wanted.removeprefix("#"))
        if found is None:
            raise ToolError("channel_not_found", f"there is no channel {wanted!r} that the app can see")
        public = found.get("is_channel") is True and found.get("is_private") is False
        return Channel(id=ChannelId(str(found.get("id", ""))), name=str(found.get("name") or ""), public=public)

    async def _find(self, name: str) -> Mapping[str, Any] | None:
        if re.fullmatch(r"[CGD][A-Z0-9]+", name):
            try:
                found = (await self._api.read("conversations.info", channel=name)).get("channel")
            except SlackRefused as error:
                if error.code == "channel_not_found":
                    return None
                raise
            return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else None
        channels = self._api.pages(
            "conversations.list", "channels", types="public_channel,private_channel", exclude_archived=True
        )
        async for channel in channels:
            if isinstance(channel, Mapping) and cast("Mapping[str, Any]", channel).get("name") == name:
                return cast("Mapping[str, Any]", channel)
        return None


def _not_allowed() -> ToolError:
    return ToolError("not_allowed", "the person who asked for this is not in that channel")
