"""The end of a program that was started in a session of its own."""

import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress


def send_signal(process: Process, number: signal.Signals) -> None:
    """Send a signal to the program and to everything that it started and that stayed in its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def close_pipes(process: Process) -> None:
    """Let go of the program's pipes: what is unread stays unread, whoever else holds them.

    `Process.wait` waits for the ends of the pipes as well. One that is full of what nobody reads, or that is held by a
    program which left the group, has none.
    """
    transport = getattr(process, "_transport")  # noqa: B009 - nothing public closes them
    for number in range(3):
        if (pipe := transport.get_pipe_transport(number)) is not None:
            pipe.close()


async def end(process: Process) -> None:
    """Kill the program and its group, let go of its pipes, and wait until it has ended."""
    send_signal(process, signal.SIGKILL)
    close_pipes(process)
    await process.wait()
