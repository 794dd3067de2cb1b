"""Channels and people: conversations.*, users.list and info, usergroups.users.list."""

import re
from collections.abc import Iterable

from infra.dev.local_slack.actions import messages
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import SlackError, found, refuse_if
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.state.team import new_id
from infra.dev.local_slack.web_api.call import Call, method, require_scope

MOST_TOPIC = 250

_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
_KINDS = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}


@method("conversations.list", Tier.TWO, *_READ)
async def list_channels(call: Call) -> JsonObject:
    """Return the channels the app can see."""
    kinds = call.names("types") or ["public_channel"]
    refuse_if(not set(kinds) <= set(_KINDS), "invalid_types")
    wanted = {_KINDS[kind] for kind in kinds}
    chosen = [
        channel.as_json(for_user=call.bot)
        for channel in call.backend.team.channels.values()
        if channel.type in wanted
        and (not channel.is_private or call.bot in channel.members)
        and not (call.flag("exclude_archived") and channel.is_archived)
    ]
    return call.page(chosen, key="channels")


@method("conversations.info", Tier.THREE, *_READ)
async def channel_info(call: Call) -> JsonObject:
    """Return one channel."""
    info = call.channel().as_json(for_user=call.bot)
    if not call.flag("include_num_members"):
        info.pop("num_members", None)
    return {"channel": info}


@method("conversations.members", Tier.FOUR, *_READ)
async def members(call: Call) -> JsonObject:
    """Return the members of a channel, page by page."""
    page = call.page([{"id": member} for member in call.channel().members], key="members")
    return page | {"members": [member["id"] for member in page["members"]]}


@method("conversations.history", Tier.THREE, *_HISTORY)
async def history(call: Call) -> JsonObject:
    """Return the messages of a channel, newest first, without replies."""
    channel = _readable(call)
    chosen = [message for message in channel.messages.values() if not message.is_reply and _between(call, message)]
    return _messages_page(call, channel, reversed(chosen), most=999)


@method("conversations.replies", Tier.THREE, *_HISTORY)
async def replies(call: Call) -> JsonObject:
    """Return a thread: its root, then its replies, oldest first."""
    channel = _readable(call)
    root = found(channel.messages.get(call.required("ts")), "thread_not_found")
    thread = [] if root.is_reply else channel.thread(root.ts)
    chosen = [root, *(message for message in thread if _between(call, message))]
    return _messages_page(call, channel, chosen, most=1000)


@method("conversations.open", Tier.THREE, "im:write", "mpim:write")
async def open_direct_message(call: Call) -> JsonObject:
    """Return the direct message with one person, opened now if need be."""
    team = call.backend.team
    users = call.names("users")
    if channel_id := call.text("channel"):
        channel = messages.channel_of(call.backend, channel_id)
        return {"channel": {"id": channel.id}, "no_op": True, "already_open": True}
    if len(users) != 1:
        raise SlackError("users_list_not_supplied" if not users else "method_not_supported_for_channel_type")
    person = found(team.people.get(users[0]), "user_not_found")
    refuse_if(person.id == call.bot, "user_not_found")
    refuse_if(person.deleted, "user_disabled")
    known = team.direct_message(person.id) is not None
    channel = team.open_direct_message(person.id)
    opened = channel.as_json(for_user=team.bot_user_id) if call.flag("return_im") else {"id": channel.id}
    return {"channel": opened, "no_op": known, "already_open": known}


@method("conversations.create", Tier.TWO, "channels:manage", "groups:write")
async def create(call: Call) -> JsonObject:
    """Create a channel with the app in it."""
    backend, name, private = call.backend, call.required("name"), call.flag("is_private")
    if not re.fullmatch(r"[a-z0-9_-]{1,80}", name):
        raise SlackError("invalid_name_specials" if len(name) <= 80 else "invalid_name_maxlength")
    refuse_if(backend.team.channel_named(name), "name_taken")
    require_scope(backend.app.scopes, "groups:write" if private else "channels:manage")
    channel = Channel(
        id=new_id("C"),
        name=name,
        creator=call.bot,
        created=int(backend.clock.now()),
        members=[call.bot],
        is_private=private,
    )
    backend.team.channels[channel.id] = channel
    backend.feed.tell("channel", channel=channel.id)
    return {"channel": channel.as_json(for_user=call.bot)}


@method("conversations.invite", Tier.THREE, "channels:manage", "groups:write")
async def invite(call: Call) -> JsonObject:
    """Make people members of a channel the app is in; several at once are invited all or not at all."""
    backend = call.backend
    require_scope(backend.app.scopes, "groups:write" if call.channel().is_private else "channels:manage")
    channel = call.channel_joined()
    call.required("users")
    users = call.names("users")
    for user in users:
        refuse_if(user == call.bot, "cant_invite_self")
        refuse_if(found(backend.team.people.get(user), "user_not_found").deleted, "user_not_found")
        refuse_if(user in channel.members, "already_in_channel")
    for user in users:
        channel.members.append(user)
        backend.announcer.joined(channel, user)
        joined = messages.notice(backend, channel, user, "channel_join", f"<@{user}> has joined the channel")
        joined.inviter = call.bot
        messages.put(backend, channel, joined)
    return {"channel": channel.as_json(for_user=call.bot)}


@method("conversations.kick", Tier.THREE, "channels:manage", "groups:write")
async def kick(call: Call) -> JsonObject:
    """Remove somebody from a channel the app is in."""
    backend, channel = call.backend, call.channel()
    refuse_if(channel.is_im, "method_not_supported_for_channel_type")
    require_scope(backend.app.scopes, "groups:write" if channel.is_private else "channels:manage")
    channel = call.channel_joined()
    user = found(backend.team.people.get(call.required("user")), "user_not_found").id
    refuse_if(user == call.bot, "cant_kick_self")
    refuse_if(channel.name == "general", "cant_kick_from_general")
    refuse_if(user not in channel.members, "not_in_channel")
    channel.members.remove(user)
    backend.feed.tell("channel", channel=channel.id)
    return {}


@method("conversations.setTopic", Tier.TWO, "channels:manage", "groups:write")
async def set_topic(call: Call) -> JsonObject:
    """Set a channel's topic, and say so in it."""
    backend, channel, topic = call.backend, call.channel(), call.text("topic") or ""
    refuse_if(channel.is_im, "method_not_supported_for_channel_type")
    require_scope(backend.app.scopes, "groups:write" if channel.is_private else "channels:manage")
    channel = call.channel_joined()
    refuse_if(len(topic) > MOST_TOPIC, "too_long")
    channel.topic = topic.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    backend.feed.tell("channel", channel=channel.id)
    said = f"set the channel topic: {channel.topic}" if topic else "cleared channel topic"
    told = messages.notice(backend, channel, call.bot, "channel_topic", said)
    told.topic = channel.topic
    messages.put(backend, channel, told)
    return {"channel": channel.as_json(for_user=call.bot)}


@method("conversations.archive", Tier.TWO, "channels:manage", "groups:write")
async def archive(call: Call) -> JsonObject:
    """Archive a channel the app is in."""
    backend, channel = call.backend, call.channel()
    refuse_if(channel.is_im, "method_not_supported_for_channel_type")
    require_scope(backend.app.scopes, "groups:write" if channel.is_private else "channels:manage")
    refuse_if(channel.is_archived, "already_archived")
    refuse_if(call.bot not in channel.members, "not_in_channel")
    refuse_if(channel.name == "general", "cant_archive_general")
    channel.is_archived = True
    backend.feed.tell("channel", channel=channel.id)
    return {}


@method("users.list", Tier.TWO, "users:read")
async def list_people(call: Call) -> JsonObject:
    """Return everybody, page by page."""
    people = [person.as_json() for person in call.backend.team.people.values()]
    return call.page(people, key="members") | {"cache_ts": int(call.backend.clock.now())}


@method("users.info", Tier.FOUR, "users:read")
async def person_info(call: Call) -> JsonObject:
    """Return one person."""
    person = found(call.backend.team.people.get(call.required("user")), "user_not_found")
    return {"user": person.as_json()}


@method("usergroups.users.list", Tier.TWO, "usergroups:read")
async def usergroup_members(call: Call) -> JsonObject:
    """Return the members of a user group."""
    group = found(call.backend.team.usergroups.get(call.required("usergroup")), "no_such_subteam")
    people = call.backend.team.people
    return {"users": [user for user in group.users if user in people and not people[user].deleted]}


def _readable(call: Call) -> Channel:
    channel = call.channel()
    refuse_if(call.bot not in channel.members, "not_in_channel")
    require_scope(call.backend.app.scopes, channel.history_scope)
    return channel


def _messages_page(call: Call, channel: Channel, chosen: Iterable[Message], *, most: int) -> JsonObject:
    page = call.page([channel.message_json(message) for message in chosen], key="messages", most=most)
    return page | {"has_more": bool(page["response_metadata"]["next_cursor"])}


def _between(call: Call, message: Message) -> bool:
    """Return whether `oldest` and `latest` let the message through."""
    oldest, latest = call.text("oldest"), call.text("latest")
    inclusive = call.flag("inclusive")
    try:
        low, high = float(oldest or 0), float(latest) if latest else float("inf")
    except ValueError:
        raise SlackError("invalid_ts_oldest" if oldest else "invalid_ts_latest") from None
    ts = float(message.ts)
    return low < ts < high or (inclusive and message.ts in (oldest, latest))
