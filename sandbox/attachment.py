"""A container's stdin, stdout and stderr over one hijacked connection to the engine, as asyncio streams.

Opened by hand because the Docker package's own socket keeps a descriptor open after it is closed, and
blocks removal behind an undrained flood; here closing is `abort`, at once and for good.
Wire format: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

import asyncio
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from sandbox.errors import ContainerLost, EngineUnavailable

ANSWER_SECONDS = 10.0
PIECE_BYTES = 1 << 16
UNSENT_BYTES = 1 << 20


class Stream(IntEnum):
    """The engine's numbers for the streams inside the connection."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2


class Piece(NamedTuple):
    """Bytes of one stream; the engine cuts where it likes."""

    stream: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the engine listens: a unix socket's path, or host and port with TLS when `tls` is set."""

    path: str = ""
    host: str = ""
    port: int = 0
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


class Attachment:
    """An open connection to a container's streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._stream = 0
        self._left = 0
        self._outbox: list[bytes] = []

    @property
    def ended(self) -> bool:
        """Whether the other side has closed the connection and everything was read."""
        return self._reader.at_eof()

    async def read(self) -> Piece | None:
        """Return what the container wrote next, or None when it has ended."""
        try:
            while not self._left:
                self._stream, self._left = struct.unpack(">BxxxL", await self._reader.readexactly(8))
            data = await self._reader.read(min(self._left, PIECE_BYTES))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self._left -= len(data)
        return Piece(self._stream, data) if data else None

    async def send(self, data: bytes) -> None:
        """Write to the container's stdin, together with everything else that is sent before the loop turns.

        Waits only while much is unsent. The reader notices a container that is gone.
        """
        if not self._outbox:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outbox.append(data)
        if self._writer.transport.get_write_buffer_size() > UNSENT_BYTES or len(data) > PIECE_BYTES:
            with suppress(ConnectionError):
                await self._writer.drain()

    def _flush(self) -> None:
        data, self._outbox = b"".join(self._outbox), []
        if not self._writer.transport.is_closing():
            self._writer.write(data)

    def abort(self) -> None:
        """Close both directions now, without waiting for anything to be read or written. Idempotent."""
        self._writer.transport.abort()


async def check_listening(address: Address) -> None:
    """Return when an engine listens at the address.

    Raises:
        EngineUnavailable: none does.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await _connect(address)
    except (OSError, TimeoutError) as error:
        raise EngineUnavailable(f"nothing listens at {address}: {error or 'no answer'}") from error
    writer.transport.abort()


async def attach(address: Address, container: str) -> Attachment:
    """Open the streams of a container that was created and not yet started, so no early byte is lost.

    Raises:
        EngineUnavailable: the engine does not answer.
        ContainerLost: it refuses.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await _connect(address)
            request = (
                f"POST /containers/{container}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n"
                "Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
            )
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
    except BaseException as error:
        if writer is not None:
            writer.transport.abort()
        if isinstance(error, OSError | TimeoutError | asyncio.IncompleteReadError | asyncio.LimitOverrunError):
            raise EngineUnavailable(f"attach: {error or type(error).__name__}") from error
        raise
    status = head.split(b" ", 2)[1:2]
    if status not in ([b"101"], [b"200"]):
        writer.transport.abort()
        raise ContainerLost(f"attach: {head.splitlines()[0].decode(errors='replace')}")
    return Attachment(reader, writer)


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.path:
        return await asyncio.open_unix_connection(address.path)
    return await asyncio.open_connection(address.host, address.port, ssl=address.tls)
