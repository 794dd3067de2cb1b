"""`greenlight migrate`: brings the configured database to this version."""

import typer

from infra.cli.process import environment
from infra.config.environment import held_database, read_settings
from infra.config.file import ConfigurationError
from infra.db.embedded_postgres import PostgresUnusable
from infra.db.migrate import NotMigrated, migrate


def run() -> None:
    """Bring the database to this version. Safe to run at any time, by several processes at once."""
    try:
        with held_database(read_settings(environment())) as url:
            migrate(url)
    except (ConfigurationError, PostgresUnusable, NotMigrated) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo("The database is up to date.")
