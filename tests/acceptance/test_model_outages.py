"""A model that is away, slow or overfull: people read so in plain words, and results are not lost."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import (
    CONTEXT_TOO_LONG,
    Cut,
    Endless,
    Failure,
    ModelRequest,
    Pace,
    Reply,
    Script,
    Stall,
    Text,
)
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, done, leaks, states
from tests.acceptance.plans import ANSWERS, ENDS, concludes, fetch, lines, package, planned

MODEL_AWAY = "couldn't reach the language model"


def planner(answer: Reply | str, times: int | None = None) -> Script:
    return Script(role="planner", answer=answer, times=times)


def impatient(table: dict[str, object]) -> None:
    """Give the model three seconds of silence and nine in all."""
    table["model"] = {"silence_seconds": 3.0, "total_seconds": 9.0}


async def ends_in(observer: ThreadObserver, *words: str) -> None:
    """See these words in the thread, and nothing that only machines should read."""
    await observer.until(lambda seen: seen.says(*words), f"the words {words}")
    assert leaks(observer) == []


async def test_model_that_cannot_be_connected_to_is_told_and_works_once_it_is_back(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        address = scene.settings.required_model().base_url
        await scene.model.stop()
        async with scene.asked("fetch a") as observer:
            await ends_in(observer, MODEL_AWAY)
            scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
            await scene.model.start(port_of(address))
            await scene.people.post("Ada", "ops", "try again", thread_ts=observer.thread_ts)
            await observer.until(answered, "the answer")


async def test_busy_model_is_waited_for(database_url: URL, tmp_path: Path) -> None:
    """Each role is put off longer than it may be silent, and more often than a failure is tried again."""
    busy = [
        Script(role=role, answer=Failure(status=429, message="slow down", retry_after_seconds=2), times=4)
        for role in ("planner", "conclude", "repair")
    ]

    def brief_silence(table: dict[str, object]) -> None:
        table["model"] = {"silence_seconds": 1.5}

    async with app_scene(database_url, tmp_path, busy, configuration=brief_silence) as scene:
        scene.model.add(planned(package("p", "def main(inputs):\n    return 1 / 0\n")))
        scene.model.add(Script(role="repair", answer="```python\ndef main(inputs):\n    return 'mended'\n```"))
        scene.model.add(ENDS)
        scene.model.add(ANSWERS)
        async with scene.asked("mend it") as observer:
            await observer.until(answered, "the answer")
            assert observer.says("attempt 2 worked")
            assert not observer.says("language model")


def port_of(address: str | None) -> int:
    """Return the port of a model's address."""
    assert address is not None
    return int(address.rsplit(":", 1)[1].partition("/")[0])


async def test_slow_model_keeps_its_steps_coming_and_is_waited_for(database_url: URL, tmp_path: Path) -> None:
    """The plan takes longer than the model may be silent. A busy machine has seconds to begin its first step."""

    def silence(table: dict[str, object]) -> None:
        table["model"] = {"silence_seconds": 8.0}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=silence) as scene:
        plan = lines([fetch(name, f"{scene.effects.url}/{name}") for name in "abcdefgh"])
        tokens = len(plan) / 4
        scene.model.add(planner(Text(text=plan, pace=Pace(tokens_per_second=tokens / 10)), times=1))
        async with scene.asked("take your time") as observer:
            await scene.effects.reached("a")
            assert scene.effects.calls["h"] == 0
            await observer.until(answered, "the answer")
            assert scene.effects.calls["h"] == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Failure(status=503, message="x"), "didn't write an answer", id="down"),
        pytest.param(Stall(after="The result is"), "didn't write an answer", id="silent"),
        pytest.param(Cut(after="The result is"), "didn't write an answer", id="dies"),
        pytest.param(Endless(piece="and so on " * 400), "didn't write an answer", id="never stops"),
        pytest.param(CONTEXT_TOO_LONG, "more than the language model can read", id="context exceeded"),
    ],
)
async def test_answer_that_fails_costs_no_results(database_url: URL, tmp_path: Path, answer: Reply, words: str) -> None:
    scripts = [ENDS, concludes(answer)]
    async with app_scene(database_url, tmp_path, scripts, configuration=impatient) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("fetch a") as observer:
            await ends_in(observer, words)
            assert observer.says("**Title of a**: done", '"a"')
            await observer.until(done, "the board's end")


async def test_results_over_the_context_are_told_briefly(database_url: URL, tmp_path: Path) -> None:
    def short_sighted(request: ModelRequest) -> Reply | str:
        return CONTEXT_TOO_LONG if len(request.last) > 12_000 else "ANSWER in brief"

    async with app_scene(database_url, tmp_path, [ENDS, concludes(short_sighted)]) as scene:
        wordy = "def main(inputs):\n    return 'x' * 3500\n"
        scene.model.add(planned(*(package(f"p{number}", wordy) for number in range(8))))
        async with scene.asked("much") as observer:
            await observer.until(answered, "the answer")


async def test_model_that_is_away_when_a_script_crashed_fails_that_step_alone(
    database_url: URL, tmp_path: Path
) -> None:
    broken = Script(role="repair", answer=Failure(status=500, message="x"))
    async with app_scene(database_url, tmp_path, [broken, ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned(package("p", "def main(inputs):\n    return 1 / 0\n"), fetch("a", f"{scene.effects.url}/a"))
        )
        async with scene.asked("both") as observer:
            await observer.until(answered, "the answer")
            assert "its script kept crashing" in states(observer)["p"]
            assert "complete" in states(observer)["a"]
