"""Prompts that a provider can cache: requests of a run begin alike, and what the cache saves is counted and priced."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from infra.db.database import Database
from infra.dev.scripted_model.script import ModelRequest, Script
from infra.dev.scripted_model.server import MODEL_NAME
from infra.dev.scripted_model.wire import prompt_text
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, done
from tests.acceptance.plans import ANSWERS, fetch, goes_on, lines, package, planned
from tests.fakes.tokens import count_tokens

LEAST_SHARE = 0.6


def alike(one: str, other: str) -> int:
    """Return how many characters two texts begin alike."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def cached_share(requests: Sequence[ModelRequest]) -> float:
    """Return the share of the tokens of all of a run's requests that an earlier one of them begins with."""
    prompts = [prompt_text(request) for request in requests]
    known = [max((alike(prompt, earlier) for earlier in prompts[:at]), default=0) for at, prompt in enumerate(prompts)]
    cached = sum(count_tokens(prompt[:same]) for prompt, same in zip(prompts, known, strict=True))
    return cached / sum(map(count_tokens, prompts))


async def test_the_second_request_of_a_run_begins_with_the_first_ones_bytes(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), fetch("b", f"{scene.effects.url}/b")))
        async with scene.asked("look at both") as observer:
            await observer.until(answered, "the answer")
        planner, conclude = scene.model.requests
        first = prompt_text(planner)
        same = alike(first, prompt_text(conclude))
        assert first[same - 7 : same + 3].startswith("\n\n## ") or first[same:].startswith("Now\n"), first[same - 40 :]
        assert len(first) - same < 60, "only the time, which comes last, differs"
        share = cached_share(scene.model.requests)
        print(f"of two requests, {share:.3f}; of the second one alone twice as much")
        assert 0.4 <= share < 0.5, "the first request has nothing before it"


async def test_a_run_of_one_round_has_more_than_half_of_its_prompts_in_the_cache(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        url = scene.effects.url
        for script in (planned(fetch("a", f"{url}/a")), goes_on(fetch("b", f"{url}/b")), ANSWERS):
            scene.model.add(script)
        async with scene.asked("look, and look further") as observer:
            await observer.until(answered, "the answer")
        assert [request.role for request in scene.model.requests] == ["planner", "conclude", "conclude"]
        share = cached_share(scene.model.requests)
        print(f"of three requests, {share:.3f}")
        assert share >= LEAST_SHARE


async def test_every_request_of_a_thread_has_one_system_message_repairs_and_follow_ups_included(
    database_url: URL, tmp_path: Path
) -> None:
    crash = package("p", "def main(inputs):\n    return 1 / 0\n")
    mended = Script(role="repair", answer="```python\ndef main(inputs):\n    return 'mended'\n```")
    async with app_scene(database_url, tmp_path, [mended]) as scene:
        url = scene.effects.url
        faulty = Script(role="planner", contains="first", answer=lines([fetch("a", f"{url}/a", wrong=1)]), times=1)
        further = planned(fetch("b", f"{url}/b"), contains="second")
        for script in (faulty, planned(crash, contains="Faults"), further, ANSWERS):
            scene.model.add(script)
        async with scene.asked("first") as observer:
            await observer.until(answered, "the first answer")
            await scene.people.post("Ada", "ops", "second", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: sum("ANSWER" in word for word in seen.words()) == 2, "the second answer")
        requests = scene.model.requests
        roles = [request.role for request in requests]
        assert roles == ["planner", "planner", "repair", "conclude", "planner", "conclude"]
        assert len({request.system for request in requests}) == 1
        assert all(request.messages[0].role == "system" for request in requests)
        faults = requests[1]
        assert prompt_text(faults).startswith(prompt_text(requests[0])), "a repair round goes on from what was said"
        assert cached_share(requests) >= LEAST_SHARE


def priced(table: dict[str, object]) -> None:
    price = {"input": 100.0, "cached": 10.0, "output": 1000.0}
    table["prices"] = {"currency": "EUR", "models": {MODEL_NAME: price}}


@pytest.mark.parametrize("wire", ["chat", "responses"])
async def test_cached_tokens_that_the_server_reports_are_counted_shown_and_priced(
    database_url: URL, tmp_path: Path, wire: str
) -> None:
    def configured(table: dict[str, object]) -> None:
        priced(table)
        table["model"] = {"use_responses_api": dict.fromkeys(("planner", "conclude"), wire == "responses")}

    async with app_scene(database_url, tmp_path, [ANSWERS], configuration=configured) as scene:
        scene.model.caches = True
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("look") as observer:
            await observer.until(lambda seen: answered(seen) and done(seen), "the answer")
            await observer.until(lambda seen: seen.says("Took", "2 model calls", "cached"), "the footer")
            board = next(words for words in observer.words() if "2 model calls" in words)
        told = re.search(r"([\d,]+) tokens \(([\d,]+) cached\) · EUR (\d+\.\d+)", board)
        assert told is not None, board
        tokens, cached = (int(told[group].replace(",", "")) for group in (1, 2))
        read = sum(-(-len(message.text) // 4) for request in scene.model.requests for message in request.messages)
        assert {request.api for request in scene.model.requests} == {wire}
        assert 1024 <= cached < read < tokens
        expected = ((read - cached) * 100 + cached * 10 + (tokens - read) * 1000) / 1_000_000
        assert abs(float(told[3]) - expected) < 0.001
        assert await _stored(scene) == cached


async def _stored(scene: AppScene) -> int:
    """Return the cached tokens in the turn's row."""
    database = Database(scene.url)
    async with database.begin() as connection:
        found = (await connection.execute(text("SELECT cached_tokens FROM runs"))).scalar_one()
    await database.close()
    return int(found)
