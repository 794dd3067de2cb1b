"""The whole agent on one thread: a message becomes a DAG, waits for a person, repairs a script and answers.

Real planner, executor, workbench, interpreter and model client; a scripted model over HTTP; rows in memory.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from agent.dialogue import Role
from agent.entry import Ports
from agent.events import AttemptEnded
from agent.executor import Limits
from agent.graph import Rest, ThreadRunner
from agent.ids import NodeId
from agent.ports import Decision, Run
from agent.workbench import Workbench
from infra.scripted_model.script import Cut, Script
from sandbox.monty import MontySandbox, monty_binary
from tests.fakes.mortality import Mortality, MortalSaver
from tests.fakes.planning import COUNT, MENDED, THREAD, Pages, PlanningWorld, planning_world, registry, sections
from tests.fakes.ports_in_memory import ArtifactsInMemory, LedgerInMemory, QuestionsInMemory
from tests.fakes.thread_world import HeldLease

PATIENCE_SECONDS = 60.0


def tool(id: str, name: str, **args: Any) -> dict[str, Any]:
    return {"op": "add", "id": id, "kind": "tool", "title": f"Do {id}", "tool": name, "args": args}


PLAN: list[dict[str, Any]] = [
    tool("one", "fetch", url="http://one"),
    tool("two", "fetch", url="http://two"),
    tool("post", "post", text="one ${one#/status}, two ${two#/status}"),
    {"op": "add", "id": "count", "kind": "package", "title": "Count", "code": COUNT, "tools": ["read_page"]},
    tool("after", "fetch", url="http://${count#/a}"),
    tool("thanks", "post", text="${post#/ts}"),
]

PLANNED = "".join(json.dumps(each) + "\n" for each in PLAN)


def scripts(planned: Any = PLANNED) -> tuple[Script, ...]:
    return (
        Script(role="planner", answer=planned),
        Script(role="reflexion", answer=f"```python\n{MENDED}```"),
        Script(role="reflection", answer='{"decision":"end"}'),
        Script(role="answer", answer="That is all."),
    )


class Whole:
    """One thread's runner with everything real around it but the rows."""

    def __init__(self, world: PlanningWorld, sandbox: MontySandbox) -> None:
        self.world = world
        self.pages = Pages()
        self.questions = QuestionsInMemory(world.hints)
        artifacts = ArtifactsInMemory()
        work = Workbench(
            registry=registry(self.pages),
            sandbox=sandbox,
            artifacts=artifacts,
            progress=world.progress,
            model=world.model,
        )
        ports = Ports(
            log=world.log,
            questions=self.questions,
            ledger=LedgerInMemory(),
            artifacts=artifacts,
            progress=world.progress,
            newsroom=world.hints,
            mailbox=world.mailbox,
            runs=world.runs,
            work=work,
            feeder=world.planner,
            reflector=world.reflector,
            answerer=world.answerer,
        )
        self.runner = ThreadRunner(ports, MortalSaver(Mortality(), 0).open, limits=Limits(poll_seconds=3600.0))

    async def advance(self) -> Rest:
        """Run until the thread is finished or parked."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.runner.advance(THREAD, HeldLease())

    async def states(self) -> dict[str, str]:
        """Node -> state as people see it."""
        return {node: each.state.value for node, each in (await self.world.standings.of(THREAD)).items()}

    def decide(self, node: str, decision: Decision) -> None:
        """Click."""
        question = self.questions.pending(THREAD)[NodeId(node)]
        assert self.questions.decide(question.id, decision)

    async def run(self) -> Run:
        """The first turn's row."""
        return await self.world.runs.read(THREAD, 1)


@asynccontextmanager
async def whole(*model: Script) -> AsyncGenerator[Whole]:
    sandbox = MontySandbox(monty_binary())
    try:
        async with planning_world(*model) as world:
            yield Whole(world, sandbox)
    finally:
        await sandbox.close()


async def test_request_runs_waits_for_a_person_repairs_itself_and_is_answered() -> None:
    async with whole(*scripts()) as agent:
        agent.world.say("do all of it")
        assert await agent.advance() is Rest.PARKED
        asked = agent.questions.pending(THREAD)[NodeId("post")]
        assert (asked.tool, asked.args, asked.author) == ("post", {"text": "one 200, two 200"}, "U1")
        assert await agent.states() == {
            "one": "succeeded",
            "two": "succeeded",
            "post": "asking",
            "count": "succeeded",
            "after": "succeeded",
        }
        attempts = [each.kind for each in agent.world.progress.events if isinstance(each, AttemptEnded)]
        assert (attempts, agent.pages.asked) == (["error", "ok"], [0, 1, 2])
        agent.decide("post", Decision.APPROVED)
        assert await agent.advance() is Rest.PARKED
        assert agent.questions.pending(THREAD)[NodeId("thanks")].args == {"text": "1.0"}
        agent.decide("thanks", Decision.REJECTED)
        assert await agent.advance() is Rest.FINISHED
        assert (await agent.run()).answer == "That is all."
        [answer] = agent.world.asked(Role.ANSWER)
        results = {each["id"]: each for each in map(json.loads, sections(answer.last)["Results"].splitlines())}
        assert results["count"]["result"] == {"a": 1, "b": 1}
        assert results["after"]["result"]["url"] == "http://1"
        assert results["thanks"]["state"] == "rejected"


async def test_broken_stream_is_taken_up_while_its_first_nodes_already_ran() -> None:
    planned = Script(role="planner", answer=Cut(after=PLANNED[:250]), times=1)
    async with whole(planned, *scripts()) as agent:
        agent.world.say("do all of it")
        assert await agent.advance() is Rest.PARKED
        assert agent.world.nodes == [each["id"] for each in PLAN]
        assert (await agent.run()).trouble == ""
        assert sorted(agent.questions.pending(THREAD)) == ["post"]


async def test_request_nobody_can_plan_ends_with_trouble_and_no_work() -> None:
    async with whole(*scripts("I would rather not.")) as agent:
        agent.world.say("do all of it")
        assert await agent.advance() is Rest.FINISHED
        run = await agent.run()
        assert (run.status.value, run.trouble, run.answer) == ("failed", "plan_invalid", "")
