"""A headless Chromium for tests of the page: the fixture `browser`, and why it is skipped where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
"""--no-sandbox because CI runs as root; the networking ones because Chromium must not call home from a test."""


@contextmanager
def chromium(profile: Path) -> Generator[Chrome]:
    """Run a fresh Chromium with this empty folder as its profile, 1400 x 900."""
    if CHROMIUM is None or CHROMEDRIVER is None:
        raise FileNotFoundError("Chromium is not installed (Debian: apt-get install chromium chromium-driver)")
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1400,900"):
        options.add_argument(flag)
    driver = Chrome(options=options, service=ChromeService(executable_path=CHROMEDRIVER))
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """A fresh Chromium with an empty profile; skipped where Chromium or its driver is not installed."""
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium chromium-driver)")
    with chromium(tmp_path / "profile") as driver:
        yield driver
