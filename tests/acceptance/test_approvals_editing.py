"""Arguments that a person edits on a card: exactly these run, once, after whoever may approve has approved them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from agent.ids import Tenant
from bot import wording
from bot.payloads import Form
from infra.audit.checker import check_export
from infra.audit.export import Format, exported
from infra.audit.signature import SigningKey
from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.wiring import Part
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows
from tests.acceptance.clicks import late_click
from tests.acceptance.forms import buttons, field_of, open_form, opened, picked, submit, text_of
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post, tool
from tests.acceptance.test_approvals_audit import verified
from tests.acceptance.test_approvals_decisions import carded, told

KEY = SigningKey("07" * 32)
BOT, WORKER = frozenset({Part.BOT}), frozenset({Part.WORKER})


async def posted(scene: AppScene, channel: str = "incidents") -> list[str]:
    return [str(message["text"]) for message in await scene.people.messages(channel)]


async def edit(scene: AppScene, observer: ThreadObserver, who: str, **changes: str) -> dict[str, str]:
    """Have a person change text arguments by name; return what the form says is wrong."""
    view = await open_form(scene, observer, who, Form.EDIT)
    return dict(await submit(scene, who, {field_of(view, name): text for name, text in changes.items()}))


async def proven(url: URL, export: Path, calls: int = 1) -> None:
    """Check an export of the audit by the app's own means, and by the verifier that stands alone."""
    database = Database(url)
    try:
        lines = [line async for line in exported(database, Tenant("T0LOCAL"), KEY, None, Format.JSONL)]
    finally:
        await database.close()
    assert list(check_export("".join(lines), frozenset({KEY.public}), []).faults) == []
    await asyncio.to_thread(export.write_text, "".join(lines))
    checked = verified(export, KEY.public)
    assert checked.returncode == 0, checked.stderr
    assert f"{calls} red calls, 0 faults" in checked.stdout


async def test_an_edit_by_who_may_approve_is_an_approval_and_exactly_that_runs(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.effects.hold("slow")  # the run is hot while they decide
        scene.model.add(planned(post("tell", "hello"), fetch("slow", f"{scene.effects.url}/slow")))
        async with scene.asked("tell them") as observer:
            await observer.until(carded(), "the card")
            view = await open_form(scene, observer, "Grace", Form.EDIT)
            assert wording.EDIT_APPROVES in text_of(view)
            assert '"initial_value": "hello"' in text_of(view)
            assert await submit(scene, "Grace", {field_of(view, "text"): "hello, dears"}) == {}
            await observer.until(lambda seen: seen.says("Approved", "by <@U0GRACE>"), "the approval")
            await scene.people.wait_for(lambda dump: "hello, dears" in str(dump["channels"]["incidents"]))
            scene.effects.let_go("slow")
            await observer.until(answered_and_done, "the answer")
            assert observer.says("Changed by <@U0GRACE>", 'text: "hello" → "hello, dears"')
        assert await posted(scene) == ["hello, dears"]
    [(digest, edited)] = await rows(database_url, "SELECT digest, edited ->> 'text' FROM approvals")
    [(ran,)] = await rows(database_url, "SELECT digest FROM ledger")
    assert edited == "hello, dears"
    assert ran != digest
    audit = await rows(database_url, "SELECT event, digest FROM audit WHERE event <> 'planned' ORDER BY id")
    assert [event for event, its in audit if its == ran] == ["edited", "decided", "started", "finished"]
    await proven(database_url, tmp_path / "export.jsonl")


async def test_an_edit_by_who_may_not_approve_stands_on_the_card_and_waits(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(carded(), "the card")
            card, value = str(observer.cards()[0].message["ts"]), str(buttons(observer)[0]["value"])
            for number, text in enumerate(("hullo", "hello, dears"), start=1):
                assert await edit(scene, observer, "Ada", text=text) == {}
                assert await told(scene, "Ada", number) == wording.EDIT_SAVED
            await observer.until(lambda seen: seen.says("Changed by <@U0ADA>", '"hello" → "hello, dears"'), "the edit")
            await scene.click(observer, "Ada", "approved")
            assert "somebody else has to approve it" in await told(scene, "Ada", 3)
            await late_click(scene, observer, card, value)  # Linus, who still sees the first version
            assert await told(scene, "Linus") == wording.QUESTION_OUTDATED
            assert await posted(scene) == []
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        assert await posted(scene) == ["hello, dears"]
    await proven(database_url, tmp_path / "export.jsonl")


async def test_an_edited_call_runs_once_after_a_restart_and_a_freeze_in_between(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], started=False) as scene:
        await scene.start_app(BOT)
        await scene.start_app(WORKER)
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(carded(), "the card")
            await scene.stop_app()
            assert await edit(scene, observer, "Grace", text="hello, dears") == {}
            await observer.until(lambda seen: seen.says("Approved"), "the approval")
            await scene.people.command("Ada", "ops", "/greenlight", "freeze")
            await told(scene, "Ada")
            await scene.start_app(WORKER)
            await observer.until(lambda seen: seen.says("An admin has frozen changes"), "the card's word")
            assert await posted(scene) == []
            await scene.stop_app()
            await scene.start_app(WORKER)
            await scene.people.command("Ada", "ops", "/greenlight", "unfreeze")
            await observer.until(answered_and_done, "the answer")
        assert await posted(scene) == ["hello, dears"]
    await proven(database_url, tmp_path / "export.jsonl")


async def test_an_unknown_outcome_of_an_edited_call_is_asked_about_and_run_again_as_edited(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], started=False) as scene:
        await scene.start_app(BOT)
        await scene.start_app(WORKER)
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(carded(), "the card")
            await scene.people.act("faults", method="chat.postMessage", after=True, status=503)
            assert await edit(scene, observer, "Grace", text="hello, dears") == {}
            await observer.until(lambda seen: bool(seen.cards()) and seen.says("Outcome unknown"), "the question")
            (question,) = observer.cards()
            assert "hello, dears" in str(question.message["blocks"])
            await scene.stop_app()
            await scene.click(observer, "Grace", "again")
            await observer.until(lambda seen: seen.says("Run again"), "the decision")
            await scene.start_app(WORKER)
            await observer.until(answered_and_done, "the answer")
        assert await posted(scene) == ["hello, dears"] * 2
        digests = {digest for (digest,) in await rows(database_url, "SELECT digest FROM ledger")}
        assert len(digests) == 1
    await proven(database_url, tmp_path / "export.jsonl", calls=2)


async def test_a_mistake_stands_under_its_field_and_nothing_is_lost(database_url: URL, tmp_path: Path) -> None:
    def requests(table: dict[str, Any]) -> None:
        table["tools"]["http_request"] = {"known": {"effects": "http://127.0.0.1"}, "allow_private": True}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=requests) as scene:
        send = {"method": "POST", "url": f"{scene.effects.url}/sent", "json": {"a": [1, 2.5]}}
        scene.model.add(planned(tool("send", "http_request", send)))
        async with scene.asked("send it") as observer:
            await observer.until(carded(), "the card")
            view = await open_form(scene, observer, "Grace", Form.EDIT)
            body, headers, method = (field_of(view, name) for name in ("json", "headers", "method"))
            assert await submit(scene, "Grace", {}) == {field_of(view, "method"): wording.EDIT_SAME}
            assert await submit(scene, "Grace", {body: '{"a": ['}) == {body: wording.NOT_JSON}
            assert await submit(scene, "Grace", {body: "NaN"}) == {body: wording.NOT_JSON}
            assert await submit(scene, "Grace", {body: "[" * 2000}) == {body: wording.NOT_JSON}
            wrong = await submit(scene, "Grace", {body: '{"a": 2}', headers: '{"X-Y": 1}'})
            assert list(wrong) == [headers]
            assert "1 is not of type 'string'" in wrong[headers]
            assert '{\\"a\\": 2}' in text_of(await opened(scene, "Grace"))
            changes = {headers: '{"X-Y": "1"}', method: picked("1", view, method)}
            assert await submit(scene, "Grace", changes) == {}
            await observer.until(answered_and_done, "the answer")
        # What it replaces is read before, so that it can be put back.
        assert [method for method in scene.effects.methods if method not in ("GET", "HEAD")] == ["PUT"]
    [(edited,)] = await rows(database_url, "SELECT edited FROM approvals")
    expected = {"method": "PUT", "url": f"{scene.effects.url}/sent", "json": {"a": 2}, "headers": {"X-Y": "1"}}
    assert edited == expected


async def test_an_edit_of_a_card_that_changed_meanwhile_changes_nothing(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(carded(), "the card")
            view = await open_form(scene, observer, "Grace", Form.EDIT)
            assert await edit(scene, observer, "Ada", text="hullo") == {}
            await told(scene, "Ada")
            errors = await submit(scene, "Grace", {field_of(view, "text"): "hello, dears"})
            assert list(errors.values()) == [wording.QUESTION_OUTDATED]
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
        assert await posted(scene) == []
    assert await rows(database_url, "SELECT edited ->> 'text', version FROM approvals") == [("hullo", 2)]


@pytest.mark.parametrize(
    ("who", "words"),
    [("Guest", "only full members"), ("Olga", "only full members")],
    ids=["guest", "somebody of another organisation"],
)
async def test_only_full_members_of_the_channel_edit(who: str, words: str, database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        everybody: Any = (await scene.people.dump())["channels"]
        assert "U0GUEST" in everybody["ops"]["members"]
        if who == "Olga":
            await scene.people.act("members", channel="ops", member="U0OTHER")
        user = "U0GUEST" if who == "Guest" else "U0OTHER"
        async with scene.asked("tell them") as observer:
            await observer.until(carded(), "the card")
            ts = str(observer.cards()[0].message["ts"])
            await scene.people.click(user, observer.channel, ts, "decision_form_edit")
            refused = await scene.people.wait_for(lambda dump: words in str(dump["views"]))
            assert "argument-0" not in str(refused["views"])
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")


async def test_what_is_too_long_for_a_form_says_so_and_can_be_changed_in_words(
    database_url: URL, tmp_path: Path
) -> None:
    def requests(table: dict[str, Any]) -> None:
        table["tools"]["http_request"] = {}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=requests) as scene:
        send = {"method": "POST", "url": "https://example.com/", "text": "long " * 700}
        scene.model.add(planned(tool("send", "http_request", send)))
        async with scene.asked("send it") as observer:
            await observer.until(carded(), "the card")
            assert wording.EDIT_TOO_LONG in text_of(await open_form(scene, observer, "Grace", Form.EDIT))
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
