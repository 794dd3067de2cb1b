"""The control API: actions of people over JSON, for the page and for tests that act as people.

Every request names who acts as `user`, by id or name, and where as `channel`, by id or name (`@app` is the direct
message with the app). Answers are {"ok": true, ...} or {"ok": false, "error", "explanation"} with status 400.
"""

import base64
import mimetypes
from collections.abc import Awaitable, Callable

from aiohttp import web

from infra.dev.local_slack.actions import interactions, messages, modals
from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.actions.message_input import message_text, rich_text
from infra.dev.local_slack.actions.sessions import stop_session
from infra.dev.local_slack.block_kit.views import OpenView
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import ControlError, SlackError
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_list, is_object, object_in, text_in
from infra.dev.local_slack.state.people import Person
from infra.dev.local_slack.state.team import StoredFile, new_id

Action = Callable[["Control", JsonObject], Awaitable[JsonObject]]
ACTIONS: dict[str, Action] = {}


def action(path: str) -> Callable[[Action], Action]:
    """Register the action of POST /control/PATH."""

    def register(handler: Action) -> Action:
        ACTIONS[path] = handler
        return handler

    return register


class Control:
    """Answers POST /control/..."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def answer(self, request: web.Request) -> web.Response:
        """One action of a person."""
        handler = ACTIONS.get(request.match_info["path"])
        if handler is None:
            return _refused("unknown_action", f"There is no {request.path}.", status=404)
        body: object = decoded(await request.text() or "{}")
        if not is_object(body):
            return _refused("invalid_json", "A JSON object was expected.")
        try:
            return web.json_response({"ok": True, **await handler(self, body)})
        except ControlError as refusal:
            return _refused(refusal.error, refusal.explanation)
        except SlackError as refusal:
            return _refused(refusal.error, "; ".join(refusal.messages) or refusal.error)

    def actor(self, body: JsonObject) -> Person:
        """Who acts."""
        return interactions.person_acting(self.backend, required(body, "user"))

    def place(self, body: JsonObject) -> Channel:
        """Where they act."""
        reference = required(body, "channel")
        if reference in ("@app", f"@{self.backend.app.name}"):
            return self.backend.team.open_direct_message(self.actor(body).id)
        return interactions.channel_seen(self.backend, self.actor(body), reference)

    def own_message(self, body: JsonObject) -> tuple[Channel, Message]:
        """A message the acting person wrote."""
        channel = self.place(body)
        message = messages.message_of(channel, required(body, "ts"))
        if message.user != self.actor(body).id:
            raise ControlError("not_yours", "People can change and delete only what they wrote themselves.")
        return channel, message

    def own_view(self, body: JsonObject) -> tuple[Person, OpenView]:
        """The acting person and the view they name, by default their modal."""
        person = self.actor(body)
        return person, modals.view_of(self.backend, person, text_in(body, "view_id"))


@action("messages")
async def post(control: Control, body: JsonObject) -> JsonObject:
    """Write a message: user, channel, text; thread_ts to reply; files (ids of uploads)."""
    backend, person, channel = control.backend, control.actor(body), control.place(body)
    typed = str(body.get("text") or "")
    listed: object = body.get("files")
    files = [file for file_id in listed if (file := backend.team.files.get(str(file_id)))] if is_list(listed) else []
    if not typed.strip() and not files:
        raise ControlError("no_text", "There is nothing to send.")
    if channel.is_archived:
        raise ControlError("is_archived", f"#{channel.name} is archived.")
    thread_ts = text_in(body, "thread_ts")
    messages.check_root(channel, thread_ts)
    text = message_text(backend.team, typed)
    for file in files:
        file.shared = True
    message = Message(
        ts=backend.clock.timestamp(),
        channel=channel.id,
        user=person.id,
        team=person.team_id,
        text=text,
        blocks=rich_text(text) if text else [],
        thread_ts=thread_ts,
        client_msg_id=new_id("", 24).lower(),
        subtype="file_share" if files else None,
        files=[file.as_json(backend.base_url) for file in files],
    )
    messages.put(backend, channel, message)
    return {"channel": channel.id, "ts": message.ts, "message": channel.message_json(message)}


@action("messages/edit")
async def edit(control: Control, body: JsonObject) -> JsonObject:
    """Change a message one wrote: user, channel, ts, text."""
    channel, message = control.own_message(body)
    text = message_text(control.backend.team, required(body, "text"))
    messages.rewrite(control.backend, channel, message, text=text, blocks=rich_text(text), edited_by=message.user)
    return {"ts": message.ts}


@action("messages/delete")
async def delete(control: Control, body: JsonObject) -> JsonObject:
    """Delete a message one wrote: user, channel, ts."""
    channel, message = control.own_message(body)
    messages.remove(control.backend, channel, message)
    return {"ts": message.ts}


@action("click")
async def click(control: Control, body: JsonObject) -> JsonObject:
    """Use a button or menu: user, channel, ts, action_id; block_id or value if several; chosen for menus."""
    acked = await interactions.click(
        control.backend,
        control.actor(body),
        control.place(body),
        required(body, "ts"),
        action_id=required(body, "action_id"),
        block_id=text_in(body, "block_id"),
        value=text_in(body, "value"),
        chosen=object_in(body, "chosen") or None,
    )
    return {"acknowledged": acked}


@action("commands")
async def command(control: Control, body: JsonObject) -> JsonObject:
    """Invoke a slash command: user, channel, command, text."""
    acked = await interactions.command(
        control.backend,
        control.actor(body),
        control.place(body),
        name=required(body, "command"),
        text=str(body.get("text") or ""),
        thread_ts=text_in(body, "thread_ts"),
    )
    return {"acknowledged": acked}


@action("shortcuts")
async def shortcut(control: Control, body: JsonObject) -> JsonObject:
    """Use a shortcut: user, callback_id; channel and ts for one on a message."""
    channel = control.place(body) if body.get("channel") else None
    acked = await interactions.shortcut(
        control.backend,
        control.actor(body),
        callback_id=required(body, "callback_id"),
        channel=channel,
        ts=text_in(body, "ts"),
    )
    return {"acknowledged": acked}


@action("stop")
async def stop(control: Control, body: JsonObject) -> JsonObject:
    """Press the native Stop button of a thread: user, channel, thread_ts."""
    stop_session(control.backend, control.actor(body), control.place(body), required(body, "thread_ts"))
    return {}


@action("reactions")
async def react(control: Control, body: JsonObject) -> JsonObject:
    """React to a message, or take it back with remove: user, channel, ts, name."""
    channel = control.place(body)
    message = messages.message_of(channel, required(body, "ts"))
    messages.react(
        control.backend,
        channel,
        message,
        user=control.actor(body).id,
        name=required(body, "name"),
        add=not body.get("remove"),
    )
    return {}


@action("uploads")
async def upload(control: Control, body: JsonObject) -> JsonObject:
    """Upload a file: user, name, text or base64; its id goes into `files` of a message."""
    encoded = text_in(body, "base64")
    content = base64.b64decode(encoded) if encoded else str(body.get("text") or "").encode()
    name = required(body, "name")
    file = StoredFile(
        id=new_id("F"),
        name=name,
        length=len(content),
        owner=control.actor(body).id,
        content=content,
        media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
        uploaded=True,
        created=int(control.backend.clock.now()),
    )
    control.backend.team.files[file.id] = file
    return {"file": file.as_json(control.backend.base_url)}


@action("home")
async def home(control: Control, body: JsonObject) -> JsonObject:
    """Open the app's Home tab: user."""
    backend, person = control.backend, control.actor(body)
    event: JsonObject = {
        "type": "app_home_opened",
        "user": person.id,
        "channel": backend.team.open_direct_message(person.id).id,
        "tab": "home",
    }
    view = backend.views.open.get(backend.views.homes.get(person.id, ""))
    if view is not None:
        event["view"] = backend.views.as_json(view)
    backend.announcer.app_event(event)
    return {}


@action("views/submit")
async def submit_view(control: Control, body: JsonObject) -> JsonObject:
    """Submit a modal: user, values {block_id: {action_id: state}}; view_id defaults to the visible one."""
    person, view = control.own_view(body)
    submitted = await modals.submit(control.backend, person, view, object_in(body, "values"))
    return {"accepted": submitted.accepted, "errors": submitted.errors}


@action("views/close")
async def close_view(control: Control, body: JsonObject) -> JsonObject:
    """Close a modal: user."""
    await modals.close(control.backend, *control.own_view(body))
    return {}


@action("views/act")
async def act_in_view(control: Control, body: JsonObject) -> JsonObject:
    """Use a button of a modal or Home tab: user, view_id, action_id, chosen for menus."""
    person, view = control.own_view(body)
    acked = await interactions.act_in_view(
        control.backend, person, view, action_id=required(body, "action_id"), chosen=object_in(body, "chosen")
    )
    return {"acknowledged": acked}


def required(body: JsonObject, name: str) -> str:
    """An argument of an action that must be there.

    Raises:
        ControlError: It is not.
    """
    value = text_in(body, name)
    if value is None:
        raise ControlError("missing_argument", f"{name} is missing.")
    return value


def _refused(error: str, explanation: str, *, status: int = 400) -> web.Response:
    return web.json_response({"ok": False, "error": error, "explanation": explanation}, status=status)
