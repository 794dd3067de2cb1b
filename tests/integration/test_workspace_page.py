"""The workspace's page in a real browser: write, see live changes, click, fill in a modal, be refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.server import Workspace
from tests.browser import browser

# slack_sdk's and slack_bolt's own annotations are partly bare dicts:
# pyright: reportUnknownMemberType=false, reportUnusedFunction=false

__all__ = ["browser"]
pytestmark = pytest.mark.browser
PATIENCE_SECONDS = 60
"""How long the page may take to show something, on a machine busy with other things."""

CARD: list[dict[str, Any]] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "May I post to *#incidents*?"}},
    {
        "type": "actions",
        "block_id": "card-1",
        "elements": [
            {
                "type": "button",
                "action_id": "approve",
                "style": "primary",
                "text": {"type": "plain_text", "text": "Approve"},
            },
            {
                "type": "button",
                "action_id": "reject",
                "style": "danger",
                "text": {"type": "plain_text", "text": "Reject"},
                "confirm": {
                    "title": {"type": "plain_text", "text": "Sure?"},
                    "text": {"type": "mrkdwn", "text": "*No* way back."},
                },
            },
        ],
    },
]
REASON: dict[str, Any] = {
    "type": "modal",
    "callback_id": "reason",
    "title": {"type": "plain_text", "text": "Reject"},
    "submit": {"type": "plain_text", "text": "Reject"},
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": {"type": "plain_text", "text": "Why?"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        },
        {
            "type": "input",
            "block_id": "who",
            "optional": True,
            "label": {"type": "plain_text", "text": "Tell whom?"},
            "element": {"type": "multi_users_select", "action_id": "users"},
        },
    ],
}


class Page:
    """The page as a person uses it; every look waits until there is something to see."""

    def __init__(self, browser: Chrome, base_url: str) -> None:
        self.browser = browser
        self.base_url = base_url

    def open(self, user: str) -> None:
        self.browser.get(f"{self.base_url}/?user={user}")
        self.find("body[data-ready]")

    @property
    def wait(self) -> WebDriverWait[Chrome]:
        """A patience that also outlasts elements the page draws anew between a look and an act."""
        return WebDriverWait(self.browser, PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException])

    def find(self, selector: str) -> WebElement:
        return self.wait.until(lambda driver: driver.find_element(By.CSS_SELECTOR, selector))

    def element(self, testid: str) -> WebElement:
        return self.find(f'[data-testid="{testid}"]')

    def click(self, testid: str) -> None:
        """Click the element; a click counts once it reached one that was still there."""

        def clicked(_: Chrome) -> bool:
            self.element(testid).click()
            return True

        self.wait.until(clicked, message=f"{testid} was never there to be clicked")

    def shows(self, testid: str, text: str) -> None:
        self.wait.until(lambda _: text in self.element(testid).text, message=f"{testid} shows no {text!r}")

    def write(self, composer: str, text: str) -> None:
        self.element(composer).send_keys(text, Keys.ENTER)


class Answering:
    """An app that asks with a card, rejects with a modal and says what happened."""

    def __init__(self, workspace: Workspace) -> None:
        web = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
        app = AsyncApp(client=web, token=workspace.bot_token)
        self.handler = AsyncSocketModeHandler(app, workspace.app_token, web_client=web)

        @app.event("app_mention")
        async def ask(event: dict[str, Any]) -> None:
            await web.reactions_add(channel=event["channel"], timestamp=event["ts"], name="eyes")
            await web.chat_postMessage(channel=event["channel"], thread_ts=event["ts"], text="May I?", blocks=CARD)

        @app.event("message")
        async def ignore() -> None:
            pass

        @app.action("approve")
        async def approve(ack: Any, body: dict[str, Any], respond: Any) -> None:
            await ack()
            await respond(text=f"approved by <@{body['user']['id']}>", replace_original=True)

        @app.action("reject")
        async def reject(ack: Any, body: dict[str, Any]) -> None:
            await ack()
            await web.views_open(trigger_id=body["trigger_id"], view=REASON)

        @app.view("reason")
        async def reason(ack: Any, body: dict[str, Any]) -> None:
            values = body["view"]["state"]["values"]
            if len(values["why"]["text"]["value"]) < 5:
                await ack(response_action="errors", errors={"why": "A little more, please."})
                return
            await ack()
            who = " ".join(f"<@{user}>" for user in values["who"]["users"]["selected_users"])
            await web.chat_postEphemeral(channel="C0OPS", user=body["user"]["id"], text=f"I told {who}")

        @app.command("/greenlight")
        async def helped(ack: Any) -> None:
            await ack("Ask me in words.")


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with Workspace(rate_limits=False, ack_seconds=30, trigger_seconds=30) as running:
        app = Answering(running)
        await app.handler.connect_async()
        yield running
        await app.handler.close_async()


@pytest.fixture
def page(browser: Chrome, workspace: Workspace) -> Page:
    return Page(browser, workspace.base_url)


async def test_second_person_approves_what_the_first_asked_for(page: Page) -> None:
    def story() -> None:
        page.open("U0ADA")
        page.shows("channel-name", "#ops")
        page.shows("connection", "Greenlight is connected")
        page.write("composer-channel", "@Greenlight post a summary")
        page.element("reaction-eyes")
        page.element("person-picker").send_keys("Grace")
        page.click("open-thread")
        page.click("button-approve")
        page.shows("thread-messages", "approved by @Grace")

    await asyncio.to_thread(story)


async def test_modal_shows_errors_keeps_values_and_ends_in_a_private_answer(page: Page) -> None:
    def story() -> None:
        page.open("U0ADA")
        page.write("composer-channel", "@Greenlight post a summary")
        page.click("open-thread")
        page.click("button-reject")
        page.shows("confirm-dialog", "No way back.")
        page.click("confirm-accept")
        page.click("modal-submit")
        page.shows("error-why", "Please complete this required field.")
        page.element("input-why-text").send_keys("no")
        page.click("modal-submit")
        page.shows("error-why", "A little more, please.")
        page.element("input-why-text").send_keys(" budget")
        page.find('[data-testid="input-who-users"] input[value="U0LINUS"]').click()
        page.click("modal-submit")
        page.shows("ephemeral", "I told @Linus")
        page.shows("ephemeral", "Only visible to you")

    await asyncio.to_thread(story)


async def test_slash_command_works_in_the_channel_and_is_refused_in_a_thread(page: Page) -> None:
    def story() -> None:
        page.open("U0LINUS")
        page.write("composer-channel", "/greenlight help")
        page.shows("ephemeral", "Ask me in words.")
        page.write("composer-channel", "a root")
        page.click("reply")
        page.write("composer-thread", "/greenlight help")
        page.shows("composer-error-thread", "not supported in threads")

    await asyncio.to_thread(story)


async def test_completion_inserts_a_name_and_unread_channels_are_marked(page: Page, workspace: Workspace) -> None:
    def complete() -> None:
        page.open("U0GRACE")
        page.element("composer-channel").send_keys("ping @Lin", Keys.ENTER)
        page.write("composer-channel", "please")

    def unread() -> None:
        page.shows("unread-incidents", "1")
        page.click("channel-incidents")
        page.shows("messages", "fire")

    await asyncio.to_thread(complete)
    async with WorkspaceClient(workspace.base_url) as people:
        everything = await people.wait_for(lambda told: bool(told["channels"]["ops"]["messages"]))
        assert everything["channels"]["ops"]["messages"][0]["text"] == "ping <@U0LINUS> please"
        await people.post("Ada", "#incidents", "fire")
    await asyncio.to_thread(unread)


async def test_edits_pins_topics_and_deleted_files_are_seen(page: Page, workspace: Workspace) -> None:
    web = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    await asyncio.to_thread(page.open, "U0ADA")
    await web.chat_postMessage(channel="C0OPS", text="It began")
    (ts,) = workspace.backend.team.channels["C0OPS"].messages
    await web.chat_update(channel="C0OPS", ts=ts, text="It is over")
    await web.pins_add(channel="C0OPS", timestamp=ts)
    await web.conversations_setTopic(channel="C0OPS", topic="Up & well")
    await web.files_upload_v2(filename="a.txt", content="text", channel="C0OPS", initial_comment="A file")
    (file,) = workspace.backend.team.files
    await web.files_delete(file=file)

    def story() -> None:
        page.shows("messages", "It is over")
        page.shows("messages", "(edited)")
        page.shows("pinned", "Pinned by")
        page.shows("file-gone", "This file was deleted.")
        page.shows("channel-topic", "Up & well")

    await asyncio.to_thread(story)


HELD = """
    const fetched = window.fetch;
    window.held = 0;
    const released = new Promise((release) => { window.release = release; });
    window.fetch = async (...asked) => {
      const answer = await fetched(...asked);
      if (String(asked[0]).startsWith("/control/seen")) { window.held += 1; await released; }
      return answer;
    };
"""
"""Lets the page have what it fetches anew only once `release()` is called; `held` counts those answers."""


async def test_what_happens_while_the_page_fetches_everything_anew_is_shown(page: Page, workspace: Workspace) -> None:
    web = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    await asyncio.to_thread(page.open, "U0ADA")
    await web.chat_postMessage(channel="C0OPS", text="It began")
    (ts,) = workspace.backend.team.channels["C0OPS"].messages
    await asyncio.to_thread(page.shows, "messages", "It began")
    page.browser.execute_script(HELD)
    await web.conversations_setTopic(channel="C0OPS", topic="Up & well")
    await asyncio.to_thread(page.wait.until, lambda _: page.browser.execute_script("return window.held") == 1)
    await web.chat_update(channel="C0OPS", ts=ts, text="It is over")

    def story() -> None:
        seen = """
            const done = arguments[0], source = new EventSource("/control/stream?user=U0ADA&since=0");
            source.onmessage = (event) => { if (event.data.includes("It is over")) { source.close(); done(); } };
        """
        page.browser.execute_async_script(seen)
        page.browser.execute_script("window.release()")
        page.shows("channel-topic", "Up & well")
        page.shows("messages", "It is over")

    await asyncio.to_thread(story)


async def test_page_fits_a_narrow_screen(page: Page) -> None:
    def story() -> None:
        page.browser.set_window_size(400, 860)
        page.open("U0ADA")
        page.write("composer-channel", "@Greenlight " + "a-very-long-word" * 20)
        page.click("open-thread")
        page.element("button-approve")
        widths = page.browser.execute_script("return [window.innerWidth, document.documentElement.scrollWidth]")
        assert widths[1] <= widths[0]

    await asyncio.to_thread(story)


async def test_message_text_never_becomes_markup(page: Page, workspace: Workspace) -> None:
    web = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    hostile = "<img src=x onerror=alert(1)> <javascript:alert(1)|click> &lt;script&gt;alert(1)&lt;/script&gt;"
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": hostile}},
        {"type": "markdown", "text": hostile + " [x](javascript:alert(1))"},
        {"type": "header", "text": {"type": "plain_text", "text": hostile}},
    ]
    await web.chat_postMessage(channel="C0OPS", text=hostile, blocks=blocks)

    def story() -> None:
        page.open("U0ADA")
        page.shows("messages", "<script>alert(1)</script>")
        assert page.browser.find_elements(By.CSS_SELECTOR, "#messages script, #messages img, #messages a") == []

    await asyncio.to_thread(story)
