"""All text that people read in Slack: short, warm and modern. Callers escape foreign words before they pass them in.

Nobody reads `str(exc)`: an error code that has no sentence here gets the general one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from agent.approval import Again, ApprovalKind, ApprovalPolicy, Decision, FreezeScope, Refusal
from agent.budget.budget import Measure
from agent.budget.usage import Scope
from agent.card_facts import Corrected, account_in
from agent.errors import TurnError
from agent.facts import LONGEST, FactScope
from agent.packing.packing import Reason
from agent.plan.corrections import Why
from agent.plan.effects import Left
from agent.plan.files import Evicted
from agent.plan.outcomes import NodeState
from agent.ports import Choice, RunStatus
from agent.tool import Account, Reversibility
from bot.payloads import Form
from bot.ports import Disconnected
from bot.slack.facts import FactRefusal
from bot.slack.membership import MembershipStatus
from sandbox.script import Json

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
    "evicted": "the file is no longer stored",
    "no_such_file": "there is no such file in this thread",
    "no_files": "there are no files here",
    "personal_file": "only one person may see that file, and the step didn't name it",
    "bad_pattern": "I couldn't use the search pattern",
    "search_limit": "the file is larger than one search reads",
    "arguments_too_large": "its arguments were too large",
    "bad_output": "the tool returned something I can't store",
    "output_too_large": "the tool returned too much",
    "cancelled": "it was interrupted",
    "not_comparable": "its condition compares values that cannot be compared",
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
    "refused_by_policy": "a rule of this workspace doesn't allow it",
    "world_changed": "what it was to change kept changing",
    "changed_since": "it was changed since",
    "host_not_named": "its script asked a host whose address doesn't stand in it",
    "not_undone": "what it asked refused it, and nothing changed",
    "already_archived": "that channel is archived already",
    "not_ours": "I archive only channels that I created for you",
    "message_not_found": "that message is gone",
    "cant_delete_message": "I delete only messages that I posted for you",
    "cant_update_message": "I change only messages that I posted for you",
    "edit_window_closed": "this workspace no longer lets that message be changed",
    "already_pinned": "that message is pinned already",
    "no_pin": "that message isn't pinned",
    "not_pinnable": "a message of that kind can't be pinned",
    "too_many_pins": "that channel has as many pins as it may have",
    "not_a_channel": "that's a direct message and no channel",
    "user_not_found": "not all of them are people of this workspace",
    "already_in_channel": "they are in that channel already",
    "user_not_in_channel": "none of them is in that channel",
    "not_invited": "I remove only people whom I invited",
    "file_not_found": "no file of mine stands there",
    "empty_file": "the file would be empty",
    "no_search_token": "I can search only for some minutes after you write to me; please write to me again",
    "search_expired": "I can search only for some minutes after you write to me; please write to me again",
    "feature_not_enabled": "this workspace doesn't let apps do that",
    "outcome_unknown": "nobody knows whether it happened",
    "unreachable": "nothing answered there",
    "bad_expression": "that can't be calculated",
    "division_by_zero": "it divides by zero",
    "too_large": "the numbers are too large",
    "bad_time": "that isn't a time I can read",
    "bad_duration": "that isn't a span of time I can read",
    "bad_zone": "there is no such time zone",
    "busy": "others hold what it was to change; please try again later",
    "recipient_refused": "not everybody may get that mail, so nobody did",
    "too_many_rows": "it would change more rows than it may",
    "unknown_repository": "there is no such repository",
    "unknown_revision": "there is no such branch, tag or commit",
    "unknown_path": "there is no such file",
    "bad_branch": "no branch may have that name",
    "does_not_fit": "the edits don't fit what stands there",
    "not_forward": "that would go over other commits",
    "not_reverted": "that commit can't be reverted by itself",
    "already_there": "it stands there already",
    "no_text": "that's no text",
    "too_large_change": "that changes more than a card can show",
    "too_large_file": "that file is too large",
    "too_slow": "it took too long",
    "no_git": "git isn't installed where I run",
    "git_failed": "git couldn't do that",
    "refused": "it was refused",
    "rate_limited": "it's asked too often just now",
    "ratelimited": "Slack is asked too often just now",
    "no_account": "it needs the account of whoever asks, and can't ask for it there",
    "no_secret": "a credential of mine isn't where the configuration says",
    "unauthorized": "my credentials aren't accepted there",
    "forbidden": "I'm not allowed to do that there",
    "untrusted": "what answered there can't prove who it is, so I sent nothing",
    "not_found": "it isn't there",
    "not_accepted": "what it asked was refused there, and nothing changed",
    "conflict": "others kept changing it, so I left it alone",
    "too_much": "it would be more than I can take in",
    "namespace_not_allowed": "that namespace isn't open to me",
    "unknown_kind": "there is no such kind of object in that cluster",
    "list_expired": "the list changed while it was read",
    "bad_query": "the query couldn't be understood there",
    "cut_off": "it sent more than it may, so I cut it off",
    "tool_changed": "it isn't as an operator pinned it, and is refused until it's pinned again",
    "input_required": "it asked for something that I don't pass on",
    "unavailable": "it has a problem of its own just now",
    "rate_limit": "it was called as often as it may be, and no place came free in time",
    "not_tried": "it failed several times in a row, so it's left alone for a moment",
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
    "bad_runbook": "it isn't a runbook that I can read",
    "unwritable": "I couldn't write that file",
    "memory_empty": "there was nothing to remember in it",
    "memory_too_long": "it's too long to remember",
    "memory_secret": "it holds a secret, and I keep none",
    "memory_not_here": "what others read elsewhere has to be said in a public channel",
    "memory_full": "I remember as much there as I may",
    "memory_known": "I remember that already",
    "memory_off": "remembering is switched off here",
    "memory_no_such": "I remember nothing like that which you may change",
    "memory_not_yours": "what the team remembers is changed by who said it, or by an admin",
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
    "call_rejected": "somebody said no to a call of its script",
    "call_not_made": "nobody decided on a call of its script, or it was withdrawn",
    "bad_result": "its result didn't have the form that was asked for, twice",
    "gave_up": "it said that it can't be done",
    "not_passed": "nothing of it passed",
    "bad_value": "a value in the list is of the wrong kind",
    "steps_used_up": "it came to no result in the steps it may take",
    "too_long": "it was more than its model can read",
    "unknown_role": "the role isn't there any more",
    "no_model": "there is no language model here",
    "model_unavailable": "its language model didn't answer",
    "script_diverges": "its script came to other calls each time",
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
    "suspended": "waits for people",
}

_TURN_ERRORS = {
    TurnError.MODEL_UNAVAILABLE: "I couldn't reach the language model, so I couldn't finish this. "
    "Please ask again in a few minutes.",
    TurnError.MODEL_BUSY: "The language model is too busy to answer, so I couldn't finish this. "
    "Please ask again in a few minutes.",
    TurnError.MODEL_SLOW: "The language model is taking too long to answer, so I couldn't finish this. "
    "Please try again in a little while.",
    TurnError.ANSWER_SLOW: "The language model took too long and didn't write an answer, so here are the plain "
    "results of each step.",
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

CANCEL = "Cancel"
EDIT, MORE = "Edit…", "More"
FORM_OPTIONS: dict[Form, str] = {
    Form.COMMENT: "Decide with a comment…",
    Form.CHANGES: "Request changes…",
    Form.BY_HAND: "I did it myself…",
    Form.CLAIM: "I'm looking at it",
    Form.ALL: "Approve all in this thread…",
}
"""The menu of a card, at most five."""

FORM_TITLES: dict[Form, str] = {
    Form.EDIT: "Edit before it runs",
    Form.COMMENT: "Decide with a comment",
    Form.CHANGES: "Request changes",
    Form.BY_HAND: "I did it myself",
    Form.CLAIM: "I'm looking at it",
    Form.ALL: "Approve all here",
    Form.INPUT: "Answer the tool",
}
FORM_SUBMITS: dict[Form, str] = {
    Form.EDIT: "Save",
    Form.COMMENT: "Decide",
    Form.CHANGES: "Send",
    Form.BY_HAND: "Done",
    Form.CLAIM: "OK",
    Form.ALL: "Approve these",
    Form.INPUT: "Send",
}
ANSWER, DECLINE = "Answer…", "Decline"
YOUR_ANSWER, VISITED, YES = "Your answer", "I've been there", "Yes"
WANTS_A_VISIT = "It wants you to open a page at "
OPEN_PAGE = "Open the page"
YOUR_DECISION, YOUR_COMMENT = "Your decision", "Your comment"
COMMENT_HINT = "Everybody in the thread can read it, and I take it into account."
WHAT_TO_CHANGE = "What should be different?"
CHANGES_HINT = "This step won't run as it is. I'll plan it anew from what you write, on your behalf."
WHAT_CAME_OUT = "What came out of it?"
BY_HAND_HINT = "Nothing runs. The steps behind this one go on with what you enter: words, or JSON."
WHICH_TO_APPROVE = "Which of these?"
EDIT_APPROVES = "Saving approves the step with your changes."
EDIT_WAITS = "Your changes go on the card. Somebody who may approve this still decides."
EDIT_NOT_HERE = (
    "I can't offer this step for editing here. Ask for changes in your own words instead: *Request changes…* in the "
    "card's menu."
)
EDIT_TOO_LONG = (
    "This is too long to edit here. Ask for changes in your own words instead: *Request changes…* in the card's menu."
)
EDITED_TOO_LONG = "With this the card would be too long to show in full. Please make it shorter."
EDIT_SAME = "Nothing is different yet."
EDIT_SAVED = "Thanks. Your changes are on the card now; somebody who may approve this decides."
NOT_A_NUMBER, NOT_JSON = "Please enter a number.", "This isn't valid JSON."
DOES_NOT_FIT = "This doesn't fit what the tool takes."
PLEASE_CHOOSE = "Please choose one."
PLEASE_WRITE = "Please write something."
FORM_NOT_CHECKED = "I couldn't check this just now. Nothing changed. Please try again."
FORM_FAILED = "Something went wrong on my side, so I can't tell whether this counted. The card shows how it stands."
FORM_GONE = "I couldn't load this just now. Please close it and try again."
NOTHING_TO_APPROVE = "There is nothing here that you can approve together."
NOT_AT_ONCE = "more than I can list at once; approve the others first"
TO_COME = "*Not asked yet.* These run when their turn comes, without a card, if they are exactly as listed:"
NOT_FIXED_YET = "what it changes isn't fixed yet, so it asks when its turn comes"
CONFIDENTIAL_TO_COME = "it can hold confidential values, so it asks when its turn comes"
TOO_LONG_TO_COME = "too long to be listed here, so it asks when its turn comes"
NOT_YOURS_TO_COME = "you may not approve it, so it asks when its turn comes"
PLAN_CHANGED = "A step to come is another one now, or has asked by now."
NOTHING_PENDING = "Nothing waits for you."
PENDING_FOR_YOU, PENDING_OF_YOURS = "Waiting for your decision", "Asked for by you, waiting for others"
MORE_PENDING = "There are more; decide these first."

DETAILS, SCRIPT_DETAILS, SUBAGENT_DETAILS, CLOSE = "Details", "Script details", "Subagent details", "Close"
DETAILS_LOADING = "Just a moment…"
DETAILS_GONE = "I no longer have anything about this step."
DETAILS_NOT_YOURS = "This step worked with what somebody else may read, so only they can see its details."
DETAILS_FAILED = "I couldn't load this just now. Please close it and try again."
FILES, SHOW_FILE, POST_FILE = "Files", "Show me", "Post in the thread"
NEWEST_FILES, OLDER_FILES = "Newest files", "Older files"
NO_FILES = "There are no files in this thread yet."
FILE_GONE = "I no longer keep this file."
FILE_CUT = "This is only its beginning. Post it in the thread to get all of it."
FILE_YOURS = "Only you can see this one: it was read with your rights."
FILE_NOT_YOURS = "It was read with somebody else's rights, so only they can see what is in it."
HOW_IT_ENDED, WHERE_IT_CRASHED, CALLS_MADE = "How it ended", "Where it crashed", "Calls it made"
END_OF_THE_LOGS, THE_SCRIPT, ITS_STEPS = "The end of what it printed", "The script", "Its steps"

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
    Reason.CHOICE: "takes the result of whichever of several steps ran",
    Reason.FILE: "reads a file by its name",
    Reason.REACHES_OUT: "its script could ask hosts that only another step may ask",
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
FROZEN = "An admin has frozen changes, so this won't run for now. It goes on from here once they lift that."
FROZEN_CLICK = "An admin has frozen changes, so nothing can be approved for now. Nothing changed."
FREEZE_USAGE = (
    "I didn't get that. `/greenlight freeze` stops every change at once, `/greenlight freeze #channel` those of a "
    "channel, `/greenlight freeze TOOL` those of a tool; `/greenlight unfreeze` with the same words lets them go on."
)
MEMORY_TITLE = "What I remember, as far as it may be read here."
MEMORY_OF_YOURS = "What I remember about you, and what you told me to remember, wherever that was."
MEMORY_EMPTY = (
    "I remember nothing that may be read here. Write _remember that ..._ to me, or `/greenlight memory add ...`."
)
MEMORY_NONE_OF_YOURS = "I remember nothing about you, and nothing that you told me."
MEMORY_USAGE = (
    "I didn't get that. `/greenlight memory` lists what I remember here, `memory mine` what is yours anywhere; "
    "`memory add ...`, `memory correct ID ...`, `memory forget ID` and `memory forget mine` change it. Say whose it is "
    "first, and for how long, if you like: `memory add for the team for 30 days: ...`, or `for me`, "
    "`for me everywhere`, `for this channel`."
)
MEMORY_HOW = "`/greenlight memory correct ID ...` changes one of these, `/greenlight memory forget ID` deletes it."
MEMORY_NOT_HERE = "Only people in this channel can see what is remembered here."
MEMORY_UNCHECKED = "Slack didn't tell me who can read this channel, so I remembered nothing. Please try again."
FROM_MEMORY = "From memory"
UNTOLD_FACT = "something that may not be read here"
FACT_SHARED: dict[FactScope, str] = {
    FactScope.ME: "only with you, and only here",
    FactScope.EVERYWHERE: "only with you, wherever you ask",
    FactScope.CHANNEL: "with everybody in this channel, and nowhere else",
    FactScope.TEAM: "with the whole team",
}
FACT_SHARED_THERE: dict[FactScope, str] = {
    **FACT_SHARED,
    FactScope.ME: "only with you, and only there",
    FactScope.CHANNEL: "with everybody in that channel, and nowhere else",
}
FACT_REFUSALS: dict[FactRefusal, str] = {
    FactRefusal.EMPTY: "There is nothing in that to remember.",
    FactRefusal.TOO_LONG: f"That's too long to remember: at most {LONGEST} characters, please. Nothing was stored.",
    FactRefusal.SECRET: "There is a secret in that, and I keep none. Nothing was stored.",
    FactRefusal.NOT_HERE: (
        "I remember that only if it's said in a public channel of this workspace alone: what is said in a private "
        "place stays there. Nothing was stored."
    ),
    FactRefusal.NOT_CORRECTED_HERE: (
        "I change that only where it was said, or in a public channel of this workspace alone: what is said in a "
        "private place stays there. Nothing changed."
    ),
    FactRefusal.FULL: (
        "I remember as much there as I may. Please let something go first: `/greenlight memory` lists it."
    ),
    FactRefusal.KNOWN: "I remember that already.",
    FactRefusal.OFF: "Remembering is switched off here.",
    FactRefusal.NO_SUCH: "I remember nothing with that id that you may change. `/greenlight memory` lists it all.",
    FactRefusal.NOT_YOURS: "What the team remembers is changed by who said it, or by an admin. Nothing changed.",
}
INSTRUCTIONS_TITLE = "How I work in this channel"
NO_INSTRUCTIONS = (
    "There are no instructions for this channel. `/greenlight instructions set ...` says how I should work here."
)
INSTRUCTIONS_HOW = (
    "`/greenlight instructions set ...` replaces what people wrote, `clear` takes it away; the operator's stay."
)
INSTRUCTIONS_USAGE = (
    "I didn't get that. `/greenlight instructions` shows how I work in this channel, `instructions set ...` and "
    "`instructions clear` change it; `/greenlight explain`, or `!explain` in a thread, says what shaped a plan."
)
INSTRUCTIONS_SET = "I'll work like that in this channel from now on. It spares no approval."
INSTRUCTIONS_CLEARED = "I'll no longer go by what people wrote for this channel."
INSTRUCTIONS_SECRET = "There is a secret in that, and I keep none. Nothing was stored."  # noqa: S105 -- words
GUIDANCE_NOT_HERE = "Only people in this channel can see or change that."
NOTHING_TO_EXPLAIN = "I haven't planned anything here yet."
EXPLAIN_TITLE = "What the newest plan here was made of"
EXPLAIN_INSTRUCTIONS, EXPLAIN_RUNBOOKS = "Instructions of this channel, as they are now", "Runbooks that I read"
WRITTEN_SINCE = "written since this plan began"
CLEARED_SINCE = "since this plan began"
SOMEBODY_ERASED = "somebody who was erased"
EXPLAIN_FACTS, EXPLAIN_TOOLS = "What I recalled", "Tools in the plan"
EXPLAIN_RULES = "Rules that decided about its calls"
EXPLAIN_DECISIONS = "What I decided on the way"
DECISIONS_ON_THE_WAY: Mapping[Choice, str] = {
    Choice.CONTINUE: "went on with the rest",
    Choice.REPLAN: "planned anew",
    Choice.END: "ended the plan",
    Choice.ASK: "asked you",
}
ENOUGH_FOUND, MORE_WANTED = "had what the answer needs", "wanted another round, and asked you first"
NO_REASON = "no reason given"


def decided_in(round_number: int, when: str, who: str) -> str:
    """Return of which round a decision was, when it was made, and for whom; the last two are ready mrkdwn or empty."""
    return ", ".join([f"round {round_number}", *filter(None, (when, who and f"for {who}"))])


FROM_THE_OPERATOR = "from the configuration"
NOT_USED, NONE_OF_THEM = "not used", "none"
SAVE_AS_RUNBOOK = "Save as runbook"
SAVING_RUNBOOK = "A draft of the runbook comes into the thread. Nothing is kept before somebody approves it."
SAVING_NEEDS_MEMBERS = "Only members of this channel can save its runs as runbooks."
DRAFT_TO_COPY = "A draft of a runbook. I have no folder to write it to: copy it to where your runbooks are."
NOTHING_TO_SAVE = "There is nothing that I can save as a runbook here."
TOOLS_HERE = "What I can use for you in this channel."
TOOLS_THAT_READ = "These only read, and run at once"
TOOLS_THAT_ASK = "These change something, and ask first"
NO_TOOLS_HERE = "There is nothing that I can use for you in this channel."
FREEZE_ADMINS_ONLY = "Only admins of this workspace can freeze or unfreeze changes. Nothing changed."
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
    ApprovalKind.INPUT: "A tool asks you",
    ApprovalKind.SET_ASIDE: "I've set this aside",
    ApprovalKind.CONNECT: "Connect your account",
}
"""The first words of a card."""

QUESTIONS: dict[ApprovalKind, str] = {
    ApprovalKind.APPROVE: "This changes something, so a person decides. Exactly this will run:",
    ApprovalKind.UNKNOWN: "I started this and can't tell whether it happened: I was interrupted, or the answer got "
    "lost. Please check, then tell me how to go on. This is what I had started:",
    ApprovalKind.ROUNDS: "I've changed the plan as often as I may on my own, and the work isn't done yet. "
    "Press a button, or write here what you want.",
    ApprovalKind.ASK: "Answer here in the thread, or press a button.",
    ApprovalKind.BUDGET: "Steps that are running will finish. Nothing new starts until somebody decides, and approvals "
    "already given still count. Shall I go on, with the same amount again?",
    ApprovalKind.INPUT: "It isn't I who asks: the words below are the tool's. It gets what you enter, so never enter a "
    "password or another secret. Until you answer, the step waits; all that doesn't need it goes on.",
    ApprovalKind.SET_ASIDE: "I broke down three times in a row while working on this, and got no further. So I won't "
    f"start it again on my own. *{TRY_AGAIN}* goes on from where it stood; *{LEAVE}* ends it and says what was done. "
    "You can also write here: anything you write makes me try again, and `!stop` makes me leave it.",
    ApprovalKind.CONNECT: "This step works with your own account there. Once you have connected it, the step goes on "
    "by itself. Until then it waits; all that doesn't need it goes on. `/greenlight accounts` disconnects it again.",
}
"""The question of a card."""

UNDOING: dict[Reversibility, str] = {
    Reversibility.REVERSIBLE: "Can be undone",
    Reversibility.COMPENSABLE: "Can be undone, but leaves traces",
    Reversibility.FINAL: "*Can't be undone*",
}
"""How a card says what becomes of a mistake."""

CONNECT_ACCOUNT, DONT_CONNECT, DISCONNECT = "Connect your account", "Don't connect", "Disconnect"
NOT_CONNECTED_ENDING = "*Not connected*{by}{on}. The step won't run."
NO_ACCOUNTS = "You haven't connected any account."
ACCOUNTS_TO_CONNECT = "These you could connect; a step that needs one asks you for it, too"
CONNECT = "Connect"
NO_PROVIDERS = "Nothing here works with people's own accounts."
YOUR_ACCOUNTS = "The accounts that you have connected"
ACCOUNT_UNKNOWN = "That account isn't connected any more."
PAGE_ONLY_YOU = (
    "Go on only if that is you, and if you have just asked for this in Slack. If somebody sent you the address of this "
    "page, close it: they could act in your name."
)
PAGE_CONNECTED, PAGE_NOT_CONNECTED = "Connected", "Not connected"
PAGE_BACK = "You can close this page and go back to Slack: the step goes on by itself."
PAGE_NOT_VALID = (
    "This doesn't count: it was used before, is too old, or was meant for somebody else or another browser. Nothing "
    "changed. Press the button in Slack again for a new link."
)
PAGE_NOTHING_HERE = "There is nothing here"
PAGE_FAILED, PAGE_TRY_AGAIN = "That didn't work", "Nothing changed. Please try again in a moment."

UNDO = "Undo…"
UNDO_FIRST_STOP = (
    "Something is still under way in this thread, so I undo nothing now. Write `!stop` to end it, or wait for its "
    "end; then write `!undo`."
)
NOTHING_TO_UNDO = "There's nothing to undo in this thread: I changed nothing here, or all of it was undone already."
UNDONE_BEFORE = "All that this run changed was undone already. Nothing happened."
THUMBS_UP = "👍 Helpful"
THUMBS_DOWN = "👎 Not helpful"
FEEDBACK_TITLE = "Your feedback"
FEEDBACK_ASKED = "Sorry this answer missed the mark. What should have been different?"
FEEDBACK_REASON = "Reason"
FEEDBACK_REASON_HINT = "A sentence helps a lot. You may also leave it empty."
FEEDBACK_SEND = "Send"
THANKED_UP = "Thank you, glad that helped."
THANKED_DOWN = "Thank you for saying so. We keep this run to learn from it."
FEEDBACK_FAILED = "That could not be saved just now. Please try again in a moment."
FEEDBACK_UNKNOWN = "I can't find this answer any more, so there is nothing to rate."
FEEDBACK_NEEDS_MEMBERS = "Only members of this channel can rate its answers."
UNDOING_NOW = "I'm on it: whatever can be undone gets a card of its own in the thread."
UNDO_ALONE = "Write `!undo` alone: it takes back what I changed last in this thread, after you approved each step."
UNDONE_TITLE, UNDONE_NOT, UNDONE_NOTHING = "This was undone:", "This was not undone:", "Nothing was undone."
UNDO_THE_UNDO = "Write `!undo` to take this back in turn."
UNDONE_BY_HAND = "done by hand"
MAYBE_UNDONE = "nobody knows whether it was undone; please check"
MAYBE_TWICE = "an earlier try may have changed something as well; please check"
LEFT: dict[Left, str] = {
    Left.UNKNOWN: "nobody knows whether it took effect; please check",
    Left.FINAL: "there is no way to take it back",
    Left.NO_TOOL: "the tool that would take it back isn't available here",
    Left.OVERWRITTEN: "a later step changed the same thing, and that stands or may stand",
}
"""Why no step undoes an effect."""


def undoes(title: str, by: str, at: str) -> str:
    """Return which effect a call takes back; `by` and `at` are empty when no person let it happen."""
    return f"Undoes: {title}" + (f", approved by {by} {at}".rstrip() if by else "")


def not_undone_because(title: str) -> str:
    """Return that an effect stands because one that came of it does."""
    return f"“{title}” was not undone first"


GIVEN = "set by a person"
SET_RESULT, SET_TITLE = "Set a result…", "Set a result"
SET_WHICH, SET_VALUE, SET = "Which step?", "Which result shall it have?", "Set"
SET_HINT = (
    "JSON, such as 17 or [1, 2], or plain text. What came from the old result runs again; what changes something asks."
)
SET_NOTHING = "No step of this thread has ended yet, so there is no result to set."
SETTING_NOW = "I'm on it: what came from the old result is planned anew."
HOW_TO_SET = "Write `!set STEP VALUE`: the step's id or title, then JSON or plain text, such as `!set total 17`."
CORRECTED: dict[Corrected, str] = {
    Corrected.FIRST: "Planned anew, since a person set a result that it comes from",
    Corrected.AGAIN: "*Done before with another value*; planned anew, since a person set a result that it comes from",
}
"""What a card says of a call that comes from a result which a person set."""


def given_title(name: str, step: str) -> str:
    """Return the title of a value that a person set; "" is a name nobody knows."""
    return f"{name or 'Somebody'} set “{step}”"


def set_anew(step: str) -> str:
    """Return why what came from a step's old result is withdrawn."""
    return f"the result of “{step}” was set by a person"


def unsettable(why: Why, name: str, steps: str) -> str:
    """Return why a result is not set; `name` is what was written, `steps` the steps that it is about, ready words."""
    match why:
        case Why.UNKNOWN:
            near = f" Did you mean {steps}?" if steps else ""
            return f"There's no step “{name}” in this thread.{near} {HOW_TO_SET}"
        case Why.AMBIGUOUS:
            return f"Several steps are called “{name}”: {steps}. Write the id of the one you mean."
        case Why.PART:
            return f"“{name}” is a part of {steps}, whose result I can set as a whole."
        case Why.UNFINISHED:
            return f"{steps} hasn't ended yet. Wait for its end, or write `!stop`; then set its result."
        case Why.NO_VALUE:
            return f"Nothing is set yet. {HOW_TO_SET}"
        case Why.TOO_LARGE:
            return "That value is too large, or can't be stored: 4 KiB is the most. Nothing was set."
        case _:
            assert_never(why)


def value_misfit(pointer: str, message: str) -> str:
    """Return what is wrong with a value; `pointer` is empty for the whole."""
    return f"Nothing was set: the step's result must fit its schema, and {pointer or 'the value'} doesn't: {message}"


def done_with_old_result(titles: str) -> str:
    """Return which calls were made with the old result; `titles` are ready words."""
    return (
        f"Done already with the old result, and not repeated without a yes: {titles}. Each has a card; `!undo` takes "
        "back what can be undone."
    )


def left_withdrawn(titles: str) -> str:
    """Return which steps do not run again with a set result; `titles` are ready words."""
    return f"Withdrawn before, so not run with the new result: {titles}. Ask me for it in words if you need it."


NOTHING_WAITS = "Nothing waits for this"
NO_HOST = "no valid address"
DRY_RUN = "The dry run says"
DRY_RUN_FAILED = "The dry run failed"
AS_IT_STANDS = "As it stands now"
NOTHING_TO_SEE = "(nothing)"
THE_PLAN = "the plan"
AND_MORE = "…"
EMPTY = "(empty)"
NO_ARGUMENTS = "_No arguments._"
SHOW, CONFIDENTIAL = "Show", "Confidential values"
CONFIDENTIAL_HELD_BACK = "Some values are confidential. People who may approve this can look at them."
CONFIDENTIAL_SHOWN = "Only you see this, and the audit says that you did."
CONFIDENTIAL_GONE = "There's nothing confidential to show here."
CONFIDENTIAL_FAILED = "I couldn't load this just now, so nothing was shown. Please close it and try again."
CONFIDENTIAL_TOO_LONG = (
    "These values are too long to show in full, so this can't be approved. Reject it, or ask for smaller steps."
)

NOBODY_HERE = (
    "*Nobody in this conversation may approve this.* Who can? Answer here with a person (`@name`) or a channel "
    "(`#name`) that I'm in, and nothing else, and I'll ask there. You can still reject it."
)
ASKED_FROM_ELSEWHERE = "This comes from a conversation in which nobody may approve it."

ESCALATED_HERE = "Nobody has decided this yet where it was asked, so I ask here, too."

VOTED_ALREADY = "You've already approved this, thanks. It takes somebody else now."

ASKED_AGAIN: dict[Again, str] = {
    Again.EXPIRED: "I'm asking again: nobody decided in time.",
    Again.TOO_OLD: "I'm asking again: the earlier approval was too long ago.",
    Again.NOT_ALLOWED: "I'm asking after all: it would have run without a card, and the rules have changed.",
}
"""Why a question is asked once more."""

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
    Decision.CHANGES: "*Changes requested*{by}{on}. It won't run as it was; I'll plan it anew.",
    Decision.BY_HAND: "*Done by hand*{by}{on}. Nothing ran.",
    Decision.ANSWERED: "*Answered*{by}{on}.",
    Decision.DECLINED: "*Declined*{by}{on}. The tool was told so.",
    Decision.CONNECTED: "*Connected*{by}{on}.",
}
"""How a question ended, and what follows (`_UNDECIDED` after an expiry)."""

_UNDECIDED: dict[ApprovalKind, str] = {
    ApprovalKind.APPROVE: "It won't run.",
    ApprovalKind.UNKNOWN: "It counts as failed and won't run again.",
    ApprovalKind.ROUNDS: "I'll answer with what there is.",
    ApprovalKind.ASK: "I'll answer with what there is.",
    ApprovalKind.BUDGET: "Nothing more will start; please ask again if you still need it.",
    ApprovalKind.INPUT: "The tool was told that nobody answered.",
    ApprovalKind.SET_ASIDE: "I leave it; please ask again if you still need it.",
    ApprovalKind.CONNECT: "The step won't run.",
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
    Refusal.ASKED_TOO: "What you wrote in this thread came before this was planned, so you count among those who asked "
    "for it, and somebody else has to approve it. You can still reject it.",
    Refusal.NOT_THE_AUTHOR: "Only the person who asked for this can answer.",
    Refusal.NOBODY: "Nobody may approve this: its list of approvers is empty. "
    "Please ask whoever runs this app to fill it in.",
}


def refusal(reason: Refusal, kind: ApprovalKind) -> str:
    """Return why someone may not decide, and what is left to them on a card of this kind."""
    if reason is Refusal.OWN_REQUEST and kind is ApprovalKind.UNKNOWN:
        return f"You asked for this yourself, so somebody else has to decide it. You can still press {GIVE_UP}."
    if reason is Refusal.ASKED_TOO and kind is ApprovalKind.UNKNOWN:
        return f"You count among those who asked for this, so somebody else decides it. You can still press {GIVE_UP}."
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


def approvers(policy: ApprovalPolicy, askers: Sequence[str], people: Iterable[str], groups: Iterable[str]) -> str:
    """Return who may approve, all in ready mrkdwn: `askers` asked for it, `people` and `groups` are the policy's."""
    but = "" if policy.self_approval else f", but not {listed(askers, most=5)}"
    if policy.users is None and policy.groups is None:
        return ANY_MEMBER + but
    named = [*people, *(f"anyone in {group}" for group in groups)]
    if not named:
        return "nobody, because the list of approvers is empty"
    return listed(named, most=10) + but


def named_in_arguments(names: str) -> str:
    """Return the line about ids in the arguments; `names` is ready mrkdwn."""
    return f"In the arguments: {names}"


def waits(steps: int, titles: str, progress: tuple[int, int] | None) -> str:
    """Return what waits for a decision, and how far the run is; `titles` is ready mrkdwn."""
    waiting = f"{counted(steps, 'step')} wait{'s' if steps == 1 else ''} for this: {titles}" if steps else NOTHING_WAITS
    done, of = progress or (0, 0)
    return f"{waiting}. {done} of {of} done" if of > 1 else waiting


def outside(name: str, titles: Iterable[str]) -> str:
    """Return the warning about an argument with text that strangers wrote; the words are ready mrkdwn."""
    return f"*Careful:* *{name}* holds text from outside: {listed((f'“{title}”' for title in titles), most=4)}"


def message_of(who: str) -> str:
    """Return a person's message as where a value comes from; `who` is ready mrkdwn."""
    return f"{who}'s message"


def tool_named(tool: str) -> str:
    """Return the line that names the tool of a call; ready mrkdwn."""
    return f"Tool: {tool}"


def message_to(channel: str) -> str:
    """Return the label of a message as it will look."""
    return f"Message to {channel}"


def request_to(method: str, host: str) -> str:
    """Return the label of an HTTP request."""
    return f"{method} to {host}"


def change_of(name: str) -> str:
    """Return the label of an edit; the name of what is edited may be empty."""
    return f"Change of {name}" if name else "The change"


def new_file(path: str, *, executable: bool) -> str:
    """Return the label of a file that is made."""
    return f"New file {path}{_that_runs(executable)}"


def deleted_file(path: str, *, executable: bool) -> str:
    """Return the label of a file that is deleted."""
    return f"Deleted file {path}{_that_runs(executable)}"


def _that_runs(executable: bool) -> str:
    return " (executable)" if executable else ""


def origin(argument: str, sources: Iterable[str]) -> str:
    """Return where an argument's value comes from; all are ready mrkdwn."""
    return f"{argument}: {' and '.join(sources)}"


def changed_since(*, approved: bool) -> str:
    """Return the label of what is another way than it was when somebody let a call run, or was asked about it."""
    return "Changed since you approved" if approved else "Changed since I asked"


def world_state(state: Mapping[str, Json]) -> str:
    """Return what a call is about to change, a line for each of its parts."""
    return _lines(_parts(state))


def world_change(was: Mapping[str, Json], now: Mapping[str, Json]) -> str:
    """Return how what a call is about to change differs from before, a line for each part that does."""
    if was.get("account") == now.get("account") and "read" in was and "unread" in now:
        return f"{_unread(now)}. So I don't know whether it is still as it was."
    if was.get("account") == now.get("account") and "unread" in was and "read" in now:
        return f"I couldn't read it before. Now it reads:\n{world_state(now)}"
    before, after = _parts(was), _parts(now) if now else {}
    differing = {
        part: f"was {before.get(part, NOTHING_TO_SEE)}, is {after.get(part, NOTHING_TO_SEE)}"
        for part in {**before, **after}
        if before.get(part) != after.get(part)
    }
    return _lines(differing) or "It reads as before, and the change was refused all the same."


def _unread(state: Mapping[str, Json]) -> str:
    return f"I couldn't read it: {failure(str(state.get('unread')))}"


def _lines(parts: Mapping[str, str]) -> str:
    return "\n".join(f"{part}: {value}" if part else value for part, value in parts.items())


def _parts(state: Mapping[str, Json]) -> dict[str, str]:
    """Return part -> its value in words; of a state without parts, all of it under no name."""
    account = account_in(state)
    if account is not None:
        rest = {key: value for key, value in state.items() if key != "account"}
        return {"runs as": runs_as(account)} | (_parts(rest) if rest else {})
    if "read" not in state:
        return {"": _unread(state)}
    value = state["read"]
    if isinstance(value, Mapping) and value:
        return {name.replace("_", " "): _value(part) for name, part in value.items()}
    return {"": _value(value)}


def _value(value: Json) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case str() if value.isprintable():
            return value or EMPTY
        case _:
            return json.dumps(value, ensure_ascii=False)


def origins(lines: str) -> str:
    """Return the line about where values come from; `lines` is ready mrkdwn."""
    return f"Values from: {lines}"


def confidential_value(value: Json) -> str:
    """Return what stands in place of a confidential value: its type and length."""
    match value:
        case str():
            what = f"text, {counted(len(value), 'character')}"
        case Mapping():
            what = f"object, {counted(len(value), 'key')}"
        case list() | tuple():
            what = f"list, {counted(len(value), 'item')}"
        case bool():
            what = "yes or no"
        case None:
            what = "nothing"
        case _:
            what = "number"
    return f"(confidential: {what})"


def and_also(whom: Sequence[str]) -> str:
    """Return who may approve when several policies hold at once."""
    first, *others = whom
    return first + "".join(f"; they must also be one of: {other}" for other in others)


def or_else(who: str, more: str) -> str:
    """Return who may approve once others were asked, too; both are ready mrkdwn, `more` may be empty."""
    return f"{who}; also {more}" if more else who


def votes(given: int, needed: int, people: str) -> str:
    """Return how many of the approvals are there; `people` is ready mrkdwn and may be empty."""
    return f"*{given} of {needed} approved*{f': {people}' if people else ''}"


def stage(number: int, stages: int) -> str:
    """Return which of several stages is under way."""
    return f"Step {number} of {stages} of the approval"


def reminder(title: str, who_may: str) -> str:
    """Return the reminder of an open question; both are ready mrkdwn."""
    return f":bell: “{title}” still waits for a decision. Who may decide: {who_may}"


def refused_by_rule(words: str) -> str:
    """Return why a request can no longer be approved; `words` are the rule's, ready mrkdwn."""
    return f"This can't be approved any more: {words}. You can still reject it."


def escalated_to(places: str) -> str:
    """Return whom else a request was shown to after a while; `places` is ready mrkdwn."""
    return f"Nobody decided for a while, so I also asked {places}."


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


def details_of(shown: int, steps: int, *, scripts: bool) -> str:
    """Return what a menu of steps is for, and how many of them it holds if not all; `scripts`: they all are."""
    words = f"Details of a {'script' if scripts else 'step'}…"
    return words if shown == steps else f"{words} ({shown} of {steps})"


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


def wants_to_know(names: str) -> str:
    """Return what a tool asks for; `names` are those of the fields."""
    return f"It wants to know: {names}"


def only_person(who: str) -> str:
    """Return who may answer a tool; `who` is ready mrkdwn."""
    return f"{who}, who asked for this"


def decision_words(kind: ApprovalKind, decision: Decision, who: str, when: str) -> str:
    """Return how a question ended, and what follows; `who` and `when` are ready mrkdwn, and may be empty."""
    by = f" by {who}" if who else ""
    on = f" on {when}" if when else ""
    if kind is ApprovalKind.CONNECT and decision is Decision.DECLINED:
        return NOT_CONNECTED_ENDING.format(by=by, on=on)
    return _ENDINGS[decision].format(by=by, on=on, then=_UNDECIDED[kind])


def in_words(decision: Decision, words: str) -> str:
    """Return a line with what a person said to a decision; `words` is ready mrkdwn."""
    label = {Decision.APPROVED: "Comment", Decision.CHANGES: "To change", Decision.BY_HAND: "What came out"}
    return f"{label.get(decision, 'Reason')}: {words}"


def wants_account(title: str) -> str:
    """Return whose account a card is about; `title` is ready mrkdwn."""
    return f"Connect your account: {title}"


def waits_for_account(who: str, title: str) -> str:
    """Return the line of a thread in which a step waits; both are ready mrkdwn."""
    return (
        f"This step works with the account of {who} at {title}, and waits until they connect it. I've sent them a "
        "direct message. Only they can connect it; all that doesn't need it goes on."
    )


def connect_link(url: str, title: str) -> str:
    """Return what only the person reads who connects an account; `title` is ready mrkdwn."""
    return (
        f"<{url}|Connect your account at {title}>\nThis link is yours alone and counts once, for ten minutes. Don't "
        "pass it on: whoever follows it would give you *their* account."
    )


def runs_as(account: Account) -> str:
    """Return whose account a call runs as, literally."""
    if not account.provider:
        return "the app"
    return f"{account.subject or 'the person who asked'} at {account.provider}"


def runs_as_line(who: str) -> str:
    """Return the line of a card; `who` is ready mrkdwn."""
    return f"Runs as {who}"


def account_line(title: str, subject: str, since: str, scopes: str) -> str:
    """Return a line about a connected account; all are ready mrkdwn, and may be empty but the first."""
    found = {"as": subject, "since": since, "may:": scopes}
    parts = [f"{word} {what}" for word, what in found.items() if what]
    return ", ".join([f"*{title}*", *parts])


def disconnected(how: Disconnected, title: str) -> str:
    """Return what became of an account; `title` is ready mrkdwn."""
    match how:
        case Disconnected.NOT_THERE:
            return ACCOUNT_UNKNOWN
        case Disconnected.HERE:
            return (
                f"Disconnected: I have deleted your account at {title}. It didn't confirm that it took back what I "
                "had, so you may want to look there as well."
            )
        case Disconnected.EVERYWHERE:
            return f"Disconnected: I have deleted your account at {title}, and it took back what I had."


def page_title(title: str) -> str:
    """Return the title of the page before a provider's."""
    return f"Connect an account at {title}"


def page_whose(name: str, title: str) -> str:
    """Return in whose name the app will act; `name` is how Slack names the person."""
    return f"Greenlight will act at {title} for {name} in Slack, with the account that you log in with there."


def page_go_on(title: str) -> str:
    """Return the label of the button that leads to a provider."""
    return f"Go on to {title}"


def page_connected(title: str, subject: str) -> str:
    """Return that an account is connected."""
    return f"Your account at {title} is connected" + (f": {subject}." if subject else ".")


def page_refused(title: str) -> str:
    """Return that a provider, or the person there, said no."""
    return f"{title} did not allow it. Nothing changed. The button in Slack begins anew."


def page_unreachable(title: str) -> str:
    """Return that a provider could not be asked."""
    return f"{title} could not be asked just now. Nothing changed. Please try again later with the button in Slack."


def looking(who: str) -> str:
    """Return the line of an open card about who looks at it; `who` is ready mrkdwn."""
    return f"*{who} is looking at it*"


def edited_by(who: str) -> str:
    """Return the line above what somebody changed; `who` is ready mrkdwn."""
    return f"*Changed by {who}:*"


def does_not_fit(issue: str) -> str:
    """Return why a field of a form is refused; `issue` is literal."""
    return f"This doesn't fit: {issue}"


def with_your_words(notice: str, words: str) -> str:
    """Return a notice that gives back what the person had typed; both are ready mrkdwn."""
    return f"{notice}\n\nYou had written: {words}" if words else notice


def approved_together(counted_ones: int, of: int, refused: Iterable[str]) -> str:
    """Return how many of the requests counted that were approved together; `refused` are ready mrkdwn."""
    head = f"Approved {counted_ones} of {of}."
    return "\n".join([head, *(f"• {line}" for line in refused)])


def approve_with(to_come: int) -> str:
    """Return the label of the button that opens the form with all that will ask."""
    return f"Approve with {counted(to_come, 'step')} to come…"


def from_step(title: str) -> str:
    """Return what stands for a value that a step will fill in."""
    return f"[from “{title}”]"


def steps_approved(who: str, steps: int) -> str:
    """Return what everybody reads about steps that run unasked; `who` is ready mrkdwn."""
    return f"{who} approved {counted(steps, 'step')} ahead. Anything else than what was listed still asks:"


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


def thinking(time: timedelta) -> str:
    """Return the state of a turn that waits for the model alone: `Thinking for 40 s`."""
    minutes, seconds = divmod(int(time.total_seconds()), 60)
    parts = [f"{minutes} min" if minutes else "", f"{seconds} s" if seconds else ""]
    return f"Thinking for {' '.join(part for part in parts if part)}"


def spending(took: str, *, ended: bool, calls: int, tokens: int, cost: str, cached: int = 0) -> str:
    """Return what a turn took: `Took 12.3 s · 2 model calls · 4,210 tokens (1,900 cached) · $0.0031`."""
    parts = [(f"Took {took}" if ended else f"{took} of work so far") if took else ""]
    if calls:
        found = f" ({cached:,} cached)" if cached else ""
        parts += [counted(calls, "model call"), f"{tokens:,} tokens{found}", cost]
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


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 step`, `2 steps`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


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


def patterns(known: Iterable[tuple[str, str]]) -> str:
    """Return the patterns of plans that people can ask for: name and purpose."""
    lines = "\n".join(f"• *{name}*: {purpose}." for name, purpose in known)
    if not lines:
        return "There are no patterns here: the roles or tools they need are switched off."
    return f"Ask for one by its name, as in “Write the release note, with the pattern review”:\n{lines}"


def tools_of_groups(number: int) -> str:
    """Return how many tools of this channel the reader may not use."""
    return f"{number} more {'is' if number == 1 else 'are'} here for people of certain groups only."


def more_tools(number: int) -> str:
    """Return how many tools are not listed."""
    return f"… and {number} more."


def frozen(what: str, *, new: bool) -> str:
    """Return what an admin reads who froze the changes `what`."""
    return f"Frozen: {what}. Cards stay, and nothing runs until it's lifted." if new else f"Already frozen: {what}."


def lifted(what: str, *, new: bool, left: Iterable[str]) -> str:
    """Return what an admin reads who lifted a freeze; `left` are those that still stand."""
    head = f"Lifted: {what}. Approved changes go on." if new else f"There was no freeze of {what}."
    still = ", ".join(left)
    return f"{head} Still frozen: {still}." if still else head


def frozen_now(what: Iterable[str]) -> str:
    """Return how a status names the freezes that stand."""
    return f"*Frozen by an admin:* {', '.join(what)}"


def freeze_words(scope: FreezeScope, target: str) -> str:
    """Return which changes a freeze is about."""
    match scope:
        case FreezeScope.WORKSPACE:
            return "all changes"
        case FreezeScope.CHANNEL:
            return f"changes from <#{target}>"
        case FreezeScope.TOOL:
            return f"changes by `{target}`"


MAKE_RULE, MAKE_RULE_NOW, REVOKE, NEXT = "Make a rule…", "Make the rule", "Revoke", "Next"
RULE_TITLE = "A standing rule"
RULE_LIFETIME = "The rule lasts"
RULE_USES = "It may be used"
ANY_VALUE = "anything"
NO_RULES = "There are no standing rules in this channel."
RULES_HERE = "*What runs here without asking:*"
RULE_GONE = "I no longer have what this rule would be made of. Nothing changed."
RULE_NOT_ALIKE = "These calls have too little in common for a rule. Nothing changed."
RULE_NOT_YOURS = "You may not approve such calls yourself, so you can't make a rule for them. The card says who may."
RULE_NOT_YOURS_TO_END = (
    "Only who made this rule, who may approve such calls, or an admin can revoke it. Nothing changed."
)
RULE_UNCHECKED = "I couldn't check just now whether you may do this. Nothing changed. Please try again."
RULES_NEED_MEMBERS = "Only members of this channel can see its rules."
DECIDED_WORDS: dict[Decision, str] = {Decision.APPROVED: "approved by", Decision.REJECTED: "*rejected* by"}
"""How a past call was decided, before the name."""


def rule_offer(times: int, tool: str) -> str:
    """Return the offer to make a rule; `tool` is ready mrkdwn."""
    return (
        f"Calls like this one ({tool}) were approved here {times} times lately. Shall they run without asking, "
        "within limits that you set?"
    )


def rule_question(tool: str) -> str:
    """Return the head of the first page; `tool` is ready mrkdwn."""
    return f"*Which calls of {tool} from this channel run without asking?* Everything else still asks."


def rule_argument(name: str) -> str:
    """Return the label of the choice for an argument."""
    return f"{name} may be"


def rule_made_of(tool: str, uses: int, until: str) -> str:
    """Return the head of the second page; `tool` and `until` are ready mrkdwn."""
    return (
        f"*Calls of {tool} from this channel run without asking,* at most {counted(uses, 'time')}, until {until}, if:"
    )


def rule_preview(covered: int, past: int, days: int) -> str:
    """Return how much of the past the rule would have covered."""
    return f"*In the last {days} days* it would have covered {covered} of {counted(past, 'call')} that I asked about."


def rule_rejected(rejected: int) -> str:
    """Return the warning that people said no to such calls."""
    return f"*Careful: {counted(rejected, 'of these calls was', 'of these calls were')} rejected.*"


def rule_made(who: str, tool: str, uses: int, until: str) -> str:
    """Return what everybody reads about a new rule; the words are ready mrkdwn."""
    return (
        f"{who} made a standing rule: calls of {tool} from this channel run without asking, at most "
        f"{counted(uses, 'time')}, until {until}. `/greenlight rules` lists and revokes rules."
    )


def rule_line(tool: str, who: str, left: int, until: str) -> str:
    """Return a rule in the list; the words are ready mrkdwn."""
    return f"*{tool}*, by {who}: {counted(left, 'use')} left, until {until}"


def rule_revoked(*, stood: bool) -> str:
    """Return what a person reads who revoked a rule."""
    return "Revoked. From now on these calls ask again." if stood else "This rule had ended already."


GROUP_QUESTION = "Each of these changes something, so a person decides. Exactly these will run:"
IN_COMMON = "In common"
SAME_CALL = "(the same as above)"


def group_title(calls: int, tool: str) -> str:
    """Return the first words of a card with several requests; `tool` is ready mrkdwn, empty when they differ."""
    return f"Approval needed: {calls} calls of {tool}" if tool else f"Approval needed: {calls} calls"


def approve_all(calls: int) -> str:
    """Return the label of the button that approves all open requests of a card."""
    return f"Approve all {calls}"


def reject_all(calls: int) -> str:
    """Return the label of the button that rejects all open requests of a card."""
    return f"Reject all {calls}"


def group_refused(counted_clicks: int, of: int, reasons: Iterable[str]) -> str:
    """Return what a person reads whose click decided some requests of a card, or none, and why not the others."""
    head = f"Your click counted for {counted_clicks} of {of}." if counted_clicks else "Your click changed nothing."
    return "\n".join([head, *(f"• {reason}" for reason in dict.fromkeys(reasons))])


def fact_kept(fact: str, id: str, scope: FactScope, until: str) -> str:
    """Say what is remembered from now on; `fact` is ready mrkdwn, `until` a time or empty."""
    lasting = f" until {until}" if until else ""
    shared = f"I share it {FACT_SHARED[scope]}."
    return f"I'll remember{lasting}: “{fact}”. {shared} `/greenlight memory forget {id}` makes me forget it."


def facts_shared(scope: FactScope) -> str:
    """Return the heading of the facts of a place: with whom they are shared."""
    return f"Shared {FACT_SHARED[scope]}"


def fact_shared_there(scope: FactScope) -> str:
    """Say with whom a fact is shared that was said elsewhere."""
    return f"shared {FACT_SHARED_THERE[scope]}"


def fact_corrected(fact: str) -> str:
    """Say what a fact is now."""
    return f"I remember it like this from now on: “{fact}”."


def fact_forgotten(fact: str) -> str:
    """Say which fact is gone."""
    return f"I have forgotten: “{fact}”."


def facts_forgotten(count: int) -> str:
    """Say how much of a person's is gone."""
    if not count:
        return MEMORY_NONE_OF_YOURS
    return f"I have forgotten {count} {'thing' if count == 1 else 'things'} about you."


def fact_told(by: str, at: str, until: str) -> str:
    """Return who said a fact when, and how long it holds."""
    return f"{by}, {at}" + (f", until {until}" if until else "")


def fact_proposed(by: str, at: str, until: str) -> str:
    """Return in whose request a fact was proposed, when, and how long it holds."""
    return f"my words, in {by}'s request, {at}" + (f", until {until}" if until else "")


def fact_approved_by(person: str) -> str:
    """Return who approved a fact."""
    return f"approved by {person}"


def fact_confidence(confidence: float) -> str:
    """Return how sure a fact is, from 0 to 1."""
    return f"{confidence:.0%} sure"


def fact_from_outside(titles: Iterable[str]) -> str:
    """Say where the text comes from that strangers wrote and that a fact holds."""
    return f"holds text from outside: {listed((f'“{title}”' for title in titles), most=4)}"


def fact_deleted(id: str, by_and_when: str) -> str:
    """Name a fact that a person deleted."""
    return f"a fact that was deleted {by_and_when} (`{id}`)"


def fact_expired(id: str) -> str:
    """Name a fact that nobody deleted, and that is gone."""
    return f"a fact that has expired (`{id}`)"


def instructions_cleared(by_and_when: str) -> str:
    """Say that people's instructions of a channel are gone."""
    return f"what people wrote was cleared {by_and_when}"


def done_by(person: str, when: str) -> str:
    """Return by whom and when something was done."""
    return f"by {person}, {when}"


def fact_of_one(person: str, id: str) -> str:
    """Name a fact that is one person's own where others read it."""
    return f"something that only {person} may read (`{id}`)"


def fact_corrected_by(person: str) -> str:
    """Return who corrected a fact."""
    return f"corrected by {person}"


def more_facts(count: int, command: str) -> str:
    """Say how many facts a list leaves out, and which command shows the next."""
    return f"_… and {count} older ones: `/greenlight {command}`._"


def instructions_too_long(most: int) -> str:
    """Say how long instructions may be."""
    return f"That's too long: instructions have at most {most:,} characters. Nothing was stored."


def saved_already(name: str) -> str:
    """Say that a runbook has the steps of a run already."""
    return f"The runbook {name} has these steps already."


def followed_runbooks(names: str) -> str:
    """Say which runbooks a plan follows."""
    return f"Runbook: {names}"


def of_canvas(title: str, channel: str = "") -> str:
    """Say that a runbook is a canvas, by its ready title; with the mention of a channel also where."""
    return f"canvas {title}, pinned in {channel}" if channel else f"canvas {title}"


def bytes_of(size: int) -> str:
    """Return a size: `900 bytes`, `31.2 KB`, `1.0 MB`."""
    if size < 1000:
        return counted(size, "byte")
    return f"{size / 1000:.1f} KB" if size < 999_950 else f"{size / 1_000_000:.1f} MB"


def file_posted(name: str) -> str:
    """Return what stands above the files once one was posted."""
    return f"I posted “{name}” in the thread."


def file_evicted(at: datetime, why: Evicted) -> str:
    """Return why a file is no longer kept."""
    return f"No longer kept since {at:%Y-%m-%d}: {_EVICTED[why]}."


_EVICTED = {
    Evicted.AGE: "it was older than files are kept",
    Evicted.RUN_QUOTA: "the files of its run had become too large",
    Evicted.THREAD_QUOTA: "the files of this thread had become too large",
    Evicted.TENANT_QUOTA: "the files of this workspace had become too large",
}
