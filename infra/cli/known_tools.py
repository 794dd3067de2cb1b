"""Every tool Greenlight brings, whether or not it is set up here: what a plan file is checked against."""

from pathlib import Path

from agent.tools.registry import Registry
from bot.tools import slack_post_message
from bot.web_api import open_client
from infra.tools.access_log import AccessLogConfig
from infra.tools.catalogue import ToolsConfig, open_tools
from infra.tools.http import HttpConfig
from infra.tools.sql import SqlConfig

_DESCRIBED = ToolsConfig(
    http=HttpConfig(),
    access_log=AccessLogConfig(path=Path("access.log")),
    sql=SqlConfig(database_url="postgresql+psycopg://"),
)


async def known_tools() -> Registry:
    """Return the tools. They can be planned with, not called: nothing stands behind them."""
    async with open_tools(_DESCRIBED) as tools:
        return Registry((*tools, slack_post_message(open_client(""))))
