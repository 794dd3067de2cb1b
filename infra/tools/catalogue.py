"""The tools this installation offers, built from their settings.

A new tool has a config class in its own file, a field in `ToolsConfig` and a line in `open_tools`.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from agent.tool import Registry, Tool
from bot.slack.client import WebApi, open_client
from bot.slack.membership import Principals
from bot.tools.catalogue import SLACK_TOOLS, slack_tools
from infra.tools.access_log import AccessLogConfig, read_access_log
from infra.tools.host_metrics import HostMetricsConfig, host_metrics
from infra.tools.http import HttpGetConfig, HttpRequestConfig, http_get, http_request
from infra.tools.sql import SqlConfig, sql_query


class FileContext(str):
    """The name of the file that is read, as validators get it, and what else of it they must know."""

    #: The beginnings of the names of tools that are known only once the servers of the file are asked.
    prefixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: str, servers: Iterable[str]) -> "FileContext":
        """Return the context of a file with these MCP servers."""
        context = cls(source)
        context.prefixes = tuple(f"{server}_" for server in servers)
        return context


def may_be_later(name: str, info: ValidationInfo) -> bool:
    """Return whether a name is one that a server of the same file may give a tool."""
    context: object = info.context
    return isinstance(context, FileContext) and name.startswith(context.prefixes)


def known_names(names: frozenset[str], info: ValidationInfo) -> frozenset[str]:
    """Return the names after checking each one, because a misspelt name must not silently be ignored.

    Raises:
        ValueError: there is no tool with one of the names.
    """
    if unknown := sorted(name for name in names - TOOL_NAMES if not may_be_later(name, info)):
        raise ValueError(f"no such tool: {', '.join(unknown)}")
    return names


@dataclass(frozen=True, kw_only=True)
class ToolsConfig:
    """`[tools]`: a tool exists when its table does; Slack's tools always do."""

    http_get: HttpGetConfig | None = None
    read_access_log: AccessLogConfig | None = None
    sql_query: SqlConfig | None = None
    http_request: HttpRequestConfig | None = None
    host_metrics: HostMetricsConfig | None = None
    #: Tools that are switched off, Slack's included.
    disabled: Annotated[frozenset[str], AfterValidator(known_names)] = frozenset()


TOOL_NAMES = frozenset(field.name for field in fields(ToolsConfig)) - {"disabled"} | SLACK_TOOLS
"""The names of all tools."""


@asynccontextmanager
async def open_tools(config: ToolsConfig) -> AsyncGenerator[tuple[Tool, ...]]:
    """Yield the configured tools except Slack's; their database connections live as long as the context."""
    async with AsyncExitStack() as stack:
        tools: list[Tool] = []
        if config.http_get is not None:
            tools.append(http_get(config.http_get))
        if config.read_access_log is not None:
            tools.append(read_access_log(config.read_access_log))
        if config.sql_query is not None:
            tools.append(await stack.enter_async_context(sql_query(config.sql_query)))
        if config.http_request is not None:
            tools.append(http_request(config.http_request))
        if config.host_metrics is not None:
            tools.append(host_metrics(config.host_metrics))
        yield tuple(tools)


def enabled(tools: Iterable[Tool], disabled: frozenset[str]) -> tuple[Tool, ...]:
    """Return the tools without the disabled ones."""
    return tuple(tool for tool in tools if tool.name not in disabled)


async def known_tools() -> Registry:
    """Return all tools for planning only: they have no credentials, so calls do not work."""
    config = ToolsConfig(
        http_get=HttpGetConfig(),
        read_access_log=AccessLogConfig(path=Path("access.log")),
        sql_query=SqlConfig(database_url="postgresql+psycopg://"),
        http_request=HttpRequestConfig(),
        host_metrics=HostMetricsConfig(),
    )
    api = WebApi(open_client(""))
    async with open_tools(config) as tools:
        return Registry((*tools, *slack_tools(api, Principals(api))))
