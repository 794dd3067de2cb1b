"""The red `slack_upload_file`: a text, or the output of a step, as a file in a channel or a thread."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.ids import ToolName
from agent.plan.effects import Inverse, InverseCall
from agent.preview import FieldsPreview, Preview
from agent.redaction import SECRETS
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing
from agent.tools.large_arguments import bytes_of
from bot.payloads import mapping
from bot.slack.channels import Channels
from bot.slack.client import WebApi, objects_in
from bot.slack.membership import Channel
from bot.tools.post_message import neutralised
from bot.tools.refusals import looking, sending
from sandbox.script import Json

MOST_COMMENT = 3000

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "channel": {"type": "string", "minLength": 1, "description": "#name or id of the channel"},
        "thread_ts": {
            "type": "string",
            "pattern": "^[0-9]+\\.[0-9]+$",
            "description": "ts of a thread's first message, to put the file there",
        },
        "name": {
            "type": "string",
            "pattern": r"^[^/\\\x00-\x1f\x7f]{1,100}$",
            "description": "Name of the file with its ending, such as report.csv.",
        },
        "content": {"description": "A text as it is; any other value, such as ${step}, becomes JSON."},
        "comment": {
            "type": "string",
            "minLength": 1,
            "maxLength": MOST_COMMENT,
            "description": "Words above the file.",
        },
    },
    "required": ["channel", "name", "content"],
    "additionalProperties": False,
}


def slack_upload_file(api: WebApi, channels: Channels) -> Tool:
    """Return the tool."""
    uploader = _Uploader(api, channels)
    return Tool(
        name=ToolName("slack_upload_file"),
        description="Upload a text, or a step's output, as a file to a Slack channel or thread that this app is in. "
        "Returns file (its id), channel (its id), name, bytes and link.",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_inverse),
        preview=_preview,
        call=uploader.call,
        check=uploader.check,
        precondition=uploader.state,
        targets=("channel", "thread_ts"),
        by_reference=frozenset({"content"}),
        timeout_seconds=90.0,
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    labels = {"channel": "Channel", "thread_ts": "Thread", "name": "Name"}
    covers = tuple(name for name in labels if name in arguments)
    fields = tuple((labels[name], str(arguments[name])) for name in covers)
    return [FieldsPreview(covers=covers, name="Upload a file", fields=fields)]


def _inverse(_context: CallContext, _arguments: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    """Return the call that deletes the file."""
    if not isinstance(output, Mapping):
        return None
    place: dict[str, Json] = {name: output[name] for name in ("channel", "thread_ts", "file") if name in output}
    return InverseCall(tool=ToolName("slack_delete_file"), args=place)


def _content(value: Json) -> bytes:
    """Return the bytes of the file, without secrets: Slack is told their number before they go out.

    Raises:
        ToolError: there are none.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    content = SECRETS.hide(text).encode(errors="replace")
    if not content:
        raise ToolError("empty_file", "the file would be empty")
    return content


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where the file goes."""

    channel: Channel
    thread_ts: str | None


class _Uploader:
    def __init__(self, api: WebApi, channels: Channels) -> None:
        self._api = api
        self._channels = channels

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse an empty file, and a place in which the app or the author may not write."""
        _content(arguments.get("content"))
        await self._place(context, arguments)

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know: where the file goes, who reads there, and how large it is."""
        channel = (await self._place(context, arguments)).channel
        size = bytes_of(arguments.get("content"))
        return {
            "channel": f"#{channel.name}" if channel.name else str(channel.id),
            "public": channel.public,
            "shared_with_others": channel.shared,
            "bytes": len(_content(arguments.get("content"))) if size is None else size,
        }

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Upload; nobody sees the file before the last of the three steps, so only that one can leave doubt."""
        name, content = str(arguments["name"]), _content(arguments.get("content"))
        place = await self._place(context, arguments)
        file = await self._sent(context, name, content)
        comment = arguments.get("comment")
        with sending("share the file", lost="the file may stand there or not"):
            done = await self._api.write_once(
                "files.completeUploadExternal",
                before_sending=context.check_not_late,
                files=[{"id": file, "title": name}],
                channel_id=place.channel.id,
                thread_ts=place.thread_ts,
                initial_comment=None if comment is None else neutralised(str(comment)),
            )
        shared = next(iter(objects_in(done, "files")), mapping(None))
        output: dict[str, Json] = {
            "file": file,
            "channel": place.channel.id,
            "name": name,
            "bytes": len(content),
            "link": str(shared.get("permalink") or ""),
        }
        return output if place.thread_ts is None else output | {"thread_ts": place.thread_ts}

    async def _sent(self, context: CallContext, name: str, content: bytes) -> str:
        """Return the id of a file whose bytes Slack has, and which nobody sees."""
        with looking("take the file"):
            place = await self._api.write_once(
                "files.getUploadURLExternal",
                before_sending=context.check_not_late,
                filename=name,
                length=len(content),
            )
            context.check_not_late()
            await self._api.upload(str(place.get("upload_url") or ""), content)
        file = place.get("file_id")
        if not isinstance(file, str) or not file:
            raise ToolError("bad_answer", "Slack's answer names no file; nothing was shared")
        return file

    async def _place(self, context: CallContext, arguments: Mapping[str, Json]) -> _Place:
        """Return where the file goes.

        Raises:
            ToolError: there is no such channel or thread, or the app or the author may not write there.
        """
        thread_ts = arguments.get("thread_ts")
        with looking("show the channel"):
            channel = await self._channels.writable(str(arguments["channel"]), context)
            if channel.archived:
                raise ToolError("is_archived", "that channel is archived")
            if not channel.has_app:
                raise ToolError("not_in_channel", "the app is not in that channel; somebody has to invite it")
            if thread_ts is not None:
                await self._api.read("conversations.replies", channel=channel.id, ts=str(thread_ts), limit=1)
        return _Place(channel=channel, thread_ts=None if thread_ts is None else str(thread_ts))
