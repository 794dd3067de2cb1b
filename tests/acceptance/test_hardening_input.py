"""Bad input over the wire: each ends in clear words in the thread, or in private ones to whoever did it.

One file, though a long one: what is missing among bad input shows only beside the rest.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from bot import wording
from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.actions.interactions import payload_of, person_acting
from infra.dev.local_slack.state.errors import ControlError
from infra.dev.scripted_model.script import ModelRequest, Script, Stall
from tests.acceptance.app_fixture import Stage, stage
from tests.acceptance.assertions import answered, direct_messages, leaks, states, whispers
from tests.acceptance.clicks import late_click
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post

ADA, GRACE, LINUS, GUEST, OLGA = "U0ADA", "U0GRACE", "U0LINUS", "U0GUEST", "U0OTHER"


def says(text: str) -> Script:
    """Return a planner that answers once without a plan."""
    return Script(role="planner", answer=json.dumps({"op": "reply", "text": text}), times=1)


@asynccontextmanager
async def parked(scene: Stage, *, channel: str = "ops") -> AsyncGenerator[ThreadObserver]:
    """Have Ada ask for one post to #incidents, and wait for its card."""
    scene.model.add(planned(post("tell", "hello")))
    async with scene.asked("tell them", channel=channel) as observer:
        await observer.until(lambda seen: bool(seen.cards()), "the card")
        yield observer


@asynccontextmanager
async def at_work(scene: Stage) -> AsyncGenerator[ThreadObserver]:
    """Have Ada ask for a page that does not come before it is let go, and wait for the board."""
    scene.effects.hold("a")
    scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
    async with scene.asked("fetch a") as observer:
        await scene.effects.reached("a")
        await observer.until(lambda seen: bool(seen.boards()), "the board")
        yield observer


async def forged(scene: Stage, who: str, observer: ThreadObserver, **other: Any) -> None:
    """Deliver a click that no client would send: the card's own, with some parts replaced."""
    backend, message = scene.workspace.backend, observer.cards()[0].message
    channel = backend.team.channel_named(str(other.get("channel", observer.channel)))
    assert channel is not None
    ts = str(other.get("ts", message["ts"]))
    secret = backend.tickets.new_response_url(
        person_acting(backend, who).id, channel.id, message_ts=ts, ephemeral=False, thread_ts=observer.thread_ts
    )
    payload = payload_of(backend, "block_actions", person_acting(backend, who)) | {
        "container": {"type": "message", "message_ts": ts, "channel_id": channel.id, "thread_ts": observer.thread_ts},
        "channel": {"id": channel.id, "name": channel.name},
        "response_url": f"{backend.base_url}/response/{secret}",
        "actions": [
            {
                "type": "button",
                "action_id": other.get("action", "decide_approved"),
                "block_id": "b",
                "value": other.get("value", button(observer)["value"]),
                "action_ts": ts,
            }
        ],
    }
    await backend.deliveries.interact("interactive", payload)


def button(observer: ThreadObserver) -> dict[str, Any]:
    """Return the card's first button."""
    blocks: list[dict[str, Any]] = observer.cards()[0].message["blocks"]
    return next(block for block in blocks if block["type"] == "actions")["elements"][0]


async def still_open(scene: Stage, observer: ThreadObserver) -> None:
    """Hold the question to be undecided: nothing was posted, and Grace can still approve it."""
    assert await scene.people.messages("incidents") == []
    await scene.click(observer, "Grace", "approved")
    await observer.until(answered, "the answer")
    assert len(await scene.people.messages("incidents")) == 1


# Requests


async def test_empty_request_is_answered_with_a_hint_to_the_sender_alone(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, []) as scene, scene.asked("  ") as observer:
        (told,) = await whispers(scene, ADA)
        assert "Tell me what you need" in told
        assert observer.words() == []
        assert scene.model.requests == []


async def test_request_of_40000_characters_is_planned_whole_and_answered(database_url: URL, tmp_path: Path) -> None:
    text = "check it, " * 3998
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked(text) as observer:
            await observer.until(answered, "the answer")
            await scene.people.post("Ada", "ops", "and again?", thread_ts=observer.thread_ts)
            scene.model.add(says("ANSWER again"))
            await observer.until(lambda seen: seen.says("ANSWER again"), "the follow-up is answered")
        assert text.strip() in scene.model.requests_of("planner")[0].last
        assert (await scene.people.read("calls"))["complaints"] == []


async def test_hostile_mrkdwn_pings_nobody_and_breaks_nothing(database_url: URL, tmp_path: Path) -> None:
    evil = "<!channel> <!here> <@U0GRACE> </text>\u202e *x* ```\n# h\n> q <https://evil.example|click> &lt;!channel&gt;"
    async with stage(database_url, tmp_path, [ENDS]) as scene:
        titled = fetch("a", f"{scene.effects.url}/a") | {"title": evil[:140]}
        scene.model.add(planned(titled, post("tell", evil) | {"title": evil[:140]}))
        scene.model.add(Script(role="answer", answer=f"ANSWER {evil}"))
        async with scene.asked(evil) as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            written = [
                text for each in observer.sightings if each.message.get("bot_id") for text in mrkdwn(each.message)
            ]
        (posted,) = await scene.people.messages("incidents")
        assert "<!channel>" not in posted["text"]
        assert len(written) > 5
        assert not [text for text in written if "<!channel>" in text or "<!here>" in text or "<@U0GRACE> </" in text]


def mrkdwn(value: Any) -> list[str]:
    """Return every text that Slack would read for mentions and links; rich text's is literal."""
    match value:
        case {"type": "mrkdwn" | "markdown", "text": str(text)}:
            return [text]
        case {"type": "message", "text": str(text)}:
            return [text, *mrkdwn(value.get("blocks", []))]
        case dict():
            return [text for each in value.values() for text in mrkdwn(each)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        case list():
            return [text for each in value for text in mrkdwn(each)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        case _:
            return []


async def test_message_while_the_run_is_busy_joins_the_plan(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
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
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        scene.model.add(planned(fetch("more", f"{scene.effects.url}/more")))
        await scene.people.post("Linus", "ops", "and check more", thread_ts=observer.thread_ts)
        await observer.until(lambda seen: "complete" in states(seen).get("more", ""), "the other branch done")
        assert len(observer.cards()) == 1
        await still_open(scene, observer)


async def test_two_people_at_once_in_one_thread_each_keep_their_own_rights(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        scene.model.add(planned(post("second", "from Grace"), contains="grace asks"))
        await scene.people.post("Grace", "ops", "grace asks", thread_ts=observer.thread_ts)
        await observer.until(lambda seen: len(seen.cards()) == 2, "the second card")
        await scene.click(observer, "Grace", "approved", card=1)
        assert "somebody else has to approve" in (await whispers(scene, GRACE))[0]
        await scene.click(observer, "Ada", "approved", card=1)
        await observer.until(lambda seen: len(seen.cards()) == 1, "Grace's step approved by Ada")
        await scene.click(observer, "Grace", "approved", card=0)
        await observer.until(answered, "the answer")
        said = {each["text"] for each in await scene.people.messages("incidents")}
        assert said == {"hello", "from Grace"}


async def test_two_people_at_once_in_two_threads_are_both_answered(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
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
        wanted = [each for each in ("one", "two", "three") if each in asked]
        return "".join(json.dumps(fetch(each, f"{scene.effects.url}/{each}")) + "\n" for each in wanted)

    async with stage(database_url, tmp_path, [Script(role="planner", answer=plan), ENDS, ANSWERS]) as scene:
        async with scene.asked("one") as observer:
            for each in ("two", "three"):
                await scene.people.post("Ada", "ops", f"@Greenlight {each}", thread_ts=observer.thread_ts)
            await asyncio.gather(*(scene.effects.reached(each) for each in ("one", "two", "three")))
            await observer.until(lambda seen: set(states(seen)) == {"one", "two", "three"}, "all three")
            await observer.until(answered, "the answer")
        assert scene.effects.calls == {"one": 1, "two": 1, "three": 1}


async def test_guest_and_stranger_are_refused_privately(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, []) as scene:
        await scene.people.post("Gus", "ops", "@Greenlight do it")
        await scene.people.post("Olga", "partners", "@Greenlight do it")
        assert "guests cannot start work" in (await whispers(scene, GUEST))[0]
        assert "other organisations cannot start work" in (await whispers(scene, OLGA))[0]
        assert scene.model.requests == []


# Clicks


async def test_click_on_a_decided_card_changes_nothing_and_says_who_decided(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        stale = button(observer)["value"]
        card = str(observer.cards()[0].message["ts"])
        # Linus' client still shows the buttons: the card is not locked yet.
        await scene.people.act("faults", method="response_url", error="fatal_error")
        await scene.click(observer, "Grace", "rejected")
        await late_click(scene, observer, card, stale)
        assert "already decided by <@U0GRACE>" in (await whispers(scene, LINUS))[0]
        await observer.until(answered, "the answer")
        assert await scene.people.messages("incidents") == []


async def test_click_by_the_requester_where_a_second_person_must_approve(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await scene.click(observer, "Ada", "approved")
        assert "somebody else has to approve" in (await whispers(scene, ADA))[0]
        await still_open(scene, observer)


async def test_click_by_a_guest(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await scene.click(observer, "Gus", "approved")
        assert "only full members" in (await whispers(scene, GUEST))[0]
        await still_open(scene, observer)


async def test_click_by_someone_who_is_not_on_the_list(database_url: URL, tmp_path: Path) -> None:
    listed = {"slack_post_message": {"users": [GRACE]}}
    async with (
        stage(database_url, tmp_path, [ENDS, ANSWERS], approvals=listed) as scene,
        parked(scene) as observer,
    ):
        await scene.click(observer, "Linus", "approved")
        assert "not among the people who may decide" in (await whispers(scene, LINUS))[0]
        await still_open(scene, observer)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"value": "1:" + "0" * 64}, wording.QUESTION_UNKNOWN, id="unknown question"),
        pytest.param({"value": "approve everything"}, wording.NOT_A_DECISION, id="no value of ours"),
        pytest.param({"value": "1:' OR 1=1 --\u0000"}, wording.QUESTION_UNKNOWN, id="injection"),
        pytest.param({"value": f"{10**30}:x"}, wording.QUESTION_UNKNOWN, id="version out of range"),
        pytest.param({"action": "decide_everything"}, wording.NOT_A_DECISION, id="unknown action"),
        pytest.param({"action": "decide_happened"}, wording.NOT_FOR_THIS_QUESTION, id="answer to another kind"),
        pytest.param({"channel": "general"}, wording.QUESTION_UNKNOWN, id="value carried to another channel"),
    ],
)
async def test_forged_click_decides_nothing_and_is_answered(
    database_url: URL, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await forged(scene, "Linus", observer, **change)
        (told,) = await whispers(scene, LINUS)
        assert words in told
        await still_open(scene, observer)


async def test_outdated_version_does_not_count(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        version, _, question = str(button(observer)["value"]).partition(":")
        await forged(scene, "Linus", observer, value=f"{int(version) + 1}:{question}")
        assert "did not count" in (await whispers(scene, LINUS))[0]
        await still_open(scene, observer)


async def test_person_of_another_organisation_may_not_decide(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene, channel="partners") as observer:
        await scene.click(observer, "Olga", "approved")
        assert "only full members" in (await whispers(scene, OLGA))[0]
        await still_open(scene, observer)


async def test_value_of_another_tenant_is_not_known_here(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await move_question_to_another_tenant(scene)
        await scene.click(observer, "Grace", "approved")
        (told,) = await whispers(scene, GRACE)
        assert wording.QUESTION_UNKNOWN in told
        assert await scene.people.messages("incidents") == []


async def move_question_to_another_tenant(scene: Stage) -> None:
    """Make every question in the database another tenant's."""
    database = Database(scene.url)
    async with database.begin() as connection:
        await connection.execute(text("UPDATE approvals SET tenant = 'T0OTHER'"))
    await database.close()


async def test_two_clicks_within_50_milliseconds_decide_once_and_both_are_answered(
    database_url: URL, tmp_path: Path
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await asyncio.gather(
            forged(scene, "Grace", observer, action="decide_approved"),
            forged(scene, "Linus", observer, action="decide_approved"),
            forged(scene, "Grace", observer, action="decide_approved"),
        )
        await observer.until(answered, "the answer")
        assert len(await scene.people.messages("incidents")) == 1
        told = await scene.people.wait_for(lambda dump: len(dump["ephemerals"]) == 2)
        assert all("already decided by" in str(each["message"]["text"]) for each in told["ephemerals"])
        assert observer.says("*Approved* by")


async def test_button_that_is_gone_from_the_card_cannot_be_clicked(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        card = str(observer.cards()[0].message["ts"])
        await scene.click(observer, "Grace", "approved")
        await observer.until(answered, "the answer")
        with pytest.raises(ControlError):
            await scene.people.click("Linus", "ops", card, "decide_approved")


# Places


async def test_deleted_request_without_any_reply_is_told_to_the_requester(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        planning = asyncio.Event()

        def stalls(_: ModelRequest) -> Stall:
            planning.set()
            return Stall()

        scene.model.add(Script(role="planner", answer=stalls, times=1))
        async with scene.asked("fetch a") as observer:
            await planning.wait()
            await scene.people.act("messages/delete", user="Ada", channel="ops", ts=observer.thread_ts)
            scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
            await scene.stop_app()
            await scene.start_app()
            (told,) = await direct_messages(scene, ADA)
        assert "was deleted" in told


async def test_request_deleted_after_its_board_stood_is_answered_all_the_same(
    database_url: URL, tmp_path: Path
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await scene.people.act("messages/delete", user="Ada", channel="ops", ts=observer.thread_ts)
        await scene.click(observer, "Grace", "approved")
        await observer.until(answered, "the answer")
        assert len(await scene.people.messages("incidents")) == 1


async def test_archived_channel_is_told_to_the_requester_and_work_goes_on_when_it_is_back(
    database_url: URL, tmp_path: Path
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, at_work(scene) as observer:
        await scene.people.act("channels", channel="ops", is_archived=True)
        scene.effects.let_go("a")
        (told,) = await direct_messages(scene, ADA)
        assert "cannot write in <#C0OPS>" in told
        await scene.people.act("channels", channel="ops", is_archived=False)
        scene.model.add(says("ANSWER two"))
        await scene.people.post("Ada", "ops", "and now?", thread_ts=observer.thread_ts)
        await observer.until(lambda seen: seen.says("ANSWER", '"name": "a"'), "the first answer, late")
        await observer.until(lambda seen: seen.says("ANSWER two"), "the second answer")


async def test_thread_found_closed_at_the_very_end_shows_the_rest_by_itself_once_it_is_open_again(
    database_url: URL, tmp_path: Path
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, at_work(scene) as observer:
        await scene.people.act("members", channel="ops", member="Greenlight", remove=True)
        scene.effects.let_go("a")
        await direct_messages(scene, ADA)
        await run_ended(scene)
        assert not answered(observer)
        await scene.people.act("members", channel="ops", member="Greenlight")
        await observer.until(answered, "the answer, though nobody wrote or clicked")


async def run_ended(scene: Stage) -> None:
    """Return once no thread is being run: whoever ran one has let go of it."""
    database = Database(scene.url)
    async with asyncio.timeout(60):
        while True:
            async with database.begin() as connection:
                ended = await connection.execute(text("SELECT count(*) FROM runs WHERE ended_at IS NOT NULL"))
                leases = await connection.execute(text("SELECT count(*) FROM leases"))
                if ended.scalar_one() and not leases.scalar_one():
                    break
            await asyncio.sleep(0.05)
    await database.close()


async def test_app_removed_from_the_channel_is_told_to_the_requester(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene, at_work(scene):
        await scene.people.act("members", channel="ops", member="Greenlight", remove=True)
        scene.effects.let_go("a")
        (told,) = await direct_messages(scene, ADA)
        assert "cannot write in <#C0OPS>" in told


async def test_command_in_a_channel_the_app_is_not_in_is_refused_privately(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, []) as scene:
        await scene.people.command("Ada", "finance", "/greenlight", "check it")
        await scene.people.wait_for(lambda dump: "I am not in this channel" in json.dumps(dump["ephemerals"]))
        assert scene.model.requests == []


async def test_post_to_a_channel_the_app_is_not_in_fails_in_words(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello", "#finance"), post("old", "hello", "C0OLDOPS")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: len(seen.cards()) == 2, "the cards")
            await scene.click(observer, "Grace", "approved", card=1)
            await scene.click(observer, "Grace", "approved", card=0)
            await observer.until(answered, "the answer")
            assert "failed: i am not in that channel" in states(observer)["tell"]
            assert "failed: that channel is archived" in states(observer)["old"]
            assert leaks(observer) == []


async def test_reply_written_before_the_request_is_stored_is_not_overheard(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("faults", method="users.info", delay_seconds=2.0)
        scene.model.add(Script(role="planner", answer=json.dumps({"op": "reply", "text": "heard"})))
        async with scene.asked("first") as observer:
            ts = await scene.people.post("Grace", "ops", "and this", thread_ts=observer.thread_ts)
            await scene.people.wait_for(lambda dump: "eyes" in json.dumps(reactions(dump, ts)))


def reactions(dump: dict[str, Any], ts: str) -> Any:
    """Return the reactions of a message in #ops."""
    return [each.get("reactions") for each in dump["channels"]["ops"]["messages"] if each["ts"] == ts]
