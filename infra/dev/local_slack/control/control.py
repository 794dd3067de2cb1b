"""The control API: actions of people over JSON, for the page and for tests that act as people.

Every request names who acts as `user`, by id or name, and where as `channel`, by id or name (`@app` is the direct
message with the app). Answers are {"ok": true, ...} or {"ok": false, "error", "explanation"} with status 400.
"""

import inspect
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from infra.dev.local_slack.actions import interactions, messages, modals
from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.actions.message_input import message_text, rich_text
from infra.dev.local_slack.actions.sessions import stop_session
from infra.dev.local_slack.block_kit.drafts import Draft
from infra.dev.local_slack.block_kit.views import OpenView
from infra.dev.local_slack.control.test_api import TEST_ACTIONS
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import ControlError, SlackError
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_object, text_in
from infra.dev.local_slack.state.people import Person
from infra.dev.local_slack.state.team import new_id

Action = Callable[..., Awaitable[JsonObject | None]]
"""Its parameters are bound by their types to who acts, where and on what, and by their names to the request's keys."""


class Control:
    """Answers POST /control/..."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def answer(self, request: web.Request) -> web.Response:
        """Carry out one action of a person."""
        action = ACTIONS.get(request.match_info["path"])
        if action is None:
            return _refused("unknown_action", f"There is no {request.path}.", status=404)
        body: object = decoded(await request.text() or "{}")
        if not is_object(body):
            return _refused("invalid_json", "A JSON object was expected.")
        try:
            return web.json_response({"ok": True, **(await action(**_arguments(action, self.backend, body)) or {})})
        except ControlError as refusal:
            return _refused(refusal.error, refusal.explanation)
        except SlackError as refusal:
            return _refused(refusal.error, "; ".join(refusal.messages) or refusal.error)


def _arguments(action: Action, backend: Backend, body: JsonObject) -> dict[str, object]:
    """Return the arguments of an action: what `_READERS` finds, and the request's values that are not empty.

    Raises:
        ControlError: One is missing or of another type, or a reader found nothing.
    """
    arguments: dict[str, object] = {}
    for name, parameter in inspect.signature(action).parameters.items():
        if name == "body":
            arguments[name] = body
        elif read := _READERS.get(parameter.annotation):
            arguments[name] = read(backend, body)
        elif body.get(name) not in (None, ""):
            try:
                arguments[name] = TypeAdapter(parameter.annotation).validate_python(body[name])
            except ValidationError as error:
                raise ControlError("invalid_argument", f"{name}: {error.errors()[0]['msg']}.") from error
        elif parameter.default is parameter.empty:
            raise ControlError("missing_argument", f"{name} is missing.")
    return arguments


def _required(body: JsonObject, name: str) -> str:
    if (value := text_in(body, name)) is None:
        raise ControlError("missing_argument", f"{name} is missing.")
    return value


def _actor(backend: Backend, body: JsonObject) -> Person:
    return interactions.person_acting(backend, _required(body, "user"))


def _place(backend: Backend, body: JsonObject) -> Channel:
    person, reference = _actor(backend, body), _required(body, "channel")
    if reference in ("@app", f"@{backend.app.name}"):
        return backend.team.open_direct_message(person.id)
    return interactions.channel_seen(backend, person, reference)


def _own_message(backend: Backend, body: JsonObject) -> Message:
    message = messages.message_of(_place(backend, body), _required(body, "ts"))
    if message.user != _actor(backend, body).id:
        raise ControlError("not_yours", "People can change and delete only what they wrote themselves.")
    return message


_READERS: Mapping[object, Callable[[Backend, JsonObject], object]] = {
    Backend: lambda backend, _: backend,
    Person: _actor,
    Channel: _place,
    Channel | None: lambda backend, body: _place(backend, body) if body.get("channel") else None,
    Message: _own_message,
    OpenView: lambda backend, body: modals.view_of(backend, _actor(backend, body), text_in(body, "view_id")),
}
"""Type of a parameter -> the one that the request names."""


async def post(
    backend: Backend,
    person: Person,
    channel: Channel,
    text: str = "",
    thread_ts: str | None = None,
    files: list[str] | None = None,
) -> JsonObject:
    """Write a message, in a thread with `thread_ts`; `files` are ids of uploads."""
    uploads = [file for file_id in files or () if (file := backend.team.files.get(file_id))]
    if not text.strip() and not uploads:
        raise ControlError("no_text", "There is nothing to send.")
    if channel.is_archived:
        raise ControlError("is_archived", f"#{channel.name} is archived.")
    messages.check_root(channel, thread_ts)
    text = message_text(backend.team, text)
    for file in uploads:
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
        subtype="file_share" if uploads else None,
        files=[file.as_json(backend.base_url) for file in uploads],
    )
    messages.put(backend, channel, message)
    return {"channel": channel.id, "ts": message.ts, "message": channel.message_json(message)}


async def edit(backend: Backend, channel: Channel, message: Message, text: str) -> JsonObject:
    """Change a message that the person wrote."""
    text = message_text(backend.team, text)
    messages.rewrite(backend, channel, message, Draft(text=text, blocks=rich_text(text)))
    return {"ts": message.ts}


async def delete(backend: Backend, channel: Channel, message: Message) -> JsonObject:
    """Delete a message that the person wrote."""
    messages.remove(backend, channel, message)
    return {"ts": message.ts}


async def react(backend: Backend, person: Person, channel: Channel, ts: str, name: str, remove: bool = False) -> None:
    """React to a message, or take the reaction back."""
    message = messages.message_of(channel, ts)
    messages.react(backend, channel, message, user=person.id, name=name, add=not remove)


async def upload(backend: Backend, person: Person, name: str, base64: str = "") -> JsonObject:
    """Upload a file; its id goes into `files` of a message."""
    content = b64decode(base64)
    file = backend.team.add_file(name, owner=person.id, length=len(content))
    file.content = content
    return {"file": file.as_json(backend.base_url)}


async def canvas(
    backend: Backend, person: Person, channel: Channel, title: str, text: str, file: str = "", tab: bool = False
) -> JsonObject:
    """Write a canvas in Markdown and share it in a channel, as a message or as a tab; with `file` edit that one."""
    content = text.encode()
    canvas = backend.team.files.get(file) or backend.team.add_file(title, owner=person.id, length=len(content))
    canvas.title, canvas.content, canvas.length, canvas.shared = title, content, len(content), True
    canvas.edited = max(int(backend.clock.now()), 1 + (canvas.edited or 0))
    if channel.id not in canvas.shared_in:
        canvas.shared_in.append(channel.id)
        if not tab:
            posted = await post(backend, person, channel, files=[canvas.id])
            return {"file": canvas.id, "ts": posted["ts"]}
    if tab and canvas.id not in channel.canvases:
        channel.canvases.append(canvas.id)
    return {"file": canvas.id}


async def pin(backend: Backend, person: Person, channel: Channel, ts: str, remove: bool = False) -> None:
    """Pin a message, or take the pin back."""
    message = messages.message_of(channel, ts)
    message.pinned_by, message.pinned_at = (None if remove else person.id), int(backend.clock.now())
    backend.announcer.redrawn(channel, message)


async def home(backend: Backend, person: Person) -> None:
    """Open the app's Home tab."""
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


ACTIONS: Mapping[str, Action] = {
    "messages": post,
    "messages/edit": edit,
    "messages/delete": delete,
    "click": interactions.click,
    "commands": interactions.command,
    "shortcuts": interactions.shortcut,
    "stop": stop_session,
    "reactions": react,
    "uploads": upload,
    "canvases": canvas,
    "pins": pin,
    "home": home,
    "views/submit": modals.submit,
    "views/close": modals.close,
    "views/act": interactions.act_in_view,
    **TEST_ACTIONS,
}
"""Path below /control -> action."""


def _refused(error: str, explanation: str, *, status: int = 400) -> web.Response:
    return web.json_response({"ok": False, "error": error, "explanation": explanation}, status=status)
