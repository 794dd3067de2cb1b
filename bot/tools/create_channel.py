"""The red `slack_create_channel`: a new channel with the person who asked for it in it."""

from collections.abc import Mapping, Sequence

from agent.ids import ChannelId, ToolName, thread_parts
from agent.plan.effects import Inverse, InverseCall
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.preview import FieldsPreview, Preview, cell_text
from agent.tool import CallContext, Colour, Reversibility, Tool, TooLate, ToolError, Undoing
from bot.errors import BotError, SlackRefused, SlackUnreachable
from bot.payloads import mapping
from bot.slack.client import WebApi
from bot.slack.membership import FRESH, Principals
from sandbox.script import Json

MOST_INVITED = 30

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "name": {
            "type": "string",
            "pattern": "^[a-z0-9_-]{1,80}$",
            "description": "Small letters, digits, - and _; without the #.",
        },
        "private": {"type": "boolean", "default": False},
        "invite": {
            "type": "array",
            "items": {"type": "string", "pattern": "^[UW][A-Z0-9]+$"},
            "maxItems": MOST_INVITED,
            "description": "Ids of people to invite (slack_find_users gives them); who asks is always invited.",
        },
    },
    "required": ["name"],
    "additionalProperties": False,
}


def slack_create_channel(api: WebApi, principals: Principals) -> Tool:
    """Return the tool."""
    creator = _Creator(api, principals)
    return Tool(
        name=ToolName("slack_create_channel"),
        description="Create a Slack channel and invite people. Returns channel (its id), name, invited and "
        "not_invited [{user, error}].",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_inverse),
        preview=_preview,
        call=creator.call,
        check=creator.check,
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    fields = [("Name", str(arguments["name"])), ("Private", cell_text(arguments.get("private", False)))]
    wanted = arguments.get("invite")
    fields += [("Invites", str(user)) for user in (wanted if isinstance(wanted, list | tuple) else ())]
    return [FieldsPreview(covers=tuple(arguments), name="New channel", fields=tuple(fields))]


def _inverse(_context: CallContext, _arguments: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    """Return the call that archives the channel: no app deletes one."""
    channel = output.get("channel") if isinstance(output, Mapping) else None
    return InverseCall(tool=ToolName("slack_archive_channel"), args={"channel": str(channel)}) if channel else None


class _Creator:
    def __init__(self, api: WebApi, principals: Principals) -> None:
        self._api = api
        self._principals = principals

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse people who may not have channels created, and a name that a channel has already."""
        if not await self._is_member(context):
            raise _not_allowed()
        name = str(arguments["name"])
        if await self._principals.channel_named(name) is not None:
            raise ToolError("name_taken", f"there is a channel #{name} already")

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Create the channel, then invite one by one: a refused invitation does not undo the channel."""
        try:
            allowed = await self._is_member(context)
        except BotError as error:
            raise ToolError("slack_unreachable", "Slack did not say who asks; nothing was created") from error
        if not allowed:
            raise _not_allowed()
        name = str(arguments["name"])
        channel = await self._create(name, context, private=arguments.get("private") is True)
        others = arguments.get("invite")
        wanted = [str(user) for user in others] if isinstance(others, Sequence) else []
        invited: list[Json] = []
        refused: list[Json] = []
        for user in dict.fromkeys([str(context.author), *wanted]):
            try:
                await self._api.write_once(
                    "conversations.invite", before_sending=context.check_not_late, channel=channel, users=user
                )
                invited.append(user)
            except TooLate as error:
                raise ToolError(OUTCOME_UNKNOWN, "the channel was created; not everybody was invited") from error
            except BotError as error:
                refused.append({"user": user, "error": error.code if isinstance(error, SlackRefused) else "unknown"})
        return {"channel": channel, "name": name, "invited": invited, "not_invited": refused}

    async def _is_member(self, context: CallContext) -> bool:
        tenant = thread_parts(context.thread).tenant
        return (await self._principals.person(tenant, context.author, max_age_seconds=FRESH)).is_member

    async def _create(self, name: str, context: CallContext, *, private: bool) -> ChannelId:
        try:
            answer = await self._api.write_once(
                "conversations.create", before_sending=context.check_not_late, name=name, is_private=private
            )
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to create the channel: {error.code}") from error
        except SlackUnreachable as error:
            raise ToolError(OUTCOME_UNKNOWN, "Slack's answer was lost; the channel may exist or not") from error
        channel = mapping(answer.get("channel")).get("id")
        if not isinstance(channel, str) or not channel:
            raise ToolError(OUTCOME_UNKNOWN, "Slack's answer names no channel; it may exist or not")
        return ChannelId(channel)


def _not_allowed() -> ToolError:
    return ToolError("not_allowed", "only full members of the workspace may have channels created")
