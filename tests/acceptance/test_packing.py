"""Packing changes nothing but the number of nodes, also while a plan streams."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from agent.approval import Decision
from agent.events import NodePlanned
from agent.execution.graph import AdvanceResult
from agent.ids import NodeId, ToolName
from agent.limits import Role
from agent.packing.packing import pack
from agent.plan.operations import Operation, nodes_added
from agent.plan.outcomes import Failed, Outcome, Skipped, Succeeded, outcome_json, state_of
from agent.tool import CallContext, Colour, Registry, Tool
from infra.dev.scripted_model.script import Script, Stall
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import Json, Sandbox
from tests.acceptance.plans import concludes, goes_on
from tests.fakes.docker_engine import docker_sandbox
from tests.fakes.packing_plans import REGISTRY, plans, read
from tests.fakes.packing_plans import tool as tool_line
from tests.fakes.plan_runs import run_plan
from tests.fakes.planning import THREAD, sections
from tests.fakes.plans import json_lines
from tests.fakes.whole_agent import whole


class Hall:
    """An event loop and a sandbox for many runs of plans."""

    def __init__(self, loop: asyncio.Runner, sandbox: Sandbox) -> None:
        self._loop = loop
        self._sandbox = sandbox

    def outcomes(self, operations: list[Operation]) -> Mapping[NodeId, Outcome]:
        """Run a plan to its end; every red step is approved."""
        return self._loop.run(run_plan(operations, REGISTRY, self._sandbox)).outcomes


@asynccontextmanager
async def _monty() -> AsyncGenerator[Sandbox]:
    sandbox = MontySandbox(monty_binary())
    try:
        yield sandbox
    finally:
        await sandbox.close()


@pytest.fixture(scope="module", params=["monty", pytest.param("docker", marks=pytest.mark.docker)])
def hall(request: pytest.FixtureRequest) -> Iterator[Hall]:
    opened = docker_sandbox() if request.param == "docker" else _monty()
    with asyncio.Runner() as loop:
        sandbox = loop.run(opened.__aenter__())
        try:
            yield Hall(loop, sandbox)
        finally:
            loop.run(opened.__aexit__(None, None, None))


def _brief(outcome: Outcome) -> Any:
    """An outcome as far as packing keeps it: values whole, failures without their messages."""
    return outcome_json(outcome) if isinstance(outcome, Succeeded) else state_of(outcome)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans(failures=False))
def test_a_plan_has_equal_results_packed_and_unpacked(hall: Hall, plan: list[Any]) -> None:
    operations = list(read(plan))
    packed = pack(operations, REGISTRY)
    plain, fused = hall.outcomes(operations), hall.outcomes(list(packed.operations))
    assert all(isinstance(outcome, Succeeded) for outcome in plain.values())
    assert fused == {node: plain[node] for node in fused}
    assert fused.keys() >= nodes_added(packed.operations).keys()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans())
def test_a_plan_in_which_steps_fail_ends_the_same_packed_and_unpacked(hall: Hall, plan: list[Any]) -> None:
    operations = list(read(plan))
    packed = pack(operations, REGISTRY)
    plain, fused = hall.outcomes(operations), hall.outcomes(list(packed.operations))
    for node in nodes_added(packed.operations).values():
        first = plain[node.packed[0].id] if node.packed else plain[node.id]
        if isinstance(plain[node.id], Skipped) and not isinstance(first, Skipped):
            # A step inside failed, so the last one was skipped; as one node it failed, whichever step it was.
            assert isinstance(fused[node.id], Failed)
        else:
            assert _brief(fused[node.id]) == _brief(plain[node.id])


class Gate:
    """A green tool that answers when it is opened; `called` tells how often it was asked."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.called = 0

    async def __call__(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        """Wait."""
        self.called += 1
        await self.opened.wait()
        return {"text": "opened"}

    def tools(self) -> Registry:
        """Return the packing plans' tools and this one, called `gate`."""
        schema: dict[str, Json] = {"type": "object", "additionalProperties": False}
        name = ToolName("gate")
        return Registry([*REGISTRY, Tool(name=name, description="", arguments=schema, colour=Colour.GREEN, call=self)])


def gate(id: str) -> dict[str, Any]:
    return {"op": "add", "id": id, "kind": "tool", "title": "Wait", "tool": "gate", "args": {}}


CHAIN = [
    gate("first"),
    tool_line("clean", text="${first#/text}"),
    tool_line("extract", text="${clean#/text}!", value="${clean#/list/0}"),
    tool_line("post", tool="post", text="${extract#/text}"),
]


REST = (concludes("Done."),)


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # conditions are over rows, which have no event each
            await asyncio.sleep(0.005)


async def test_a_streamed_chain_is_packed_while_what_it_waits_for_runs() -> None:
    closed = Gate()
    async with whole(
        Script(role="planner", answer=json_lines(CHAIN)), *REST, packing=True, tools=closed.tools()
    ) as agent:
        agent.world.say("go")
        advancing = asyncio.create_task(agent.advance())
        await _until(lambda: agent.world.nodes == ["first", "extract", "post"])
        closed.opened.set()
        assert await advancing is AdvanceResult.PARKED
        assert agent.approvals.pending(THREAD)[NodeId("post")].args == {"text": "<<opened>!>"}
        agent.decide("post", Decision.APPROVED)
        assert await agent.advance() is AdvanceResult.FINISHED
        assert await agent.states() == dict.fromkeys(["first", "extract", "post"], "succeeded")
        planned = [event.node for event in agent.world.progress.events if isinstance(event, NodePlanned)]
        assert next(event.title for event in planned if event.id == "extract") == "Do clean → Do extract"


async def test_no_step_waits_for_the_rest_of_the_plan_once_its_inputs_are_there() -> None:
    """The model goes silent before the plan is complete: what it said by then runs to its end, unpacked."""
    opened = Gate()
    opened.opened.set()
    stalled = Script(role="planner", answer=Stall(after=json_lines(CHAIN) + '{"op":"add"'))
    async with whole(stalled, *REST, packing=True, tools=opened.tools()) as agent:
        agent.world.say("go")
        advancing = asyncio.create_task(agent.advance())
        await _until(lambda: agent.approvals.pending(THREAD))
        assert agent.world.nodes == ["first", "clean", "extract", "post"]
        assert opened.called == 1
        advancing.cancel()
        await asyncio.wait([advancing])


async def test_a_later_line_may_refer_to_any_step_of_the_plan() -> None:
    closed = Gate()
    plan = [*CHAIN, tool_line("aside", text="${clean#/text}")]
    async with whole(
        Script(role="planner", answer=json_lines(plan)), *REST, packing=True, tools=closed.tools()
    ) as agent:
        agent.world.say("go")
        advancing = asyncio.create_task(agent.advance())
        await _until(lambda: len(agent.world.nodes) == 5)
        closed.opened.set()
        assert await advancing is AdvanceResult.PARKED
        assert (await agent.run()).error == ""


async def test_a_later_turn_is_told_where_a_packed_step_went() -> None:
    closed = Gate()
    late = json_lines([tool_line("more", text="${clean#/text}")])
    mended = json_lines([tool_line("more", text="${extract#/text}")])
    planner = [
        Script(role="planner", answer=json_lines(CHAIN[:3]), times=1),
        Script(role="planner", answer=late, times=1),
        Script(role="planner", answer=mended),
    ]
    async with whole(*planner, *REST, packing=True, tools=closed.tools()) as agent:
        agent.world.say("go")
        advancing = asyncio.create_task(agent.advance())
        await _until(lambda: agent.world.nodes == ["first", "extract"])
        closed.opened.set()
        assert await advancing is AdvanceResult.FINISHED
        agent.world.say("and more")
        assert await agent.advance() is AdvanceResult.FINISHED
        assert (await agent.states())["more"] == "succeeded"
        faults = sections(agent.world.asked(Role.PLANNER)[-1].last)["Faults"]
        assert "'clean' is a step inside the package 'extract'" in faults


async def test_a_plan_that_must_be_mended_is_not_packed_before_it_is_whole() -> None:
    closed = Gate()
    spoilt = json_lines([*CHAIN[:3], tool_line("aside", tool="nope", text="${clean#/text}")])
    mended = json_lines([tool_line("aside", text="${clean#/text}")])
    planner = [Script(role="planner", answer=spoilt, times=1), Script(role="planner", answer=mended)]
    async with whole(*planner, *REST, packing=True, tools=closed.tools()) as agent:
        agent.world.say("go")
        advancing = asyncio.create_task(agent.advance())
        await _until(lambda: "aside" in agent.world.nodes)
        assert agent.world.nodes == ["first", "clean", "extract", "aside"]
        closed.opened.set()
        assert await advancing is AdvanceResult.FINISHED


async def test_a_replan_is_packed_too() -> None:
    more = [tool_line("look", text="again"), tool_line("close", text="${look#/text}")]
    scripts = [
        Script(role="planner", answer=json_lines([tool_line("one")])),
        goes_on(*more),
        *REST,
    ]
    async with whole(*scripts, packing=True, tools=REGISTRY) as agent:
        agent.world.say("go")
        assert await agent.advance() is AdvanceResult.FINISHED
        assert await agent.states() == {"one": "succeeded", "close": "succeeded"}
