"""The red `slack_pin_message` and `slack_unpin_message`, each of which takes the other back."""

from collections.abc import Mapping, Sequence

from agent.ids import ToolName
from agent.plan.effects import Inverse, InverseCall
from agent.preview import FieldsPreview, Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing
from bot.slack.client import WebApi, listed
from bot.tools.messages import PLACE, FoundMessage, Messages
from bot.tools.refusals import looking, sending
from sandbox.script import Json

_SCOPE = "pins:write"

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": PLACE,
    "required": ["channel", "ts"],
    "additionalProperties": False,
}


def slack_pin_message(api: WebApi, messages: Messages) -> Tool:
    """Return the tool that pins."""
    pinner = _Pinner(api, messages)
    return Tool(
        name=ToolName("slack_pin_message"),
        description="Pin a message to a Slack channel that this app is in. Returns channel (its id) and ts.",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_unpinned),
        preview=_pin_preview,
        call=pinner.pin,
        check=pinner.check_pin,
        precondition=pinner.state,
        targets=("channel", "ts"),
    )


def slack_unpin_message(api: WebApi, messages: Messages) -> Tool:
    """Return the tool that takes a pin back."""
    pinner = _Pinner(api, messages)
    return Tool(
        name=ToolName("slack_unpin_message"),
        description="Unpin a message from a Slack channel that this app is in. Returns channel (its id) and ts.",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_pinned_again),
        preview=_unpin_preview,
        call=pinner.unpin,
        check=pinner.check_unpin,
        precondition=pinner.state,
        targets=("channel", "ts"),
    )


def _pin_preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    return _preview(arguments, "Pin a message")


def _unpin_preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    return _preview(arguments, "Unpin a message")


def _preview(arguments: Mapping[str, Json], name: str) -> Sequence[Preview]:
    fields = (("Channel", str(arguments["channel"])), ("Message", str(arguments["ts"])))
    return [FieldsPreview(covers=("channel", "ts"), name=name, fields=fields)]


def _unpinned(_context: CallContext, _arguments: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    """Return the call that takes the pin back."""
    return _inverse(ToolName("slack_unpin_message"), output)


def _pinned_again(_context: CallContext, _arguments: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    """Return the call that pins the message again."""
    return _inverse(ToolName("slack_pin_message"), output)


def _inverse(tool: ToolName, output: Json) -> Inverse:
    if not isinstance(output, Mapping):
        return None
    place: dict[str, Json] = {name: str(output[name]) for name in ("channel", "ts")}
    return InverseCall(tool=tool, args=place, resource=f"slack pin {place['channel']} {place['ts']}")


class _Pinner:
    def __init__(self, api: WebApi, messages: Messages) -> None:
        self._api = api
        self._messages = messages

    async def check_pin(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse a message that is gone or pinned already, and all while the app may not pin."""
        await self._message(context, arguments, pinned=False)
        await self._require_scope()

    async def check_unpin(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse a message that is gone or not pinned, and all while the app may not unpin."""
        await self._message(context, arguments, pinned=True)
        await self._require_scope()

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know of the message: where it stands, its words, and whether it is pinned."""
        message = await self._messages.standing(context, arguments)
        state: dict[str, Json] = {name: value for name, value in message.state.items() if name != "replies"}
        return state | {"pinned": _is_pinned(message)}

    async def pin(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Pin; a Slack refusal, a missing right or a lost answer is a ToolError."""
        message = await self._message(context, arguments, pinned=False)
        with sending("pin the message", lost="the message may be pinned or not"):
            await self._api.write_once(
                "pins.add", before_sending=context.check_not_late, channel=message.channel.id, timestamp=message.ts
            )
        return {"channel": message.channel.id, "ts": message.ts}

    async def unpin(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Unpin; a Slack refusal, a missing right or a lost answer is a ToolError."""
        message = await self._message(context, arguments, pinned=True)
        with sending("unpin the message", lost="the message may be pinned or not"):
            await self._api.write_once(
                "pins.remove", before_sending=context.check_not_late, channel=message.channel.id, timestamp=message.ts
            )
        return {"channel": message.channel.id, "ts": message.ts}

    async def _message(self, context: CallContext, arguments: Mapping[str, Json], *, pinned: bool) -> FoundMessage:
        """Return the message.

        Raises:
            ToolError: it is gone, or is not pinned as it must be, or stands in an archived channel.
        """
        message = await self._messages.standing(context, arguments)
        if message.channel.archived:
            raise ToolError("is_archived", "that channel is archived")
        if _is_pinned(message) and not pinned:
            raise ToolError("already_pinned", "that message is pinned already")
        if pinned and not _is_pinned(message):
            raise ToolError("no_pin", "that message is not pinned")
        return message

    async def _require_scope(self) -> None:
        with looking("show what the app may do"):
            granted = await self._api.granted_scopes()
        if granted is not None and _SCOPE not in granted:
            raise ToolError("missing_scope", f"the app lacks the scope {_SCOPE}; an admin has to install it again")


def _is_pinned(message: FoundMessage) -> bool:
    return str(message.channel.id) in map(str, listed(message.whole, "pinned_to"))
