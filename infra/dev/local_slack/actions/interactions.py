"""A person's interactions with the app: clicks, menus, slash commands, shortcuts.

Each becomes the payload Slack would send, and waits for the app's acknowledgement. An interaction that a Slack client
would not offer (a button that is gone, a command in a thread) is refused here and never reaches the app.
"""

from infra.dev.local_slack.actions import messages
from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.actions.message_input import command_text
from infra.dev.local_slack.block_kit.block_kit import interactive
from infra.dev.local_slack.block_kit.views import OpenView, initial_values
from infra.dev.local_slack.delivery.sockets import Ack, NoAck
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import ControlError, SlackError
from infra.dev.local_slack.state.payload import JsonObject, object_in, objects_in
from infra.dev.local_slack.state.people import Person


def person_acting(backend: Backend, reference: str) -> Person:
    """Return the person of an id or name.

    Raises:
        ControlError: There is nobody of that name, or it is the app.
    """
    person = backend.team.person_named(reference)
    if person is None or person.id == backend.app.bot_user_id or person.deleted:
        raise ControlError("user_not_found", f"There is nobody called {reference} here.")
    return person


def channel_seen(backend: Backend, person: Person, reference: str) -> Channel:
    """Return the channel of an id or name, if the person is in it.

    Raises:
        ControlError: There is no such channel, or the person is not a member.
    """
    channel = backend.team.channel_named(reference)
    if channel is None and reference.startswith("@"):
        channel = backend.team.open_direct_message(person.id)
    if channel is None:
        raise ControlError("channel_not_found", f"There is no channel {reference}.")
    if person.id not in channel.members:
        raise ControlError("not_in_channel", f"{person.name} is not a member of #{channel.name}.")
    return channel


async def click(
    backend: Backend,
    person: Person,
    channel: Channel,
    ts: str,
    action_id: str,
    block_id: str | None = None,
    value: str | None = None,
    chosen: JsonObject | None = None,
) -> JsonObject:
    """Use an element of a message as it stands now; return whether the app acknowledged in time.

    `value` picks one of several buttons with the same action_id; `chosen` is what a menu's state becomes.

    Raises:
        ControlError: The message or the element is not there (any more).
    """
    message, ephemeral = _message_seen(backend, person, channel, ts)
    block, element = _element(message.blocks, action_id, block_id, value)
    action = _action(backend, block, element, chosen)
    backend.feed.tell("clicked", user=person.id, channel=channel.id, ts=ts, action_id=action_id)
    if element.get("url") and not backend.app.interactive:
        # A button that only opens an address needs no app behind it.
        return {"acknowledged": True}
    container: JsonObject = {"type": "message", "message_ts": ts, "channel_id": channel.id, "is_ephemeral": ephemeral}
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    payload = payload_of(backend, "block_actions", person) | {
        "container": container,
        "trigger_id": backend.tickets.new_trigger(person.id),
        "channel": {"id": channel.id, "name": _channel_name(channel)},
        "state": {"values": _message_state(message.blocks, action, chosen)},
        "response_url": _response_url(backend, person, channel, message_ts=ts, ephemeral=ephemeral),
        "actions": [action],
    }
    if not ephemeral:
        payload["message"] = channel.message_json(message)
    return await _interact(backend, payload, person, channel)


async def act_in_view(
    backend: Backend, person: Person, view: OpenView, action_id: str, chosen: JsonObject | None = None
) -> JsonObject:
    """Use an element of an open view that reports at once (a button, or dispatch_action)."""
    block, element = _element(objects_in(view.content, "blocks"), action_id, None, None)
    if element.get("type") not in ("button", "overflow"):
        view.values[str(block["block_id"])][action_id] |= chosen or {}
    action = _action(backend, block, element, chosen)
    payload = payload_of(backend, "block_actions", person) | {
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": backend.tickets.new_trigger(person.id),
        "view": backend.views.as_json(view),
        "actions": [action],
    }
    return await _interact(backend, payload, person, None)


async def command(
    backend: Backend, person: Person, channel: Channel, command: str, text: str = "", thread_ts: str | None = None
) -> JsonObject:
    """Invoke a slash command in a channel; return whether the app acknowledged in time.

    Raises:
        ControlError: Inside a thread, or the app has no such command.
    """
    if thread_ts is not None:
        raise ControlError(
            "command_in_thread",
            f"{command} is not supported in threads. Sorry! "
            "Write it in the channel, or write to the app in words here.",
        )
    known = next((known for known in backend.app.commands if known.name == command), None)
    if known is None or "commands" not in backend.app.scopes:
        raise ControlError("unknown_command", f"{command} is not a valid command.")
    if known.should_escape:
        text = command_text(backend.team, text)
    backend.feed.tell("commanded", user=person.id, channel=channel.id, command=command, text=text)
    payload: JsonObject = {
        "token": "local-verification-token",
        "team_id": person.team_id,
        "team_domain": backend.team.domain,
        "channel_id": channel.id,
        "channel_name": _channel_name(channel),
        "user_id": person.id,
        "user_name": person.name.casefold(),
        "command": command,
        "text": text,
        "api_app_id": backend.app.id,
        "is_enterprise_install": "false",
        "response_url": _response_url(backend, person, channel),
        "trigger_id": backend.tickets.new_trigger(person.id),
    }
    answer = await backend.deliveries.interact("slash_commands", payload, accepts_response=True)
    if isinstance(answer, NoAck):
        _note(backend, channel, person, f"{command} failed with the error “operation_timeout”")
    elif answer.payload:
        _answer_in_channel(backend, person, channel, answer.payload)
    return {"acknowledged": isinstance(answer, Ack)}


async def shortcut(
    backend: Backend, person: Person, callback_id: str, channel: Channel | None = None, ts: str | None = None
) -> JsonObject:
    """Use a shortcut, on a message when `channel` and `ts` name one.

    Raises:
        ControlError: The app has no such shortcut, or the message is gone or has none.
    """
    kind = "message" if ts else "global"
    if not any(known.callback_id == callback_id and known.type == kind for known in backend.app.shortcuts):
        raise ControlError("unknown_shortcut", f"The app has no {kind} shortcut {callback_id}.")
    payload = payload_of(backend, "message_action" if ts else "shortcut", person) | {
        "callback_id": callback_id,
        "trigger_id": backend.tickets.new_trigger(person.id),
        "action_ts": backend.clock.timestamp(),
    }
    if channel is not None and ts is not None:
        message, ephemeral = _message_seen(backend, person, channel, ts)
        if ephemeral:
            raise ControlError("no_shortcut_here", "A message that only you see has no shortcuts.")
        payload |= {
            "channel": {"id": channel.id, "name": _channel_name(channel)},
            "message_ts": ts,
            "message": channel.message_json(message),
            "response_url": _response_url(backend, person, channel, message_ts=ts),
        }
    return await _interact(backend, payload, person, channel)


def payload_of(backend: Backend, type: str, person: Person) -> JsonObject:
    """Return the start of every interactive payload; its team is the acting person's, not the channel's."""
    name = person.name.casefold()
    return {
        "type": type,
        "user": {"id": person.id, "username": name, "name": name, "team_id": person.team_id},
        "api_app_id": backend.app.id,
        "token": "local-verification-token",
        "team": {"id": person.team_id, "domain": backend.team.domain},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def _channel_name(channel: Channel) -> str:
    return "directmessage" if channel.is_im else channel.name


def _response_url(
    backend: Backend, person: Person, channel: Channel, *, message_ts: str | None = None, ephemeral: bool = False
) -> str:
    secret = backend.tickets.new_response_url(person.id, channel.id, message_ts=message_ts, ephemeral=ephemeral)
    return f"{backend.base_url}/response/{secret}"


async def _interact(backend: Backend, payload: JsonObject, person: Person, channel: Channel | None) -> JsonObject:
    if not backend.app.interactive:
        raise ControlError("not_interactive", "The app's manifest does not switch interactivity on.")
    answer = await backend.deliveries.interact("interactive", payload)
    if isinstance(answer, NoAck) and channel is not None:
        _note(backend, channel, person, "This app did not respond in time. Try again.")
    return {"acknowledged": isinstance(answer, Ack)}


def _note(backend: Backend, channel: Channel, person: Person, text: str) -> None:
    """Show a person a remark of the client, which is no message of the app."""
    backend.feed.tell("notice", user=person.id, channel=channel.id, text=text)


def _answer_in_channel(backend: Backend, person: Person, channel: Channel, answer: JsonObject) -> None:
    """Show the answer that came with the app's acknowledgement of a command."""
    try:
        messages.respond(backend, channel, person.id, answer)
    except SlackError as refusal:
        backend.complaints.append(f"the answer to a command was refused: {refusal}")
        _note(backend, channel, person, f"The command failed with the error “{refusal.error}”")


def _message_seen(backend: Backend, person: Person, channel: Channel, ts: str) -> tuple[Message, bool]:
    """Return the message of a ts as this person sees it, and whether it is ephemeral."""
    if message := channel.messages.get(ts):
        return message, False
    for ephemeral in backend.team.ephemerals:
        if ephemeral.message.ts == ts and ephemeral.user == person.id and ephemeral.message.channel == channel.id:
            return ephemeral.message, True
    raise ControlError("message_not_found", "This message is not there any more.")


def _element(
    blocks: list[JsonObject], action_id: str, block_id: str | None, value: str | None
) -> tuple[JsonObject, JsonObject]:
    """Return the block and the element an action names."""
    found = [
        (block, element)
        for block in blocks
        for element in interactive(block)
        if element.get("action_id") == action_id
        and (block_id is None or block.get("block_id") == block_id)
        and (value is None or element.get("value") == value)
    ]
    if not found:
        raise ControlError("action_not_found", f"There is no {action_id} here (any more).")
    if len(found) > 1:
        raise ControlError("action_ambiguous", f"{len(found)} elements are called {action_id}; name block_id or value.")
    return found[0]


def _action(backend: Backend, block: JsonObject, element: JsonObject, chosen: JsonObject | None) -> JsonObject:
    """Return the member of payload.actions."""
    kept = ("type", "action_id", "text", "value", "style", "confirm", "placeholder", "url")
    action: JsonObject = {key: element[key] for key in kept if key in element}
    kind = str(element.get("type"))
    if kind not in ("button", "icon_button") and chosen:
        check_offered(element, chosen)
        action |= chosen
    return action | {"block_id": block.get("block_id"), "action_ts": backend.clock.timestamp()}


def check_offered(element: JsonObject, chosen: JsonObject) -> None:
    """Let a person choose only what an element offers.

    Raises:
        ControlError: one of the chosen options is none of its own.
    """
    groups = objects_in(element, "option_groups")
    offered = [*objects_in(element, "options"), *(one for group in groups for one in objects_in(group, "options"))]
    picked = [*objects_in(chosen, "selected_options"), object_in(chosen, "selected_option")]
    if offered and any(option and option not in offered for option in picked):
        raise ControlError("option_not_found", "There is no such option here (any more).")


def _message_state(blocks: list[JsonObject], action: JsonObject, chosen: JsonObject | None) -> JsonObject:
    """Return state.values of the menus and inputs in a message."""
    values = initial_values(blocks)
    if state := object_in(values, str(action["block_id"])).get(action["action_id"]):
        state |= chosen or {}
    return values
