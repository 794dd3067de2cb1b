"""Planning anew: how often, what is never done twice, and who says how it goes on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import Script
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, done, whispers
from tests.acceptance.plans import ANSWERS, ENDS, fetch, goes_on, lines, planned, post

OPEN: Mapping[str, object] = {}
"""Everyone in the channel may approve, the requester included."""


def replans(*operations: Mapping[str, Json]) -> Script:
    """Return a decision, while people are waited for, that plans these once."""
    said = json.dumps({"decision": "replan", "operations": list(operations)})
    return Script(role="replan", answer=said, times=1)


def rounds(scene: AppScene, count: int) -> list[Script]:
    """Return conclusions that each want a green and a red step, as if it went on for ever."""
    return [
        goes_on(fetch(f"look{number}", f"{scene.effects.url}/look{number}"), post(f"tell{number}", f"round {number}"))
        for number in range(1, count + 1)
    ]


async def _approved(scene: AppScene, observer: ThreadObserver, words: str) -> None:
    """Approve the card that says these words."""
    await observer.until(lambda seen: len(_cards(seen, words)) > 0, f"the card of {words}")
    await scene.people.click("Grace", observer.channel, _cards(observer, words)[0], "decide_approved")
    await observer.until(lambda seen: not _cards(seen, words), f"{words} decided")


def _cards(observer: ThreadObserver, words: str) -> list[str]:
    """Return the ts of the open cards that hold these words."""
    return [str(card.message["ts"]) for card in observer.cards() if words in json.dumps(card.message)]


async def _asked(url: URL) -> list[str]:
    """Return the nodes whose approval was ever asked for, in order, each as often as it was."""
    database = Database(url)
    async with database.begin() as connection:
        rows = await connection.execute(text("SELECT node FROM approvals WHERE kind = 'approve' ORDER BY asked_at"))
        nodes = [str(name) for name in rows.scalars()]
    await database.close()
    return nodes


async def _reflections(url: URL) -> list[dict[str, Any]]:
    """Return the decisions in the record of the newest run."""
    database = Database(url)
    found = await database.execute(text("SELECT reflections FROM runs ORDER BY started_at DESC LIMIT 1"))
    await database.close()
    return list(found.scalar_one())


async def test_three_rounds_do_every_tool_once_and_ask_every_red_once_and_then_a_person_is_asked(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [], approvals=OPEN) as scene:
        first = planned(fetch("look0", f"{scene.effects.url}/look0"), post("tell0", "round 0"))
        for script in (first, *rounds(scene, 4), ENDS, ANSWERS):
            scene.model.add(script)
        async with scene.asked("keep looking") as observer:
            for number in range(4):
                await _approved(scene, observer, f"round {number}")
            await observer.until(lambda seen: seen.says("Shall I go on?"), "the question")
            assert dict(scene.effects.calls) == {f"look{number}": 1 for number in range(4)}
            posted = [str(message["text"]) for message in await scene.people.messages("incidents")]
            assert posted == [f"round {number}" for number in range(4)]
            assert await _asked(database_url) == [f"tell{number}" for number in range(4)]
            assert observer.says("Shall I go on?", "Title of look4", "Title of tell4")
            assert not answered(observer)
            assert len(scene.model.requests_of("conclude")) == 4

            # A guest may not steer; a click on it survives a restart; one of two clicks counts.
            [question] = _cards(observer, "Shall I go on?")
            await scene.people.click("Gus", observer.channel, question, "decide_more")
            assert "full members" in (await whispers(scene, "U0GUEST"))[0]
            await scene.stop_app()
            await scene.start_app()
            await scene.people.click("Linus", observer.channel, question, "decide_accept")
            await observer.until(answered, "the answer")
            assert observer.says("Answering with what there is", "U0LINUS")
            assert scene.effects.calls["look4"] == 0
            assert len(scene.model.requests_of("conclude")) == 4
            assert len(scene.model.requests_of("answer")) == 1


async def test_the_person_who_stops_at_the_bound_stops_the_turn(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [], approvals=OPEN) as scene:
        again = [goes_on(fetch(f"look{number}", f"{scene.effects.url}/look{number}")) for number in range(1, 5)]
        for script in (planned(fetch("look0", f"{scene.effects.url}/look0")), *again, ANSWERS):
            scene.model.add(script)
        async with scene.asked("keep looking") as observer:
            await observer.until(lambda seen: seen.says("Shall I go on?"), "the question")
            await scene.people.click("Ada", observer.channel, _cards(observer, "Shall I go on?")[0], "decide_stop")
            await observer.until(lambda seen: seen.says("Stopped.", "What was done") and done(seen), "the end")
            assert observer.says("Stopped", "decided", "U0ADA")


async def test_a_failure_while_a_card_is_open_is_planned_around_and_the_approval_stays_good(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [], approvals=OPEN) as scene:
        plan = planned(
            fetch("bad", "http://127.0.0.1:1/"),
            fetch("lost", f"{scene.effects.url}/lost", depends_on=["bad"]),
            post("tell", "hello"),
        )
        for script in (plan, replans(fetch("around", f"{scene.effects.url}/around")), ENDS, ANSWERS):
            scene.model.add(script)
        async with scene.asked("do it") as observer:
            await scene.effects.reached("around")
            await observer.until(lambda seen: len(_cards(seen, "hello")) == 1, "the card")
            await scene.people.click("Grace", observer.channel, _cards(observer, "hello")[0], "decide_approved")
            await observer.until(answered, "the answer")
            assert [str(message["text"]) for message in await scene.people.messages("incidents")] == ["hello"]
            assert dict(scene.effects.calls) == {"around": 1}


WORD = "CONTINUE\nThe card is all that is needed."
STATEMENTS = """# the other address answers
around = http_get(url="{url}/around")  # Look there
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (STATEMENTS, "planned anew: the other address answers"),
        (WORD, "The card is all that is needed."),
        ('ask("Which of the two addresses?")', "Which of the two addresses?"),
    ],
    ids=["statements", "word", "ask"],
)
async def test_a_failure_while_a_card_is_open_is_decided_about_in_the_plan_language(
    database_url: URL, tmp_path: Path, said: str, reason: str
) -> None:
    async with app_scene(database_url, tmp_path, [], approvals=OPEN) as scene:
        url = scene.effects.url
        plan = f'''bad = http_get(url="http://127.0.0.1:1/")  # Look
lost = http_get(url="{url}/lost", after=[bad])  # Look further
slack_post_message(channel="#incidents", text="hello")  # Tell it
'''
        decides = Script(role="replan", answer=said.replace("{url}", url), times=1)
        for script in (Script(role="planner", answer=plan, times=1), decides, ENDS, ANSWERS):
            scene.model.add(script)
        async with scene.asked("do it") as observer:
            await observer.until(lambda seen: len(_cards(seen, "hello")) == 1, "the card")
            await observer.until(lambda _: bool(scene.model.requests_of("replan")), "the decision")
            if said == STATEMENTS:
                await scene.effects.reached("around")
            elif said != WORD:
                await observer.until(lambda seen: seen.says(reason), "the question")
            await _approved(scene, observer, "hello")
            await observer.until(answered, "the answer")
            await scene.people.post("Grace", "ops", "@Greenlight !explain", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says(reason), "the reason")
        assert len(scene.model.requests_of("replan")) == 1, "it is understood at once"
        assert dict(scene.effects.calls) == ({"around": 1} if said == STATEMENTS else {})


async def test_the_setting_bounds_the_rounds_and_each_decision_is_told_with_its_reason(
    database_url: URL, tmp_path: Path
) -> None:
    def once(table: dict[str, object]) -> None:
        table["limits"] = {"rounds_per_turn": 1}

    async with app_scene(database_url, tmp_path, [], configuration=once) as scene:
        scene.model.add(planned(fetch("look0", f"{scene.effects.url}/look0")))
        for number, why in ((1, "the first page names another"), (2, "there may be a third")):
            looks = lines([fetch(f"look{number}", f"{scene.effects.url}/look{number}")])
            scene.model.add(Script(role="conclude", answer=f"# {why}\n{looks}", times=1))
        scene.model.add(goes_on(fetch("look3", f"{scene.effects.url}/look3")))
        for script in (ENDS, ANSWERS):
            scene.model.add(script)
        async with scene.asked("look at the pages") as observer:
            await observer.until(lambda seen: seen.says("Shall I go on?"), "the question")
            assert dict(scene.effects.calls) == {"look0": 1, "look1": 1}
            await scene.people.post("Grace", "ops", "@Greenlight !explain", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("planned anew: the first page"), "the decisions")
            assert observer.says("Shall I go on?", "there may be a third")
            assert observer.says("wanted another round, and asked you first: there may be a third")
            assert observer.says("round 2")
            [question] = _cards(observer, "Shall I go on?")
            await scene.people.click("Grace", observer.channel, question, "decide_more")
            await observer.until(answered, "the answer")
            assert observer.says("Planning further", "U0GRACE")
            assert dict(scene.effects.calls) == {"look0": 1, "look1": 1, "look3": 1}
            found = await _reflections(database_url)
            assert [(one["choice"], one["round"], one.get("beyond", False)) for one in found] == [
                ("replan", 1, False),
                ("replan", 2, True),
                ("replan", 2, False),
                ("end", 3, False),
            ]
