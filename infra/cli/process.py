"""What commands share: how a long-running one ends, the port it listens on, the environment it reads."""

import asyncio
import signal
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import typer

from infra.config.environment import EnvFileUnusable, filled_environment

TAKEN = 1
"""Exit code: nobody can listen there."""

WRONG_SETTINGS = 2
"""Exit code: something is not set, or set wrongly."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signal() -> Generator[asyncio.Event]:
    """Give an event that is set once the process is asked to stop; a second signal ends it at once.

    Enter it before printing that the process runs: a reader of that line may stop it in the same moment.
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
    """Say so and exit when nobody can listen on this port of 127.0.0.1; 0 is any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            typer.echo(f"Cannot listen on port {port}: {error.strerror}. For another one: --port NUMBER", err=True)
            raise typer.Exit(TAKEN) from error


def environment() -> Mapping[str, str]:
    """Return the environment, filled from `.env`; say what is wrong with the file and exit when it cannot be used."""
    try:
        return filled_environment()
    except EnvFileUnusable as error:
        typer.echo(f"{error}\n`greenlight doctor` says more.", err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
