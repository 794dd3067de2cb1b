"""A lead's workers: cards of their own, restarts between hand-outs, the author's rights, budgets and stops."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot.payloads import Form
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script, Stall
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered_and_done, done, rows, states
from tests.acceptance.forms import open_form, picked, submit
from tests.acceptance.plans import ANSWERS, ENDS, planned, results_told
from tests.acceptance.roles import Said, call, calls, says, subagent, told
from tests.acceptance.test_budgets import go_on_until, questions

ROLES: Mapping[str, Mapping[str, object]] = {
    "chief": {"prompt": "You lead a team.", "lead": True, "roles": ["writer", "analyst", "sender"], "steps": 6},
    "sender": {"prompt": "You tell people things.", "tools": ["slack_post_message", "calculate"]},
    "analyst": {"tools": ["calculate", "current_time"]},
}

Configure = Callable[[dict[str, Any]], None]


def _team(**tables: Mapping[str, object]) -> Configure:
    def configured(table: dict[str, Any]) -> None:
        table |= {"roles": ROLES, **tables}

    return configured


def _hands_out(*work: tuple[str, str]) -> Said:
    """Return an answer that hands out work: to whom, and what."""
    return calls(*(call("hand_out", role=role, instruction=instruction) for role, instruction in work))


def _posts(text: str) -> Said:
    return calls(call("calculate", expression="6 * 7"), call("slack_post_message", channel="#incidents", text=text))


def _joined(request: ModelRequest) -> Said:
    return " / ".join(" ".join(text.split()) for text in told(request))


def _state(seen: ThreadObserver, node: str) -> str:
    return states(seen).get(node, "")


def _result(scene: AppScene) -> Any:
    """Return what the lead came to, as the conclusion was told."""
    return results_told(scene.model.requests_of("conclude")[-1])["lead"]


async def _posted(scene: AppScene) -> list[str]:
    return [str(message["text"]) for message in await scene.people.messages("incidents")]


LEADS = planned(subagent("lead", "chief", "Make a report"), subagent("note", "writer", "Write beside it"))


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_red_call_of_a_worker_is_a_card_of_its_own_while_its_siblings_go_on(
    database_url: URL, tmp_path: Path, decision: str
) -> None:
    scripts = [
        LEADS,
        says("chief", _hands_out(("sender", "Tell them"), ("writer", "Write a line")), _joined),
        says("sender", _posts("It is 42"), lambda request: f"I was told: {told(request)[-1]}"),
        says("writer", "Beside it.", contains="Write beside it"),
        says("writer", "A line."),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_team()) as scene,
        scene.asked("a report") as seen,
    ):
        await seen.until(lambda seen: bool(seen.cards()), "the card")
        await seen.until(
            lambda seen: all(_state(seen, node).startswith("complete") for node in ("lead-1", "note")), "the others"
        )
        assert not await _posted(scene)
        assert [len(scene.model.requests_of(role)) for role in ("chief", "sender", "writer")] == [1, 1, 2]
        view = await open_form(scene, seen, "Grace", Form.COMMENT)
        chosen = picked(decision, view, "decision")
        assert await submit(scene, "Grace", {"decision": chosen, "words": "as you see fit"}) == {}
        await seen.until(answered_and_done, "the answer")
        assert [len(scene.model.requests_of(role)) for role in ("chief", "sender", "writer")] == [2, 2, 2]
        assert await _posted(scene) == (["It is 42"] if decision == "approved" else [])
        rejected = "sender returned: I was told: a person rejected this call: as you see fit / "
        assert str(_result(scene)).startswith(rejected) == (decision == "rejected")
        assert str(_result(scene)).endswith(" / writer returned: A line.")
    assert await rows(database_url, "SELECT node, status FROM approvals") == [("lead-0-0", decision)]


async def test_hand_outs_after_restarts_repeat_no_model_call_and_no_tool_call(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        LEADS,
        says(
            "chief",
            _hands_out(("sender", "Tell them first"), ("writer", "Write a line")),
            _hands_out(("sender", "Tell them then"), ("writer", "Write another line")),
            _joined,
        ),
        says("sender", _posts("At first"), "Told first.", contains="first"),
        says("sender", _posts("And then"), "Told then.", contains="then"),
        says("writer", "A line."),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_team()) as scene,
        scene.asked("a report") as seen,
    ):
        for posts, asked, line in (("At first", [1, 1, 2], "lead-1"), ("And then", [2, 3, 3], "lead-3")):
            await seen.until(lambda seen, posts=posts: posts in str([card.message for card in seen.cards()]), "card")
            await seen.until(lambda seen, line=line: _state(seen, line).startswith("complete"), "the line")
            await scene.stop_app()
            await scene.start_app()
            assert [len(scene.model.requests_of(role)) for role in ("chief", "sender", "writer")] == asked
            assert await scene.click(seen, "Grace", "approved")
        await seen.until(answered_and_done, "the answer")
        assert [len(scene.model.requests_of(role)) for role in ("chief", "sender", "writer")] == [3, 4, 3]
        assert await _posted(scene) == ["At first", "And then"]
        assert _result(scene) == (
            "sender returned: Told first. / writer returned: A line. / "
            "sender returned: Told then. / writer returned: A line."
        )
    answers = await rows(database_url, "SELECT count(*) FROM subagent_steps WHERE call = 0")
    assert answers == [(10,)], "an answer a row: three of the lead, four and two of its workers, one of the note"


@pytest.mark.parametrize("asks", ["Ada", "Grace"])
async def test_worker_has_the_tools_of_the_person_who_asked_and_no_others(
    database_url: URL, tmp_path: Path, asks: str
) -> None:
    def looks(request: ModelRequest) -> Said:
        return told(request)[0] if told(request) else calls(call("current_time", zone="UTC"))

    scripts = [
        planned(subagent("lead", "chief", "Make a report")),
        says("chief", _hands_out(("analyst", "Look"), ("sender", "Tell them")), _joined),
        says("analyst", looks),
        says("sender", calls(call("slack_post_message", channel="#incidents", text="It is so")), _joined),
        ENDS,
        ANSWERS,
    ]
    groups = {"S0ONCALL": {"tools": ["current_time", "slack_post_message"]}}
    async with app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_team(groups=groups)) as scene:
        scene.workspace.backend.team.usergroups["S0ONCALL"].users = ["U0GRACE"]
        async with scene.asked("a report", by=asks) as seen:
            if asks == "Grace":
                assert await scene.click(seen, "Grace", "approved")
            await seen.until(answered_and_done, "the answer")
            may = asks == "Grace"
            assert ("current_time" in scene.model.requests_of("analyst")[0].tools) == may
            assert ("slack_post_message" in scene.model.requests_of("sender")[0].tools) == may
            assert ("there is no tool 'current_time'" in _result(scene)) != may
            assert ("there is no tool 'slack_post_message'" in _result(scene)) != may
            assert await _posted(scene) == (["It is so"] if may else [])


@pytest.mark.parametrize("budget", [{"model_calls": 3}, {"nodes": 2}], ids=["model calls", "nodes"])
async def test_budget_of_the_run_holds_workers_back_and_a_word_goes_on_over_a_restart(
    database_url: URL, tmp_path: Path, budget: Mapping[str, int]
) -> None:
    scripts = [
        planned(subagent("lead", "chief", "Make a report")),
        says("chief", _hands_out(("analyst", "Look")), _hands_out(("analyst", "Look again")), _joined),
        says("analyst", calls(call("calculate", expression="6 * 7")), "It is so."),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_team(budgets={"run": budget})) as scene,
        scene.asked("a report") as seen,
    ):
        await seen.until(lambda seen: bool(questions(seen)), "the question")
        assert [len(scene.model.requests_of(role)) for role in ("chief", "analyst")] == (
            [1, 1] if "model_calls" in budget else [2, 2]
        )
        await scene.stop_app()
        await scene.start_app()
        await go_on_until(scene, seen, answered_and_done)
        assert [len(scene.model.requests_of(role)) for role in ("chief", "analyst")] == [3, 4]
        assert _result(scene) == "analyst returned: It is so. / analyst returned: It is so."


async def test_stop_ends_workers_in_the_middle_of_an_answer_and_takes_their_cards_back(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(subagent("lead", "chief", "Make a report")),
        says("chief", _hands_out(("sender", "Tell them"), ("writer", "Write a line")), "Never said."),
        says("sender", _posts("Never posted"), "Never said."),
        Script(role="writer", answer=Stall(after="Well, ")),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_team()) as scene,
        scene.asked("a report") as seen,
    ):
        await seen.until(lambda seen: bool(seen.cards()), "the card")
        await seen.until(lambda seen: "step 1 of 8" in _state(seen, "lead-1"), "its first step")
        await scene.people.post("Ada", seen.channel, "!stop", thread_ts=seen.thread_ts)
        await seen.until(done, "the stop")
        await seen.until(lambda seen: not seen.cards() and seen.says("*Withdrawn*"), "the card withdrawn")
        assert [len(scene.model.requests_of(role)) for role in ("chief", "sender", "writer")] == [1, 1, 1]
        assert not await _posted(scene)
        ended = ("lead", "lead-0", "lead-1", "lead-0-0")
        await seen.until(lambda seen: all("cancelled" in _state(seen, node) for node in ended), "all of it cancelled")
