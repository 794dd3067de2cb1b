"""The replies to commands: help, the running work of a person, a channel or a thread, and the runs to stop."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from agent.approval import ApprovalPolicy, ApprovalRequest
from agent.ids import ApprovalId, ThreadId, UserId, thread_parts
from agent.plan.outcomes import NodeState
from bot import wording
from bot.blocks.board import board_title
from bot.cards.card import who_may_decide
from bot.elements import (
    Rendered,
    actions,
    button,
    escaped,
    mention,
    moment,
    notice,
    plain,
    quoted,
    rendered,
    rich_text,
    section,
    sections,
    words_only,
)
from bot.payloads import STOP_ACTION
from bot.ports import ApprovalView, NodeView, OpenRun, PendingRequest, RunView

MOST_RUNS = 10
_MOST_STEPS = 20

MOST_REQUEST_CHARACTERS = 8000
"""A longer request does not fit an opening message."""


def help_message(bot: UserId) -> Rendered:
    """Return how to use the app."""
    words = "\n".join(
        (
            "*I plan your request, run the safe steps at once, and ask before anything is changed.*",
            f"• In a channel I am in: mention me, {mention(bot)} _check our services and post a summary_.",
            "• In my thread: just reply; I remember what was said there.",
            "• In a direct message: just write.",
            "• `/greenlight <request>` opens a thread here with your request.",
            "• `/greenlight status` lists what is running for you and in this channel.",
            "• `/greenlight pending` lists what waits for your decision, and what of yours waits for others.",
            "• `!status` in my thread says what runs and who is waited for; `!aside ...` there is not for me.",
            "• `!stop` in my thread, or `/greenlight stop`, ends what is running; so does "
            f"*{wording.STOP_SHORTCUT}* among the actions of any message there.",
            f"• `!undo` in my thread, or *{wording.UNDO}* on a finished board, takes back what I changed there last: "
            "each step on a card of its own.",
            f"• `!set STEP VALUE` in my thread, or *{wording.SET_RESULT}* on a board, gives a step another result: "
            "what came from the old one runs again, and what changes something asks.",
            "• `/greenlight freeze` (admins) stops every change at once, `freeze #channel` or `freeze TOOL` some of "
            "them; `unfreeze` lets them go on.",
            "• `/greenlight rules` lists what runs in this channel without asking, and revokes it.",
            "• `/greenlight tools` lists what I can use for you in this channel.",
            "• `/greenlight patterns` lists ways of working with several roles that you can ask for.",
            "• `/greenlight instructions` says how I work here; `!explain` in my thread, what shaped its plan.",
            "• _Remember that ..._ keeps a fact for later; `/greenlight memory` lists, corrects and deletes them.",
            "• `/greenlight accounts` lists the accounts that you have connected, and disconnects them.",
            "• `/greenlight help` shows this.",
            "Steps that change something wait on a card in the thread: approve or reject them, edit what they do, ask "
            "for changes, or say that you did it yourself; "
            "everything that does not depend on them keeps running.",
        )
    )
    return rendered("How to use me", [section(words)])


def opening(asker: UserId, request: str) -> Rendered:
    """Return the message that opens a command's thread: who asked what."""
    words = f"{mention(asker)} asked: {notice(request)}"
    return rendered(words, [section(f"{mention(asker)} asked:"), rich_text([plain(request or "…")])])


def status(
    mine: Sequence[OpenRun], here: Sequence[OpenRun], links: Mapping[ThreadId, str], frozen: Sequence[str] = ()
) -> Rendered:
    """Return the caller's open runs and the channel's others. `links` is thread -> permalink, where known.

    `frozen` names the freezes that stand.
    """
    own = {run.thread for run in mine}
    others = [run for run in here if run.thread not in own]
    stopped = [wording.frozen_now(frozen)] if frozen else []
    if not mine and not others:
        return words_only("\n".join([*stopped, wording.NO_OPEN_RUNS]))
    lines = [*stopped, *_runs("Yours", mine, links), *_runs("In this channel", others, links)]
    return rendered("What is running", sections(lines))


def pending(
    theirs: Sequence[PendingRequest],
    own: Sequence[PendingRequest],
    links: Mapping[ApprovalId, str],
    *,
    more: bool = False,
) -> Rendered:
    """Return what waits for the caller, and what of theirs waits for others. `links` is request -> permalink.

    `more`: there are others that were not looked at.
    """
    if not theirs and not own:
        return words_only(wording.NOTHING_PENDING)
    lines = [*_pending(wording.PENDING_FOR_YOU, theirs, links), *_pending(wording.PENDING_OF_YOURS, own, links)]
    title = wording.PENDING_FOR_YOU if theirs else wording.PENDING_OF_YOURS
    return rendered(title, sections([*lines, *([wording.MORE_PENDING] if more else [])]))


def _pending(title: str, requests: Sequence[PendingRequest], links: Mapping[ApprovalId, str]) -> list[str]:
    if not requests:
        return []
    lines = [_pending_line(one, links.get(one.request.id, "")) for one in requests[:MOST_RUNS]]
    more = len(requests) - MOST_RUNS
    return [f"*{title}*", *lines, *([f"… and {more} more"] if more > 0 else [])]


def _pending_line(one: PendingRequest, link: str) -> str:
    request = one.request
    words = quoted(request.title, 80) or wording.QUESTION_TITLES[request.kind]
    shown = f"<{link}|{words}>" if link else words
    where = f"<#{thread_parts(request.thread).channel}>"
    claimed = f", {mention(one.claimed_by)} is looking at it" if one.claimed_by else ""
    frozen = ", frozen by an admin" if one.frozen else ""
    asked = f"asked for by {mention(request.author)}, since {moment(one.asked_at)}"
    return f"• {shown} — {wording.QUESTION_TITLES[request.kind].lower()}{frozen}{claimed}; {where}, {asked}"


def thread_status(runs: Sequence[RunView], policy_for: Callable[[ApprovalRequest], ApprovalPolicy]) -> Rendered:
    """Return what runs in a thread, what waits, and for whom; `runs` are its turns that have not ended."""
    lines = [line for run in runs for line in _status_lines(run, policy_for)]
    return rendered(escaped(board_title(runs[-1])), sections(lines))


def _status_lines(run: RunView, policy_for: Callable[[ApprovalRequest], ApprovalPolicy]) -> Iterator[str]:
    yield f"*{escaped(board_title(run))}*, asked for by {mention(run.requester)}, since {moment(run.started_at)}"
    running = [node for node in run.nodes if node.state is NodeState.RUNNING]
    waiting = [node for node in run.nodes if node.state is NodeState.PLANNED]
    approvals = [view for view in run.approvals if view.is_open]
    if running:
        yield wording.running_now(_titles(running))
    for view in approvals[:_MOST_STEPS]:
        yield _waiting_for_people(view, policy_for)
    if len(approvals) > _MOST_STEPS:
        yield f"… and {len(approvals) - _MOST_STEPS} more"
    if waiting:
        yield wording.waiting_for_others(_titles(waiting))


def _waiting_for_people(view: ApprovalView, policy_for: Callable[[ApprovalRequest], ApprovalPolicy]) -> str:
    request = view.request
    title = quoted(request.title, 150) or wording.QUESTION_TITLES[request.kind]
    return wording.waiting_for_people(title, who_may_decide(policy_for(request), request))


def _titles(nodes: Sequence[NodeView]) -> str:
    return wording.listed((quoted(node.title, 80) for node in nodes), most=_MOST_STEPS)


def stoppable(runs: Sequence[OpenRun]) -> Rendered:
    """Return the caller's open runs, the newest first, each with a button that stops it."""
    if not runs:
        return words_only(wording.NOTHING_TO_STOP)
    blocks = [section("*Which of these shall I stop?*")]
    for number, run in enumerate(runs[:MOST_RUNS]):
        stop = button(
            wording.STOP, action=f"{STOP_ACTION}_{number}", value=run.thread, style="danger", about=run.request
        )
        blocks += [section(_run(run, {})), actions([stop], block_id=f"stop-{number}")]
    if len(runs) > MOST_RUNS:
        blocks.append(section(f"… and {len(runs) - MOST_RUNS} more: write `!stop` in their threads."))
    return rendered("Which of these shall I stop?", blocks)


def _runs(title: str, runs: Sequence[OpenRun], links: Mapping[ThreadId, str]) -> list[str]:
    if not runs:
        return []
    lines = [_run(run, links) for run in runs[:MOST_RUNS]]
    if len(runs) > MOST_RUNS:
        lines.append(f"… and {len(runs) - MOST_RUNS} more")
    return [f"*{title}*", *lines]


def _run(run: OpenRun, links: Mapping[ThreadId, str]) -> str:
    where = f"<#{thread_parts(run.thread).channel}>"
    link = links.get(run.thread)
    request = quoted(run.request, 80)
    waiting = f", {wording.counted(run.waiting, 'approval')} open" if run.waiting else ""
    shown = f"<{link}|{request}>" if link else request
    state = wording.STATUSES[run.status]
    return f"• {shown} — {state}{waiting}; {where}, {mention(run.requester)}, since {moment(run.started_at)}"
