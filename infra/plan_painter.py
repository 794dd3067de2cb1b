"""Draws a turn's plan from the log of its operations."""

from agent.plan import nodes_added
from agent.ports import OperationLog
from bot.ports import RunView
from infra.plan_drawing import DRAWING_SECONDS, drawn_apart
from infra.plan_picture import Drawn


class PlanPainter:
    """A Painter."""

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
