"""The demo's world, all on this machine: services, an access log, a database, a git repository with its forge."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from infra.dev.demo.access_log import LINE_FORMAT, access_log
from infra.dev.demo.database import ABOUT, NAME, demo_database
from infra.dev.demo.forge import ForgeServer
from infra.dev.demo.password import kept_password
from infra.dev.demo.repository import BRANCH, demo_repository
from infra.dev.demo.repository import NAME as REPOSITORY
from infra.dev.demo.services import running_services
from infra.tools.access_log import AccessLogConfig
from infra.tools.catalogue import ToolsConfig
from infra.tools.git.settings import GitConfig, RepositoryConfig
from infra.tools.http import HttpGetConfig
from infra.tools.secret import Secret
from infra.tools.sql import SqlConfig


@dataclass(frozen=True, kw_only=True)
class World:
    """The addresses of what the demo's tools read."""

    #: Service name -> health URL.
    services: Mapping[str, str]
    access_log: Path
    #: That of the login that may only read.
    database_url: str
    #: The bare repository of the payments service; without git there is none.
    repository: Path
    #: The address of its API at the demo's forge, and the file with the token for that.
    forge_api: str
    forge_token: Path
    #: The day of log and database: yesterday, UTC.
    day: date

    @property
    def tools(self) -> ToolsConfig:
        """Return the settings of the tools that read this world. Its services are on loopback, so that is allowed."""
        return ToolsConfig(
            http_get=HttpGetConfig(known=self.services, allow_private=True),
            read_access_log=AccessLogConfig(path=self.access_log, line_format=LINE_FORMAT),
            sql_query=SqlConfig(database_url=self.database_url, about=ABOUT),
            git=GitConfig(
                folder=self.repository.parent / "clones",
                repositories={
                    REPOSITORY: RepositoryConfig(
                        address=str(self.repository),
                        branch=BRANCH,
                        api=self.forge_api,
                        token=Secret(file=self.forge_token),
                    )
                },
            ),
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
    folder = (data_dir / "demo").absolute()
    token = folder / "forge_token"
    log, url, repository = await asyncio.gather(
        asyncio.to_thread(access_log, folder, yesterday),
        demo_database(database_url, folder, yesterday, database_name),
        demo_repository(folder, yesterday),
    )
    forge = ForgeServer(name=f"shop/{REPOSITORY}", folder=repository, token=kept_password(token))
    async with running_services() as services, forge.serving():
        yield World(
            services=services,
            access_log=log,
            database_url=url,
            repository=repository,
            forge_api=forge.api,
            forge_token=token,
            day=yesterday,
        )
