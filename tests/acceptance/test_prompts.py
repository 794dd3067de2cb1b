"""All roles get one system message, and each exactly its own task, with no other role's words, over the wire."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import agent.llm.prompts
from agent.execution.graph import AdvanceResult
from agent.limits import MemoryLimits, Role
from agent.llm.prompts import system_message
from infra.dev.scripted_model.script import ModelRequest, Script
from tests.fakes.planning import COUNT, DEFAULT_DIALECT, MENDED
from tests.fakes.plans import json_lines
from tests.fakes.whole_agent import Whole, whole

PROMPTS = Path(agent.llm.prompts.__file__).parent / "prompts"


CRASHES = {"op": "add", "id": "count", "kind": "package", "title": "Count", "code": COUNT, "tools": ["read_page"]}


LOOKS = {"op": "add", "id": "look", "kind": "tool", "title": "Look", "tool": "fetch", "args": {"url": "http://one"}}


STUCK = [
    {
        "op": "add",
        "id": "stuck",
        "kind": "package",
        "title": "Break",
        "code": "def main(inputs):\n    raise ValueError\n",
    },
    {"op": "add", "id": "lost", "kind": "tool", "tool": "fetch", "args": {"url": "http://x"}, "depends_on": ["stuck"]},
    {"op": "add", "id": "tell", "kind": "tool", "title": "Tell", "tool": "post", "args": {"text": "x"}},
]
"""A failure that blocks another step while a person is waited for."""


SHORT = MemoryLimits(tokens=400)
"""So little that a few turns are too much."""


EVERY_ROLE = (
    # The first plan is refused, so that the planner is asked with faults too.
    Script(role="planner", answer='{"op":"add","id":"count"}\n', times=1),
    Script(role="planner", answer=json_lines([CRASHES]), times=1),
    Script(role="planner", answer=json_lines([LOOKS]), times=1),
    Script(role="planner", answer=json_lines(STUCK), contains="get stuck"),
    Script(role="planner", answer='{"op":"reply","text":"What more?"}'),
    Script(role="repair", answer=f"```python\n{MENDED}```"),
    Script(role="replan", answer='{"decision":"ask"}', times=1),
    Script(role="replan", answer='{"decision":"continue"}'),
    # The first conclusion cannot be used, and neither can its correction: the answer is written on its own.
    Script(role="conclude", answer='{"op":"add"}', times=2),
    Script(role="conclude", answer="ANSWER\nThat is all."),
    Script(role="answer", answer="That is all."),
    Script(role="summary", answer="People wanted pages counted."),
)


async def _told(agent: Whole) -> list[ModelRequest]:
    """Have some turns in which every role speaks, and return what reached the model's server."""
    for _ in range(6):
        agent.world.say("count the pages " + "and again " * 60)
        assert await agent.advance() is AdvanceResult.FINISHED
    agent.world.say("get stuck")
    assert await agent.advance() is AdvanceResult.PARKED
    return agent.world.server.requests


def _own_lines(role: Role) -> Iterator[str]:
    """Yield the lines that stand in this role's prompt and in no other's, as far as they are telling."""
    others = {line for other in Role if other is not role for line in _prompt(other).splitlines()}
    return (line for line in _prompt(role).splitlines() if len(line) >= 40 and line not in others)


def _prompt(role: Role) -> str:
    return (PROMPTS / f"{role.value}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("role", Role)
async def test_a_role_gets_its_own_task_alone_and_nothing_of_another_role(role: Role) -> None:
    async with whole(*EVERY_ROLE, memory=SHORT) as agent:
        requests = [request for request in await _told(agent) if request.role == role.value]
        expected = system_message(agent.world.registry, DEFAULT_DIALECT).text
    assert requests
    for request in requests:
        systems = [message.text for message in request.messages if message.role in ("system", "developer")]
        assert systems == [expected]
        assert request.messages[0].text == expected
        rest = "\n".join(message.text for message in request.messages[1:])
        strange = [line for other in Role if other is not role for line in _own_lines(other) if line in rest]
        assert strange == []
        told = _prompt(role).rstrip()
        of_all = role in (Role.PLANNER, Role.CONCLUDE)  # stand in the system message
        assert (told in rest) is not of_all
        assert role is Role.PLANNER or "\n\n## Task\n# Greenlight: " in f"\n\n{request.last}"


async def test_the_system_message_of_a_thread_never_changes() -> None:
    async with whole(*EVERY_ROLE, memory=SHORT) as agent:
        requests = await _told(agent)
    assert {request.role for request in requests} == {role.value for role in Role}
    assert len({request.messages[0].text for request in requests}) == 1


def test_every_role_has_a_prompt_of_its_own_and_every_prompt_a_role() -> None:
    assert {path.stem for path in PROMPTS.glob("*.md")} == {role.value for role in Role}
    for role in Role:
        prompt = _prompt(role)
        assert prompt.startswith(f"# Greenlight: {role.value}\n")
        assert prompt.count("# Greenlight:") == 1
        assert "\n## Task" not in prompt
        assert len(prompt) < 8 * 1024
        assert list(_own_lines(role))
