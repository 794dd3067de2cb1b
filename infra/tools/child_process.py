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
    """Let go of the program's pipes: what is unread stays unread, whoever else holds them."""
    getattr(process, "_transport").close()  # noqa: B009 - nothing public closes it
