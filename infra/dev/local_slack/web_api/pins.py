"""pins.add, pins.remove and pins.list."""

from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import refuse_if
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method

MOST_PINS = 100

_NOT_PINNABLE = frozenset({"channel_join", "channel_topic", "tombstone"})


@method("pins.add", Tier.TWO, "pins:write")
async def pin(call: Call) -> JsonObject:
    """Pin a message as the app."""
    channel, message = _pinned(call)
    refuse_if(message.subtype in _NOT_PINNABLE or message.is_streaming, "not_pinnable")
    refuse_if(message.pinned_by, "already_pinned")
    pins = sum(bool(other.pinned_by) for other in channel.messages.values())
    refuse_if(pins >= MOST_PINS, "too_many_pins")
    message.pinned_by, message.pinned_at = call.bot, int(call.backend.clock.now())
    call.backend.announcer.redrawn(channel, message)
    return {}


@method("pins.remove", Tier.TWO, "pins:write")
async def unpin(call: Call) -> JsonObject:
    """Take a pin back, whoever pinned."""
    channel, message = _pinned(call)
    refuse_if(not message.pinned_by, "no_pin")
    message.pinned_by = None
    call.backend.announcer.redrawn(channel, message)
    return {}


@method("pins.list", Tier.TWO, "pins:read")
async def pins(call: Call) -> JsonObject:
    """Return what is pinned, the newest pin first."""
    channel = call.channel()
    refuse_if(call.bot not in channel.members, "not_in_channel")
    pinned = sorted(
        (message for message in channel.messages.values() if message.pinned_by), key=lambda one: one.pinned_at
    )
    return {
        "items": [
            {
                "type": "message",
                "channel": channel.id,
                "created": message.pinned_at,
                "created_by": message.pinned_by,
                "message": message.as_json(),
            }
            for message in reversed(pinned)
        ]
    }


def _pinned(call: Call) -> tuple[Channel, Message]:
    refuse_if(call.text("timestamp") is None, "no_item_specified")
    channel = call.channel_joined()
    return channel, call.message(channel, "timestamp")
