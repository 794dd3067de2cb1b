"""The red `slack_remove_from_channel`: takes invitations of this app back, and removes nobody else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.ids import ToolName, UserId, thread_parts
from agent.plan.effects import Inverse, InverseCall, NoInverse
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.preview import Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, TooLate, ToolError, Undoing
from bot.slack.channels import Channels
from bot.slack.client import WebApi
from bot.slack.membership import Channel, Principals
from bot.tools.invite_to_channel import ARGUMENTS, membership_preview, people_in, shown_name
from bot.tools.refusals import looking, sending
from sandbox.script import Json

_MOST_READ = 5000
"""Messages of the channel, the newest ones, among which the invitations are looked for."""

_JOINED = frozenset({"channel_join", "group_join"})


def slack_remove_from_channel(api: WebApi, principals: Principals, channels: Channels) -> Tool:
    """Return the tool."""
    remover = _Remover(api, principals, channels)
    return Tool(
        name=ToolName("slack_remove_from_channel"),
        description="Remove people from a Slack channel whom this app invited to it. Returns channel (its id), removed "
        "(ids) and not_removed [{user, error}].",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_inverse),
        preview=_preview,
        call=remover.call,
        check=remover.check,
        precondition=remover.state,
        targets=("channel", "users"),
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    return membership_preview(arguments, "Remove from a channel")


def _inverse(_context: CallContext, _arguments: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    """Return the call that invites them again."""
    if not isinstance(output, Mapping):
        return None
    if not output.get("removed"):
        return NoInverse.NO_EFFECT
    args: dict[str, Json] = {"channel": str(output["channel"]), "users": output["removed"]}
    return InverseCall(tool=ToolName("slack_invite_to_channel"), args=args)


@dataclass(frozen=True, kw_only=True)
class _Removal:
    """Whom to remove where, as it stands now."""

    channel: Channel
    users: Sequence[UserId]


class _Remover:
    def __init__(self, api: WebApi, principals: Principals, channels: Channels) -> None:
        self._api = api
        self._principals = principals
        self._channels = channels

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse people whom the app did not invite, or who are all gone, and a channel that the author is not in."""
        await self._removal(context, arguments)

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know: which channel, and who of them are there."""
        removal = await self._removal(context, arguments)
        tenant = thread_parts(context.thread).tenant
        with looking("show who they are"):
            people = [await self._principals.person(tenant, user) for user in removal.users]
        return {"channel": f"#{removal.channel.name}", "there": [shown_name(person) for person in people]}

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Remove one by one, as Slack does it; one whom Slack keeps there does not keep the others."""
        removal = await self._removal(context, arguments)
        channel = removal.channel.id
        removed: list[Json] = []
        kept: list[Json] = []
        for user in removal.users:
            try:
                with sending("remove them", lost="not all of them may be removed"):
                    await self._api.write_once(
                        "conversations.kick", before_sending=context.check_not_late, channel=channel, user=user
                    )
                removed.append(user)
            except TooLate as error:
                if not removed:
                    raise
                raise ToolError(OUTCOME_UNKNOWN, "some were removed; not all of them were tried") from error
            except ToolError as error:
                if error.code == OUTCOME_UNKNOWN or len(removal.users) == 1:
                    raise
                kept.append({"user": user, "error": error.code})
        return {"channel": channel, "removed": removed, "not_removed": kept}

    async def _removal(self, context: CallContext, arguments: Mapping[str, Json]) -> _Removal:
        """Return whom to remove.

        Raises:
            ToolError: nobody of them is there, the app did not invite one, or the author has no right in the channel.
        """
        wanted = people_in(arguments)
        with looking("show the channel"):
            channel = await self._channels.changeable(str(arguments["channel"]), context)
            there = {member async for member in self._principals.members(channel.id)}
            users = [user for user in wanted if user in there]
            invited = await self._invited(channel, users)
        if not users:
            raise ToolError("user_not_in_channel", "none of them is in that channel")
        if others := sorted(set(users) - invited):
            raise ToolError("not_invited", f"the app did not invite them, so it removes nobody: {', '.join(others)}")
        return _Removal(channel=channel, users=users)

    async def _invited(self, channel: Channel, users: Sequence[UserId]) -> set[UserId]:
        """Return those who came last by an invitation of the app, as the channel's newest messages tell."""
        us = (await self._principals.identity()).user
        unseen, invited, read = set(users), set[UserId](), 0
        if not unseen:
            return invited
        async for message in self._api.objects("conversations.history", "messages", channel=channel.id):
            read += 1
            user = UserId(str(message.get("user")))
            if message.get("subtype") in _JOINED and user in unseen:
                unseen.remove(user)
                if message.get("inviter") == us:
                    invited.add(user)
            if not unseen or read >= _MOST_READ:
                break
        return invited
