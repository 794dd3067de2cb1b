"""Clicks on cards, over the wire: who may decide, late and doubled clicks, and clicks that are forged."""

import asyncio
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
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, whispers
from tests.acceptance.clicks import late_click
from tests.acceptance.plans import ANSWERS, ENDS, planned, post

ADA, GRACE, LINUS, GUEST, OLGA = "U0ADA", "U0GRACE", "U0LINUS", "U0GUEST", "U0OTHER"


@asynccontextmanager
async def parked(scene: AppScene, *, channel: str = "ops") -> AsyncGenerator[ThreadObserver]:
    """Have Ada ask for one post to #incidents, and wait for its card."""
    scene.model.add(planned(post("tell", "hello")))
    async with scene.asked("tell them", channel=channel) as observer:
        await observer.until(lambda seen: bool(seen.cards()), "the card")
        yield observer


async def forged(scene: AppScene, who: str, observer: ThreadObserver, **other: Any) -> None:
    """Deliver a click that no client would send: the card's own, with some parts replaced."""
    backend, message = scene.workspace.backend, observer.cards()[0].message
    channel = backend.team.channel_named(str(other.get("channel", observer.channel)))
    assert channel is not None
    ts = str(other.get("ts", message["ts"]))
    secret = backend.tickets.new_response_url(person_acting(backend, who).id, channel.id, message_ts=ts)
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


async def still_open(scene: AppScene, observer: ThreadObserver) -> None:
    """Hold the question to be undecided: nothing was posted, and Grace can still approve it."""
    assert await scene.people.messages("incidents") == []
    await scene.click(observer, "Grace", "approved")
    await observer.until(answered, "the answer")
    assert len(await scene.people.messages("incidents")) == 1


async def test_click_on_a_decided_card_changes_nothing_and_says_who_decided(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        stale = button(observer)["value"]
        card = str(observer.cards()[0].message["ts"])
        # Linus' client still shows the buttons: the card is not locked yet.
        await scene.people.act("faults", method="response_url", error="fatal_error")
        await scene.click(observer, "Grace", "rejected")
        # The click is acknowledged before it counts; the lock it tries afterwards shows that it did.
        await scene.people.wait_for(lambda dump: "response_url fatal_error" in dump["refusals"])
        await late_click(scene, observer, card, stale)
        assert "already decided by <@U0GRACE>" in (await whispers(scene, LINUS))[0]
        await observer.until(answered, "the answer")
        assert await scene.people.messages("incidents") == []


async def test_click_by_the_requester_where_a_second_person_must_approve(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await scene.click(observer, "Ada", "approved")
        assert "somebody else has to approve" in (await whispers(scene, ADA))[0]
        await still_open(scene, observer)


async def test_click_by_a_guest(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await scene.click(observer, "Gus", "approved")
        assert "only full members" in (await whispers(scene, GUEST))[0]
        await still_open(scene, observer)


async def test_click_by_someone_who_is_not_on_the_list(database_url: URL, tmp_path: Path) -> None:
    listed = {"slack_post_message": {"users": [GRACE]}}
    async with (
        app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=listed) as scene,
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
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await forged(scene, "Linus", observer, **change)
        (told,) = await whispers(scene, LINUS)
        assert words in told
        await still_open(scene, observer)


async def test_outdated_version_does_not_count(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        version, _, question = str(button(observer)["value"]).partition(":")
        await forged(scene, "Linus", observer, value=f"{int(version) + 1}:{question}")
        assert "didn't count" in (await whispers(scene, LINUS))[0]
        await still_open(scene, observer)


async def test_person_of_another_organisation_may_not_decide(database_url: URL, tmp_path: Path) -> None:
    async with (
        app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene,
        parked(scene, channel="partners") as observer,
    ):
        await scene.click(observer, "Olga", "approved")
        assert "only full members" in (await whispers(scene, OLGA))[0]
        await still_open(scene, observer)


async def test_value_of_another_tenant_is_not_known_here(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await move_question_to_another_tenant(scene)
        await scene.click(observer, "Grace", "approved")
        (told,) = await whispers(scene, GRACE)
        assert wording.QUESTION_UNKNOWN in told
        assert await scene.people.messages("incidents") == []


async def move_question_to_another_tenant(scene: AppScene) -> None:
    """Make every question in the database another tenant's."""
    database = Database(scene.url)
    async with database.begin() as connection:
        await connection.execute(text("UPDATE approvals SET tenant = 'T0OTHER'"))
    await database.close()


async def test_two_clicks_within_50_milliseconds_decide_once_and_both_are_answered(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await asyncio.gather(
            forged(scene, "Grace", observer, action="decide_approved"),
            forged(scene, "Linus", observer, action="decide_approved"),
            forged(scene, "Grace", observer, action="decide_approved"),
        )
        await observer.until(answered, "the answer")
        assert len(await scene.people.messages("incidents")) == 1
        told = await scene.people.wait_for(lambda dump: len(dump["ephemerals"]) == 2)
        assert all("already decided by" in str(ephemeral["message"]["text"]) for ephemeral in told["ephemerals"])
        assert observer.says("*Approved* by")


async def test_button_that_is_gone_from_the_card_cannot_be_clicked(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        card = str(observer.cards()[0].message["ts"])
        await scene.click(observer, "Grace", "approved")
        await observer.until(answered, "the answer")
        with pytest.raises(ControlError):
            await scene.people.click("Linus", "ops", card, "decide_approved")
