"""The repair of scripts, decided without effects: requests to the model, rules for rewrites, and when it ends."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from agent.events import AttemptEnded, RecordedAnswer, SummarizedCall
from agent.limits import DEFAULT_LIMITS
from agent.llm.prompts import crash_message
from agent.packing.script_checks import script_issues
from agent.plan.file_names import FILES_WRITE
from agent.plan.json_values import ending, json_issue_in, sanitized_text, truncated
from agent.plan.operations import Node, canonical_json
from agent.plan.outcomes import Failed, state_of
from agent.plan.script_calls import DecidedCalls
from agent.ports import ChatMessage
from agent.tool import CallContext
from sandbox.script import Json, OutcomeKind, ScriptOutcome

ATTEMPTS = 3
DENIALS = 2
"""The repair ends at this many attempts that called a forbidden tool: the model was told after the first."""

DENIED = "sandbox_denied"

_TRACEBACK_CHARACTERS = 4000
_LOGS_CHARACTERS = 4000
_MESSAGE_CHARACTERS = 1000
_STORY_CHARACTERS = 2000
_STORY_LINE_CHARACTERS = 150
_CALLS_SHOWN = 40
_CALL_CHARACTERS = 400
_CALLS_CHARACTERS = 4000


def attempt_ended(
    outcome: ScriptOutcome,
    context: CallContext,
    *,
    number: int,
    code: str,
    at: datetime,
    answers: tuple[RecordedAnswer, ...],
) -> AttemptEnded:
    """Return the row of an attempt: its texts truncated and storable, all of its calls."""
    error = outcome.error
    return AttemptEnded(
        node=context.node,
        attempt=number,
        kind=outcome.kind.value,
        code=code,
        error=_summarized(f"{error.type}: {error.message}", _MESSAGE_CHARACTERS) if error else "",
        traceback=_summarized(error.traceback, _TRACEBACK_CHARACTERS) if error else "",
        milliseconds=outcome.milliseconds,
        at=at,
        logs=ending(sanitized_text(outcome.logs), _LOGS_CHARACTERS),
        calls=tuple(
            SummarizedCall(
                tool=_summarized(call.tool, _CALL_CHARACTERS),
                args=_summarized(json.dumps(call.args, ensure_ascii=False), _CALL_CHARACTERS),
                ok=call.ok,
                milliseconds=round(call.milliseconds, 1),
            )
            for call in outcome.calls
        ),
        of=context.idempotency_key,
        answers=answers,
    )


def _summarized(text: str, characters: int) -> str:
    return truncated(sanitized_text(text), characters)


def crash_request(node: Node, inputs: Mapping[str, Json], crashed: AttemptEnded, decided: DecidedCalls) -> ChatMessage:
    """Return the request to the model after a crash."""
    type_, _, message = crashed.error.partition(": ")
    return crash_message(
        goal=_goal(node, inputs, decided),
        script=crashed.code,
        kind=crashed.kind,
        type=type_,
        message=message,
        traceback=crashed.traceback,
        logs=crashed.logs,
        calls=[asdict(call) for call in crashed.calls[-_CALLS_SHOWN:]],
    )


def refusal_request(
    node: Node, inputs: Mapping[str, Json], crashed: AttemptEnded, refusal: str, decided: DecidedCalls
) -> ChatMessage:
    """Return the request to the model after a rewrite that breaks the rules."""
    return crash_message(
        goal=_goal(node, inputs, decided),
        script=crashed.code,
        kind=OutcomeKind.ERROR.value,
        type="RewriteRefused",
        message=refusal,
    )


def _goal(node: Node, inputs: Mapping[str, Json], decided: DecidedCalls) -> str:
    lines = [node.title, f"Tools: {', '.join(node.tools) or 'none'}"]
    if inputs:
        lines.append(f"Inputs: {truncated(json.dumps(inputs, ensure_ascii=False), _MESSAGE_CHARACTERS)}")
    if node.result_schema is not None:
        lines.append(f"Result schema: {canonical_json(node.result_schema)}")
    if decided.nodes:
        calls: list[Json] = [
            {"tool": call.tool, "args": call.args, "state": state_of(decided.outcomes[position]).value}
            for position, call in decided.nodes.items()
        ]
        text = truncated(json.dumps(calls, ensure_ascii=False), _CALLS_CHARACTERS)
        lines.append(f"Calls that people decided on, made once and answered from now on: {text}")
    return "\n".join(lines)


def rewrite_refusal(script: str, node: Node, attempts: Sequence[AttemptEnded]) -> str | None:
    """Return why a rewrite may not run, or None.

    It may use the declared tools only, be as long as any script, and repeat no script that crashed. Limits and colours
    need no check here: the limits are the node's, and the host checks each call.
    """
    if issues := script_issues(script, {*node.tools, FILES_WRITE}, DEFAULT_LIMITS.code_bytes):
        return "; ".join(issues)
    if json_issue_in(script, strict_text=True) is not None:
        return "the script holds a NUL or a lone surrogate"
    same = [attempt.attempt for attempt in attempts if attempt.code.strip() == script.strip()]
    if not same:
        return None
    if attempts[-1].attempt in same:
        return "this is the script that crashed"
    return f"this is the script of attempt {same[0]}, which crashed"


def final_failure(attempts: Sequence[AttemptEnded], permits: Callable[[str], bool]) -> Failed | None:
    """Return how a package ends after a crash, or None when another attempt is allowed.

    `permits` says whether the package's scripts may call a tool.
    """

    def was_denied(attempt: AttemptEnded) -> bool:
        return any(not call.ok and not permits(call.tool) for call in attempt.calls)

    if attempts[-1].kind == OutcomeKind.PROTOCOL.value:
        return failure_story(attempts, "a script that breaks the protocol is not repaired")
    if sum(map(was_denied, attempts)) >= DENIALS:
        story = failure_story(attempts, "it kept calling tools that it may not call")
        return Failed(error=DENIED, message=story.message)
    if len(attempts) >= ATTEMPTS:
        return failure_story(attempts, f"{ATTEMPTS} attempts are the most")
    return None


def failure_story(attempts: Sequence[AttemptEnded], why: str = "") -> Failed:
    """Return the failure of the last attempt, with a line on each when there were several.

    `why` says what ended the repair.
    """
    last = attempts[-1]
    message = f"{last.error}\n{last.traceback}".strip()
    if len(attempts) > 1:
        lines = [f"Attempt {attempt.attempt}, {attempt.kind}: {_first_line(attempt.error)}" for attempt in attempts]
        lines.append(f"No further attempt: {why}.")
        message = truncated(message, _STORY_CHARACTERS - sum(len(line) + 1 for line in lines))
        message = "\n".join([message, *lines])
    elif why:
        message = f"{truncated(message, _STORY_CHARACTERS)}\nNot repaired: {why}."
    return Failed(error=f"sandbox_{last.kind}", message=message)


def _first_line(error: str) -> str:
    line = (error.splitlines() or [""])[0]
    return line if len(line) <= _STORY_LINE_CHARACTERS else f"{line[: _STORY_LINE_CHARACTERS - 1]}…"
