"""A server that is a process: it speaks in lines of JSON, knows nothing of our environment, and ends with its line."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Unpack

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastmcp.client.transports.base import ClientTransport, SessionKwargs, TransportOptions
from mcp import ClientSession
from mcp.client.session import ElicitationFnT
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCRequest, JSONRPCResponse, RequestId, jsonrpc_message_adapter

from infra.tools.child_process import close_pipes, send_signal
from infra.tools.mcp.bounds import Inflow, Line, SentTooMuch, UncheckedSession
from infra.tools.mcp.settings import McpServer

_CHUNK = 64 * 1024

_PARSED_AT_ONCE = 64 * 1024
"""A longer line is read in a thread."""

_END_SECONDS = 1.0
"""How long a process has to end, after its input was closed and again after SIGTERM."""

_STDERR_PAUSE = 0.05
"""Between two chunks of what it writes to its standard error: a flood there is its own."""


class StdioTransport(ClientTransport):
    """Starts the server's process anew for each connection."""

    def __init__(self, server: McpServer, line: Line, *, message_bytes: int) -> None:
        self._server = server
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
        """Yield a session with a new process.

        Raises:
            OSError: the program cannot be started.
        """
        session_kwargs["log_level"] = None
        session_kwargs["elicitation_callback"] = self.elicitation_callback
        async with (
            _process(self._server) as process,
            _Pipes(process, self._line, Inflow(message_bytes=self._message_bytes)).open() as (incoming, outgoing),
            UncheckedSession(incoming, outgoing, **session_kwargs) as session,
        ):
            yield session


@asynccontextmanager
async def _process(server: McpServer) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start the program in a session and a folder of its own; end it and what it started when the context is left.

    Where the machine has the programs for it, it dies with us, is the first to go when memory runs out, and gets no
    more memory than `memory_megabytes`.
    """
    await asyncio.to_thread(server.home.mkdir, parents=True, exist_ok=True)
    config, path = server.config, server.environment.get("PATH")
    if (program := shutil.which(config.command, path=path)) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    process = await asyncio.create_subprocess_exec(
        *_confining(config.memory_megabytes),
        program,
        *config.args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(server.environment),
        cwd=server.home,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


@cache
def _confining(memory_megabytes: int) -> tuple[str, ...]:
    """Return the beginning of a command line whose rest runs confined; programs that are not there are left out."""
    wanted = (
        ("setpriv", "--pdeathsig", "KILL", "--"),
        ("choom", "-n", "1000", "--"),
        ("prlimit", f"--data={memory_megabytes * 1024 * 1024}", "--core=0", "--"),
    )
    there = ((shutil.which(program), *options) for program, *options in wanted)
    return tuple(word for path, *options in there if path is not None for word in (path, *options))


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None  # noqa: S101 - it was started with pipes
    process.stdin.close()
    if not await _over(process):
        send_signal(process, signal.SIGTERM)
        await _over(process)
    # Whatever it left running goes, too.
    send_signal(process, signal.SIGKILL)
    await _over(process)
    # A process that left the group may hold a pipe open.
    close_pipes(process)


async def _over(process: asyncio.subprocess.Process) -> bool:
    deadline = asyncio.get_running_loop().time() + _END_SECONDS
    # `process.wait()` would wait until nobody holds its pipes any more.
    while process.returncode is None and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return process.returncode is not None


class _Pipes:
    """Carries messages between a process's pipes and a session."""

    def __init__(self, process: asyncio.subprocess.Process, line: Line, inflow: Inflow) -> None:
        self._process = process
        self._line = line
        self._inflow = inflow
        #: The requests that wait for an answer.
        self._asked: set[RequestId] = set()

    @asynccontextmanager
    async def open(
        self,
    ) -> AsyncGenerator[
        tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]
    ]:
        """Yield what comes in and what goes out."""
        arrive, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, leave = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as group:
            group.start_soon(self._read, arrive)
            group.start_soon(self._write, leave, arrive)
            group.start_soon(self._drain_errors)
            try:
                yield incoming, outgoing
            finally:
                group.cancel_scope.cancel()
                for stream in (arrive, incoming, outgoing, leave):
                    stream.close()

    async def _read(self, arrive: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        fault = ""
        try:
            async with arrive:
                async for line in self._lines():
                    if (message := await self._message(line)) is not None:
                        await arrive.send(message)
        except SentTooMuch as error:
            fault = str(error)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError):
            pass  # the session is gone, or the pipe
        finally:
            self._line.end(fault)

    async def _lines(self) -> AsyncGenerator[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - it was started with pipes
        begun = bytearray()
        while chunk := await self._process.stdout.read(_CHUNK):
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                begun += part
                self._inflow.check_size(len(begun))
                yield bytes(begun)
                begun.clear()
            begun += rest
            self._inflow.check_size(len(begun))

    async def _message(self, line: bytes) -> SessionMessage | None:
        """Return the message of a line; None for a line that is none."""
        try:
            if len(line) > _PARSED_AT_ONCE:
                message = await asyncio.to_thread(jsonrpc_message_adapter.validate_json, line, by_name=False)
            else:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            self._inflow.note_unasked(len(line))
            return None
        if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id in self._asked:
            self._asked.discard(message.id)
        else:
            self._inflow.note_unasked(len(line))
        return SessionMessage(message)

    async def _write(
        self,
        leave: MemoryObjectReceiveStream[SessionMessage],
        arrive: MemoryObjectSendStream[SessionMessage | Exception],
    ) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was started with pipes
        try:
            async with leave:
                async for sent in leave:
                    if isinstance(sent.message, JSONRPCRequest):
                        self._asked.add(sent.message.id)
                    text = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                    self._process.stdin.write(text.encode() + b"\n")
                    await self._process.stdin.drain()
        except (anyio.ClosedResourceError, ConnectionError, RuntimeError):
            self._line.end()
            await arrive.aclose()  # whoever waits for an answer hears that none comes

    async def _drain_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was started with pipes
        with contextlib.suppress(ConnectionError):
            while await self._process.stderr.read(_CHUNK):  # noqa: ASYNC110 - it waits for nothing, it slows down
                await asyncio.sleep(_STDERR_PAUSE)
