"""The page of the local Slack in Chromium: read, used with the mouse, and checked for what sticks out of its window.

With SCREENSHOTS set to a folder, a picture of each look is written there.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from bot import wording
from bot.payloads import FORM_ACTION, Form
from infra.dev.demo.thread_observer import ThreadObserver
from tests.acceptance.app_fixture import AppScene
from tests.acceptance.test_page_readable import OVERFLOWING

# pyright: reportUnknownMemberType=false

WIDTHS = (400, 1280)
"""In pixels: a phone's and a desk's."""

PATIENCE_SECONDS = 60


def address_of(scene: AppScene, observer: ThreadObserver, user: str = "U0GRACE") -> str:
    """Return the address of a thread's first open card, as this person opens it."""
    card = str(observer.cards()[0].message["ts"]).replace(".", "")
    return f"{scene.workspace.base_url}/archives/C0OPS/p{card}?thread_ts={observer.thread_ts}&user={user}"


def _nothing() -> None:
    pass


class Page:
    """The page as somebody sees it who has a mouse."""

    def __init__(self, browser: Chrome, width: int) -> None:
        self._browser = browser
        # A message that comes moves what is being clicked.
        ignored = [StaleElementReferenceException, NoSuchElementException, ElementClickInterceptedException]
        self._wait = WebDriverWait(browser, PATIENCE_SECONDS, 0.1, ignored_exceptions=ignored)
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
        #: Does what opened the form once more; and how often the person was told to do that.
        self._opens_again: Callable[[], object] = _nothing
        self._told_again = 0
        self.resizes(width)

    def resizes(self, width: int) -> None:
        """Make the window so wide."""
        self._width = width
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def opens(self, address: str) -> None:
        """Go to a message."""
        self._browser.get(address)
        ready = "body[data-ready]"
        self._wait.until(lambda _: bool(self._browser.find_elements(By.CSS_SELECTOR, ready)), f"{address} never opened")
        assert self._browser.execute_script("return innerWidth") == self._width

    def reads(self, *words: str, place: str = "thread-messages") -> None:
        """Wait until a place holds these words."""

        def there(_: Chrome) -> bool:
            text = self._text_of(place)
            return all(word in text for word in words)

        try:
            self._wait.until(there)
        except TimeoutException as late:
            late.msg = f"{place} never read {words}, but {self._text_of(place)!r}"
            raise

    def _text_of(self, place: str) -> str:
        return self._browser.find_element(By.CSS_SELECTOR, f'[data-testid="{place}"]').text

    def looks(self, what: str, *words: str) -> None:
        """Wait until the thread holds these words, and check that nothing sticks out."""
        self.reads(*words)
        self.fits(what)

    def has(self, name: str) -> bool:
        """Whether there is an element of that name."""
        return bool(self._browser.find_elements(By.CSS_SELECTOR, f'[data-testid="{name}"]'))

    def click(self, selector: str) -> None:
        """Click the first element that fits."""

        def clicked(_: Chrome) -> bool:
            self._browser.find_element(By.CSS_SELECTOR, selector).click()
            return True

        self._wait.until(clicked, f"{selector} was never there to be clicked")

    def press(self, action: str, place: str = "thread-messages") -> None:
        """Press a button of a message."""
        self._opens_again = partial(self.click, f'[data-testid="{place}"] [data-testid="button-{action}"]')
        self._opens_again()

    def choose(self, form: Form) -> None:
        """Choose from the card's menu, and wait for the form."""

        def chosen(_: Chrome) -> bool:
            menu = self._browser.find_element(By.CSS_SELECTOR, f'[data-testid="menu-{FORM_ACTION}_menu"]')
            Select(menu).select_by_visible_text(wording.FORM_OPTIONS[form])
            return True

        self._opens_again = lambda: self._wait.until(chosen, f"{form} was never there to be chosen")
        self._opens_again()

    def types(self, block_id: str, words: str) -> None:
        """Replace what stands in a field of a form."""
        box = self._browser.find_element(By.CSS_SELECTOR, f'[data-block-id="{block_id}"] :is(input, textarea)')
        box.clear()
        box.send_keys(words)

    def picks(self, block_id: str, label: str) -> None:
        """Choose an option of a form's field."""
        menu = self._browser.find_element(By.CSS_SELECTOR, f'[data-block-id="{block_id}"] select')
        Select(menu).select_by_visible_text(label)

    def writes(self, words: str) -> None:
        """Send a message, or a command, to the channel."""
        self._browser.find_element(By.CSS_SELECTOR, '[data-testid="composer-channel"]').send_keys(words)
        self.click('[data-testid="send-channel"]')

    def block_of(self, label: str) -> str:
        """Return the block id of the field with this label."""
        fields = self._browser.find_elements(By.CSS_SELECTOR, '[data-testid="modal-form"] .field')
        found = next(field for field in fields if field.find_element(By.CLASS_NAME, "label").text.startswith(label))
        return found.get_attribute("data-block-id") or ""

    def form_reads(self, *words: str) -> None:
        """Wait until the form holds these words, and nothing in it is cut; open it again where the app asks for it."""

        def there(_: Chrome) -> bool:
            text = self._text_of("modal-form") if self.has("modal-form") else ""
            if all(word in text for word in words):
                return True
            if wording.FORM_GONE in text or wording.RULE_UNCHECKED in text:
                self.click('[data-testid="modal-close"]')
                self._opens_again()
            elif self._text_of("thread-messages").count(wording.SLACK_DID_NOT_ANSWER) > self._told_again:
                self._told_again += 1
                self._opens_again()
            return False

        self._wait.until(there, f"the form never read {words}")
        self.fits("form")

    def submit(self, *, closes: bool = True) -> None:
        """Send the form; again, as the form asks for it, when the app had no time to check it."""
        self._opens_again = _nothing
        self.click('[data-testid="modal-submit"]')
        if not closes:
            return

        def taken(_: Chrome) -> bool:
            every = self._browser.find_elements(By.CSS_SELECTOR, '[data-testid="modal-form"]')
            forms = [form for form in every if form.is_displayed()]
            if forms and wording.FORM_NOT_CHECKED in forms[0].text:
                self._browser.find_element(By.CSS_SELECTOR, '[data-testid="modal-submit"]').click()
                return False
            return not forms

        self._wait.until(taken, "the form was never taken")

    def fits(self, what: str) -> None:
        """Check at each width that nothing sticks out of the window; take a picture if somebody wants one."""
        own = self._width
        for width in (*(other for other in WIDTHS if other != own), own):
            self.resizes(width)
            if "SCREENSHOTS" in os.environ:
                self._browser.save_screenshot(Path(os.environ["SCREENSHOTS"], f"{width}-{what}.png").as_posix())
            assert self._browser.execute_script(OVERFLOWING) == [], f"{what} at {width}"
