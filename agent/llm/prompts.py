"""Writes the messages to models: system messages from `prompts/*.md`, human messages from the run.

A human message is a Markdown document of `## Section`s in a fixed order; sections without content are left out. The
output of tools, scripts and models is in JSON Lines or in a fence longer than any in it, so that it cannot pass for a
section.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from agent.limits import Role
from agent.llm.transcript import Names, ShownNode, named, request_text, turns_dialogue
from agent.plan.json_values import truncated
from agent.plan.operations import canonical_json
from agent.plan.outcomes import ArtifactRef, Failed, Outcome, Succeeded, outcome_json
from agent.ports import ChatMessage, Message, PastTurn
from agent.reading.validation import Fault, fault_json
from agent.tool import Registry
from sandbox.script import Json

_PROMPTS = Path(__file__).parent / "prompts"
RESULTS_BYTES = 128 * 1024
"""The most that the results in one message come to; the oldest are left out first."""

FEW_RESULTS_BYTES = 8 * 1024
"""The same for a model that refused the longer message."""

EARLIER_BYTES = 16 * 1024
"""The most that the nodes of earlier turns come to."""

EARLIER = "Earlier in this thread"
"""The section with the summary of the turns that are no longer shown."""

_HEAD_CHARACTERS = 200
_FAULTS_SHOWN = 20
_NO_SANDBOX = "There is no sandbox in this installation: packages cannot run, so plan tool nodes only."


def system_message(role: Role, registry: Registry | None = None, dialect: str | None = None) -> ChatMessage:
    """Return a role's system message. `dialect` is the sandbox's; None when there is no sandbox."""
    fillings = {"{{tools}}": _tool_lines(registry or Registry()), "{{sandbox}}": dialect or _NO_SANDBOX}
    # In one pass: a tool's description must not be filled in itself.
    text = re.sub("|".join(map(re.escape, fillings)), lambda found: fillings[found.group()], _prompt(role))
    return ChatMessage(by="system", text=text)


@cache
def _prompt(role: Role) -> str:
    return (_PROMPTS / f"{role.value}.md").read_text(encoding="utf-8")


def _tool_lines(registry: Registry) -> str:
    return _lines(
        {
            "name": tool.name,
            "colour": tool.colour.value,
            "description": tool.description,
            "arguments": tool.arguments,
        }
        for tool in registry
    )


def planner_message(
    now: datetime,
    messages: Sequence[Message],
    nodes: Sequence[ShownNode],
    faults: Sequence[Fault] = (),
    *,
    names: Names | None = None,
    place: str = "",
    earlier_bytes: int = EARLIER_BYTES,
) -> ChatMessage:
    """Return the request to the planner; with `faults`, its last output is the ai message before.

    `place` is the channel's id. With `names` the request says who asks, and where.
    """
    return _document(
        ("Now", now.astimezone(UTC).isoformat(timespec="seconds")),
        ("Thread", _thread_line(messages, place, names) if names else ""),
        ("Request", request_text(messages, names or {})),
        ("Plan so far", "\n".join(_earlier_lines(nodes, earlier_bytes) + _own_lines(nodes))),
        ("Faults", _fault_lines(faults)),
    )


def results_message(
    messages: Sequence[Message],
    nodes: Sequence[ShownNode],
    faults: Sequence[Fault] = (),
    *,
    results_bytes: int = RESULTS_BYTES,
    names: Names | None = None,
    heads: bool = False,
) -> ChatMessage:
    """Return the request to the replan and answer roles; with `faults`, the last output is the ai message before.

    With `heads` a longer result is shown by its size and its head alone.
    """
    return _document(
        ("Request", request_text(messages, names or {})),
        ("Results", _node_lines(nodes, results_bytes, heads=heads)),
        ("Faults", _fault_lines(faults)),
    )


def summary_message(summary: str, turns: Sequence[PastTurn], names: Names, words: int) -> ChatMessage:
    """Return the request to the summary role: the summary so far and the turns to add to it."""
    dialogue = [
        {"from": "people" if message.by == "human" else "agent", "text": message.text}
        for message in turns_dialogue(turns, names)
    ]
    return _document(
        ("Length", f"at most {words} words"),
        ("Summary so far", _fenced(summary, "text")),
        ("Turns", _lines(dialogue)),
    )


def _thread_line(messages: Sequence[Message], place: str, names: Names) -> str:
    where = f"In {named(f'<#{place}>', names)}" if names.get(place) else "In a direct message or a private channel"
    who = dict.fromkeys(named(f"<@{message.author}>", names) for message in messages)
    return f"{where}, asked by {', '.join(who)}."


def _fault_lines(faults: Sequence[Fault]) -> str:
    more = len(faults) - _FAULTS_SHOWN
    lines = _lines(fault_json(fault) for fault in faults[:_FAULTS_SHOWN])
    return f"{lines}\n(and {more} more)" if more > 0 else lines


def crash_message(
    *,
    goal: str,
    script: str,
    kind: str,
    type: str,
    message: str,
    traceback: str = "",
    logs: str = "",
    calls: Iterable[Mapping[str, Json]] = (),
) -> ChatMessage:
    """Return the request to the repair model: one failed attempt of a script. `calls` are its tool calls as JSON."""
    outcome = {"kind": kind, "type": type, "message": message}
    return _document(
        ("Goal", goal),
        ("Script", _fenced(script, "python")),
        ("Outcome", json.dumps(outcome, ensure_ascii=False)),
        ("Traceback", _fenced(traceback, "text")),
        ("Logs", _fenced(logs, "text")),
        ("Calls", _lines(calls)),
    )


def _document(*sections: tuple[str, str]) -> ChatMessage:
    return ChatMessage(by="human", text="\n\n".join(f"## {title}\n{content}" for title, content in sections if content))


def _own_lines(nodes: Sequence[ShownNode]) -> list[str]:
    """Return the lines of this turn's nodes."""
    own = [node for node in nodes if not node.earlier]
    return _node_lines(own).split("\n") if own else []


def _earlier_lines(nodes: Sequence[ShownNode], most_bytes: int) -> list[str]:
    """Return the lines of earlier turns' nodes with their results by reference; the oldest are only counted."""
    lines: list[str] = []
    earlier = [node for node in nodes if node.earlier]
    left = most_bytes
    for shown in reversed(earlier):
        line = json.dumps(_node_json(shown), ensure_ascii=False)
        left -= len(line.encode(errors="replace"))
        if left < 0:
            lines.append(f"({len(earlier) - len(lines)} older nodes of this thread are not shown)")
            break
        lines.append(line)
    return lines[::-1]


def _node_lines(nodes: Sequence[ShownNode], results_bytes: int = RESULTS_BYTES, *, heads: bool = False) -> str:
    lines: list[str] = []
    left = results_bytes
    for shown in reversed(nodes):
        line = json.dumps(_node_json(shown, heads=heads), ensure_ascii=False)
        left -= len(line.encode(errors="replace"))
        if left < 0 and shown.outcome is not None:
            line = json.dumps(_node_json(ShownNode(node=shown.node, state=shown.state)), ensure_ascii=False)
        lines.append(line)
    return "\n".join(reversed(lines))


def _node_json(shown: ShownNode, *, heads: bool = False) -> dict[str, Json]:
    line: dict[str, Json] = {
        "id": shown.node.id,
        "kind": shown.node.kind.value,
        "title": shown.node.title,
        "state": shown.state.value,
    }
    if shown.outcome is None:
        return line
    by_reference = shown.earlier or heads
    result = _referenced_json(shown.node.id, shown.outcome) if by_reference else _result_json(shown.outcome)
    return {**line, "result": result}


def _referenced_json(node: str, outcome: Outcome) -> Json:
    """Return an outcome by reference: name, size, type and head of a large value."""
    match outcome:
        case Succeeded(artifact=ArtifactRef() as ref):
            return _described(ref.name, ref.size, ref.media_type, ref.head[:_HEAD_CHARACTERS])
        case Succeeded(value=value):
            text = canonical_json(value)
            if len(text) <= _HEAD_CHARACTERS:
                return value
            return _described(
                f"{node}.json", len(text.encode(errors="replace")), "application/json", text[:_HEAD_CHARACTERS]
            )
        case Failed(error=error, message=message):
            return {"error": error, "message": truncated(message, _HEAD_CHARACTERS)}
        case _:
            return _result_json(outcome)


def _described(name: str, size: int, media_type: str, head: str) -> Json:
    return {"artifact": {"name": name, "size": size, "media_type": media_type, "head": head}}


def _result_json(outcome: Outcome) -> Json:
    """Return an outcome as models see it: the value, a description of the artifact, or the error."""
    match outcome:
        case Succeeded(artifact=ArtifactRef() as ref):
            return _described(ref.name, ref.size, ref.media_type, ref.head)
        case Succeeded(value=value):
            return value
        case _:
            return {key: value for key, value in outcome_json(outcome).items() if key != "state"}


def _lines(values: Iterable[Mapping[str, Json]]) -> str:
    return "\n".join(json.dumps(value, ensure_ascii=False) for value in values)


def _fenced(text: str, language: str) -> str:
    if not text.strip():
        return ""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
