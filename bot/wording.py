"""Every word people read: plain, short, friendly. Foreign words in it are escaped by the caller.

Nobody reads `str(exc)`: a machine word that has no sentence here gets the general one. All words stand
in one file, however long, so that one person can read them in one go.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import assert_never

from agent.approval import ApprovalPolicy, Refusal
from agent.budget.budget import Measure
from agent.budget.usage import Scope
from agent.errors import TurnError
from agent.packing.packing import Reason
from agent.plan.outcomes import NodeState
from agent.ports import ApprovalKind, Decision, RunStatus
from bot.slack.membership import MembershipStatus

STATES: dict[NodeState, str] = {
    NodeState.PLANNED: "planned",
    NodeState.RUNNING: "running",
    NodeState.ASKING: "waiting for approval",
    NodeState.UNKNOWN: "outcome unknown",
    NodeState.SUCCEEDED: "done",
    NodeState.FAILED: "failed",
    NodeState.REJECTED: "rejected",
    NodeState.EXPIRED: "expired",
    NodeState.SKIPPED: "skipped",
    NodeState.CANCELLED: "cancelled",
}

STATUSES: dict[RunStatus, str] = {
    RunStatus.PLANNING: "planning",
    RunStatus.RUNNING: "running",
    RunStatus.WAITING: "waiting for people",
    RunStatus.DONE: "done",
    RunStatus.FAILED: "ended in trouble",
    RunStatus.STOPPED: "stopped",
}

_FAILURES = {
    "timeout": "it took too long",
    "tool_error": "the tool reported an error",
    "tool_fault": "the tool broke",
    "unknown_tool": "there is no such tool",
    "bad_arguments": "the tool did not accept its arguments",
    "binding": "an earlier result did not have the expected shape",
    "artifact_missing": "an earlier result is no longer stored",
    "arguments_too_large": "its arguments were too large",
    "bad_output": "the tool returned something that cannot be kept",
    "output_too_large": "the tool returned too much",
    "cancelled": "it was interrupted",
    "not_a_list": "what it was to go through is not a list",
    "too_many_items": "the list it was to go through is too long",
    "too_many_nodes": "with one step for each item there would be too many steps",
    "items_not_done": "some of its steps were not done",
    "id_taken": "its steps could not be named",
    "internal": "something on my side broke",
    "not_available": "this kind of step is not available here",
    "not_installed": "its tool is not installed here",
    "store_unavailable": "the database could not be reached",
    "approval_invalid": "what was approved is no longer what would run",
    "outcome_unknown": "nobody knows whether it happened",
    "unreachable": "nothing answered there",
    "unknown_host": "there is no such address",
    "private_address": "it may not reach that address",
    "bad_url": "that is not a web address",
    "too_many_redirects": "it was redirected too often",
    "bad_header": "it may not set such a header",
    "body_too_large": "what it would send is too large",
    "bad_answer": "the answer could not be understood",
    "read_only": "it may only read",
    "database_unreachable": "the database could not be reached",
    "query_timeout": "the query took too long",
    "query_failed": "the database did not accept the query",
    "bad_parameters": "the query's values do not fit it",
    "no_such_page": "there is no such page",
    "unreadable": "the data cannot be read",
    "channel_not_found": "there is no such channel, or I cannot see it",
    "not_in_channel": "I am not in that channel",
    "is_archived": "that channel is archived",
    "not_allowed": "it is not allowed",
    "thread_not_found": "there is no such thread",
    "name_taken": "that name is taken",
    "missing_scope": "Slack has not given me the right to do that",
    "text_too_long": "the text is too long",
    "slack_unreachable": "Slack did not answer",
    "no_sandbox": "there is no sandbox to run scripts in",
    "sandbox_error": "its script kept crashing",
    "sandbox_syntax": "its script was not valid",
    "sandbox_timeout": "its script took too long",
    "sandbox_oom": "its script needed too much memory",
    "sandbox_output_limit": "its script printed or returned too much",
    "sandbox_call_limit": "its script called too many tools",
    "sandbox_protocol": "its script broke the sandbox's rules",
    "sandbox_died": "its script ended without a result",
    "sandbox_infra": "the sandbox was not available",
    "sandbox_denied": "its script kept calling tools it may not call",
}

_ATTEMPTS = {
    "error": "crashed",
    "syntax": "was not valid Python",
    "timeout": "took too long",
    "oom": "needed too much memory",
    "output_limit": "produced too much output",
    "call_limit": "called too many tools",
    "protocol": "broke the sandbox's rules",
    "died": "ended without a result",
    "infra": "could not be run by the sandbox",
}

_TROUBLES = {
    TurnError.MODEL_UNAVAILABLE: "I could not reach the language model, so I could not finish this. "
    "Please ask again in a few minutes.",
    TurnError.MODEL_UNHEARD: (
        "The language model did not answer in the end, so these are the plain results of each step."
    ),
    TurnError.REQUEST_TOO_LONG: "This is more than the language model can read at once, so I could not finish it. "
    "Please ask for less, or begin a new thread with what still matters.",
    TurnError.RESULTS_TOO_LONG: "The results are more than the language model can read at once, so these are the plain "
    "results of each step.",
    TurnError.PLAN_INVALID: "I could not turn this into a plan I can run. "
    "Please say it in another way, or in smaller steps.",
    TurnError.PLAN_TOO_LARGE: "This takes more steps than I may plan for one request, so I left out the rest. "
    "Once the others are done, ask for what is missing in a new message.",
    TurnError.INTERNAL: "Something on my side went wrong, and I could not finish this. "
    "It has been logged. Please ask again.",
}

MORE_ROUNDS, ACCEPT, STOP_TURN = "Plan further", "Answer with what there is", "Stop"
GO_ON = "Go on"

_SCOPES = {Scope.RUN: "This run", Scope.THREAD: "This thread"}
_MEASURES = {
    Measure.MODEL_CALLS: "model calls",
    Measure.TOKENS: "tokens",
    Measure.COST: "for models",
    Measure.TIME: "of work",
    Measure.NODES: "steps",
}
APPROVE, REJECT = "Approve", "Reject"
RUN_AGAIN, IT_HAPPENED, GIVE_UP = "Run again", "It happened", "Give up"

DETAILS, CLOSE = "Script details", "Close"
DETAILS_LOADING = "Just a moment…"
DETAILS_GONE = "Nothing is kept about this script any more."
DETAILS_FAILED = "I could not read this just now. Please close it and try again."
HOW_IT_ENDED, WHERE_IT_CRASHED, CALLS_MADE = "How it ended", "Where it crashed", "Calls it made"
END_OF_THE_LOGS, THE_SCRIPT = "The end of what it printed", "The script"

PICTURE = "Picture of the plan"
KEPT_APART = "Kept apart"

_APART = {
    Reason.RED: "a person is asked first",
    Reason.FAN_OUT: "several steps need the same result and run side by side",
    Reason.JOIN: "joins several sources, which run side by side",
    Reason.OTHERWISE: "runs when something failed or merely ended",
    Reason.OBSERVED: "another step waits for its failure or its end",
    Reason.CHECKED: "the result before it is checked first",
    Reason.PACKED: "is packed already",
    Reason.CANCELLED: "one of them is withdrawn",
    Reason.KEPT: "what it follows is at work already",
    Reason.SUBAGENT: "a subagent is no part of a script",
    Reason.TEMPLATE: "becomes one step for each item of a list",
    Reason.CONDITION: "runs only on a condition",
    Reason.UNWRITABLE: "cannot stand inside a longer script",
    Reason.FULL: "the script would become too long",
}

ASK_FOR_SOMETHING = "Tell me what you need, and I will plan it: for example _check our services and post a summary_."
SOMETHING_WENT_WRONG = "Sorry, that did not work on my side. It has been logged. Please try again."
SLACK_DID_NOT_ANSWER = "Slack did not answer me just now, so I changed nothing. Please try again."
STUCK = (
    "Something on my side keeps going wrong, so I have stopped trying. It has been logged. Nothing you asked for is "
    "lost: write here and I try again."
)
NOT_A_DECISION = "I do not know that button any more. Nothing was changed."
SHOWN_PLAINLY = "_Slack did not take this message as it should look, so here it is in plain words:_"
QUESTION_UNKNOWN = "I do not know this question any more. Nothing was changed."
QUESTION_OUTDATED = (
    "What is asked has changed since this card was posted, so your click did not count. The card is up to date now."
)
NOT_FOR_THIS_QUESTION = "That is no answer to this question. Nothing was changed."
TOO_LONG_TO_APPROVE = (
    "The arguments are too long to show in full, and nobody should approve what cannot be read. Reject it, or "
    "ask for smaller steps."
)
COMMAND_NEEDS_ROOM = (
    "I am not in this channel, so I cannot open a thread here. Please invite me with `/invite`, then try again."
)
COMMAND_TOO_LONG = "That is too long for a command. Please mention me in a message instead."
COMMAND_NOT_HERE = "I cannot open a thread here. Please ask in a channel I am in, or in a direct message."
STOP, STOP_SHORTCUT = "Stop", "Stop the work here"
STOPPING = (
    "I am stopping it. What is already changing something ends first; the thread will say what was done and what not."
)
NOTHING_TO_STOP = "Nothing of yours is running."
NOTHING_RUNS_HERE = "Nothing is running in this thread. `/greenlight status` lists what runs elsewhere."
NOT_BEGUN = (
    "I have your message and have not begun yet: I begin as soon as I can. If nothing follows for some minutes, "
    "please tell whoever runs this app."
)
NO_OPEN_RUNS = "Nothing is running for you or in this channel."
ANY_MEMBER = "any full member of this channel"
NOTHING_TO_SAY = "There is nothing to tell."
NOTHING_LEFT = "There is nothing left to do about this: the steps it is about have ended already."
STOPPED = "Stopped."
STOPPED_EARLY = "Stopped before anything was planned."
WHAT_WAS_DONE, WHAT_WAS_NOT_DONE = "What was done:", "What was not done:"
NOBODY_DECIDED = "nobody decided in time"
STOPPED_UNDECIDED = f"Stopped: {NOBODY_DECIDED}."

_UNDECIDED: dict[ApprovalKind, str] = {
    ApprovalKind.APPROVE: "It will not run.",
    ApprovalKind.UNKNOWN: "It counts as failed, and will not run again.",
    ApprovalKind.ROUNDS: "I answer with what there is.",
    ApprovalKind.ASK: "I answer with what there is.",
    ApprovalKind.BUDGET: "Nothing more is started; please ask again if you still need it.",
}
"""What follows when a question has expired."""

_NOT_MEMBERS = {
    MembershipStatus.GUEST: "Sorry, guests cannot {act} here. Please ask a full member of the workspace.",
    MembershipStatus.OUTSIDER: (
        "Sorry, people of other organisations cannot {act} here. Please ask a member of this workspace."
    ),
    MembershipStatus.BOT: "Sorry, apps cannot {act} here.",
    MembershipStatus.GONE: "Sorry, this account is deactivated and cannot {act} here.",
}


_REFUSALS = {
    Refusal.NOT_A_MEMBER: "Sorry, only full members of this workspace can decide this.",
    Refusal.UNKNOWN_PERSON: "I could not check just now whether you may decide this, so I changed nothing. "
    "Please try again.",
    Refusal.NOT_IN_CHANNEL: "Only members of this channel can decide this. Please join it first.",
    Refusal.NOT_AN_APPROVER: "Sorry, you are not among the people who may decide this. The card says who is.",
    Refusal.OWN_REQUEST: "You asked for this yourself, so somebody else has to approve it. You can still reject it.",
    Refusal.NOBODY: "Nobody may approve this: its list of approvers is empty. "
    "Please ask whoever runs this app to fill it in.",
}


def refusal(reason: Refusal, kind: ApprovalKind) -> str:
    """Say why someone may not decide, and what is left to them on a card of this kind."""
    if reason is Refusal.OWN_REQUEST and kind is ApprovalKind.UNKNOWN:
        return f"You asked for this yourself, so somebody else has to decide it. You can still press {GIVE_UP}."
    return _REFUSALS[reason]


def approvers(policy: ApprovalPolicy, author: str, people: Iterable[str], groups: Iterable[str]) -> str:
    """Say who may approve; `author`, `people` and `groups` are ready mrkdwn, the latter two the policy's."""
    if policy.users is None and policy.groups is None:
        return ANY_MEMBER + ("" if policy.self_approval else f", but not {author}")
    named = [*people, *(f"anyone in {group}" for group in groups)]
    if not named:
        return "nobody, because the list of approvers is empty"
    return listed(named, most=10) + ("" if policy.self_approval else f", but not {author}")


def not_a_member(standing: MembershipStatus, act: str) -> str:
    """Say why someone who is no member may not `act` ("start work", "decide")."""
    return _NOT_MEMBERS[standing].format(act=act)


def trouble(word: str) -> str:
    """Say what went wrong with a turn."""
    try:
        return _TROUBLES[TurnError(word)]
    except ValueError:
        return _TROUBLES[TurnError.INTERNAL]


def failure(error: str) -> str:
    """Say why a node failed, from its machine word."""
    return _FAILURES.get(error, "it did not work")


def attempt(number: int, kind: str, error: str) -> str:
    """Say how one attempt of a package ended. `error` is literal and shown as it is."""
    return f"attempt {number} {_ATTEMPTS.get(kind, 'failed')}{f': {error}' if error else ''}"


def attempt_kind(kind: str) -> str:
    """Say how an attempt ended, in a word or a few."""
    return "worked" if kind == "ok" else _ATTEMPTS.get(kind, "failed")


def details_of(shown: int, scripts: int) -> str:
    """Say what a menu of scripts is for, and how many of them it holds if not all."""
    return "Details of a script…" if shown == scripts else f"Details of a script… ({shown} of {scripts})"


def question_title(kind: ApprovalKind) -> str:
    """Return the first words of a card."""
    match kind:
        case ApprovalKind.APPROVE:
            return "Approval needed"
        case ApprovalKind.UNKNOWN:
            return "Outcome unknown"
        case ApprovalKind.ROUNDS:
            return "Shall I go on?"
        case ApprovalKind.ASK:
            return "I need your word"
        case ApprovalKind.BUDGET:
            return "The budget is used up"
        case _:
            assert_never(kind)


def question_words(kind: ApprovalKind) -> str:
    """Say what a card asks."""
    match kind:
        case ApprovalKind.APPROVE:
            return "This changes something, so a person decides. Exactly this will run:"
        case ApprovalKind.UNKNOWN:
            return (
                "I was interrupted while doing this and cannot tell whether it happened. "
                "Please look, then tell me how to go on. This is what I had started:"
            )
        case ApprovalKind.ROUNDS:
            return (
                "I have planned anew as often as I may by myself, and the work is not done yet. "
                "Press a button, or write here what you want."
            )
        case ApprovalKind.ASK:
            return "Answer here in the thread, or press a button."
        case ApprovalKind.BUDGET:
            return (
                "Steps that are running will finish. Nothing new starts until somebody decides, and approvals already "
                "given still count. Shall I go on, with the same amount again?"
            )
        case _:
            assert_never(kind)


def picture_title(steps: int) -> str:
    """Return the title of the picture of a plan."""
    return f"The plan: {counted(steps, 'step')}"


def packed(steps: Iterable[str]) -> str:
    """Say which steps run as one script: `packed: fetch -> clean -> extract`."""
    return "packed: " + " -> ".join(steps)


def kept_apart(titles: str, reason: Reason) -> str:
    """Say which steps run apart from those before them, and why; `titles` is ready mrkdwn."""
    return f"{titles} ({_APART[reason]})"


def used_up(scope: Scope, measure: Measure, used: str, most: str) -> str:
    """Say what of a budget is used up: `This thread has taken 12 of its 10 model calls.`"""
    return f"{_SCOPES[scope]} has taken {used} of {most} {_MEASURES[measure]}."


def next_steps(titles: str) -> str:
    """Say what would be done next; `titles` is ready mrkdwn and may be empty."""
    return f"What I would do next: {titles}" if titles else ""


def decision_words(kind: ApprovalKind, decision: Decision, who: str, when: str) -> str:
    """Say how a question ended, and what follows; `who` and `when` are ready mrkdwn, and may be empty."""
    by = f" by {who}" if who else ""
    on = f" on {when}" if when else ""
    match decision:
        case Decision.PENDING:
            return "Waiting for a decision."
        case Decision.APPROVED:
            return f"*Approved*{by}{on}."
        case Decision.REJECTED:
            return f"*Rejected*{by}{on}. It will not run."
        case Decision.EXPIRED:
            return f"*Expired*{on}: {NOBODY_DECIDED}. {_UNDECIDED[kind]}"
        case Decision.WITHDRAWN:
            return f"*Withdrawn*{on}: this is no longer needed."
        case Decision.AGAIN:
            return f"*Run again*, decided{by}{on}."
        case Decision.HAPPENED:
            return f"*It happened*, confirmed{by}{on}."
        case Decision.GIVE_UP:
            return f"*Given up*, decided{by}{on}."
        case Decision.MORE:
            return f"*Planning further*, decided{by}{on}."
        case Decision.ACCEPT:
            return f"*Answering with what there is*, decided{by}{on}."
        case Decision.STOP:
            return f"*Stopped*, decided{by}{on}."
        case Decision.GO_ON:
            return f"*Going on with the same amount again*, decided{by}{on}."
        case _:
            assert_never(decision)


def already(decision: Decision, who: str) -> str:
    """Say that a click came too late; `who` is ready mrkdwn, and may be empty."""
    match decision:
        case Decision.EXPIRED:
            return "This question has expired. Your click changed nothing."
        case Decision.WITHDRAWN:
            return "This question was withdrawn. Your click changed nothing."
        case _:
            return f"This was already decided{f' by {who}' if who else ''}. Your click changed nothing."


def condition_unmet(title: str) -> str:
    """Say why a step was left out whose condition did not hold."""
    return f"“{title}” found no need for it"


def remembered(age: timedelta) -> str:
    """Say that a result is not a fresh one."""
    return f"from the cache, {duration_of(age)} old" if age >= timedelta(seconds=1) else "from the cache"


def running_now(titles: str) -> str:
    """Say what is at work; `titles` is ready mrkdwn."""
    return f"*Running:* {titles}"


def waiting_for_people(title: str, who: str) -> str:
    """Say whom a question waits for; both are ready mrkdwn."""
    return f"*Waiting for a decision:* {title}. Who may decide: {who}"


def waiting_for_others(titles: str) -> str:
    """Say what waits for other steps; `titles` is ready mrkdwn."""
    return f"*Waiting for other steps:* {titles}"


def duration(start: datetime | None, end: datetime | None) -> str:
    """Return e.g. `340 ms`, `1.2 s`, `3 min 5 s`; empty when either end is missing."""
    return "" if start is None or end is None else duration_of(end - start)


def duration_of(time: timedelta) -> str:
    """Return e.g. `340 ms`, `1.2 s`, `3 min 5 s`."""
    seconds = max(0.0, time.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def spending(took: str, *, ended: bool, calls: int, tokens: int, cost: str) -> str:
    """Say what a turn took: `Took 12.3 s · 3 model calls · 4,210 tokens · $0.0031`."""
    parts = [(f"Took {took}" if ended else f"{took} of work so far") if took else ""]
    if calls:
        parts += [counted(calls, "model call"), f"{tokens:,} tokens", cost]
    return " · ".join(part for part in parts if part)


def money(micros: int, currency: str) -> str:
    """Return e.g. `$0.0031`, `EUR 12.50`; empty for nothing."""
    if not micros:
        return ""
    amount = micros / 1_000_000
    figure = f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}" if amount >= 0.0001 else f"{amount:.6f}"
    return f"{currency} {figure}" if currency.isalpha() else f"{currency}{figure}"


def listed(words: Iterable[str], most: int = 5) -> str:
    """Return `a, b and 3 more`."""
    given = list(words)
    if len(given) > most:
        return f"{', '.join(given[:most])} and {len(given) - most} more"
    return ", ".join(given)


def counted(number: int, noun: str) -> str:
    """Return `1 step`, `2 steps`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def thread_closed(channel: str, *, deleted: bool = False) -> str:
    """Say that a thread cannot be written to, or is `deleted`; `channel` is ready mrkdwn."""
    if deleted:
        return (
            f"The message you asked me with in {channel} was deleted, so I cannot show there what becomes of it. "
            "Nothing that needs an approval will run. Please ask again if you still need it."
        )
    return (
        f"I cannot write in {channel} any more, so what you asked for there cannot go on as it should. "
        "Please invite me again, then write in the thread."
    )
