"""The local Slack refuses what Slack refuses."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from bot.errors import SlackRefused
from bot.slack.client import WebApi, open_client
from tests.acceptance.app_fixture import app_scene


async def test_the_local_workspace_refuses_what_slack_refuses(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [], started=False) as scene:
        client = open_client(scene.workspace.bot_token, base_url=scene.workspace.api_url)
        too_long = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
        for arguments, code in (
            ({"channel": "C0OPS", "text": "x", "blocks": too_long}, "invalid_blocks"),
            ({"channel": "C0OPS", "text": "x", "thread_ts": "1.000001"}, "invalid_thread_ts"),
            ({"channel": "C0FINANCE", "text": "x"}, "not_in_channel"),
            ({"channel": "C0OLDOPS", "text": "x"}, "is_archived"),
            ({"channel": "C0OPS"}, "no_text"),
        ):
            with pytest.raises(SlackRefused) as refused:
                await WebApi(client).write("chat.postMessage", **arguments)
            assert refused.value.code == code
