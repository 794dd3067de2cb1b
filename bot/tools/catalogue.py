"""The list of all Slack tools."""

from agent.tool import Tool
from bot.ports import SearchTokens
from bot.slack.channels import Channels
from bot.slack.client import WebApi
from bot.slack.membership import Principals
from bot.tools.archive_channel import slack_archive_channel
from bot.tools.create_channel import slack_create_channel
from bot.tools.delete_file import slack_delete_file
from bot.tools.delete_message import slack_delete_message
from bot.tools.find_users import slack_find_users
from bot.tools.invite_to_channel import slack_invite_to_channel
from bot.tools.messages import Messages
from bot.tools.pin_message import slack_pin_message, slack_unpin_message
from bot.tools.post_message import slack_post_message
from bot.tools.read_channel import slack_read_channel
from bot.tools.read_thread import slack_read_thread
from bot.tools.remove_from_channel import slack_remove_from_channel
from bot.tools.search import slack_search
from bot.tools.set_topic import slack_set_topic
from bot.tools.update_message import slack_update_message
from bot.tools.upload_file import slack_upload_file

SLACK_TOOLS = frozenset(
    {
        "slack_read_channel",
        "slack_read_thread",
        "slack_search",
        "slack_find_users",
        "slack_post_message",
        "slack_update_message",
        "slack_delete_message",
        "slack_pin_message",
        "slack_unpin_message",
        "slack_upload_file",
        "slack_delete_file",
        "slack_create_channel",
        "slack_archive_channel",
        "slack_set_topic",
        "slack_invite_to_channel",
        "slack_remove_from_channel",
    }
)
"""The names of `slack_tools`."""

PERSONAL_TOOLS = frozenset({"slack_read_channel", "slack_read_thread", "slack_search", "slack_find_users"})
"""Those whose output is only for the person whose rights the call took."""


def slack_tools(api: WebApi, principals: Principals, search_tokens: SearchTokens | None = None) -> tuple[Tool, ...]:
    """Return the tools, the green ones first. Without `search_tokens` nothing can be searched."""
    channels = Channels(principals)
    messages = Messages(api, principals, channels)
    return (
        slack_read_channel(api, principals, channels),
        slack_read_thread(api, principals, channels),
        slack_search(api, principals, search_tokens),
        slack_find_users(principals, channels),
        slack_post_message(api, channels),
        slack_update_message(api, messages),
        slack_delete_message(api, messages),
        slack_pin_message(api, messages),
        slack_unpin_message(api, messages),
        slack_upload_file(api, channels),
        slack_delete_file(api, principals, channels),
        slack_create_channel(api, principals),
        slack_archive_channel(api, principals, channels),
        slack_set_topic(api, channels),
        slack_invite_to_channel(api, principals, channels),
        slack_remove_from_channel(api, principals, channels),
    )
