"""Scripted roles of the acceptance tests: what the models of subagents say, over the wire."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.dev.scripted_model.script import ModelRequest, Reply, Script, ToolCall, ToolCalls
from sandbox.script import Json

Said = str | Reply | Mapping[str, Json] | Sequence[ToolCall]
"""A text, a JSON value as text, or tool calls."""


def subagent(id: str, role: str, instruction: str, **more: Json) -> dict[str, Json]:
    """Return an operation that gives work to a role."""
    return {
        "op": "add",
        "id": id,
        "kind": "subagent",
        "title": f"Title of {id}",
        "role": role,
        "instruction": instruction,
        **more,
    }


def calls(*asked: ToolCall) -> Sequence[ToolCall]:
    """Return an answer that asks for these calls."""
    return asked


def call(name: str, /, **arguments: Json) -> ToolCall:
    """Return one tool call."""
    return ToolCall(name=name, arguments=arguments)


def says(role: str, *answers: Said | Callable[[ModelRequest], Said], contains: str = "") -> Script:
    """Return a role that says this, answer by answer of one dialogue; the last one again and again.

    Which answer comes next is read from the request, as with a model, so a request that is sent again gets the same.
    `contains` is looked for in the role's request.
    """

    def said(request: ModelRequest) -> str | Reply:
        turn = sum(message.role == "assistant" for message in _folded(request))
        answer = answers[min(turn, len(answers) - 1)]
        value = answer(request) if callable(answer) else answer
        if isinstance(value, Mapping):
            return json.dumps(value)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return ToolCalls(calls=value)
        return value

    return Script(role=role, answer=said, when=lambda request: contains in request.messages[1].text)


def _folded(request: ModelRequest) -> list[Any]:
    """Return the messages, the calls of one answer as one message: the Responses API has an item for each."""
    folded: list[Any] = []
    for message in request.messages:
        if not (folded and message.role == "assistant" and folded[-1].role == "assistant"):
            folded.append(message)
    return folded


def told(request: ModelRequest) -> list[str]:
    """Return what a subagent was told by its tools so far."""
    return [message.text for message in request.messages if message.role == "tool"]
