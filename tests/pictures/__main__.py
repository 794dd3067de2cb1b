"""Makes the README's pictures anew: `python -m tests.pictures` (make pictures). Needs Chromium and its driver."""

import asyncio
import tempfile
from pathlib import Path

from tests.browser import chromium
from tests.pictures.camera import pictures

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


def main() -> None:
    """Take every picture and write it where the README looks."""
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        for name, png in asyncio.run(pictures(browser)).items():
            (FOLDER / f"{name}.png").write_bytes(png)
            print(f"{name}.png: {len(png) / 1024:.0f} KiB")


main()
