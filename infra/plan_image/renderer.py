"""Draws a plan in a process of its own.

The layout of a plan with very many edges takes minutes and blocks every thread of its process; a worker that is silent
for so long is declared dead. `python -m infra.plan_image.renderer` reads the plan as JSON from stdin and writes the
picture to stdout.
"""

import asyncio
import json
import logging
import os
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from pathlib import Path

from agent.plan.operations import Add, nodes_added, operation_from_json, operation_json
from agent.ports import OperationLog
from agent.tool import Colour
from bot.ports import RunView
from infra.plan_image.drawing import DrawnNode, plan_picture

_log = logging.getLogger(__name__)


_ROOT = Path(__file__).resolve().parents[2]


DRAWING_SECONDS = 20.0
"""Two hundred steps with a few dependencies each take two seconds."""


_PROCESSOR_SECONDS = 10
"""The kernel ends the process after this time, even when its worker is gone."""


async def _picture_within(nodes: Sequence[DrawnNode], seconds: float = DRAWING_SECONDS) -> bytes | None:
    """Return the picture of a plan without states, or None when it cannot be drawn in time."""
    plan = json.dumps([[operation_json(Add(node=drawn.node)), drawn.colour.value] for drawn in nodes])
    try:
        async with asyncio.timeout(seconds):
            return await _drawn(plan.encode())
    except (TimeoutError, OSError) as error:
        _log.warning("no picture of a plan of %s steps: %s", len(nodes), type(error).__name__)
        return None


async def _drawn(plan: bytes) -> bytes | None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.plan_image.renderer"), cwd=_ROOT, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        picture, _ = await process.communicate(plan)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode:
        _log.warning("drawing a plan ended with exit status %s", process.returncode)
        return None
    return picture


def main() -> None:
    """Draw the plan of stdin at a low priority."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
    plan = json.load(sys.stdin)
    nodes = nodes_added([operation_from_json(operation) for operation, _ in plan])
    colours = [Colour(colour) for _, colour in plan]
    drawn = [DrawnNode(node=node, colour=colour) for node, colour in zip(nodes.values(), colours, strict=True)]
    sys.stdout.buffer.write(plan_picture(drawn))


if __name__ == "__main__":
    main()


class LoggedPlanRenderer:
    """Draws the steps of a board from the operation log."""

    def __init__(self, log: OperationLog, *, seconds: float = DRAWING_SECONDS) -> None:
        self._log = log
        self._seconds = seconds

    async def picture(self, run: RunView) -> bytes | None:
        """Return a picture of the board's steps as they were planned; None when there is none to draw."""
        colours = {node.id: node.colour for node in run.nodes}
        logged = await self._log.after(run.thread, 0)
        nodes = [node for node in nodes_added([entry.operation for entry in logged]).values() if node.id in colours]
        if not nodes:
            return None
        return await _picture_within([DrawnNode(node=node, colour=colours[node.id]) for node in nodes], self._seconds)
