"""Takes the pictures: posts what the scenes hold to a local workspace and photographs its page, message by message."""

import asyncio
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from slack_sdk.web.async_client import AsyncWebClient

from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp
from tests.pictures.forms import forms
from tests.pictures.scenes import messages

# selenium and slack_sdk leave some of their parameters untyped:
# pyright: reportUnknownMemberType=false

MANIFEST = Path(__file__).parents[2] / "manifest.json"
WIDTH, HEIGHT, SHARPNESS = 740, 12000, 1.5
COLOURS = 48
"""HEIGHT holds all messages at once: what must be scrolled to may lie half under the composer."""
PATIENCE_SECONDS = 60


async def pictures(browser: Chrome) -> Mapping[str, bytes]:
    """Return picture name -> PNG."""
    async with Workspace(app=InstalledApp.from_manifest(MANIFEST), rate_limits=False) as workspace:
        web = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
        stands: dict[str, str] = {}
        for name, message in messages().items():
            posted = await web.chat_postMessage(channel="C0GENERAL", text=message.text, blocks=_plain(message.blocks))
            stands[name] = str(cast("Any", posted["ts"]))
        address = f"{workspace.base_url}/archives/C0GENERAL/p{stands['board'].replace('.', '')}?user=U0ADA"
        taken = await asyncio.to_thread(_messages_taken, browser, address, stands)
        for name, form in forms().items():
            trigger = workspace.backend.tickets.new_trigger("U0ADA")
            await web.views_open(trigger_id=trigger, view=_plain(form))
            taken[name] = await asyncio.to_thread(_modal_taken, browser)
        return taken


def _plain(value: object) -> Any:
    """Return blocks as the SDK wants them: bare lists and dicts."""
    return json.loads(json.dumps(value))


def _messages_taken(browser: Chrome, address: str, stands: Mapping[str, str]) -> dict[str, bytes]:
    metrics = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": SHARPNESS, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    light = [{"name": "prefers-color-scheme", "value": "light"}, {"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": light})
    browser.get(address)
    return {name: _taken(browser, f'article[data-ts="{ts}"]') for name, ts in stands.items()}


def _modal_taken(browser: Chrome) -> bytes:
    """Return the picture of the modal that is open, and close it."""
    taken = _taken(browser, "dialog[open] form")
    browser.find_element(By.CSS_SELECTOR, '[data-testid="modal-close"]').click()
    closed = WebDriverWait(browser, PATIENCE_SECONDS)
    closed.until(lambda driver: not driver.find_elements(By.CSS_SELECTOR, "dialog[open] form"))
    return taken


def _taken(browser: Chrome, selector: str) -> bytes:
    def there(driver: Chrome) -> WebElement:
        return driver.find_element(By.CSS_SELECTOR, selector)

    return _smaller(WebDriverWait(browser, PATIENCE_SECONDS).until(there).screenshot_as_png)


def _smaller(png: bytes) -> bytes:
    """Return the picture with few colours: a page of words needs no more, and the repository stays small."""
    small = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE).save(small, "PNG", optimize=True)
    return small.getvalue()
