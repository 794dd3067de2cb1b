"""Messages, as both the app and people handle them: find channels and roots, post, change, delete, react."""

from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.block_kit.drafts import Draft, draft_of
from infra.dev.local_slack.block_kit.views import give_ids
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import found, refuse_if
from infra.dev.local_slack.state.payload import JsonObject, copied
from infra.dev.local_slack.state.team import Ephemeral


def channel_of(backend: Backend, reference: str) -> Channel:
    """Return the channel a call names, by id or name.

    Raises:
        SlackError: channel_not_found, also for private channels the app is not in.
    """
    channel = found(backend.team.channel_named(reference), "channel_not_found")
    refuse_if(channel.is_private and backend.app.bot_user_id not in channel.members, "channel_not_found")
    return channel


def writable(backend: Backend, reference: str) -> Channel:
    """Return the channel, if the app may write in it now.

    Raises:
        SlackError: channel_not_found, is_archived or not_in_channel.
    """
    person = backend.team.people.get(reference)
    if person is not None:
        refuse_if(person.deleted or person.id == backend.app.bot_user_id, "channel_not_found")
        return backend.team.open_direct_message(person.id)
    channel = channel_of(backend, reference)
    refuse_if(channel.is_archived, "is_archived")
    public = not channel.is_private and "chat:write.public" in backend.app.scopes
    refuse_if(backend.app.bot_user_id not in channel.members and not public, "not_in_channel")
    return channel


def message_of(channel: Channel, ts: str) -> Message:
    """Return the message of a timestamp.

    Raises:
        SlackError: message_not_found.
    """
    return found(channel.messages.get(ts), "message_not_found")


def check_root(channel: Channel, thread_ts: str | None) -> None:
    """Check that `thread_ts` is the root of a thread. Slack accepts a reply's ts and starts an odd thread there.

    Raises:
        SlackError: invalid_thread_ts, when there is no such message or it is a reply itself.
    """
    if thread_ts is None:
        return
    missing = f"[ERROR] there is no message {thread_ts} in {channel.id}"
    root = found(channel.messages.get(thread_ts), "invalid_thread_ts", missing)
    refuse_if(root.is_reply, "invalid_thread_ts", f"[ERROR] {thread_ts} is a reply; its root is {root.thread_ts}")


def put(backend: Backend, channel: Channel, message: Message) -> None:
    """Add a message to a channel and announce it."""
    channel.messages[message.ts] = message
    if message.thread_ts and (root := channel.messages.get(message.thread_ts)) and root.thread_ts is None:
        root.thread_ts = root.ts
    backend.announcer.posted(channel, message)


def bot_message(backend: Backend, channel: Channel, draft: Draft, thread_ts: str | None = None) -> Message:
    """Return a message of the app, not posted yet; blocks get the ids the app left out."""
    blocks = [copied(block) for block in draft.blocks or []]
    give_ids(blocks)
    return Message(
        ts=backend.clock.timestamp(),
        channel=channel.id,
        user=backend.app.bot_user_id,
        team=backend.team.id,
        text=draft.text or "",
        blocks=blocks,
        metadata=draft.metadata,
        thread_ts=thread_ts,
        bot_id=backend.app.bot_id,
        app_id=backend.app.id,
        bot_name=backend.app.name,
    )


def notice(backend: Backend, channel: Channel, user: str, subtype: str, text: str) -> Message:
    """Return the message with which Slack itself says what `user` did in a channel, not posted yet."""
    return Message(
        ts=backend.clock.timestamp(), channel=channel.id, user=user, team=backend.team.id, text=text, subtype=subtype
    )


def rewrite(backend: Backend, channel: Channel, message: Message, draft: Draft) -> None:
    """Change a message for its author and announce it; None leaves a part as it is."""
    previous = copied(message.as_json())
    if draft.metadata is not None:
        message.metadata = draft.metadata
    if draft.text is not None:
        message.text = draft.text
    if draft.blocks is not None:
        message.blocks = [copied(block) for block in draft.blocks]
        give_ids(message.blocks)
    message.edited_ts = backend.clock.timestamp()
    backend.announcer.changed(channel, message, previous)


def remove(backend: Backend, channel: Channel, message: Message) -> None:
    """Delete a message and announce it; a root with replies stays as a tombstone, as in Slack."""
    if not message.is_reply and channel.thread(message.ts):
        previous = copied(message.as_json())
        message.text, message.blocks, message.subtype = "This message was deleted.", [], "tombstone"
        backend.announcer.changed(channel, message, previous)
        return
    del channel.messages[message.ts]
    backend.announcer.deleted(channel, message)


def react(backend: Backend, channel: Channel, message: Message, *, user: str, name: str, add: bool) -> None:
    """Add or take back a reaction.

    Raises:
        SlackError: already_reacted, no_reaction or too_many_emoji.
    """
    users = message.reactions.get(name, [])
    refuse_if(add and user in users, "already_reacted")
    refuse_if(not add and user not in users, "no_reaction")
    refuse_if(add and name not in message.reactions and len(message.reactions) >= 23, "too_many_emoji")
    changed = [*users, user] if add else [member for member in users if member != user]
    if changed:
        message.reactions[name] = changed
    else:
        del message.reactions[name]
    backend.announcer.reacted(channel, message, user=user, name=name, added=add)


def respond(backend: Backend, channel: Channel, user: str, body: JsonObject, thread_ts: str | None = None) -> None:
    """Show the app's answer to what a person did: to the whole channel if its `response_type` says so.

    Raises:
        SlackError: As `draft_of` does.
    """
    draft = draft_of(body)
    if body.get("response_type") == "in_channel":
        put(backend, channel, bot_message(backend, channel, draft, thread_ts))
    else:
        show_privately(backend, channel, user, draft, thread_ts)


def show_privately(
    backend: Backend, channel: Channel, user: str, draft: Draft, thread_ts: str | None = None
) -> Ephemeral:
    """Show a message of the app to one person only."""
    ephemeral = Ephemeral(user=user, message=bot_message(backend, channel, draft, thread_ts))
    backend.team.ephemerals.append(ephemeral)
    backend.announcer.ephemeral(ephemeral)
    return ephemeral
