"""The demo's forge: the part of GitHub's REST API that git tools use, over a real bare repository, on loopback.

It answers as GitHub documents: 401 without a known token, 404 for what is not there, 422 for what cannot be done, and
a branch moves only forward unless it is forced.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from aiohttp import web

from infra.tools.git.program import GitProgram, Printed, git_environment
from sandbox.script import Json

_SECONDS = 20.0
_BYTES = 4 * 1024 * 1024
_SHA = re.compile(r"[0-9a-f]{40}")
_MODES = frozenset({"100644", "100755", "040000", "160000", "120000"})
_JSON = "application/json"


class _Refused(Exception):
    """A request that the forge does not do; the text is its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(kw_only=True)
class ForgeServer:
    """A forge with one repository."""

    #: `owner/name`, as it stands in addresses.
    name: str
    folder: Path
    token: str
    #: Awaited with each request before it is done (True), and again once it is (False).
    interferes: Callable[[web.Request, bool], Awaitable[None]] | None = None
    #: The requests so far, as `METHOD path`.
    requests: list[str] = field(default_factory=list[str])
    #: The address of the repository's API.
    api: str = ""

    def __post_init__(self) -> None:
        """Begin with one request at a time."""
        self._git = GitProgram()
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Serve on a free port of 127.0.0.1 until the context is left."""
        app = web.Application(middlewares=[self._answer], client_max_size=_BYTES)
        at = f"/repos/{self.name}/git"
        app.router.add_get(f"{at}/ref/{{ref:.+}}", self._ref)
        app.router.add_post(f"{at}/refs", self._make_ref)
        app.router.add_patch(f"{at}/refs/{{ref:.+}}", self._move_ref)
        app.router.add_delete(f"{at}/refs/{{ref:.+}}", self._delete_ref)
        app.router.add_get(f"{at}/commits/{{sha}}", self._commit)
        app.router.add_post(f"{at}/commits", self._make_commit)
        app.router.add_post(f"{at}/trees", self._make_tree)
        app.router.add_post(f"{at}/blobs", self._make_blob)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.api = f"http://127.0.0.1:{runner.addresses[0][1]}/repos/{self.name}"
            yield
        finally:
            await runner.cleanup()

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        try:
            if self.interferes is not None:
                await self.interferes(request, True)
            if not request.headers.get("User-Agent"):
                raise _Refused(403, "Request forbidden by administrative rules.")
            if request.headers.get("Authorization") not in (f"Bearer {self.token}", f"token {self.token}"):
                raise _Refused(401, "Bad credentials")
            async with self._one_at_a_time:
                answer = await handler(request)
            if self.interferes is not None:
                await self.interferes(request, False)
            return answer
        except _Refused as error:
            return web.json_response({"message": error.message, "status": str(error.status)}, status=error.status)
        except web.HTTPNotFound:
            return web.json_response({"message": "Not Found", "status": "404"}, status=404)

    async def _ref(self, request: web.Request) -> web.Response:
        ref = f"refs/{request.match_info['ref']}"
        if (sha := await self._at(ref)) is None:
            raise _Refused(404, "Not Found")
        return web.json_response(self._ref_json(ref, sha))

    async def _make_ref(self, request: web.Request) -> web.Response:
        body = await _object(request)
        ref, sha = _text(body, "ref"), _text(body, "sha")
        if not ref.startswith("refs/") or ref.count("/") < 2 or (await self._run("check-ref-format", ref)).code:
            raise _Refused(422, "Reference name is not valid")
        await self._require(sha, "commit")
        if await self._at(ref) is not None:
            raise _Refused(422, "Reference already exists")
        if (await self._run("update-ref", ref, sha, "0" * 40)).code:
            raise _Refused(422, "Reference cannot be created")
        return web.json_response(self._ref_json(ref, sha), status=201)

    async def _move_ref(self, request: web.Request) -> web.Response:
        body = await _object(request)
        ref, sha = f"refs/{request.match_info['ref']}", _text(body, "sha")
        if (old := await self._at(ref)) is None:
            raise _Refused(422, "Reference does not exist")
        await self._require(sha, "commit")
        if body.get("force") is not True and (await self._run("merge-base", "--is-ancestor", old, sha)).code:
            raise _Refused(422, "Update is not a fast forward")
        if (await self._run("update-ref", ref, sha, old)).code:
            raise _Refused(409, "Reference update failed")
        return web.json_response(self._ref_json(ref, sha))

    async def _delete_ref(self, request: web.Request) -> web.Response:
        ref = f"refs/{request.match_info['ref']}"
        if (old := await self._at(ref)) is None:
            raise _Refused(422, "Reference does not exist")
        if (await self._run("update-ref", "-d", ref, old)).code:
            raise _Refused(409, "Reference update failed")
        return web.Response(status=204)

    async def _commit(self, request: web.Request) -> web.Response:
        sha = request.match_info["sha"]
        if not _SHA.fullmatch(sha) or await self._kind(sha) != "commit":
            raise _Refused(404, "Not Found")
        return web.json_response(await self._commit_json(sha))

    async def _make_commit(self, request: web.Request) -> web.Response:
        body = await _object(request)
        message, tree = _text(body, "message"), _text(body, "tree")
        await self._require(tree, "tree")
        parents = body.get("parents", [])
        if not isinstance(parents, list):
            raise _Refused(422, "parents is not an array")
        for parent in parents:
            await self._require(str(parent), "commit")
        named = [word for parent in parents for word in ("-p", str(parent))]
        made = await self._run("commit-tree", tree, *named, "-F", "-", given=message.encode(), extra=_OWNER)
        return web.json_response(await self._commit_json(made.text.strip()), status=201)

    async def _make_tree(self, request: web.Request) -> web.Response:
        body = await _object(request)
        entries = body.get("tree")
        if not isinstance(entries, list) or not entries:
            raise _Refused(422, "Invalid tree info")
        with tempfile.TemporaryDirectory(prefix="greenlight-forge-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if "base_tree" in body:
                await self._require(_text(body, "base_tree"), "tree")
                await self._run("read-tree", _text(body, "base_tree"), extra=index)
            there = set((await self._run("ls-files", "-z", extra=index)).text.split("\0"))
            lines = [await self._index_line(entry, there) for entry in entries]
            done = await self._run("update-index", "-z", "--index-info", given="".join(lines).encode(), extra=index)
            written = await self._run("write-tree", extra=index)
            if done.code or written.code:
                raise _Refused(422, "Invalid tree info")
        return web.json_response({"sha": written.text.strip(), "truncated": False, "tree": []}, status=201)

    async def _index_line(self, entry: Json, there: set[str]) -> str:
        if not isinstance(entry, Mapping):
            raise _Refused(422, "Invalid tree info")
        path, mode = _text(entry, "path"), _text(entry, "mode")
        if mode not in _MODES or any(part in ("", ".", "..", ".git") for part in path.split("/")):
            raise _Refused(422, "tree.path contains a malformed path component")
        if "sha" in entry and entry["sha"] is None:
            if path not in there:
                raise _Refused(422, "GitRPC::BadObjectState")
            return f"0 {'0' * 40}\t{path}\0"
        sha = _text(entry, "sha")
        await self._require(sha, "blob")
        return f"{mode} {sha}\t{path}\0"

    async def _make_blob(self, request: web.Request) -> web.Response:
        body = await _object(request)
        if body.get("encoding", "utf-8") != "utf-8":
            raise _Refused(422, "encoding is not supported here")
        content = _text(body, "content", empty=True).encode()
        made = await self._run("hash-object", "-w", "--stdin", given=content)
        sha = made.text.strip()
        return web.json_response({"sha": sha, "url": f"{self.api}/git/blobs/{sha}"}, status=201)

    def _ref_json(self, ref: str, sha: str) -> Mapping[str, Json]:
        place = {"type": "commit", "sha": sha, "url": f"{self.api}/git/commits/{sha}"}
        return {"ref": ref, "node_id": ref, "url": f"{self.api}/git/{ref}", "object": place}

    async def _commit_json(self, sha: str) -> Mapping[str, Json]:
        printed = await self._run("log", "-1", "-z", "--format=%T%x00%P%x00%an%x00%ae%x00%aI%x00%B", sha)
        tree, parents, name, email, at, message, *_ = printed.text.split("\0")
        author: Mapping[str, Json] = {"name": name, "email": email, "date": at}
        return {
            "sha": sha,
            "url": f"{self.api}/git/commits/{sha}",
            "html_url": f"{self.api}/commit/{sha}",
            "author": author,
            "committer": author,
            "message": message.rstrip("\n"),
            "tree": {"sha": tree, "url": f"{self.api}/git/trees/{tree}"},
            "parents": [{"sha": parent, "url": f"{self.api}/git/commits/{parent}"} for parent in parents.split()],
        }

    async def _at(self, ref: str) -> str | None:
        printed = await self._run("rev-parse", "--verify", "--quiet", "--end-of-options", ref)
        return printed.text.strip() if printed.code == 0 else None

    async def _kind(self, sha: str) -> str:
        return (await self._run("cat-file", "-t", sha)).text.strip()

    async def _require(self, sha: str, kind: str) -> None:
        if not _SHA.fullmatch(sha) or await self._kind(sha) != kind:
            raise _Refused(422, f"{kind.capitalize()} SHA does not exist or is not a {kind} object")

    async def _run(self, *arguments: str, given: bytes = b"", extra: Mapping[str, str] | None = None) -> Printed:
        return await self._git.run(
            self.folder,
            arguments,
            seconds=_SECONDS,
            most_bytes=_BYTES,
            given=given,
            environment=git_environment(extra=extra),
        )


_OWNER = {
    "GIT_AUTHOR_NAME": "Greenlight",
    "GIT_AUTHOR_EMAIL": "greenlight@shop.example",
    "GIT_COMMITTER_NAME": "Greenlight",
    "GIT_COMMITTER_EMAIL": "greenlight@shop.example",
}
"""Whom the token belongs to."""


async def _object(request: web.Request) -> Mapping[str, Json]:
    """Return the JSON object of a request."""
    try:
        body = cast("Json", json.loads(await request.text()))
    except ValueError:
        raise _Refused(400, "Problems parsing JSON") from None
    if request.content_type != _JSON or not isinstance(body, Mapping):
        raise _Refused(400, "Body should be a JSON object")
    return body


def _text(body: Mapping[str, Json], key: str, *, empty: bool = False) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not (value or empty):
        raise _Refused(422, f'Invalid request.\n\n"{key}" wasn\'t supplied.')
    return value
