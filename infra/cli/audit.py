"""`greenlight audit`: exports the audit, checks it, and takes a person's id out of it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from agent.errors import StoreUnavailable
from agent.ids import Tenant, UserId
from infra.audit.checker import Checked, check_database, check_export
from infra.audit.export import Format, Unreadable, exported
from infra.audit.reader import tenants
from infra.audit.signature import NoSigningKey, SignedHead, published_heads, signing_key
from infra.cli.process import WRONG_SETTINGS, environment
from infra.config.environment import Settings, held_database, read_settings
from infra.config.file import ConfigurationError
from infra.db.database import Database
from infra.db.embedded_postgres import PostgresUnusable
from infra.stores.audit import erase_person

FAULTS = 1
"""Exit code: the audit is not what was written, or a red call had no approval."""

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Export the audit, check it, or erase a person.")

Result = TypeVar("Result")

_Tenant = Annotated[str, typer.Option(help="The Slack team's id; needed when the database has several.")]


@app.command()
def export(
    since: Annotated[
        datetime | None, typer.Option(help="Leave out what is older (UTC), unless later red calls rest on it.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.JSONL,
    tenant: _Tenant = "",
) -> None:
    """Write the audit to standard output, signed. `audit verify` and docs/verify_audit.py check it."""

    async def work(settings: Settings, database: Database) -> None:
        key = signing_key(settings.audit_key, settings.data)
        begin = None if since is None else since.replace(tzinfo=UTC)
        async for line in exported(database, await _one_of(database, tenant), key, begin, format):
            typer.echo(line, nl=False)

    _run(work)


@app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; without one, the database is checked.")] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A public key that signs the audit; default: that of this installation.")
    ] = None,
    heads: Annotated[Path | None, typer.Option(help="The file of published heads, kept elsewhere.")] = None,
    tenant: _Tenant = "",
) -> None:
    """Check that nothing was changed, taken out or cut off, and that every red call had its approval.

    Exit 0: so it is; 1: it is not, with a line for each fault; 2: it cannot be checked.
    """
    try:
        found = _checked(file, key, heads, tenant)
    except (Unreadable, UnicodeDecodeError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAULTS) from error
    for fault in found.faults:
        typer.echo(fault, err=True)
    typer.echo(f"{found.rows} rows up to {found.end.seq} ({found.end.hash}); {found.effects} red calls started")
    if found.faults:
        raise typer.Exit(FAULTS)


@app.command()
def forget(
    person: Annotated[str, typer.Argument(help="The person's id in Slack.")],
    tenant: _Tenant = "",
) -> None:
    """Take a person's id out of the audit. Its rows stay and still check; nobody can tell any more whose they were."""

    async def work(_: Settings, database: Database) -> None:
        rows = await erase_person(database, await _one_of(database, tenant), UserId(person))
        typer.echo(f"{rows} rows no longer name {person}.")

    _run(work)


@app.command()
def key() -> None:
    """Print the public key that signs the audit. Keep it where nobody who may write the database may write."""
    with _told():
        settings = read_settings(environment())
        typer.echo(signing_key(settings.audit_key, settings.data).public)


def _checked(file: Path | None, key: Sequence[str] | None, heads: Path | None, tenant: str) -> Checked:
    async def work(settings: Settings, database: Database) -> Checked:
        own = await _one_of(database, tenant)
        return await check_database(database, own, _keys(settings, key), _published(heads))

    if file is None:
        return _run(work)
    with _told():
        keys = _keys(read_settings(environment()), key)
        return check_export(file.read_bytes().decode(), keys, _published(heads))


def _keys(settings: Settings, given: Sequence[str] | None) -> frozenset[str]:
    return frozenset(given or [signing_key(settings.audit_key, settings.data).public])


def _run(work: Callable[[Settings, Database], Awaitable[Result]]) -> Result:
    """Do the work on the database of the settings; exit with a message when it cannot be done."""
    with _told():
        settings = read_settings(environment())
        with held_database(settings) as url:

            async def on_database() -> Result:
                async with _opened(Database(url)) as database:
                    return await work(settings, database)

            return asyncio.run(on_database())


@contextmanager
def _told() -> Generator[None]:
    """Exit with a message when settings, key, file or database cannot be used."""
    try:
        yield
    except (ConfigurationError, PostgresUnusable, NoSigningKey) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
    except OSError as error:
        typer.echo(f"cannot read {error.filename}: {error.strerror}", err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
    except StoreUnavailable as error:
        typer.echo("The database cannot be reached.", err=True)
        raise typer.Exit(WRONG_SETTINGS) from error


@asynccontextmanager
async def _opened(database: Database) -> AsyncGenerator[Database]:
    try:
        yield database
    finally:
        await database.close()


async def _one_of(database: Database, wanted: str) -> Tenant:
    """Return the tenant that is meant.

    Raises:
        ConfigurationError: there are several, none, or not this one.
    """
    known = await tenants(database)
    if wanted and wanted in known:
        return Tenant(wanted)
    match known:
        case []:
            raise ConfigurationError("there is no audit yet")
        case [only] if not wanted:
            return only
        case _:
            raise ConfigurationError(f"choose with --tenant: {', '.join(known)}")


def _published(file: Path | None) -> Sequence[SignedHead]:
    try:
        return () if file is None else published_heads(file)
    except ValueError as error:
        raise ConfigurationError(f"{file} does not hold published heads") from error
