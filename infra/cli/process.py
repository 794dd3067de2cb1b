"""Shared by the commands: signals that stop a long-running one, its port, and the environment it reads."""

import asyncio
import signal
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import typer

from infra.cli.logs import hide_in_tracebacks
from infra.config.environment import EnvFileUnusable, filled_environment

TAKEN = 1
"""Exit code: the port is taken."""

WRONG_SETTINGS = 2
"""Exit code: something is not set, or set wrongly."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signal() -> Generator[asyncio.Event]:
    """Yield an event that is set on SIGINT or SIGTERM; a second signal ends the process at once.

    Enter the context before printing that the process runs, because a reader of that line may stop it immediately.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopped.set()
        restore()

    def restore() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield stopped
    finally:
        restore()


def require_free(port: int) -> None:
    """Exit with a message when this port of 127.0.0.1 is taken; 0 means any free port and always passes."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            typer.echo(
                f"Cannot listen on port {port}: {error.strerror}. Choose another one with --port NUMBER", err=True
            )
            raise typer.Exit(TAKEN) from error


def environment() -> Mapping[str, str]:
    """Return the environment with the variables of `.env`; exit with a message when the file cannot be used.

    From now on the process says no secret that it reads.
    """
    hide_in_tracebacks()
    try:
        return filled_environment()
    except EnvFileUnusable as error:
        typer.echo(f"{error}\n`greenlight doctor` shows more.", err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
