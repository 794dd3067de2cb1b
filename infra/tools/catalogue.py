"""The tools this installation offers besides Slack's, built from their settings."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.tool import Registry, Tool
from bot.slack.client import open_client
from bot.tools.post_message import slack_tools
from infra.tools.access_log import AccessLogConfig, read_access_log
from infra.tools.host_metrics import HostMetricsConfig, host_metrics
from infra.tools.http import HttpConfig, HttpRequestConfig, http_get, http_request
from infra.tools.sql import SqlConfig, sql_query


@dataclass(frozen=True, kw_only=True)
class ToolsConfig:
    """Which tools there are; one that is None does not exist."""

    http: HttpConfig | None = None
    access_log: AccessLogConfig | None = None
    sql: SqlConfig | None = None
    http_request: HttpRequestConfig | None = None
    host: HostMetricsConfig | None = None


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
        if config.http_request is not None:
            tools.append(http_request(config.http_request))
        if config.host is not None:
            tools.append(host_metrics(config.host))
        yield tuple(tools)


def enabled(tools: Iterable[Tool], disabled: frozenset[str]) -> tuple[Tool, ...]:
    """Return the tools without those that are switched off."""
    return tuple(tool for tool in tools if tool.name not in disabled)


_DESCRIBED = ToolsConfig(
    http=HttpConfig(),
    access_log=AccessLogConfig(path=Path("access.log")),
    sql=SqlConfig(database_url="postgresql+psycopg://"),
    http_request=HttpRequestConfig(),
    host=HostMetricsConfig(),
)


async def known_tools() -> Registry:
    """Return the tools. They can be planned with, not called: nothing stands behind them."""
    client = open_client("")
    async with open_tools(_DESCRIBED) as tools:
        return Registry((*tools, *slack_tools(client, client)))
