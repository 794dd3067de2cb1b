"""What models ask to be shown before they plan, conclude or decide: runbooks and tools, each so often."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from agent.ids import NodeId, ThreadId
from agent.limits import Limits, PlanLanguage, Role
from agent.llm.guidance import Guidance
from agent.plan.outcomes import Failed, Outcome, Skipped, Succeeded
from agent.planning.lookups import RUNBOOK_REQUESTS, TOOL_REQUESTS
from agent.ports import ReplanResult
from agent.runbooks import Runbook
from agent.tool import Registry
from infra.dev.scripted_model.script import Cut, Script
from tests.fakes.chat_messages import asked_for, concluder, fetch, lines, planner, replanner
from tests.fakes.planning import THREAD, PlanningWorld, planning_world, registry, sections
from tests.fakes.plans import tool

RESTART = Runbook(name="restart-billing", description="How to restart billing", text="Look first.", source="r.md")
REPLY = lines({"op": "reply", "text": "I see."})


def book(number: int) -> Runbook:
    return Runbook(name=f"plant-{number}", description=f"How to water plant {number}", text="Water it.", source="w.md")


@dataclass(frozen=True, kw_only=True)
class Books:
    books: Sequence[Runbook]

    async def of(self, thread: ThreadId) -> Sequence[Runbook]:
        return self.books


def with_books(world: PlanningWorld, *books: Runbook) -> None:
    guidance = Guidance(runbooks=(Books(books=books),))
    world.planner = replace(world.planner, guidance=guidance)
    world.replanner = replace(world.replanner, guidance=guidance)


def asks(need: str) -> str:
    return lines({"op": "tools", "need": need})


def many_tools() -> Registry:
    """Return more tools than a request shows, one of which nobody finds who does not ask for it."""
    others = [tool(f"other_{number}", properties={"x": {"type": "string"}}) for number in range(100)]
    hidden = tool("zzz_unlock", properties={"door": {"type": "string"}})
    return Registry([*registry(), *others, replace(hidden, description="Unlocks a door.")])


def many(*scripts: Script, language: PlanLanguage = PlanLanguage.JSON) -> AbstractAsyncContextManager[PlanningWorld]:
    return planning_world(*scripts, tools=many_tools(), language=language)


def whole(text: str, name: str = "zzz_unlock") -> bool:
    return f'{{"name": "{name}"' in text


async def test_runbook_that_the_model_read_is_shown_again_when_the_stream_breaks_off() -> None:
    broken = Cut(after=lines(fetch("a")))
    scripts = (planner(asks("runbook restart-billing"), 1), planner(broken, 1), planner(lines(fetch("b"))))
    async with planning_world(*scripts) as world:
        with_books(world, RESTART)
        world.say("restart billing")
        run = await world.feed()
        assert world.nodes == ["a", "b"]
        requests = world.asked(Role.PLANNER)
        assert ["Look first." in request.last for request in requests] == [False, True, True]
        assert [used.name for used in run.runbooks] == ["restart-billing"]


async def test_faults_are_told_again_when_the_stream_breaks_off() -> None:
    broken = Cut(after=lines(fetch("b")))
    first = lines(fetch("a"), {**fetch("c"), "tool": "fly"})
    async with planning_world(planner(first, 1), planner(broken, 1), planner(lines(fetch("c")))) as world:
        world.say("do it")
        await world.feed()
        assert world.nodes == ["a", "b", "c"]
        assert '"unknown_tool"' in sections(world.asked(Role.PLANNER)[2].last)["Faults"]


async def test_unlisted_runbook_is_found_by_what_it_is_about_and_then_read() -> None:
    scripts = (planner(asks("the runbook about restarting billing"), 1), planner(asks("runbook restart-billing"), 1))
    async with planning_world(*scripts, planner(REPLY)) as world:
        with_books(world, RESTART, *map(book, range(30)))
        world.say("water plant 3")
        await world.feed()
        first, second, third = world.asked(Role.PLANNER)
        listed = sections(first.last)["Runbooks"]
        assert listed.count('"name"') == 8
        assert "restart-billing" not in listed
        assert "There are 23 more" in listed
        assert "How to restart billing" in sections(second.last)["Runbooks"]
        assert "Faults" not in sections(second.last)
        assert "Look first." in sections(third.last)["Runbook"]


async def test_wrong_name_of_a_runbook_is_told_as_that() -> None:
    async with planning_world(planner(asks("runbook restart-biling"), 1), planner(REPLY)) as world:
        with_books(world, RESTART)
        world.say("restart billing")
        await world.feed()
        fault = json.loads(sections(world.asked(Role.PLANNER)[1].last)["Faults"])
        assert fault["message"].startswith("there is no runbook 'restart-biling'; `## Runbooks` has those")


async def test_runbooks_are_shown_so_often_and_no_more() -> None:
    books = [book(number) for number in range(RUNBOOK_REQUESTS + 1)]
    scripts = [planner(asks(f"runbook {one.name}"), 1) for one in books]
    async with planning_world(*scripts, planner(REPLY)) as world:
        with_books(world, *books)
        world.say("water all plants")
        await world.feed()
        told = [sections(request.last) for request in world.asked(Role.PLANNER)]
        assert ["Runbook" in each for each in told] == [False, *[True] * RUNBOOK_REQUESTS, False]
        assert "no more runbooks are shown" in told[-1]["Faults"]


async def test_conclusion_is_shown_the_tools_that_it_asks_for_and_plans_with_them() -> None:
    unlocks = 'tools("unlock a door: zzz_unlock")\n'
    planned = '# the door is locked\nopened = zzz_unlock(door="front")  # Unlock\n'
    scripts = (concluder(unlocks, times=1), concluder(planned))
    async with many(*scripts, language=PlanLanguage.PYTHON) as world:
        await asked_for(world, "a")
        report = await world.replanner.conclude(THREAD, 1, 1, ended("a"), bound=3)
        assert report.next is ReplanResult.EXTENDED
        assert world.nodes == ["a", "opened"]
        first, second = world.asked(Role.CONCLUDE)
        assert [whole(request.last) for request in (first, second)] == [False, True]
        assert second.messages[: len(first.messages)] == first.messages
        assert first.system == second.system
        [reflection] = (await world.runs.read(THREAD, 1)).reflections
        assert reflection.why == "the door is locked"


async def test_conclusion_is_shown_more_tools_so_often_and_then_told_so_once() -> None:
    async with many(concluder(asks("open a door"))) as world:
        await asked_for(world, "a")
        report = await world.replanner.conclude(THREAD, 1, 1, ended("a"), bound=3)
        assert report.next is ReplanResult.ENOUGH
        told = [sections(request.last) for request in world.asked(Role.CONCLUDE)]
        assert len(told) == 1 + TOOL_REQUESTS + 1
        assert ["Faults" in each for each in told] == [False, *[False] * TOOL_REQUESTS, True]
        assert "no more tools are shown" in told[-1]["Faults"]


async def test_conclusion_reads_a_runbook_that_it_asks_for_and_the_turn_cites_it() -> None:
    scripts = (concluder(asks("runbook restart-billing"), times=1), concluder("ANSWER\nDone."))
    async with planning_world(*scripts) as world:
        with_books(world, RESTART)
        await asked_for(world, "a")
        report = await world.replanner.conclude(THREAD, 1, 1, ended("a"), bound=3)
        assert report.answer is not None
        assert report.answer.text == "Done."
        assert "Look first." in sections(world.asked(Role.CONCLUDE)[1].last)["Runbook"]
        assert [used.name for used in (await world.runs.read(THREAD, 1)).runbooks] == ["restart-billing"]


async def test_decision_while_people_are_waited_for_is_shown_the_tools_that_it_asks_for() -> None:
    scripts = (replanner(asks("zzz_unlock"), times=1), replanner('opened = zzz_unlock(door="front")\n'))
    async with many(*scripts) as world:
        for name in ("a", "lost", "red"):
            await asked_for(world, name)
        world.ended("a", Failed(error="timeout"))
        world.ended("lost", Skipped(because=NodeId("a")))
        assert await world.replanner.reconsider(THREAD, 1, 1, bound=Limits.rounds_per_turn)
        assert world.nodes[-1] == "opened"
        assert [whole(request.last) for request in world.asked(Role.REPLAN)] == [False, True]


def ended(node: str) -> dict[NodeId, Outcome]:
    return {NodeId(node): Succeeded(value=1)}
