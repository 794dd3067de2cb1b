"""Standing rules: offered after repeated approvals, made by those who may approve, used, listed, revoked, audited."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from bot import wording
from bot.cards.rules import ANY
from infra.dev.local_slack.state.payload import JsonObject
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered_and_done, rows, whispers
from tests.acceptance.plans import ANSWERS, ENDS, planned, post

OFFER = "were approved here 3 times lately"
CHOSEN = "chosen"
"""The action id of a rule's choices."""


async def posted(scene: AppScene, text: str, *, approver: str | None = "Grace", channel: str = "#incidents") -> int:
    """Run one post from its request to its answer; without an approver it must run unasked. Return its cards."""
    scene.model.add(planned(post("tell", text, channel), contains=text))
    async with scene.asked(f"say {text}") as observer:
        if approver is not None:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, approver, "approved")
        await observer.until(answered_and_done, "the answer")
        return sum("Approved" in words for words in observer.words())


async def offered(scene: AppScene, user: str) -> dict[str, Any]:
    """Return the offer that only this person got."""
    await scene.people.wait_for(lambda dump: OFFER in json.dumps(dump["ephemerals"]))
    told = [json.loads(whisper) for whisper in await whispers(scene, user)]
    return next(message for message in reversed(told) if OFFER in json.dumps(message))


async def seen(scene: AppScene, user: str, words: str) -> JsonObject:
    """Return the modal that a person sees, once it says this."""

    def shown(dump: JsonObject) -> bool:
        views: Any = dump["views"]
        return user in views and words in json.dumps(views[user][0], ensure_ascii=False)

    views: Any = (await scene.people.wait_for(shown))["views"]
    return views[user][0]


def picked(view: JsonObject, block_id: str, value: str) -> JsonObject:
    """Return the state of a modal's choice after somebody picked the option of this value."""
    blocks: Any = view["blocks"]
    element = next(block["element"] for block in blocks if block["block_id"] == block_id)
    return {CHOSEN: {"selected_option": next(one for one in element["options"] if one["value"] == value)}}


async def rule_made(scene: AppScene, *, text: str = ANY) -> None:
    """Have Grace accept the offer: five uses in a day, whatever the text, unless `text` says otherwise."""
    message = await offered(scene, "U0GRACE")
    await scene.people.click("Grace", "ops", str(message["ts"]), "rule_make")
    view = await seen(scene, "U0GRACE", wording.RULE_LIFETIME)
    values = {
        "arg:text": picked(view, "arg:text", text),
        "lifetime": picked(view, "lifetime", "1 day"),
        "uses": picked(view, "uses", "5"),
    }
    assert (await scene.people.act("views/submit", user="U0GRACE", values=values))["errors"] == {}
    preview = json.dumps(await seen(scene, "U0GRACE", "would have covered"), ensure_ascii=False)
    assert "it would have covered 3 of 3 calls that I asked about" in preview
    assert all(text in preview for text in ("text one", "text two", "text three"))
    assert (await scene.people.act("views/submit", user="U0GRACE", values={}))["errors"] == {}
    await scene.people.wait_for(lambda dump: "made a standing rule" in json.dumps(dump["channels"]))


async def commanded(scene: AppScene, who: str, words: str) -> JsonObject:
    """Have a person use the command in #ops; return the message that only they read."""
    user = f"U0{who.upper()}"
    before = len(await whispers(scene, user, 0))
    await scene.people.command(who, "ops", "/greenlight", words)
    message: JsonObject = json.loads((await whispers(scene, user, before + 1))[-1])
    return message


async def test_after_three_equal_approvals_a_rule_is_offered_and_its_calls_run_unasked_with_a_proof_for_each(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for text in ("text one", "text two", "text three"):
            assert await posted(scene, text) == 1
        await rule_made(scene)
        assert await posted(scene, "text four", approver=None) == 0
        assert await posted(scene, "text five", channel="#ops") == 1
        texts = [message["text"] for message in await scene.people.messages("incidents")]
        assert texts == ["text one", "text two", "text three", "text four"]
    used = await rows(database_url, "SELECT uses, most_uses, made_by FROM grants")
    assert used == [(1, 5, "U0GRACE")]
    by_rule = "SELECT by, details ->> 'decision' FROM audit WHERE event = 'decided' AND details ->> 'grant' <> ''"
    assert await rows(database_url, by_rule) == [(None, "approved")]
    made = await rows(database_url, "SELECT by, details ->> 'tool' FROM audit WHERE event = 'granted'")
    assert made == [("U0GRACE", "slack_post_message")]


async def test_a_rule_that_is_revoked_covers_nothing_more_and_those_who_may_not_approve_cannot_revoke(
    database_url: URL, tmp_path: Path
) -> None:
    approvers = {"slack_post_message": {"self_approval": False, "users": ["U0GRACE"]}}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=approvers) as scene:
        for text in ("text one", "text two", "text three"):
            await posted(scene, text)
        await rule_made(scene)
        theirs = await commanded(scene, "Linus", "rules")
        assert "slack" in json.dumps(theirs)
        assert "rule_revoke" not in json.dumps(theirs)
        mine = await commanded(scene, "Grace", "rules")
        assert await scene.people.click("Grace", "ops", str(mine["ts"]), "rule_revoke_0")
        await scene.people.wait_for(lambda dump: wording.rule_revoked(stood=True) in json.dumps(dump["ephemerals"]))
        assert await posted(scene, "text four") == 1
        assert wording.NO_RULES in json.dumps(await commanded(scene, "Grace", "rules"))
    revoked = await rows(database_url, "SELECT by FROM audit WHERE event = 'revoked'")
    assert revoked == [("U0GRACE",)]


async def test_an_admin_who_may_not_approve_can_revoke_a_rule(database_url: URL, tmp_path: Path) -> None:
    approvers = {"slack_post_message": {"self_approval": False, "users": ["U0GRACE"]}}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=approvers) as scene:
        for text in ("text one", "text two", "text three"):
            await posted(scene, text)
        await rule_made(scene)
        theirs = await commanded(scene, "Ada", "rules")  # an admin of the workspace
        await scene.people.click("Ada", "ops", str(theirs["ts"]), "rule_revoke_0")
        await scene.people.wait_for(lambda dump: wording.rule_revoked(stood=True) in json.dumps(dump["ephemerals"]))
        assert await posted(scene, "text four") == 1


async def test_a_rule_covers_nothing_once_its_maker_may_not_approve_any_more(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for text in ("text one", "text two", "text three"):
            await posted(scene, text)
        await rule_made(scene)
        await scene.people.act("members", channel="ops", member="Grace", remove=True)
        assert await posted(scene, "text four", approver="Linus") == 1


async def test_no_rule_is_offered_after_a_rejection_or_made_by_who_may_not_approve(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for text in ("text one", "text two", "text three"):
            await posted(scene, text)
        message = await offered(scene, "U0GRACE")
        await scene.people.click("Grace", "ops", str(message["ts"]), "rule_make")
        await seen(scene, "U0GRACE", wording.RULE_LIFETIME)
        await scene.people.act("members", channel="ops", member="Grace", remove=True)
        await scene.people.act("views/submit", user="U0GRACE", values={})
        await seen(scene, "U0GRACE", wording.RULE_NOT_YOURS)
        scene.model.add(planned(post("tell", "text four"), contains="text four"))
        async with scene.asked("say text four") as observer:
            await observer.until(lambda thread: bool(thread.cards()), "the card")
            await scene.click(observer, "Linus", "rejected")
            await observer.until(lambda thread: thread.says("ANSWER"), "the answer")
        offers = json.dumps((await scene.people.dump())["ephemerals"]).count("lately")
        await posted(scene, "text five", approver="Linus")
        assert json.dumps((await scene.people.dump())["ephemerals"]).count("lately") == offers
    assert await rows(database_url, "SELECT count(*) FROM grants") == [(0,)]
