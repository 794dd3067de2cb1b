"""Pictures of plans are drawn in a process of their own: none takes the worker's time, or the worker, with it."""

import asyncio
import io
from collections.abc import Iterable

import psutil
import pytest
from PIL import Image

from agent.ids import NodeId, UserId, thread_id
from agent.plan.operations import Add, Dependency, Node, NodeKind
from agent.ports import RunStatus
from bot.ports import RunView
from infra.plan_image.renderer import LoggedPlanRenderer
from infra.worker.notifications import Notifier
from tests.fakes.ports_in_memory import LogInMemory
from tests.fakes.run_views import a_node, a_run

THREAD = thread_id("T0LOCAL", "C0OPS", "1.000001")
MOST_SECONDS = 120.0
"""A machine with much else to do."""


async def painted(needs: Iterable[Iterable[int]], seconds: float = MOST_SECONDS) -> bytes | None:
    """Return the picture of a plan: for each step the numbers of those it needs."""
    nodes = [
        Node(
            id=NodeId(f"n{number}"),
            kind=NodeKind.SUBAGENT,
            title=f"Step {number} \N{GRINNING FACE} \ud800",
            depends_on=tuple(Dependency(node=NodeId(f"n{other}")) for other in needed),
        )
        for number, needed in enumerate(needs)
    ]
    log = LogInMemory(Notifier())
    await log.append(THREAD, 1, UserId("U0ADA"), [Add(node=node) for node in nodes])
    run: RunView = a_run(THREAD, status=RunStatus.WAITING, nodes=tuple(a_node(node.id) for node in nodes))
    return await LoggedPlanRenderer(log, seconds=seconds).picture(run)


async def test_a_plan_is_drawn() -> None:
    picture = await painted([[], [0], [0], [1, 2]])
    assert picture is not None
    assert Image.open(io.BytesIO(picture)).format == "PNG"


async def test_a_plan_whose_layout_takes_minutes_is_given_up_and_keeps_nobody_waiting() -> None:
    assert await painted((range(number) for number in range(100)), seconds=1.0) is None


async def test_a_plan_that_ends_the_process_that_draws_it_has_no_picture() -> None:
    assert await painted([[0]]) is None


async def test_drawing_that_nobody_waits_for_any_more_is_ended() -> None:
    painting = asyncio.create_task(painted(range(number) for number in range(100)))
    while not (drawing := drawings()):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    painting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await painting
    while any(process.is_running() for process in drawing):  # noqa: ASYNC110 - it has been killed
        await asyncio.sleep(0.01)


def drawings() -> list[psutil.Process]:
    """Return the processes of ours that draw."""
    return [child for child in psutil.Process().children() if "infra.plan_image.renderer" in child.cmdline()]
