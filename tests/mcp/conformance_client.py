"""Our client as the protocol's conformance suite runs it: `conformance_client.py URL`, the scenario in the environment.

Lists the server's tools and calls each as the app does, with whatever arguments its schema asks for.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import httpx2
from cryptography.fernet import Fernet

from agent.execution.tool_input import MOST_ROUNDS
from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.tool import CallContext, Colour, InputGiven, InputRequired, ToolError
from infra.accounts.clients import Clients
from infra.accounts.keys import Keyring
from infra.accounts.provider import Provider, ProviderFailed, Tokens, code_in
from infra.accounts.rows import RegisteredClient
from infra.accounts.settings import AccountsTable, ProviderConfig
from infra.tools.mcp.connection import McpConnection
from infra.tools.mcp.http import Bearer
from infra.tools.mcp.pins import Definition
from infra.tools.mcp.settings import McpServer, McpServerConfig, ServerName
from infra.tools.secret import Secret
from sandbox.script import Json

CONTEXT = CallContext(
    thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U"), idempotency_key=Digest("conformance")
)


def calls_of(tools: Sequence[Definition]) -> Iterator[tuple[Definition, Mapping[str, Json]]]:
    """Yield the calls to make: those that the scenario asks for, else one of each tool."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    asked: list[Any] = context.get("toolCalls") or []
    by_name = {tool.name: tool for tool in tools}
    if asked:
        yield from ((by_name[call["name"]], call.get("arguments") or {}) for call in asked)
        return
    for tool in tools:
        properties = cast("Mapping[str, Any]", tool.schema.get("properties") or {})
        yield tool, {name: _value(tools, about) for name, about in properties.items()}


def _value(tools: Sequence[Definition], about: Mapping[str, Any]) -> Json:
    match about.get("type"):
        case "number" | "integer":
            return 2
        case "object":
            return tools[0].schema  # a scenario wants the first tool's schema back
        case _:
            return "x"


class ConformingAccount:
    """The account of a person who agrees to everything, at the provider that a server names."""

    provider = "it"

    def __init__(self, url: str) -> None:
        given: Any = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
        if secret := given.get("client_secret"):
            os.environ["CONFORMANCE_SECRET"] = secret
        config = ProviderConfig(
            resource=url,
            client_id=given.get("client_id", ""),
            client_secret=Secret(env="CONFORMANCE_SECRET") if secret else None,
        )
        self._provider = Provider("it", config)
        self._keys = Keyring(Fernet.generate_key().decode())
        self._token = ""

    async def token(self, refused: str = "") -> str:
        """Return a token, for which the person goes to the provider and back."""
        if not self._token or refused:
            self._token = (await self._connected()).access
        return self._token

    async def _connected(self) -> Tokens:
        clients = Clients(AccountsTable(listen="127.0.0.1:8420"), ClientsInMemory(), self._keys)
        client, verifier = await clients.of(self._provider), "v" * 43
        url = await self._provider.authorize_url(client, clients.redirect, "the-state", verifier)
        async with httpx2.AsyncClient() as browser:
            answer = await browser.get(url, follow_redirects=False)
        back = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        code = code_in(back, await self._provider.metadata())
        if back.get("state") != "the-state" or code is None:
            raise ProviderFailed("it is no answer of this provider")
        return await self._provider.exchange(client, clients.redirect, code, verifier)


class ClientsInMemory:
    """The ClientRows of one run."""

    async def client(self, provider: str) -> RegisteredClient | None:
        """Return none: each run registers anew."""
        return None

    async def register(self, provider: str, client: RegisteredClient) -> None:
        """Keep nothing."""


async def _called(
    connection: McpConnection, tool: Definition, args: Mapping[str, Json], account: ConformingAccount | None
) -> None:
    """Call a tool as the app does; whoever it asks takes what stands in the form, and writes x where nothing does."""
    context = replace(CONTEXT, account=account)
    for _ in range(MOST_ROUNDS):
        try:
            await connection.call(context, tool, args, Colour.GREEN)
        except InputRequired as needed:
            answers = {key: _answer(question) for key, question in needed.asked.questions.items()}
            context = replace(context, given=InputGiven(answers=answers, state=needed.asked.state))
        else:
            return


def _answer(question: Json) -> Json:
    schema: Mapping[str, Any] = cast("Mapping[str, Any]", question).get("schema") or dict[str, Any]()
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties") or dict[str, Mapping[str, Any]]()
    content = {name: about.get("default", _sample(about)) for name, about in properties.items()}
    return {"action": "accept", "content": content}


def _sample(about: Mapping[str, Any]) -> Json:
    match about.get("type"):
        case "boolean":
            return True
        case "number" | "integer":
            return 2
        case _:
            return "x"


def first_stream() -> asyncio.Event:
    """Return an event that is set once the client has opened its stream."""
    opened, handle = asyncio.Event(), httpx2.AsyncHTTPTransport.handle_async_request

    async def noting(self: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
        response = await handle(self, request)
        if request.method == "GET":
            opened.set()
        return response

    httpx2.AsyncHTTPTransport.handle_async_request = noting
    return opened


async def main(url: str) -> None:
    """Do what a scenario looks for."""
    opened = first_stream()
    with TemporaryDirectory() as home:
        config = McpServerConfig(url=url, connect_seconds=20, call_seconds=20)
        server = McpServer(name=ServerName("it"), config=config, home=Path(home))
        account = ConformingAccount(url) if os.environ.get("MCP_CONFORMANCE_SCENARIO", "").startswith("auth/") else None
        bearer = None if account is None else Bearer(token=await account.token())
        connection = McpConnection(server, bearer=bearer)
        try:
            tools = await connection.listed()
            if os.environ.get("MCP_CONFORMANCE_SCENARIO") == "sse-retry":
                # The suite takes the first stream after a call for the one that is opened again.
                await opened.wait()
            for tool, args in calls_of(tools):
                try:
                    await _called(connection, tool, args, account)
                except ToolError as error:
                    print(f"{tool.name}: {error}", file=sys.stderr)
        finally:
            await connection.close()


asyncio.run(main(sys.argv[1]))
