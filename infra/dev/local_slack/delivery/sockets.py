"""Socket Mode: connections, envelopes and their acknowledgements.

Each envelope goes to one connection. It must be acknowledged on that connection within `ack_seconds`.
Shape of the messages: https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

import asyncio
import json
import secrets
import uuid
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from infra.dev.local_slack.state.feed import Feed
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_object

MOST_CONNECTIONS = 10


@dataclass(frozen=True, kw_only=True)
class Ack:
    """The app acknowledged."""

    #: The answer that came with it.
    payload: JsonObject | None = None


@dataclass(frozen=True, kw_only=True)
class NoAck:
    """Nobody acknowledged in time."""

    #: Slack's retry_reason.
    reason: str = "timeout"


@dataclass(eq=False, kw_only=True)
class Connection:
    """One open websocket of the app."""

    socket: web.WebSocketResponse
    pending: dict[str, asyncio.Future[Ack]] = field(default_factory=dict[str, "asyncio.Future[Ack]"])
    #: It was asked to disconnect: it may still acknowledge, and gets nothing new.
    retired: bool = False


class Sockets:
    """All connections of the app, taken in turn."""

    def __init__(self, *, app_id: str, ack_seconds: float, feed: Feed) -> None:
        self.app_id = app_id
        self._feed = feed
        self.ack_seconds = ack_seconds
        self.connections: list[Connection] = []
        self.complaints: list[str] = []
        self._tickets: set[str] = set()
        self._opened = asyncio.Event()
        self._turn = 0

    def ticket(self) -> str:
        """Return a secret that opens one websocket, once."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Run one websocket until it closes."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401, text="ticket unknown or used")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(heartbeat=30.0)
        await socket.prepare(request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await socket.send_str(json.dumps({"type": "disconnect", "reason": "too_many_websockets"}))
            await socket.close()
            return socket
        connection = Connection(socket=socket)
        self.connections.append(connection)
        try:
            await socket.send_str(json.dumps(self._hello()))
            self._opened.set()
            self._feed.tell("connection", connected=True)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._received(connection, str(message.data))
        finally:
            self.connections.remove(connection)
            if not any(not connection.retired for connection in self.connections):
                self._opened.clear()
                self._feed.tell("connection", connected=False)
            for future in connection.pending.values():
                if not future.done():
                    future.set_exception(ConnectionResetError("the app's websocket closed"))
        return socket

    async def offer(
        self, type: str, payload: JsonObject, *, accepts_response: bool = False, attempt: int = 0, reason: str = ""
    ) -> Ack | NoAck:
        """Send one envelope to one connection and wait for its acknowledgement."""
        connection = await self._next_connection()
        if connection is None:
            return NoAck()
        envelope_id = str(uuid.uuid4())
        envelope: JsonObject = {
            "envelope_id": envelope_id,
            "payload": payload,
            "type": type,
            "accepts_response_payload": accepts_response,
        }
        if type == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        connection.pending[envelope_id] = future
        try:
            await connection.socket.send_str(json.dumps(envelope))
            async with asyncio.timeout(self.ack_seconds):
                return await future
        except (TimeoutError, ConnectionError):
            return NoAck()
        finally:
            connection.pending.pop(envelope_id, None)

    async def disconnect(self, reason: str, *, abrupt: bool = False) -> int:
        """Send every connection away: politely with a reason, or `abrupt` by closing it; return how many it were."""
        leaving = list(self.connections)
        for connection in leaving:
            if abrupt:
                await connection.socket.close()
                continue
            connection.retired = True
            await connection.socket.send_str(
                json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "local-workspace"}})
            )
        if not abrupt:
            self._opened.clear()
        return len(leaving)

    async def close(self) -> None:
        """Close every connection for good."""
        for connection in list(self.connections):
            await connection.socket.close()

    def _hello(self) -> JsonObject:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "debug_info": {"host": "local-workspace", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self.app_id},
        }

    async def _next_connection(self) -> Connection | None:
        """Return the connection whose turn it is, waiting for one as long as for an acknowledgement."""
        try:
            async with asyncio.timeout(self.ack_seconds):
                await self._opened.wait()
        except TimeoutError:
            return None
        able = [connection for connection in self.connections if not connection.retired]
        if not able:
            return None
        self._turn += 1
        return able[self._turn % len(able)]

    def _received(self, connection: Connection, text: str) -> None:
        message = decoded(text)
        envelope_id = message.get("envelope_id") if is_object(message) else None
        if not is_object(message) or not isinstance(envelope_id, str):
            self.complaints.append(f"a websocket message without envelope_id: {text[:200]}")
            return
        future = connection.pending.get(envelope_id)
        if future is None or future.done():
            self.complaints.append(f"envelope {envelope_id} acknowledged late, twice or on another connection")
            return
        payload = message.get("payload")
        future.set_result(Ack(payload=payload if is_object(payload) else None))
