"""Draws a plan in a process of its own: where every step waits for every other one, the layout takes minutes in which
no other thread of its process runs, and a worker that is silent for so long is declared dead.

Run as `python -m infra.plan_image.renderer`: the plan comes on stdin as JSON, the picture goes to stdout.
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
from infra.plan_image.drawing import Drawn, plan_picture

_log = logging.getLogger(__name__)


_ROOT = Path(__file__).resolve().parents[2]


DRAWING_SECONDS = 20.0
"""Two hundred steps that wait for a few others each take two."""


_PROCESSOR_SECONDS = 10
"""The process is ended after these, also when nobody is left who would do it."""


async def drawn_apart(nodes: Sequence[Drawn], seconds: float = DRAWING_SECONDS) -> bytes | None:
    """Return the picture of a plan, or None when it cannot be drawn in time. States are not drawn."""
    plan = json.dumps([[operation_json(Add(node=each.node)), each.colour.value] for each in nodes])
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
    """Draw the plan from stdin, at a low priority."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
    plan = json.load(sys.stdin)
    nodes = nodes_added([operation_from_json(operation) for operation, _ in plan])
    colours = [Colour(colour) for _, colour in plan]
    drawn = [Drawn(node=node, colour=colour) for node, colour in zip(nodes.values(), colours, strict=True)]
    sys.stdout.buffer.write(plan_picture(drawn))


if __name__ == "__main__":
    main()


class LoggedPlanRenderer:
    """Draws the board's steps as they stand in the operation log."""

    def __init__(self, log: OperationLog, *, seconds: float = DRAWING_SECONDS) -> None:
        self._log = log
        self._seconds = seconds

    async def picture(self, run: RunView) -> bytes | None:
        """Return the steps that the board shows, drawn as they were planned."""
        shown = {each.id: each.colour for each in run.nodes}
        logged = await self._log.after(run.thread, 0)
        nodes = [each for each in nodes_added([each.operation for each in logged]).values() if each.id in shown]
        if not nodes:
            return None
        return await drawn_apart([Drawn(node=each, colour=shown[each.id]) for each in nodes], self._seconds)
