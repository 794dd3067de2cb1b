"""Reads a thread's rows and makes Slack show them.

Level-triggered: the publisher compares rows with posts and never reacts to an event, so the next look repairs a lost
hint, a crash or a failed call. One publisher writes a thread at a time: the one beside the thread's runner.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from agent.approval import TURN, ApprovalKind, ApprovalPolicy, ApprovalRequest
from agent.errors import AgentError
from agent.facts import told_in
from agent.ids import ThreadId, thread_parts
from agent.plan.effects import standing
from agent.plan.outcomes import Succeeded
from agent.ports import Effects, Places, RunStatus
from agent.runbooks import SAVE_RUNBOOK
from bot import wording
from bot.blocks.answer import answer, thumbs
from bot.blocks.board import board, thinking
from bot.blocks.memory import cited
from bot.cards.card import PreviewsOf, card, no_previews, reminder
from bot.cards.group_card import group_card
from bot.elements import Rendered, words_only
from bot.errors import BotError, SlackRefused, ThreadClosed
from bot.ports import ApprovalView, Post, Posted, RunView, RunViews, Slot, card_slot, shown_slot
from bot.publishing.card_groups import cards_of, joinings
from bot.publishing.plan_images import PlanImages
from bot.publishing.sender import ROOT_GONE, MessageSender
from bot.publishing.session_status import SessionStatus
from bot.slack.approvers import Approvers
from bot.slack.names import StableNames

_log = logging.getLogger(__name__)

REREAD_SECONDS = 5.0
"""A lost hint costs at most this long."""

COALESCE_SECONDS = 0.4
"""Changes that follow each other within this time become one edit."""

_JOININGS = 5
"""How often requests that come meanwhile are put onto shared cards before these are shown."""

_BOARD = Slot(Post.BOARD)


class ThreadPublisher:
    """Publishes threads to Slack."""

    def __init__(
        self,
        views: RunViews,
        posted: Posted,
        sender: MessageSender,
        policy_for: Callable[[ApprovalRequest], ApprovalPolicy],
        *,
        currency: str = "$",
        plan_images: PlanImages | None = None,
        sessions: SessionStatus | None = None,
        names: StableNames | None = None,
        approvers: Approvers | None = None,
        previews_of: PreviewsOf = no_previews,
        effects: Effects | None = None,
        saves_runbooks: bool = False,
        places: Places | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._views = views
        self._posted = posted
        self._sender = sender
        self._policy_for = policy_for
        self._currency = currency
        self._plan_images = plan_images
        self._sessions = sessions
        self._names = names
        self._approvers = approvers
        self._previews_of = previews_of
        self._effects = effects
        self._saves_runbooks = saves_runbooks
        self._places = places
        self._clock = clock

    @contextlib.asynccontextmanager
    async def publishing(self, thread: ThreadId) -> AsyncGenerator[None, None]:
        """Keep Slack up to date while the body runs, and once more after it, unless the body raised.

        Errors of Slack never reach the body.

        Raises:
            BotError: the last update failed; `reconcile` again later.
        """
        updating = asyncio.Lock()
        loop = asyncio.create_task(self._keep_updating(thread, updating), name=f"publish {thread}")
        try:
            yield
            async with updating:  # never cancelled between a call and its record
                loop.cancel()
        finally:
            loop.cancel()
            await asyncio.wait([loop])
            _log_crash(loop)
        await self.reconcile(thread)

    async def reconcile(self, thread: ThreadId) -> None:
        """Make Slack show the rows of every turn that does not yet show all it ever will.

        A thread that was deleted raises nothing: its requester gets a direct message instead.

        Raises:
            ThreadClosed: the app may not write there now; the requester has a direct message, a later try may succeed.
            BotError: Slack could not be reached or refused; completed calls are recorded.
        """
        turns = await self._unsettled(thread)
        for run in turns:
            async with self._closed_thread_told(run):
                await self._show(run, newest=run is turns[-1])

    async def report_set_aside(self, thread: ThreadId) -> None:
        """Show the card of a thread that is set aside, and nothing else: what broke may be in the rest of the rows.

        Raises:
            ThreadClosed, BotError: as `reconcile`.
        """
        for run in await self._views.unsettled(thread):
            for view in run.approvals:
                if view.request.kind is ApprovalKind.SET_ASIDE:
                    async with self._closed_thread_told(run):
                        await self._show_card(run, view)

    @contextlib.asynccontextmanager
    async def _closed_thread_told(self, run: RunView) -> AsyncGenerator[None]:
        """Tell the requester when the block finds that the thread cannot be written to; as in `reconcile`."""
        try:
            yield
        except ThreadClosed as error:
            deleted = error.code in ROOT_GONE
            await self._notify_requester(run, deleted=deleted)
            if not deleted:
                raise
            _log.warning("%s was deleted (%s): turn %s is not shown there", run.thread, error.code, run.turn)
            if _complete(run):
                await self._posted.settle(run.thread, run.turn)

    async def report_stuck(self, thread: ThreadId) -> None:
        """Post in the thread that its runs were given up after errors of our own.

        Raises:
            BotError: Slack could not be reached or refused.
        """
        for run in await self._views.unsettled(thread):
            if not run.ended:
                try:
                    await self._sender.put(run, Slot(Post.TROUBLE, "stuck"), words_only(wording.STUCK))
                except ThreadClosed as error:
                    _log.warning("cannot say in %s that it is stuck: %s", thread, error.code)
                    await self._notify_requester(run, deleted=error.code in ROOT_GONE)

    async def _keep_updating(self, thread: ThreadId, updating: asyncio.Lock) -> None:
        with self._views.watch(thread) as changes:
            while True:
                async with updating:
                    await self._update(thread)
                await asyncio.sleep(COALESCE_SECONDS)
                await changes.wait(REREAD_SECONDS)

    async def _update(self, thread: ThreadId) -> None:
        try:
            await self.reconcile(thread)
        except (BotError, AgentError) as error:
            _log.warning("could not show %s: %s; trying again", thread, error)
        except Exception:  # noqa: BLE001 -- the loop's boundary: a fault in publishing must not stop the run
            _log.exception("could not show %s; trying again", thread)

    async def _show(self, run: RunView, *, newest: bool) -> None:
        """Post missing messages in the order people read them, then edit those that differ.

        The session of the thread is that of its newest turn.
        """
        for number, reply in enumerate(run.replies):
            last = not run.nodes and number == len(run.replies) - 1
            words = _rated(run, reply, Post.REPLY, str(number)) if last else answer(reply)
            await self._post(run, Post.REPLY, str(number), words)
        if (run.nodes or thinking(run, self._clock())) and _BOARD not in run.posts:
            await self._show_board(run)
            run = await self._reread(run)
        shown = await self._joined(replace(run, approvals=tuple(view for view in run.approvals if not view.is_held)))
        for views in cards_of([view for view in shown.approvals if not view.is_held]):
            # nodes are stored a moment later: the board comes first
            if views[0].request.node != TURN and not run.nodes:
                continue
            if len(views) > 1:
                await self._show_group(shown, views)
            else:
                await self._show_card(shown, views[0])
            for view in views:
                await self._remind(shown, view)
        if run.ended:
            if run.answer:
                await self._post(run, Post.ANSWER, "", _rated(run, run.answer, Post.ANSWER))
            if run.error:
                await self._post(run, Post.TROUBLE, "", [words_only(wording.turn_error(run.error))])
        if _BOARD in run.posts:
            await self._show_board(run if self._plan_images is None else await self._plan_images.share(run))
        if newest and self._sessions is not None:
            await self._sessions.show(run)
        if _complete(run):
            await self._posted.settle(run.thread, run.turn)

    async def _show_board(self, run: RunView) -> None:
        await self._put_newest(run, _BOARD, lambda newest: board(newest, self._currency, self._clock()))

    async def _put_newest(self, run: RunView, slot: Slot, render: Callable[[RunView], Rendered | None]) -> None:
        """Make the slot's message show the turn as it is once the rate limit lets the call go out."""
        if _shows(run, slot, render(run)):
            return
        if await self._sender.wait(run.thread, edit=slot in run.posts):
            run = await self._reread(run)
        if (message := render(run)) is not None and not _shows(run, slot, message):
            await self._sender.send(run, slot, message)

    async def _unsettled(self, thread: ThreadId) -> Sequence[RunView]:
        turns = await self._views.unsettled(thread)
        if self._effects is not None and any(run.ended and run.nodes for run in turns):
            undoable = {effect.turn for effect in standing(await self._effects.of(thread)) if effect.inverse}
            turns = [replace(run, can_undo=run.turn in undoable) for run in turns]
        if self._saves_runbooks:
            turns = [replace(run, can_save=run.status is RunStatus.DONE and _has_steps(run)) for run in turns]
        if any(run.facts for run in turns):
            place = None if self._places is None else await self._places.of(thread)
            turns = [replace(run, facts=told_in(run.facts, place)) for run in turns]
        return turns if self._names is None else [await self._names.in_run(run) for run in turns]

    async def _reread(self, run: RunView) -> RunView:
        """Return the turn as its rows are now."""
        turns = await self._unsettled(run.thread)
        return next((newest for newest in turns if newest.turn == run.turn), run)

    async def _joined(self, run: RunView) -> RunView:
        """Put requests alike that have no card yet onto shared ones; return the turn as it is then."""
        for _ in range(_JOININGS):  # more may come while some are put together
            if sum(view.is_open for view in run.approvals) < 2 or not run.nodes:
                break
            located = [await self._located(view) for view in run.approvals]
            if not (found := joinings(located, run.posts, self._policy_for)):
                break
            for joining in found:
                await self._posted.join(run.thread, joining.leader, joining.members)
            run = await self._reread(run)
        return run

    async def _show_group(self, run: RunView, views: Sequence[ApprovalView]) -> None:
        """Show the card of several requests. One on which all are closed before it stands is never posted."""
        leader = views[0].card or views[0].request.id
        slot = card_slot(leader)
        names: dict[str, str] = {}
        if self._names is not None:
            for view in views:
                names |= await self._names.of(view)
        policy = self._policy_for(views[0].request)

        def render(now: RunView) -> Rendered | None:
            newest = [view for view in now.approvals if view.card == leader] or list(views)
            posted = now.posts.get(slot)
            if not any(view.is_open for view in newest) and (posted is None or not posted.ts):
                return None
            return group_card(newest, policy, names)

        await self._put_newest(run, slot, render)

    async def _show_card(self, run: RunView, view: ApprovalView) -> None:
        """Post a card for an open request, in each place where it is asked; edit those that stand."""
        view = await self._located(view)
        standing: list[str] = []
        for place in view.places:
            try:
                await self._show_copy(run, view, place)
                standing.append(place)
            except SlackRefused as error:
                _log.warning("cannot ask in %s about %s: %s", place, view.request.id, error)
        missed = view.only_elsewhere and not standing
        await self._show_copy(run, replace(view, places=tuple(standing), nobody_here=view.nobody_here or missed))

    async def _located(self, view: ApprovalView) -> ApprovalView:
        """Return the request with the places where it is asked besides its thread.

        Those are where it was escalated to and, when nobody may grant it where it was asked, what its policy names.
        """
        if view.request.kind is ApprovalKind.CONNECT:  # nobody else is asked
            direct = thread_parts(view.request.thread).channel.startswith("D")
            return view if direct or not view.is_open else replace(view, places=(view.request.author,))
        requirement = view.request.requirement
        escalated = requirement.escalated_to if requirement is not None and view.is_open else ()
        located = await self._looked_up(view)
        return replace(located, places=tuple(dict.fromkeys((*located.places, *escalated))))

    async def _looked_up(self, view: ApprovalView) -> ApprovalView:
        if self._approvers is None or not view.is_open or view.places:
            return view
        look = await self._approvers.look(view.request)
        if look.anybody:
            return view
        return replace(view, places=(look.place,)) if look.place else replace(view, nobody_here=True)

    async def _show_copy(self, run: RunView, view: ApprovalView, place: str = "") -> None:
        """Show a request's card in one place. A request that closed before its card gets none.

        Its last message, which has the buttons, lets nobody approve what the messages before it do not show whole.
        """
        asked = view.request.id
        slot = card_slot(asked, place)
        names = dict[str, str]() if self._names is None else await self._names.of(view)
        modal = run.posts.get(shown_slot(asked))
        whole = modal is None or not modal.is_cut

        def render(now: RunView) -> Sequence[Rendered]:
            newest = next((newer for newer in now.approvals if newer.request.id == asked), view)
            posted = now.posts.get(slot)
            if not newest.is_open and (posted is None or not posted.ts):
                return ()
            shown = replace(newest, shown_whole=whole, places=view.places, nobody_here=view.nobody_here)
            policy = self._policy_for(newest.request)
            return card(shown, policy, names, place=place, previews_of=self._previews_of)

        for number, part in enumerate(render(run)[:-1], start=1):
            whole = await self._sender.put(run, card_slot(asked, place, number), part) and whole
        await self._put_newest(run, slot, lambda now: next(reversed(render(now)), None))

    async def _remind(self, run: RunView, view: ApprovalView) -> None:
        """Remind those who may decide an open request, once."""
        requirement, slot = view.request.requirement, Slot(Post.REMINDER, view.request.id)
        if requirement is None or not requirement.reminded or not view.is_open or slot in run.posts:
            return
        await self._sender.put(run, slot, reminder(view, self._policy_for(view.request)))

    async def _post(self, run: RunView, post: Post, key: str, messages: Sequence[Rendered]) -> None:
        for number, message in enumerate(messages, start=1):
            await self._sender.put(run, Slot(post, key if number == 1 else f"{key}#{number}"), message)

    async def _notify_requester(self, run: RunView, *, deleted: bool) -> None:
        """Send a direct message that the thread cannot be written to: silence would leave people waiting."""
        words = wording.thread_closed(f"<#{thread_parts(run.thread).channel}>", deleted=deleted)
        slot = Slot(Post.TROUBLE, "thread_closed")
        await self._sender.send_direct(run, run.requester, slot, words_only(words))


def _rated(run: RunView, text: str, post: Post, key: str = "") -> Sequence[Rendered]:
    """Return an answer or reply as it stands already, without thumbs if an earlier version posted it, or with them."""
    plain = answer(text, cited(run.facts))
    last = run.posts.get(Slot(post, key if len(plain) == 1 else f"{key}#{len(plain)}"))
    if last is not None and last.shows(plain[-1].digest):
        return plain
    return answer(text, (*cited(run.facts), thumbs(run.turn)))


def _shows(run: RunView, slot: Slot, message: Rendered | None) -> bool:
    """Return whether the slot's message shows this already, or nothing is to be shown there."""
    existing = run.posts.get(slot)
    return message is None or (existing is not None and existing.shows(message.digest))


def _has_steps(run: RunView) -> bool:
    """Return whether something worked that a runbook may say."""
    return any(isinstance(node.outcome, Succeeded) and node.tool != SAVE_RUNBOOK for node in run.nodes)


def _complete(run: RunView) -> bool:
    """Return whether nothing the turn shows can change any more: a node's last state may be stored late."""
    outcomes_known = all(node.outcome is not None for node in run.nodes)
    return run.ended and outcomes_known and not any(view.is_open for view in run.approvals)


def _log_crash(loop: asyncio.Task[None]) -> None:
    """Log the error that ended the loop; only cancelling should."""
    if not loop.cancelled() and (error := loop.exception()):
        _log.error("stopped publishing a thread while it ran", exc_info=error)
