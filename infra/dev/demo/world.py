"""The demo's world: three services, yesterday's access log and a database, all on this machine."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from infra.dev.demo.access_log import LINE_FORMAT, access_log
from infra.dev.demo.database import ABOUT, NAME, demo_database
from infra.dev.demo.services import running_services
from infra.tools.access_log import AccessLogConfig
from infra.tools.catalogue import ToolsConfig
from infra.tools.http import HttpGetConfig
from infra.tools.sql import SqlConfig


@dataclass(frozen=True, kw_only=True)
class World:
    """The addresses of what the demo's tools read."""

    #: Service name -> health URL.
    services: Mapping[str, str]
    access_log: Path
    #: That of the login that may only read.
    database_url: str
    #: The day of log and database: yesterday, UTC.
    day: date

    @property
    def tools(self) -> ToolsConfig:
        """Return the settings of the tools that read this world. Its services are on loopback, so that is allowed."""
        return ToolsConfig(
            http_get=HttpGetConfig(known=self.services, allow_private=True),
            read_access_log=AccessLogConfig(path=self.access_log, line_format=LINE_FORMAT),
            sql_query=SqlConfig(database_url=self.database_url, about=ABOUT),
        )


@asynccontextmanager
async def demo_world(
    data_dir: Path, database_url: str, now: datetime, database_name: str = NAME
) -> AsyncGenerator[World]:
    """Start the world and yield it. Its services end with the context; log and database stay.

    `database_url` is any database on the Postgres server to use, as a user that may create databases
    and logins. Log and rows of a day are made once and found again by later starts on the same day.
    """
    yesterday = now.astimezone(UTC).date() - timedelta(days=1)
    folder = data_dir / "demo"
    log, url = await asyncio.gather(
        asyncio.to_thread(access_log, folder, yesterday), demo_database(database_url, folder, yesterday, database_name)
    )
    async with running_services() as services:
        yield World(services=services, access_log=log, database_url=url, day=yesterday)
