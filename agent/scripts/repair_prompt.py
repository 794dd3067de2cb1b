"""What the Reflexion model is told of a crash, what a rewrite must keep to, and how a package's story is told. Pure."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.events import AttemptEnded, SummarizedCall
from agent.limits import DEFAULT_LIMITS
from agent.llm.prompts import Crash, crash_message
from agent.packing.script_checks import script_issues
from agent.plan.json_values import ending, json_issue_in, sanitized_text, truncated
from agent.plan.operations import Node, canonical_json
from agent.plan.outcomes import Failed
from agent.ports import ChatMessage
from sandbox.script import CallRecord, Json, OutcomeKind

ATTEMPTS = 3
DENIALS = 2
"""With the second attempt that called a tool it may not call, the repair ends: it was told after the first."""

_TRACEBACK_CHARACTERS = 4000
_LOGS_CHARACTERS = 4000
_MESSAGE_CHARACTERS = 1000
_STORY_CHARACTERS = 2000
_STORY_LINE_CHARACTERS = 150
_CALLS_SHOWN = 40
_CALL_CHARACTERS = 400

DENIED = "sandbox_denied"

Permits = Callable[[str], bool]
"""Tells whether the package's scripts may call a tool."""


def summarized_message(text: str) -> str:
    """Return an error's message short enough to be told."""
    return truncated(sanitized_text(text), _MESSAGE_CHARACTERS)


def summarized_traceback(text: str) -> str:
    """Return a traceback short enough to be told: where it begins and where it ends."""
    return truncated(sanitized_text(text), _TRACEBACK_CHARACTERS)


def summarized_logs(text: str) -> str:
    """Return the end of a script's logs."""
    return ending(sanitized_text(text), _LOGS_CHARACTERS)


def summarized_calls(calls: Sequence[CallRecord]) -> tuple[SummarizedCall, ...]:
    """Return calls short enough to be told, all of them: their number has a limit."""
    return tuple(
        SummarizedCall(
            tool=truncated(sanitized_text(call.tool), _CALL_CHARACTERS),
            args=truncated(sanitized_text(json.dumps(call.args, ensure_ascii=False)), _CALL_CHARACTERS),
            ok=call.ok,
            milliseconds=round(call.milliseconds, 1),
        )
        for call in calls
    )


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What every script of one package is for: the node, and what it was given."""

    node: Node
    inputs: Mapping[str, Json]

    def crash(self, attempt: AttemptEnded) -> ChatMessage:
        """Return what the model is asked after a crash."""
        type_, _, message = attempt.error.partition(": ")
        return self._crash(
            attempt.code,
            kind=attempt.kind,
            type=type_,
            message=message,
            traceback=attempt.traceback,
            logs=attempt.logs,
            calls=attempt.calls[-_CALLS_SHOWN:],
        )

    def refused(self, crashed: AttemptEnded, refusal: str) -> ChatMessage:
        """Return what the model is asked after a rewrite that breaks the rules."""
        return self._crash(crashed.code, kind=OutcomeKind.ERROR.value, type="RewriteRefused", message=refusal)

    def _crash(
        self,
        code: str,
        *,
        kind: str,
        type: str,
        message: str,
        traceback: str = "",
        logs: str = "",
        calls: Sequence[SummarizedCall] = (),
    ) -> ChatMessage:
        told: list[Mapping[str, Json]] = [
            {"tool": each.tool, "args": each.args, "ok": each.ok, "milliseconds": each.milliseconds} for each in calls
        ]
        return crash_message(
            Crash(
                goal=self._goal(),
                script=code,
                kind=kind,
                type=type,
                message=message,
                traceback=traceback,
                logs=logs,
                calls=told,
            )
        )

    def _goal(self) -> str:
        lines = [self.node.title, f"Tools: {', '.join(self.node.tools) or 'none'}"]
        if self.inputs:
            lines.append(f"Inputs: {truncated(json.dumps(self.inputs, ensure_ascii=False), _MESSAGE_CHARACTERS)}")
        if self.node.result_schema is not None:
            lines.append(f"Result schema: {canonical_json(self.node.result_schema)}")
        return "\n".join(lines)


def refusal_of(script: str, node: Node, attempts: Sequence[AttemptEnded]) -> str | None:
    """Return why a rewrite may not run, or None: the same tools or fewer, no more code, and no script that crashed.

    Limits and colours are no part of a script: the limits are the package's, and each call is checked
    on the host, whatever a script looks like.
    """
    flaws = script_issues(script, frozenset(node.tools), DEFAULT_LIMITS.code_bytes)
    if flaws:
        return "; ".join(flaws)
    if json_issue_in(script, strict_text=True) is not None:
        return "the script holds a NUL or a lone surrogate"
    if script.strip() == attempts[-1].code.strip():
        return "this is the script that crashed"
    same = [each.attempt for each in attempts if each.code.strip() == script.strip()]
    return f"this is the script of attempt {same[0]}, which crashed" if same else None


def denied(attempt: AttemptEnded, permits: Permits) -> bool:
    """Tell whether the attempt called a tool that it may not call."""
    return any(not call.ok and not permits(call.tool) for call in attempt.calls)


def end_of(attempts: Sequence[AttemptEnded], permits: Permits) -> Failed | None:
    """Return how a package ends after a crash without another attempt, or None when there may be one."""
    if attempts[-1].kind == OutcomeKind.PROTOCOL.value:
        return story(attempts, "a script that breaks the protocol is not repaired")
    if sum(denied(each, permits) for each in attempts) >= DENIALS:
        failed = story(attempts, "it kept calling tools that it may not call")
        return Failed(error=DENIED, message=failed.message)
    if len(attempts) >= ATTEMPTS:
        return story(attempts, f"{ATTEMPTS} attempts are the most")
    return None


def story(attempts: Sequence[AttemptEnded], why: str = "") -> Failed:
    """Return how the last attempt ended and, when there were others, how each did; `why` says what ended the repair."""
    last = attempts[-1]
    message = f"{last.error}\n{last.traceback}".strip()
    if len(attempts) > 1:
        told = [f"Attempt {each.attempt}, {each.kind}: {_first_line(each.error)}" for each in attempts]
        told.append(f"No further attempt: {why}.")
        message = truncated(message, _STORY_CHARACTERS - sum(len(each) + 1 for each in told))
        message = "\n".join([message, *told])
    elif why:
        message = f"{truncated(message, _STORY_CHARACTERS)}\nNot repaired: {why}."
    return Failed(error=f"sandbox_{last.kind}", message=message)


def _first_line(error: str) -> str:
    line = (error.splitlines() or [""])[0]
    return line if len(line) <= _STORY_LINE_CHARACTERS else f"{line[: _STORY_LINE_CHARACTERS - 1]}…"
