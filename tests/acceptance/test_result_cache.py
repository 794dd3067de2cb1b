"""A result that may be cached is not fetched again, and the board says so."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned


async def test_a_result_that_may_be_remembered_is_not_fetched_again_and_the_board_says_so(
    database_url: URL, tmp_path: Path
) -> None:
    def remembering(table: dict[str, Any]) -> None:
        table["tools"]["http_get"]["cache_seconds"] = 600

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=remembering) as scene:
        url = scene.effects.url
        scene.model.add(planned(fetch("a", f"{url}/page")))
        scene.model.add(planned(fetch("b", f"{url}/page")))
        scene.model.add(planned(fetch("c", f"{url}/page")))
        for by, told in (("Ada", False), ("Ada", True), ("Grace", False)):
            async with scene.asked("read it", by=by) as observer:
                await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
                await observer.until(lambda seen: any(w.startswith("Done: ") for w in seen.words()), "the board's end")
                assert observer.says("from the cache") is told
        assert scene.effects.calls == {"page": 2}
