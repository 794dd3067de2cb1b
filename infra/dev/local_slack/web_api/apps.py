"""The app itself: auth.test, apps.connections.open, the agent sessions, and the views that it opens."""

from infra.dev.local_slack.actions.sessions import SESSION_STATUSES, set_session
from infra.dev.local_slack.state.errors import SlackError, found, refuse_if
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method


@method("auth.test", Tier.SPECIAL)
async def auth_test(call: Call) -> JsonObject:
    """Return the token's app and team."""
    app, team = call.backend.app, call.backend.team
    return {
        "url": f"{call.backend.base_url}/",
        "team": team.name,
        "user": app.name.casefold(),
        "team_id": team.id,
        "user_id": app.bot_user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": False,
    }


@method("apps.connections.open", Tier.CONNECT, "connections:write", app_level=True)
async def connections_open(call: Call) -> JsonObject:
    """Return an address for one websocket."""
    secret = call.backend.sockets.ticket()
    address = call.backend.base_url.replace("http://", "ws://", 1)
    return {"url": f"{address}/link?ticket={secret}&app_id={call.backend.app.id}"}


@method("agents.sessions.setStatus", Tier.THREE, "chat:write")
async def set_status(call: Call) -> JsonObject:
    """Set what an agent is doing in a thread; while processing, people get a Stop button."""
    backend = call.backend
    refuse_if(not backend.switches.agent_sessions, "unknown_method", req_method=call.method)
    status, thread_ts = call.required("status"), call.required("thread_ts")
    if status not in SESSION_STATUSES:
        raise SlackError("invalid_arguments", "[ERROR] must be a valid enum value [json-pointer:/status]")
    channel, _ = call.destination("channel_id")
    session = set_session(backend, channel, thread_ts, status, title=(call.text("title") or "")[:200])
    answer: JsonObject = {"status": status, "title": session.title}
    if status == "processing" and "agent_session_stopped" not in backend.app.bot_events:
        answer["warning"] = "missing_agent_session_stopped_event_subscription"
    return answer


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
