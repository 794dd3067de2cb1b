"""Files: the upload in three steps (files.getUploadURLExternal, bytes over HTTP, completeUploadExternal); downloads.

files.delete takes one away; files.info tells of one, and canvases.getContent has the text of a canvas.
"""

from aiohttp import web

from infra.dev.local_slack.actions import messages
from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.block_kit.drafts import Draft
from infra.dev.local_slack.state.errors import found, refuse_if
from infra.dev.local_slack.state.payload import JsonObject, objects_in
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.state.team import StoredFile
from infra.dev.local_slack.web_api.call import Call, method

MOST_BYTES = 50 * 1024 * 1024


@method("files.getUploadURLExternal", Tier.FOUR, "files:write")
async def get_upload_url(call: Call) -> JsonObject:
    """Return a place to put the bytes of one file."""
    name, length = call.required("filename"), call.required("length")
    fits = length.isdigit() and 0 < int(length) <= MOST_BYTES
    refuse_if(not fits, "invalid_arguments", "[ERROR] invalid `length`")
    file = call.backend.team.add_file(name, owner=call.bot, length=int(length))
    return {"upload_url": f"{call.backend.base_url}/upload/{file.id}", "file_id": file.id}


@method("files.completeUploadExternal", Tier.FOUR, "files:write")
async def complete_upload(call: Call) -> JsonObject:
    """Share uploaded files, in a channel if one is named."""
    backend = call.backend
    entries = objects_in({"files": call.json("files")}, "files")
    refuse_if(not entries, "invalid_arguments", "[ERROR] missing required field: files")
    files = [found(backend.team.files.get(str(entry.get("id"))), "file_not_found") for entry in entries]
    for file in files:
        refuse_if(file.content is None, "file_not_found")
        refuse_if(file.shared, "already_completed")
    targets = [target for target in (call.text("channel_id"), *call.names("channels")) if target]
    channels = [messages.writable(backend, target) for target in targets]
    thread_ts = call.text("thread_ts")
    for channel in channels:
        messages.check_root(channel, thread_ts)
    for file, entry in zip(files, entries, strict=True):
        file.title = str(entry.get("title") or file.name)
        file.shared = True
    shared = [file.as_json(backend.base_url) for file in files]
    comment = Draft(text=call.text("initial_comment"))
    for channel in channels:
        message = messages.bot_message(backend, channel, comment, thread_ts)
        message.files = shared
        message.subtype = "file_share"
        messages.put(backend, channel, message)
    return {"files": shared}


@method("files.delete", Tier.THREE, "files:write")
async def delete(call: Call) -> JsonObject:
    """Delete a file of the app; a message that was only the file goes with it, others keep its tombstone."""
    backend = call.backend
    file = found(backend.team.files.get(call.required("file")), "file_not_found")
    refuse_if(not file.shared or file.content is None, "file_not_found")
    refuse_if(file.owner != call.bot, "cant_delete_file")
    del backend.team.files[file.id]
    for channel in backend.team.channels.values():
        for message in [one for one in channel.messages.values() if file.id in [held["id"] for held in one.files]]:
            others = [held for held in message.files if held["id"] != file.id]
            if message.text or others:
                message.files = [*others, {"id": file.id, "mode": "tombstone"}]
                backend.announcer.redrawn(channel, message)
            else:
                messages.remove(backend, channel, message)
    return {}


@method("files.info", Tier.FOUR, "files:read")
async def info(call: Call) -> JsonObject:
    """Return one file; of a canvas also where it is shared, as far as the app can see that."""
    file = _visible(call, call.required("file"), "file_not_found")
    channels = [call.backend.team.channels[channel] for channel in file.shared_in]
    seen = [channel for channel in channels if not channel.is_private or call.bot in channel.members]
    shared = {
        key: [channel.id for channel in seen if channel.type == kind]
        for key, kind in (("channels", "channel"), ("groups", "group"), ("ims", "im"))
    }
    return {"file": {**file.as_json(call.backend.base_url), **({} if file.edited is None else shared)}}


@method("canvases.getContent", Tier.THREE, "canvases:read")
async def canvas_content(call: Call) -> JsonObject:
    """Return the text of a canvas in Markdown; no app here asks for HTML."""
    refuse_if(call.text("content_type") not in (None, "markdown"), "invalid_arguments")
    file = _visible(call, call.required("canvas_id"), "canvas_not_found")
    refuse_if(file.edited is None, "canvas_not_found")
    return {"content": (file.content or b"").decode()}


def _visible(call: Call, id: str, error: str) -> StoredFile:
    """Return a file that the app can see: a canvas only where it is a member of a channel that has it."""
    team = call.backend.team
    file = found(team.files.get(id), error)
    refuse_if(not file.shared, error)
    seen = any(call.bot in team.channels[channel].members for channel in file.shared_in)
    refuse_if(file.edited is not None and not seen, error)
    return file


class StoredFiles:
    """Answers /upload/ID (step two of an upload), /files/ID/NAME (for the app) and /control/files/ID (for the page)."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def receive(self, request: web.Request) -> web.Response:
        """Take the bytes of a file whose address files.getUploadURLExternal gave out."""
        file = self._backend.team.files.get(request.match_info["id"])
        if file is None or file.content is not None:
            return web.Response(status=404, text="no upload is expected here")
        content = await _content(request)
        if len(content) != file.length:
            return web.Response(status=400, text=f"{file.length} bytes were announced, {len(content)} came")
        file.content = content
        return web.Response(text=f"OK - {len(content)}")

    async def send(self, request: web.Request) -> web.Response:
        """Answer with a file, for the app's token."""
        file = self._backend.team.files.get(request.match_info["id"])
        if file is None or not file.shared or file.edited is not None:
            return web.Response(status=404)
        authorised = request.headers.get("Authorization") == f"Bearer {self._backend.app.bot_token}"
        if not authorised or "files:read" not in self._backend.app.scopes:
            return web.Response(status=403)
        return _file(file)

    async def show(self, request: web.Request) -> web.Response:
        """Answer with a file, for the page."""
        file = self._backend.team.files.get(request.match_info["id"])
        return _file(file) if file is not None and file.shared else web.Response(status=404)


async def _content(request: web.Request) -> bytes:
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    form = await request.post()
    for value in form.values():
        if isinstance(value, web.FileField):
            return value.file.read()
    return b""


def _file(file: StoredFile) -> web.Response:
    """Return the bytes as an answer; only pictures are shown in place, so that an uploaded page runs no script here."""
    place = "inline" if file.media_type in ("image/png", "image/jpeg", "image/gif", "image/webp") else "attachment"
    return web.Response(
        body=file.content,
        content_type=file.media_type,
        headers={"Content-Disposition": place, "X-Content-Type-Options": "nosniff"},
    )
