"""The red `slack_delete_message`: takes a message back that `slack_post_message` posted, and no other."""

from collections.abc import Mapping, Sequence

from agent.ids import ToolName
from agent.plan.effects import Inverse, InverseCall
from agent.preview import FieldsPreview, Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, Undoing
from bot.slack.client import WebApi
from bot.tools.messages import PLACE, FoundMessage, Messages
from bot.tools.post_message import as_written
from bot.tools.refusals import sending
from sandbox.script import Json

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": PLACE,
    "required": ["channel", "ts"],
    "additionalProperties": False,
}


def slack_delete_message(api: WebApi, messages: Messages) -> Tool:
    """Return the tool."""
    deleter = _Deleter(api, messages)
    return Tool(
        name=ToolName("slack_delete_message"),
        description="Delete a message that this app posted to a Slack channel for somebody. Returns channel and ts.",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_inverse, before=deleter.text),
        preview=_preview,
        call=deleter.call,
        check=deleter.check,
        precondition=deleter.state,
        targets=("channel", "ts"),
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    fields = (("Channel", str(arguments["channel"])), ("Message", str(arguments["ts"])))
    return [FieldsPreview(covers=("channel", "ts"), name="Delete a message", fields=fields)]


def _inverse(_context: CallContext, arguments: Mapping[str, Json], _output: Json, before: Json) -> Inverse:
    """Return the call that posts the same text again, if it would be the same."""
    text = as_written(before) if isinstance(before, str) else None
    if text is None:
        return None
    return InverseCall(tool=ToolName("slack_post_message"), args={"channel": str(arguments["channel"]), "text": text})


class _Deleter:
    def __init__(self, api: WebApi, messages: Messages) -> None:
        self._api = api
        self._messages = messages

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse a message that is gone, or that the tool did not post."""
        await self._message(context, arguments)

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know of the message: where it stands, its words, and who answered."""
        return (await self._message(context, arguments)).state

    async def text(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return the message's text as Slack has it."""
        return (await self._message(context, arguments)).text

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Delete; a Slack refusal, a missing right or a lost answer is a ToolError."""
        message = await self._message(context, arguments)
        with sending("delete the message", lost="the message may stand or not"):
            await self._api.write_once(
                "chat.delete", before_sending=context.check_not_late, channel=message.channel.id, ts=message.ts
            )
        return {"channel": str(message.channel.id), "ts": message.ts}

    async def _message(self, context: CallContext, arguments: Mapping[str, Json]) -> FoundMessage:
        return await self._messages.posted(
            context,
            arguments,
            code="cant_delete_message",
            words="only messages that slack_post_message posted are deleted",
        )
