"""Every other card and form on the page, at 400 and at 1280 pixels: questions of a run, what is hidden, and rules.

With SCREENSHOTS set to a folder, a picture of each look is written there.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import URL

from bot import wording
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.scripted_model.script import Script
from tests.acceptance.app_fixture import MANIFEST, app_scene
from tests.acceptance.page_reader import WIDTHS, Page, address_of
from tests.acceptance.plans import ANSWERS, ENDS, fetch, goes_on, lines, planned, post, tool
from tests.acceptance.red_tools import Bank
from tests.acceptance.test_approvals_elsewhere import copy_in
from tests.acceptance.test_approvals_rules import OFFER, posted
from tests.acceptance.test_set_aside import break_down, broken, until_asked
from tests.pictures.forms import forms
from tests.pictures.scenes import messages

# pyright: reportUnknownMemberType=false

pytestmark = pytest.mark.browser


async def test_every_card_and_form_fits_the_window(browser: Chrome) -> None:
    page = Page(browser, WIDTHS[1])
    async with Workspace(app=InstalledApp.from_manifest(MANIFEST), rate_limits=False) as workspace:
        web, last = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url), ""
        for message in messages().values():
            made: Any = await web.chat_postMessage(channel="C0OPS", text=message.text, blocks=_plain(message.blocks))
            last = str(made["ts"]).replace(".", "")
        await asyncio.to_thread(page.opens, f"{workspace.base_url}/archives/C0OPS/p{last}?user=U0GRACE")
        await asyncio.to_thread(page.reads, wording.RULES_HERE.strip("*"), place="messages")
        page.fits("cards")
        for name, form in forms().items():
            trigger = workspace.backend.tickets.new_trigger("U0GRACE")
            await web.views_open(trigger_id=trigger, view=_plain(form))
            await asyncio.to_thread(page.form_reads, _plain(form)["title"]["text"])
            page.fits(name)
            await asyncio.to_thread(page.click, '[data-testid="modal-close"]')


def _plain(value: object) -> Any:
    """Return blocks as the SDK wants them: bare lists and dicts."""
    return json.loads(json.dumps(value))


@dataclass(frozen=True, kw_only=True)
class Question:
    """A card about something else than whether a step may run, answered on the page by Grace."""

    name: str
    #: What the card reads.
    asks: Sequence[str]
    #: The action of the button that she presses.
    presses: str
    #: What the thread reads afterwards.
    says: Sequence[str]
    #: Of the scripted model, beside ENDS and ANSWERS; made for the effect server's address.
    scripts: Callable[[str], Sequence[Script]]
    #: The configuration's table `budgets`.
    budgets: dict[str, object] = field(default_factory=dict[str, object])
    #: Slack does as the app's next post says, and loses the answer.
    loses_answer: bool = False


def _two_looks(url: str) -> Sequence[Script]:
    return [planned(fetch("one", f"{url}/one"), fetch("two", f"{url}/two", depends_on=["one"]))]


def _ever_on(url: str) -> Sequence[Script]:
    looks = [goes_on(fetch(f"look{number}", f"{url}/look{number}")) for number in range(1, 5)]
    return [planned(fetch("look0", f"{url}/look0")), *looks]


def _asks(url: str) -> Sequence[Script]:
    asks = Script(role="conclude", answer=lines([{"op": "ask", "question": "Which region do you mean?"}]), times=1)
    return [planned(fetch("look", f"{url}/look")), asks]


def _posts(_url: str) -> Sequence[Script]:
    return [planned(post("tell", "hello"))]


ONE_STEP: dict[str, object] = {"run": {"nodes": 1}}
UNKNOWN = ("Outcome unknown", wording.RUN_AGAIN, wording.IT_HAPPENED, wording.GIVE_UP)
ROUNDS = ("Shall I go on?", wording.MORE_ROUNDS, wording.ACCEPT, wording.STOP_TURN)
BUDGET = ("The budget is used up", "1 of 1 steps", wording.GO_ON, wording.STOP_TURN)
ASK = ("I need your input", "Which region do you mean?", wording.ACCEPT, wording.STOP_TURN)

QUESTIONS = [
    Question(name="again", asks=UNKNOWN, presses="again", says=["ANSWER"], scripts=_posts, loses_answer=True),
    Question(name="happened", asks=UNKNOWN, presses="happened", says=["ANSWER"], scripts=_posts, loses_answer=True),
    Question(name="give up", asks=UNKNOWN, presses="give_up", says=["ANSWER"], scripts=_posts, loses_answer=True),
    Question(name="go on", asks=BUDGET, presses="go_on", says=["ANSWER"], scripts=_two_looks, budgets=ONE_STEP),
    Question(name="no more", asks=BUDGET, presses="stop", says=["Stopped."], scripts=_two_looks, budgets=ONE_STEP),
    Question(name="more rounds", asks=ROUNDS, presses="more", says=["Title of look4"], scripts=_ever_on),
    Question(name="accept", asks=ROUNDS, presses="accept", says=["ANSWER"], scripts=_ever_on),
    Question(name="stop rounds", asks=ROUNDS, presses="stop", says=["Stopped."], scripts=_ever_on),
    Question(name="no input", asks=ASK, presses="accept", says=["ANSWER"], scripts=_asks),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
async def test_each_question_is_answered_on_the_page_and_says_how_it_ended(
    question: Question, browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    page = Page(browser, WIDTHS[0])

    def configured(table: dict[str, object]) -> None:
        table["budgets"] = question.budgets

    async with app_scene(database_url, tmp_path, [], configuration=configured) as scene:
        for script in (*question.scripts(scene.effects.url), ENDS, ANSWERS):
            scene.model.add(script)
        async with scene.asked("go") as observer:
            if question.loses_answer:
                await observer.until(lambda seen: bool(seen.cards()), "the card")
                await scene.people.act("faults", method="chat.postMessage", after=True, status=503)
                await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: bool(seen.cards()) and seen.says(question.asks[0]), "the question")

            def story() -> None:
                page.opens(address_of(scene, observer))
                page.looks(f"{question.name} asked", *question.asks)
                page.press(f"decide_{question.presses}")
                page.looks(f"{question.name} answered", *question.says)

            await asyncio.to_thread(story)


@pytest.mark.parametrize("presses", ["try_again", "leave"])
async def test_a_thread_that_is_set_aside_is_taken_up_or_left_on_the_page(
    presses: str, browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    page = Page(browser, WIDTHS[0])
    says = {"try_again": "mended", "leave": "Stopped."}[presses]
    async with broken(database_url, tmp_path) as given, given.scene.asked("break down") as observer:
        await break_down(given, observer)
        async with given.process():
            await until_asked(observer)
            given.hostile.becomes("mended")

            def story() -> None:
                page.opens(address_of(given.scene, observer))
                page.looks("set aside", wording.TRY_AGAIN, wording.LEAVE)
                page.press(f"decide_{presses}")
                page.looks(f"set aside, {presses}", says)

            await asyncio.to_thread(story)


async def test_confidential_values_are_shown_on_the_page_to_who_may_approve_alone(
    browser: Chrome, database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    def for_grace(table: dict[str, object]) -> None:
        table["policy"] = {"rules": [{"name": "grace", "effect": "ask", "users": ["U0GRACE"]}]}

    page = Page(browser, WIDTHS[0])
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=for_grace) as scene:
        scene.model.add(planned(tool("pay", "pay", {"to": "Ada", "pin": "hunter2-000111"})))
        async with scene.asked("pay Ada") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")

            def story() -> None:
                for user in ("U0LINUS", "U0GRACE"):
                    page.opens(address_of(scene, observer, user))
                    page.reads("Approval needed", "pin", wording.SHOW)
                    assert "hunter2" not in browser.find_element(By.TAG_NAME, "body").text
                    page.press("show_confidential")
                    told = "hunter2-000111" if user == "U0GRACE" else "not among the people"
                    page.form_reads(told, wording.CLOSE)
                    page.fits(f"confidential, {user}")
                    assert ("hunter2" in browser.find_element(By.TAG_NAME, "body").text) is (user == "U0GRACE")
                    page.click('[data-testid="modal-close"]')
                page.press("decide_approved")
                page.reads("Approved by")

            await asyncio.to_thread(story)
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
    assert [paid["pin"] for paid in bank.paid] == ["hunter2-000111"]


async def test_what_is_too_long_to_read_can_only_be_rejected_on_the_page(
    browser: Chrome, database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    page = Page(browser, WIDTHS[0])
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(tool("pay", "pay", {"to": "words " * 20_000})))
        async with scene.asked("pay") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")

            def story() -> None:
                page.opens(address_of(scene, observer))
                page.looks("too long", "too long to show in full")
                assert not page.has("button-decide_approved")
                page.press("decide_rejected")
                page.reads("Rejected by")

            await asyncio.to_thread(story)
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
    assert bank.paid == []


async def test_a_card_that_nobody_decided_is_decided_on_the_page_where_it_was_escalated_to(
    browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    def slow(table: dict[str, object]) -> None:
        escalate = {"after_minutes": 1 / 60, "users": ["U0LINUS"], "channel": "#general"}
        rule = {"name": "slow", "effect": "ask", "users": ["U0GRACE"], "escalate": escalate}
        table["policy"] = {"rules": [rule]}

    page = Page(browser, WIDTHS[1])
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=slow) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: seen.says("I also asked"), "the escalation")
            copy = str((await copy_in(scene, "C0GENERAL", "decide_approved", "hello"))["ts"]).replace(".", "")

            def story() -> None:
                page.opens(address_of(scene, observer))
                page.reads("I also asked")
                page.fits("escalated")
                page.opens(f"{scene.workspace.base_url}/archives/C0GENERAL/p{copy}?user=U0LINUS")
                page.reads("so I ask here, too", "hello", place="messages")
                page.fits("escalated copy")
                page.press("decide_approved", place="messages")
                page.reads("Approved by", place="messages")
                page.fits("escalated copy decided")

            await asyncio.to_thread(story)
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["hello"]


async def test_a_standing_rule_is_offered_made_listed_and_revoked_on_the_page(
    browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    page = Page(browser, WIDTHS[0])
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for text in ("text one", "text two"):
            await posted(scene, text)
        scene.model.add(planned(post("tell", "text three"), contains="text three"))
        async with scene.asked("say text three") as observer:
            said = observer.thread_ts.replace(".", "")
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await asyncio.to_thread(_makes_a_rule, page, address_of(scene, observer))
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
        await scene.people.wait_for(lambda dump: "made a standing rule" in json.dumps(dump["channels"]))
        assert await posted(scene, "text four", approver=None) == 0
        await asyncio.to_thread(_revokes_it, page, f"{scene.workspace.base_url}/archives/C0OPS/p{said}?user=U0GRACE")
        assert await posted(scene, "text five") == 1


def _makes_a_rule(page: Page, address: str) -> None:
    page.opens(address)
    page.press("decide_approved")
    page.reads(OFFER)
    page.fits("rule offered")
    page.press("rule_make")
    page.form_reads(wording.RULE_LIFETIME, wording.RULE_USES, "#incidents")
    page.fits("rule asked about")
    page.picks("arg:text", wording.ANY_VALUE)
    page.submit(closes=False)
    page.form_reads("it would have covered 3 of 3 calls", "text one", wording.MAKE_RULE_NOW)
    page.fits("rule previewed")
    page.submit()


def _revokes_it(page: Page, address: str) -> None:
    page.opens(address)
    page.click('[data-testid="thread-close"]')
    page.writes("/greenlight rules")
    page.reads(wording.RULES_HERE.strip("*"), "#incidents", place="messages")
    page.fits("rules listed")
    page.press("rule_revoke_0", place="messages")
    page.reads(wording.rule_revoked(stood=True), place="messages")
