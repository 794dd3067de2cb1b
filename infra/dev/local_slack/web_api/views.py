"""views.open, push, update and publish."""

from __future__ import annotations

from infra.dev.local_slack.state.errors import SlackError
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method


@method("views.open", Tier.FOUR)
async def open_(call: Call) -> JsonObject:
    """Open a modal for the person whose interaction gave the trigger_id."""
    trigger = call.backend.tickets.use_trigger(call.required("trigger_id"))
    views = call.backend.views
    return {"view": views.told(views.push(trigger.user, call.object("view"), on_top=False))}


@method("views.push", Tier.FOUR)
async def push(call: Call) -> JsonObject:
    """Put a modal on top of the one in which the person did something."""
    trigger = call.backend.tickets.use_trigger(call.required("trigger_id"))
    if trigger.in_view is None or trigger.in_view not in call.backend.views.open:
        raise SlackError("invalid_trigger_id", "[ERROR] a push needs a trigger_id from an open modal")
    views = call.backend.views
    return {"view": views.told(views.push(trigger.user, call.object("view"), on_top=True))}


@method("views.update", Tier.FOUR)
async def update(call: Call) -> JsonObject:
    """Show other content in an open view."""
    views = call.backend.views
    if not call.text("view_id") and not call.text("external_id"):
        raise SlackError("invalid_arguments", "[ERROR] missing required field: view_id")
    view = views.find(view_id=call.text("view_id"), external_id=call.text("external_id"))
    return {"view": views.told(views.update(view, call.object("view"), expected_hash=call.text("hash")))}


@method("views.publish", Tier.FOUR)
async def publish(call: Call) -> JsonObject:
    """Show content in a person's Home tab."""
    user = call.required("user_id")
    if user not in call.backend.team.people:
        raise SlackError("invalid_arguments", "[ERROR] invalid `user_id`")
    views = call.backend.views
    return {"view": views.told(views.publish(user, call.object("view"), expected_hash=call.text("hash")))}
