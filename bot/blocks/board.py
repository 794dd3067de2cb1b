"""The board: one plan block that shows every step of a turn and its state.

A step's state is written in words as well as shown by the task's status: Slack has no "waiting" status, and
neither an icon nor a colour alone says anything to everyone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from agent.ids import NodeId
from agent.packing.packing import Reason
from agent.plan.operations import NodeKind, digest_of
from agent.plan.outcomes import TOLD_IN_WORDS, Cancelled, Failed, NodeState, Rejected, Skipped, Succeeded
from agent.plan.templates import template_of
from agent.ports import RunStatus
from bot import wording
from bot.elements import (
    MESSAGE_CHARACTERS,
    OPTION_CHARACTERS,
    PLAIN_CHARACTERS,
    Block,
    Rendered,
    TaskStatus,
    actions,
    button,
    context,
    escaped,
    menu,
    plan,
    quoted,
    rendered,
    runbook_source,
    shortened,
    task_card,
)
from bot.payloads import DETAILS_ACTION, FILES_ACTION, SAVE_ACTION, SET_ACTION, UNDO_ACTION
from bot.ports import AttemptView, NodeView, Post, RunView, Slot
from bot.visibility import visible

MOST_TASKS = 40
MOST_BUTTONS = 3
MOST_OPTIONS = 12
_DETAILS_CHARACTERS = 300
_DETAILS = {NodeKind.PACKAGE: wording.SCRIPT_DETAILS, NodeKind.SUBAGENT: wording.SUBAGENT_DETAILS}
_ERROR_CHARACTERS = 120

_THINKING_STEP = timedelta(seconds=10)
_THINKING_LONG = timedelta(minutes=1)
_THINKING_LONG_STEP = timedelta(seconds=30)
"""How often a board says anew for how long the model has been thinking, in the beginning and later."""

_TASKS: Mapping[NodeState, TaskStatus] = {
    NodeState.PLANNED: "pending",
    NodeState.RUNNING: "in_progress",
    NodeState.ASKING: "pending",
    NodeState.UNKNOWN: "error",
    NodeState.SUCCEEDED: "complete",
    NodeState.FAILED: "error",
    NodeState.REJECTED: "error",
    NodeState.EXPIRED: "error",
    NodeState.SKIPPED: "pending",
    NodeState.CANCELLED: "pending",
}
_SHOWN_BY_STATUS = frozenset({NodeState.PLANNED, NodeState.RUNNING, NodeState.SUCCEEDED})
_GIVES_WAY = (NodeState.SUCCEEDED, NodeState.PLANNED, NodeState.SKIPPED, NodeState.CANCELLED)
SELF_EVIDENT = frozenset({Reason.RED, Reason.PACKED, Reason.CANCELLED, Reason.KEPT})
"""Reasons to keep steps apart that the board shows anyway, or that say nothing about the plan."""


def board(run: RunView, currency: str = "$", now: datetime | None = None) -> Rendered:
    """Return the turn's board. Steps that do not fit are counted in a last line, never dropped silently.

    With the time it says when only the model is waited for, and for how long.
    """
    titles = {node.id: node.title for node in run.nodes}
    states = {node.id: node.state for node in run.nodes}
    details = script_details(run.nodes)
    buttons = [*details, *_files(run), *_undo(run), *_set(run), *_save(run)]
    packed = {fusion.steps[-1]: wording.packed(fusion.steps) for fusion in run.fusions}
    cards = {node.id: _task(node, titles, states, packed.get(node.id, "")) for node in run.nodes}
    shown = _fitting(run.nodes, cards, MESSAGE_CHARACTERS - sum(len(str(element)) for element in buttons))
    hidden = [node for node in run.nodes if node.id not in shown]
    title = board_title(run, timedelta() if now is None else thinking(run, now))
    tasks = [shown[node.id] for node in run.nodes if node.id in shown]
    more = [context(escaped(f"Not shown here: {_counts(hidden)}."))] if hidden else []
    if run.runbooks:
        named = ", ".join(f"{quoted(book.name)} ({runbook_source(book)})" for book in run.runbooks)
        more.append(context(wording.followed_runbooks(named)))
    if apart := _kept_apart(run):
        more.append(context(apart))
    if footer := " · ".join(part for part in (_picture(run), escaped(_footer(run, currency))) if part):
        more.append(context(footer))
    look = digest_of({"title": title, "tasks": tasks, "more": more, "details": buttons})[:24]
    row = [actions(buttons, block_id=f"scripts-{look}")] if buttons else []
    return rendered(escaped(title), [plan(title, tasks, block_id=f"board-{look}"), *more, *row])


def _undo(run: RunView) -> Sequence[Block]:
    """Return the button that undoes what an ended run changed, where anything can be undone."""
    return [button(wording.UNDO, action=UNDO_ACTION, value=str(run.turn))] if run.ended and run.can_undo else []


def _set(run: RunView) -> Sequence[Block]:
    """Return the button that sets a step's result, once a step that is no item of another one ended."""
    ids = {node.id for node in run.nodes}
    ended = any(_final(node.state) and template_of(node.id) not in ids for node in run.nodes)
    return [button(wording.SET_RESULT, action=SET_ACTION, value=str(run.turn))] if ended else []


def _files(run: RunView) -> Sequence[Block]:
    """Return the button for the thread's files, once the run made one."""
    ended = [node.outcome for node in run.nodes if isinstance(node.outcome, Succeeded)]
    made = any(outcome.artifact is not None or outcome.files for outcome in ended)
    return [button(wording.FILES, action=FILES_ACTION, value=str(run.turn))] if made else []


def _save(run: RunView) -> Sequence[Block]:
    """Return the button that keeps an ended run as a draft of a runbook, where there is a folder for them."""
    saves = run.ended and run.can_save
    return [button(wording.SAVE_AS_RUNBOOK, action=SAVE_ACTION, value=str(run.turn))] if saves else []


def script_details(nodes: Sequence[NodeView]) -> Sequence[Block]:
    """Return the elements that open the details of finished scripts and subagents: a button each, or a menu of many.

    Those that crashed come first when there are more than fit.
    """
    worked = [node for node in nodes if node.kind is not NodeKind.TOOL and node.attempts and _final(node.state)]
    worked.sort(key=lambda node: not _crashed(node))
    labels = [(shortened(_title(node), OPTION_CHARACTERS), node.id) for node in worked]
    if len(labels) > MOST_BUTTONS:
        options, scripts = labels[:MOST_OPTIONS], all(node.kind is NodeKind.PACKAGE for node in worked)
        words = wording.details_of(len(options), len(labels), scripts=scripts)
        return [menu(words, options, action=DETAILS_ACTION)]
    return [
        button(f"{_DETAILS[node.kind]}: {label}", action=f"{DETAILS_ACTION}_{number}", value=node.id)
        for number, (node, (label, _)) in enumerate(zip(worked, labels, strict=True))
    ]


def thinking(run: RunView, now: datetime) -> timedelta:
    """Return for how long the model alone has been waited for, rounded down so that a board changes seldom.

    Zero while anything else is waited for, and in the beginning.
    """
    at_work = run.status in (RunStatus.PLANNING, RunStatus.RUNNING)
    if not at_work or run.replies or any(view.is_open for view in run.approvals):
        return timedelta()
    ends = [node.ended_at for node in run.nodes if node.ended_at is not None]
    if len(ends) < len(run.nodes):
        return timedelta()
    took = now - max(ends, default=run.started_at)
    step = _THINKING_STEP if took < _THINKING_LONG else _THINKING_LONG_STEP
    return max(timedelta(), took // step * step)


def board_title(run: RunView, thought: timedelta = timedelta()) -> str:
    """Return the state of the turn in one line: `Running: 5 steps (2 done, 1 waiting for approval)`."""
    state = wording.thinking(thought) if thought else wording.STATUSES[run.status].capitalize()
    return f"{state}: {_counts(run.nodes) if run.nodes else 'no steps' if run.ended else 'no steps yet'}"


def _kept_apart(run: RunView) -> str:
    """Return which steps that only read stay apart from those before them, by reason."""
    titles = {node.id: node.title for node in run.nodes}
    last_of = {step: fusion.steps[-1] for fusion in run.fusions for step in fusion.steps}
    found: dict[Reason, dict[NodeId, str]] = {}
    for split in run.splits:
        after = last_of.get(split.after, split.after)
        if split.reason not in SELF_EVIDENT and after in titles:
            found.setdefault(split.reason, {})[after] = quoted(titles[after], 80)
    reasons = [wording.kept_apart(wording.listed(after.values(), most=3), reason) for reason, after in found.items()]
    return f"{wording.KEPT_APART}: {'; '.join(reasons)}" if reasons else ""


def _picture(run: RunView) -> str:
    """Return the link to the picture of the plan, once it is shared."""
    picture = run.posts.get(Slot(Post.PICTURE))
    return f"<{escaped(picture.ts)}|{wording.PICTURE}>" if picture is not None and picture.ts else ""


def _footer(run: RunView, currency: str) -> str:
    """Return what the turn took so far: time, model calls, tokens, and money where prices are known."""
    spent = run.spent
    ended = run.ended
    at_work = timedelta(milliseconds=spent.work_milliseconds)
    took = wording.duration(run.started_at, run.ended_at) if ended else wording.duration_of(at_work)
    if not (ended or spent.model_calls):
        return ""
    return wording.spending(
        took,
        ended=ended,
        calls=spent.model_calls,
        tokens=spent.tokens,
        cost=wording.money(spent.cost_micros, currency),
        cached=spent.cached_tokens,
    )


def _counts(nodes: Sequence[NodeView]) -> str:
    tally = Counter(node.state for node in nodes)
    if len(tally) == 1:
        (only,) = tally
        return f"{wording.counted(len(nodes), 'step')}, {'all ' if len(nodes) > 1 else ''}{wording.STATES[only]}"
    parts = [f"{tally[state]} {wording.STATES[state]}" for state in NodeState if tally[state]]
    return f"{wording.counted(len(nodes), 'step')} ({', '.join(parts)})"


def _fitting(nodes: Sequence[NodeView], every: Mapping[NodeId, Block], characters: int) -> dict[NodeId, Block]:
    """Return node id -> task for as many nodes as fit; those that need attention stay longest."""
    cards = dict(every)
    # the whole JSON counts: in slackapi/bolt-js#2509 an empty divider cost 125 characters of text
    sizes = {node: len(str(card)) for node, card in cards.items()}
    for candidate in _least_telling_first(nodes):
        if len(cards) <= MOST_TASKS and sum(sizes[node] for node in cards) <= characters:
            break
        del cards[candidate.id]
    return cards


def _least_telling_first(nodes: Sequence[NodeView]) -> Iterable[NodeView]:
    for state in _GIVES_WAY:
        same = [node for node in nodes if node.state is state]
        yield from same if state is NodeState.SUCCEEDED else reversed(same)
    yield from [node for node in nodes if node.state not in _GIVES_WAY]


def _task(node: NodeView, titles: Mapping[NodeId, str], states: Mapping[NodeId, NodeState], packed: str) -> Block:
    words = wording.STATES[node.state]
    title = _title(node)
    if node.state not in _SHOWN_BY_STATUS:
        title = f"{shortened(title, PLAIN_CHARACTERS - len(words) - 3)} · {words}"
    lines = (packed, _attempts(node), _now(node, titles, states))
    details = shortened("\n".join(line for line in lines if line), _DETAILS_CHARACTERS)
    return task_card(node.id, shortened(title, PLAIN_CHARACTERS), _TASKS[node.state], details)


def _title(node: NodeView) -> str:
    return visible(" ".join(node.title.split())) or node.id


def _crashed(node: NodeView) -> Sequence[AttemptView]:
    """Return the attempts that crashed; one that waits for people is none of them."""
    return [attempt for attempt in node.attempts if attempt.kind not in ("ok", "suspended")]


def _attempts(node: NodeView) -> str:
    """Return a package's repairs: `attempt 1 crashed: ValueError: ...; rewritten, attempt 2 running`."""
    crashed = _crashed(node)
    if not crashed or node.kind is NodeKind.SUBAGENT:
        return ""
    parts = [wording.attempt(attempt.attempt, attempt.kind, _first_line(attempt.error)) for attempt in crashed]
    last = crashed[-1].attempt
    if node.state is NodeState.RUNNING:
        parts.append(f"rewritten, attempt {last + 1} running")
    elif node.state is NodeState.SUCCEEDED:
        parts.append(f"rewritten, attempt {last + 1} worked")
    return "; ".join(parts)


def _first_line(error: str) -> str:
    lines = visible(error).strip().splitlines()
    return shortened(lines[0], _ERROR_CHARACTERS) if lines else ""


def _now(node: NodeView, titles: Mapping[NodeId, str], states: Mapping[NodeId, NodeState]) -> str:
    given = wording.GIVEN if node.kind is NodeKind.TOOL else ""
    what = node.tool or given or ("script" if node.kind is NodeKind.PACKAGE else node.kind.value)
    words = wording.STATES[node.state]
    took = wording.duration(node.started_at, node.ended_at)
    match node.state, node.outcome:
        case NodeState.PLANNED, _:
            return _waits_for(node, titles, states) or words
        case NodeState.SUCCEEDED, Succeeded(age_seconds=int() as seconds):
            return f"{what} · {words}, {wording.remembered(timedelta(seconds=seconds))}"
        case NodeState.SUCCEEDED, _:
            return f"{what} · {words}{f' in {took}' if took else ''}"
        case _, Failed(error=error, message=message) if error in TOLD_IN_WORDS and message:
            return f"{what} · {words}: {visible(message)}"
        case _, Failed(error=error):
            return f"{what} · {words}: {wording.failure(error)}"
        case _, Rejected(reason=reason) if reason:
            return f"{what} · {words}: {visible(reason)}"
        case _, Skipped(because=because, why=why) if why:
            return f"{words}: {wording.condition_unmet(titles.get(because, because))}"
        case _, Skipped(because=because):
            end = f" ended as {wording.STATES[states[because]]}" if because in states else " did not end as needed"
            return f"{words}, because “{titles.get(because, because)}”{end}"
        case _, Cancelled(why=why) if why:
            return f"{words}: {visible(why)}"
        case _:
            return f"{what} · {words}: {visible(node.detail)}" if node.detail else f"{what} · {words}"


def _waits_for(node: NodeView, titles: Mapping[NodeId, str], states: Mapping[NodeId, NodeState]) -> str:
    open_ones = [titles[need] for need in node.depends_on if need in states and not _final(states[need])]
    return f"waits for {wording.listed(open_ones, most=3)}" if open_ones else ""


def _final(state: NodeState) -> bool:
    return state not in {NodeState.PLANNED, NodeState.RUNNING, NodeState.ASKING, NodeState.UNKNOWN}
