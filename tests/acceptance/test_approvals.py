"""A red step asks people and waits alone: who may decide, what runs, what expires, and what the rest does meanwhile."""

import asyncio
import json
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from infra.wiring import Part
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, answered_and_done, states, whispers
from tests.acceptance.clicks import late_click
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post, tool

BOT, WORKER = frozenset({Part.BOT}), frozenset({Part.WORKER})


async def test_an_approval_nobody_decides_expires_and_is_no_rejection(database_url: URL, tmp_path: Path) -> None:
    def soon(table: dict[str, Any]) -> None:
        table["limits"] = {"approval_hours": 2 / 3600}
        table["worker"] = {"sweep": 0.2}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=soon) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
            await observer.until(lambda seen: seen.says("Expired", "nobody decided in time"), "the card's end")
        (answer,) = scene.model.requests_of("conclude")
        assert '"expired"' in answer.last
        assert '"rejected"' not in answer.last
        assert await scene.people.messages("incidents") == []


async def test_a_decision_on_one_bot_reaches_a_hot_run_in_another_process_at_once(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], started=False) as scene:
        await scene.start_app(WORKER)
        await scene.start_app(BOT)
        effects = scene.effects
        effects.hold("slow")
        scene.model.add(planned(fetch("slow", f"{effects.url}/slow"), post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: "done" in str(seen.tasks().get("tell")), "the post, while the other runs")
            assert effects.running == ["slow"]
            effects.let_go("slow")
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")


async def test_card_slack_does_not_take_can_be_rejected_but_not_approved(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
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


async def test_arguments_of_which_slack_refuses_a_part_cannot_be_approved(database_url: URL, tmp_path: Path) -> None:
    def requests(table: dict[str, Any]) -> None:
        table["tools"]["http_request"] = {}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=requests) as scene:
        # the first message is the board, the second the first part of the arguments
        await scene.people.act("faults", method="chat.postMessage", error="msg_blocks_too_long", skip=1)
        body = "".join(f"{line} of many lines\n" for line in range(450))
        send = {"method": "POST", "url": "https://example.com/", "text": body}
        scene.model.add(planned(tool("send", "http_request", send)))
        async with scene.asked("send it") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            card = observer.cards()[0].message
            assert observer.says("part 1 of", "in plain words")
            assert "decide_approved" not in json.dumps(card["blocks"])
            assert observer.says("Slack couldn't show all of the arguments")
            buttons = next(block for block in card["blocks"] if block["type"] == "actions")["elements"]
            # another client may still show a button that lets it run: the server refuses it all the same
            await late_click(scene, observer, str(card["ts"]), buttons[0]["value"])
            assert "Slack couldn't show all of the arguments" in (await whispers(scene, "U0LINUS"))[0]
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
            assert "rejected" in states(observer)["send"]


async def test_independent_steps_run_at_the_same_time_and_a_red_step_suspends_itself_alone(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        effects = scene.effects
        for name in ("a", "b", "c", "slow"):
            effects.hold(name)
        scene.model.add(
            planned(
                *(fetch(name, f"{effects.url}/{name}") for name in ("a", "b", "c")),
                post("tell", "a said ${a#/status}"),
                fetch("slow", f"{effects.url}/slow"),
                fetch("after_slow", f"{effects.url}/after", depends_on=["slow"]),
                fetch("after_tell", f"{effects.url}/behind", depends_on=["tell"]),
            )
        )
        async with scene.asked("do it all") as observer:
            await asyncio.gather(*(effects.reached(name) for name in ("a", "b", "c", "slow")))
            assert effects.most_at_once == 4
            effects.let_go("a")
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            effects.let_go("b")
            effects.let_go("c")
            effects.let_go("slow")
            await effects.reached("after")
            await observer.until(lambda seen: "complete" in states(seen).get("after_slow", ""), "the other branch done")
            assert "waiting for approval" in states(observer)["tell"]
            assert effects.calls["behind"] == 0
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
            assert effects.calls["behind"] == 1
            assert [message["text"] for message in await scene.people.messages("incidents")] == ["a said 200"]


async def test_a_rejected_step_ends_rejected_what_depends_on_it_skipped_and_the_rest_stands(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(
            planned(
                post("tell", "hello"),
                fetch("behind", f"{url}/behind", depends_on=["tell"]),
                fetch("aside", f"{url}/aside"),
            )
        )
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered_and_done, "the answer")
            seen = states(observer)
        assert "rejected" in seen["tell"]
        assert "skipped" in seen["behind"]
        assert "complete" in seen["aside"]
        assert scene.effects.calls == {"aside": 1}
        assert await scene.people.messages("incidents") == []
        (answer,) = scene.model.requests_of("conclude")
        assert '"rejected"' in answer.last


async def test_the_requester_may_not_approve_where_policy_wants_a_second_person(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Ada", "approved")
            await scene.people.wait_for(
                lambda told: any(ephemeral["user"] == "U0ADA" for ephemeral in told["ephemerals"])
            )
            assert await scene.people.messages("incidents") == []
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        assert len(await scene.people.messages("incidents")) == 1


async def test_the_card_shows_exactly_what_is_executed(database_url: URL, tmp_path: Path) -> None:
    words = "*bold* <!channel> & <@U0GRACE> `code` ü漢"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", words)))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            runs = [
                (run["text"], "".join(run.get("style", {})))
                for block in observer.cards()[0].message["blocks"]
                for part in block.get("elements", ())
                if part.get("type") == "rich_text_quote"
                for run in part["elements"]
            ]
            assert runs == [("bold", "bold"), (" <!channel> & <@U0GRACE> ", ""), ("code", "code"), (" ü漢", "")]
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        (message,) = await scene.people.messages("incidents")
        assert "<!channel>" not in message["text"]
