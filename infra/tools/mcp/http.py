"""A server at an address: streamable HTTP, with every answer bounded before anybody parses it."""

import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Unpack

import httpx2
from fastmcp.client.transports.base import ClientTransport, SessionKwargs, TransportOptions
from mcp import ClientSession
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client

from infra.tools.mcp.bounds import Inflow, Line, SentTooMuch, UncheckedSession
from infra.tools.mcp.settings import McpServer

_IDENTITY = "identity"
_NO_ANSWER = 502

_log = logging.getLogger(__name__)


TOKEN_REFUSED = -32097
"""The code of the error that a request ends with whose token the server did not take: it has done nothing."""

_UNAUTHORIZED = 401
_REFUSAL = {"jsonrpc": "2.0", "id": None, "error": {"code": TOKEN_REFUSED, "message": "the token was refused"}}


@dataclass(kw_only=True)
class Bearer:
    """The access token that one person's connection shows."""

    token: str = field(default="", repr=False)
    #: The one that the server refused last.
    refused: str = field(default="", repr=False)


class HttpTransport(ClientTransport):
    """Speaks with the server's address. Takes no proxy and no credentials from the environment.

    With a `bearer` it shows that person's token, and none of the app's credentials.
    """

    def __init__(self, server: McpServer, line: Line, *, message_bytes: int, bearer: Bearer | None = None) -> None:
        self._server = server
        self._bearer = bearer
        self._line = line
        self._message_bytes = message_bytes
        #: Answers a server that asks for input.
        self.elicitation_callback: ElicitationFnT | None = None

    @contextlib.asynccontextmanager
    async def connect_session(
        self,
        *,
        transport_options: TransportOptions | None = None,  # noqa: ARG002 - the session is one of our own
        **session_kwargs: Unpack[SessionKwargs],
    ) -> AsyncGenerator[ClientSession]:
        """Yield a session with the server."""
        session_kwargs["log_level"] = None
        session_kwargs["elicitation_callback"] = self.elicitation_callback
        config = self._server.config
        client = httpx2.AsyncClient(
            transport=_BoundedTransport(self._line, Inflow(message_bytes=self._message_bytes), self._bearer),
            headers={**(self._server.headers if self._bearer is None else {}), "Accept-Encoding": _IDENTITY},
            timeout=httpx2.Timeout(config.connect_seconds, read=None),
            trust_env=False,
        )
        try:
            async with (
                client,
                streamable_http_client(config.url, http_client=client, max_sse_event_size=self._message_bytes) as (
                    incoming,
                    outgoing,
                ),
                UncheckedSession(incoming, outgoing, **session_kwargs) as session,
            ):
                yield session
        finally:
            self._line.end()


class _CutOff(httpx2.StreamError):
    """The answer is longer than it may be, or broke off: only the request that waits for it fails."""


class _BoundedTransport(httpx2.AsyncHTTPTransport):
    """Returns answers that end in an error where they become too long."""

    def __init__(self, line: Line, inflow: Inflow, bearer: Bearer | None) -> None:
        super().__init__(trust_env=False)
        self._line = line
        self._inflow = inflow
        self._bearer = bearer

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        token = "" if self._bearer is None else self._bearer.token
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        try:
            response = await super().handle_async_request(request)
        except httpx2.TransportError as error:
            # Raised here, it would end the connection with every other call.
            _log.info("an MCP server gave no answer: %s", type(error).__name__)
            return httpx2.Response(_NO_ANSWER, request=request)
        if self._bearer is not None and response.status_code == _UNAUTHORIZED:
            await response.aclose()
            self._bearer.refused = token
            return httpx2.Response(_UNAUTHORIZED, json=_REFUSAL, request=request)
        # Packed, a short answer could be a very long one.
        if response.headers.get("content-encoding", _IDENTITY).lower() != _IDENTITY:
            await response.aclose()
            return httpx2.Response(_NO_ANSWER, request=request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - of an asynchronous transport
        response.stream = _BoundedStream(response.stream, self._line, self._inflow, asked=request.method != "GET")
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    """The body of an answer: one message, and the notifications that come with it."""

    def __init__(self, stream: httpx2.AsyncByteStream, line: Line, inflow: Inflow, *, asked: bool) -> None:
        self._stream = stream
        self._line = line
        self._inflow = inflow
        #: Whether there is a request that waits for it; notifications may take as much room again then.
        self._asked = asked

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, before = 0, 0
        try:
            async for chunk in self._stream:
                size += len(chunk)
                self._inflow.check_size(size // 2 if self._asked else size - before)
                # An empty line ends an event.
                for _ in range(chunk.count(b"\n\n") + chunk.count(b"\r\n\r\n")):
                    self._inflow.note_unasked(0 if self._asked else size - before)
                    before = size
                yield chunk
        except SentTooMuch as error:
            self._line.end(str(error))
            raise _CutOff(str(error)) from None
        except httpx2.TransportError as error:
            raise _CutOff("it broke off") from error

    async def aclose(self) -> None:
        await self._stream.aclose()
