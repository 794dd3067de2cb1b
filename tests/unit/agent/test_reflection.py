"""Reflection over the wire: when it ends, what it may append, and for whom."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from agent.dialogue import Role
from agent.ids import NodeId, ToolName, UserId
from agent.lifecycle import Expired, Failed, Outcome, Rejected, Succeeded
from agent.plan import Add, Node, NodeKind
from agent.reflection import ROUNDS, Reflector
from infra.scripted_model.script import Failure, Script
from tests.fakes.planning import THREAD, PlanningWorld, planning_world, sections

END = '{"decision":"end"}'
OUTCOMES: Mapping[str, Outcome] = {"a": Failed(error="timeout", message="slow"), "b": Succeeded(value=1)}


def fetch(id: str, url: str = "http://x", **more: Any) -> dict[str, Any]:
    return {"op": "add", "id": id, "kind": "tool", "tool": "fetch", "args": {"url": url}, **more}


def replan(*operations: dict[str, Any]) -> str:
    return json.dumps({"decision": "replan", "operations": operations})


def reflection(said: Any, times: int | None = None, contains: str | None = None) -> Script:
    return Script(role="reflection", answer=said, times=times, contains=contains)


async def planned(world: PlanningWorld, id: str, author: str = "U1", tool: str | None = None) -> None:
    await world.runs.begin(THREAD, 1)
    message = world.say(f"do {id}", author)
    node = Node(id=NodeId(id), kind=NodeKind.TOOL, title=f"Do {id}", tool=ToolName(tool) if tool else None)
    await world.log.append(THREAD, 1, UserId(author), [Add(node=node)])
    await world.mailbox.taken(THREAD, 1, [message.id])


async def reflect(world: PlanningWorld, round_number: int = 1, by_node: Mapping[str, Outcome] = OUTCOMES) -> bool:
    outcomes = {NodeId(key): each for key, each in by_node.items()}
    return await world.reflector.reflect(THREAD, 1, round_number, outcomes)


async def test_end_appends_nothing() -> None:
    async with planning_world(reflection(END)) as world:
        await planned(world, "a")
        assert not await reflect(world)
        assert world.nodes == ["a"]
        [request] = world.asked(Role.REFLECTION)
        assert request.system.startswith("# Greenlight: reflection\n")
        assert "{{" not in request.system
        told = sections(request.last)
        assert told["Request"] == "do a"
        assert [json.loads(line)["result"] for line in told["Results"].splitlines()] == [
            {"error": "timeout", "message": "slow"}
        ]


@pytest.mark.parametrize("dress", ["{}", "```json\n{}\n```", "I think so:\n{}\nDone."])
async def test_replan_appends_operations_with_their_dependencies_first(dress: str) -> None:
    said = dress.replace("{}", replan(fetch("c", "${d#/url}"), fetch("d", "${b}")))
    async with planning_world(reflection(said)) as world:
        await planned(world, "b")
        assert await reflect(world)
        assert world.nodes == ["b", "d", "c"]


async def test_faulty_operations_go_back_once_and_none_of_them_is_taken() -> None:
    first = replan(fetch("c"), {**fetch("d"), "tool": "fly"})
    async with planning_world(reflection(first, times=1), reflection(replan(fetch("e")))) as world:
        await planned(world, "a")
        assert await reflect(world)
        assert world.nodes == ["a", "e"]
        repair = world.asked(Role.REFLECTION)[1]
        assert [each.role for each in repair.messages] == ["system", "user", "assistant", "user"]
        assert '"code": "unknown_tool"' in sections(repair.last)["Faults"]


@pytest.mark.parametrize(
    "said",
    [
        replan(fetch("a")),
        replan({"op": "cancel", "id": "nobody"}),
        replan({"op": "reply", "text": "x"}),
        '{"decision":"replan"}',
        '{"decision":"maybe"}',
        '{"decision":"replan","operations":[3]}',
        "no idea",
        "[]",
    ],
)
async def test_model_that_keeps_being_wrong_ends_the_turn(said: str) -> None:
    async with planning_world(reflection(said)) as world:
        await planned(world, "a")
        assert not await reflect(world)
        assert world.nodes == ["a"]
        assert len(world.asked(Role.REFLECTION)) == 2


@pytest.mark.parametrize(
    "outcome", [Rejected(by=UserId("U2")), Expired(), Failed(error="timeout")], ids=["rejected", "expired", "failed"]
)
async def test_what_a_person_declined_is_not_asked_for_again(outcome: Outcome) -> None:
    again = {"op": "add", "id": "again", "kind": "tool", "tool": "post", "args": {"text": "please"}}
    async with planning_world(reflection(replan(again))) as world:
        await planned(world, "a", tool="post")
        assert not await reflect(world, by_node={"a": outcome})
        assert '"code": "decided_before"' in world.asked(Role.REFLECTION)[1].last


async def test_green_tool_that_failed_may_be_tried_another_way() -> None:
    async with planning_world(reflection(replan(fetch("again")))) as world:
        await planned(world, "a", tool="fetch")
        assert await reflect(world)


async def test_replan_without_operations_is_an_end() -> None:
    async with planning_world(reflection(replan())) as world:
        await planned(world, "a")
        assert not await reflect(world)


async def test_each_persons_request_is_reflected_on_with_their_own_rights() -> None:
    scripts = (reflection(replan(fetch("c")), contains="do b"), reflection(END))
    async with planning_world(*scripts) as world:
        await planned(world, "a", author="U1")
        await planned(world, "b", author="U2")
        assert await reflect(world)
        assert world.authors == {"a": "U1", "b": "U2", "c": "U2"}
        documents = [sections(each.last) for each in world.asked(Role.REFLECTION)]
        assert [(each["Request"], each["Results"].count("\n")) for each in documents] == [("do a", 0), ("do b", 0)]


async def test_model_that_is_away_ends_the_turn() -> None:
    async with planning_world(reflection(Failure(status=500, message="x"))) as world:
        await planned(world, "a")
        assert not await reflect(world)


async def test_trouble_and_too_many_rounds_ask_no_model() -> None:
    async with planning_world() as world:
        await planned(world, "a")
        assert not await reflect(world, round_number=ROUNDS + 1)
        world.runs.rows[THREAD, 1] = replace(world.runs.rows[THREAD, 1], trouble="plan_invalid")
        assert not await reflect(world)
        assert world.server.requests == []


async def test_turn_without_nodes_asks_no_model() -> None:
    async with planning_world() as world:
        await world.runs.begin(THREAD, 1)
        assert not await reflect(world)
        assert world.server.requests == []


async def test_without_a_model_the_turn_ends() -> None:
    async with planning_world() as world:
        world.reflector = Reflector(model=None, registry=world.registry, log=world.log, runs=world.runs, dialect=None)
        await planned(world, "a")
        assert not await reflect(world)
