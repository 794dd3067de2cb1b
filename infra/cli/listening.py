"""The port that a command is to listen on: when it is taken, the command ends in words before it has begun."""

import socket

import typer

TAKEN = 1
"""Exit code: nobody can listen there."""


def require_free(port: int) -> None:
    """Say so and exit when nobody can listen on this port of 127.0.0.1; 0 is any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            typer.echo(f"Cannot listen on port {port}: {error.strerror}. For another one: --port NUMBER", err=True)
            raise typer.Exit(TAKEN) from error
