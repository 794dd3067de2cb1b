"""A request on the demo's page in headless Chromium: one person asks, another approves, both read the answer."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from infra.dev.demo.story import REQUEST

# pyright: reportUnknownMemberType=false

pytestmark = pytest.mark.browser


ROOT = Path(__file__).parents[2]


PATIENCE_SECONDS = 120


@pytest.fixture
def demo_address() -> Iterator[str]:
    """Run `greenlight demo` on a data folder of its own; the address it prints."""
    with tempfile.TemporaryDirectory(prefix="greenlight-page-") as folder:
        Path(folder).chmod(0o755)  # the database's own user must get through
        environment = {**os.environ, "GREENLIGHT_DATA": folder}
        command = [Path(sys.executable).with_name("greenlight"), "demo", "--port", "0"]
        running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert running.stdout is not None
            lines = iter(running.stdout.readline, "")
            yield next(found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=60)
        assert running.returncode == 0


class Page:
    """The page, by its test ids."""

    def __init__(self, browser: Chrome) -> None:
        self._browser = browser
        # The page draws elements anew, so one may be gone between a look and an act.
        self._wait = WebDriverWait(browser, PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException])

    def all(self, name: str) -> list[WebElement]:
        """Return the elements of that name."""
        return self._browser.find_elements(By.CSS_SELECTOR, f'[data-testid="{name}"]')

    def one(self, name: str) -> WebElement:
        """Return the newest element of that name that can be used, once there is one."""
        return self._wait.until(
            lambda _: (
                next((element for element in reversed(self.all(name)) if element.is_displayed()), None)  # type: ignore[arg-type]
                or False
            )
        )

    def click(self, name: str) -> None:
        """Click the newest element of that name; a click counts once it reached one that was still there."""

        def clicked(_: Chrome) -> bool:
            self.one(name).click()
            return True

        self._wait.until(clicked, f"{name} was never there to be clicked")

    def reads(self, *parts: str) -> None:
        """Wait until the open thread holds these words."""
        self.shows("thread-messages", *parts)

    def shows(self, name: str, *parts: str) -> None:
        """Wait until the newest element of that name holds these words."""
        self._wait.until(lambda _: all(part in self.one(name).text for part in parts), f"{name} never read {parts}")

    def says(self, line: str) -> None:
        """Wait until the page has this line, with nothing beside it that only code should read."""
        self._wait.until(lambda _: line in self._text().splitlines(), f"there never was a line {line!r}")
        assert re.search(r"^(false|true|null|undefined|NaN)$", self._text(), re.MULTILINE) is None

    def _text(self) -> str:
        return self._browser.find_element(By.TAG_NAME, "body").text

    def act_as(self, person: str) -> None:
        """Become another person."""
        Select(self.one("person-picker")).select_by_visible_text(person)


def test_a_person_asks_another_approves_and_both_read_the_answer(browser: Chrome, demo_address: str) -> None:
    browser.set_window_size(1400, 1250)
    browser.get(demo_address)
    page = Page(browser)
    page.act_as("Ada")
    page.click("channel-ops")
    page.one("composer-channel").send_keys(f"@Greenlight {REQUEST}")
    page.click("send-channel")
    page.click("open-thread")
    page.reads("Approval needed", "attempt 1 crashed", "attempt 2 running")
    if "SCREENSHOT" in os.environ:
        browser.save_screenshot(os.environ["SCREENSHOT"])
    page.reads("attempt 2 worked")
    page.says("Greenlight waits for people")
    page.click("button-script_details_0")
    page.click("button-script_attempt_1")
    page.shows("modal-form", "Attempt 1 of 2 crashed", "Where it crashed", "def main(inputs)")
    if "SCREENSHOT_OF_DETAILS" in os.environ:
        browser.save_screenshot(os.environ["SCREENSHOT_OF_DETAILS"])
    page.click("modal-close")
    page.act_as("Grace")
    page.click("channel-ops")
    if not any(element.is_displayed() for element in page.all("thread-messages")):
        page.click("open-thread")
    page.click("button-decide_approved")
    page.reads("Approved by", "scripted model", "payments")
    page.click("channel-incidents")
    assert "503" in page.one("messages").text
