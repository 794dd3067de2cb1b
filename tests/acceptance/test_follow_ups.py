"""Messages in a thread that has work: they join a running plan, a parked one, or start the next turn."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script
from infra.wiring import Part
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done, states, whispers
from tests.acceptance.clicks import decide, late_click, open_calls
from tests.acceptance.plans import ANSWERS, ENDS, fetch, lines, package, planned, post
from tests.acceptance.processes import greenlight_worker

ADA, GRACE, LINUS, GUEST, OLGA = "U0ADA", "U0GRACE", "U0LINUS", "U0GUEST", "U0OTHER"


@asynccontextmanager
async def parked(scene: AppScene, *, channel: str = "ops") -> AsyncGenerator[ThreadObserver]:
    """Have Ada ask for one post to #incidents, and wait for its card."""
    scene.model.add(planned(post("tell", "hello")))
    async with scene.asked("tell them", channel=channel) as observer:
        await observer.until(lambda seen: bool(seen.cards()), "the card")
        yield observer


async def still_open(scene: AppScene, observer: ThreadObserver) -> None:
    """Hold the question to be undecided: nothing was posted, and Grace can still approve it."""
    assert await scene.people.messages("incidents") == []
    await scene.click(observer, "Grace", "approved")
    await observer.until(answered, "the answer")
    assert len(await scene.people.messages("incidents")) == 1


async def test_message_while_the_run_is_busy_joins_the_plan(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.effects.hold("slow")
        scene.model.add(planned(fetch("slow", f"{scene.effects.url}/slow")))
        scene.model.add(planned(fetch("more", f"{scene.effects.url}/more")))
        async with scene.asked("the slow one") as observer:
            await scene.effects.reached("slow")
            await scene.people.post("Ada", "ops", "and one more", thread_ts=observer.thread_ts)
            await scene.effects.reached("more")
            assert scene.effects.running == ["slow"]
            scene.effects.let_go("slow")
            await observer.until(answered, "the answer")
            assert set(states(observer)) == {"slow", "more"}
        assert scene.effects.calls == {"slow": 1, "more": 1}


async def test_message_while_the_run_is_parked_is_answered_and_the_card_stays(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        scene.model.add(planned(fetch("more", f"{scene.effects.url}/more")))
        await scene.people.post("Linus", "ops", "and check more", thread_ts=observer.thread_ts)
        await observer.until(lambda seen: "complete" in states(seen).get("more", ""), "the other branch done")
        assert len(observer.cards()) == 1
        await still_open(scene, observer)


async def test_two_people_at_once_in_one_thread_each_keep_their_own_rights(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        scene.model.add(planned(post("second", "from Grace"), contains="grace asks"))
        await scene.people.post("Grace", "ops", "grace asks", thread_ts=observer.thread_ts)
        await observer.until(lambda seen: len(seen.cards()) == 2, "the second card")
        await scene.click(observer, "Grace", "approved", card=1)
        assert "somebody else has to approve" in (await whispers(scene, GRACE))[0]
        await scene.click(observer, "Ada", "approved", card=1)  # her request was in view when it was planned
        assert "somebody else has to approve" in (await whispers(scene, "U0ADA"))[0]
        await scene.click(observer, "Linus", "approved", card=1)
        await observer.until(lambda seen: len(seen.cards()) == 1, "Grace's step approved by Linus")
        await scene.click(observer, "Grace", "approved", card=0)
        await observer.until(answered, "the answer")
        said = {message["text"] for message in await scene.people.messages("incidents")}
        assert said == {"hello", "from Grace"}


async def test_two_people_at_once_in_two_threads_are_both_answered(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(planned(fetch("a", f"{url}/a"), contains="for ada"))
        scene.model.add(planned(fetch("a", f"{url}/b"), contains="for linus"))
        async with scene.asked("for ada") as first, scene.asked("for linus", by="Linus", channel="general") as second:
            await asyncio.gather(first.until(answered, "Ada's answer"), second.until(answered, "Linus' answer"))
            assert first.says("ANSWER", '"name": "a"')
            assert second.says("ANSWER", '"name": "b"')


async def test_three_messages_within_a_second_are_all_planned_and_none_twice(database_url: URL, tmp_path: Path) -> None:
    def plan(request: ModelRequest) -> str:
        asked = request.last.partition("## Request\n")[2].partition("\n## ")[0]
        wanted = [name for name in ("one", "two", "three") if name in asked]
        return "".join(json.dumps(fetch(name, f"{scene.effects.url}/{name}")) + "\n" for name in wanted)

    async with app_scene(database_url, tmp_path, [Script(role="planner", answer=plan), ENDS, ANSWERS]) as scene:
        async with scene.asked("one") as observer:
            for name in ("two", "three"):
                await scene.people.post("Ada", "ops", f"@Greenlight {name}", thread_ts=observer.thread_ts)
            await asyncio.gather(*(scene.effects.reached(name) for name in ("one", "two", "three")))
            await observer.until(lambda seen: set(states(seen)) == {"one", "two", "three"}, "all three")
            await observer.until(answered, "the answer")
        assert scene.effects.calls == {"one": 1, "two": 1, "three": 1}


async def test_a_follow_up_sees_the_earlier_turn_and_refers_to_its_results(database_url: URL, tmp_path: Path) -> None:
    twice = "def main(inputs):\n    return inputs['was']['body']['name'] * 2\n"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(planned(fetch("a", f"{url}/a")))
        scene.model.add(planned(package("again", twice, inputs={"was": "${a}"})))
        async with scene.asked("fetch a") as observer:
            await observer.until(answered_and_done, "the first answer")
            await scene.people.post("Ada", "ops", "and twice that?", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("ANSWER", '"aa"'), "the second answer")
        second = scene.model.requests_of("planner")[1]
        said = [message.text for message in second.messages]
        assert any("fetch a" in text for text in said)
        assert '"id":"a"' in said[-1].replace(" ", "")
        assert scene.effects.calls == {"a": 1}


OPEN: dict[str, object] = {}
"""Everyone in the channel may approve, the requester included."""


async def say(scene: AppScene, observer: ThreadObserver, text: str, *, by: str = "Ada") -> None:
    """Write in the thread."""
    await scene.people.post(by, observer.channel, text, thread_ts=observer.thread_ts)


def cards(observer: ThreadObserver, words: str) -> list[str]:
    """Return the ts of the open cards that hold these words."""
    return [str(card.message["ts"]) for card in observer.cards() if words in json.dumps(card.message)]


async def test_a_follow_up_adds_to_a_running_plan_and_another_withdraws_a_card(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        url = scene.effects.url
        scene.effects.hold("slow")
        scene.model.add(planned(fetch("slow", f"{url}/slow"), post("first", "one"), post("second", "two")))
        scene.model.add(planned(fetch("more", f"{url}/more"), contains="also look"))
        scene.model.add(planned({"op": "cancel", "id": "first", "why": "not needed"}, contains="forget the first"))
        async with scene.asked("do it") as observer:
            await scene.effects.reached("slow")
            await say(scene, observer, "also look at more")
            await scene.effects.reached("more")
            assert scene.effects.running == ["slow"]
            await observer.until(lambda seen: bool(cards(seen, "one") and cards(seen, "two")), "both cards")
            await say(scene, observer, "forget the first post", by="Grace")
            await observer.until(lambda seen: seen.says("Withdrawn", "Title of first", "not needed"), "the card's end")
            assert len(cards(observer, "two")) == 1
            scene.effects.let_go("slow")
            await scene.people.click("Grace", observer.channel, cards(observer, "two")[0], "decide_approved")
            await observer.until(answered, "the answer")
            assert [str(message["text"]) for message in await scene.people.messages("incidents")] == ["two"]
            assert dict(scene.effects.calls) == {"slow": 1, "more": 1}
            assert len(scene.model.requests_of("conclude")) == 1
            assert "cancelled" in states(observer)["first"]


async def test_person_who_takes_back_what_has_ended_is_told_so(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("one", f"{scene.effects.url}/one")))
        scene.model.add(planned({"op": "cancel", "id": "one", "why": "not needed"}, contains="forget it"))
        async with scene.asked("look") as observer:
            await observer.until(answered, "the answer")
            await say(scene, observer, "forget it")
            await observer.until(lambda seen: seen.says("nothing left to do", "already ended"), "a word")
            assert sum("ANSWER" in words for words in observer.words()) == 1


async def test_three_messages_within_a_second_are_one_round_also_after_a_restart(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        url = scene.effects.url
        scene.model.add(planned(fetch("one", f"{url}/one"), post("tell", "hello")))
        new = [fetch(name, f"{url}/{name}") for name in ("a", "b", "c")]
        scene.model.add(Script(role="planner", contains="look at a", answer=lines(new), times=1))
        scene.model.add(planned(fetch("late", f"{url}/late"), contains="once more"))
        async with scene.asked("do it") as observer:
            await observer.until(lambda seen: bool(cards(seen, "hello")), "the card")
            await asyncio.gather(*(say(scene, observer, f"look at {name}") for name in "abc"))
            await scene.effects.reached("c")
            [_, together] = scene.model.requests_of("planner")
            assert all(f"look at {name}" in together.last for name in "abc")

            await scene.stop_app()
            await scene.start_app()
            await say(scene, observer, "look once more")
            await scene.effects.reached("late")
            await scene.people.click("Grace", observer.channel, cards(observer, "hello")[0], "decide_approved")
            await observer.until(answered, "the answer")
            assert dict(scene.effects.calls) == dict.fromkeys(["one", "a", "b", "c", "late"], 1)
            assert [str(message["text"]) for message in await scene.people.messages("incidents")] == ["hello"]


async def test_status_says_what_runs_and_who_is_waited_for_and_an_aside_is_not_for_the_agent(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.effects.hold("slow")
        plan = [
            fetch("slow", f"{scene.effects.url}/slow"),
            fetch("then", f"{scene.effects.url}/x", depends_on=["slow"]),
        ]
        scene.model.add(planned(*plan, post("tell", "hello")))
        async with scene.asked("do it") as observer:
            await observer.until(lambda seen: bool(cards(seen, "hello")), "the card")
            await observer.until(lambda seen: "in_progress" in states(seen).get("slow", ""), "the step at work")
            await say(scene, observer, "!aside Grace, is this wise?")
            await say(scene, observer, "!status", by="Linus")
            await observer.until(lambda seen: seen.says("Waiting for a decision", "Title of tell"), "the status")
            assert observer.says("Running:", "Title of slow", "Waiting for other steps", "Title of then")
            assert observer.says("Who may decide: any full member of this channel, but not <@U0ADA>")
            scene.effects.let_go("slow")
            await scene.people.click("Grace", observer.channel, cards(observer, "hello")[0], "decide_approved")
            await observer.until(answered, "the answer")
            await say(scene, observer, "!status")
            await observer.until(lambda seen: seen.says("Nothing is running in this thread."), "the last status")
            everything = json.dumps([request.body for request in scene.model.requests])
            assert "is this wise" not in everything
            assert "!status" not in everything
            assert len(scene.model.requests_of("planner")) == 1


async def test_a_changed_input_voids_the_cards_that_came_from_it_and_leaves_the_others_valid(
    database_url: URL, tmp_path: Path
) -> None:
    """The model withdraws only the step whose input changed; that its card is void is for the code to see."""
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        url = scene.effects.url
        tell = post("tell", "${old#/body/name} is fine")
        scene.model.add(planned(fetch("old", f"{url}/old"), tell, fetch("kept", f"{url}/kept"), post("more", "two")))
        anew = [fetch("new", f"{url}/new"), post("again", "${new#/body/name} is fine")]
        withdraws = {"op": "cancel", "id": "old", "why": "another host is meant"}
        scene.model.add(planned(withdraws, *anew, contains="meant the new one"))
        async with scene.asked("do it") as observer:
            # they are alike, so they may share a card
            await observer.until(lambda seen: bool(cards(seen, "old is fine") and cards(seen, "two")), "both calls")
            [void] = open_calls(observer, "old is fine")
            await say(scene, observer, "I meant the new one")
            await observer.until(lambda seen: bool(cards(seen, "new is fine")), "the new card")
            await observer.until(lambda seen: seen.says("Withdrawn", "Title of tell", "another host is meant"), "void")
            await late_click(scene, observer, void.card, void.value)
            assert "withdrawn" in (await whispers(scene, "U0LINUS"))[0].lower()
            for words in ("Title of more", "Title of again"):
                await decide(scene, observer, "Grace", "approved", words)
            await observer.until(answered, "the answer")
            posted = sorted(str(message["text"]) for message in await scene.people.messages("incidents"))
            assert posted == ["new is fine", "two"]
            assert dict(scene.effects.calls) == {"old": 1, "kept": 1, "new": 1}
            assert "cancelled" in states(observer)["tell"]
            assert "complete" in states(observer)["old"]


async def test_a_question_back_leaves_the_run_waiting_and_the_answer_goes_on(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        url = scene.effects.url
        scene.model.add(planned(fetch("one", f"{url}/one"), post("tell", "hello")))
        scene.model.add(planned({"op": "reply", "text": "Which host do you mean?"}, contains="the other host too"))
        scene.model.add(planned(fetch("web2", f"{url}/web2"), contains="web2 of course"))
        async with scene.asked("do it") as observer:
            await observer.until(lambda seen: bool(cards(seen, "hello")), "the card")
            await say(scene, observer, "look at the other host too")
            await observer.until(lambda seen: seen.says("Which host do you mean?"), "the question")
            assert len(cards(observer, "hello")) == 1
            assert not scene.model.requests_of("conclude")
            await say(scene, observer, "web2 of course", by="Grace")
            await scene.effects.reached("web2")
            asked = scene.model.requests_of("planner")[-1]
            assert any("Which host do you mean?" in message.text for message in asked.messages)
            await scene.people.click("Grace", observer.channel, cards(observer, "hello")[0], "decide_approved")
            await observer.until(answered, "the answer")
            assert dict(scene.effects.calls) == {"one": 1, "web2": 1}


async def test_a_follow_up_after_the_worker_was_killed_is_planned_with_what_is_finished(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN, started=False) as scene:
        await scene.start_app(frozenset({Part.BOT}))
        url = scene.effects.url
        scene.effects.hold("slow")
        scene.model.add(planned(fetch("quick", f"{url}/quick"), fetch("slow", f"{url}/slow"), post("tell", "hello")))
        scene.model.add(planned(fetch("late", f"{url}/late"), contains="once more"))
        file = tmp_path / "greenlight.toml"
        file.write_text(
            "[tools.http_get]\nhosts = ['127.0.0.1']\nallow_private = true\n"
            "[worker]\nheartbeat = 0.5\nstall = 6\nsweep = 0.5\ngrace = 3\n"
        )
        async with scene.asked("do it") as observer:
            async with greenlight_worker(scene, file) as worker:
                await scene.effects.reached("slow")
                await observer.until(lambda seen: bool(cards(seen, "hello")), "the card")
                await observer.until(lambda seen: "complete" in states(seen).get("quick", ""), "the first result")
                worker.kill()
                await worker.wait()
            await say(scene, observer, "look once more")
            async with greenlight_worker(scene, file):
                await scene.effects.reached("late")
                await scene.effects.reached("slow", times=2)
                scene.effects.let_go("slow")
                await scene.people.click("Grace", observer.channel, cards(observer, "hello")[0], "decide_approved")
                await observer.until(answered, "the answer")
        assert dict(scene.effects.calls) == {"quick": 1, "slow": 2, "late": 1}
        assert [str(message["text"]) for message in await scene.people.messages("incidents")] == ["hello"]
        assert len(scene.model.requests_of("planner")) == 2
