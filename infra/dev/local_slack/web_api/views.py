"""views.open, update and publish."""

from infra.dev.local_slack.state.errors import found, refuse_if
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method


@method("views.open", Tier.FOUR)
async def open_modal(call: Call) -> JsonObject:
    """Open a modal for the person whose interaction gave the trigger_id."""
    trigger = call.backend.tickets.use_trigger(call.required("trigger_id"))
    views = call.backend.views
    return {"view": views.as_json(views.show(trigger.user, call.object("view")))}


@method("views.update", Tier.FOUR)
async def update_view(call: Call) -> JsonObject:
    """Show other content in an open view."""
    views = call.backend.views
    view = found(views.open.get(call.required("view_id")), "not_found")
    return {"view": views.as_json(views.update(view, call.object("view"), expected_hash=call.text("hash")))}


@method("views.publish", Tier.FOUR)
async def publish_home(call: Call) -> JsonObject:
    """Show content in a person's Home tab."""
    user = call.required("user_id")
    refuse_if(user not in call.backend.team.people, "invalid_arguments", "[ERROR] invalid `user_id`")
    views = call.backend.views
    return {"view": views.as_json(views.publish(user, call.object("view"), expected_hash=call.text("hash")))}
