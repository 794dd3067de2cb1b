"""The red `slack_invite_to_channel`: people who are in no channel yet become its members, all of them or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.ids import ToolName, UserId, thread_parts
from agent.plan.effects import Inverse, InverseCall, NoInverse
from agent.preview import FieldsPreview, Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing
from bot.elements import shortened
from bot.slack.channels import Channels
from bot.slack.client import WebApi
from bot.slack.membership import FRESH, Channel, MembershipStatus, Person, Principals
from bot.tools.refusals import looking, sending
from sandbox.script import Json

MOST_PEOPLE = 30
_NAME_CHARACTERS = 40

PEOPLE: Mapping[str, Json] = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[UW][A-Z0-9]{2,20}$"},
    "minItems": 1,
    "maxItems": MOST_PEOPLE,
    "uniqueItems": True,
    "description": "Ids of people (slack_find_users gives them).",
}

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "channel": {"type": "string", "minLength": 1, "description": "#name or id of the channel"},
        "users": PEOPLE,
    },
    "required": ["channel", "users"],
    "additionalProperties": False,
}

_NOBODY_TO_INVITE = (MembershipStatus.GONE, MembershipStatus.BOT, MembershipStatus.OUTSIDER)


def slack_invite_to_channel(api: WebApi, principals: Principals, channels: Channels) -> Tool:
    """Return the tool."""
    inviter = _Inviter(api, principals, channels)
    return Tool(
        name=ToolName("slack_invite_to_channel"),
        description="Invite people of this workspace to a Slack channel that this app is in, all of them or none. "
        "Returns channel (its id), invited and already_there (ids).",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_inverse),
        preview=_preview,
        call=inviter.call,
        check=inviter.check,
        precondition=inviter.state,
        targets=("channel", "users"),
    )


def people_in(arguments: Mapping[str, Json]) -> Sequence[UserId]:
    """Return the people whom the argument `users` names."""
    users = arguments.get("users")
    return [UserId(str(user)) for user in users] if isinstance(users, list | tuple) else []


def shown_name(person: Person) -> str:
    """Return a person's name as it stands in a state, in which all fit."""
    return shortened(person.name, _NAME_CHARACTERS) or str(person.id)


def membership_preview(arguments: Mapping[str, Json], name: str) -> Sequence[Preview]:
    """Return how a channel and people look on a card."""
    fields = [("Channel", str(arguments["channel"])), *(("Person", user) for user in people_in(arguments))]
    return [FieldsPreview(covers=("channel", "users"), name=name, fields=tuple(fields))]


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    return membership_preview(arguments, "Invite to a channel")


def _inverse(_context: CallContext, _arguments: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    """Return the call that removes those who were not members before."""
    if not isinstance(output, Mapping):
        return None
    if not output.get("invited"):
        return NoInverse.NO_EFFECT
    args: dict[str, Json] = {"channel": str(output["channel"]), "users": output["invited"]}
    return InverseCall(tool=ToolName("slack_remove_from_channel"), args=args)


@dataclass(frozen=True, kw_only=True)
class _Invitation:
    """Whom to invite where, as it stands now."""

    channel: Channel
    new: Sequence[Person]
    already_there: Sequence[UserId]


class _Inviter:
    def __init__(self, api: WebApi, principals: Principals, channels: Channels) -> None:
        self._api = api
        self._principals = principals
        self._channels = channels

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse people who are not of this workspace or are all there, and a channel that cannot get members."""
        if not (await self._invitation(context, arguments)).new:
            raise ToolError("already_in_channel", "all of them are in that channel already")

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know: which channel, who would be new there, and who of them are guests."""
        invitation = await self._invitation(context, arguments)
        return {
            "channel": f"#{invitation.channel.name}",
            "public": invitation.channel.public,
            "new": [shown_name(person) for person in invitation.new],
            "guests": [shown_name(person) for person in invitation.new if not person.is_member],
        }

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Invite; a Slack refusal, a missing right or a lost answer is a ToolError."""
        invitation = await self._invitation(context, arguments)
        channel, new = invitation.channel.id, [str(person.id) for person in invitation.new]
        if new:
            with sending("invite them", lost="they may be in the channel or not"):
                await self._api.write_once(
                    "conversations.invite", before_sending=context.check_not_late, channel=channel, users=",".join(new)
                )
        return {"channel": channel, "invited": new, "already_there": list(invitation.already_there)}

    async def _invitation(self, context: CallContext, arguments: Mapping[str, Json]) -> _Invitation:
        """Return whom to invite.

        Raises:
            ToolError: the channel cannot get members from the author, or somebody is not of this workspace.
        """
        tenant, wanted = thread_parts(context.thread).tenant, people_in(arguments)
        with looking("show the channel"):
            channel = await self._channels.changeable(str(arguments["channel"]), context)
            there = {member async for member in self._principals.members(channel.id)}
            people = [await self._principals.person(tenant, user, max_age_seconds=FRESH) for user in wanted]
        unknown = sorted(person.id for person in people if person.status in _NOBODY_TO_INVITE)
        if unknown:
            raise ToolError("user_not_found", f"not people of this workspace: {', '.join(unknown)}")
        return _Invitation(
            channel=channel,
            new=[person for person in people if person.id not in there],
            already_there=[user for user in wanted if user in there],
        )
