"""The red `slack_delete_file`: takes a file back that this app uploaded to a channel, and no other."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from agent.ids import ToolName
from agent.preview import FieldsPreview, Preview
from agent.tool import CallContext, Colour, Tool, ToolError
from bot.slack.channels import Channels
from bot.slack.client import WebApi, objects_in
from bot.slack.membership import Channel, Principals
from bot.tools.refusals import looking, sending
from sandbox.script import Json

_MOST_READ = 2000
"""Messages of the channel or thread, among which the file is looked for."""

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "channel": {"type": "string", "minLength": 1, "description": "#name or id of the channel"},
        "thread_ts": {
            "type": "string",
            "pattern": "^[0-9]+\\.[0-9]+$",
            "description": "ts of the first message of the thread in which the file stands",
        },
        "file": {"type": "string", "pattern": "^F[A-Z0-9]{2,20}$", "description": "id of the file"},
    },
    "required": ["channel", "file"],
    "additionalProperties": False,
}


def slack_delete_file(api: WebApi, principals: Principals, channels: Channels) -> Tool:
    """Return the tool. Nothing takes it back: what was in the file is gone."""
    deleter = _Deleter(api, principals, channels)
    return Tool(
        name=ToolName("slack_delete_file"),
        description="Delete a file that this app uploaded to a Slack channel or thread. Returns file and "
        "channel (ids).",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        preview=_preview,
        call=deleter.call,
        check=deleter.check,
        precondition=deleter.state,
        targets=("channel", "thread_ts", "file"),
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    labels = {"channel": "Channel", "thread_ts": "Thread", "file": "File"}
    covers = tuple(name for name in labels if name in arguments)
    fields = tuple((labels[name], str(arguments[name])) for name in covers)
    return [FieldsPreview(covers=covers, name="Delete a file", fields=fields)]


class _Deleter:
    def __init__(self, api: WebApi, principals: Principals, channels: Channels) -> None:
        self._api = api
        self._principals = principals
        self._channels = channels

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse a file that is gone, or that the app did not upload there."""
        await self._file(context, arguments)

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know of the file: where it stands, its name and size."""
        channel, file = await self._file(context, arguments)
        size = file.get("size")
        return {
            "channel": f"#{channel.name}" if channel.name else str(channel.id),
            "name": str(file.get("name") or ""),
            "bytes": size if isinstance(size, int) else 0,
        }

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Delete; a Slack refusal, a missing right or a lost answer is a ToolError."""
        channel, _ = await self._file(context, arguments)
        file = str(arguments["file"])
        with sending("delete the file", lost="the file may stand or not"):
            await self._api.write_once("files.delete", before_sending=context.check_not_late, file=file)
        return {"file": file, "channel": channel.id}

    async def _file(self, context: CallContext, arguments: Mapping[str, Json]) -> tuple[Channel, Mapping[str, Any]]:
        """Return the file, as the message shows it with which the app shared it, and its channel.

        Raises:
            ToolError: no such message stands there, or the author may not write there.
        """
        wanted, thread_ts = str(arguments["file"]), arguments.get("thread_ts")
        with looking("show the channel"):
            channel = await self._channels.writable(str(arguments["channel"]), context)
            us = (await self._principals.identity()).bot
            async for message in self._messages(channel, None if thread_ts is None else str(thread_ts)):
                for file in objects_in(message, "files"):
                    if file.get("id") == wanted and file.get("mode") != "tombstone" and message.get("bot_id") == us:
                        return channel, file
        raise ToolError("file_not_found", "no such file of this app stands there")

    async def _messages(self, channel: Channel, thread_ts: str | None) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the messages among which the file is looked for: a channel's newest first."""
        read = 0
        if thread_ts is None:
            messages = self._api.objects("conversations.history", "messages", channel=channel.id)
        else:
            messages = self._api.objects("conversations.replies", "messages", channel=channel.id, ts=thread_ts)
        async for message in messages:
            yield message
            read += 1
            if read >= _MOST_READ:
                return
