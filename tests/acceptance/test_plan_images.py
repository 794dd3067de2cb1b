"""The board of a run over ten nodes links a picture of its DAG, one per shape of the plan."""

import io
import json
import re
from pathlib import Path

import aiohttp
from PIL import Image
from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post


def links(observer: ThreadObserver) -> list[str]:
    """Return the addresses of pictures that boards link now."""
    return re.findall(r"<([^|>]+)\|Picture of the plan>", " ".join(observer.words()))


def files(observer: ThreadObserver) -> list[str]:
    """Return the names of the files in the thread."""
    return [file["name"] for sighting in observer.latest.values() for file in sighting.message.get("files", [])]


async def test_the_board_of_a_large_run_links_one_picture_per_shape_of_its_plan(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        reads = [fetch(f"look{number}", f"{scene.effects.url}/look") for number in range(10)]
        scene.model.add(planned(*reads, post("tell", "all is well", depends_on=[read["id"] for read in reads])))
        more = fetch("more", f"{scene.effects.url}/more", depends_on=["look1"])
        scene.model.add(planned(more, contains="once more"))
        async with scene.asked("look everywhere, then tell") as observer:
            await observer.until(lambda seen: len(links(seen)) == 1, "the link")
            await scene.people.post("Ada", observer.channel, "look once more", thread_ts=observer.thread_ts)
            first = links(observer)
            await observer.until(
                lambda seen: len(links(seen)) == 1 and links(seen) != first, "the link to the next one"
            )
            await scene.stop_app()
            await scene.start_app()
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            assert len(files(observer)) == 2
            sizes = [await size_of(link) for link in (*first, *links(observer))]
            assert all(width > 1000 and height > 200 for width, height in sizes)
            assert "picture" not in json.dumps(
                [message.text for request in scene.model.requests for message in request.messages]
            )


async def size_of(address: str) -> tuple[int, int]:
    """Return how many pixels the picture at an address has."""
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        image = Image.open(io.BytesIO(await answer.read()))
        assert image.format == "PNG"
        return image.size


async def test_a_run_of_ten_nodes_has_no_picture(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(*(fetch(f"look{number}", f"{scene.effects.url}/look") for number in range(10))))
        async with scene.asked("look everywhere") as observer:
            await observer.until(answered, "the answer")
            assert (links(observer), files(observer)) == ([], [])
