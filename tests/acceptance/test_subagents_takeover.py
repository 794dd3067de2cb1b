"""Takeover of a subagent: its worker process dies at any point of its dialogue, and another goes on from its rows."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from sqlalchemy import URL

from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script, Stall
from infra.dev.scripted_model.server import ScriptedModel
from infra.wiring import Part
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered_and_done
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, results_told
from tests.acceptance.processes import app_environment
from tests.acceptance.roles import Said, call, calls, says, subagent, told
from tests.acceptance.test_takeover import GUARD_SECONDS, TOOLS_ALONE, WITHOUT_SILENCE, is_alive, is_run_by, rows, until
from tests.chaos.process import start

SENDER = """
[roles.sender]
prompt = "You look, and then you send."
tools = ["http_get", "http_request"]
steps = 6
[roles.chief]
prompt = "You lead a team."
lead = true
roles = ["sender", "writer"]
"""

RESULT = "Looked twice and sent once."
ONCE = Counter({"first answer": 1, "second answer": 1, "third answer": 1, "look": 1, "glance": 1, "send": 1})
"""What a run takes that nothing interrupts."""


def dialogue(url: str, *, beside: bool, led: bool) -> list[Script]:
    """Return what the models say: two reads in one answer, a red call in the next, then the result.

    With `led` this is the work of one of two whom a lead gives work.
    """

    def looks(_request: ModelRequest) -> Said:
        return calls(call("http_get", url=f"{url}/look"), call("http_get", url=f"{url}/glance"))

    def sends(request: ModelRequest) -> Said:
        assert [name in text for name, text in zip(("look", "glance"), told(request), strict=True)] == [True, True]
        return calls(call("http_request", url=f"{url}/send", method="POST"))

    more = [fetch("beside", f"{url}/beside")] if beside else []
    job = subagent("job", "chief" if led else "sender", "Look, then send")
    hands_out = [call("hand_out", role=role, instruction="Look, then send") for role in ("sender", "writer")]
    return [
        planned(job, *more),
        says("chief", calls(*hands_out), lambda request: told(request)[0].partition("\n")[2]),
        says("sender", looks, sends, RESULT),
        says("writer", "Written."),
        ENDS,
        ANSWERS,
    ]


def _answer_number(request: ModelRequest) -> int:
    return sum(message.role == "assistant" for message in request.messages)


@dataclass(kw_only=True)
class Run:
    """A thread with a subagent, and the workers that may run it."""

    scene: AppScene
    seen: ThreadObserver
    database: Database
    environment: Mapping[str, str]
    #: The first of them is the one that dies.
    workers: list[ForkServerProcess]

    async def start_another(self) -> None:
        """Start a worker that lives."""
        self.workers.append(start(f"worker {len(self.workers)}", self.environment))
        await until(partial(is_alive, self.database, self.workers[-1].pid or 0))

    async def kill_the_first(self) -> None:
        """Kill the worker that runs the thread, while another one is there."""
        first = self.workers[0]
        await until(partial(is_run_by, self.database, first.pid or 0))
        await self.start_another()
        first.kill()
        await self.has_died()

    async def has_died(self) -> None:
        """Return once the first worker was killed."""
        await asyncio.to_thread(self.workers[0].join, GUARD_SECONDS)
        assert self.workers[0].exitcode == -9

    def asked(self) -> Counter[str]:
        """Return how often each answer of the subagent's model was asked for, and each call was made."""
        names = ("first answer", "second answer", "third answer")
        answers = Counter(names[_answer_number(request)] for request in self.scene.model.requests_of("sender"))
        return answers + self.scene.effects.calls

    async def approve(self) -> None:
        """Approve its red call, once it is asked about."""
        await self.seen.until(lambda seen: bool(seen.cards()), "the card", timeout_seconds=GUARD_SECONDS)
        assert await self.scene.click(self.seen, "Grace", "approved")

    async def end(self) -> None:
        """Check that it comes to its end, and is told once."""
        await self.seen.until(answered_and_done, "the answer", timeout_seconds=GUARD_SECONDS)
        (concluded,) = self.scene.model.requests_of("conclude")
        assert results_told(concluded)["job"] == RESULT
        assert len([words for words in self.seen.words() if words.startswith("ANSWER")]) == 1
        assert len(self.scene.model.requests_of("planner")) == 1


@asynccontextmanager
async def running(
    url: URL,
    data: Path,
    *stalls: int,
    point: str | None = None,
    passes: int = 0,
    beside: bool = False,
    led: bool = False,
    scripts: Sequence[Script] | None = None,
) -> AsyncGenerator[Run]:
    """Ask for the work of a subagent with one worker running; `scripts` are what the models say then.

    `stalls` are the numbers of answers that never arrive when they are asked for first; with `led`, the other worker's
    never arrives then. With `beside`, another step reads at the same time, and its read is held.
    """
    file = data / "greenlight.toml"
    file.write_text(TOOLS_ALONE + WITHOUT_SILENCE + SENDER)
    silent = [
        Script(role="sender", answer=Stall(), when=lambda request, n=n: _answer_number(request) == n, times=1)
        for n in stalls
    ]
    if led:
        silent.append(Script(role="writer", answer=Stall(), times=1))
    async with app_scene(url, data, silent, approvals={}, started=False) as scene:
        await scene.start_app(frozenset({Part.BOT}))
        if beside:
            scene.effects.hold("beside")
        for script in dialogue(scene.effects.url, beside=beside, led=led) if scripts is None else scripts:
            scene.model.add(script)
        database = Database(url)
        environment = {
            **app_environment(scene, file),
            "CHAOS_LOG": str(data / "workers.log"),
            "CHAOS_DEATHS": str(data / "deaths"),
        }
        workers = [start("worker 0", environment, point, passes)]
        try:
            await until(partial(is_alive, database, workers[0].pid or 0))
            async with scene.asked("look and send") as seen:
                yield Run(scene=scene, seen=seen, database=database, environment=environment, workers=workers)
        finally:
            for worker in workers:
                worker.kill()
                await asyncio.to_thread(worker.join)
        await database.close()


AT_POINTS: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "before an answer's row": (0, {"first answer": 2}),
    "after an answer's row": (0, {}),
    "before the row of what a call was told": (0, {"look": 2, "glance": 2}),
    "after the row of what a call was told": (1, {}),
}
"""Point of a subagent's first steps -> how often it is passed before, and what is asked for again."""


@pytest.mark.parametrize("point", AT_POINTS)
async def test_worker_killed_between_a_subagents_steps_costs_the_call_that_no_row_has(
    database_url: URL, tmp_path: Path, point: str
) -> None:
    passes, again = AT_POINTS[point]
    async with running(database_url, tmp_path, point=point, passes=passes) as run:
        await run.has_died()
        await run.start_another()
        await run.approve()
        await run.end()
        # Two reads run side by side: either may be the one that had no row yet.
        most = ONCE | Counter(again)
        assert ONCE <= run.asked() <= most, run.asked()


async def test_worker_killed_before_the_result_is_noted_asks_no_model_again(database_url: URL, tmp_path: Path) -> None:
    async with running(database_url, tmp_path, point="after an answer's row", passes=2) as run:
        await run.approve()
        await run.has_died()
        await run.start_another()
        await run.end()
        assert run.asked() == ONCE


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_worker_killed_during_a_subagents_model_call_repeats_that_call_alone(
    database_url: URL, tmp_path: Path, number: int
) -> None:
    async with running(database_url, tmp_path, number) as run:
        if number == 2:
            await run.approve()
        await until(partial(_asked_for, run, number))
        await run.kill_the_first()
        if number < 2:
            await run.approve()
        await run.end()
        assert run.asked() == ONCE + Counter({("first answer", "second answer", "third answer")[number]: 1})


async def _asked_for(run: Run, number: int) -> bool:
    return any(_answer_number(request) == number for request in run.scene.model.requests_of("sender"))


async def test_worker_killed_during_a_subagents_read_repeats_that_read_alone(database_url: URL, tmp_path: Path) -> None:
    async with running(database_url, tmp_path) as run:
        effects = run.scene.effects
        effects.hold("glance")
        await effects.reached("glance")
        await until(partial(_is, run, "SELECT count(*) = 1 FROM subagent_steps WHERE call = 1"))
        await run.kill_the_first()
        await effects.reached("glance", 2)
        effects.let_go("glance")
        await run.approve()
        await run.end()
        assert run.asked() == ONCE + Counter({"glance": 1})


async def _is(run: Run, query: str) -> bool:
    ((true,),) = await rows(run.database, query)
    return bool(true)


async def test_worker_killed_while_a_subagents_card_is_open_asks_and_sends_once(
    database_url: URL, tmp_path: Path
) -> None:
    async with running(database_url, tmp_path, beside=True) as run:
        await run.seen.until(lambda seen: bool(seen.cards()), "the card", timeout_seconds=GUARD_SECONDS)
        await run.kill_the_first()
        effects = run.scene.effects
        await effects.reached("beside", 2)
        await run.approve()
        await effects.reached("send")
        effects.let_go("beside")
        await run.end()
        assert run.asked() == ONCE + Counter({"beside": 2})
        assert await _is(run, "SELECT count(*) = 1 FROM approvals")


async def test_worker_killed_while_a_subagent_is_parked_sends_once_after_the_click(
    database_url: URL, tmp_path: Path
) -> None:
    async with running(database_url, tmp_path) as run:
        await run.seen.until(lambda seen: bool(seen.cards()), "the card", timeout_seconds=GUARD_SECONDS)
        await until(partial(_is, run, "SELECT count(*) = 0 FROM leases"))
        run.workers[0].kill()
        await run.has_died()
        await run.start_another()
        await run.approve()
        await run.end()
        assert run.asked() == ONCE


async def test_worker_killed_during_a_subagents_red_call_has_people_say_what_became_of_it(
    database_url: URL, tmp_path: Path
) -> None:
    async with running(database_url, tmp_path) as run:
        effects = run.scene.effects
        effects.hold("send")
        await run.approve()
        await effects.reached("send")
        await run.kill_the_first()
        effects.let_go("send")
        await run.seen.until(lambda seen: seen.says("Outcome unknown"), "the question", timeout_seconds=GUARD_SECONDS)
        await run.scene.click(run.seen, "Grace", "happened")
        await run.end()
        assert run.asked() == ONCE
        (last,) = [request for request in run.scene.model.requests_of("sender") if _answer_number(request) == 2]
        assert "confirmed_by" in told(last)[-1]


async def test_worker_killed_while_a_leads_team_is_at_work_repeats_the_answer_in_flight_alone(
    database_url: URL, tmp_path: Path
) -> None:
    async with running(database_url, tmp_path, led=True) as run:
        model = run.scene.model
        await run.seen.until(lambda seen: bool(seen.cards()), "the card", timeout_seconds=GUARD_SECONDS)
        await until(partial(_reached, model, "writer", 1))
        await run.kill_the_first()
        await until(partial(_reached, model, "writer", 2))
        await run.approve()
        await run.end()
        assert run.asked() == ONCE
        assert [len(model.requests_of(role)) for role in ("chief", "writer")] == [2, 2]


async def _reached(model: ScriptedModel, role: str, times: int) -> bool:
    return len(model.requests_of(role)) >= times
