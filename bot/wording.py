"""All text that people read in Slack: short, warm and modern. Callers escape foreign words before they pass them in.

Nobody reads `str(exc)`: an error code that has no sentence here gets the general one.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from agent.approval import ApprovalKind, ApprovalPolicy, Decision, Refusal
from agent.budget.budget import Measure
from agent.budget.usage import Scope
from agent.errors import TurnError
from agent.packing.packing import Reason
from agent.plan.outcomes import NodeState
from agent.ports import RunStatus
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
    "bad_arguments": "the tool didn't accept its arguments",
    "binding": "an earlier result didn't have the expected shape",
    "host_not_allowed": "that address isn't on the list of this tool",
    "not_yours": "it needs what was read with somebody else's rights",
    "artifact_missing": "an earlier result is no longer stored",
    "arguments_too_large": "its arguments were too large",
    "bad_output": "the tool returned something I can't store",
    "output_too_large": "the tool returned too much",
    "cancelled": "it was interrupted",
    "not_a_list": "it needs a list to go through, and got something else",
    "too_many_items": "the list it was to go through is too long",
    "too_many_nodes": "one step per item would make too many steps",
    "items_not_done": "some of its steps didn't finish",
    "id_taken": "I couldn't name its steps",
    "internal": "something on my side broke",
    "not_available": "this kind of step isn't available here",
    "not_installed": "its tool isn't installed here",
    "store_unavailable": "I couldn't reach the database",
    "approval_invalid": "what would run is no longer what was approved",
    "outcome_unknown": "nobody knows whether it happened",
    "unreachable": "nothing answered there",
    "unknown_host": "there is no such address",
    "private_address": "it isn't allowed to reach that address",
    "bad_url": "that isn't a web address",
    "too_many_redirects": "it was redirected too often",
    "bad_header": "it isn't allowed to set that header",
    "body_too_large": "what it would send is too large",
    "bad_answer": "I couldn't understand the answer",
    "read_only": "it may only read",
    "database_unreachable": "I couldn't reach the database",
    "query_timeout": "the query took too long",
    "query_failed": "the database didn't accept the query",
    "bad_parameters": "the query's values don't fit it",
    "no_such_page": "there is no such page",
    "unreadable": "the data can't be read",
    "channel_not_found": "there is no such channel, or I can't see it",
    "not_in_channel": "I'm not in that channel",
    "is_archived": "that channel is archived",
    "not_allowed": "that isn't allowed",
    "thread_not_found": "there is no such thread",
    "name_taken": "that name is taken",
    "missing_scope": "Slack hasn't given me permission for that",
    "text_too_long": "the text is too long",
    "slack_unreachable": "Slack didn't answer",
    "no_sandbox": "there is no sandbox to run scripts in",
    "sandbox_error": "its script kept crashing",
    "sandbox_syntax": "its script wasn't valid",
    "sandbox_timeout": "its script took too long",
    "sandbox_oom": "its script needed too much memory",
    "sandbox_output_limit": "its script printed or returned too much",
    "sandbox_call_limit": "its script called too many tools",
    "sandbox_protocol": "its script broke the sandbox's rules",
    "sandbox_died": "its script ended without a result",
    "sandbox_infra": "the sandbox wasn't available",
    "sandbox_denied": "its script kept calling tools it isn't allowed to call",
}

_ATTEMPTS = {
    "error": "crashed",
    "syntax": "wasn't valid Python",
    "timeout": "took too long",
    "oom": "needed too much memory",
    "output_limit": "produced too much output",
    "call_limit": "called too many tools",
    "protocol": "broke the sandbox's rules",
    "died": "ended without a result",
    "infra": "couldn't run in the sandbox",
}

_TURN_ERRORS = {
    TurnError.MODEL_UNAVAILABLE: "I couldn't reach the language model, so I couldn't finish this. "
    "Please ask again in a few minutes.",
    TurnError.MODEL_BUSY: "The language model is too busy to answer, so I couldn't finish this. "
    "Please ask again in a few minutes.",
    TurnError.MODEL_UNHEARD: ("The language model didn't write an answer, so here are the plain results of each step."),
    TurnError.REQUEST_TOO_LONG: "This is more than the language model can read at once, so I couldn't finish it. "
    "Please ask for less, or start a new thread with what still matters.",
    TurnError.RESULTS_TOO_LONG: "The results are more than the language model can read at once, so here are the plain "
    "results of each step.",
    TurnError.PLAN_INVALID: "I couldn't turn this into a plan I can run. "
    "Please say it another way, or ask for smaller steps.",
    TurnError.PLAN_TOO_LARGE: "This takes more steps than I may plan for one request, so I left out the rest. "
    "When the others are done, ask for what's missing in a new message.",
    TurnError.INTERNAL: "Something went wrong on my side, and I couldn't finish this. "
    "It's been logged. Please ask again.",
}

MORE_ROUNDS, ACCEPT, STOP_TURN = "Plan further", "Answer with what there is", "Stop"
GO_ON = "Go on"
TRY_AGAIN, LEAVE = "Try again", "Leave it"

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
DETAILS_GONE = "I no longer have anything about this script."
DETAILS_NOT_YOURS = "This script worked with what somebody else may read, so only they can see its details."
DETAILS_FAILED = "I couldn't load this just now. Please close it and try again."
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
    Reason.PACKED: "already packed",
    Reason.CANCELLED: "one of them was withdrawn",
    Reason.KEPT: "the step before it is already running",
    Reason.SUBAGENT: "a subagent can't be part of a script",
    Reason.TEMPLATE: "becomes one step for each item of a list",
    Reason.CONDITION: "runs only on a condition",
    Reason.UNWRITABLE: "can't be part of a longer script",
    Reason.FULL: "the script would become too long",
}

ASK_FOR_SOMETHING = "Tell me what you need and I'll plan it, for example: _check our services and post a summary_."
SOMETHING_WENT_WRONG = "Sorry, something went wrong on my side. It's been logged. Please try again."
CANNOT_TELL_WHO = (
    "Slack doesn't let me look up who you are, so I can't start this. Please tell whoever runs this app: "
    "`greenlight doctor` shows what I lack."
)
SLACK_DID_NOT_ANSWER = "Slack didn't answer me just now. Nothing changed. Please try again."
STUCK = (
    "Something keeps going wrong on my side, so I've stopped trying. It's been logged. Nothing you asked for is "
    "lost: write here and I'll try again."
)
NOT_A_DECISION = "That button no longer works. Nothing changed."
SHOWN_PLAINLY = "_Slack couldn't show this message properly, so here it is in plain words:_"
QUESTION_UNKNOWN = "I no longer have this question. Nothing changed."
QUESTION_OUTDATED = "This changed after the card was posted, so your click didn't count. The card is up to date now."
NOT_FOR_THIS_QUESTION = "That answer doesn't fit this question. Nothing changed."
TOO_LONG_TO_APPROVE = (
    "The arguments are too long to show in full, and nobody should approve what they can't read. Reject it, or "
    "ask for smaller steps."
)
NOT_SHOWN_WHOLE = (
    "Slack couldn't show all of the arguments, and nobody should approve what they can't read. Nothing changed: reject "
    "it, or ask for smaller steps."
)
COMMAND_NEEDS_ROOM = (
    "I'm not in this channel, so I can't open a thread here. Please invite me with `/invite`, then try again."
)
COMMAND_TOO_LONG = "That's too long for a command. Please mention me in a message instead."
COMMAND_NOT_HERE = "I can't open a thread here. Please ask in a channel I'm in, or in a direct message."
STOP, STOP_SHORTCUT = "Stop", "Stop the work here"
STOPPING = (
    "I'm stopping it. Steps that are already changing something finish first; the thread will show what was done and "
    "what wasn't."
)
NOTHING_TO_STOP = "You have nothing running."
NOTHING_RUNS_HERE = "Nothing is running in this thread. `/greenlight status` lists what runs elsewhere."
NOT_BEGUN = (
    "I have your message and haven't started yet: I'll start as soon as I can. If nothing happens for a few minutes, "
    "please tell whoever runs this app."
)
NO_OPEN_RUNS = "Nothing is running for you or in this channel."
ANY_MEMBER = "any full member of this channel"
NOTHING_TO_SAY = "There's nothing to report."
NOTHING_LEFT = "There's nothing left to do here: these steps have already ended."
STOPPED = "Stopped."
STOPPED_EARLY = "Stopped before anything was planned."
WHAT_WAS_DONE, WHAT_WAS_NOT_DONE = "What was done:", "What wasn't done:"
NOBODY_DECIDED = "nobody decided in time"
STOPPED_UNDECIDED = f"Stopped: {NOBODY_DECIDED}."

QUESTION_TITLES: dict[ApprovalKind, str] = {
    ApprovalKind.APPROVE: "Approval needed",
    ApprovalKind.UNKNOWN: "Outcome unknown",
    ApprovalKind.ROUNDS: "Shall I go on?",
    ApprovalKind.ASK: "I need your input",
    ApprovalKind.BUDGET: "The budget is used up",
    ApprovalKind.SET_ASIDE: "I've set this aside",
}
"""The first words of a card."""

QUESTIONS: dict[ApprovalKind, str] = {
    ApprovalKind.APPROVE: "This changes something, so a person decides. Exactly this will run:",
    ApprovalKind.UNKNOWN: "I was interrupted while doing this and can't tell whether it happened. "
    "Please check, then tell me how to go on. This is what I had started:",
    ApprovalKind.ROUNDS: "I've changed the plan as often as I may on my own, and the work isn't done yet. "
    "Press a button, or write here what you want.",
    ApprovalKind.ASK: "Answer here in the thread, or press a button.",
    ApprovalKind.BUDGET: "Steps that are running will finish. Nothing new starts until somebody decides, and approvals "
    "already given still count. Shall I go on, with the same amount again?",
    ApprovalKind.SET_ASIDE: "I broke down three times in a row while working on this, and got no further. So I won't "
    f"start it again on my own. *{TRY_AGAIN}* goes on from where it stood; *{LEAVE}* ends it and says what was done. "
    "You can also write here: anything you write makes me try again, and `!stop` makes me leave it.",
}
"""The question of a card."""

NOBODY_HERE = (
    "*Nobody in this conversation may approve this.* Who can? Answer here with a person (`@name`) or a channel "
    "(`#name`) that I'm in, and nothing else, and I'll ask there. You can still reject it."
)
ASKED_FROM_ELSEWHERE = "This comes from a conversation in which nobody may approve it."

RUNS_AS_SHOWN = "runs exactly as shown"

_ENDINGS: dict[Decision, str] = {
    Decision.PENDING: "Waiting for a decision.",
    Decision.APPROVED: "*Approved*{by}{on}.",
    Decision.REJECTED: "*Rejected*{by}{on}. It won't run.",
    Decision.EXPIRED: f"*Expired*{{on}}: {NOBODY_DECIDED}. {{then}}",
    Decision.WITHDRAWN: "*Withdrawn*{on}: this is no longer needed.",
    Decision.AGAIN: "*Run again*, decided{by}{on}.",
    Decision.HAPPENED: "*It happened*, confirmed{by}{on}.",
    Decision.GIVE_UP: "*Given up*, decided{by}{on}.",
    Decision.MORE: "*Planning further*, decided{by}{on}.",
    Decision.ACCEPT: "*Answering with what there is*, decided{by}{on}.",
    Decision.STOP: "*Stopped*, decided{by}{on}.",
    Decision.GO_ON: "*Going on with the same amount again*, decided{by}{on}.",
    Decision.TRY_AGAIN: "*Trying again*, decided{by}{on}.",
    Decision.LEAVE: "*Left*, decided{by}{on}.",
}
"""How a question ended, and what follows (`_UNDECIDED` after an expiry)."""

_UNDECIDED: dict[ApprovalKind, str] = {
    ApprovalKind.APPROVE: "It won't run.",
    ApprovalKind.UNKNOWN: "It counts as failed and won't run again.",
    ApprovalKind.ROUNDS: "I'll answer with what there is.",
    ApprovalKind.ASK: "I'll answer with what there is.",
    ApprovalKind.BUDGET: "Nothing more will start; please ask again if you still need it.",
    ApprovalKind.SET_ASIDE: "I leave it; please ask again if you still need it.",
}
"""The consequence of a question's expiry."""

_NOT_MEMBERS = {
    MembershipStatus.GUEST: "Sorry, guests can't {act} here. Please ask a full member of the workspace.",
    MembershipStatus.OUTSIDER: (
        "Sorry, people from other organisations can't {act} here. Please ask a member of this workspace."
    ),
    MembershipStatus.BOT: "Sorry, apps can't {act} here.",
    MembershipStatus.GONE: "Sorry, this account is deactivated and can't {act} here.",
}


_REFUSALS = {
    Refusal.NOT_A_MEMBER: "Sorry, only full members of this workspace can decide this.",
    Refusal.UNKNOWN_PERSON: "I couldn't check just now whether you may decide this. Nothing changed. Please try again.",
    Refusal.NOT_IN_CHANNEL: "Only members of this channel can decide this. Please join it first.",
    Refusal.APP_NOT_IN_CHANNEL: "I'm no longer in this channel, so I can't check who may decide here. Nothing changed. "
    "Please invite me again, then press the button once more.",
    Refusal.NOT_AN_APPROVER: "Sorry, you're not among the people who may decide this. The card says who is.",
    Refusal.OWN_REQUEST: "You asked for this yourself, so somebody else has to approve it. You can still reject it.",
    Refusal.NOBODY: "Nobody may approve this: its list of approvers is empty. "
    "Please ask whoever runs this app to fill it in.",
}


def refusal(reason: Refusal, kind: ApprovalKind) -> str:
    """Return why someone may not decide, and what is left to them on a card of this kind."""
    if reason is Refusal.OWN_REQUEST and kind is ApprovalKind.UNKNOWN:
        return f"You asked for this yourself, so somebody else has to decide it. You can still press {GIVE_UP}."
    return _REFUSALS[reason]


def too_many_runs(runs: int) -> str:
    """Return why a person's request is not taken in, who has so many at work."""
    return (
        f"I'm still working on {counted(runs, 'request')} of yours, and that's as many as I take on for one person at "
        "a time. Please ask again when one has ended; `/greenlight status` lists them and `/greenlight stop` ends one."
    )


def too_many_cards(cards: int) -> str:
    """Return why a person's request is not taken in, about whose requests so many cards are open."""
    return (
        f"{counted(cards, 'question')} about your requests wait for a decision, and that's as many as I keep open for "
        "one person. Please have some of them decided, or end a request with `/greenlight stop`, then ask again."
    )


def approvers(policy: ApprovalPolicy, author: str, people: Iterable[str], groups: Iterable[str]) -> str:
    """Return who may approve; `author`, `people` and `groups` are ready mrkdwn, the latter two the policy's."""
    if policy.users is None and policy.groups is None:
        return ANY_MEMBER + ("" if policy.self_approval else f", but not {author}")
    named = [*people, *(f"anyone in {group}" for group in groups)]
    if not named:
        return "nobody, because the list of approvers is empty"
    return listed(named, most=10) + ("" if policy.self_approval else f", but not {author}")


def named_in_arguments(names: str) -> str:
    """Return the line about ids in the arguments; `names` is ready mrkdwn."""
    return f"In the arguments: {names}"


def asked_in(places: str) -> str:
    """Return where else a request waits for its decision; `places` is ready mrkdwn."""
    return f"*Waiting for a decision from elsewhere:* I asked {places}. You can still reject it here."


def asking_in(place: str) -> str:
    """Return that a request is asked elsewhere, too; `place` is ready mrkdwn."""
    return f"Thanks. I'll ask {place}, and go on here as soon as it's decided."


def may_not_grant(who: str, who_may: str) -> str:
    """Return why a person or channel is not asked; both are ready mrkdwn."""
    return f"{who} can't approve this, so I didn't ask there. Who may decide: {who_may}. Please name somebody else."


def no_such_place(where: str) -> str:
    """Return why a channel is not asked in; `where` is ready mrkdwn."""
    return f"I can't ask in {where}: there is no such channel, it's archived, or I'm not in it. Please invite me there."


def not_a_member(status: MembershipStatus, act: str) -> str:
    """Return why someone who is no member may not `act` ("start work", "decide")."""
    return _NOT_MEMBERS[status].format(act=act)


def turn_error(error: str) -> str:
    """Return what went wrong with a turn."""
    try:
        return _TURN_ERRORS[TurnError(error)]
    except ValueError:
        return _TURN_ERRORS[TurnError.INTERNAL]


def failure(error: str) -> str:
    """Return why a node failed, from its error code."""
    return _FAILURES.get(error, "it didn't work")


def attempt(number: int, kind: str, error: str) -> str:
    """Return how one attempt of a package ended. `error` is literal and shown as it is."""
    return f"attempt {number} {_ATTEMPTS.get(kind, 'failed')}{f': {error}' if error else ''}"


def attempt_kind(kind: str) -> str:
    """Return how an attempt ended, in a word or a few."""
    return "worked" if kind == "ok" else _ATTEMPTS.get(kind, "failed")


def details_of(shown: int, scripts: int) -> str:
    """Return what a menu of scripts is for, and how many of them it holds if not all."""
    return "Details of a script…" if shown == scripts else f"Details of a script… ({shown} of {scripts})"


def picture_title(steps: int) -> str:
    """Return the title of the picture of a plan."""
    return f"The plan: {counted(steps, 'step')}"


def packed(steps: Iterable[str]) -> str:
    """Return which steps run as one script: `packed: fetch -> clean -> extract`."""
    return "packed: " + " -> ".join(steps)


def kept_apart(titles: str, reason: Reason) -> str:
    """Return which steps run apart from those before them, and why; `titles` is ready mrkdwn."""
    return f"{titles} ({_APART[reason]})"


def used_up(scope: Scope, measure: Measure, used: str, most: str) -> str:
    """Return a sentence on a used-up limit: `This thread has taken 12 of its 10 model calls.`"""
    return f"{_SCOPES[scope]} has taken {used} of {most} {_MEASURES[measure]}."


def next_steps(titles: str) -> str:
    """Return the line about the next steps; `titles` is ready mrkdwn and may be empty."""
    return f"What I would do next: {titles}" if titles else ""


def decision_words(kind: ApprovalKind, decision: Decision, who: str, when: str) -> str:
    """Return how a question ended, and what follows; `who` and `when` are ready mrkdwn, and may be empty."""
    by = f" by {who}" if who else ""
    on = f" on {when}" if when else ""
    return _ENDINGS[decision].format(by=by, on=on, then=_UNDECIDED[kind])


def already(decision: Decision, who: str) -> str:
    """Return the notice that a click came too late; `who` is ready mrkdwn, and may be empty."""
    match decision:
        case Decision.EXPIRED:
            return "This question has expired. Your click changed nothing."
        case Decision.WITHDRAWN:
            return "This question was withdrawn. Your click changed nothing."
        case _:
            return f"This was already decided{f' by {who}' if who else ''}. Your click changed nothing."


def condition_unmet(title: str) -> str:
    """Return why a step was left out whose condition did not hold."""
    return f"“{title}” showed it isn't needed"


def remembered(age: timedelta) -> str:
    """Return the note that a result comes from the cache."""
    return f"from the cache, {duration_of(age)} old" if age >= timedelta(seconds=1) else "from the cache"


def running_now(titles: str) -> str:
    """Return the line about running steps; `titles` is ready mrkdwn."""
    return f"*Running:* {titles}"


def waiting_for_people(title: str, who: str) -> str:
    """Return the line about an open question and who may decide it; both are ready mrkdwn."""
    return f"*Waiting for a decision:* {title}. Who may decide: {who}"


def waiting_for_others(titles: str) -> str:
    """Return the line about steps that wait for others; `titles` is ready mrkdwn."""
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
    """Return what a turn took: `Took 12.3 s · 3 model calls · 4,210 tokens · $0.0031`."""
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
    """Return the notice that a thread cannot be written to, or was `deleted`; `channel` is ready mrkdwn."""
    if deleted:
        return (
            f"The message you asked me with in {channel} was deleted, so I can't show you the results there. "
            "Nothing that needs an approval will run. Please ask again if you still need it."
        )
    return (
        f"I can no longer write in {channel}, so what you asked for there can't go on as it should. "
        "Please invite me again, then write in the thread."
    )
