"""reactions.add, remove and get."""

from __future__ import annotations

import re

from infra.dev.local_slack.actions import conversing
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import SlackError
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method


@method("reactions.add", Tier.THREE, "reactions:write")
async def add(call: Call) -> JsonObject:
    """React as the app."""
    _react(call, add=True)
    return {}


@method("reactions.remove", Tier.TWO, "reactions:write")
async def remove(call: Call) -> JsonObject:
    """Take a reaction of the app back."""
    _react(call, add=False)
    return {}


@method("reactions.get", Tier.THREE, "reactions:read")
async def get(call: Call) -> JsonObject:
    """A message with its reactions."""
    channel, message = _target(call)
    return {"type": "message", "channel": channel.id, "message": channel.told(message)}


def _react(call: Call, *, add: bool) -> None:
    name = call.required("name").strip(":")
    if not re.fullmatch(r"[a-z0-9_+'\-]+(::skin-tone-[2-6])?", name):
        raise SlackError("invalid_name")
    channel, message = _target(call)
    bot = call.backend.app.bot_user_id
    if bot not in channel.members:
        raise SlackError("not_in_channel")
    if channel.is_archived:
        raise SlackError("is_archived")
    conversing.react(call.backend, channel, message, user=bot, name=name, add=add)


def _target(call: Call) -> tuple[Channel, Message]:
    channel = conversing.channel_of(call.backend, call.required("channel"))
    return channel, conversing.message_of(channel, call.required("timestamp"))
