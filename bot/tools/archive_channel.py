"""The red `slack_archive_channel`: archives a channel that the app created, and no other."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.ids import ToolName
from agent.preview import FieldsPreview, Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError
from bot.payloads import mapping
from bot.slack.channels import Channels
from bot.slack.client import WebApi, objects_in
from bot.slack.membership import Principals
from bot.tools.refusals import looking, sending
from sandbox.script import Json

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {"channel": {"type": "string", "minLength": 1, "description": "#name or id of the channel"}},
    "required": ["channel"],
    "additionalProperties": False,
}


def slack_archive_channel(api: WebApi, principals: Principals, channels: Channels) -> Tool:
    """Return the tool. Nothing takes it back: an app is in no archived channel, and only members unarchive one."""
    archiver = _Archiver(api, principals, channels)
    return Tool(
        name=ToolName("slack_archive_channel"),
        description="Archive a Slack channel that this app created. Returns channel (its id).",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        preview=_preview,
        call=archiver.call,
        check=archiver.check,
        precondition=archiver.state,
        targets=("channel",),
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    fields = (("Channel", str(arguments["channel"])),)
    return [FieldsPreview(covers=("channel",), name="Archive a channel", fields=fields)]


class _Archiver:
    def __init__(self, api: WebApi, principals: Principals, channels: Channels) -> None:
        self._api = api
        self._principals = principals
        self._channels = channels

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse a channel that is archived, or that the app did not create."""
        await self._channel(context, arguments)

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know of the channel: how many are in it, and what was written last."""
        channel = await self._channel(context, arguments)
        with looking("show the channel"):
            page = await self._api.read("conversations.history", channel=str(channel["id"]), limit=1)
        newest = next(iter(objects_in(page, "messages")), mapping(None))
        members = channel.get("num_members")
        return {
            "channel": f"#{channel.get('name')}",
            "members": members if isinstance(members, int) else 0,
            "newest_message": str(newest.get("ts", "")),
        }

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Archive; a Slack refusal, a missing right or a lost answer is a ToolError."""
        channel = str((await self._channel(context, arguments))["id"])
        with sending("archive the channel", lost="the channel may be archived or not"):
            await self._api.write_once("conversations.archive", before_sending=context.check_not_late, channel=channel)
        return {"channel": channel}

    async def _channel(self, context: CallContext, arguments: Mapping[str, Json]) -> Mapping[str, Any]:
        """Return the channel as Slack has it.

        Raises:
            ToolError: there is none, it is archived, somebody else created it, or the author may not write there.
        """
        with looking("show the channel"):
            known = await self._channels.writable(str(arguments["channel"]), context)
            found = mapping(
                (await self._api.read("conversations.info", channel=known.id, include_num_members=True)).get("channel")
            )
            us = (await self._principals.identity()).user
        if found.get("is_archived"):
            raise ToolError("already_archived", "that channel is archived")
        if found.get("creator") != us:
            raise ToolError("not_ours", "only channels that slack_create_channel created are archived")
        return found
