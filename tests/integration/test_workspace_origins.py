"""No other page acts or reads in the local workspace through the browser of its machine, on whichever route."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from infra.dev.local_slack.server import Workspace, application

FOREIGN: Mapping[str, Mapping[str, str]] = {
    "another site's page": {"Sec-Fetch-Site": "cross-site"},
    "a page on another port": {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    "a page on another port, without an origin": {"Sec-Fetch-Site": "same-site"},
    "another origin": {"Origin": "http://evil.example"},
    "an origin without a name": {"Origin": "null"},
    "an origin in an old browser's frame": {"Origin": "https://127.0.0.1"},
    "another origin that claims our site": {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    "another name for this machine": {"Host": "evil.example"},
    "an unknown word": {"Sec-Fetch-Site": "SAME-ORIGIN, cross-site"},
}


def routes(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield method and path of every route, and of one that is none."""
    for route in application(workspace.backend).router.routes():
        assert route.resource is not None
        info = route.resource.get_info()
        path = info.get("path") or info.get("formatter") or f"{info.get('prefix')}/index.html"
        for name in ("method", "secret", "id", "name", "channel", "message", "path"):
            path = path.replace(f"{{{name}}}", "messages" if name == "path" else "one")
        methods = ("GET", "POST") if route.method == "*" else (route.method,)
        yield from ((method, path) for method in methods)
    yield "GET", "/nowhere"


async def status(workspace: Workspace, method: str, path: str, headers: Mapping[str, str]) -> int:
    """Return the HTTP status of a request; an answer that goes on is not read."""
    body = None if method in ("GET", "HEAD") else b'{"user": "Ada", "channel": "ops", "text": "hello"}'
    given = {**({} if body is None else {"Content-Type": "application/json"}), **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(workspace.base_url + quote(path)), data=body, headers=given) as response,
    ):
        return response.status


def test_every_kind_of_route_is_looked_at() -> None:
    paths = {path.split("/")[1] for _, path in routes(Workspace())}
    assert paths >= {"", "api", "link", "response", "upload", "files", "control", "archives", "page", "nowhere"}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_other_pages_are_refused_on_every_route(headers: Mapping[str, str]) -> None:
    async with Workspace() as workspace:
        answers = {(method, path): await status(workspace, method, path, headers) for method, path in routes(workspace)}
        assert {route for route, answer in answers.items() if answer != web.HTTPForbidden.status_code} == set()
        assert not workspace.backend.calls
        assert not any(channel.messages for channel in workspace.backend.team.channels.values())


@pytest.mark.parametrize("site", ["same-origin", "none", None])
async def test_the_page_itself_and_programs_are_answered_on_every_route(site: str | None) -> None:
    async with Workspace() as workspace:
        headers = {} if site is None else {"Sec-Fetch-Site": site}
        if site == "same-origin":
            headers["Origin"] = workspace.base_url
        answers = [await status(workspace, method, path, headers) for method, path in routes(workspace)]
        assert web.HTTPForbidden.status_code not in answers
