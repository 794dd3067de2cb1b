"""One approval for the named calls of a plan: what is exactly as listed runs unasked, everything else asks."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from bot import wording
from bot.payloads import FORM_ACTION, Form
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.payload import JsonObject
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered_and_done, rows, whispers
from tests.acceptance.forms import open_form, opened, submit, text_of
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post
from tests.acceptance.test_approvals_editing import proven

GRANTED = "SELECT node FROM approvals WHERE grant_id <> '' ORDER BY node"


def after(step: JsonObject, *nodes: str) -> JsonObject:
    return {**step, "depends_on": list(nodes)}


async def open_all(scene: AppScene, observer: ThreadObserver, who: str) -> JsonObject:
    """Press the button that names the steps to come, and return the form."""
    ts = str(observer.cards()[0].message["ts"])
    await scene.people.click(who, observer.channel, ts, f"{FORM_ACTION}_all")
    return await opened(scene, who)


def offers(to_come: int) -> Any:
    def seen(observer: ThreadObserver) -> bool:
        return len(observer.cards()) == 1 and observer.says(wording.approve_with(to_come))

    return seen


def tick(view: JsonObject, *titles: str) -> dict[str, Any]:
    """Return the state of the boxes with only these ticked."""
    blocks: Any = view["blocks"]
    options = next(block["element"]["options"] for block in blocks if block.get("block_id") == "requests")
    return {"selected_options": [one for one in options if any(title in str(one["text"]) for title in titles)]}


async def test_steps_that_are_as_listed_run_unasked_and_the_first_one_outside_asks(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = f"{scene.effects.url}/facts"
        scene.model.add(
            planned(
                post("first", "begin"),
                after(fetch("look", url), "first"),
                after(post("second", "found ${look}", "#ops"), "look"),
                after(post("third", "the end", "#general"), "second"),
                after(post("where", "who knows", "${first#/channel}"), "look"),
            )
        )
        async with scene.asked("tell them one after the other") as observer:
            await observer.until(offers(3), "the card with the button")
            view = await open_all(scene, observer, "Grace")
            shown = text_of(view)
            assert "found [from “Title of look”]" in shown
            assert shown.index("Title of where") < shown.index(f"Not included: {wording.NOT_FIXED_YET}")
            assert await submit(scene, "Grace", {}) == {}
            assert json.loads((await whispers(scene, "U0GRACE"))[-1])["text"] == "Approved 3 of 3."
            await observer.until(lambda seen: seen.says("approved 2 steps ahead"), "what everybody reads")
            await observer.until(lambda seen: _asks(seen, "where"), "the card of the step that is not fixed")
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered_and_done, "the answer")
        assert [said["text"] for said in await scene.people.messages("general")] == ["the end"]
    await proven(database_url, tmp_path / "audit.jsonl", calls=3)
    assert await rows(database_url, GRANTED) == [("second",), ("third",)]


async def test_only_what_was_ticked_runs_unasked_and_twice_the_same_approval_counts_once(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned(
                post("first", "begin"),
                after(post("second", "same", "#ops"), "first"),
                after(post("third", "same", "#general"), "first"),
            )
        )
        async with scene.asked("tell them") as observer:
            await observer.until(offers(2), "the card with the button")
            for who in ("Grace", "Linus"):
                view = await open_all(scene, observer, who)
                assert await submit(scene, who, {"requests": tick(view, "second")}) == {}
                heard = json.loads((await whispers(scene, f"U0{who.upper()}"))[-1])["text"]
                assert heard == "Approved 1 of 1."
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: _asks(seen, "third"), "the card of the one that was not ticked")
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered_and_done, "the answer")
        assert [said["text"] for said in await scene.people.messages("general")] == []
    assert await rows(database_url, GRANTED) == [("second",)]
    made = "SELECT count(*), sum(most_uses) FROM grants"
    assert await rows(database_url, made) == [(1, 1)]
    said = "SELECT count(*) FROM audit WHERE event = 'granted'"
    assert await rows(database_url, said) == [(1,)]


async def test_a_step_that_asked_before_the_form_was_sent_keeps_its_card(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("first", "begin"), after(post("second", "more"), "first")))
        async with scene.asked("tell them") as observer:
            await observer.until(offers(1), "the card with the button")
            view = await open_all(scene, observer, "Grace")
            await scene.click(observer, "Linus", "approved")
            await observer.until(lambda seen: _asks(seen, "second"), "the card of the second")
            assert await submit(scene, "Grace", {"requests": tick(view, "first", "second")}) == {}
            heard = json.loads((await whispers(scene, "U0GRACE"))[-1])["text"]
            assert heard.startswith("Approved 0 of 2.")
            assert wording.PLAN_CHANGED in heard
            assert _asks(observer, "second")
    assert await rows(database_url, "SELECT count(*) FROM grants") == [(0,)]


async def test_who_may_not_approve_a_step_approves_it_not_ahead_either(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("first", "begin"), after(post("second", "more"), "first")))
        async with scene.asked("tell them") as observer:
            await observer.until(offers(1), "the card with the button")
            shown = text_of(await open_all(scene, observer, "Ada"))
            assert wording.NOTHING_TO_APPROVE in shown
            assert f"_Not included: {wording.NOT_YOURS_TO_COME}_" in shown


async def test_an_approval_ahead_ends_with_the_right_to_give_it(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.effects.hold("facts")
        scene.model.add(
            planned(
                post("first", "begin"),
                after(fetch("look", f"{scene.effects.url}/facts"), "first"),
                after(post("second", "more"), "look"),
            )
        )
        async with scene.asked("tell them") as observer:
            await observer.until(offers(1), "the card with the button")
            await open_form(scene, observer, "Grace", Form.ALL)
            assert await submit(scene, "Grace", {}) == {}
            await scene.effects.reached("facts")
            await scene.people.act("members", channel="ops", member="Grace", remove=True)
            scene.effects.let_go("facts")
            await observer.until(lambda seen: _asks(seen, "second"), "the card")
    assert await rows(database_url, GRANTED) == []


def _asks(observer: ThreadObserver, name: str) -> bool:
    return any(f"Title of {name}" in json.dumps(card.message["blocks"][0]) for card in observer.cards())
