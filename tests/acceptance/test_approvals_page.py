"""Every decision about a red step made on the page with the mouse, at 400 and at 1280 pixels: what it says, and fits.

With SCREENSHOTS set to a folder, a picture of each look is written there.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from sqlalchemy import URL

from bot import wording
from bot.payloads import FORM_ACTION, Form
from infra.dev.local_slack.state.payload import JsonObject
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import rows
from tests.acceptance.page_reader import WIDTHS, Page, address_of
from tests.acceptance.plans import ANSWERS, ENDS, planned, post
from tests.acceptance.test_approvals_freeze import command

pytestmark = pytest.mark.browser

ALWAYS = ("Approval needed", "Asked for by", "Who may decide", "Can be undone, but leaves traces")
"""What each open card says."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A decision, made on the page by Grace."""

    name: str
    does: Callable[[Page], None]
    #: What the thread reads afterwards.
    says: Sequence[str]
    #: What stands in #incidents afterwards, of this case.
    posted: Sequence[str]
    steps: Sequence[JsonObject] = ()
    #: Who opens the thread.
    open_words: Sequence[str] = ALWAYS


def _comments(page: Page) -> None:
    page.choose(Form.COMMENT)
    page.form_reads(wording.FORM_TITLES[Form.COMMENT], wording.YOUR_DECISION)
    page.submit(closes=False)
    page.form_reads("Please complete this required field.")
    page.click('[data-testid="modal-form"] .field input[type=radio][value="1"]')
    page.types("words", "too early")
    page.submit()


def _changes(page: Page) -> None:
    page.choose(Form.CHANGES)
    page.form_reads(wording.WHAT_TO_CHANGE)
    page.types("words", "in a friendlier tone")
    page.submit()


def _edits(page: Page) -> None:
    page.press(f"{FORM_ACTION}_edit")
    page.form_reads(wording.EDIT_APPROVES)
    page.types(page.block_of("channel"), "#nowhere at all")
    page.types(page.block_of("text"), "edited by Grace")
    page.types(page.block_of("channel"), "#incidents")
    page.submit()


def _by_hand(page: Page) -> None:
    page.choose(Form.BY_HAND)
    page.form_reads(wording.WHAT_CAME_OUT)
    page.types("words", "I told them on the phone")
    page.submit()


def _claims(page: Page) -> None:
    page.choose(Form.CLAIM)
    page.reads("is looking at it")
    page.fits("claimed")
    page.press("decide_approved")


def _shared(page: Page) -> None:
    page.press("decide_rejected")
    page.reads("Rejected")
    page.fits("one decided")
    page.press("decide_all_approved")


def _ahead(page: Page) -> None:
    page.press(f"{FORM_ACTION}_all")
    page.form_reads("Title of later", "ahead second", wording.WHICH_TO_APPROVE)
    page.submit()


SHARED = ["shared first", "shared second", "shared third"]
CASES = [
    Case(
        name="approve",
        does=lambda page: page.press("decide_approved"),
        says=["Approved by", "Grace"],
        posted=["approve first"],
    ),
    Case(
        name="reject",
        does=lambda page: page.press("decide_rejected"),
        says=["Rejected by", "Grace"],
        posted=[],
    ),
    Case(name="comment", does=_comments, says=["Rejected by", "too early"], posted=[]),
    Case(name="edit", does=_edits, says=["Approved by", "Changed by"], posted=["edited by Grace"]),
    Case(name="hand", does=_by_hand, says=["I told them on the phone"], posted=[]),
    Case(name="claim", does=_claims, says=["Approved by"], posted=["claim first"]),
    Case(
        name="shared",
        does=_shared,
        says=["Rejected by", "Approved by"],
        steps=[post("tell", SHARED[0]), post("other", SHARED[1]), post("third", SHARED[2])],
        posted=SHARED,  # but the one that stands first on the card: the three ask at the same time
    ),
    Case(
        name="ahead",
        does=_ahead,
        says=["approved 1 step ahead", "Approved by"],
        steps=[post("tell", "ahead first"), post("later", "ahead second", depends_on=["tell"])],
        posted=["ahead first", "ahead second"],
        open_words=[*ALWAYS, wording.approve_with(1)],
    ),
    Case(name="changes", does=_changes, says=["Changes requested", "friendlier tone"], posted=[]),
]


async def test_each_decision_is_made_on_the_page_and_says_how_it_ended(
    browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    page = Page(browser, WIDTHS[1])
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for width, case in zip(cycle(WIDTHS), CASES, strict=False):
            page.resizes(width)
            await decided(scene, page, case)
        said = [str(message["text"]) for message in await scene.people.messages("incidents")]
        rejected = "SELECT args ->> 'text' FROM approvals WHERE status = 'rejected' AND args ->> 'text' LIKE 'shared%'"
        ((text,),) = await rows(database_url, rejected)
        assert sorted([*said, str(text)]) == sorted(text for case in CASES for text in case.posted)
    open_ones = "SELECT title FROM approvals WHERE status = 'pending' AND title <> 'Title of kinder'"
    assert await rows(database_url, open_ones) == []


async def decided(scene: AppScene, page: Page, case: Case) -> None:
    """Have Ada ask, Grace decide, and everybody read how it ended."""
    steps = case.steps or [post("tell", f"{case.name} first")]
    scene.model.add(planned(*steps, contains=f"do {case.name}"))
    if case.name == "changes":
        scene.model.add(planned(post("kinder", "hello dears"), contains="friendlier tone"))
    async with scene.asked(f"do {case.name}") as observer:
        await observer.until(lambda seen: all(map(seen.says, case.open_words)), "the card")
        address = address_of(scene, observer)

        def story() -> None:
            page.opens(address)
            page.reads(*case.open_words)
            page.fits(f"{case.name} open")
            case.does(page)
            page.reads(*case.says)
            page.fits(f"{case.name} decided")

        await asyncio.to_thread(story)
        if case.name != "changes":
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")


async def test_a_frozen_card_says_so_and_lets_nobody_approve_until_it_is_lifted(
    browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    page = Page(browser, WIDTHS[0])
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: seen.says(*ALWAYS), "the card")
            await command(scene, "Ada", "freeze")
            address = address_of(scene, observer)

            def frozen() -> None:
                page.opens(address)
                page.reads("frozen")
                page.fits("frozen")
                assert page.has("button-decide_rejected")
                assert not page.has("button-decide_approved")

            def lifted() -> None:
                page.press("decide_approved")
                page.reads("Approved by")
                page.fits("lifted")

            await asyncio.to_thread(frozen)
            await command(scene, "Ada", "unfreeze")
            await asyncio.to_thread(lifted)
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["hello"]


async def test_a_card_that_takes_two_says_who_approved_and_an_expired_one_that_nobody_did(
    browser: Chrome, database_url: URL, tmp_path: Path
) -> None:
    def two(table: dict[str, object]) -> None:
        table["policy"] = {"rules": [{"name": "two people", "effect": "ask", "quorum": 2}]}

    page = Page(browser, WIDTHS[1])
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=two) as scene:
        scene.model.add(planned(post("tell", "hello"), post("more", "never", depends_on=["tell"])))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: seen.says(*ALWAYS), "the card")
            address = address_of(scene, observer)

            def first() -> None:
                page.opens(address)
                page.press("decide_approved")
                page.reads("1 of 2 approved")
                page.fits("one of two")

            await asyncio.to_thread(first)
            await scene.click(observer, "Linus", "approved")
            await observer.until(lambda seen: seen.says("needed: Title of more"), "the next card")
            await rows(database_url, "UPDATE approvals SET expires_at = now() WHERE status = 'pending' RETURNING id")

            def expired() -> None:
                page.reads("Approved by", "xpired")
                page.fits("expired")

            await asyncio.to_thread(expired)
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["hello"]
