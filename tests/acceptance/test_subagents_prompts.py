"""What reaches a model over the wire: a subagent's request holds nothing of the planner or of another one (P52)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from typing_extensions import override

from agent.ids import NodeId
from agent.llm.prompts import crash_message, planner_message, results_message, system_message
from agent.llm.shipped_roles import shipped_roles
from agent.ports import ChatMessage
from agent.roles import SubagentRole
from agent.subagents.dialogue import correction, request_message, role_message
from agent.subagents.journal import Journal
from infra.dev.scripted_model.script import ModelRequest, Script
from sandbox.script import Json
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered_and_done, states
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned
from tests.acceptance.roles import call, calls, says, subagent, told
from tests.acceptance.test_replanning import replans

ASKED = "please have a look at what became of the harbour and of everything near it"
FOLLOW_UP = "and now write it all down for those who were away on that day"

INSTRUCTIONS: Mapping[str, str] = {
    "look": "Only the first researcher reads that the harbour lies to the west of the old mill.",
    "count": "Only the second researcher reads that the boats in it have to be counted twice.",
    "judge": "Only the critic reads that a report has to be judged by its second page.",
    "lead": "Only the chief reads that the team has to be kept busy until the evening.",
    "tell": "Only the sender reads that people are to be told before they read the paper.",
    "again": "Only the third researcher reads that somebody has to look once more at noon.",
    "after": "Only the later writer reads that the end has to be as short as the beginning.",
    # The board shows how these begin, so each is longer than that.
    "lead-0": f"Only the first worker reads {'how much there is to be written of it all, ' * 5}in the east.",
    "lead-1": f"Only the second worker reads {'how little there is to be written of it all, ' * 5}in the south.",
}
"""Subagent -> what it is to do."""

RESULTS: Mapping[str, str] = {
    "look": "Handed on: the mill stands, and it has been standing there for ages.",
    "count": "Handed on: there were seventeen boats in it, and each had a name.",
    "judge": '{"passes": true, "faults": [], "summary": "it is judged by its second page"}',
    "lead": "Handed on: the team was kept busy, and nothing else happened.",
    "tell": "Handed on: people were told before anything was printed.",
    "again": "Handed on: somebody looked at noon, and saw what was there.",
    "after": "Handed on: it is over, and it was short from end to end.",
    "lead-0": "Handed on: what there is to be written about the east.",
    "lead-1": "Handed on: what there is to be written about the south.",
}
DRAFT = "It seems to be right as far as I can see, and I would let it pass."
SUM = '{"exact":true,"text":"9449772114007","value":9449772114007}'
"""What the first researcher is told of a calculation."""

NOTE = "In the east there were nine boats, which nobody but the chief has counted."
"""Stands in a file that the chief writes, and hands to its first worker."""

POSTED = "The harbour is open to all from tomorrow morning on."
HANDED_ON = {
    ("look", "judge"): [RESULTS["look"]],
    ("look", "after"): [RESULTS["look"]],
    ("lead", "lead-0"): [INSTRUCTIONS["lead-0"], NOTE],
    ("lead", "lead-1"): [INSTRUCTIONS["lead-1"]],
    ("lead-0", "lead"): [RESULTS["lead-0"]],
    ("lead-1", "lead"): [RESULTS["lead-1"]],
}
"""From whom to whom -> the lines that are meant to pass: results that a plan names, and what a lead hands out."""

ENGINE = "engine"
"""Planning, conclusions, repair: everything that is no subagent."""

FRAME = (
    "You may answer ",
    "Inputs, files and what tools return are material",
    "If it cannot be done, answer `CANNOT:`",
)
"""How the lines begin that each request to a subagent has."""

ROLES: Mapping[str, Mapping[str, object]] = {
    "chief": {
        "prompt": "You lead a team, and you keep each of its members busy.",
        "lead": True,
        "roles": ["writer"],
        "tools": ["files_write"],
    },
    "sender": {"prompt": "You tell people what they have to know.", "tools": ["slack_post_message"]},
}
SUBAGENTS = ("researcher", "critic", "chief", "sender", "writer")
CRASHES = "def main(inputs):\n    return {'name': inputs['page']['nome']}\n"


def _begins(id: str, role: str, **more: Json) -> Mapping[str, Json]:
    return subagent(id, role, INSTRUCTIONS[id], **more)


def _scripts(url: str) -> list[Script]:
    """Return a thread in which every kind of request is made: a failure is planned around, a script repaired."""
    unreachable = "http://127.0.0.1:1/"
    return [
        planned(
            _begins("look", "researcher"),
            _begins("count", "researcher"),
            _begins("judge", "critic", files=["${look}"]),
            _begins("lead", "chief"),
            _begins("tell", "sender", depends_on=["judge", "lead", "count"]),
            package("pack", CRASHES, inputs={"page": {"name": "the master of the harbour"}}),
            fetch("bad", unreachable),
            fetch("lost", f"{url}/lost", depends_on=["bad"]),
        ),
        planned(_begins("after", "writer", files=["${look}"])),
        Script(role="repair", answer=f"```python\n{CRASHES.replace('nome', 'name')}```"),
        replans(_begins("again", "researcher")),
        says(
            "researcher",
            calls(call("calculate", expression="1234567 * 7654321"), call("calculate", expression="1 / 0")),
            calls(call("current_time", zone="UTC")),
            RESULTS["look"],
            contains=INSTRUCTIONS["look"],
        ),
        says(
            "researcher",
            calls(call("calculate", expression="7777777 * 13131313")),
            RESULTS["count"],
            contains=INSTRUCTIONS["count"],
        ),
        says("researcher", RESULTS["again"], contains=INSTRUCTIONS["again"]),
        says("critic", DRAFT, RESULTS["judge"]),
        says(
            "chief",
            calls(call("files_write", name="east.md", text=f"# East\n\n{NOTE}\n")),
            calls(
                call("hand_out", role="writer", instruction=INSTRUCTIONS["lead-0"], files=["east.md"]),
                call("hand_out", role="writer", instruction=INSTRUCTIONS["lead-1"]),
            ),
            RESULTS["lead"],
        ),
        *(says("writer", RESULTS[one], contains=INSTRUCTIONS[one]) for one in ("lead-0", "lead-1", "after")),
        says("sender", calls(call("slack_post_message", channel="#incidents", text=POSTED)), RESULTS["tell"]),
        ENDS,
        ANSWERS,
    ]


async def _requests(url: URL, data: Path) -> Sequence[ModelRequest]:
    """Return every request of two turns, with a restart while a subagent's card is open."""

    def configured(table: dict[str, Any]) -> None:
        table["roles"] = ROLES

    async with app_scene(url, data, [], configuration=configured) as scene:
        for script in _scripts(scene.effects.url):
            scene.model.add(script)
        async with scene.asked(ASKED) as seen:
            await seen.until(lambda seen: states(seen).get("again", "").startswith("complete"), "the round between")
            await seen.until(lambda seen: bool(seen.cards()), "the card")
            await scene.stop_app()
            await scene.start_app()
            assert await scene.click(seen, "Grace", "approved")
            await seen.until(answered_and_done, "the answer")
            await scene.people.post("Ada", seen.channel, FOLLOW_UP, thread_ts=seen.thread_ts)
            await seen.until(lambda seen: seen.says("ANSWER", RESULTS["after"]), "the second answer")
        return list(scene.model.requests)


def _owner(request: ModelRequest) -> str:
    """Return whose request it is: a subagent, by its node, or the engine."""
    if request.role not in SUBAGENTS:
        return ENGINE
    (node,) = [node for node, words in INSTRUCTIONS.items() if words in _instruction(request)]
    return node


def _instruction(request: ModelRequest) -> str:
    return request.messages[1].text.partition("## Instruction\n")[2].partition("\n\n## ")[0]


def _text(requests: Sequence[ModelRequest]) -> str:
    """Return everything that a model reads."""
    texts = [message.text for request in requests for message in request.messages]
    return "\n".join([*texts, *(json.dumps(request.body.get("messages")) for request in requests)])


def _lines(requests: Sequence[ModelRequest]) -> set[str]:
    """Return the lines of a dialogue that tell something, the arguments of its calls among them."""
    texts = [message.text for request in requests for message in request.messages]
    lines = {line.strip() for text in [*texts, *_arguments(requests)] for line in text.splitlines()}
    return {line for line in lines if len(line) >= 25 and not line.startswith(FRAME)}


def _arguments(requests: Sequence[ModelRequest]) -> Iterator[str]:
    for request in requests:
        messages: Any = request.body.get("messages")
        for asked in (one for message in messages for one in message.get("tool_calls") or ()):
            yield from (str(value) for value in json.loads(asked["function"]["arguments"]).values())


def leaks(requests: Sequence[ModelRequest]) -> Mapping[tuple[str, str], Sequence[str]]:
    """Return from whom to whom -> the lines of one dialogue that stand in the other without being meant to."""
    of = {one: [request for request in requests if _owner(request) == one] for one in (*INSTRUCTIONS, ENGINE)}
    assert all(of.values()), "each of them was asked"
    assert {"planner", "replan", "repair", "conclude"} <= {request.role for request in of[ENGINE]}
    lines = {one: _own(one, asked) for one, asked in of.items()}
    reads = {one: _text(asked) for one, asked in of.items()}
    found = {
        (source, other): [line for line in lines[source] - _meant(source, other, of) if _stands(line, reads[other])]
        for source, other in permutations(of, 2)
    }
    return {between: leaked for between, leaked in found.items() if leaked}


def _stands(line: str, text: str) -> bool:
    """Return whether a line stands in a text, as it is or inside JSON."""
    return line in text or json.dumps(line)[1:-1] in text


def _own(owner: str, requests: Sequence[ModelRequest]) -> set[str]:
    """Return the lines of a dialogue that come from nobody else, and what came of it."""
    given = {line for (_, other), lines in HANDED_ON.items() if other == owner for line in lines}
    return _lines(requests) - given | ({ASKED, FOLLOW_UP} if owner == ENGINE else {RESULTS[owner]})


def _meant(source: str, other: str, of: Mapping[str, Sequence[ModelRequest]]) -> set[str]:
    """Return the lines that may pass."""
    meant = set(HANDED_ON.get((source, other), ()))
    if ENGINE not in (source, other):
        same = of[source][0].role == of[other][0].role
        return meant | ({*of[source][0].system.splitlines()} if same else set())
    if source != ENGINE:
        # Its result, and what the plan itself says; a red call is a step of the plan.
        meant |= {RESULTS[source], INSTRUCTIONS[source]}
        meant |= {POSTED, *told(of["tell"][-1])} if source == "tell" else set()
    return meant


async def test_no_request_of_a_subagent_holds_a_line_of_the_planner_or_another_one_nor_the_other_way_round(
    database_url: URL, tmp_path: Path
) -> None:
    requests = await _requests(database_url, tmp_path)
    assert leaks(requests) == {}
    for role in SUBAGENTS:
        prompt = ROLES[role]["prompt"] if role in ROLES else shipped_roles()[role].prompt
        systems = {request.system for request in requests if request.role == role}
        assert systems == {f"# Greenlight: {role}\n\n{str(prompt).strip()}"}
    assert NOTE in _text([request for request in requests if _owner(request) == "lead-0"])
    corrected = [request for request in requests if request.role == "critic"][-1]
    assert DRAFT in _text([corrected])
    assert FOLLOW_UP in _text([request for request in requests if request.role == "planner"])


def _with_all_roles(role: SubagentRole) -> ChatMessage:
    """Compose wrongly: the prompts of all roles in one message."""
    others = "\n".join(other.prompt for other in shipped_roles().values())
    return ChatMessage(by="system", text=f"{role_message(role).text}\n{others}")


def _with_planner(role: SubagentRole) -> ChatMessage:
    """Compose wrongly: with the planner's message."""
    return ChatMessage(by="system", text=f"{role_message(role).text}\n{system_message().text}")


def _with_request(*args: Any) -> ChatMessage:
    """Compose wrongly: with what people wrote."""
    return ChatMessage(by="human", text=f"{request_message(*args).text}\n{ASKED}")


def _with_the_same_role(*args: Any) -> ChatMessage:
    """Compose wrongly: every researcher reads what the second one is to do."""
    more = INSTRUCTIONS["count"] if args[0].name == "researcher" else ""
    return ChatMessage(by="human", text=f"{request_message(*args).text}\n{more}")


def _with_the_leads_file(*args: Any) -> ChatMessage:
    """Compose wrongly: every writer reads the file that one of them was handed."""
    more = NOTE if args[0].name == "writer" else ""
    return ChatMessage(by="human", text=f"{request_message(*args).text}\n{more}")


def _corrected_with_request(issue: str) -> ChatMessage:
    """Correct wrongly: with what people wrote."""
    return ChatMessage(by="human", text=f"{correction(issue).text}\n{ASKED}")


class _Mixed(Journal):
    """Restores wrongly: with what the critic said first."""

    @override
    async def restore(self) -> None:
        await super().restore()
        drafts = [step.content["text"] for step in await self._steps.of(self._context.thread, NodeId("judge"))]
        for (step, number), content in self._known.items():
            if self._context.node == "tell" and number == 0:
                self._known[step, number] = {**content, "text": drafts[0]}


def _told_with_role(*args: Any) -> ChatMessage:
    """Compose wrongly: the planner reads a role's prompt."""
    return ChatMessage(by="system", text=f"{system_message(*args).text}\n{shipped_roles()['researcher'].prompt}")


def _with_trace(compose: Callable[..., ChatMessage]) -> Callable[..., ChatMessage]:
    """Compose wrongly: with what tools told the first researcher."""

    def composed(*args: Any, **more: Any) -> ChatMessage:
        message = compose(*args, **more)
        return ChatMessage(by=message.by, text=f"{message.text}\n{SUM}")

    return composed


WRONG: Mapping[str, tuple[str, object, tuple[str, str]]] = {
    "other roles": ("agent.subagents.runner.role_message", _with_all_roles, ("judge", "look")),
    "planner": ("agent.subagents.runner.role_message", _with_planner, (ENGINE, "look")),
    "thread": ("agent.subagents.runner.request_message", _with_request, (ENGINE, "lead-0")),
    "same role": ("agent.subagents.runner.request_message", _with_the_same_role, ("count", "again")),
    "handed file": ("agent.subagents.runner.request_message", _with_the_leads_file, ("lead", "lead-1")),
    "correction": ("agent.subagents.runner.correction", _corrected_with_request, (ENGINE, "judge")),
    "restart": ("agent.subagents.runner.Journal", _Mixed, ("judge", "tell")),
    "role in plan": ("agent.planning.planner.system_message", _told_with_role, ("look", ENGINE)),
    "trace in plan": ("agent.planning.planner.planner_message", _with_trace(planner_message), ("look", ENGINE)),
    "trace in replan": ("agent.planning.replanner.results_message", _with_trace(results_message), ("look", ENGINE)),
    "trace in repair": ("agent.scripts.repair_prompt.crash_message", _with_trace(crash_message), ("look", ENGINE)),
}
"""What is put in place of what, and between whom something leaks then."""


@pytest.mark.parametrize("wrong", WRONG)
async def test_wrong_composition_is_found(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    place, composed, between = WRONG[wrong]
    monkeypatch.setattr(place, composed)
    assert between in leaks(await _requests(database_url, tmp_path))
