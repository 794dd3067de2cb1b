"""The narrator: reads what a thread's rows say and makes Slack look like it.

Level-triggered: it never reacts to an event, it compares. Whatever was lost (a hint, a crash, a call
that failed), the next look puts right. One narrator writes a thread at a time: the one beside the
thread's runner.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence

from agent.approval import ApprovalPolicy
from agent.budget.tracker import TURN
from agent.errors import AgentError
from agent.ids import ThreadId, ToolName, thread_parts
from agent.ports import Decision, RunStatus
from bot import wording
from bot.blocks.answer import answer, trouble
from bot.blocks.board import board
from bot.blocks.card import card
from bot.blocks.message import Rendered, words_only
from bot.errors import BotError, ThreadClosed
from bot.ports import ApprovalView, Post, Posted, RunView, RunViews, Slot
from bot.publishing.plan_images import PlanImages
from bot.publishing.sender import ROOT_GONE, MessageSender
from bot.publishing.session_status import Sessions

_log = logging.getLogger(__name__)

REREAD_SECONDS = 5.0
"""A lost hint costs at most this long."""

COALESCE_SECONDS = 0.4
"""Changes that follow each other within this time become one edit."""

_BOARD = Slot(Post.BOARD)
_ENDED = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED})


class ThreadPublisher:
    """Shows threads in Slack."""

    def __init__(
        self,
        views: RunViews,
        posted: Posted,
        sender: MessageSender,
        policy_for: Callable[[ToolName], ApprovalPolicy],
        *,
        currency: str = "$",
        plan_images: PlanImages | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        self._views = views
        self._posted = posted
        self._sender = sender
        self._policy_for = policy_for
        self._currency = currency
        self._plan_images = plan_images
        self._sessions = sessions

    @contextlib.asynccontextmanager
    async def narrating(self, thread: ThreadId) -> AsyncGenerator[None, None]:
        """Keep Slack up to date while the body runs, and show how it ended on leaving it.

        Trouble with Slack never disturbs the body. The last look is left out when the body raised.

        Raises:
            BotError: the last look failed; `reconcile` again later.
        """
        looking = asyncio.Lock()
        loop = asyncio.create_task(self._keep_showing(thread, looking), name=f"narrate {thread}")
        try:
            yield
            async with looking:  # never cancelled between a call and the note that it was made
                loop.cancel()
        finally:
            loop.cancel()
            await asyncio.wait([loop])
            _report(loop)
        await self.reconcile(thread)

    async def reconcile(self, thread: ThreadId) -> None:
        """Make Slack look like the rows of every turn that does not yet show all it ever will.

        A thread that is gone for good ends this quietly: what came of it is told to the requester alone.

        Raises:
            ThreadClosed: we may not write there now; the requester knows, and looking again later may show it.
            BotError: Slack could not be reached or refused; what was done so far is noted.
        """
        turns = await self._views.unsettled(thread)
        for run in turns:
            try:
                await self._show(run, newest=run is turns[-1])
            except ThreadClosed as error:
                gone = error.code in ROOT_GONE
                await self._tell_requester(run, deleted=gone)
                if not gone:
                    raise
                _log.warning("%s is gone (%s): turn %s stays untold there", thread, error.code, run.turn)
                if _complete(run):
                    await self._posted.settle(run.thread, run.turn)

    async def tell_stuck(self, thread: ThreadId) -> None:
        """Say in the thread that nothing more happens by itself after trouble that is not the person's.

        Raises:
            BotError: Slack could not be reached or refused.
        """
        for run in await self._views.unsettled(thread):
            if run.status not in _ENDED:
                try:
                    await self._sender.put(run, Slot(Post.TROUBLE, "stuck"), words_only(wording.STUCK))
                except ThreadClosed as error:
                    _log.warning("cannot say in %s that it is stuck: %s", thread, error.code)
                    await self._tell_requester(run, deleted=error.code in ROOT_GONE)

    async def _keep_showing(self, thread: ThreadId, looking: asyncio.Lock) -> None:
        with self._views.watch(thread) as news:
            while True:
                async with looking:
                    await self._look(thread)
                await asyncio.sleep(COALESCE_SECONDS)
                await news.wait(REREAD_SECONDS)

    async def _look(self, thread: ThreadId) -> None:
        try:
            await self.reconcile(thread)
        except (BotError, AgentError) as error:
            _log.warning("could not show %s: %s; looking again", thread, error)
        except Exception:  # noqa: BLE001 -- the loop's boundary: a fault in showing must not stop the doing
            _log.exception("could not show %s; looking again", thread)

    async def _show(self, run: RunView, *, newest: bool) -> None:
        """Post what is missing in the order people read it, then edit what differs. The thread's session is that
        of its newest turn."""
        for number, reply in enumerate(run.replies):
            await self._say(run, Post.REPLY, str(number), answer(reply))
        if run.nodes and _BOARD not in run.posts:
            await self._show_board(run)
            run = await self._now(run)
        for view in run.questions:
            if view.question.node == TURN or run.nodes:  # nodes are noted a moment later: the board comes first
                await self._show_card(run, view)
        if run.status in _ENDED:
            if run.answer:
                await self._say(run, Post.ANSWER, "", answer(run.answer))
            if run.trouble:
                await self._say(run, Post.TROUBLE, "", [trouble(run.trouble)])
        if _BOARD in run.posts:
            await self._show_board(run if self._plan_images is None else await self._plan_images.share(run))
        if newest and self._sessions is not None:
            await self._sessions.show(run)
        if _complete(run):
            await self._posted.settle(run.thread, run.turn)

    async def _show_board(self, run: RunView) -> None:
        await self._put_newest(run, _BOARD, lambda now: board(now, self._currency))

    async def _put_newest(self, run: RunView, slot: Slot, look: Callable[[RunView], Rendered | None]) -> None:
        """Make the slot's message show the look of the turn, as it is once its turn under the rate limit has come."""
        if _shows(run, slot, look(run)):
            return
        if await self._sender.turn(run.thread, standing=slot in run.posts):
            run = await self._now(run)
        if (message := look(run)) is not None and not _shows(run, slot, message):
            await self._sender.send(run, slot, message)

    async def _now(self, run: RunView) -> RunView:
        """Return the turn as its rows are now."""
        turns = await self._views.unsettled(run.thread)
        return next((each for each in turns if each.turn == run.turn), run)

    async def _show_card(self, run: RunView, view: ApprovalView) -> None:
        """Post a card for a question that is open; edit one that stands. What was never asked is not shown."""
        slot, asked = card_slot(view), view.question.id

        def look(now: RunView) -> Sequence[Rendered]:
            newest = next((each for each in now.questions if each.question.id == asked), view)
            shown = _pending(newest) or slot in now.posts
            return card(newest, self._policy_for(newest.question.tool)) if shown else ()

        for number, part in enumerate(look(run)[:-1], start=1):
            await self._sender.put(run, Slot(Post.CARD, f"{asked}#{number}"), part)
        await self._put_newest(run, slot, lambda now: next(reversed(look(now)), None))

    async def _say(self, run: RunView, post: Post, key: str, messages: Sequence[Rendered]) -> None:
        for number, message in enumerate(messages, start=1):
            await self._sender.put(run, Slot(post, key if number == 1 else f"{key}#{number}"), message)

    async def _tell_requester(self, run: RunView, *, deleted: bool) -> None:
        """Say in a direct message that the thread cannot be written to: silence would leave people waiting."""
        words = wording.thread_closed(f"<#{thread_parts(run.thread).channel}>", deleted=deleted)
        slot = Slot(Post.TROUBLE, "thread_closed")
        await self._sender.tell_apart(run, run.requester, slot, words_only(words))


def _shows(run: RunView, slot: Slot, message: Rendered | None) -> bool:
    """Tell whether the slot's message stands and looks like this already, or nothing is to be shown there."""
    standing = run.posts.get(slot)
    return message is None or (standing is not None and standing.shown == message.digest)


def _complete(run: RunView) -> bool:
    """Tell whether nothing the turn shows can change any more: a node's last state may be noted late."""
    ended = run.status in _ENDED and all(node.outcome is not None for node in run.nodes)
    return ended and not any(_pending(view) for view in run.questions)


def card_slot(view: ApprovalView) -> Slot:
    """Return the place of the question's card: the message with the buttons."""
    return Slot(Post.CARD, view.question.id)


def _pending(view: ApprovalView) -> bool:
    return view.standing.decision is Decision.PENDING


def _report(loop: asyncio.Task[None]) -> None:
    """Log what ended the loop, which only cancelling should."""
    if not loop.cancelled() and (error := loop.exception()):
        _log.error("stopped showing a thread while it ran", exc_info=error)
