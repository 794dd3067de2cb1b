"""An independent provider of OAuth (npm's oidc-provider), an API that takes its tokens, and people with a browser."""

import asyncio
import base64
import json
import re
import socket
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
from aiohttp import web

from infra.accounts.settings import CALLBACK
from sandbox.script import Json
from tests.mcp.servers import NODE, node_modules

HERE = Path(__file__).parent
CLIENT_ID, CLIENT_SECRET = "greenlight", "client-secret-0123456789"

_FORM = re.compile(r'<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
_INPUT = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_MOST_PAGES = 12


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@dataclass(kw_only=True)
class OauthProvider:
    """A running provider."""

    url: str

    async def counts(self) -> Mapping[str, Any]:
        """Return how many grants of each kind it gave, how many tokens it revoked, and its errors."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/counts") as response:
            return await response.json()

    async def who(self, token: str) -> str:
        """Return whose token this is; empty when it is none."""
        url = f"{self.url}/token/introspection"
        app = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        headers = {"Authorization": f"Basic {app}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(url, data={"token": token or "none"}) as told,
        ):
            return str((await told.json()).get("sub", ""))

    def table(self, **more: object) -> dict[str, object]:
        """Return the table of the configuration."""
        (secret := Path(tempfile.mkdtemp()) / "secret").write_text(CLIENT_SECRET)
        return {
            "title": "Example",
            "issuer": self.url,
            "client_id": CLIENT_ID,
            "client_secret": {"file": str(secret)},
            "scopes": ["openid", "offline_access", "email"],
            **more,
        }


@asynccontextmanager
async def oauth_provider(*redirects: str, **options: Json) -> AsyncGenerator[OauthProvider]:
    """Run the provider, with these addresses to come back to. `seconds`: how long its access tokens last."""
    modules = await asyncio.to_thread(node_modules, HERE)
    given = json.dumps({**({"redirects": list(redirects)} if redirects else {}), **options})
    process = await asyncio.create_subprocess_exec(
        NODE, HERE / "server.mjs", modules, given, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield OauthProvider(url=f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        await process.wait()


@dataclass(kw_only=True)
class Page:
    """What a browser shows."""

    url: str
    status: int
    text: str


@dataclass(kw_only=True)
class Browser:
    """A person's browser: it keeps cookies, and follows redirects and forms."""

    login: str
    session: aiohttp.ClientSession
    #: Whether it stays where the provider sends it back, so that its address can be read.
    stays: bool = False

    async def get(self, url: str) -> Page:
        """Follow a link."""
        return await self._request("GET", url, None)

    async def submit(self, page: Page, **values: str) -> Page:
        """Submit the first form of a page."""
        found = _FORM.search(page.text)
        assert found is not None, page.text
        fields: dict[str, str] = {}
        for tag in _INPUT.findall(found[2]):
            about = {name: unescape(value) for name, value in _ATTRIBUTE.findall(tag)}
            if "name" in about:
                fields[about["name"]] = about.get("value", "")
        target = urljoin(page.url, unescape(found[1])) if found[1] else page.url
        return await self._request("POST", target, {**fields, **values})

    async def connect(self, link: str) -> Page:
        """Follow the app's link, log in at the provider as the browser's person, agree, and come back."""
        return await self.agree(await self.get(link))

    async def agree(self, page: Page) -> Page:
        """Go on from a page with a form to the first one without."""
        for _ in range(_MOST_PAGES):
            if _FORM.search(page.text) is None:
                return page
            asks_who = 'name="login"' in page.text
            page = await self.submit(page, **({"login": self.login, "password": "x"} if asks_who else {}))
        raise AssertionError(page.text)

    async def _request(self, method: str, url: str, form: Mapping[str, str] | None) -> Page:
        for _ in range(_MOST_PAGES):
            async with self.session.request(method, url, data=form, allow_redirects=False) as response:
                location = response.headers.get("Location")
                if location is None:
                    return Page(url=url, status=response.status, text=await response.text())
                method, url, form = "GET", urljoin(url, location), None
            if self.stays and CALLBACK in url:
                return Page(url=url, status=0, text="")
        raise AssertionError(url)


@asynccontextmanager
async def browser(login: str) -> AsyncGenerator[Browser]:
    """Open a browser for a person who logs in by this name."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Browser(login=login, session=session)


class TokenApi:
    """An API that takes the provider's tokens: `GET /name` says whose token it was; without a good one it is 401."""

    def __init__(self, provider: OauthProvider) -> None:
        self.provider = provider
        self.url = ""
        #: The tokens as they came.
        self.tokens: list[str] = []
        self.calls: Counter[str] = Counter()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["TokenApi"]:
        """Listen until the context is left."""
        app = web.Application()
        app.router.add_route("*", "/{name}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        self.tokens.append(given.removeprefix("Bearer "))
        if not (who := await self.provider.who(self.tokens[-1])):
            return web.json_response({"error": "invalid_token"}, status=401)
        self.calls[f"{request.method} {request.match_info['name']} {who}"] += 1
        return web.json_response({"you": who, "name": request.match_info["name"], "echo": given})
