"""The publisher makes Slack show the rows, whatever got lost on the way."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from agent.approval import Decision
from agent.ids import ThreadId, thread_id
from agent.plan.operations import NodeKind
from agent.plan.outcomes import NodeState, Succeeded
from agent.ports import RunStatus
from bot.blocks.answer import answer
from bot.errors import BotError, ThreadClosed
from bot.ports import AttemptView, Post, PostedMessage, Slot
from infra.dev.local_slack.server import Workspace
from tests.fakes.run_views import GRACE, NOON, a_node, a_run, an_approval
from tests.fakes.slack_scene import Json, Scene
from tests.fakes.slack_scene import scene as opened_scene

RUNNING = (a_node("a", NodeState.RUNNING), a_node("b", depends_on=("a",)))
DONE = (a_node("a", NodeState.SUCCEEDED), a_node("b", NodeState.SUCCEEDED))


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    async with opened_scene() as one:
        yield one


async def a_thread(scene: Scene, channel: str = "ops") -> ThreadId:
    """Return a thread whose root somebody wrote."""
    root = await scene.people.write("Ada", channel, "check our services")
    place = (await scene.people.dump())["channels"][channel]["id"]
    return thread_id("T0LOCAL", place, root)


async def replies(scene: Scene, thread: ThreadId) -> list[dict[str, Json]]:
    return await scene.people.thread(thread.rpartition(":")[2])


def statuses(board: dict[str, Json]) -> dict[str, str]:
    return {task["task_id"]: task["status"] for task in board["blocks"][0]["tasks"]}


async def test_turn_is_one_board_edited_in_place_then_an_answer(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, nodes=RUNNING))
    await scene.publisher.reconcile(thread)
    (board,) = await replies(scene, thread)
    assert statuses(board) == {"a": "in_progress", "b": "pending"}

    scene.rows.show(a_run(thread, status=RunStatus.DONE, nodes=DONE, answer="All **three** are up."))
    await scene.publisher.reconcile(thread)
    board, told = await replies(scene, thread)
    assert statuses(board) == {"a": "complete", "b": "complete"}
    assert told["blocks"][0] == {"type": "markdown", "text": "All **three** are up.", **_id(told)}
    assert scene.rows.settled == {(thread, 1)}


def _id(message: dict[str, Json]) -> dict[str, str]:
    return {"block_id": message["blocks"][0]["block_id"]} if "block_id" in message["blocks"][0] else {}


async def test_answer_has_thumbs_and_one_that_an_earlier_version_posted_is_not_edited(scene: Scene) -> None:
    thread = await a_thread(scene)
    ended = a_run(thread, status=RunStatus.DONE, nodes=DONE, answer="All are up.")
    scene.rows.show(ended)
    await scene.publisher.reconcile(thread)
    _, posted = await replies(scene, thread)
    assert [button["action_id"] for button in posted["blocks"][-1]["elements"]] == ["feedback_up", "feedback_down"]
    (plain,) = answer("All are up.")
    scene.rows.posts[thread, 1][Slot(Post.ANSWER)] = PostedMessage(posted["ts"], plain.digest)
    scene.rows.settled.clear()
    before = await scene.people.calls()
    await scene.publisher.reconcile(thread)
    assert await scene.people.calls() == before
    assert scene.rows.settled == {(thread, 1)}


async def test_only_the_last_reply_of_a_turn_without_a_plan_has_thumbs(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, status=RunStatus.DONE, replies=("First.", "Then.")))
    await scene.publisher.reconcile(thread)
    rated = ["feedback_up" in str(reply["blocks"]) for reply in await replies(scene, thread)]
    assert rated == [False, True]
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, nodes=RUNNING, replies=("On it.",)))
    await scene.publisher.reconcile(thread)
    assert "feedback_up" not in str(await replies(scene, thread))


async def test_looking_again_at_the_same_rows_sends_nothing(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, nodes=RUNNING, approvals=(an_approval(thread),), replies=("On it.",)))
    await scene.publisher.reconcile(thread)
    before = await scene.people.calls()
    await scene.publisher.reconcile(thread)
    assert await scene.people.calls() == before
    assert len(await replies(scene, thread)) == 3


async def test_card_is_edited_to_who_decided_when_no_click_did(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, nodes=RUNNING, approvals=(an_approval(thread),)))
    await scene.publisher.reconcile(thread)
    decided = an_approval(thread, decision=Decision.APPROVED, by=GRACE, at=NOON)
    scene.rows.show(a_run(thread, nodes=RUNNING, approvals=(decided,)))
    await scene.publisher.reconcile(thread)
    card = (await replies(scene, thread))[1]
    assert "*Approved* by <@U0GRACE>" in str(card["blocks"])
    assert all(block["type"] != "actions" for block in card["blocks"])


async def test_board_comes_before_the_card_of_a_step_that_is_asked_about_before_it_is_noted(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, approvals=(an_approval(thread),)))
    await scene.publisher.reconcile(thread)
    assert await replies(scene, thread) == []
    scene.rows.show(a_run(thread, nodes=RUNNING, approvals=(an_approval(thread),)))
    await scene.publisher.reconcile(thread)
    board, card = await replies(scene, thread)
    assert set(statuses(board)) == {"a", "b"}
    assert card["blocks"][-1]["type"] == "actions"


async def test_card_that_was_withdrawn_before_it_was_posted_is_not_posted(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, nodes=RUNNING, approvals=(an_approval(thread, decision=Decision.WITHDRAWN),)))
    await scene.publisher.reconcile(thread)
    assert len(await replies(scene, thread)) == 1


async def test_long_arguments_come_whole_in_several_messages(scene: Scene) -> None:
    thread = await a_thread(scene)
    text = "\n".join(f"line {number}: ``` <!channel> & more" for number in range(600))
    scene.rows.show(a_run(thread, nodes=RUNNING, approvals=(an_approval(thread, args={"text": text}),)))
    await scene.publisher.reconcile(thread)
    _, *messages = await replies(scene, thread)
    assert len(messages) > 2
    shown = [
        element["elements"][0]["text"]
        for message in messages
        for block in message["blocks"]
        if block["type"] == "rich_text"
        for element in block["elements"]
        if element["type"] == "rich_text_preformatted"
    ]
    assert "".join(shown) == text
    assert messages[-1]["blocks"][-1]["type"] == "actions"


@pytest.mark.parametrize("status", [0, 500, 503])
async def test_message_whose_answer_was_lost_is_posted_once_and_found_again(scene: Scene, status: int) -> None:
    thread = await a_thread(scene)
    await scene.people.act("faults", method="chat.postMessage", status=status, after=True)
    scene.rows.show(a_run(thread, nodes=RUNNING))
    with pytest.raises(BotError):
        await scene.publisher.reconcile(thread)
    await scene.publisher.reconcile(thread)
    (board,) = await replies(scene, thread)
    assert statuses(board) == {"a": "in_progress", "b": "pending"}


async def test_earlier_turn_is_shown_although_a_later_one_has_begun(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, status=RunStatus.DONE, answer="First."))
    scene.rows.show(a_run(thread, turn=2, nodes=RUNNING))
    await scene.publisher.reconcile(thread)
    first, second = await replies(scene, thread)
    assert first["text"] == "First."
    assert statuses(second) == {"a": "in_progress", "b": "pending"}
    assert scene.rows.settled == {(thread, 1)}


async def test_turn_is_not_settled_while_a_late_state_may_come(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, status=RunStatus.DONE, nodes=RUNNING, answer="Done."))
    await scene.publisher.reconcile(thread)
    assert not scene.rows.settled
    scene.rows.show(a_run(thread, status=RunStatus.DONE, nodes=DONE, answer="Done."))
    await scene.publisher.reconcile(thread)
    board, _ = await replies(scene, thread)
    assert statuses(board) == {"a": "complete", "b": "complete"}
    assert scene.rows.settled == {(thread, 1)}


async def test_trouble_is_told_in_words(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, status=RunStatus.FAILED, error="model_unavailable"))
    await scene.publisher.reconcile(thread)
    (told,) = await replies(scene, thread)
    assert "couldn't reach the language model" in told["text"]


async def test_thread_that_is_not_tried_again_says_so_once(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, status=RunStatus.RUNNING))
    for _ in range(2):
        await scene.publisher.report_stuck(thread)
    (told,) = await replies(scene, thread)
    assert "Nothing you asked for is lost" in told["text"]


async def test_changes_while_running_are_shown_and_coalesced(scene: Scene) -> None:
    thread = await a_thread(scene)
    many = [a_node(f"n{number}", NodeState.RUNNING) for number in range(12)]
    scene.rows.show(a_run(thread, nodes=many))
    async with scene.publisher.publishing(thread):
        for number, node in enumerate(many):
            many[number] = replace(node, state=NodeState.SUCCEEDED, outcome=Succeeded(), ended_at=NOON)
            scene.rows.show(a_run(thread, nodes=tuple(many)))
            await asyncio.sleep(0.02)
    (board,) = await replies(scene, thread)
    assert set(statuses(board).values()) == {"complete"}
    assert (await scene.people.calls())["chat.update"] <= 6


async def test_faults_of_slack_do_not_disturb_the_run(scene: Scene) -> None:
    thread = await a_thread(scene)
    await scene.people.act("faults", method="chat.postMessage", error="fatal_error", times=1)
    scene.rows.show(a_run(thread, nodes=RUNNING))
    async with scene.publisher.publishing(thread):
        await scene.people.until(lambda dump: dump["refusals"] != {})
        scene.rows.show(a_run(thread, status=RunStatus.DONE, nodes=DONE, answer="Done."))
    board, told = await replies(scene, thread)
    assert statuses(board) == {"a": "complete", "b": "complete"}
    assert told["text"] == "Done."


async def test_error_of_the_run_passes_through_unchanged(scene: Scene) -> None:
    thread = await a_thread(scene)
    with pytest.raises(ZeroDivisionError):
        async with scene.publisher.publishing(thread):
            raise ZeroDivisionError


async def test_requester_is_told_once_when_the_thread_is_closed_to_us(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, nodes=RUNNING))
    for _ in range(2):
        await scene.people.act("faults", method="chat.postMessage", error="not_in_channel", times=1)
        with pytest.raises(ThreadClosed):
            await scene.publisher.reconcile(thread)
    assert len(await told_apart(scene, "invite me again")) == 1
    await scene.publisher.reconcile(thread)
    assert len(await replies(scene, thread)) == 1


async def told_apart(scene: Scene, words: str) -> list[dict[str, Json]]:
    """Return the messages with these words, wherever they stand."""
    channels = (await scene.people.dump())["channels"].values()
    return [message for channel in channels for message in channel["messages"] if words in message["text"]]


async def test_turn_whose_thread_is_gone_for_good_is_not_looked_at_again(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, status=RunStatus.DONE, nodes=DONE, answer="Done."))
    await scene.people.act("faults", method="chat.postMessage", error="thread_not_found", times=1)
    await scene.publisher.reconcile(thread)
    assert len(await told_apart(scene, "was deleted")) == 1
    assert scene.rows.settled == {(thread, 1)}


async def test_being_stuck_in_a_closed_thread_is_told_to_the_requester(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, nodes=RUNNING))
    await scene.people.act("faults", method="chat.postMessage", error="is_archived", times=1)
    await scene.publisher.report_stuck(thread)
    assert len(await told_apart(scene, "invite me again")) == 1


async def test_deleted_board_stays_deleted(scene: Scene) -> None:
    thread = await a_thread(scene)
    scene.rows.show(a_run(thread, nodes=RUNNING))
    await scene.publisher.reconcile(thread)
    (board,) = await replies(scene, thread)
    await scene.api.write("chat.delete", channel="C0OPS", ts=board["ts"])
    scene.rows.show(a_run(thread, status=RunStatus.DONE, nodes=DONE, answer="Done."))
    await scene.publisher.reconcile(thread)
    (told,) = await replies(scene, thread)
    assert told["text"] == "Done."
    assert scene.rows.settled


async def test_many_boards_stay_under_the_rate_limits() -> None:
    """Rate limits on: the pacing alone keeps Slack from refusing anything."""
    async with opened_scene(workspace=Workspace(rate_limits=True)) as scene:
        threads = [await a_thread(scene, channel) for channel in ("ops", "general", "incidents")]
        for thread in threads:
            scene.rows.show(a_run(thread, nodes=RUNNING))
            await scene.publisher.reconcile(thread)
        for round_number in range(4):
            for thread in threads:
                state = NodeState.SUCCEEDED if round_number % 2 else NodeState.RUNNING
                scene.rows.show(a_run(thread, nodes=(a_node("a", state),)))
                await scene.publisher.reconcile(thread)
        assert not (await scene.people.dump())["refusals"]


async def test_board_tells_repairs(scene: Scene) -> None:
    thread = await a_thread(scene)
    crash = AttemptView(attempt=1, kind="error", error="ValueError: not enough values\nTraceback ...")
    nodes = (a_node("p", NodeState.RUNNING, kind=NodeKind.PACKAGE, tool=None, title="Count errors", attempts=(crash,)),)
    scene.rows.show(a_run(thread, nodes=nodes))
    await scene.publisher.reconcile(thread)
    (board,) = await replies(scene, thread)
    told = str(board["blocks"])
    assert "attempt 1 crashed: ValueError: not enough values; rewritten, attempt 2 running" in told
