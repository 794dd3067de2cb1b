"""A person sets a step's result, over the wire: what came from the old one runs again, what changes something asks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from agent.card_facts import Corrected
from bot import wording
from bot.blocks.corrections import STEP, VALUE
from bot.payloads import SET_ACTION
from infra.dev.demo.thread_observer import ThreadObserver
from infra.wiring import Part
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, done, rows, states, whispers
from tests.acceptance.clicks import decide, open_calls
from tests.acceptance.forms import opened, picked, submit, text_of
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned, post, tool
from tests.acceptance.processes import greenlight_worker
from tests.acceptance.undo_steps import say

OPEN: dict[str, object] = {}


def lost(scene: AppScene) -> Sequence[dict[str, Json]]:
    """Return a plan of which a step fails because there is no such value, and others wait for it."""
    return (
        fetch("up", f"{scene.effects.url}/up"),
        fetch("lost", "${up#/address}"),
        fetch("next", f"{scene.effects.url}/${{lost#/name}}"),
        post("tell", "total ${lost#/total}"),
    )


async def said(scene: AppScene) -> list[str]:
    return [str(message["text"]) for message in await scene.people.messages("incidents")]


def asks(observer: ThreadObserver, words: str) -> bool:
    """Return whether a single call waits for people, and shows these words."""
    return len(open_calls(observer)) == 1 and bool(open_calls(observer, words))


def said_why(observer: ThreadObserver, why: str) -> set[str]:
    """Return the steps whose place on the board says this."""
    return {step for step, state in states(observer).items() if why.lower() in state}


async def test_what_waited_for_a_failed_step_runs_with_the_result_that_a_person_sets(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        scene.model.add(planned(*lost(scene)))
        async with scene.asked("tell them the total") as observer:
            await observer.until(answered, "the answer")
            assert scene.effects.calls == {"up": 1}
            await say(scene, observer, '!set lost {"name": "found", "total": 17}')
            await observer.until(lambda seen: asks(seen, "total 17"), "the card")
            assert open_calls(observer, wording.CORRECTED[Corrected.FIRST])
            await scene.click(observer, "Ada", "approved")
            await observer.until(lambda seen: seen.says("lost-set") and answered(seen), "the answer")
            assert await said(scene) == ["total 17"]
            assert scene.effects.calls == {"up": 1, "found": 1}
            assert "set by a person" in states(observer)["lost-set"]
        assert len(scene.model.requests_of("planner")) == 1
    found = await rows(database_url, "SELECT count(*) FROM audit WHERE event = 'planned' AND details->>'turn' = '2'")
    assert found == [(1,)]


async def test_a_waiting_card_is_withdrawn_and_asked_anew_with_the_set_result(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        url = scene.effects.url
        scene.model.add(
            planned(
                fetch("a", f"{url}/a"),
                fetch("b", f"{url}/${{a#/body/name}}"),
                post("tell", "${a#/body/calls} of ${b#/body/name}"),
            )
        )
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: asks(seen, "1 of a"), "the card")
            await say(scene, observer, '!set "Title of a" {"body": {"name": "other", "calls": 17}}')
            await observer.until(lambda seen: asks(seen, "17 of other"), "the card with the set result")
            await say(scene, observer, '!set a {"body": {"name": "third", "calls": 18}}')
            await observer.until(lambda seen: asks(seen, "18 of third"), "the card with the second result")
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered, "the answer")
        assert await said(scene) == ["18 of third"]
        assert scene.effects.calls == {"a": 2, "other": 1, "third": 1}


WRITES = """
def main(inputs):
    tools.files_write(name="report.md", text="total %s" % inputs["name"])
    return "written"
"""


async def test_who_reads_a_file_by_its_name_reads_the_one_that_is_made_with_the_set_result(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        head = tool("head", "files_head", {"name": "1/make/report.md"}, depends_on=["make"])
        scene.model.add(
            planned(
                fetch("a", f"{scene.effects.url}/a"),
                package("make", WRITES, inputs={"name": "${a#/body/name}"}),
                head,
                post("tell", "${a#/body/calls}: ${make}, ${head#/text}"),
            )
        )
        # A later turn reads the file, too, and says nothing of the step that made it.
        read = tool("read", "files_read", {"name": "1/make/report.md"})
        scene.model.add(planned(read, post("late", "late ${read#/text}")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: asks(seen, "1: written, total a"), "the card")
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered, "the answer")
            await say(scene, observer, "@Greenlight once more")
            await observer.until(lambda seen: asks(seen, "late total a"), "the card of the second turn")
            await scene.click(observer, "Ada", "approved")
            await observer.until(lambda seen: "complete" in states(seen).get("late", ""), "the second post")
            await say(scene, observer, '!set a {"body": {"name": 17, "calls": 5}}')
            await observer.until(lambda seen: len(open_calls(seen)) == 2, "the cards")
            assert open_calls(observer, "5: written, total 17")
            assert open_calls(observer, "late total 17")
        assert await said(scene) == ["1: written, total a", "late total a"]


async def test_another_member_sets_a_result_and_a_guest_sets_none(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "name ${a#/body/name}")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: asks(seen, "name a"), "the card")
            await say(scene, observer, '!set a {"body": {"name": "guest"}}', who="Gus")
            # Two people at once: both are taken in, one after the other, and one card is left.
            await say(scene, observer, '!set a {"body": {"name": "one"}}', who="Grace")
            await say(scene, observer, '!set a {"body": {"name": "two"}}', who="Linus")
            await observer.until(lambda seen: asks(seen, "name two"), "the card with the last result")
            set_once_each = {"a", "a-set", "a-set2"}
            await observer.until(
                lambda seen: {step for step in states(seen) if step[0] == "a"} == set_once_each, "both"
            )
            assert "guests can't start work" in (await whispers(scene, "U0GUEST"))[0]
            await scene.click(observer, "Ada", "approved")
            await observer.until(lambda seen: "complete" in states(seen).get("tell-again2", ""), "the post")
        assert await said(scene) == ["name two"]


async def test_what_a_stop_withdrew_is_told_when_its_result_is_set(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "name ${a#/body/name}")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: asks(seen, "name a"), "the card")
            await say(scene, observer, "!stop")
            await observer.until(done, "the end")
            await say(scene, observer, '!set a {"body": {"name": "b"}}')
            await observer.until(lambda seen: seen.says("Withdrawn before", "Title of tell"), "that it stays withdrawn")
            assert open_calls(observer) == []
        assert await said(scene) == []


async def test_a_call_that_was_made_is_not_repeated_without_a_yes(database_url: URL, tmp_path: Path) -> None:
    def allowed(table: dict[str, Any]) -> None:
        table["policy"] = {
            "rules": [
                {
                    "name": "posts",
                    "tools": ["slack_post_message"],
                    "targets": {"channel": ["#incidents"]},
                    "effect": "allow",
                }
            ]
        }

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN, configuration=allowed) as scene:
        url = scene.effects.url
        scene.model.add(planned(fetch("a", f"{url}/a"), post("tell", "name ${a#/body/name}")))
        async with scene.asked("tell them") as observer:
            await observer.until(answered, "the answer")
            assert await said(scene) == ["name a"]
            await say(scene, observer, '!set a {"body": {"name": "b"}}')
            await observer.until(lambda seen: asks(seen, "name b"), "the card")
            assert open_calls(observer, "Done before with another value")
            assert observer.says("not repeated without a yes: Again: Title of tell")
            await scene.click(observer, "Ada", "rejected")
            await observer.until(lambda seen: "rejected" in states(seen)["tell-again"], "the end")
        assert await said(scene) == ["name a"]


async def test_a_correction_outlives_the_process_that_planned_it(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN, started=False) as scene:
        await scene.start_app(frozenset({Part.BOT}))
        url = scene.effects.url
        scene.effects.hold("b")
        scene.model.add(
            planned(fetch("a", f"{url}/a"), fetch("b", f"{url}/${{a#/body/name}}"), post("tell", "now ${b#/body/name}"))
        )
        file = tmp_path / "greenlight.toml"
        file.write_text(
            "[tools.http_get]\nhosts = ['127.0.0.1']\nallow_private = true\n"
            "[worker]\nheartbeat = 0.5\nstall = 6\nsweep = 0.5\ngrace = 3\n"
        )
        async with scene.asked("tell them") as observer:
            async with greenlight_worker(scene, file) as worker:
                await observer.until(lambda seen: asks(seen, "now a"), "the card")
                await say(scene, observer, '!set a {"body": {"name": "b"}}')
                await scene.effects.reached("b")
                worker.kill()
                await worker.wait()
            async with greenlight_worker(scene, file):
                await scene.effects.reached("b", times=2)
                scene.effects.let_go("b")
                await observer.until(lambda seen: asks(seen, "now b"), "the card")
                await scene.click(observer, "Ada", "approved")
                await observer.until(answered, "the answer")
        assert await said(scene) == ["now b"]
        assert scene.effects.calls == {"a": 2, "b": 2}


async def test_a_name_that_fits_no_step_and_a_step_that_runs_are_answered_in_words(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        url = scene.effects.url
        scene.effects.hold("slow")
        scene.model.add(planned(fetch("total", f"{url}/total"), fetch("slow", f"{url}/slow")))
        async with scene.asked("look") as observer:
            await scene.effects.reached("slow")
            await observer.until(lambda seen: "complete" in states(seen).get("total", ""), "the first result")
            await say(scene, observer, "!set totla 17")
            await observer.until(lambda seen: seen.says("no step “totla”", "`total`"), "near names")
            await say(scene, observer, "!set slow 17")
            await observer.until(lambda seen: seen.says("hasn't ended yet"), "that it runs")
            await say(scene, observer, "!set total")
            await observer.until(lambda seen: seen.says("Nothing is set yet"), "how it is written")
            scene.effects.let_go("slow")
            await observer.until(answered, "the answer")
            assert set(states(observer)) == {"total", "slow"}
        assert len(scene.model.requests_of("planner")) == 1


async def test_a_result_is_set_by_the_form_behind_the_board(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        scene.model.add(planned(*lost(scene)))
        async with scene.asked("tell them the total") as observer:
            await observer.until(answered, "the answer")
            board = observer.boards()[-1].message
            await scene.people.click("Ada", observer.channel, str(board["ts"]), SET_ACTION)
            view = await opened(scene, "Ada")
            step = picked("lost", view, STEP)
            wrong = await submit(scene, "Ada", {STEP: step, VALUE: "\u20ac" * 2000})
            assert wrong == {VALUE: "That value is too large, or can't be stored: 4 KiB is the most. Nothing was set."}
            assert await submit(scene, "Ada", {STEP: step, VALUE: '{"name": "found", "total": 17}'}) == {}
            await observer.until(lambda seen: asks(seen, "total 17"), "the card")
            await scene.click(observer, "Ada", "approved")
            await observer.until(lambda seen: seen.says("lost-set") and answered(seen), "the answer")
        assert await said(scene) == ["total 17"]


async def test_a_result_is_set_by_the_form_while_other_steps_run(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        url = scene.effects.url
        scene.effects.hold("slow")
        scene.model.add(
            planned(fetch("a", f"{url}/a"), fetch("slow", f"{url}/slow"), post("tell", "name ${a#/body/name}"))
        )
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: asks(seen, "name a"), "the card")
            await observer.until(lambda seen: SET_ACTION in json.dumps(seen.boards()[-1].message), "the button")
            assert not done(observer)
            board = str(observer.boards()[-1].message["ts"])
            await scene.people.click("Gus", observer.channel, board, SET_ACTION)
            assert "guests can't set a result" in text_of(await opened(scene, "Guest"))
            await scene.people.click("Ada", observer.channel, board, SET_ACTION)
            view = await opened(scene, "Ada")
            assert "(slow)" not in text_of(view)
            filled = {STEP: picked("a", view, STEP), VALUE: '{"body": {"name": "b"}}'}
            assert await submit(scene, "Ada", filled) == {}
            await observer.until(lambda seen: asks(seen, "name b"), "the card with the set result")
            await scene.click(observer, "Ada", "approved")
            scene.effects.let_go("slow")
            await observer.until(answered, "the answer")
        assert await said(scene) == ["name b"]
        assert scene.effects.calls == {"a": 1, "slow": 1}


async def test_open_cards_of_a_lists_items_are_withdrawn_and_the_items_of_the_set_list_ask(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        names = package("names", "def main(inputs):\n    return ['Ann', 'Bo', 'Cy']\n")
        scene.model.add(planned(names, post("greet", "hello ${item}", for_each="${names}")))
        async with scene.asked("greet them") as observer:
            await observer.until(lambda seen: len(open_calls(seen)) == 3, "a card for each item")
            assert await decide(scene, observer, "Ada", "approved", "hello Ann")
            await observer.until(lambda seen: "complete" in states(seen).get("greet-0", ""), "the first post")
            for words, reply in (
                ("greet []", "hasn't ended yet"),
                ("greet-1 17", "is a part of Title of greet"),
            ):
                await say(scene, observer, f"!set {words}")
                await observer.until(lambda seen, reply=reply: seen.says(reply), reply)
            assert len(open_calls(observer)) == 2
            await say(scene, observer, '!set names ["Dee", "Ed"]')
            await observer.until(
                lambda seen: len(open_calls(seen, "hello Dee")) == len(open_calls(seen, "hello Ed")) == 1, "new cards"
            )
            why = wording.set_anew("Title of names")
            await observer.until(
                lambda seen: said_why(seen, why) == {"greet", "greet-1", "greet-2"}, "why, on the board"
            )
            assert observer.says("hello Bo", "*Withdrawn*", f"Reason: {why}")
            assert len(open_calls(observer)) == 2
            assert await decide(scene, observer, "Ada", "approved", "hello Dee")
            assert await decide(scene, observer, "Ada", "rejected", "hello Ed")
            await observer.until(answered, "the answer")
        assert await said(scene) == ["hello Ann", "hello Dee"]


async def test_value_that_does_not_fit_the_steps_schema_is_refused_in_words_and_nothing_is_set(
    database_url: URL, tmp_path: Path
) -> None:
    schema: dict[str, Json] = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}
    code = "def main(inputs):\n    return {'total': 3}\n"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        total = package("total", code, result_schema=schema)
        scene.model.add(planned(total, post("tell", "total ${total#/total}", depends_on=["total"])))
        async with scene.asked("tell them the total") as observer:
            await observer.until(lambda seen: asks(seen, "total 3"), "the card")
            await say(scene, observer, "!set total many")
            await observer.until(lambda seen: seen.says("Nothing was set", "'many' is not"), "what is wrong")
            await say(scene, observer, '!set total {"total": "many"}')
            await observer.until(lambda seen: seen.says("Nothing was set", "/total doesn't"), "where it is wrong")
            assert asks(observer, "total 3")
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered, "the answer")
            board = observer.boards()[-1].message
            await scene.people.click("Ada", observer.channel, str(board["ts"]), SET_ACTION)
            view = await opened(scene, "Ada")
            wrong = await submit(scene, "Ada", {STEP: picked("total", view, STEP), VALUE: '{"total": 1.5}'})
            assert "/total doesn't" in wrong[VALUE]
            assert set(states(observer)) == {"total", "tell"}
            await submit(scene, "Ada", {STEP: picked("total", view, STEP), VALUE: '{"total": 17}'})
            await observer.until(lambda seen: asks(seen, "total 17"), "the card")
            await scene.click(observer, "Ada", "rejected")
            await observer.until(lambda seen: "rejected" in states(seen).get("tell-again", ""), "the end")
        assert await said(scene) == ["total 3"]
