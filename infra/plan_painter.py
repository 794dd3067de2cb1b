"""Draws a turn's plan from the log of its operations, on a thread of its own."""

import asyncio
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from agent.plan import Node, nodes_added
from agent.ports import OperationLog
from bot.ports import RunView
from infra.plan_picture import Drawn, plan_picture


class PlanPainter:
    """A Painter. One picture at a time: they take a processor each."""

    def __init__(self, log: OperationLog) -> None:
        self._log = log
        self._drawing = asyncio.Lock()

    async def picture(self, run: RunView) -> bytes | None:
        """Return the steps that the board shows, drawn as they were planned; what waits in a circle is not drawn."""
        shown = {each.id: each.colour for each in run.nodes}
        logged = await self._log.after(run.thread, 0)
        nodes = [each for each in nodes_added([each.operation for each in logged]).values() if each.id in shown]
        if not nodes or not _is_drawable(nodes):
            return None
        async with self._drawing:
            return await asyncio.to_thread(plan_picture, [Drawn(node=each, colour=shown[each.id]) for each in nodes])


def _is_drawable(nodes: Sequence[Node]) -> bool:
    """Tell whether no steps wait for each other: laying those out would end the process."""
    try:
        TopologicalSorter({each.id: [needed.node for needed in each.depends_on] for each in nodes}).prepare()
    except CycleError:
        return False
    return True
