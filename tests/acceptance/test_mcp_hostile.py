"""Hostile MCP servers in real runs: whatever one does, only its own steps fail, in clear words, and nothing leaks."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import URL

from infra.config.file import ConfigurationError
from infra.tools.mcp.connection import McpConnection
from infra.tools.mcp.tools import offers
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, leaks, states
from tests.acceptance.clicks import open_calls
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, results_told, tool
from tests.fakes.loop_stalls import loop_stalls
from tests.mcp.http_server import http_server
from tests.mcp.servers import HOSTILE, Table, hostile_server, pin, pypi_server, settings_of

GIVEN = {"PATH": os.environ["PATH"]}

STALL_SECONDS = 1.0
"""Processor time of the loop's thread at once; parsing a hundred megabytes would take several."""


def with_servers(**tables: Table) -> Callable[[dict[str, object]], None]:
    """Return what adds servers to a scene's configuration."""
    return lambda configuration: configuration.update(mcp=tables)


def told(scene: AppScene) -> Any:
    """Return node id -> result, as the model was told last."""
    return results_told(scene.model.requests_of("conclude")[-1])


def running(folder: Path) -> list[psutil.Process]:
    """Return the processes of the hostile server that keeps its files in this folder."""
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if {str(HOSTILE), str(folder)} <= set(process.info["cmdline"] or ())]


WAYS = {
    "hang": "failed: it took too long",
    "flood": "failed: it sent more than it may, so i cut it off",
    "huge": "failed: it sent more than it may, so i cut it off",
    "die": "failed: nothing answered there",
    "greedy": "failed: nothing answered there",
    "garbage": "failed: i couldn't understand the answer",
    "deep": "failed: ",
    "number": "failed: the tool returned something i can't store",
    "fails": "failed: the tool reported an error",
    "ask": "failed: it asked for something that i don't pass on",
}


@pytest.mark.parametrize("way", WAYS)
async def test_hostile_server_fails_its_own_step_in_words_and_the_rest_goes_on(
    way: str, database_url: URL, tmp_path: Path
) -> None:
    call_seconds = 5 if way == "hang" else 60
    bad = hostile_server(tmp_path, trusted_hints=True, call_seconds=call_seconds, memory_megabytes=256)
    good = pypi_server("time", colours={"get_current_time": "green"})
    await pin(tmp_path, {"bad": bad, "good": good}, GIVEN)
    configuration = with_servers(bad=bad, good=good)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=configuration) as scene:
        url = scene.effects.url
        scene.model.add(
            planned(
                tool("bad", f"bad_{way}", {}),
                fetch("aside", f"{url}/aside"),
                fetch("behind", f"{url}/behind", depends_on=["bad"]),
                tool(
                    "instead", "good_get_current_time", {"timezone": "UTC"}, depends_on=[{"id": "bad", "on": "failed"}]
                ),
                tool("anew", "bad_change", {}, depends_on=[{"id": "bad", "on": "failed"}]),
            )
        )
        async with loop_stalls() as stalls, scene.asked("do it") as observer:
            await observer.until(answered, "the answer", timeout_seconds=240)
            seen = states(observer)
            assert seen["bad"].startswith("error") or "failed" in seen["bad"]
            assert WAYS[way] in seen["bad"]
            assert "skipped" in seen["behind"]
            assert leaks(observer) == []
        results = told(scene)
        assert "UTC" in json.dumps(results["instead"])
        assert results["anew"] == "done"  # by a new connection where the old one is gone
        assert scene.effects.calls == {"aside": 1}
        assert stalls.longest < STALL_SECONDS
    assert running(tmp_path) == []


async def test_process_of_a_server_dies_with_ours(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from infra.tools.mcp.connection import McpConnection\n"
        "from tests.mcp.servers import hostile_server, settings_of\n"
        "async def main(folder):\n"
        "    [server] = settings_of(folder, {'bad': hostile_server(folder)}, {}).servers\n"
        "    await McpConnection(server).listed()\n"
        "    print('open', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main(Path(sys.argv[1])))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n"
    [server] = running(tmp_path)
    server.suspend()  # it does not read that its input is closed
    process.kill()
    await process.wait()
    gone, left = psutil.wait_procs([server], timeout=30)
    assert (len(gone), left) == (1, [])


@pytest.mark.parametrize("mute", [True, False], ids=["mute", "not there"])
async def test_app_starts_without_a_server_and_its_steps_fail_in_words(
    mute: bool, database_url: URL, tmp_path: Path
) -> None:
    bad = hostile_server(tmp_path, trusted_hints=True, connect_seconds=2)
    await pin(tmp_path, {"bad": bad}, GIVEN)
    gone: Table = bad if mute else {"command": str(tmp_path / "gone"), "trusted_hints": True}
    (tmp_path / "mute").touch()
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_servers(bad=gone)) as scene:
        url = scene.effects.url
        scene.model.add(
            planned(tool("one", "bad_lie", {}), tool("two", "bad_change", {}), fetch("aside", f"{url}/aside"))
        )
        async with scene.asked("do it") as observer:
            await observer.until(answered, "the answer")
            assert {"failed: nothing answered there"} <= {
                states(observer)[node].split(" · ")[-1] for node in ("one", "two")
            }
            assert leaks(observer) == []
        assert scene.effects.calls == {"aside": 1}
        words = "did not get ready within 2 s" if mute else "cannot be started: No such file or directory"
        assert words in json.dumps(told(scene)["one"])
    assert running(tmp_path) == []


async def test_process_of_a_server_knows_nothing_of_our_environment(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-hunter2")
    bad = hostile_server(tmp_path, trusted_hints=True, env={"OWN": "own"})
    await pin(tmp_path, {"bad": bad}, GIVEN)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_servers(bad=bad)) as scene:
        scene.model.add(planned(tool("look", "bad_environment", {})))
        async with scene.asked("do it") as observer:
            await observer.until(answered, "the answer")
        seen = json.loads(told(scene)["look"])
    home = str(tmp_path / "mcp" / "bad")
    # LC_CTYPE is Python's own doing, in a process that has no locale.
    environment = {name: value for name, value in seen["environment"].items() if name != "LC_CTYPE"}
    assert environment == {"PATH": os.environ["PATH"], "HOME": home, "OWN": "own"}
    assert seen["folder"] == home


@pytest.mark.parametrize("says_so", [True, False], ids=["tells", "hides"])
async def test_tool_that_changes_in_the_middle_of_a_session_is_refused_until_it_is_pinned_again(
    says_so: bool, database_url: URL, tmp_path: Path
) -> None:
    bad = hostile_server(tmp_path)
    await pin(tmp_path, {"bad": bad}, GIVEN)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_servers(bad=bad)) as scene:
        scene.model.add(planned(tool("one", "bad_change", {"text": "1"}), contains="first"))
        scene.model.add(planned(tool("two", "bad_change", {"text": "2"}), contains="second"))
        scene.model.add(planned(tool("three", "bad_change", {"text": "3"}), contains="third"))
        scene.model.add(planned(tool("four", "bad_lie", {"text": "4"}), contains="fourth"))
        async with scene.asked("the first and the last") as observer:
            await observer.until(lambda seen: bool(open_calls(seen)), "the first card")
            (call,) = open_calls(observer)
            await scene.people.click("Grace", observer.channel, call.card, "decide_approved", block_id=call.block_id)
            await observer.until(answered, "the answer")
        async with scene.asked("the second") as observer:
            await observer.until(lambda seen: bool(open_calls(seen)), "the second card")
            (call,) = open_calls(observer)
            if says_so:
                (tmp_path / "told").touch()
            (tmp_path / "other").touch()  # between the card and the click
            await scene.people.click("Grace", observer.channel, call.card, "decide_approved", block_id=call.block_id)
            await observer.until(answered, "the answer")
            assert "it isn't as an operator pinned it" in states(observer)["two"]
            assert "greenlight mcp pin bad" in json.dumps(told(scene)["two"])
        async with scene.asked("the third") as observer:
            await observer.until(answered, "the answer")
            assert not observer.cards()  # nobody is asked about what would be refused
        async with scene.asked("the fourth") as observer:  # the other tools are as they were
            await observer.until(lambda seen: bool(open_calls(seen)), "the fourth card")
        assert (tmp_path / "effects").read_text() == 'change {"text": "1"}\n'
        await pin(tmp_path, {"bad": bad}, GIVEN)
        await scene.stop_app()
        await scene.start_app()
        scene.model.add(planned(tool("five", "bad_change", {"text": "5"}), contains="fifth"))
        async with scene.asked("the fifth") as observer:
            await observer.until(lambda seen: bool(open_calls(seen)), "the fifth card")
            (call,) = open_calls(observer)
            await scene.people.click("Grace", observer.channel, call.card, "decide_approved", block_id=call.block_id)
            await observer.until(answered, "the answer")
        assert (tmp_path / "effects").read_text() == 'change {"text": "1"}\nchange {"text": "5"}\n'


async def test_green_tool_that_changes_is_refused_as_soon_as_the_server_says_so(
    database_url: URL, tmp_path: Path
) -> None:
    bad = hostile_server(tmp_path, trusted_hints=True)
    await pin(tmp_path, {"bad": bad}, GIVEN)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_servers(bad=bad)) as scene:
        scene.model.add(planned(tool("one", "bad_change", {"text": "1"}), contains="first"))
        scene.model.add(
            planned(
                tool("look", "bad_again", {}), tool("two", "bad_change", {}, depends_on=["look"]), contains="second"
            )
        )
        for words in ("the first", "the second"):
            async with scene.asked(words) as observer:
                await observer.until(answered, "the answer")
            (tmp_path / "told").touch()
            (tmp_path / "other").touch()
        assert "tool_changed" in json.dumps(told(scene)["two"])
        assert (tmp_path / "effects").read_text() == 'change {"text": "1"}\n'


async def test_hints_of_a_server_that_nobody_trusts_make_nothing_green(database_url: URL, tmp_path: Path) -> None:
    bad = hostile_server(tmp_path)
    await pin(tmp_path, {"bad": bad}, GIVEN)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_servers(bad=bad)) as scene:
        scene.model.add(planned(tool("one", "bad_lie", {"text": "1"}), tool("two", "bad_hide", {"text": "seen"})))
        async with scene.asked("do it") as observer:
            await observer.until(lambda seen: len(open_calls(seen)) == 2, "the cards")
            assert not (tmp_path / "effects").exists()
            # Nor does its schema hide what a person is asked about.
            assert any("seen" in call.shown for call in open_calls(observer))


@pytest.mark.parametrize("way", ["die", "hang", "huge", "garbage", "environment"])
async def test_red_call_without_a_usable_answer_is_asked_about_and_not_sent_again(
    way: str, database_url: URL, tmp_path: Path
) -> None:
    bad = hostile_server(tmp_path, call_seconds=3, result_bytes=1024, env={"MUCH": "x" * 2000})
    await pin(tmp_path, {"bad": bad}, GIVEN)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_servers(bad=bad)) as scene:
        scene.model.add(planned(tool("one", f"bad_{way}", {})))
        async with scene.asked("do it") as observer:
            await observer.until(lambda seen: bool(open_calls(seen)), "the card")
            (call,) = open_calls(observer)
            await scene.people.click("Grace", observer.channel, call.card, "decide_approved", block_id=call.block_id)
            await observer.until(lambda seen: "Run again" in json.dumps(seen.words()), "what became of it")
            assert not answered(observer)
    assert (tmp_path / "calls").read_text() == f"{way}\n"


@pytest.mark.parametrize("name", ["slack", "http", "sql", "a_b", "Git", ""])
def test_server_cannot_be_named_so_that_its_tools_pass_for_others(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"mcp\."):
        settings_of(tmp_path, {name: hostile_server(tmp_path)}, GIVEN)


async def test_tools_of_one_server_never_share_a_name(tmp_path: Path) -> None:
    async with http_server() as web:
        web.tools = ("a.b", "a_b", "a b", "c")
        settings = await pin(tmp_path, {"web": {"url": web.url}}, GIVEN)
    (offer,) = offers(settings)
    assert set(offer.tools) == {"web_a_b", "web_c"}


async def test_server_that_offers_too_many_tools_offers_none(tmp_path: Path) -> None:
    (tmp_path / "wide").touch()
    settings = settings_of(tmp_path, {"bad": hostile_server(tmp_path)}, GIVEN)
    connection = McpConnection(settings.servers[0])
    try:
        with pytest.raises(Exception, match="offers more than 100 tools"):
            await connection.listed()
    finally:
        await connection.close()
    assert running(tmp_path) == []


async def test_pattern_of_a_server_does_not_stall_us(database_url: URL, tmp_path: Path) -> None:
    bad = hostile_server(tmp_path, trusted_hints=True)
    await pin(tmp_path, {"bad": bad}, GIVEN)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_servers(bad=bad)) as scene:
        scene.model.add(planned(tool("one", "bad_pattern", {"text": "a" * 200 + "!"})))
        async with loop_stalls() as stalls, scene.asked("do it") as observer:
            await observer.until(answered, "the answer")
        assert told(scene)["one"] == "fine"
        assert stalls.longest < STALL_SECONDS


HTTP_WAYS = {
    "huge": "cut_off",
    "flood": "cut_off",
    "packed": "tool_error",
    "broken": "tool_error",
    "gone": "tool_error",
    "refuse": "tool_error",
}


async def test_hostile_server_over_http_is_contained(database_url: URL, tmp_path: Path) -> None:
    async with http_server() as web:
        table: Table = {"url": web.url, "trusted_hints": True}
        await pin(tmp_path, {"web": table}, GIVEN)
        async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_servers(web=table)) as scene:
            steps, before = [tool("start", "web_say", {})], "start"
            for way in HTTP_WAYS:  # one after the other: what each does to the connection must not meet the others
                steps.append(tool(way, f"web_{way}", {}, depends_on=[{"id": before, "on": "finished"}]))
                before = way
            steps.append(tool("end", "web_say", {}, depends_on=[{"id": before, "on": "finished"}]))
            scene.model.add(planned(*steps, fetch("aside", f"{scene.effects.url}/aside")))
            async with scene.asked("do it") as observer:
                await observer.until(answered, "the answer", timeout_seconds=120)
                assert leaks(observer) == []
            results = told(scene)
            assert results["end"] == "fine"
            for way, code in HTTP_WAYS.items():
                assert code in json.dumps(results[way]), way
            assert "hunter2" not in json.dumps(results)
