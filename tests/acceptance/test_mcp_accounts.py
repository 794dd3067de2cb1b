"""MCP servers that know people by their accounts: each call over its author's own connection, with their own token."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy import URL

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, rows, states
from tests.acceptance.plans import ANSWERS, ENDS, planned, results_told, tool
from tests.acceptance.processes import GREENLIGHT, app_environment
from tests.acceptance.test_tools_accounts import Accounts, waits
from tests.mcp.servers import Table, pin
from tests.oauth.provider import OauthProvider, TokenApi, free_port, oauth_provider

COMPLETE = {"resultType": "complete"}
PRIVATE = {**COMPLETE, "ttlMs": 0, "cacheScope": "private"}


class PersonalServer:
    """An MCP server that takes the provider's tokens, says so by its metadata, and answers who somebody is."""

    def __init__(self, provider: OauthProvider) -> None:
        self.api = TokenApi(provider)
        self.provider = provider
        self.url = ""
        self.calls: list[str] = []
        #: Those it was shown, and those that it does not take any more.
        self.tokens: set[str] = set()
        self.refused: set[str] = set()
        #: Without it anybody may ask, as an operator who pins does.
        self.closed = False

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["PersonalServer"]:
        """Listen until the context is left."""
        app = web.Application()
        app.router.add_get("/.well-known/oauth-protected-resource/mcp", self._metadata)
        app.router.add_route("*", "/mcp", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
            yield self
        finally:
            await runner.cleanup()

    async def _metadata(self, _request: web.Request) -> web.Response:
        return web.json_response({"resource": self.url, "authorization_servers": [self.provider.url]})

    async def _answer(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.tokens.add(token)
        who = "nobody" if not self.closed else await self.provider.who(token)
        if not who or token in self.refused:
            there = self.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
            return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer resource_metadata="{there}"'})
        if request.method != "POST":
            return web.Response(status=405)
        message = await request.json()
        result: dict[str, Any]
        match message.get("method"):
            case "server/discover":
                result = {**PRIVATE, "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            case "tools/list":
                schema: dict[str, Any] = {"type": "object", "properties": {}}
                result = {
                    **PRIVATE,
                    "tools": [{"name": "me", "description": "Says who you are.", "inputSchema": schema}],
                }
            case "tools/call":
                self.calls.append(who)
                result = {**COMPLETE, "content": [{"type": "text", "text": f"you are {who}"}]}
            case _:
                return web.Response(status=202)
        return web.json_response({"jsonrpc": "2.0", "id": message.get("id"), "result": result})


@asynccontextmanager
async def personal_scene(url: URL, folder: Path, colour: str) -> AsyncGenerator[tuple[Accounts, PersonalServer]]:
    """Open a scene with such a server, whose provider is found by its metadata, and at which the app registers."""
    listen = f"127.0.0.1:{free_port()}"
    async with oauth_provider() as provider, PersonalServer(provider).serving() as server:
        table: Table = {"url": server.url, "colours": {"me": colour}, "account": "desk"}
        await pin(folder, {"desk": {key: value for key, value in table.items() if key != "account"}}, {})
        server.closed = True

        def configured(tables: dict[str, Any]) -> None:
            scopes = ["openid", "offline_access", "email"]
            tables["accounts"] = {"listen": listen, "desk": {"title": "Desk", "resource": server.url, "scopes": scopes}}
            tables["mcp"] = {"desk": table}

        async with app_scene(url, folder, [ENDS, ANSWERS], approvals={}, configuration=configured) as scene:
            yield Accounts(scene=scene, provider=provider, api=server.api), server


async def test_a_call_runs_as_its_author_who_connects_where_the_server_says(database_url: URL, tmp_path: Path) -> None:
    async with personal_scene(database_url, tmp_path, "green") as (it, server):
        for who in ("Ada", "Grace"):
            it.scene.model.add(planned(tool("me", "desk_me", {}), contains=f"who is {who}?"))
            async with it.scene.asked(f"who is {who}?", by=who) as observer:
                await observer.until(waits, "the card")
                assert server.calls.count(who.lower()) == 0
                await it.connect(observer, who, who.lower())
                await observer.until(answered, "the answer")
                assert states(observer)["me"].startswith("complete")
            assert f"you are {who.lower()}" in json.dumps(results_told(it.scene.model.requests_of("conclude")[-1]))
        assert server.calls == ["ada", "grace"]
        assert (await rows(database_url, "SELECT provider FROM account_clients")) == [("desk",)]
        server.refused |= server.tokens
        before = await it.provider.counts()
        it.scene.model.add(planned(tool("me", "desk_me", {}), contains="again"))
        async with it.scene.asked("again") as observer:
            await observer.until(answered, "the answer")
            assert states(observer)["me"].startswith("complete")
        assert server.calls == ["ada", "grace", "ada"]
        assert (await it.provider.counts())["refresh_token"] - before["refresh_token"] == 1


async def test_a_red_call_runs_as_its_author_once_and_not_at_all_before(database_url: URL, tmp_path: Path) -> None:
    async with personal_scene(database_url, tmp_path, "red") as (it, server):
        it.scene.model.add(planned(tool("me", "desk_me", {})))
        async with it.scene.asked("me") as observer:
            await observer.until(waits, "the card")
            await it.connect(observer, "Ada", "ada")
            await observer.until(lambda seen: seen.says("Runs as ada@example.com at desk"), "the card of the call")
            assert server.calls == []
            await it.scene.click(observer, "Ada", "approved")
            await observer.until(answered, "the answer")
        assert server.calls == ["ada"]


async def test_an_operator_pins_a_server_that_lists_its_tools_to_people_alone(
    database_url: URL, tmp_path: Path
) -> None:
    async with personal_scene(database_url, tmp_path, "green") as (it, server):
        it.scene.model.add(planned(tool("me", "desk_me", {})))
        async with it.scene.asked("who am I?") as observer:
            await it.connect(observer, "Ada", "ada")
            await observer.until(answered, "the answer")
        (folder := tmp_path / "operator").mkdir()
        (file := folder / "greenlight.toml").write_text(f"""
[mcp.desk]
url = "{server.url}"
account = "desk"
[accounts.desk]
resource = "{server.url}"
""")
        environment = {**os.environ, **app_environment(it.scene, file), "GREENLIGHT_DATA": str(tmp_path)}

        async def pinned(*more: str) -> tuple[int, str]:
            command = [GREENLIGHT, "mcp", "pin", "desk", "--yes", *more]
            ran = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
            return ran.returncode, ran.stdout + ran.stderr

        assert (await pinned())[0] == 1
        code, told = await pinned("--as", "U0ADA")
        assert (code, "1 tools of desk are pinned" in told) == (0, True), told
        code, told = await pinned("--as", "U0GRACE")
        assert (code, "ada" in told) == (1, False), told
