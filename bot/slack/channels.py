"""Channels as tools see them: found by name or id, and only as far as the author of a call may go."""

from agent.ids import thread_parts
from agent.tool import CallContext, ToolError
from bot.slack.membership import Channel, Principals


class Channels:
    """Finds channels and checks people's rights to them, always as of now. Raises `BotError` when Slack cannot say."""

    def __init__(self, principals: Principals) -> None:
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

    async def changeable(self, wanted: str, context: CallContext) -> Channel:
        """Return the channel, if the author may write there, and the app can change what it is and who is in it.

        Raises:
            ToolError: there is none, the author may not, it is archived or a direct message, or the app is not in it.
        """
        channel = await self.writable(wanted, context)
        if channel.archived:
            raise ToolError("is_archived", "that channel is archived")
        if not channel.name:
            raise ToolError("not_a_channel", "that is a direct message and no channel")
        if not channel.has_app:
            raise ToolError("not_in_channel", "the app is not in that channel; somebody has to invite it")
        return channel

    async def readable(self, wanted: str, context: CallContext) -> Channel:
        """Return the channel, if the author may read there: full members any public one, else who is in it now.

        Raises:
            ToolError: there is none, or the author may not.
        """
        channel = await self._existing(wanted)
        tenant = thread_parts(context.thread).tenant
        if channel.public and (await self._principals.person(tenant, context.author)).is_member:
            return channel
        if not await self._principals.in_channel(channel.id, context.author):
            raise _not_allowed()
        return channel

    async def _existing(self, wanted: str) -> Channel:
        channel = await self._principals.channel_wanted(wanted)
        if channel is None:
            raise ToolError("channel_not_found", f"there is no channel {wanted!r} that the app can see")
        return channel


def _not_allowed() -> ToolError:
    return ToolError("not_allowed", "the person who asked for this is not in that channel")
