"""The red `slack_update_message`: other words in a message that `slack_post_message` posted, and in no other."""

from collections.abc import Mapping, Sequence

from agent.ids import ToolName
from agent.plan.effects import Inverse, InverseCall
from agent.preview import DiffPreview, FieldsPreview, MessagePreview, Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing
from bot.slack.client import WebApi
from bot.tools.messages import PLACE, FoundMessage, Messages
from bot.tools.post_message import MOST_CHARACTERS, as_written, neutralised, posted_text
from bot.tools.refusals import sending
from sandbox.script import Json

_TEXT: Mapping[str, Json] = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        **PLACE,
        "text": _TEXT,
        "replaces": {**_TEXT, "description": "Change the message only if it says this now."},
    },
    "required": ["channel", "ts", "text"],
    "additionalProperties": False,
}


def slack_update_message(api: WebApi, messages: Messages) -> Tool:
    """Return the tool."""
    updater = _Updater(api, messages)
    return Tool(
        name=ToolName("slack_update_message"),
        description="Change the text of a message that this app posted to a Slack channel for somebody. The text is "
        "Slack mrkdwn; mentions and broadcasts become plain words. Returns channel, ts and text.",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_inverse, before=updater.text),
        preview=_preview,
        call=updater.call,
        check=updater.check,
        precondition=updater.state,
        targets=("channel", "ts"),
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    channel, text = str(arguments["channel"]), str(arguments["text"])
    if "replaces" not in arguments:
        place = (("Message", str(arguments["ts"])),)
        return [
            MessagePreview(covers=("channel", "text"), channel=channel, text=text),
            FieldsPreview(covers=("ts",), name="In place of", fields=place),
        ]
    fields = (("Channel", channel), ("Message", str(arguments["ts"])))
    before = str(arguments["replaces"])
    return [
        FieldsPreview(covers=("channel", "ts"), name="Change a message", fields=fields),
        DiffPreview(covers=("replaces", "text"), name="text", before=before, after=text),
    ]


def _inverse(_context: CallContext, _arguments: Mapping[str, Json], output: Json, before: Json) -> Inverse:
    """Return the call that puts the earlier text back, if it would be the same, and nobody wrote another one since."""
    earlier = as_written(before) if isinstance(before, str) else None
    if earlier is None or not isinstance(output, Mapping):
        return None
    channel, ts, text = (str(output[name]) for name in ("channel", "ts", "text"))
    return InverseCall(
        tool=ToolName("slack_update_message"),
        args={"channel": channel, "ts": ts, "text": earlier, "replaces": text},
        resource=f"slack message {channel} {ts}",
        version_at="/replaces",
        version_in="/text",
        found=earlier,
    )


class _Updater:
    def __init__(self, api: WebApi, messages: Messages) -> None:
        self._api = api
        self._messages = messages

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse a text that is too long, and a message that is gone, another one by now, or not the tool's."""
        posted_text(arguments)
        await self._message(context, arguments)

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know of the message: where it stands, its words, and who answered."""
        return (await self._message(context, arguments)).state

    async def text(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return the message's text as Slack has it."""
        return (await self._message(context, arguments)).text

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Change; a Slack refusal, a missing right or a lost answer is a ToolError."""
        text = posted_text(arguments)
        message = await self._message(context, arguments)
        with sending("change the message", lost="the message may say the one or the other"):
            answer = await self._api.write_once(
                "chat.update",
                before_sending=context.check_not_late,
                channel=message.channel.id,
                ts=message.ts,
                text=text,
                parse="none",
            )
        stands = as_written(str(answer.get("text") or "")) or str(arguments["text"])
        return {"channel": str(message.channel.id), "ts": message.ts, "text": stands}

    async def _message(self, context: CallContext, arguments: Mapping[str, Json]) -> FoundMessage:
        message = await self._messages.posted(
            context,
            arguments,
            code="cant_update_message",
            words="only messages that slack_post_message posted are changed",
        )
        if (expected := arguments.get("replaces")) is not None and neutralised(str(expected)) != message.text:
            raise ToolError("changed_since", "the message says something else by now")
        return message
