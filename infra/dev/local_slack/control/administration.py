"""The control API's part for whoever runs the workspace: people, channels and who is in them."""

from __future__ import annotations

from infra.dev.local_slack.control.control import Control, action, required
from infra.dev.local_slack.state.channels import Channel
from infra.dev.local_slack.state.errors import ControlError
from infra.dev.local_slack.state.payload import JsonObject, is_list, text_in
from infra.dev.local_slack.state.people import Kind, Person
from infra.dev.local_slack.state.team import new_id


@action("members")
async def invite(control: Control, body: JsonObject) -> JsonObject:
    """Make somebody (member, also the app) join a channel, or leave it with remove: channel, member."""
    team = control.backend.team
    channel = team.channel_named(required(body, "channel"))
    member = team.person_named(required(body, "member"))
    if channel is None or member is None:
        raise ControlError("not_found", "There is no such channel or person.")
    if body.get("remove"):
        channel.members = [user for user in channel.members if user != member.id]
        control.backend.feed.tell("channel", channel=channel.id)
    elif member.id not in channel.members:
        channel.members.append(member.id)
        control.backend.announcer.joined(channel, member.id)
    return {"members": channel.members}


@action("people")
async def add_person(control: Control, body: JsonObject) -> JsonObject:
    """A new person: name, kind (member, guest, stranger), team_id; or change one: id, deleted."""
    team = control.backend.team
    known = team.people.get(str(body.get("id")))
    if known is None:
        name = required(body, "name")
        known = Person(
            id=str(body.get("id") or new_id("U")),
            name=name,
            real_name=str(body.get("real_name") or name),
            team_id=str(body.get("team_id") or team.id),
            kind=Kind(str(body.get("kind") or "member")),
            email=text_in(body, "email"),
        )
        team.people[known.id] = known
    known.deleted = bool(body.get("deleted", known.deleted))
    control.backend.feed.tell("people")
    return {"user": known.as_json()}


@action("channels")
async def add_channel(control: Control, body: JsonObject) -> JsonObject:
    """A new channel: name, members, is_private; or archive one: channel, is_archived."""
    team = control.backend.team
    channel = team.channel_named(str(body.get("channel") or body.get("name")))
    if channel is None:
        members = body.get("members")
        channel = Channel(
            id=new_id("C"),
            name=required(body, "name"),
            creator=team.bot_user_id,
            created=int(control.backend.clock.now()),
            members=[person.id for name in members if (person := team.person_named(str(name)))]
            if is_list(members)
            else [],
            is_private=bool(body.get("is_private")),
            is_ext_shared=bool(body.get("is_ext_shared")),
        )
        team.channels[channel.id] = channel
    channel.is_archived = bool(body.get("is_archived", channel.is_archived))
    control.backend.feed.tell("channel", channel=channel.id)
    return {"channel": channel.as_json(for_user=team.bot_user_id)}
