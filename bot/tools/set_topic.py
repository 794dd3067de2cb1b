"""The red `slack_set_topic`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.ids import ChannelId, ToolName
from agent.plan.effects import Inverse, InverseCall, NoInverse
from agent.preview import DiffPreview, FieldsPreview, Preview, cell_text
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing
from bot.payloads import mapping, unescaped
from bot.slack.channels import Channels
from bot.slack.client import WebApi
from bot.tools.refusals import looking, sending
from sandbox.script import Json

MOST_CHARACTERS = 250

_TOPIC: Mapping[str, Json] = {"type": "string", "maxLength": MOST_CHARACTERS}

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "channel": {"type": "string", "minLength": 1, "description": "#name or id of the channel"},
        "topic": {**_TOPIC, "description": "In plain words; empty: none."},
        "replaces": {**_TOPIC, "description": "Set the topic only if this is the present one."},
    },
    "required": ["channel", "topic"],
    "additionalProperties": False,
}


def slack_set_topic(api: WebApi, channels: Channels) -> Tool:
    """Return the tool."""
    setter = _Setter(api, channels)
    return Tool(
        name=ToolName("slack_set_topic"),
        description="Set the topic of a Slack channel that this app is in. Returns channel (its id) and topic.",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_inverse, before=setter.topic),
        preview=_preview,
        call=setter.call,
        check=setter.check,
        precondition=setter.state,
        targets=("channel",),
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    channel, topic = ("Channel", str(arguments["channel"])), str(arguments["topic"])
    if arguments.get("replaces"):
        before = str(arguments["replaces"])
        return [
            FieldsPreview(covers=("channel",), name="Set a topic", fields=(channel,)),
            DiffPreview(covers=("replaces", "topic"), name="topic", before=before, after=topic),
        ]
    fields = (channel, ("Topic", cell_text(topic)))
    return [FieldsPreview(covers=("channel", "topic"), name="Set a topic", fields=fields)]


def _inverse(_context: CallContext, _arguments: Mapping[str, Json], output: Json, before: Json) -> Inverse:
    """Return the call that sets the earlier topic, if nobody set another one since."""
    if not isinstance(before, str) or not isinstance(output, Mapping):
        return None
    channel, topic = str(output["channel"]), str(output["topic"])
    if before == topic:
        return NoInverse.NO_EFFECT
    return InverseCall(
        tool=ToolName("slack_set_topic"),
        args={"channel": channel, "topic": before, "replaces": topic},
        resource=f"slack topic {channel}",
        version_at="/replaces",
        version_in="/topic",
        found=before,
    )


@dataclass(frozen=True, kw_only=True)
class _WithTopic:
    """A channel whose topic the author may set."""

    id: ChannelId
    name: str
    topic: str


class _Setter:
    def __init__(self, api: WebApi, channels: Channels) -> None:
        self._api = api
        self._channels = channels

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse a channel that is archived, whose topic is another one by now, or that the app or author is not in."""
        await self._channel(context, arguments)

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know of the channel: its topic."""
        channel = await self._channel(context, arguments)
        return {"channel": f"#{channel.name}", "topic": channel.topic}

    async def topic(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return the present topic."""
        return (await self._channel(context, arguments)).topic

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Set; a Slack refusal, a missing right or a lost answer is a ToolError."""
        channel = await self._channel(context, arguments)
        topic = str(arguments["topic"])
        if topic != channel.topic:
            with sending("set the topic", lost="the topic may be the one or the other"):
                await self._api.write_once(
                    "conversations.setTopic", before_sending=context.check_not_late, channel=channel.id, topic=topic
                )
        return {"channel": channel.id, "topic": topic}

    async def _channel(self, context: CallContext, arguments: Mapping[str, Json]) -> _WithTopic:
        """Return the channel as Slack has it.

        Raises:
            ToolError: there is none, or its topic cannot be set.
        """
        with looking("show the channel"):
            known = await self._channels.changeable(str(arguments["channel"]), context)
            found = mapping((await self._api.read("conversations.info", channel=known.id)).get("channel"))
        topic = unescaped(str(mapping(found.get("topic")).get("value") or ""))
        if (expected := arguments.get("replaces")) is not None and expected != topic:
            raise ToolError("changed_since", "the topic is another one by now")
        return _WithTopic(id=known.id, name=known.name, topic=topic)
