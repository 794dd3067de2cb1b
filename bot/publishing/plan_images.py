"""The picture of a large plan: drawn once per shape of the plan, shared in the thread, linked from the board.

A file and no modal: a plan that needs a picture is too wide for a modal, while Slack's viewer zooms, everyone
in the thread sees it, and it is still there tomorrow. It shows the shape alone; the board shows the states.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.ids import Digest, ThreadId
from agent.plan.operations import digest_of
from agent.ports import RunStatus
from bot import wording
from bot.errors import BotError, ThreadClosed
from bot.ports import PlanRenderer, Post, PostedMessage, RunView, Slot
from bot.publishing.sender import MessageSender

_log = logging.getLogger(__name__)

MOST_WITHOUT = 10
"""A plan of more steps gets a picture."""

SETTLED_SECONDS = 3.0
"""A plan that grew a moment ago may grow again: it is drawn after this pause, or when the run waits or ends."""

PICTURE = Slot(Post.PICTURE)


@dataclass(frozen=True, kw_only=True)
class _Growth:
    """The newest shape of a plan that was seen."""

    shape: Digest
    #: Monotonic seconds.
    since: float


class PlanImages:
    """Shares pictures of plans."""

    def __init__(
        self, plan_renderer: PlanRenderer, sender: MessageSender, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._plan_renderer = plan_renderer
        self._sender = sender
        self._clock = clock
        self._drawing = asyncio.Lock()  # each takes a processor
        self._growing: dict[tuple[ThreadId, int], _Growth] = {}

    async def share(self, run: RunView) -> RunView:
        """Return the turn with its picture among its posts, after sharing one if it is due.

        A picture that cannot be shared is not tried again for this shape of the plan.

        Raises:
            ThreadClosed: the app may not write there now.
        """
        if len(run.nodes) <= MOST_WITHOUT:
            return run
        # Nodes never change and ids are given once: the ids alone tell one shape from another.
        shape = digest_of([node.id for node in run.nodes])
        before = run.posts.get(PICTURE)
        if (before is not None and before.shown == shape) or not self._is_settled(run, shape):
            return run
        if self._drawing.locked() and not _at_rest(run):
            return run  # the next update tries again: cards and the board do not wait for the pictures of others
        async with self._drawing:
            content = await self._plan_renderer.picture(run)
        message = PostedMessage(await self._address(run, shape, content), shape)
        await self._sender.record(run, PICTURE, message)
        self._growing.pop((run.thread, run.turn), None)
        return replace(run, posts={**run.posts, PICTURE: message})

    def _is_settled(self, run: RunView, shape: Digest) -> bool:
        if _at_rest(run):
            return True
        key, now = (run.thread, run.turn), self._clock()
        growth = self._growing.get(key)
        if growth is None or growth.shape != shape:
            growth = self._growing[key] = _Growth(shape=shape, since=now)
        return now - growth.since >= SETTLED_SECONDS

    async def _address(self, run: RunView, shape: Digest, content: bytes | None) -> str:
        """Share the picture; return its address, or that of the one before if it cannot be shared."""
        before = run.posts.get(PICTURE)
        if content is not None:
            name, title = f"plan-{run.turn}-{shape[:8]}.png", wording.picture_title(len(run.nodes))
            try:
                return await self._sender.share(run, PICTURE, name=name, title=title, content=content)
            except ThreadClosed:
                raise
            except BotError as error:
                _log.warning("no picture of the plan in %s: %s", run.thread, error)
        return "" if before is None else before.ts


def _at_rest(run: RunView) -> bool:
    return run.ended or run.status is RunStatus.WAITING
