"""The whole agent on one thread: a message becomes a DAG, waits for a person, repairs a script and answers.

Real planner, executor, node executor, script runner and model client; a scripted model over HTTP; rows in memory.
"""

import asyncio
import json
from typing import Any

from agent.approval import Decision
from agent.events import AttemptEnded
from agent.execution.graph import AdvanceResult
from agent.ids import NodeId
from agent.limits import Role
from infra.dev.scripted_model.script import Cut, ModelRequest, Script, Stall
from tests.acceptance.plans import concludes
from tests.fakes.planning import COUNT, MENDED, THREAD, sections
from tests.fakes.whole_agent import whole


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

PLANNED = "".join(json.dumps(operation) + "\n" for operation in PLAN)


def scripts(planned: Any = PLANNED) -> tuple[Script, ...]:
    return (
        Script(role="planner", answer=planned),
        Script(role="repair", answer=f"```python\n{MENDED}```"),
        concludes("That is all."),
    )


async def test_request_runs_waits_for_a_person_repairs_itself_and_is_answered() -> None:
    async with whole(*scripts()) as agent:
        agent.world.say("do all of it")
        assert await agent.advance() is AdvanceResult.PARKED
        asked = agent.approvals.pending(THREAD)[NodeId("post")]
        assert (asked.tool, asked.args, asked.author) == ("post", {"text": "one 200, two 200"}, "U1")
        assert await agent.states() == {
            "one": "succeeded",
            "two": "succeeded",
            "post": "asking",
            "count": "succeeded",
            "after": "succeeded",
        }
        attempts = [event.kind for event in agent.world.progress.events if isinstance(event, AttemptEnded)]
        assert (attempts, agent.pages.asked) == (["error", "ok"], [0, 1, 2])
        agent.decide("post", Decision.APPROVED)
        assert await agent.advance() is AdvanceResult.PARKED
        assert agent.approvals.pending(THREAD)[NodeId("thanks")].args == {"text": "1.0"}
        agent.decide("thanks", Decision.REJECTED)
        assert await agent.advance() is AdvanceResult.FINISHED
        assert (await agent.run()).answer == "That is all."
        [answer] = agent.world.asked(Role.CONCLUDE)
        results = {result["id"]: result for result in map(json.loads, sections(answer.last)["Results"].splitlines())}
        assert results["count"]["result"] == {"a": 1, "b": 1}
        assert results["after"]["result"]["url"] == "http://1"
        assert results["thanks"]["state"] == "rejected"


async def test_broken_stream_is_taken_up_while_its_first_nodes_already_ran() -> None:
    planned = Script(role="planner", answer=Cut(after=PLANNED[:250]), times=1)
    async with whole(planned, *scripts()) as agent:
        agent.world.say("do all of it")
        assert await agent.advance() is AdvanceResult.PARKED
        assert agent.world.nodes == [operation["id"] for operation in PLAN]
        assert (await agent.run()).error == ""
        assert sorted(agent.approvals.pending(THREAD)) == ["post"]


async def test_request_nobody_can_plan_ends_with_trouble_and_no_work() -> None:
    async with whole(*scripts("I would rather not.")) as agent:
        agent.world.say("do all of it")
        assert await agent.advance() is AdvanceResult.FINISHED
        run = await agent.run()
        assert (run.status.value, run.error, run.answer) == ("failed", "plan_invalid", "")


async def test_repair_under_way_holds_up_no_other_node_and_leaves_no_checkpoint_of_its_own() -> None:
    """Two packages crash; the model leaves one waiting until everything behind the other one is done."""
    waits = asyncio.Event()
    waiting, quick = ({"op": "add", "kind": "package", "title": title, "code": COUNT} for title in ("Waiting", "Quick"))
    plan = [
        {**waiting, "id": "waiting", "tools": ["read_page"]},
        {**quick, "id": "quick", "tools": ["read_page"]},
        tool("after", "fetch", url="http://${quick#/a}"),
    ]

    def silent(request: ModelRequest) -> Stall:
        waits.set()
        return Stall()

    asks_first = Script(role="repair", contains="Waiting", answer=silent, times=1)
    async with whole(asks_first, *scripts("".join(json.dumps(operation) + "\n" for operation in plan))) as agent:
        agent.world.say("do all of it")
        advancing = asyncio.create_task(agent.advance())
        await waits.wait()
        async with asyncio.timeout(60):
            while (await agent.states()).get("after") != "succeeded":  # noqa: ASYNC110 -- states tell nobody
                await asyncio.sleep(0.02)
        assert (await agent.states())["waiting"] == "running"
        advancing.cancel()
        await asyncio.gather(advancing, return_exceptions=True)
        assert list(agent.saver.storage[THREAD]) == [""]
