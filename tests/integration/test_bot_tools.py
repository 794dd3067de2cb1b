"""slack_post_message posts what was approved, where the author may write, and never guesses after a lost answer."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.tool import CallContext, Colour, Tool, ToolError
from bot.slack.channels import Channels
from bot.slack.client import WebApi, open_client
from bot.slack.membership import Principals
from bot.tools.post_message import neutralised, slack_post_message
from infra.dev.local_slack.server import Workspace
from tests.fakes.slack_scene import People


@dataclass(frozen=True, kw_only=True)
class Post:
    tool: Tool
    people: People

    async def __call__(self, channel: str, text: str, author: str = "U0ADA") -> object:
        context = CallContext(
            thread=ThreadId("T0LOCAL:C0OPS:1.0"),
            node=NodeId("post"),
            author=UserId(author),
            idempotency_key=Digest("d" * 64),
        )
        return await self.tool.call(context, {"channel": channel, "text": text})


@pytest.fixture
async def post() -> AsyncGenerator[Post]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with Workspace(rate_limits=False) as place, aiohttp.ClientSession(timeout=timeout) as session:
        api = WebApi(open_client(place.bot_token, base_url=place.api_url, session=session))
        yield Post(tool=slack_post_message(api, Channels(Principals(api))), people=People(place, session))


async def texts(post: Post, channel: str = "incidents") -> list[str]:
    return [str(message["text"]) for message in await post.people.messages(channel)]


def test_posting_is_red_and_never_retried(post: Post) -> None:
    assert post.tool.colour is Colour.RED
    assert not post.tool.retryable
    assert not post.tool.cache_seconds


@pytest.mark.parametrize("channel", ["#incidents", "incidents", "C0INCIDENTS"])
async def test_posts_by_name_or_id(post: Post, channel: str) -> None:
    result = await post(channel, "payments is down")
    (message,) = await post.people.messages("incidents")
    assert result == {"channel": "C0INCIDENTS", "ts": message["ts"]}
    assert message["text"] == "payments is down"


async def test_nobody_is_called_by_a_post(post: Post) -> None:
    await post("#incidents", "<!channel> <@U0GRACE> <#C0OPS> see <https://a.example/x|this> & 1 < 2")
    (text,) = await texts(post)
    assert text == ("&lt;!channel&gt; &lt;@U0GRACE&gt; &lt;#C0OPS&gt; see <https://a.example/x|this> &amp; 1 &lt; 2")


async def test_a_link_in_a_post_shows_no_preview(post: Post) -> None:
    await post("#incidents", "see https://a.example/x")
    assert (await post.people.dump())["complaints"] == []


def test_link_label_cannot_smuggle_a_mention() -> None:
    assert "<!" not in neutralised("<https://a.example|<!channel>>")


@pytest.mark.parametrize(
    ("channel", "author", "code"),
    [
        ("#nowhere", "U0ADA", "channel_not_found"),
        ("C0NOWHERE", "U0ADA", "channel_not_found"),
        ("#finance", "U0ADA", "not_in_channel"),
        ("C0OLDOPS", "U0ADA", "is_archived"),
        ("#leads", "U0LINUS", "not_allowed"),
    ],
)
async def test_refusal_is_an_error_with_a_word(post: Post, channel: str, author: str, code: str) -> None:
    with pytest.raises(ToolError) as caught:
        await post(channel, "hello", author)
    assert caught.value.code == code


async def test_private_channel_is_open_to_its_members(post: Post) -> None:
    await post("#leads", "for the leads", "U0GRACE")
    assert await texts(post, "leads") == ["for the leads"]


async def test_text_too_long_for_one_message_is_refused(post: Post) -> None:
    with pytest.raises(ToolError) as caught:
        await post("#incidents", "&" * 1000)
    assert caught.value.code == "text_too_long"
    assert await texts(post) == []


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 0},
        {"status": 500},
        {"status": 503},
        {"status": 502, "error": "an_error_nobody_knows"},
        {"status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html"},
        {"body": "ok", "content_type": "text/plain"},
        {"body": '{"ok": tr'},
        {"body": '{"ok": false}'},
        {"body": ""},
        {"body": "[1]"},
        {"body": "7"},
    ],
    ids=str,
)
async def test_lost_answer_is_never_tried_again(post: Post, answer: Mapping[str, Any]) -> None:
    await post.people.act("faults", method="chat.postMessage", after=True, **answer)
    with pytest.raises(ToolError) as caught:
        await post("#incidents", "once")
    assert caught.value.code == "outcome_unknown"
    assert await texts(post) == ["once"]


async def test_rate_limit_is_waited_out(post: Post) -> None:
    await post.people.act("faults", method="chat.postMessage", status=429, retry_after=1)
    await post("#incidents", "later")
    assert await texts(post) == ["later"]
