"""Steps of a run that the same people decide share one card: each is decided for itself, or all at once."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from bot import wording
from bot.payloads import Form
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.payload import JsonObject
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered_and_done, rows, states, whispers
from tests.acceptance.clicks import late_click
from tests.acceptance.forms import open_form, picked, submit
from tests.acceptance.plans import ANSWERS, ENDS, planned, post, tool
from tests.acceptance.test_approvals_editing import edit

CHANNELS = ("#incidents", "#ops", "#general")
ALIKE = [post(f"tell{number}", "hello", channel) for number, channel in enumerate(CHANNELS)]


def elements(observer: ThreadObserver, action: str) -> list[JsonObject]:
    """Return the buttons of this action on the first open card."""
    blocks: Any = observer.cards()[0].message["blocks"]
    rows_of = [block["elements"] for block in blocks if block["type"] == "actions"]
    return [button for row in rows_of for button in row if button["action_id"] == action]


def has_all(observer: ThreadObserver) -> bool:
    """Return whether the three steps stand on one card."""
    return len(observer.cards()) == 1 and observer.says("Approval needed: 3 calls") and observer.says("Approve all 3")


async def press(scene: AppScene, observer: ThreadObserver, who: str, action: str, number: int = 0) -> None:
    """Have a person press the button of this action of one item, as the card reads now."""
    value = elements(observer, action)[number]["value"]
    ts = str(observer.cards()[0].message["ts"])
    await scene.people.click(who, observer.channel, ts, action, value=value)


async def test_equal_steps_stand_on_one_card_and_each_is_decided_for_itself(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(*ALIKE))
        async with scene.asked("tell them all") as observer:
            await observer.until(has_all, "the card")
            shown = json.dumps(observer.cards()[0].message["blocks"])
            assert shown.count("text: hello") == 1
            assert all(f"channel: {channel}" in shown for channel in CHANNELS)
            ops = sorted(CHANNELS, key=lambda channel: shown.index(f"channel: {channel}")).index("#ops")
            await press(scene, observer, "Grace", "decide_approved", ops)
            await observer.until(lambda seen: len(elements(seen, "decide_approved")) == 2, "the first decision")
            await observer.until(lambda seen: "done" in states(seen).get("tell1", ""), "the first effect")
            await press(scene, observer, "Linus", "decide_all_rejected")
            await observer.until(answered_and_done, "the answer")
        told = {channel: [said["text"] for said in await scene.people.messages(channel[1:])] for channel in CHANNELS}
        assert (told["#incidents"], told["#general"]) == ([], [])
        assert "hello" in told["#ops"]
    decided = "SELECT node, status, decided_by FROM approvals ORDER BY node"
    assert await rows(database_url, decided) == [
        ("tell0", "rejected", "U0LINUS"),
        ("tell1", "approved", "U0GRACE"),
        ("tell2", "rejected", "U0LINUS"),
    ]
    shown_to_people = "SELECT count(*) FROM audit WHERE event = 'posted' AND details ->> 'card' <> ''"
    assert await rows(database_url, shown_to_people) == [(3,)]


async def test_one_click_approves_all_of_a_card_also_after_a_restart(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(*ALIKE))
        async with scene.asked("tell them all") as observer:
            await observer.until(has_all, "the card")
            await scene.stop_app()
            await scene.start_app()
            await press(scene, observer, "Grace", "decide_all_approved")
            await observer.until(answered_and_done, "the answer")
        for channel in CHANNELS:
            assert "hello" in [said["text"] for said in await scene.people.messages(channel[1:])]
    assert await rows(database_url, "SELECT count(*) FROM ledger") == [(3,)]


async def test_a_click_on_a_card_that_has_changed_counts_for_what_is_still_open_and_says_so(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(*ALIKE))
        async with scene.asked("tell them all") as observer:
            await observer.until(has_all, "the card")
            ts = str(observer.cards()[0].message["ts"])
            value = str(elements(observer, "decide_all_approved")[0]["value"])
            await press(scene, observer, "Grace", "decide_rejected", 0)
            await observer.until(lambda seen: len(elements(seen, "decide_approved")) == 2, "the first decision")
            await late_click(scene, observer, ts, value, action="decide_all_approved")
            told = (await whispers(scene, "U0LINUS"))[-1]
            assert "Your click counted for 2 of 3." in told
            await observer.until(answered_and_done, "the answer")
    counts = "SELECT status, count(*) FROM approvals GROUP BY status ORDER BY status"
    assert await rows(database_url, counts) == [("approved", 2), ("rejected", 1)]


async def test_the_requester_approves_nothing_of_a_card_where_a_second_person_must(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(*ALIKE))
        async with scene.asked("tell them all") as observer:
            await observer.until(has_all, "the card")
            await press(scene, observer, "Ada", "decide_all_approved")
            told = (await whispers(scene, "U0ADA"))[-1]
            assert "Your click changed nothing." in told
            assert wording.APPROVE in json.dumps(observer.cards()[0].message["blocks"])
    assert await rows(database_url, "SELECT count(*) FROM approvals WHERE status = 'pending'") == [(3,)]


async def test_steps_of_different_tools_share_a_card_when_the_same_people_decide(
    database_url: URL, tmp_path: Path
) -> None:
    opens = tool("open", "slack_create_channel", {"name": "new-one"})
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        scene.model.add(planned(*ALIKE[:2], opens))
        async with scene.asked("tell them and open one") as observer:
            await observer.until(lambda seen: len(seen.cards()) == 1 and seen.says("Approve all 3"), "the card")
            shown = json.dumps(observer.cards()[0].message["blocks"], ensure_ascii=False)
            assert "Title of open — slack_create_channel" in shown
            assert "name: new-one" in shown
            assert "Can be undone, but leaves traces" in shown
            await press(scene, observer, "Grace", "decide_all_approved")
            await observer.until(answered_and_done, "the answer")
        assert "new-one" in json.dumps(await scene.people.dump())
    assert await rows(database_url, "SELECT count(*) FROM ledger") == [(3,)]


async def test_a_step_that_other_people_decide_has_a_card_of_its_own(database_url: URL, tmp_path: Path) -> None:
    approvals: dict[str, object] = {"slack_create_channel": {"users": ["U0LINUS"]}}
    opens = tool("open", "slack_create_channel", {"name": "new-one"})
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=approvals) as scene:
        scene.model.add(planned(*ALIKE, opens))
        async with scene.asked("tell them all") as observer:
            await observer.until(
                lambda seen: len(seen.cards()) == 2 and seen.says("Approval needed: 3 calls"), "the cards"
            )


async def test_an_item_of_a_small_card_is_edited_and_commented_like_any_request(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(*ALIKE))
        async with scene.asked("tell them all") as observer:
            await observer.until(has_all, "the card")
            assert await edit(scene, observer, "Grace", text="good night") == {}
            await observer.until(lambda seen: seen.says("Changed by <@U0GRACE>"), "who changed what")
            view = await open_form(scene, observer, "Linus", Form.COMMENT)
            chosen = picked("rejected", view, "decision")
            assert await submit(scene, "Linus", {"decision": chosen, "words": "not today"}) == {}
            await observer.until(lambda seen: seen.says("Reason: not today"), "the reason")
    counts = "SELECT status, count(*), count(edited) FROM approvals GROUP BY status ORDER BY status"
    assert await rows(database_url, counts) == [("approved", 1, 1), ("pending", 1, 0), ("rejected", 1, 0)]
