"""chat.postMessage, update, delete, postEphemeral and getPermalink; reactions.add."""

import re

from infra.dev.local_slack.actions import messages
from infra.dev.local_slack.actions.etiquette_checks import complaints_about_post, complaints_about_update
from infra.dev.local_slack.block_kit.drafts import MOST_UPDATED_TEXT, draft_of
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import refuse_if
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method


@method("chat.postMessage", Tier.POST, "chat:write")
async def post_message(call: Call) -> JsonObject:
    """Post as the app."""
    backend = call.backend
    channel, thread_ts = call.destination()
    draft = draft_of(call.raw)
    complaints = complaints_about_post(call.raw, draft)
    backend.complaints += [f"chat.postMessage to {channel.id}: {line}" for line in complaints]
    message = messages.bot_message(backend, channel, draft, thread_ts)
    messages.put(backend, channel, message)
    return {"channel": channel.id, "ts": message.ts, "message": channel.message_json(message)}


@method("chat.update", Tier.THREE, "chat:write")
async def update(call: Call) -> JsonObject:
    """Change a message of the app; a part that is not given stays."""
    channel, message = _own(call, refusal="cant_update_message")
    refuse_if(message.is_streaming, "streaming_state_conflict")
    window, age = call.backend.switches.edit_seconds, call.backend.clock.now() - float(message.ts)
    refuse_if(window is not None and age > window, "edit_window_closed")
    draft = draft_of(call.raw, most_text=MOST_UPDATED_TEXT)
    complaints = complaints_about_update(draft, message)
    call.backend.complaints += [f"chat.update of {message.ts}: {line}" for line in complaints]
    messages.rewrite(call.backend, channel, message, draft)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": channel.message_json(message)}


@method("chat.delete", Tier.THREE, "chat:write")
async def delete(call: Call) -> JsonObject:
    """Delete a message of the app."""
    channel, message = _own(call, refusal="cant_delete_message")
    refuse_if(message.is_streaming, "cant_delete_message")
    messages.remove(call.backend, channel, message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.postEphemeral", Tier.FOUR, "chat:write")
async def post_ephemeral(call: Call) -> JsonObject:
    """Show a message to one member of a channel."""
    backend, user = call.backend, call.required("user")
    channel, thread_ts = call.destination()
    refuse_if(user not in channel.members, "user_not_in_channel")
    shown = messages.show_privately(backend, channel, user, draft_of(call.raw), thread_ts)
    return {"message_ts": shown.message.ts}


@method("chat.getPermalink", Tier.SPECIAL)
async def get_permalink(call: Call) -> JsonObject:
    """Return the address of a message on this workspace's page."""
    channel = call.channel()
    message = call.message(channel, "message_ts")
    thread = f"?thread_ts={message.thread_ts}&cid={channel.id}" if message.is_reply else ""
    link = f"{call.backend.base_url}/archives/{channel.id}/p{message.ts.replace('.', '')}{thread}"
    return {"channel": channel.id, "permalink": link}


@method("reactions.add", Tier.THREE, "reactions:write")
async def add_reaction(call: Call) -> JsonObject:
    """React as the app."""
    name = call.required("name").strip(":")
    refuse_if(not re.fullmatch(r"[a-z0-9_+'\-]+(::skin-tone-[2-6])?", name), "invalid_name")
    channel = call.channel_joined()
    message = call.message(channel, "timestamp")
    messages.react(call.backend, channel, message, user=call.bot, name=name, add=True)
    return {}


def _own(call: Call, *, refusal: str) -> tuple[Channel, Message]:
    """Return the app's own message that a call names."""
    channel = call.channel()
    message = call.message(channel)
    refuse_if(channel.is_archived, "is_archived")
    refuse_if(message.bot_id != call.backend.app.bot_id or message.subtype == "tombstone", refusal)
    return channel, message
