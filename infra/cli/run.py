"""`greenlight run`, `bot` and `worker`: the app against a Slack workspace; `greenlight migrate`: its database."""

import asyncio
import logging

import typer
from procrastinate.exceptions import ConnectorException
from sqlalchemy import URL

from agent.errors import StoreUnavailable
from bot.errors import BotError, SlackRefused
from infra.cli.logs import set_up_logs
from infra.cli.process import WRONG_SETTINGS, environment, stop_signal
from infra.config.environment import Settings, held_database, read_settings
from infra.config.file import ConfigurationError
from infra.db.embedded_postgres import PostgresUnusable
from infra.db.migrate import NotMigrated
from infra.db.migrate import migrate as migrate_database
from infra.wiring import Part, open_app
from infra.worker.worker import WorkerLost

RESTART = 75
"""Exit code (EX_TEMPFAIL): this process had to stop; start it again."""

DECLARED_DEAD = "The other workers declared this one dead, so it has stopped."
DATABASE_AWAY = "The database cannot be reached, so this process has stopped."


def run() -> None:
    """Run bot and worker in one process, after bringing the database to this version."""
    _run(frozenset(Part), migrates=True)


def bot() -> None:
    """Run the Slack side alone. Run `greenlight migrate` first."""
    _run(frozenset({Part.BOT}), migrates=False)


def worker() -> None:
    """Run the engine alone; as many as you like, on any machines. Run `greenlight migrate` first."""
    _run(frozenset({Part.WORKER}), migrates=False)


def migrate() -> None:
    """Bring the database to this version. Safe to run at any time, by several processes at once."""
    try:
        with held_database(read_settings(environment())) as url:
            migrate_database(url)
    except (ConfigurationError, PostgresUnusable, NotMigrated) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
    typer.echo("The database is up to date.")


def _run(parts: frozenset[Part], *, migrates: bool) -> None:
    set_up_logs()
    for library in ("httpx", "httpx2", "procrastinate", "slack_bolt"):
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        settings = read_settings(environment())
        slack = settings.required_slack()
        with held_database(settings) as url:
            if migrates:
                migrate_database(url)
            why = asyncio.run(_serve(settings, url, parts))
    except (ConfigurationError, PostgresUnusable, NotMigrated) as error:
        typer.echo(f"{error}\n`greenlight doctor` shows more.", err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
    if isinstance(why, BotError):
        typer.echo(f"{_slack_trouble(why, slack.api_url)}\n`greenlight doctor` shows more.", err=True)
        raise typer.Exit(WRONG_SETTINGS)
    if why is not None:
        typer.echo(why, err=True)
        raise typer.Exit(RESTART)


def _slack_trouble(error: BotError, api_url: str) -> str:
    """Return what is wrong with Slack at the start, in words for the operator."""
    match error:
        case SlackRefused(method="apps.connections.open", code=code):
            return f"Slack refuses SLACK_APP_TOKEN: {code}."
        case SlackRefused(code=code):
            return f"Slack refuses SLACK_BOT_TOKEN: {code}."
        case _:
            return f"Slack cannot be reached at {api_url} ({error})."


async def _serve(settings: Settings, url: URL, parts: frozenset[Part]) -> str | BotError | None:
    """Run until a signal comes (None), or until this process has to stop; return why.

    A `BotError` says why Slack kept it from starting.
    """
    why: str | BotError | None = None
    try:
        async with open_app(settings, url, parts):
            with stop_signal() as stopped:
                typer.echo(f"Greenlight is running ({', '.join(sorted(parts))}).")
                await stopped.wait()
    except* WorkerLost:
        why = DECLARED_DEAD
    except* (StoreUnavailable, ConnectorException):
        why = DATABASE_AWAY
    except* BotError as errors:
        why = _first(errors)
    return why


def _first(errors: BaseExceptionGroup[BotError]) -> BotError:
    """Return the first of the errors, however deep their groups are."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
