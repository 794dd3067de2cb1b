"""Every decision about a red step made on the page with the mouse, at 400 and at 1280 pixels: what it says, and fits.

With SCREENSHOTS set to a folder, a picture of each look is written there.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait
from sqlalchemy import URL

from bot import wording
from bot.payloads import FORM_ACTION, Form
from infra.dev.local_slack.state.payload import JsonObject
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import rows
from tests.acceptance.plans import ANSWERS, ENDS, planned, post
from tests.acceptance.test_approvals_freeze import command
from tests.acceptance.test_page_readable import OVERFLOWING

# pyright: reportUnknownMemberType=false

pytestmark = pytest.mark.browser

PATIENCE_SECONDS = 60
ALWAYS = ("Approval needed", "Asked for by", "Who may decide", "Can be made up for")
"""What each open card says."""


class Page:
    """The page as Grace sees a thread."""

    def __init__(self, browser: Chrome, width: int) -> None:
        self._browser = browser
        self._width = width
        ignored = [StaleElementReferenceException, NoSuchElementException]
        self._wait = WebDriverWait(browser, PATIENCE_SECONDS, 0.1, ignored_exceptions=ignored)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def opens(self, address: str) -> None:
        """Go to a message."""
        self._browser.get(address)
        self._wait.until(lambda _: bool(self._browser.find_elements(By.CSS_SELECTOR, "body[data-ready]")))
        assert self._browser.execute_script("return innerWidth") == self._width

    def reads(self, *words: str, place: str = "thread-messages") -> None:
        """Wait until a place holds these words."""

        def there(_: Chrome) -> bool:
            text = self._browser.find_element(By.CSS_SELECTOR, f'[data-testid="{place}"]').text
            return all(word in text for word in words)

        self._wait.until(there, f"{place} never read {words}")

    def has(self, name: str) -> bool:
        """Whether there is an element of that name."""
        return bool(self._browser.find_elements(By.CSS_SELECTOR, f'[data-testid="{name}"]'))

    def click(self, selector: str) -> None:
        """Click the first element that fits."""

        def clicked(_: Chrome) -> bool:
            self._browser.find_element(By.CSS_SELECTOR, selector).click()
            return True

        self._wait.until(clicked, f"{selector} was never there to be clicked")

    def press(self, action: str) -> None:
        """Press a button of a card."""
        self.click(f'[data-testid="thread-messages"] [data-testid="button-{action}"]')

    def choose(self, form: Form) -> None:
        """Choose from the card's menu, and wait for the form."""

        def chosen(_: Chrome) -> bool:
            menu = self._browser.find_element(By.CSS_SELECTOR, f'[data-testid="menu-{FORM_ACTION}_menu"]')
            Select(menu).select_by_visible_text(wording.FORM_OPTIONS[form])
            return True

        self._wait.until(chosen, f"{form} was never there to be chosen")

    def types(self, block_id: str, words: str) -> None:
        """Replace what stands in a field of a form."""
        box = self._browser.find_element(By.CSS_SELECTOR, f'[data-block-id="{block_id}"] :is(input, textarea)')
        box.clear()
        box.send_keys(words)

    def block_of(self, label: str) -> str:
        """Return the block id of the field with this label."""
        fields = self._browser.find_elements(By.CSS_SELECTOR, '[data-testid="modal-form"] .field')
        found = next(field for field in fields if field.find_element(By.CLASS_NAME, "label").text.startswith(label))
        return found.get_attribute("data-block-id") or ""

    def form_reads(self, *words: str) -> None:
        """Wait until the form holds these words, and nothing in it is cut."""
        self.reads(*words, place="modal-form")
        self.fits("form")

    def submit(self) -> None:
        """Send the form; again, as the form asks for it, when the app had no time to check it."""
        self.click('[data-testid="modal-submit"]')

        def taken(_: Chrome) -> bool:
            every = self._browser.find_elements(By.CSS_SELECTOR, '[data-testid="modal-form"]')
            forms = [form for form in every if form.is_displayed()]
            if forms and wording.FORM_NOT_CHECKED in forms[0].text:
                self._browser.find_element(By.CSS_SELECTOR, '[data-testid="modal-submit"]').click()
                return False
            return not forms or "Please complete" in forms[0].text

        self._wait.until(taken, "the form was never taken")

    def fits(self, what: str) -> None:
        """Check that nothing sticks out of the window; take a picture if somebody wants one."""
        if "SCREENSHOTS" in os.environ:
            self._browser.save_screenshot(f"{os.environ['SCREENSHOTS']}/{self._width}-{what}.png")
        assert self._browser.execute_script(OVERFLOWING) == [], what


@dataclass(frozen=True, kw_only=True)
class Case:
    """A decision, made on the page by Grace."""

    name: str
    does: Callable[[Page], None]
    #: What the thread reads afterwards.
    says: Sequence[str]
    #: What stands in #incidents afterwards, of this case.
    posted: Sequence[str]
    steps: Sequence[JsonObject] = ()
    #: Who opens the thread.
    open_words: Sequence[str] = ALWAYS


def _comments(page: Page) -> None:
    page.choose(Form.COMMENT)
    page.form_reads(wording.FORM_TITLES[Form.COMMENT], wording.YOUR_DECISION)
    page.submit()
    page.form_reads("Please complete this required field.")
    page.click('[data-testid="modal-form"] .field input[type=radio][value="1"]')
    page.types("words", "too early")
    page.submit()


def _changes(page: Page) -> None:
    page.choose(Form.CHANGES)
    page.form_reads(wording.WHAT_TO_CHANGE)
    page.types("words", "in a friendlier tone")
    page.submit()


def _edits(page: Page) -> None:
    page.press(f"{FORM_ACTION}_edit")
    page.form_reads(wording.EDIT_APPROVES)
    page.types(page.block_of("channel"), "#nowhere at all")
    page.types(page.block_of("text"), "edited by Grace")
    page.types(page.block_of("channel"), "#incidents")
    page.submit()


def _by_hand(page: Page) -> None:
    page.choose(Form.BY_HAND)
    page.form_reads(wording.WHAT_CAME_OUT)
    page.types("words", "I told them on the phone")
    page.submit()


def _claims(page: Page) -> None:
    page.choose(Form.CLAIM)
    page.reads("is looking at it")
    page.fits("claimed")
    page.press("decide_approved")


def _shared(page: Page) -> None:
    page.press("decide_rejected")
    page.reads("Rejected")
    page.fits("one decided")
    page.press("decide_all_approved")


def _ahead(page: Page) -> None:
    page.press(f"{FORM_ACTION}_all")
    page.form_reads("Title of later", "ahead second", wording.WHICH_TO_APPROVE)
    page.submit()


CASES = [
    Case(
        name="approve",
        does=lambda page: page.press("decide_approved"),
        says=["Approved by", "Grace"],
        posted=["approve first"],
    ),
    Case(
        name="reject",
        does=lambda page: page.press("decide_rejected"),
        says=["Rejected by", "Grace"],
        posted=[],
    ),
    Case(name="comment", does=_comments, says=["Rejected by", "too early"], posted=[]),
    Case(name="edit", does=_edits, says=["Approved by", "Changed by"], posted=["edited by Grace"]),
    Case(name="hand", does=_by_hand, says=["I told them on the phone"], posted=[]),
    Case(name="claim", does=_claims, says=["Approved by"], posted=["claim first"]),
    Case(
        name="shared",
        does=_shared,
        says=["Rejected by", "Approved by"],
        steps=[post("tell", "shared first"), post("other", "shared second"), post("third", "shared third")],
        posted=["shared second", "shared third"],
    ),
    Case(
        name="ahead",
        does=_ahead,
        says=["approved 1 step ahead", "Approved by"],
        steps=[post("tell", "ahead first"), post("later", "ahead second", depends_on=["tell"])],
        posted=["ahead first", "ahead second"],
        open_words=[*ALWAYS, wording.approve_with(1)],
    ),
    Case(name="changes", does=_changes, says=["Changes requested", "friendlier tone"], posted=[]),
]


@pytest.mark.parametrize("width", [400, 1280])
async def test_each_decision_is_made_on_the_page_and_says_how_it_ended(
    width: int, browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    page = Page(browser, width)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for case in CASES:
            await decided(scene, page, case)
        said = [str(message["text"]) for message in await scene.people.messages("incidents")]
        assert sorted(said) == sorted(text for case in CASES for text in case.posted)
    open_ones = "SELECT title FROM approvals WHERE status = 'pending' AND title <> 'Title of kinder'"
    assert await rows(database_url, open_ones) == []


async def decided(scene: AppScene, page: Page, case: Case) -> None:
    """Have Ada ask, Grace decide, and everybody read how it ended."""
    steps = case.steps or [post("tell", f"{case.name} first")]
    scene.model.add(planned(*steps, contains=f"do {case.name}"))
    if case.name == "changes":
        scene.model.add(planned(post("kinder", "hello dears"), contains="friendlier tone"))
    async with scene.asked(f"do {case.name}") as observer:
        await observer.until(lambda seen: all(map(seen.says, case.open_words)), "the card")
        card = str(observer.cards()[0].message["ts"]).replace(".", "")
        address = f"{scene.workspace.base_url}/archives/C0OPS/p{card}?thread_ts={observer.thread_ts}&user=U0GRACE"

        def story() -> None:
            page.opens(address)
            page.reads(*case.open_words)
            page.fits(f"{case.name} open")
            case.does(page)
            page.reads(*case.says)
            page.fits(f"{case.name} decided")

        await asyncio.to_thread(story)
        if case.name != "changes":
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")


@pytest.mark.parametrize("width", [400, 1280])
async def test_a_frozen_card_says_so_and_lets_nobody_approve_until_it_is_lifted(
    width: int, browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    page = Page(browser, width)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: seen.says(*ALWAYS), "the card")
            await command(scene, "Ada", "freeze")
            card = str(observer.cards()[0].message["ts"]).replace(".", "")
            address = f"{scene.workspace.base_url}/archives/C0OPS/p{card}?thread_ts={observer.thread_ts}&user=U0GRACE"

            def frozen() -> None:
                page.opens(address)
                page.reads("frozen")
                page.fits("frozen")
                assert page.has("button-decide_rejected")
                assert not page.has("button-decide_approved")

            def lifted() -> None:
                page.press("decide_approved")
                page.reads("Approved by")
                page.fits("lifted")

            await asyncio.to_thread(frozen)
            await command(scene, "Ada", "unfreeze")
            await asyncio.to_thread(lifted)
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["hello"]


@pytest.mark.parametrize("width", [400, 1280])
async def test_a_card_that_takes_two_says_who_approved_and_an_expired_one_that_nobody_did(
    width: int, browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    def two(table: dict[str, object]) -> None:
        table["policy"] = {"rules": [{"name": "two people", "effect": "ask", "quorum": 2}]}

    page = Page(browser, width)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=two) as scene:
        scene.model.add(planned(post("tell", "hello"), post("more", "never", depends_on=["tell"])))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: seen.says(*ALWAYS), "the card")
            card = str(observer.cards()[0].message["ts"]).replace(".", "")
            address = f"{scene.workspace.base_url}/archives/C0OPS/p{card}?thread_ts={observer.thread_ts}&user=U0GRACE"

            def first() -> None:
                page.opens(address)
                page.press("decide_approved")
                page.reads("1 of 2 approved")
                page.fits("one of two")

            await asyncio.to_thread(first)
            await scene.click(observer, "Linus", "approved")
            await observer.until(lambda seen: seen.says("needed: Title of more"), "the next card")
            await rows(database_url, "UPDATE approvals SET expires_at = now() WHERE status = 'pending' RETURNING id")

            def expired() -> None:
                page.reads("Approved by", "xpired")
                page.fits("expired")

            await asyncio.to_thread(expired)
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["hello"]
