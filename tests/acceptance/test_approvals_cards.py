"""Cards that people judge in five seconds: what will happen, where it comes from, what waits, and what stays hidden."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import URL

from agent.preview import MessagePreview
from bot import wording
from bot.payloads import Form
from bot.tools import post_message
from infra.dev.demo.thread_observer import ThreadObserver
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows
from tests.acceptance.clicks import late_click
from tests.acceptance.forms import field_of, open_form, submit, text_of
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned, post, tool
from tests.acceptance.red_tools import REFUSED, Bank

PIN = "hunter2-\u00e4-000111"


def requests(table: dict[str, Any]) -> None:
    table["tools"]["http_request"] = {"known": {"effects": "http://127.0.0.1"}, "allow_private": True}


def pay(**args: Json) -> dict[str, Json]:
    return tool("pay", "pay", args)


def card(observer: ThreadObserver) -> Mapping[str, Any]:
    """Return the newest look of the only card."""
    (only,) = observer.cards()
    return only.message


def texts(value: Any) -> Sequence[str]:
    """Return the texts in blocks, in order."""
    match value:
        case {"text": str(text)}:
            return [text]
        case dict():
            return [text for part in cast("dict[str, Any]", value).values() for text in texts(part)]
        case list():
            return [text for part in cast("list[Any]", value) for text in texts(part)]
        case _:
            return []


def shown(observer: ThreadObserver) -> str:
    """Return what stands on the only card, a text a line."""
    return "\n".join(texts(card(observer)["blocks"]))


async def until_card(observer: ThreadObserver, holds: Callable[[str], bool] = bool) -> str:
    await observer.until(lambda seen: bool(seen.cards()) and holds(shown(seen)), "the card")
    return shown(observer)


async def modal_of(scene: AppScene, user: str, holds: Callable[[str], bool]) -> str:
    """Return the texts of the modal that a person has open, once they hold something."""

    def seen(dump: Any) -> str:
        return "\n".join(texts(dump["views"].get(user, [])))

    return seen(await scene.people.wait_for(lambda dump: holds(seen(dump))))


async def show(scene: AppScene, observer: ThreadObserver, who: str) -> None:
    await scene.people.click(who, observer.channel, str(card(observer)["ts"]), "show_confidential")


# A renderer per tool


async def test_a_message_stands_as_it_will_look_with_its_channel_by_name(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        text = "*Down* since 9, see <https://status.example/1|the page>"
        scene.model.add(planned(post("tell", text, channel="C0INCIDENTS")))
        async with scene.asked("tell them") as observer:
            told = await until_card(observer)
            assert (
                "Message to #incidents (C0INCIDENTS)\nDown\n since 9, see \nthe page (https://status.example/1)" in told
            )
            quotes = [part for block in card(observer)["blocks"] for part in block.get("elements", ())]
            (quote,) = [part for part in quotes if part["type"] == "rich_text_quote"]
            assert quote["elements"][0] == {"type": "text", "text": "Down", "style": {"bold": True}}


async def test_an_http_request_stands_as_method_host_path_and_tables(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=requests) as scene:
        url = f"{scene.effects.url}/sent?x=1"
        rows_: Json = [{"id": 1, "state": "closed"}, {"id": 20, "state": "open | new"}]
        args: dict[str, Json] = {"method": "POST", "url": url, "headers": {"X-Team": "ops"}, "json": rows_}
        scene.model.add(planned(tool("send", "http_request", args)))
        async with scene.asked("send it") as observer:
            told = await until_card(observer)
            assert f"POST to 127.0.0.1\nPOST {url}" in told
            assert "headers\nX-Team: ops" in told
            assert 'json (2 rows)\nid | state\n---+-------------\n1  | closed\n20 | "open | new"' in told
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        assert scene.effects.calls["sent"] == 1


async def test_an_edit_stands_as_a_diff_and_what_has_no_renderer_as_json(
    database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        more: Json = {"deep": {"er": [1, None]}}
        scene.model.add(planned(pay(old_text="a\nb\nc", new_text="a\nB\nc", more=more)))
        async with scene.asked("edit it") as observer:
            told = await until_card(observer)
            assert "Change of text\n  a\n- b\n+ B\n  c" in told
            assert f"more (object)\n{json.dumps(more, indent=2)}" in told
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
    assert bank.paid == [{"old_text": "a\nb\nc", "new_text": "a\nB\nc", "more": more}]


# Where values come from, what waits, what becomes of a mistake


async def test_each_argument_says_which_step_person_or_plan_it_comes_from(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        look = {**fetch("look", f"{scene.effects.url}/look"), "title": "Look at the service"}
        ask = post("tell", "It says ${look#/status}", channel="#incidents")
        scene.model.add(planned(look, ask))
        async with scene.asked("look, then tell #incidents") as observer:
            told = await until_card(observer)
            assert "Values from: channel: <@U0ADA>'s message; text: the plan and “Look at the service”" in told


async def test_the_card_says_how_many_steps_wait_and_how_far_the_run_is(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        greens = [fetch(f"g{number}", f"{url}/g{number}") for number in range(3)]
        behind = [fetch(f"b{number}", f"{url}/b{number}", depends_on=["tell"]) for number in range(7)]
        scene.model.add(planned(*greens, post("tell", "hello"), *behind))
        async with scene.asked("do it") as observer:
            told = await until_card(observer, lambda words: "done" in words)
            first = ", ".join(f"Title of b{number}" for number in range(5))
            assert f"7 steps wait for this: {first} and 2 more. 3 of 11 done" in told
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
            assert not observer.says("3 of 11 done")


async def test_the_card_says_what_becomes_of_a_mistake(database_url: URL, tmp_path: Path, bank: Bank) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=requests) as scene:
        send = tool("send", "http_request", {"method": "DELETE", "url": f"{scene.effects.url}/sent"})
        scene.model.add(planned(pay(to="Ada"), post("tell", "hello"), send))
        async with scene.asked("do all") as observer:
            await observer.until(lambda seen: len(seen.cards()) == 3, "the cards")
            told = {
                words for seen in observer.cards() for words in "\n".join(texts(seen.message["blocks"])).split("\n")
            }
            assert {
                "Can be undone",
                "Can be undone, but leaves traces",
                "*Can't be undone*",
            } <= told
    stored = await rows(database_url, "SELECT tool, facts ->> 'reversibility' FROM approvals ORDER BY tool")
    assert stored == [("http_request", None), ("pay", "reversible"), ("slack_post_message", "compensable")]


# Dry runs


async def test_a_dry_run_is_made_once_beside_the_other_steps_and_stands_on_the_card(
    database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    bank.answers.clear()
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(pay(to="Ada"), fetch("look", f"{scene.effects.url}/look")))
        async with scene.asked("pay") as observer:
            await observer.until(lambda seen: "done" in str(seen.tasks().get("look")), "the other step")
            assert not observer.cards()
            bank.answers.set()
            told = await until_card(observer)
            assert 'The dry run says\n{\n  "fee": 3\n}' in told
            await scene.stop_app()
            await scene.start_app()
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
    assert (bank.tried, bank.paid) == ([{"to": "Ada"}], [{"to": "Ada"}])


@pytest.mark.parametrize(
    ("says", "told"),
    [(REFUSED, "the account is empty"), (KeyError("password=x"), "the tool broke (KeyError)")],
    ids=["refuses", "breaks"],
)
async def test_a_dry_run_that_fails_is_said_and_people_are_asked_all_the_same(
    says: Exception, told: str, database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    bank.says = says
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(pay(to="Ada")))
        async with scene.asked("pay") as observer:
            assert f"The dry run failed\n{told}" in await until_card(observer)
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
    assert bank.paid == [{"to": "Ada"}]


async def test_a_stop_ends_a_dry_run_and_nobody_is_asked(database_url: URL, tmp_path: Path, bank: Bank) -> None:
    bank.answers.clear()
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(pay(to="Ada")))
        async with scene.asked("pay") as observer:
            await scene.people.wait_for(lambda _: bool(bank.tried))
            await scene.people.post("Ada", "ops", "!stop", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("Stopped"), "the end")
            assert "decide_approved" not in json.dumps([seen.message for seen in observer.cards()])
    assert not bank.paid


# Values that look like something else


async def test_hosts_stand_in_both_forms_and_what_shows_nothing_is_spelt_out(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        text = "https://xn--pple-43d.com/ or https://\u0430pple.com/ \u202eor\u200b"
        scene.model.add(planned(post("tell", text)))
        async with scene.asked("tell them") as observer:
            told = await until_card(observer)
            assert "https://xn--pple-43d.com (\\u0430pple.com)/" in told
            assert "https://\\u0430pple.com (xn--pple-43d.com)/ \\u202eor\\u200b" in told


# Confidential arguments


async def test_what_is_confidential_is_seen_by_approvers_only_and_nowhere_else(
    database_url: URL, tmp_path: Path, bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bank.says = {"with": f"pin {PIN}"}
    args: dict[str, Json] = {"to": "Ada", "pin": PIN, "card": {"number": 4111222, "name": "A. L."}}
    second = {"default": {"self_approval": False}}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=second) as scene:
        scene.model.add(planned(pay(**args)))
        async with scene.asked("pay") as observer:
            told = await until_card(observer)
            assert f"pin\n(confidential: text, {len(PIN)} characters)" in told
            assert "card\nnumber: (confidential: number)\nname: A. L." in told
            assert "pin (confidential)" in told
            await show(scene, observer, "Ada")  # she asked herself, so she may not approve
            await modal_of(scene, "U0ADA", lambda words: "somebody else has to approve it" in words)
            await scene.people.act("faults", method="users.info", error="fatal_error", count=1)
            await show(scene, observer, "Grace")
            await modal_of(scene, "U0GRACE", lambda words: "I couldn't check just now" in words)
            assert PIN not in json.dumps(await scene.people.dump(), ensure_ascii=False)
            await show(scene, observer, "Grace")
            opened = await modal_of(scene, "U0GRACE", lambda words: PIN in words)
            assert '"number": 4111222' in opened
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
            await scene.people.command("Ada", "ops", "/greenlight", "status")
        dump: Any = await scene.people.dump()
        asked = [str(request.messages) for request in scene.model.requests]
    public = json.dumps([dump["channels"], dump["ephemerals"]], ensure_ascii=False)
    for place in (public, *asked, caplog.text):
        assert PIN not in place
        assert "4111222" not in place
    assert bank.paid == [args]
    clicks = await rows(
        database_url,
        "SELECT event, by, details ->> 'why' FROM audit WHERE event IN ('shown', 'refused') ORDER BY id",
    )
    assert clicks == [
        ("refused", "U0ADA", "own_request"),
        ("refused", "U0GRACE", "unknown_person"),
        ("shown", "U0GRACE", None),
    ]
    audit = str(await rows(database_url, "SELECT details::text FROM audit"))
    assert PIN not in audit


async def test_forms_show_nothing_confidential_and_keep_it(database_url: URL, tmp_path: Path, bank: Bank) -> None:
    args: dict[str, Json] = {"to": "Ada", "pin": PIN, "card": {"number": 4111222, "name": "A. L."}}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(pay(**args), {**pay(pin=PIN), "id": "other"}))
        async with scene.asked("pay") as observer:
            await observer.until(lambda seen: len(seen.cards()) == 2, "a card for each")
            listed = await open_form(scene, observer, "Linus", Form.ALL)
            assert f"pin: (confidential: text, {len(PIN)} characters)" in text_of(listed)
            at = next(at for at in (0, 1) if "A. L." in json.dumps(observer.cards()[at].message))
            view = await open_form(scene, observer, "Grace", Form.EDIT, card=at)
            blocks: Any = view["blocks"]
            labels = [block["label"]["text"] for block in blocks if block["type"] == "input"]
            assert labels == ["to"], text_of(view)
            wrong = await submit(scene, "Grace", {field_of(view, "to"): "nobody"})
            assert wrong == {field_of(view, "to"): wording.DOES_NOT_FIT}
            assert await submit(scene, "Grace", {field_of(view, "to"): "Linus"}) == {}
            await observer.until(lambda seen: len(seen.cards()) == 1, "the edit")
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered_and_done, "the answer")
        public = json.dumps(await scene.people.dump(), ensure_ascii=False)
    assert PIN not in public
    assert "4111222" not in public
    assert bank.paid == [{**args, "to": "Linus"}]


@pytest.mark.parametrize(
    ("value", "channel", "told"),
    [
        ("2:{id}", "C0OPS", wording.CONFIDENTIAL_GONE),
        ("1:{id}", "C0INCIDENTS", wording.QUESTION_UNKNOWN),
        ("1:nothing", "C0OPS", wording.QUESTION_UNKNOWN),
    ],
    ids=["another version", "asked elsewhere", "no such request"],
)
async def test_a_made_up_click_shows_nothing(
    value: str, channel: str, told: str, database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(pay(pin=PIN)))
        async with scene.asked("pay") as observer:
            await until_card(observer)
            ((known,),) = await rows(database_url, "SELECT id FROM approvals")
            forged, ts = value.format(id=known), str(card(observer)["ts"])
            await late_click(scene, observer, ts, forged, action="show_confidential", channel=channel)
            assert PIN not in await modal_of(scene, "U0LINUS", lambda words: told in words)
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
            await late_click(scene, observer, ts, f"1:{known}", action="show_confidential")
            assert PIN not in await modal_of(scene, "U0LINUS", lambda words: wording.CONFIDENTIAL_GONE in words)
    assert not bank.paid
    assert await rows(database_url, "SELECT count(*) FROM audit WHERE event = 'shown'") == [(0,)]


async def test_what_is_confidential_and_too_long_to_show_cannot_be_approved(
    database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(pay(pin="x" * 150_000)))
        async with scene.asked("pay") as observer:
            assert wording.TOO_LONG_TO_APPROVE in await until_card(observer)
            assert "decide_approved" not in json.dumps(card(observer)["blocks"])
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
    assert not bank.paid


async def test_what_slack_refuses_to_show_can_be_approved_by_nobody(
    database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(pay(pin=PIN)))
        async with scene.asked("pay") as observer:
            await until_card(observer)
            await scene.people.act("faults", method="views.update", error="invalid_arguments", count=1)
            await show(scene, observer, "Grace")
            await modal_of(scene, "U0GRACE", lambda words: wording.NOT_SHOWN_WHOLE in words)
            await scene.click(observer, "Grace", "approved")
            await scene.people.wait_for(lambda dump: wording.NOT_SHOWN_WHOLE in json.dumps(dump["ephemerals"]))
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
    assert not bank.paid


# Scripts


async def test_a_script_shows_its_code_and_where_its_inputs_come_from(database_url: URL, tmp_path: Path) -> None:
    code = "def main(inputs):\n    return {'total': inputs['a'] + inputs['b']}"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        look = {**fetch("look", f"{scene.effects.url}/look"), "title": "Look"}
        inputs: dict[str, Json] = {"a": 41, "b": "${look#/status}"}
        scene.model.add(planned(look, package("sum", code, inputs=inputs, require_human_approval=True)))
        async with scene.asked("add 41 to it") as observer:
            told = await until_card(observer)
            assert f"{wording.THE_SCRIPT} ({wording.RUNS_AS_SHOWN})\n{code}" in told
            assert "Values from: a: <@U0ADA>'s message; b: “Look”" in told


@pytest.mark.parametrize("breaks", [False, True], ids=["shows something else", "breaks"])
async def test_a_preview_that_shows_less_than_the_arguments_is_not_used(
    breaks: bool, database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hides(arguments: Mapping[str, Json]) -> Sequence[MessagePreview]:
        if breaks:
            raise KeyError("text")
        return [MessagePreview(covers=tuple(arguments), channel="#incidents", text="All is well")]

    monkeypatch.setattr(post_message, "_preview", hides)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "delete *everything*")))
        async with scene.asked("tell them") as observer:
            told = await until_card(observer)
            assert "All is well" not in told
            assert "channel\n#incidents\ntext\ndelete *everything*" in told
