"""The picture of a large plan: shared once per shape, found again after a crash, left out where it is not allowed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agent.approval import ApprovalPolicy
from agent.ids import ThreadId, thread_id
from agent.plan.outcomes import NodeState
from agent.ports import RunStatus
from bot.errors import ThreadClosed
from bot.ports import PostedMessage, RunView
from bot.publishing.plan_images import MOST_WITHOUT, PICTURE, SETTLED_SECONDS, PlanImages
from bot.publishing.publisher import ThreadPublisher
from bot.publishing.sender import MessageSender
from bot.slack.rate_limits import RateLimiter
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp
from tests.fakes.run_views import a_node, a_run
from tests.fakes.slack_scene import Scene
from tests.fakes.slack_scene import scene as opened_scene


class CountingRenderer:
    """A PlanRenderer that says how many steps it drew."""

    def __init__(self) -> None:
        self.drawn: list[int] = []

    async def picture(self, run: RunView) -> bytes | None:
        """Return something with a number in it."""
        self.drawn.append(len(run.nodes))
        return b"\x89PNG %d" % len(run.nodes)


def publishing(
    scene: Scene, plan_renderer: CountingRenderer, clock: Callable[[], float] = lambda: 0.0
) -> ThreadPublisher:
    """Return a publisher with pictures."""
    sender = MessageSender(scene.api, scene.rows, RateLimiter(), scene.app.principals.identity)
    plan_images = PlanImages(plan_renderer, sender, clock=clock)
    return ThreadPublisher(scene.rows, scene.rows, sender, lambda _: ApprovalPolicy(), plan_images=plan_images)


async def a_thread(scene: Scene) -> ThreadId:
    root = await scene.people.write("Ada", "ops", "check our services")
    return thread_id("T0LOCAL", "C0OPS", root)


def large(thread: ThreadId, more: int = 1, **rest: Any) -> RunView:
    """Return a run with more steps than need no picture."""
    return a_run(thread, nodes=tuple(a_node(f"n{number}") for number in range(MOST_WITHOUT + more)), **rest)


async def pictures(scene: Scene, thread: ThreadId) -> list[dict[str, Any]]:
    """Return the files in the thread."""
    return [
        file for message in await scene.people.thread(thread.rpartition(":")[2]) for file in message.get("files", [])
    ]


async def link(scene: Scene, thread: ThreadId) -> str:
    """Return the board's small print."""
    board = (await scene.people.thread(thread.rpartition(":")[2]))[0]
    return " ".join(block["elements"][0]["text"] for block in board["blocks"] if block["type"] == "context")


async def test_a_large_plan_is_drawn_once_when_it_stopped_growing_and_the_board_links_it() -> None:
    async with opened_scene() as scene:
        thread, plan_renderer, now = await a_thread(scene), CountingRenderer(), [0.0]
        publisher = publishing(scene, plan_renderer, lambda: now[0])
        for more in (1, 2):
            scene.rows.show(large(thread, more, status=RunStatus.RUNNING))
            await publisher.reconcile(thread)
        assert plan_renderer.drawn == []
        now[0] += SETTLED_SECONDS
        for state in (NodeState.RUNNING, NodeState.FAILED):
            run = large(thread, 2, status=RunStatus.RUNNING)
            scene.rows.show(replace(run, nodes=(a_node("n0", state), *run.nodes[1:])))
            await publisher.reconcile(thread)
        (file,) = await pictures(scene, thread)
        assert (plan_renderer.drawn, file["title"]) == ([12], "The plan: 12 steps")
        assert f"<{file['permalink']}|Picture of the plan>" in await link(scene, thread)


async def test_a_small_plan_has_no_picture() -> None:
    async with opened_scene() as scene:
        thread, plan_renderer = await a_thread(scene), CountingRenderer()
        scene.rows.show(large(thread, 0, status=RunStatus.WAITING))
        await publishing(scene, plan_renderer).reconcile(thread)
        assert (plan_renderer.drawn, await link(scene, thread)) == ([], "")


async def test_a_plan_that_grew_is_drawn_anew_and_the_board_links_the_newest() -> None:
    async with opened_scene() as scene:
        thread, plan_renderer = await a_thread(scene), CountingRenderer()
        for more in (1, 3):
            scene.rows.show(large(thread, more, status=RunStatus.WAITING))
            await publishing(scene, plan_renderer).reconcile(thread)
        first, second = await pictures(scene, thread)
        small_print = await link(scene, thread)
        assert second["permalink"] in small_print
        assert first["permalink"] not in small_print


async def test_a_picture_that_was_shared_but_not_noted_is_found_again() -> None:
    async with opened_scene() as scene:
        thread, plan_renderer = await a_thread(scene), CountingRenderer()
        run = large(thread, status=RunStatus.WAITING)
        scene.rows.show(run)
        await publishing(scene, plan_renderer).reconcile(thread)
        (file,) = await pictures(scene, thread)
        del scene.rows.posts[thread, 1][PICTURE]
        await publishing(scene, plan_renderer).reconcile(thread)
        assert len(await pictures(scene, thread)) == 1
        assert scene.rows.posts[thread, 1][PICTURE].ts == file["permalink"]


@pytest.mark.parametrize("missing", ["files:write"])
async def test_without_the_right_to_share_files_a_turn_is_shown_without_and_it_is_tried_once(missing: str) -> None:
    allowed = InstalledApp()
    place = Workspace(app=replace(allowed, scopes=allowed.scopes - {missing}))
    async with opened_scene(workspace=place) as scene:
        thread, plan_renderer = await a_thread(scene), CountingRenderer()
        publisher = publishing(scene, plan_renderer)
        for status in (RunStatus.WAITING, RunStatus.RUNNING, RunStatus.WAITING):
            scene.rows.show(large(thread, status=status))
            await publisher.reconcile(thread)
        assert (plan_renderer.drawn, await pictures(scene, thread), await link(scene, thread)) == ([11], [], "")
        assert scene.rows.posts[thread, 1][PICTURE] == PostedMessage("", scene.rows.posts[thread, 1][PICTURE].shown)


async def test_where_files_cannot_be_sent_the_board_goes_on_and_the_turn_ends() -> None:
    async with opened_scene() as scene:
        thread, plan_renderer = await a_thread(scene), CountingRenderer()
        publisher, home = publishing(scene, plan_renderer), scene.workspace.backend.base_url
        scene.workspace.backend.base_url = "http://127.0.0.1:1"  # where files go; the Web API stays where it is
        run = large(thread, status=RunStatus.WAITING)
        scene.rows.show(run)
        await publisher.reconcile(thread)
        ended = tuple(a_node(node.id, NodeState.SUCCEEDED) for node in run.nodes)
        scene.rows.show(replace(run, status=RunStatus.DONE, nodes=ended, answer="All is well."))
        await publisher.reconcile(thread)
        scene.workspace.backend.base_url = home
        board = (await scene.people.thread(thread.rpartition(":")[2]))[0]
        assert board["blocks"][0]["title"] == "Done: 11 steps, all done"
        assert (plan_renderer.drawn, await pictures(scene, thread), scene.rows.settled) == ([11], [], {(thread, 1)})


async def test_a_thread_that_is_closed_meanwhile_has_its_picture_once_it_is_open_again() -> None:
    async with opened_scene() as scene:
        thread, plan_renderer = await a_thread(scene), CountingRenderer()
        publisher = publishing(scene, plan_renderer)
        scene.rows.show(large(thread, status=RunStatus.WAITING))
        await scene.people.act("faults", method="files.completeUploadExternal", error="not_in_channel")
        with pytest.raises(ThreadClosed):
            await publisher.reconcile(thread)
        await publisher.reconcile(thread)
        assert len(await pictures(scene, thread)) == 1


async def test_a_picture_that_stands_although_the_answer_was_lost_is_linked() -> None:
    async with opened_scene() as scene:
        thread, plan_renderer = await a_thread(scene), CountingRenderer()
        await scene.people.act("faults", method="files.completeUploadExternal", status=0, after=True)
        scene.rows.show(large(thread, status=RunStatus.WAITING))
        await publishing(scene, plan_renderer).reconcile(thread)
        (file,) = await pictures(scene, thread)
        assert file["permalink"] in await link(scene, thread)


async def test_a_thread_at_work_does_not_wait_for_the_picture_of_another_one() -> None:
    async with opened_scene() as scene:
        drawing, go_on = asyncio.Event(), asyncio.Event()

        class Slow(CountingRenderer):
            async def picture(self, run: RunView) -> bytes | None:
                drawing.set()
                await go_on.wait()
                return await super().picture(run)

        plan_renderer, now = Slow(), [0.0]
        publisher = publishing(scene, plan_renderer, lambda: now[0])
        one, other = await a_thread(scene), await a_thread(scene)
        scene.rows.show(large(one, status=RunStatus.WAITING))
        first = asyncio.create_task(publisher.reconcile(one))
        await drawing.wait()
        scene.rows.show(large(other, status=RunStatus.RUNNING))
        for _ in range(2):
            now[0] += SETTLED_SECONDS
            async with asyncio.timeout(60):
                await publisher.reconcile(other)
        assert len(await scene.people.thread(other.rpartition(":")[2])) == 1
        go_on.set()
        await first
        await publisher.reconcile(other)
        assert [len(await pictures(scene, thread)) for thread in (one, other)] == [1, 1]
