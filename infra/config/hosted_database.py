"""Where the database is: the operator's (DATABASE_URL), or the embedded one held by this process."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import URL

from infra.config.environment import Settings
from infra.config.file import ConfigurationError
from infra.db.database import database_url
from infra.db.embedded_postgres import hold_postgres


@contextmanager
def held_database(settings: Settings) -> Generator[URL]:
    """Give the database's address, valid until the context is left.

    Raises:
        ConfigurationError: DATABASE_URL is no PostgreSQL address.
        PostgresUnusable: the embedded database cannot run here.
    """
    if settings.database_url is None:
        with hold_postgres(settings.data) as postgres:
            yield postgres.url()
        return
    try:
        url = database_url(settings.database_url)
    except ValueError as error:
        raise ConfigurationError(f"DATABASE_URL: {error}") from None
    yield url
