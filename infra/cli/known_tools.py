"""Every tool Greenlight brings, whether or not it is set up here: what a plan file is checked against."""

from pathlib import Path

from agent.tools.registry import Registry
from bot.tools import slack_tools
from bot.web_api import open_client
from infra.tools.access_log import AccessLogConfig
from infra.tools.catalogue import ToolsConfig, open_tools
from infra.tools.host_metrics import HostMetricsConfig
from infra.tools.http import HttpConfig
from infra.tools.http_request import HttpRequestConfig
from infra.tools.sql import SqlConfig

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
