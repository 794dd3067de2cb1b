"""The page and our messages on it fit narrow and wide, are readable dark and light, and need no mouse.

With SCREENSHOTS set to a folder, a picture of each look is written there.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from sqlalchemy import URL

from bot import wording
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.plans import ENDS, concludes, fetch, planned, post

# pyright: reportUnknownMemberType=false

pytestmark = pytest.mark.browser


PATIENCE_SECONDS = 60


MOST_TABS = 80
"""More presses of Tab than this and nobody would call it reachable."""


WORD = "an_unbroken_word_that_goes_on_" * 12


ANSWER = f"""ANSWER

| service | error rate | what was seen | what to do about it |
|---|---:|---|---|
| payments | 41.2 % | card network unreachable, 3 of 3 gateways timed out | call the card network |
| {WORD[:90]} | 0.1 % | nothing | nothing |

```
{WORD}
```
- see https://example.com/{WORD}
"""


OVERFLOWING = """
const wide = [...document.querySelectorAll('body *')].filter((one) => {
  if (one.matches('.skip') || !one.checkVisibility({ visibilityProperty: true })) return false;
  for (let up = one.parentElement; up; up = up.parentElement)
    if (getComputedStyle(up).overflowX !== 'visible' && !up.matches('.messages')) return false;
  const box = one.getBoundingClientRect();
  return box.width > 1 && (box.right > innerWidth + 1 || box.left < -1);
});
const scrolling = [...document.querySelectorAll('html, body, .messages, .modal-body')].filter((one) =>
  one.checkVisibility() && one.scrollWidth > one.clientWidth + 1);
return [...wide, ...scrolling].map((one) => one.outerHTML.slice(0, 120));
"""
"""The elements that stick out of the window, and the places that would have to be scrolled sideways."""


FAINT = """
const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
const pen = canvas.getContext('2d', { willReadFrequently: true });
const rgba = (color) => {
  pen.clearRect(0, 0, 1, 1); pen.fillStyle = color; pen.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
};
const over = (top, under, alpha) => top.slice(0, 3).map((part, at) => part * alpha + under[at] * (1 - alpha));
const linear = (part) => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
const light = (color) => color.map((part) => linear(part / 255))
  .reduce((sum, part, at) => sum + part * [.2126, .7152, .0722][at], 0);
const ground = (one) => {
  const layers = [];
  for (let up = one; up; up = up.parentElement) layers.push(rgba(getComputedStyle(up).backgroundColor));
  return layers.reverse().reduce((under, top) => over(top, under, top[3]), [255, 255, 255]);
};
const faint = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const one = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || one.closest('option, .tools, [aria-hidden], .skip')) continue;
  if (!one.checkVisibility({ visibilityProperty: true })) continue;
  const style = getComputedStyle(one);
  let alpha = rgba(style.color)[3];
  for (let up = one; up; up = up.parentElement) alpha *= Number(getComputedStyle(up).opacity);
  const behind = ground(one), ink = over(rgba(style.color), behind, alpha);
  const [high, low] = [light(ink), light(behind)].sort((a, b) => b - a);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const ratio = (high + .05) / (low + .05);
  if (ratio < (large ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
}
return faint;
"""
"""Words with less contrast than WCAG 2.2 asks for (1.4.3, level AA): 4.5 to 1, 3 to 1 where they are large."""


FOCUSED = """
const one = document.activeElement, style = getComputedStyle(one);
const ring = (el) => { const look = getComputedStyle(el);
  return (look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2) || look.boxShadow !== 'none'; };
const box = one.getBoundingClientRect();
return { name: one.dataset.testid ?? one.id ?? '', tag: one.tagName, inThread: Boolean(one.closest('#thread')),
  ring: ring(one) || Boolean(one.closest('.composer') && ring(one.closest('.composer'))),
  seen: box.bottom > 0 && box.top < innerHeight && one.checkVisibility({ opacityProperty: true }) };
"""


class Person:
    """Somebody at the page with a keyboard alone."""

    def __init__(self, browser: Chrome, address: str) -> None:
        self.browser = browser
        self.browser.get(address)
        self.until(lambda: bool(browser.find_elements(By.CSS_SELECTOR, "body[data-ready]")), "the page is there")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is so; the page draws elements anew, so one may be gone between two looks."""
        ignored = [StaleElementReferenceException, NoSuchElementException]
        WebDriverWait(self.browser, PATIENCE_SECONDS, ignored_exceptions=ignored).until(lambda _: condition(), what)

    def reads(self, place: str, *words: str) -> None:
        """Wait until a place of the page holds these words."""

        def there() -> bool:
            text = self.browser.find_element(By.CSS_SELECTOR, f'[data-testid="{place}"]').text
            return all(word in text for word in words)

        self.until(there, f"{place} reads {words}")

    def press(self, *keys: str) -> None:
        chain = ActionChains(self.browser)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def focused(self) -> dict[str, Any]:
        """Return what has the focus, whether that can be seen, and whether it is in the thread."""
        return self.browser.execute_script(FOCUSED)

    def goes_to(self, name: str, *, back: bool = False) -> None:
        """Press Tab (with Shift when `back`) until the element of that name has the focus, and can be seen to."""
        self.until(
            lambda: bool(self.browser.find_elements(By.CSS_SELECTOR, f'[data-testid="{name}"]')), f"{name} is there"
        )
        for _ in range(MOST_TABS):
            chain = ActionChains(self.browser)
            (
                chain.key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT) if back else chain.send_keys(Keys.TAB)
            ).perform()
            there = self.focused()
            if there["name"] == name:
                assert there["ring"], f"the focus on {name} cannot be seen"
                assert there["seen"], f"{name} has the focus and is out of sight"
                return
        raise AssertionError(f"{name} was not reached with {MOST_TABS} presses of Tab")


async def test_a_request_is_made_approved_and_stopped_with_the_keyboard_alone(
    browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    scripts = [ENDS, concludes(ANSWER), planned(post("tell", "hello"), contains="first")]
    scripts.append(planned(post("again", "hello again"), contains="second"))

    def story(address: str) -> None:
        person = Person(browser, f"{address}/?user=U0ADA")
        person.goes_to("composer-channel")
        person.press("@Greenlight first", Keys.ESCAPE, Keys.ENTER)
        person.goes_to("open-thread", back=True)
        person.press(Keys.ENTER)
        person.reads("thread-messages", "Approval needed")
        assert person.focused()["name"] == "composer-thread", "an opened thread is where one writes"
        person.goes_to("button-decide_approved", back=True)
        person.press(Keys.ENTER)
        person.reads("thread-messages", "Approved", "ANSWER")
        assert person.focused()["inThread"], "the button is gone, and the focus has stayed where it was"
        person.goes_to("composer-thread")
        person.press("and the second", Keys.ENTER)
        person.reads("thread-messages", "Title of again", "waiting for approval")
        person.goes_to("shortcut-stop_work_here", back=True)
        person.press(Keys.ENTER)
        person.reads("thread-messages", wording.STOPPING, wording.STOPPED, "Withdrawn")

    async with app_scene(database_url, tmp_path, scripts, approvals={}) as scene:
        await asyncio.to_thread(story, scene.workspace.base_url)
        (told,) = await scene.people.messages("incidents")
        assert told["text"] == "hello"


@pytest.fixture
async def told(database_url: URL, tmp_path: Path) -> AsyncIterator[tuple[AppScene, str]]:
    """A scene in which a thread has everything in it, with the longest words; and the address of its board."""
    titled = {"title": f"Title with {WORD}"[:190]}
    operations = (fetch("a", "http://127.0.0.1:9/", **titled), post("tell", WORD * 3, **titled), post("wait", "hello"))
    scripts = [
        ENDS,
        concludes(ANSWER),
        planned(*operations),
        planned(post("more", "hello"), contains="more"),
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}) as scene,
        scene.asked(f"check {WORD}") as observer,
    ):
        await observer.until(lambda seen: len(seen.cards()) == 2, "the cards")
        await scene.click(observer, "Grace", "approved")
        await observer.until(lambda seen: len(seen.cards()) == 1, "one card is closed")
        await scene.click(observer, "Grace", "rejected")
        await observer.until(answered, "the answer")
        await scene.people.post("Ada", "ops", "more", thread_ts=observer.thread_ts)
        await observer.until(lambda seen: bool(seen.cards()), "an open card")
        await scene.people.act(
            "shortcuts", user="Gus", channel="ops", ts=observer.thread_ts, callback_id="stop_work_here"
        )
        board = str(observer.boards()[0].message["ts"])
        yield scene, f"{scene.workspace.base_url}/archives/C0OPS/p{board.replace('.', '')}?user=U0GUEST"


async def test_it_fits_and_is_readable_at_400_and_1400_pixels_dark_and_light(
    browser: Chrome, told: tuple[AppScene, str]
) -> None:
    _, address = told
    pictures = os.environ.get("SCREENSHOTS")

    def look(width: int, theme: str) -> dict[str, list[str]]:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": theme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        person = Person(browser, address)
        person.reads("thread-messages", "ANSWER", "Approval needed", "Approved", "guests can't")
        assert browser.execute_script("return innerWidth") == width
        if pictures:
            browser.save_screenshot(f"{pictures}/{width}-{theme}.png")
        problems = {"sticks out": browser.execute_script(OVERFLOWING), "faint": browser.execute_script(FAINT)}
        browser.execute_script("document.querySelector('[data-testid=thread-close]').click()")
        if pictures:
            browser.save_screenshot(f"{pictures}/{width}-{theme}-channel.png")
        problems["sticks out of the channel"] = browser.execute_script(OVERFLOWING)
        problems["faint in the channel"] = browser.execute_script(FAINT)
        return {what: found for what, found in problems.items() if found}

    looks = [(width, theme) for width in (400, 1400) for theme in ("dark", "light")]
    found = {f"{width} {theme}": await asyncio.to_thread(look, width, theme) for width, theme in looks}
    assert {look: problems for look, problems in found.items() if problems} == {}
