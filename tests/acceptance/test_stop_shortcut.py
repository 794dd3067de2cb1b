"""The shortcut "Stop the work here" on a message: who may, where, and what they read."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from bot import wording
from bot.payloads import STOP_SHORTCUT
from bot.slack.membership import MembershipStatus
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.errors import ControlError
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import done, whispers
from tests.acceptance.plans import ENDS, fetch, planned, post

GRACE, LINUS, GUS, OLGA = "U0GRACE", "U0LINUS", "U0GUEST", "U0OTHER"


async def choose(scene: AppScene, who: str, ts: str, channel: str = "ops") -> None:
    """Have a person choose the shortcut on a message; the app must acknowledge it in time."""
    told = await scene.people.act("shortcuts", user=who, channel=channel, ts=ts, callback_id=STOP_SHORTCUT)
    assert told["acknowledged"]


def asking(observer: ThreadObserver) -> bool:
    return bool(observer.cards())


@pytest.mark.parametrize("on", ["the request", "the card"])
async def test_any_member_stops_a_waiting_thread_from_any_of_its_messages(
    database_url: URL, tmp_path: Path, on: str
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, planned(post("tell", "hello"))]) as scene:
        async with scene.asked("tell them") as observer:
            await observer.until(asking, "the card")
            (card,) = observer.cards()
            await choose(scene, "Linus", observer.thread_ts if on == "the request" else str(card.message["ts"]))
            (told,) = await whispers(scene, LINUS)
            assert wording.STOPPING in told
            assert observer.thread_ts in told, "said in the thread, not beside it"
            await observer.until(lambda seen: done(seen) and seen.says(wording.STOPPED), "the thread says it stopped")
            await observer.until(lambda seen: seen.says("*Withdrawn*"), "the card is closed")
        assert await scene.people.messages("incidents") == []
        assert (await scene.people.read("calls"))["complaints"] == []


async def test_it_stops_what_is_running_and_starts_nothing_more(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS]) as scene:
        scene.effects.hold("slow")
        after = fetch("after", f"{scene.effects.url}/after", depends_on=["slow"])
        scene.model.add(planned(fetch("slow", f"{scene.effects.url}/slow"), after))
        async with scene.asked("check it") as observer:
            await observer.until(lambda seen: "running" in str(seen.words()).lower(), "the board")
            await scene.effects.reached("slow")
            await choose(scene, "Ada", observer.thread_ts)
            await observer.until(lambda seen: done(seen) and seen.says(wording.STOPPED), "the thread says it stopped")
            scene.effects.let_go("slow")
        assert "after" not in scene.effects.calls


async def test_where_nothing_runs_it_says_so_to_who_chose_it_alone(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        ts = await scene.people.post("Ada", "ops", "good morning")
        reply = await scene.people.post("Linus", "ops", "and to you", thread_ts=ts)
        foreign = await scene.people.post("Grace", "finance", "the app is not in here")
        await choose(scene, "Grace", ts)
        await choose(scene, "Grace", reply)
        await choose(scene, "Grace", foreign, channel="finance")
        told = await whispers(scene, GRACE, 3)
        assert all(wording.NOTHING_RUNS_HERE in text for text in told)
        assert [message["user"] for message in await scene.people.messages("ops")] == ["U0ADA", LINUS]


@pytest.mark.parametrize(
    ("who", "channel", "standing"),
    [(GUS, "ops", MembershipStatus.GUEST), (OLGA, "partners", MembershipStatus.OUTSIDER)],
    ids=["guest", "stranger"],
)
async def test_who_is_no_member_is_refused_and_the_work_goes_on(
    database_url: URL, tmp_path: Path, who: str, channel: str, standing: MembershipStatus
) -> None:
    async with (
        app_scene(database_url, tmp_path, [ENDS, planned(post("tell", "hello"))]) as scene,
        scene.asked("tell them", channel=channel) as observer,
    ):
        await observer.until(asking, "the card")
        await choose(scene, who, observer.thread_ts, channel=channel)
        (told,) = await whispers(scene, who)
        assert wording.not_a_member(standing, "stop work") in told
        await scene.click(observer, "Grace", "rejected")
        await observer.until(lambda seen: seen.says("*Rejected*"), "the question was still open")


async def test_the_second_choice_finds_nothing_left_to_stop(database_url: URL, tmp_path: Path) -> None:
    async with (
        app_scene(database_url, tmp_path, [ENDS, planned(post("tell", "hello"))]) as scene,
        scene.asked("tell them") as observer,
    ):
        await observer.until(asking, "the card")
        await choose(scene, "Ada", observer.thread_ts)
        await observer.until(lambda seen: done(seen) and seen.says(wording.STOPPED), "the thread says it stopped")
        await choose(scene, "Linus", observer.thread_ts)
        (told,) = await whispers(scene, LINUS)
        assert wording.NOTHING_RUNS_HERE in told


async def test_a_message_that_only_one_person_sees_has_no_shortcut(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene, scene.asked("  "):
        await whispers(scene, "U0ADA")
        (hint,) = (await scene.people.dump())["ephemerals"]
        with pytest.raises(ControlError, match="no_shortcut_here"):
            await choose(scene, "Ada", str(hint["message"]["ts"]))
