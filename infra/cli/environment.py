"""The environment of a command that needs settings, `.env` included; a file that cannot be used ends the command."""

from collections.abc import Mapping

import typer

from infra.env_file import EnvFileUnusable, filled_environment

WRONG_SETTINGS = 2
"""Exit code: something is not set, or set wrongly."""


def environment() -> Mapping[str, str]:
    """Return the environment, filled from `.env`; say what is wrong with the file and exit when it cannot be used."""
    try:
        return filled_environment()
    except EnvFileUnusable as error:
        typer.echo(f"{error}\n`greenlight doctor` says more.", err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
