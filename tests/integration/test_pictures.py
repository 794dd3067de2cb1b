"""`make pictures` works: every scene is taken by the strict workspace and photographed from its page."""

import io

import pytest
from PIL import Image
from selenium.webdriver import Chrome

from tests.browser import browser
from tests.pictures.camera import pictures
from tests.pictures.forms import NAMES

__all__ = ["browser"]
pytestmark = pytest.mark.browser


async def test_every_scene_becomes_a_picture_of_some_size(browser: Chrome) -> None:
    taken = await pictures(browser)
    assert set(taken) == NAMES
    for name, png in taken.items():
        with Image.open(io.BytesIO(png)) as picture:
            assert min(picture.size) > 100, name
