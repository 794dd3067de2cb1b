"""What a script left, read at the board: over the local workspace's wire, by a click and a modal."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from agent.events import AttemptEnded
from agent.ids import NodeId, ThreadId, ToolName, UserId, thread_id
from agent.plan.operations import NodeKind
from agent.plan.outcomes import NodeState
from agent.plan.sources import Source
from agent.ports import RunStatus
from bot import wording
from bot.ports import AttemptView, NodeView, PackageView
from tests.fakes.bot_ports import NOON
from tests.fakes.run_views import a_node, a_run
from tests.fakes.slack_scene import Scene
from tests.fakes.slack_scene import scene as opened_scene

CRASH = AttemptEnded(
    node=NodeId("count"),
    attempt=1,
    kind="error",
    code="def main(inputs): return 1 / 0",
    error="ZeroDivisionError: division by zero",
    traceback='File "script.py", line 1, in main',
    milliseconds=12.3,
    at=NOON,
)
DONE = replace(CRASH, attempt=2, kind="ok", error="", traceback="", code="def main(inputs): return 1 # <!channel>")


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    async with opened_scene() as one:
        yield one


def script(id: str) -> NodeView:
    """A repaired package as the board sees it."""
    attempts = (AttemptView(attempt=1, kind="error", error="E: e"), AttemptView(attempt=2, kind="ok", error=""))
    return a_node(id, NodeState.SUCCEEDED, kind=NodeKind.PACKAGE, tool=None, attempts=attempts)


async def shown(scene: Scene, *nodes: NodeView) -> tuple[ThreadId, str]:
    """Put a finished run's board into a thread; return the thread and the board's ts."""
    root = await scene.people.write("Ada", "ops", "count the errors")
    place = (await scene.people.dump())["channels"]["ops"]["id"]
    thread = thread_id("T0LOCAL", place, root)
    run = a_run(thread, nodes=nodes, status=RunStatus.DONE, ended_at=NOON, answer="1")
    scene.rows.show(run)
    scene.rows.packages[thread, NodeId("count")] = PackageView(
        thread=thread, node=NodeId("count"), title="Count errors", attempts=(CRASH, DONE)
    )
    await scene.publisher.reconcile(thread)
    board = next(message for message in await scene.people.thread(root) if message["blocks"][0]["type"] == "plan")
    return thread, str(board["ts"])


async def modal(scene: Scene, user: str = "U0GRACE") -> str:
    """Return the text of the only modal this person has open, once it is filled."""

    def opened(dump: Mapping[str, Any]) -> list[Any]:
        views = cast("list[Any]", dump["views"].get(user, []))
        return [view for view in views if wording.DETAILS_LOADING not in str(view["blocks"])]

    [view] = opened(await scene.people.until(lambda dump: bool(opened(dump))))
    return str(view["blocks"])


async def test_click_opens_what_the_last_attempt_left_and_another_on_request(scene: Scene) -> None:
    _, ts = await shown(scene, script("count"))
    await scene.people.act("click", user="Grace", channel="ops", ts=ts, action_id="script_details_0")
    words = await modal(scene)
    assert "Count errors" in words
    assert "return 1 # <!channel>" in words
    assert "ZeroDivisionError" not in words
    await scene.people.act("views/act", user="Grace", action_id="script_attempt_1")
    await scene.settled()
    words = await modal(scene)
    assert "ZeroDivisionError: division by zero" in words
    assert "line 1, in main" in words


async def test_menu_of_many_scripts_opens_the_chosen_one(scene: Scene) -> None:
    _, ts = await shown(scene, script("count"), *(script(f"s{number}") for number in range(5)))
    label = {"type": "plain_text", "text": "Step count", "emoji": False}
    chosen = {"selected_option": {"text": label, "value": "count"}}
    await scene.people.act("click", user="Grace", channel="ops", ts=ts, action_id="script_details", chosen=chosen)
    assert "return 1 # <!channel>" in await modal(scene)


async def test_what_is_not_kept_any_more_is_said(scene: Scene) -> None:
    thread, ts = await shown(scene, script("count"))
    del scene.rows.packages[thread, NodeId("count")]
    await scene.people.act("click", user="Grace", channel="ops", ts=ts, action_id="script_details_0")
    assert wording.DETAILS_GONE in await modal(scene)


@pytest.mark.parametrize(("tool", "seen"), [("slack_read_channel", False), ("http_get", True)])
async def test_what_was_read_with_rights_of_ones_own_is_shown_to_nobody_else(
    scene: Scene, tool: str, seen: bool
) -> None:
    thread, ts = await shown(scene, script("count"))
    kept = scene.rows.packages[thread, NodeId("count")]
    source = Source(tool=ToolName(tool), author=UserId("U0ADA"))
    scene.rows.packages[thread, NodeId("count")] = replace(kept, sources=frozenset({source}))
    await scene.people.act("click", user="Grace", channel="ops", ts=ts, action_id="script_details_0")
    words = await modal(scene)
    assert ("return 1" in words) is seen
    assert (wording.DETAILS_NOT_YOURS in words) is not seen
    await scene.people.act("click", user="Ada", channel="ops", ts=ts, action_id="script_details_0")
    assert "return 1" in await modal(scene, "U0ADA")


async def test_guest_reads_nothing(scene: Scene) -> None:
    _, ts = await shown(scene, script("count"))
    await scene.people.act("click", user="U0GUEST", channel="ops", ts=ts, action_id="script_details_0")
    words = await modal(scene, "U0GUEST")
    assert "guests can't read this" in words
    assert "ZeroDivisionError" not in words


async def test_database_that_is_away_is_said_in_the_modal(scene: Scene) -> None:
    _, ts = await shown(scene, script("count"))
    scene.rows.down = True
    await scene.people.act("click", user="Grace", channel="ops", ts=ts, action_id="script_details_0")
    assert wording.DETAILS_FAILED in await modal(scene)
