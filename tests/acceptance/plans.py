"""Plans and scripts of the acceptance tests: what the scripted model says."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from infra.dev.scripted_model.script import Answer, ModelRequest, Reply, Script
from sandbox.script import Json


def tool(id: str, name: str, args: Mapping[str, Json], **more: Json) -> dict[str, Json]:
    """Return an operation that adds one tool call."""
    return {"op": "add", "id": id, "kind": "tool", "title": f"Title of {id}", "tool": name, "args": dict(args), **more}


def fetch(id: str, url: str, **more: Json) -> dict[str, Json]:
    """Return a green `http_get`."""
    return tool(id, "http_get", {"url": url}, **more)


def post(id: str, text: str, channel: str = "#incidents", **more: Json) -> dict[str, Json]:
    """Return a red `slack_post_message`."""
    return tool(id, "slack_post_message", {"channel": channel, "text": text}, **more)


def package(id: str, code: str, **more: Json) -> dict[str, Json]:
    """Return a script."""
    return {"op": "add", "id": id, "kind": "package", "title": f"Title of {id}", "code": code, **more}


def lines(operations: Sequence[Mapping[str, Json]]) -> str:
    """Return operations as the planner's JSON Lines."""
    return "".join(json.dumps(operation) + "\n" for operation in operations)


def planned(*operations: Mapping[str, Json], contains: str | None = None) -> Script:
    """Return a planner that says this plan to the first request (with these words), and nothing new later."""
    return Script(role="planner", contains=contains, answer=lines(operations), times=1)


ENDS = Script(role="replan", answer='{"decision":"end"}')


def concludes(answer: Answer, **more: Any) -> Script:
    """Return what answers people with this, in a conclusion or when nothing can be planned on any more."""

    def said(request: ModelRequest) -> str | Reply:
        reply = answer(request) if callable(answer) else answer
        return f"ANSWER\n{reply}" if isinstance(reply, str) and request.role == "conclude" else reply

    return Script(when=lambda request: request.role in ("conclude", "answer"), answer=said, **more)


def goes_on(*operations: Mapping[str, Json], **more: Any) -> Script:
    """Return a conclusion that plans these once."""
    return Script(role="conclude", answer=lines(operations), times=1, **more)


def tells_results(request: ModelRequest) -> str:
    """Answer with the results as they were given, so that a test can see what the model saw."""
    return "ANSWER\n" + request.last.partition("## Results")[2].partition("\n\n## ")[0].strip()


ANSWERS = concludes(tells_results)


def results_told(request: ModelRequest) -> dict[str, Any]:
    """Return node id -> result, as a conclusion's request told the model."""
    told = request.last.partition("## Results")[2]
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    return {line["id"]: line["result"] for line in lines}
