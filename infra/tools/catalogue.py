"""The tools this installation offers besides Slack's, built from their settings."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from agent.tools.registry import Tool
from infra.tools.access_log import AccessLogConfig, read_access_log
from infra.tools.http import HttpConfig, http_get
from infra.tools.sql import SqlConfig, sql_query


@dataclass(frozen=True, kw_only=True)
class ToolsConfig:
    """Which tools there are; one that is None does not exist."""

    http: HttpConfig | None = None
    access_log: AccessLogConfig | None = None
    sql: SqlConfig | None = None


@asynccontextmanager
async def open_tools(config: ToolsConfig) -> AsyncGenerator[tuple[Tool, ...]]:
    """Give the configured tools; what they hold (database connections) lives as long as the context."""
    async with AsyncExitStack() as stack:
        tools: list[Tool] = []
        if config.http is not None:
            tools.append(http_get(config.http))
        if config.access_log is not None:
            tools.append(read_access_log(config.access_log))
        if config.sql is not None:
            tools.append(await stack.enter_async_context(sql_query(config.sql)))
        yield tuple(tools)
