"""The sender takes no message of anybody else for one of its own whose record a crash prevented."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import pytest

from agent.ids import Tenant, ThreadId, UserId
from bot.elements import words_only
from bot.ports import Post, PostedMessage, Slot
from bot.publishing.sender import MessageSender
from bot.slack.membership import Identity
from bot.slack.rate_limits import RateLimiter
from tests.fakes.run_views import a_run

RUN = a_run(ThreadId("T1:C1:1.1"))
SLOT = Slot(Post.BOARD)
NAME = "plan-of-its-own.png"
METADATA = {"event_type": "greenlight_message", "event_payload": {"turn": 1, "post": "board", "key": ""}}

OTHERS = [
    pytest.param({"user": "U9"}, id="a person"),
    pytest.param({"user": "U8", "bot_id": "B8", "app_id": "A8"}, id="another app"),
    pytest.param({"bot_id": "B8", "subtype": "bot_message", "username": "Greenlight"}, id="a webhook with our name"),
    pytest.param({}, id="nobody"),
]
OURS = [
    pytest.param({"user": "U0", "bot_id": "B0"}, id="as posted"),
    pytest.param({"bot_id": "B0", "subtype": "bot_message"}, id="without a user"),
    pytest.param({"user": "U0", "upload": False}, id="the message of a file, without a bot"),
]


class Api:
    """A thread with one message that has all that the sender looks for, by an author."""

    def __init__(self, author: Mapping[str, Any]) -> None:
        self.author = author
        self.written: list[str] = []

    async def objects(self, _method: str, _key: str, **_body: Any) -> AsyncGenerator[Mapping[str, Any]]:
        file = {"name": NAME, "permalink": "https://files/found"}
        yield {"ts": "1.2", "metadata": METADATA, "files": [file], **self.author}

    async def read(self, _method: str, **_body: Any) -> Mapping[str, Any]:
        return {"upload_url": "https://upload", "file_id": "F1"}

    async def upload(self, _url: str, _content: bytes) -> None:
        pass

    async def write(self, method: str, **_body: Any) -> Mapping[str, Any]:
        self.written.append(method)
        return {}

    async def write_once(self, method: str, **_body: Any) -> Mapping[str, Any]:
        self.written.append(method)
        return {"ts": "1.9", "files": [{"permalink": "https://files/new"}]}


class Posted:
    """Every slot was begun before, and its end was never noted."""

    def __init__(self) -> None:
        self.posts: list[PostedMessage] = []

    async def begin(self, *_slot: object) -> bool:
        return False

    async def post(self, _thread: object, _turn: object, _slot: object, message: PostedMessage) -> None:
        self.posts.append(message)


async def who_we_are() -> Identity:
    return Identity(tenant=Tenant("T1"), enterprise=None, user=UserId("U0"), bot="B0")


def sender(author: Mapping[str, Any]) -> tuple[MessageSender, Api, Posted]:
    api, posted = Api(author), Posted()
    return MessageSender(cast("Any", api), cast("Any", posted), RateLimiter(), who_we_are), api, posted


@pytest.mark.parametrize("author", OTHERS)
async def test_a_message_of_somebody_else_is_not_taken_for_the_board(author: Mapping[str, Any]) -> None:
    messages, api, posted = sender(author)
    await messages.put(RUN, SLOT, words_only("the board"))
    assert (api.written, [post.ts for post in posted.posts]) == (["chat.postMessage"], ["1.9"])


@pytest.mark.parametrize("author", OURS)
async def test_our_own_message_is_found_again_and_edited(author: Mapping[str, Any]) -> None:
    messages, api, posted = sender(author)
    await messages.put(RUN, SLOT, words_only("the board"))
    assert (api.written, [post.ts for post in posted.posts]) == (["chat.update"], ["1.2"])


@pytest.mark.parametrize("author", OTHERS)
async def test_a_file_of_somebody_else_with_the_same_name_is_not_linked(author: Mapping[str, Any]) -> None:
    messages, _, _ = sender(author)
    assert await messages.share(RUN, SLOT, name=NAME, title="t", content=b"png") == "https://files/new"


@pytest.mark.parametrize("author", OURS)
async def test_our_own_file_is_found_again(author: Mapping[str, Any]) -> None:
    messages, api, _ = sender(author)
    assert await messages.share(RUN, SLOT, name=NAME, title="t", content=b"png") == "https://files/found"
    assert api.written == []
