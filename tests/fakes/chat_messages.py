"""Answers of a scripted model that plans and replans, and steps that somebody asked for before."""

import json
from typing import Any

from agent.ids import NodeId, ToolName, UserId
from agent.plan.operations import Add, Node, NodeKind
from infra.dev.scripted_model.script import Script
from tests.fakes.planning import THREAD, PlanningWorld
from tests.fakes.plans import Written, json_lines


def fetch(id: str, url: str = "http://x", **more: Any) -> Written:
    """Write a step that gets a page."""
    node = {"op": "add", "id": id, "kind": "tool", "title": f"Fetch {id}", "tool": "fetch", "args": {"url": url}}
    return {**node, **more}


def lines(*operations: Written) -> str:
    """Write a plan, one operation a line."""
    return json_lines([*operations])


def replan(*operations: Written) -> str:
    """Write the decision, while people are waited for, to go on with these operations."""
    return json.dumps({"decision": "replan", "operations": operations})


def planner(answer: Any, times: int | None = None) -> Script:
    """Have the planner answer this."""
    return Script(role="planner", answer=answer, times=times)


def replanner(answer: Any, times: int | None = None, contains: str | None = None) -> Script:
    """Have the replan model answer this."""
    return Script(role="replan", answer=answer, times=times, contains=contains)


def concluder(answer: Any, times: int | None = None, contains: str | None = None) -> Script:
    """Have the model conclude this."""
    return Script(role="conclude", answer=answer, times=times, contains=contains)


async def asked_for(world: PlanningWorld, id: str, author: str = "U1", tool: str | None = None) -> None:
    """Have one step in the log that somebody's message asked for."""
    await world.runs.begin(THREAD, 1)
    message = world.say(f"do {id}", author)
    node = Node(id=NodeId(id), kind=NodeKind.TOOL, title=f"Do {id}", tool=ToolName(tool) if tool else None)
    await world.log.append(THREAD, 1, UserId(author), [Add(node=node)])
    await world.mailbox.taken(THREAD, 1, [message.id])
