"""A repository at its forge, through the REST API that GitHub documents (refs, commits, trees and blobs of git).

Making blobs, trees and commits changes nothing that anybody sees. A branch moves in one request, and only forward: the
forge refuses one that is not on top of what stands there. So a commit never overwrites another one.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import NoReturn, cast

import aiohttp
from yarl import URL

from agent.plan.json_values import sanitized_text
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.tool import CallContext, ToolError
from infra.tools.addresses import connector, not_connected, reach
from infra.tools.git.names import is_commit_id
from infra.tools.http import ResponseLost, checks_before_sending, send_once
from infra.tools.secret import Secret
from sandbox.script import Json

SECONDS = 15.0
ANSWER_BYTES = 1024 * 1024
_WORDS = 200

_NO_SUCCESS = 300
_NOT_FOUND = 404
_CONFLICT = 409
_UNPROCESSABLE = 422
_TOO_MANY = 429
_SERVER_ERROR = 500


class Moved(Enum):
    """What became of the request to move, make or delete a branch."""

    DONE = auto()
    #: The forge refused it as it stands now: it is not on top of what is there, it is there already, or gone.
    REFUSED = auto()


@dataclass(frozen=True, kw_only=True)
class TreeChange:
    """A file of a new tree."""

    path: str
    #: None: it is not there any more.
    text: str | None
    executable: bool = False


@dataclass(frozen=True, kw_only=True)
class ForgeCommit:
    """A commit as the forge tells of it."""

    id: str
    tree: str
    message: str
    parents: tuple[str, ...]
    #: Where people see it; empty: the forge does not say.
    page: str = ""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    #: The JSON; None: it is none, or too long.
    body: Json
    #: Whether the forge says that we ask too often.
    limited: bool = False

    def text(self, *keys: str) -> str:
        """Return a text inside the answer; empty: there is none."""
        value = self.body
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value if isinstance(value, str) else ""


class Forge:
    """One repository at its forge."""

    def __init__(self, api: str, token: Secret) -> None:
        self._api = URL(api)
        self._token = token

    async def head(self, branch: str) -> str | None:
        """Return the commit at which a branch stands; None: there is no such branch.

        Raises:
            ToolError: the forge does not say.
        """
        answer = await self._read("git", "ref", f"heads/{branch}")
        if answer is None:
            return None
        head = answer.text("object", "sha")
        if answer.text("object", "type") != "commit" or not is_commit_id(head):
            raise _not_understood(self._api)
        return head

    async def commit(self, id: str) -> ForgeCommit:
        """Return a commit by its id.

        Raises:
            ToolError: there is none, or the forge does not say.
        """
        answer = await self._read("git", "commits", id)
        if answer is None:
            raise ToolError("unknown_revision", f"The forge has no commit {id[:12]}.")
        return _commit(self._api, answer)

    async def make_commit(
        self, context: CallContext, parent: ForgeCommit, message: str, changes: Sequence[TreeChange]
    ) -> ForgeCommit:
        """Return a new commit on top of another one. It is on no branch yet.

        Raises:
            ToolError: the forge refuses it; nothing that anybody sees was changed.
        """
        tree: list[Json] = []
        for change in changes:
            mode = "100755" if change.executable else "100644"
            sha: str | None = None
            if change.text is not None:
                made = await self._make(context, "blobs", {"content": change.text, "encoding": "utf-8"})
                sha = made.text("sha")
            tree.append({"path": change.path, "mode": mode, "type": "blob", "sha": sha})
        whole = await self._make(context, "trees", {"base_tree": parent.tree, "tree": tree})
        commit: dict[str, Json] = {"message": message, "tree": whole.text("sha"), "parents": [parent.id]}
        return _commit(self._api, await self._make(context, "commits", commit))

    async def move(self, context: CallContext, branch: str, commit: str) -> Moved:
        """Move a branch forward to a commit, or not at all.

        Raises:
            ToolError: the forge refuses it otherwise; `outcome_unknown`: nobody knows if it moved.
        """
        body: Mapping[str, Json] = {"sha": commit, "force": False}
        return await self._change(context, "PATCH", ("refs", f"heads/{branch}"), body, branch, commit)

    async def make_branch(self, context: CallContext, branch: str, commit: str) -> Moved:
        """Make a branch at a commit. Raises as `move` does."""
        body: Mapping[str, Json] = {"ref": f"refs/heads/{branch}", "sha": commit}
        return await self._change(context, "POST", ("refs",), body, branch, commit)

    async def delete_branch(self, context: CallContext, branch: str) -> Moved:
        """Delete a branch, wherever it stands. Raises as `move` does."""
        return await self._change(context, "DELETE", ("refs", f"heads/{branch}"), None, branch, None)

    async def _read(self, *path: str) -> _Answer | None:
        """Return the answer about something; None: it is not there."""
        try:
            async with self._session(None) as session:
                answer = await self._answer(session, "GET", path, None)
        except (TimeoutError, ResponseLost, aiohttp.ClientError, ValueError) as error:
            raise _unreachable(self._api, error) from error
        if answer.status == _NOT_FOUND:
            return None
        if answer.status >= _NO_SUCCESS:
            _refuse(self._api, answer)
        return answer

    async def _make(self, context: CallContext, what: str, body: Mapping[str, Json]) -> _Answer:
        """Make an object that is on no branch."""
        try:
            async with self._session(context) as session:
                answer = await self._answer(session, "POST", ("git", what), body)
        except (TimeoutError, ResponseLost, aiohttp.ClientError, ValueError) as error:
            raise _unreachable(self._api, error) from error
        if answer.status >= _NO_SUCCESS:
            _refuse(self._api, answer)
        if not is_commit_id(answer.text("sha")):
            raise _not_understood(self._api)
        return answer

    async def _change(
        self,
        context: CallContext,
        method: str,
        path: Sequence[str],
        body: Mapping[str, Json] | None,
        branch: str,
        wanted: str | None,
    ) -> Moved:
        """Send the one request that people see, once; of a lost answer the branch itself says what became of it."""
        try:
            async with self._session(context) as session:
                answer = await self._answer(session, method, ("git", *path), body)
        except aiohttp.ConnectionTimeoutError as error:
            raise _unreachable(self._api, error) from error
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise not_connected(self._api, error) from error
        except (TimeoutError, ResponseLost, aiohttp.ClientError, ValueError) as error:
            return await self._found_out(branch, wanted, error)
        if answer.status in (_CONFLICT, _UNPROCESSABLE) or (method == "DELETE" and answer.status == _NOT_FOUND):
            return Moved.REFUSED
        if answer.status >= _SERVER_ERROR:
            return await self._found_out(branch, wanted, None)
        if answer.status >= _NO_SUCCESS:
            _refuse(self._api, answer)
        return Moved.DONE

    async def _found_out(self, branch: str, wanted: str | None, error: Exception | None) -> Moved:
        """Return that it is done if the branch stands where it was wanted."""
        try:
            if await self.head(branch) == wanted:
                return Moved.DONE
        except ToolError:
            pass
        words = f"{self._api.host} gave no usable answer; whether {branch} was changed is not known."
        raise ToolError(OUTCOME_UNKNOWN, words) from error

    @asynccontextmanager
    async def _session(self, context: CallContext | None) -> AsyncGenerator[aiohttp.ClientSession]:
        """Yield a session; with a context it sends each request once, and only while that is allowed."""
        token = await self._token.read()
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "User-Agent": "Greenlight",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        async with aiohttp.ClientSession(
            connector=connector(reach({"forge": str(self._api)}, (), allow_private=True)),
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            headers=headers,
            middlewares=(send_once,),
            trace_configs=[] if context is None else [checks_before_sending(context)],
        ) as session:
            yield session

    async def _answer(
        self, session: aiohttp.ClientSession, method: str, path: Sequence[str], body: Mapping[str, Json] | None
    ) -> _Answer:
        url = self._api.joinpath(*(part for piece in path for part in piece.split("/")))
        async with session.request(method, url, json=body, allow_redirects=False) as response:
            raw = bytearray()
            while len(raw) <= ANSWER_BYTES and (part := await response.content.read(65536)):
                raw += part
            limited = response.headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in response.headers
            return _Answer(status=response.status, body=await _json(bytes(raw)), limited=limited)


async def _json(raw: bytes) -> Json:
    if len(raw) > ANSWER_BYTES:
        return None
    try:
        return cast("Json", await asyncio.to_thread(json.loads, raw))
    except (ValueError, RecursionError):
        return None


def _commit(api: URL, answer: _Answer) -> ForgeCommit:
    commit, tree = answer.text("sha"), answer.text("tree", "sha")
    if not is_commit_id(commit) or not is_commit_id(tree):
        raise _not_understood(api)
    page, parents = answer.text("html_url"), answer.body.get("parents") if isinstance(answer.body, Mapping) else ()
    ids = [parent.get("sha") for parent in _list(parents) if isinstance(parent, Mapping)]
    return ForgeCommit(
        id=commit,
        tree=tree,
        message=answer.text("message"),
        parents=tuple(str(parent) for parent in ids),
        page=page if page.startswith("https://") else "",
    )


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _refuse(api: URL, answer: _Answer) -> NoReturn:
    """Raise the error for an answer that is no success; nothing was changed."""
    said = sanitized_text(answer.text("message"))[:_WORDS]
    match answer.status:
        case 401:
            raise ToolError("no_secret", f"{api.host} does not know the token. Nothing was changed.")
        case 403 | 429 if answer.limited or answer.status == _TOO_MANY:
            raise ToolError("rate_limited", f"{api.host} is asked too often just now. Nothing was changed.")
        case 403 | 404:
            raise ToolError("not_allowed", f"{api.host} does not let the token do that: {said} Nothing was changed.")
        case status if status >= _SERVER_ERROR:
            raise ToolError("unavailable", f"{api.host} answered with {status}. Nothing was changed.")
        case status:
            raise ToolError("refused", f"{api.host} answered with {status}: {said} Nothing was changed.")


def _unreachable(api: URL, error: Exception) -> ToolError:
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
        return not_connected(api, error)
    return ToolError("unavailable", f"{api.host} gave no usable answer ({type(error).__name__}). Nothing was changed.")


def _not_understood(api: URL) -> ToolError:
    return ToolError("bad_answer", f"{api.host} did not answer as GitHub's API does. Nothing was changed.")
