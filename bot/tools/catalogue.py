"""The list of all Slack tools."""

from agent.tool import Tool
from bot.slack.channels import Channels
from bot.slack.client import WebApi
from bot.slack.membership import Principals
from bot.tools.archive_channel import slack_archive_channel
from bot.tools.create_channel import slack_create_channel
from bot.tools.delete_message import slack_delete_message
from bot.tools.find_users import slack_find_users
from bot.tools.post_message import slack_post_message
from bot.tools.read_channel import slack_read_channel

SLACK_TOOLS = frozenset(
    {
        "slack_read_channel",
        "slack_find_users",
        "slack_post_message",
        "slack_delete_message",
        "slack_create_channel",
        "slack_archive_channel",
    }
)
"""The names of `slack_tools`."""

PERSONAL_TOOLS = frozenset({"slack_read_channel", "slack_find_users"})
"""Those whose output is only for the person whose rights the call took."""


def slack_tools(api: WebApi, principals: Principals) -> tuple[Tool, ...]:
    """Return the tools, the green ones first."""
    channels = Channels(principals)
    return (
        slack_read_channel(api, principals, channels),
        slack_find_users(principals, channels),
        slack_post_message(api, channels),
        slack_delete_message(api, channels),
        slack_create_channel(api, principals),
        slack_archive_channel(api, principals, channels),
    )
