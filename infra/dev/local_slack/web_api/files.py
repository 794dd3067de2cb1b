"""files.getUploadURLExternal, completeUploadExternal and info: the upload in three steps."""

from __future__ import annotations

import mimetypes

from infra.dev.local_slack.actions import conversing
from infra.dev.local_slack.state.errors import SlackError
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_list, is_object
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.state.team import StoredFile, new_id
from infra.dev.local_slack.web_api.call import Call, method

MOST_BYTES = 50 * 1024 * 1024


@method("files.getUploadURLExternal", Tier.FOUR, "files:write")
async def get_upload_url(call: Call) -> JsonObject:
    """A place to put the bytes of one file."""
    name, length = call.required("filename"), call.required("length")
    if not length.isdigit() or not 0 < int(length) <= MOST_BYTES:
        raise SlackError("invalid_arguments", "[ERROR] invalid `length`")
    file = StoredFile(
        id=new_id("F"),
        name=name,
        length=int(length),
        owner=call.backend.app.bot_user_id,
        media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
        created=int(call.backend.clock.now()),
    )
    call.backend.team.files[file.id] = file
    return {"upload_url": f"{call.backend.base_url}/upload/{file.id}", "file_id": file.id}


@method("files.completeUploadExternal", Tier.FOUR, "files:write")
async def complete_upload(call: Call) -> JsonObject:
    """Share uploaded files, in a channel if one is named."""
    backend = call.backend
    listed = call.raw.get("files")
    listed = decoded(listed) if isinstance(listed, str) else listed
    entries = [entry for entry in listed if is_object(entry)] if is_list(listed) else []
    if not entries:
        raise SlackError("invalid_arguments", "[ERROR] missing required field: files")
    files: list[StoredFile] = []
    for entry in entries:
        file = backend.team.files.get(str(entry.get("id")))
        if file is None or not file.uploaded:
            raise SlackError("file_not_found")
        if file.shared:
            raise SlackError("already_completed")
        files.append(file)
    targets = [target for target in (call.text("channel_id"), *call.names("channels")) if target]
    channels = [conversing.writable(backend, target) for target in targets]
    thread_ts = call.text("thread_ts")
    for channel in channels:
        conversing.check_root(channel, thread_ts)
    for file, entry in zip(files, entries, strict=True):
        file.title = str(entry.get("title") or file.name)
        file.shared = True
    told = [file.as_json(backend.base_url) for file in files]
    for channel in channels:
        message = conversing.bot_message(backend, channel, call.text("initial_comment") or "", thread_ts=thread_ts)
        message.files = told
        message.subtype = "file_share"
        conversing.put(backend, channel, message)
    return {"files": told}


@method("files.info", Tier.FOUR, "files:read")
async def info(call: Call) -> JsonObject:
    """One file."""
    file = call.backend.team.files.get(call.required("file"))
    if file is None or not file.shared:
        raise SlackError("file_not_found")
    return {"file": file.as_json(call.backend.base_url)}
