"""Uploads and downloads of files."""

from __future__ import annotations

from aiohttp import web

from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.state.team import StoredFile


class StoredFiles:
    """Answers /upload/ID (step two of an upload), /files/ID/NAME (for the app) and /control/files/ID (for the page)."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def receive(self, request: web.Request) -> web.Response:
        """Take the bytes of a file whose address files.getUploadURLExternal gave out."""
        file = self._backend.team.files.get(request.match_info["id"])
        if file is None or file.uploaded:
            return web.Response(status=404, text="no upload is expected here")
        content = await _content(request)
        if len(content) != file.length:
            return web.Response(status=400, text=f"{file.length} bytes were announced, {len(content)} came")
        file.content, file.uploaded = content, True
        return web.Response(text=f"OK - {len(content)}")

    async def send(self, request: web.Request) -> web.Response:
        """A file, for the app's token."""
        file = self._backend.team.files.get(request.match_info["id"])
        if file is None or not file.shared:
            return web.Response(status=404)
        authorised = request.headers.get("Authorization") == f"Bearer {self._backend.app.bot_token}"
        if not authorised or "files:read" not in self._backend.app.scopes:
            return web.Response(status=403)
        return _file(file)

    async def show(self, request: web.Request) -> web.Response:
        """A file, for the page."""
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
    """The bytes; nothing but pictures is shown in place, so that an uploaded page runs no script here."""
    place = "inline" if file.media_type in ("image/png", "image/jpeg", "image/gif", "image/webp") else "attachment"
    return web.Response(
        body=file.content,
        content_type=file.media_type,
        headers={"Content-Disposition": place, "X-Content-Type-Options": "nosniff"},
    )
