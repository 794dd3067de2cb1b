"""What people can read of a subagent: each of its steps in a few lines. It goes into no prompt. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import cast

from agent.events import AttemptEnded, SummarizedCall
from agent.ids import Digest, NodeId
from agent.plan.json_values import sanitized_text, truncated
from agent.plan.operations import canonical_json
from agent.plan.outcomes import Failed, Succeeded
from agent.plan.script_calls import Suspended
from agent.subagents.journal import Journal
from sandbox.script import Json, OutcomeKind

TRACE_CHARACTERS = 30_000
_SAID_CHARACTERS = 1_500
_TOLD_CHARACTERS = 500
_ARGS_CHARACTERS = 300


def trace_of(
    journal: Journal, ended: Succeeded | Failed | Suspended, *, node: NodeId, of: Digest, at: datetime
) -> AttemptEnded:
    """Return a subagent's steps so far as the details of its node show them."""
    lines: list[str] = []
    calls: list[SummarizedCall] = []
    asked: Sequence[Mapping[str, Json]] = ()
    for step, number, content in journal.steps:
        if number == 0:
            asked = cast("Sequence[Mapping[str, Json]]", content["calls"])
            lines += _said(step, str(content["text"]), asked)
            continue
        name, failed = str(asked[number - 1]["name"]), bool(content["failed"])
        lines.append(f"   {name} {'failed' if failed else 'returned'}: {_line(str(content['text']), _TOLD_CHARACTERS)}")
        args = truncated(canonical_json(asked[number - 1]["args"]), _ARGS_CHARACTERS)
        calls.append(SummarizedCall(tool=name, args=sanitized_text(args), ok=not failed, milliseconds=0.0))
    return AttemptEnded(
        node=node,
        attempt=1,
        kind=_kind(ended),
        code="",
        error=sanitized_text(f"{ended.error}: {ended.message}") if isinstance(ended, Failed) else "",
        traceback="",
        milliseconds=0.0,
        at=at,
        logs=sanitized_text(truncated("\n".join(lines), TRACE_CHARACTERS)),
        calls=tuple(calls),
        of=of,
    )


def _said(step: int, text: str, asked: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    if text.strip():
        yield f"{step}. {_line(text, _SAID_CHARACTERS)}"
    for call in asked:
        yield f"{step}. calls {call['name']} {truncated(canonical_json(call['args']), _ARGS_CHARACTERS)}"


def _line(text: str, characters: int) -> str:
    return truncated(" ".join(text.split()), characters)


def _kind(ended: Succeeded | Failed | Suspended) -> str:
    match ended:
        case Succeeded():
            return OutcomeKind.OK.value
        case Failed(error="timeout"):
            return OutcomeKind.TIMEOUT.value
        case Failed():
            return OutcomeKind.ERROR.value
        case Suspended():
            return OutcomeKind.SUSPENDED.value
