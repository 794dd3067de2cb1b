"""Faults of the world over the wire: what was accepted is not lost, and people read what happened in plain words.

One file, though a long one: what is missing among the faults shows only beside the others.
"""

import asyncio
import fcntl
import json
import math
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

import infra.wiring
from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool
from bot import wording
from infra.db.embedded_postgres import hold_postgres, locked
from infra.db.migrate import migrate
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import (
    CONTEXT_TOO_LONG,
    Cut,
    Endless,
    Failure,
    ModelRequest,
    Pace,
    Reply,
    Rubbish,
    Script,
    Stall,
    Text,
)
from infra.tools.catalogue import ToolsConfig
from sandbox.script import Json
from tests.acceptance.app_fixture import Stage, stage
from tests.acceptance.assertions import answered, direct_messages, done, leaks, states, whispers
from tests.acceptance.plans import ANSWERS, ENDS, fetch, lines, package, planned, post, results_told, tool

AWAY_SECONDS = 10.0
MODEL_AWAY = "could not reach the language model"


def planner(answer: Reply | str, times: int | None = None) -> Script:
    return Script(role="planner", answer=answer, times=times)


def impatient(table: dict[str, object]) -> None:
    """Give the model a second of silence and six in all."""
    table["model"] = {"silence_seconds": 1.0, "total_seconds": 6.0}


async def ends_in(observer: ThreadObserver, *words: str) -> None:
    """See these words in the thread, and nothing that only machines should read."""
    await observer.until(lambda seen: seen.says(*words), f"the words {words}")
    assert leaks(observer) == []


# The model


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Failure(status=500, message="out of memory"), MODEL_AWAY, id="down"),
        pytest.param(Failure(status=401, message="bad key sk-123"), MODEL_AWAY, id="refuses the key"),
        pytest.param(Failure(status=429, message="slow down", retry_after_seconds=0.1), MODEL_AWAY, id="overloaded"),
        pytest.param(Stall(), MODEL_AWAY, id="silent"),
        pytest.param(Rubbish(), MODEL_AWAY, id="rubbish bytes"),
        pytest.param("Sure! I would be happy to help.", "could not turn this into a plan", id="rubbish words"),
        pytest.param('{"op":"add","id":1,"kind":[]}\n{"op":', "could not turn this into a plan", id="rubbish plan"),
        pytest.param(Text(text='{"op":"add"', finish_reason="length"), MODEL_AWAY, id="cut off"),
        pytest.param(Endless(piece="and so on " * 400), "could not turn this into a plan", id="never stops"),
        pytest.param(CONTEXT_TOO_LONG, "more than the language model can read", id="context exceeded"),
    ],
)
async def test_planner_that_fails_ends_in_words_and_the_next_request_works(
    database_url: URL, tmp_path: Path, answer: Reply | str, words: str
) -> None:
    async with stage(database_url, tmp_path, [], configuration=impatient) as scene:
        scene.model.add(Script(role="planner", contains="hopeless", answer=answer))
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), contains="good"))
        scene.model.add(ENDS)
        scene.model.add(ANSWERS)
        async with scene.asked("something hopeless") as observer:
            await ends_in(observer, words)
            asked = len(scene.model.requests)
            await scene.people.post("Ada", "ops", "something good", thread_ts=observer.thread_ts)
            await observer.until(answered, "the next answer")
            assert asked <= 9  # bounded: repairs, and the client's own tries
            assert leaks(observer) == []


async def test_model_that_cannot_be_connected_to_is_told_and_works_once_it_is_back(
    database_url: URL, tmp_path: Path
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        address = scene.settings.required_model().base_url
        await scene.model.stop()
        async with scene.asked("fetch a") as observer:
            await ends_in(observer, MODEL_AWAY)
            scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
            await scene.model.start(port_of(address))
            await scene.people.post("Ada", "ops", "try again", thread_ts=observer.thread_ts)
            await observer.until(answered, "the answer")


def port_of(address: str | None) -> int:
    """Return the port of a model's address."""
    assert address is not None
    return int(address.rsplit(":", 1)[1].partition("/")[0])


async def test_slow_model_keeps_its_steps_coming_and_is_waited_for(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS], configuration=impatient) as scene:
        plan = lines([fetch("a", f"{scene.effects.url}/a"), fetch("b", f"{scene.effects.url}/b")])
        tokens = len(plan) / 4
        scene.model.add(planner(Text(text=plan, pace=Pace(tokens_per_second=tokens / 3)), times=1))
        async with scene.asked("take your time") as observer:
            await scene.effects.reached("a")
            assert scene.effects.calls["b"] == 0
            await observer.until(answered, "the answer")


async def test_plan_that_broke_off_half_way_is_taken_up_again(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(planner(Cut(after=lines([fetch("a", f"{url}/a")]) + '{"op":"add","id":"b"'), times=1))
        scene.model.add(planned(fetch("b", f"{url}/b")))
        async with scene.asked("a and b") as observer:
            await observer.until(answered, "the answer")
            assert set(states(observer)) == {"a", "b"}
        assert scene.effects.calls == {"a": 1, "b": 1}


async def test_plan_that_keeps_breaking_off_shows_what_ran_and_says_so(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planner(Cut(after=lines([fetch("a", f"{scene.effects.url}/a")]))))
        async with scene.asked("a and b") as observer:
            await ends_in(observer, MODEL_AWAY)
            assert observer.says("Title of a", "done")
        assert scene.effects.calls == {"a": 1}


async def test_plan_with_a_tool_that_does_not_exist_ends_in_words_without_its_codes(
    database_url: URL, tmp_path: Path
) -> None:
    wrong = lines([tool("a", "drop_database", {})])
    async with stage(database_url, tmp_path, [planner(wrong)]) as scene, scene.asked("do it") as observer:
        await ends_in(observer, "could not turn this into a plan")
        assert not observer.says("drop_database")
        assert not observer.says("unknown_tool")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Failure(status=503, message="x"), "did not answer in the end", id="down"),
        pytest.param(Stall(after="The result is"), "did not answer in the end", id="silent"),
        pytest.param(Cut(after="The result is"), "did not answer in the end", id="dies"),
        pytest.param(Endless(piece="and so on " * 400), "did not answer in the end", id="never stops"),
        pytest.param(CONTEXT_TOO_LONG, "more than the language model can read", id="context exceeded"),
    ],
)
async def test_answer_that_fails_costs_no_results(database_url: URL, tmp_path: Path, answer: Reply, words: str) -> None:
    scripts = [ENDS, Script(role="answer", answer=answer)]
    async with stage(database_url, tmp_path, scripts, configuration=impatient) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("fetch a") as observer:
            await ends_in(observer, words)
            assert observer.says("**Title of a**: done", '"a"')
            await observer.until(done, "the board's end")


async def test_results_over_the_context_are_told_briefly(database_url: URL, tmp_path: Path) -> None:
    def short_sighted(request: ModelRequest) -> Reply | str:
        return CONTEXT_TOO_LONG if len(request.last) > 12_000 else "ANSWER in brief"

    async with stage(database_url, tmp_path, [ENDS, Script(role="answer", answer=short_sighted)]) as scene:
        wordy = "def main(inputs):\n    return 'x' * 3500\n"
        scene.model.add(planned(*(package(f"p{each}", wordy) for each in range(8))))
        async with scene.asked("much") as observer:
            await observer.until(answered, "the answer")


async def test_model_that_is_away_when_a_script_crashed_fails_that_step_alone(
    database_url: URL, tmp_path: Path
) -> None:
    broken = Script(role="repair", answer=Failure(status=500, message="x"))
    async with stage(database_url, tmp_path, [broken, ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned(package("p", "def main(inputs):\n    return 1 / 0\n"), fetch("a", f"{scene.effects.url}/a"))
        )
        async with scene.asked("both") as observer:
            await observer.until(answered, "the answer")
            assert "its script kept crashing" in states(observer)["p"]
            assert "complete" in states(observer)["a"]


# Tools


async def raises(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    raise KeyError("password=hunter2")


async def hangs(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    await asyncio.Event().wait()
    return None


async def five_megabytes(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    return {"text": "x" * 5_000_000, "lines": 7}


async def too_much(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    return "x" * (17 * 1024 * 1024)


async def not_a_number(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    return {"rate": math.nan}


async def no_json(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    strange: Any = {1, 2}
    return strange


BROKEN: tuple[Callable[[CallContext, Mapping[str, Json]], Any], ...] = (
    raises,
    hangs,
    five_megabytes,
    too_much,
    not_a_number,
    no_json,
)


@pytest.fixture
def broken_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add real tools to the catalogue, green and broken each in its own way."""
    catalogue = infra.wiring.open_tools

    @asynccontextmanager
    async def with_broken(config: ToolsConfig) -> AsyncGenerator[tuple[Tool, ...]]:
        async with catalogue(config) as tools:
            yield (*tools, *map(broken, BROKEN))

    def broken(call: Callable[[CallContext, Mapping[str, Json]], Any]) -> Tool:
        return Tool(
            name=ToolName(getattr(call, "__name__", "")),
            description="Breaks.",
            arguments={"type": "object"},
            colour=Colour.GREEN,
            call=call,
            timeout_seconds=1.0,
        )

    monkeypatch.setattr(infra.wiring, "open_tools", with_broken)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "failed: the tool broke"),
        ("hangs", "failed: it took too long"),
        ("too_much", "failed: the tool returned too much"),
        ("not_a_number", "failed: the tool returned something that cannot be kept"),
        ("no_json", "failed: the tool returned something that cannot be kept"),
    ],
)
@pytest.mark.usefixtures("broken_tools")
async def test_broken_tool_fails_its_step_in_words_and_the_rest_goes_on(
    database_url: URL, tmp_path: Path, name: str, words: str
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(
            planned(
                tool("bad", name, {}),
                fetch("aside", f"{url}/aside"),
                fetch("behind", f"{url}/behind", depends_on=["bad"]),
                fetch("instead", f"{url}/instead", depends_on=[{"id": "bad", "on": "failed"}]),
            )
        )
        async with scene.asked("do it") as observer:
            await observer.until(answered, "the answer")
            assert words in states(observer)["bad"]
            assert "skipped" in states(observer)["behind"]
            assert leaks(observer) == []
            assert not observer.says("hunter2")
        assert scene.effects.calls == {"aside": 1, "instead": 1}
        assert not any("hunter2" in request.last for request in scene.model.requests)


@pytest.mark.usefixtures("broken_tools")
async def test_five_megabytes_travel_by_reference_and_a_part_of_them_can_be_used(
    database_url: URL, tmp_path: Path
) -> None:
    whole = "def main(inputs):\n    return len(inputs['all']['text'])\n"
    part = "def main(inputs):\n    return inputs['lines'] * 6\n"
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned(
                tool("big", "five_megabytes", {}),
                package("part", part, inputs={"lines": "${big#/lines}"}),
                package("whole", whole, inputs={"all": "${big}"}),
            )
        )
        async with scene.asked("count it") as observer:
            await observer.until(answered, "the answer")
            assert "its arguments were too large" in states(observer)["whole"]
        (answer,) = scene.model.requests_of("answer")
        results = results_told(answer)
        assert results["big"]["artifact"]["size"] > 5_000_000
        assert results["part"] == 42
        assert len(answer.last) < 20_000


# PostgreSQL


@pytest.fixture
def own_folder() -> Generator[Path]:
    """A folder for a database server of this test alone; not pytest's own, which is closed to the server's user."""
    with tempfile.TemporaryDirectory(prefix="greenlight-away-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"
        wait_until_stopped(Path(folder) / "data")


def wait_until_stopped(data: Path) -> None:
    """Return when the server's guard has ended, and so the server."""
    with locked(data / "guard.lock", fcntl.LOCK_EX):
        return


async def test_postgres_away_for_ten_seconds_loses_nothing_and_repeats_nothing(
    own_folder: Path, tmp_path: Path
) -> None:
    with ExitStack() as server:
        held = server.enter_context(hold_postgres(own_folder))
        await asyncio.to_thread(migrate, held.url())
        async with stage(held.url(), tmp_path, [ENDS, ANSWERS]) as scene:
            url = scene.effects.url
            scene.effects.hold("slow")
            scene.model.add(
                planned(
                    fetch("fast", f"{url}/fast"),
                    fetch("slow", f"{url}/slow"),
                    fetch("after", f"{url}/after?${{slow#/status}}"),
                    post("tell", "hello"),
                    contains="first",
                )
            )
            scene.model.add(planned(fetch("x", f"{url}/meanwhile"), contains="meanwhile"))
            async with scene.asked("first") as first:
                await scene.effects.reached("slow")
                await first.until(lambda seen: bool(seen.cards()), "the card")
                await asyncio.to_thread(server.close)
                await asyncio.to_thread(wait_until_stopped, own_folder)
                async with scene.asked("meanwhile", by="Linus", channel="general") as second:
                    await scene.click(first, "Grace", "approved")
                    assert wording.SOMETHING_WENT_WRONG in (await whispers(scene, "U0GRACE"))[0]
                    scene.effects.let_go("slow")
                    await asyncio.sleep(AWAY_SECONDS)  # what the case is about: away for ten seconds
                    await asyncio.to_thread(server.enter_context, hold_postgres(own_folder))
                    await scene.people.act("clock", seconds=60)  # when Slack delivers again
                    await second.until(answered, "the request made meanwhile is answered")
                await scene.click(first, "Grace", "approved")
                await first.until(answered, "the first request is answered")
                assert leaks(first) == []
            assert scene.effects.calls["fast"] == 1
            assert scene.effects.calls["meanwhile"] == 1
            assert scene.effects.calls["after"] == 1
            assert [each["text"] for each in await scene.people.messages("incidents")] == ["hello"]


# Slack


async def told_once(scene: Stage, observer: ThreadObserver) -> None:
    """Hold that the thread has one board, one card, one answer, and #incidents one post."""
    assert len({each.message["ts"] for each in observer.boards()}) == 1
    assert len(observer.words()) == 3, observer.words()
    assert len(await scene.people.messages("incidents")) == 1


async def asks_and_posts(scene: Stage, *faults: Mapping[str, Any]) -> None:
    """Run a whole request with these faults of the Web API, and see that everything is told once."""
    for fault in faults:
        await scene.people.act("faults", **fault)
    scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "hello")))
    async with scene.asked("fetch and tell") as observer:
        await observer.until(lambda seen: bool(seen.cards()), "the card")
        await observer.until(lambda seen: "complete" in states(seen).get("a", ""), "the first step done")
        await scene.click(observer, "Grace", "approved")
        await observer.until(answered, "the answer")
        await told_once(scene, observer)
        assert leaks(observer) == []


async def test_rate_limited_calls_wait_and_nothing_is_lost(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await asks_and_posts(
            scene,
            {"method": "users.info", "status": 429, "retry_after": 1},
            {"method": "reactions.add", "status": 429, "retry_after": 1},
            {"method": "chat.postMessage", "status": 429, "retry_after": 1, "times": 2},
            {"method": "chat.update", "status": 429, "retry_after": 1, "times": 2},
        )


@pytest.mark.parametrize("after", [False, True], ids=["before it acted", "after it acted"])
async def test_internal_errors_of_slack_lose_nothing_and_double_nothing(
    database_url: URL, tmp_path: Path, after: bool
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for fault in ("chat.postMessage", "chat.update"):
            await scene.people.act("faults", method=fault, status=500, times=4, after=after)
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("fetch a") as observer:
            await observer.until(answered, "the answer")
            await observer.until(done, "the board's end")
            said = [words for words in observer.words() if "ANSWER" in words]
            assert len(said) == 1 or after
            assert leaks(observer) == []


async def test_connections_that_slack_drops_lose_nothing(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await asks_and_posts(
            scene,
            {"method": "users.info", "status": 0},
            {"method": "chat.postMessage", "status": 0},
            {"method": "chat.update", "status": 0},
        )


@pytest.mark.parametrize("status", [0, 500, 503])
async def test_post_whose_answer_was_lost_is_never_made_twice(database_url: URL, tmp_path: Path, status: int) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()) and "tell" in states(seen), "the card and the board")
            await scene.people.act("faults", method="chat.postMessage", status=status, after=True)
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: not states(seen).get("tell", "").startswith("pending"), "its end")
            await observer.until(lambda seen: answered(seen) or "outcome unknown" in states(seen)["tell"], "words")
            assert leaks(observer) == []
        assert len(await scene.people.messages("incidents")) == 1


async def test_not_in_channel_is_told_to_the_requester_and_shown_later(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("faults", method="chat.postMessage", error="not_in_channel")
        scene.effects.hold("a")  # still at work when the thread is found closed
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("fetch a") as observer:
            await scene.people.wait_for(lambda told: "cannot write in" in json.dumps(told["channels"]))
            assert "cannot write in <#C0OPS>" in (await direct_messages(scene, "U0ADA"))[0]
            scene.effects.let_go("a")
            await observer.until(answered, "the answer")


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_too_long", "msg_blocks_too_long"])
@pytest.mark.parametrize("which", [0, 1], ids=["board", "answer"])
async def test_message_slack_does_not_take_is_told_in_plain_words(
    database_url: URL, tmp_path: Path, error: str, which: int
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("faults", method="chat.postMessage", error=error, skip=which)
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("fetch a") as observer:
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
            assert any(words_of(each.message, "in plain words") for each in observer.sightings)
            await observer.until(lambda seen: seen.says("done: 1 step"), "the board's end")
        assert scene.effects.calls == {"a": 1}


def words_of(message: Mapping[str, Any], words: str) -> bool:
    return words in json.dumps(message)


async def test_card_slack_does_not_take_can_be_rejected_but_not_approved(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("faults", method="chat.postMessage", error="invalid_blocks", skip=1)
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            shown = json.dumps(observer.cards()[0].message["blocks"])
            assert "in plain words" in shown
            assert "decide_approved" not in shown
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
        assert await scene.people.messages("incidents") == []


@pytest.mark.parametrize("abrupt", [False, True], ids=["refresh", "abrupt"])
async def test_dropped_socket_is_opened_again_and_no_message_is_lost(
    database_url: URL, tmp_path: Path, abrupt: bool
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "hello")))
        async with scene.asked("fetch and tell") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.people.act("sockets/disconnect", abrupt=abrupt)
            scene.model.add(planned(fetch("b", f"{scene.effects.url}/b")))
            await scene.people.post("Ada", "ops", "and b", thread_ts=observer.thread_ts)
            await connected(scene)
            await scene.people.act("clock", seconds=60)  # when Slack delivers again
            await scene.effects.reached("b")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        assert scene.effects.calls == {"a": 1, "b": 1}


async def connected(scene: Stage) -> None:
    """Return once the app's socket is open (again)."""
    async with asyncio.timeout(60):
        while not (await scene.people.read("calls"))["connections"]:  # noqa: ASYNC110 -- nobody is told of sockets
            await asyncio.sleep(0.1)


async def test_event_delivered_three_times_under_two_ids_is_one_request(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("deliveries", match="app_mention", repeat=1, fresh_id=True)
        await scene.people.act("deliveries", match="message", repeat=1)
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("once please") as observer:
            await observer.until(answered, "the answer")
            assert len(observer.words()) == 2
        assert len(scene.model.requests_of("planner")) == 1
        assert scene.effects.calls == {"a": 1}


async def test_acknowledgement_that_was_lost_costs_no_second_run(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("deliveries", match="*", times=2, ignore_ack=True)
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("once please") as observer:
            await observer.until(answered, "the answer")
        assert len(scene.model.requests_of("planner")) == 1
