"""A Docker engine that goes away and comes back, for one test alone: a socket in front of the machine's engine."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sandbox.attachment import Address
from tests.fakes.docker_engine import engine_or_skip

_PIECE_BYTES = 1 << 16


class DockerProxy:
    """Passes on to the machine's engine, unless it is away."""

    def __init__(self, path: Path, engine: Address) -> None:
        self._path = path
        self._engine = engine
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._away = False

    @property
    def address(self) -> str:
        """Return what DOCKER_HOST must be."""
        return f"unix://{self._path}"

    async def listen(self) -> None:
        """Start to listen."""
        self._server = await asyncio.start_unix_server(self._accept, self._path)

    def go_away(self) -> None:
        """End every connection, and each one that is opened from now on.

        It is accepted first, because the Docker package leaves the socket of a refused connection open.
        """
        self._away = True
        for writer in self._writers:
            writer.transport.abort()

    def come_back(self) -> None:
        """Pass on again."""
        self._away = False

    async def close(self) -> None:
        """End everything."""
        self.go_away()
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        try:
            engine_reader, engine_writer = await _connect(self._engine)
            both = {writer, engine_writer}
            self._writers |= both
            await asyncio.gather(_pass_on(reader, engine_writer), _pass_on(engine_reader, writer))
            for end in both:
                end.transport.abort()
            self._writers -= both
        finally:
            self._passing.discard(task)


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.path:
        return await asyncio.open_unix_connection(address.path)
    return await asyncio.open_connection(address.host, address.port, ssl=address.tls)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@asynccontextmanager
async def docker_proxy(folder: Path) -> AsyncGenerator[DockerProxy]:
    """Start a proxy in front of the engine that the environment names now, and end it."""
    engine = await engine_or_skip()
    await engine.close()
    proxy = DockerProxy(folder / "docker.sock", engine.address)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
