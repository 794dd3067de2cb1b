"""Slack's session of a thread, and with it Slack's Stop button: there while we are at work, and never in the way."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from agent.approval import ApprovalPolicy
from agent.ids import ThreadId, thread_id
from agent.plan.outcomes import NodeState
from agent.ports import RunStatus
from bot.errors import BotError
from bot.publishing.publisher import ThreadPublisher
from bot.publishing.sender import MessageSender
from bot.publishing.session_status import SessionStatus
from bot.slack.client import WebApi
from bot.slack.rate_limits import SESSIONS_BEGUN, RateLimiter
from tests.fakes.run_views import a_node, a_run
from tests.fakes.slack_scene import Scene
from tests.fakes.slack_scene import scene as opened_scene

METHOD = "agents.sessions.setStatus"
NODES = (a_node("a", NodeState.SUCCEEDED),)


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    async with opened_scene() as one:
        yield one


def publishing(scene: Scene) -> ThreadPublisher:
    """Return a publisher with sessions, which tries nothing twice and for which no time goes by."""
    sender = MessageSender(scene.api, scene.rows, RateLimiter(), scene.app.principals.identity)
    without_retries = AsyncWebClient(scene.workspace.bot_token, scene.workspace.api_url, retry_handlers=[])
    sessions = SessionStatus(WebApi(without_retries), scene.rows, RateLimiter(clock=lambda: 0.0))
    return ThreadPublisher(scene.rows, scene.rows, sender, lambda _: ApprovalPolicy(), sessions=sessions)


async def a_thread(scene: Scene) -> ThreadId:
    return thread_id("T0LOCAL", "C0OPS", await scene.people.write("Ada", "ops", "check our services"))


async def status(scene: Scene, thread: ThreadId) -> str | None:
    """Return what the thread's session says."""
    sessions: list[dict[str, Any]] = (await scene.people.dump())["sessions"]
    return next((session["status"] for session in sessions if thread.endswith(f":{session['thread_ts']}")), None)


async def calls(scene: Scene) -> int:
    return (await scene.people.calls()).get(METHOD, 0)


async def test_the_session_says_where_the_turn_stands_and_is_told_only_what_is_new(scene: Scene) -> None:
    thread, publisher, said = await a_thread(scene), publishing(scene), list[str | None]()
    life = (RunStatus.PLANNING, RunStatus.RUNNING, RunStatus.WAITING, RunStatus.RUNNING, RunStatus.DONE)
    for run_status in life:
        scene.rows.show(a_run(thread, status=run_status, nodes=NODES, answer="Done."))
        for _ in range(2):
            await publisher.reconcile(thread)
        said.append(await status(scene, thread))
    assert said == ["processing", "processing", "suspended", "processing", "active"]
    assert await calls(scene) == 4
    assert scene.rows.settled == {(thread, 1)}


async def test_the_newest_turn_decides(scene: Scene) -> None:
    thread, publisher = await a_thread(scene), publishing(scene)
    scene.rows.show(a_run(thread, status=RunStatus.RUNNING, nodes=NODES))
    await publisher.reconcile(thread)
    scene.rows.show(a_run(thread, status=RunStatus.DONE, nodes=NODES))
    scene.rows.show(a_run(thread, turn=2, status=RunStatus.RUNNING))
    await publisher.reconcile(thread)
    assert await status(scene, thread) == "processing"


async def test_a_workspace_without_sessions_is_asked_once_and_shown_everything_else(scene: Scene) -> None:
    thread, publisher = await a_thread(scene), publishing(scene)
    await scene.people.act("switches", agent_sessions=False)
    for run_status in (RunStatus.RUNNING, RunStatus.DONE):
        scene.rows.show(a_run(thread, status=run_status, nodes=NODES, answer="Done."))
        for _ in range(2):
            await publisher.reconcile(thread)
    assert await status(scene, thread) is None
    assert await calls(scene) == 1
    assert len(await scene.people.thread(thread.rpartition(":")[2])) == 2
    assert scene.rows.settled == {(thread, 1)}


async def test_under_load_a_session_is_left_out_and_what_was_begun_ends(scene: Scene) -> None:
    publisher = publishing(scene)
    threads = [await a_thread(scene) for _ in range(SESSIONS_BEGUN.burst + 3)]
    for run_status in (RunStatus.RUNNING, RunStatus.DONE):
        for thread in threads:
            scene.rows.show(a_run(thread, status=run_status))
            await publisher.reconcile(thread)
        expected = "active" if run_status is RunStatus.DONE else "processing"
        said = [await status(scene, thread) for thread in threads]
        assert said == [expected] * SESSIONS_BEGUN.burst + [None] * 3


async def test_a_slack_that_is_away_holds_up_no_beginning_and_is_told_the_end_later(scene: Scene) -> None:
    thread, publisher = await a_thread(scene), publishing(scene)
    scene.rows.show(a_run(thread, status=RunStatus.RUNNING))
    await scene.people.act("faults", method=METHOD, status=500)
    await publisher.reconcile(thread)
    assert await status(scene, thread) is None
    await publisher.reconcile(thread)
    assert await status(scene, thread) == "processing"
    scene.rows.show(a_run(thread, status=RunStatus.DONE))
    await scene.people.act("faults", method=METHOD, status=500)
    with pytest.raises(BotError):
        await publisher.reconcile(thread)
    assert scene.rows.settled == set()
    await publisher.reconcile(thread)
    assert await status(scene, thread) == "active"
    assert scene.rows.settled == {(thread, 1)}
