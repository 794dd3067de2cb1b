"""What reaches a model over the wire: a role's request holds nothing of the planner or of another role (P52)."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

import agent.subagents.runner
from agent.llm.shipped_roles import shipped_roles
from agent.ports import ChatMessage
from agent.roles import SubagentRole
from agent.subagents.dialogue import request_message, role_message
from infra.dev.scripted_model.script import ModelRequest
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered_and_done
from tests.acceptance.plans import ANSWERS, ENDS, planned
from tests.acceptance.roles import call, calls, says, subagent, told

MINE = "Only the researcher reads that the harbour lies to the west of the old mill."
ITS_RESULT = "Handed on: the mill stands, and it has been standing there for ages."
THEIRS = "Only the critic reads that a report has to be judged by its second page."
ASKED = "please have a look at what became of the harbour and of everything near it"

SCRIPTS = [
    planned(
        subagent("look", "researcher", MINE),
        subagent("judge", "critic", THEIRS, files=["${look}"]),
        subagent("lead", "chief", "Only the chief reads that the team has to be kept busy."),
    ),
    says(
        "researcher",
        calls(call("calculate", expression="1234567 * 7654321"), call("calculate", expression="1 / 0")),
        calls(call("current_time", zone="UTC")),
        ITS_RESULT,
    ),
    says("critic", {"passes": True, "faults": []}),
    says(
        "chief",
        calls(call("hand_out", role="writer", instruction="Only the writer reads this line of it all.")),
        "Led.",
    ),
    says("writer", "Written by the writer, and passed to the chief alone."),
    ENDS,
    ANSWERS,
]
CHIEF = {"prompt": "You lead a team, and you keep each of its members busy.", "lead": True, "roles": ["writer"]}
SUBAGENTS = ("researcher", "critic", "chief", "writer")


async def _requests(url: URL, data: Path) -> Sequence[ModelRequest]:
    def configured(table: dict[str, Any]) -> None:
        table["roles"] = {"chief": CHIEF}

    async with app_scene(url, data, SCRIPTS, configuration=configured) as scene, scene.asked(ASKED) as seen:
        await seen.until(answered_and_done, "the answer")
        return list(scene.model.requests)


def _text(request: ModelRequest) -> str:
    """Return everything that a model reads."""
    return "\n".join([*(message.text for message in request.messages), json.dumps(request.body.get("messages"))])


def _lines(text: str) -> Iterator[str]:
    """Yield the lines that tell something."""
    return (line.strip() for line in text.splitlines() if len(line.strip()) >= 25)


def check_apart(requests: Sequence[ModelRequest]) -> None:
    """Fail where a request holds a line of another role's prompt or dialogue, or of the planner's."""
    of = {role: [request for request in requests if request.role == role] for role in SUBAGENTS}
    engine = [request for request in requests if request.role not in SUBAGENTS]
    assert all(of.values())
    assert engine
    prompts = {role: set(_lines(of[role][0].system)) for role in SUBAGENTS}
    prompts["planner"] = set(_lines(engine[0].system)) | set(_lines(engine[0].last)) | {ASKED}
    own = {
        "researcher": {MINE, ITS_RESULT, *(text for request in of["researcher"] for text in told(request))},
        "critic": {THEIRS},
        "chief": {"Only the chief reads that the team has to be kept busy."},
        "writer": {
            "Only the writer reads this line of it all.",
            "Written by the writer, and passed to the chief alone.",
        },
    }
    passed_on = {("critic", ITS_RESULT), ("chief", "Written by the writer, and passed to the chief alone.")}
    passed_on |= {("chief", "Only the writer reads this line of it all.")}  # these are its own words
    for role, asked in [*of.items(), ("planner", engine)]:
        for request in asked:
            read = _text(request)
            for other, lines in prompts.items():
                assert not [line for line in lines if other != role and line in read], (role, other)
            if role == "planner":
                # Of a step its result alone is passed on: what tools told it is its own.
                assert not [text for text in told(of["researcher"][-1]) if text in read], role
                continue
            for other, lines in own.items():
                strange = {line for line in lines if (role, line) not in passed_on}
                assert not [line for line in strange if other != role and line in read], (role, other)


async def test_no_request_of_a_role_holds_a_line_of_the_planner_or_another_role_nor_the_other_way_round(
    database_url: URL, tmp_path: Path
) -> None:
    requests = await _requests(database_url, tmp_path)
    check_apart(requests)
    for role in SUBAGENTS:
        prompt = CHIEF["prompt"] if role == "chief" else shipped_roles()[role].prompt
        systems = {request.system for request in requests if request.role == role}
        assert systems == {f"# Greenlight: {role}\n\n{str(prompt).strip()}"}


def _with_all_roles(role: SubagentRole) -> ChatMessage:
    """Compose wrongly: the prompts of all roles in one message."""
    others = "\n".join(other.prompt for other in shipped_roles().values())
    return ChatMessage(by="system", text=f"{role_message(role).text}\n{others}")


def _with_planner(role: SubagentRole) -> ChatMessage:
    """Compose wrongly: the planner's message goes first in its place."""
    from agent.llm.prompts import system_message

    return ChatMessage(by="system", text=f"{role_message(role).text}\n{system_message().text}")


def _with_request(*args: Any) -> ChatMessage:
    """Compose wrongly: with what people wrote."""
    return ChatMessage(by="human", text=f"{request_message(*args).text}\n{ASKED}")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("role_message", _with_all_roles), ("role_message", _with_planner), ("request_message", _with_request)],
    ids=["other roles", "planner", "thread"],
)
async def test_wrong_composition_is_found(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., ChatMessage]
) -> None:
    monkeypatch.setattr(agent.subagents.runner, name, wrong)
    requests = await _requests(database_url, tmp_path)
    with pytest.raises(AssertionError):
        check_apart(requests)
