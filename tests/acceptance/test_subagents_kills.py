"""Subagents whose process dies at any step: no answer that a row has is asked for again, each red call happens once."""

import asyncio
import json
import os
import random
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import cast

import pytest
from sqlalchemy import URL

from agent.approval import ApprovalKind, Decision, DecisionRecord
from agent.events import RunEvent
from agent.execution.graph import AdvanceResult, Checkpoints, ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.ids import ChannelId, NodeId, Tenant, ThreadId, ToolName, UserId, thread_id
from agent.limits import Limits, ModelSettings
from agent.llm.client import OpenAILanguageModel
from agent.plan.operations import Add, Node, NodeKind, digest_of
from agent.plan.outcomes import Succeeded
from agent.ports import AgentModel, ChatMessage, OfferedTool, Progress
from agent.roles import SubagentRole
from agent.tool import CallContext, Colour, Registry, Tool, ToolError
from bot.ports import Incoming, Kind
from infra.dev.scripted_model.script import ModelRequest, Reply, Script, ToolCall, ToolCalls
from infra.dev.scripted_model.server import ScriptedModel
from infra.wiring import runner_ports
from sandbox.script import Json
from tests.acceptance.test_trust_scripts import Killer, Rows, open_rows
from tests.fakes.crash_injection import CrashingPostgresSaver
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeAnswerer, FakeFeeder, FakeReplanner

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
KILLS = 200
SHORT_KILLS = 12
AT_ONCE = 8
MOST_AT_ONCE = 4
"""Calls of one answer."""

LIFE_SECONDS = 120.0
"""Only a hang takes this long."""

LEAD = NodeId("lead")
DECIDER = UserId("U2")
CONFIRMED = json.dumps({"confirmed_by": DECIDER}, separators=(",", ":"))
"""What a red call returned that died before its row, and of which a person says that it happened."""

TOOLS = ("look", "change", "files_write")
WORKER = SubagentRole(name="worker", prompt="Do it.", tools=TOOLS, steps=20)
ROLES = (WORKER, SubagentRole(name="chief", prompt="Lead them.", tools=TOOLS, steps=20, lead=True, roles=("worker",)))

Asked = tuple[str, Mapping[str, Json]]


def dialogue(seed: int, worker: int | None = None) -> Sequence[Sequence[Asked]]:
    """Return the calls of each answer of a subagent, or of one of its workers."""
    rng = random.Random(f"{seed}/{worker}")  # noqa: S311  # reproducible, not secret
    answers: list[Sequence[Asked]] = []
    handed_out = 0
    for _ in range(rng.randint(1, 4)):
        asked: list[Asked] = []
        for _ in range(rng.randint(1, MOST_AT_ONCE)):
            kinds = ["look", "look", "change", "files_write", *([] if worker is not None else ["hand_out"])]
            kind = rng.choice(kinds)
            if kind == "files_write":
                asked.append((kind, {"name": f"{rng.randint(1, 3)}.md", "text": "x" * rng.randint(1, 9)}))
            elif kind == "hand_out" and handed_out < 3:
                work: dict[str, Json] = {"role": "worker", "instruction": f"seed {seed}/{handed_out} of it"}
                asked.append((kind, {**work, "files": list(files_of(answers))[:1]} if files_of(answers) else work))
                handed_out += 1
            elif kind == "change":
                asked.append((kind, {"n": rng.randint(0, 9)}))
            else:
                asked.append(("look", {"n": rng.randint(0, 9)}))
        answers.append([one for one in asked if not _writes_what_is_handed_out(one, asked)])
    return answers


def _writes_what_is_handed_out(one: Asked, answer: Sequence[Asked]) -> bool:
    """Return whether a call writes a file that another one of its answer hands out, which is refused."""
    handed: set[str] = {str(name) for _, args in answer for name in cast("list[Json]", args.get("files", []))}
    return one[1].get("name") in handed


def expected(seed: int, worker: int | None = None) -> str:
    """Return the result of a subagent: what it was told, answer by answer."""
    node = LEAD if worker is None else NodeId(f"{LEAD}-{_place_of(seed, worker)}")
    told = [_told(seed, node, asked, answer) for answer in dialogue(seed, worker) for asked in answer]
    return json.dumps(told + ([] if worker is None else _handed(seed, worker)))


def _handed(seed: int, worker: int) -> list[str]:
    """Return the texts of the files that a worker was handed: those of the answers before."""
    answers = dialogue(seed)
    for at, asked in enumerate(answers):
        for kind, args in asked:
            if kind == "hand_out" and f"seed {seed}/{worker} " in str(args["instruction"]):
                return [files_of(answers[:at])[str(name)] for name in cast("list[Json]", args.get("files", []))]
    raise AssertionError("nobody has this work")


def _place_of(seed: int, worker: int) -> int:
    """Return the number of a worker among the calls of its lead that became nodes."""
    kinds = [asked for answer in dialogue(seed) for asked in answer if asked[0] in ("change", "hand_out")]
    handed_out = [place for place, asked in enumerate(kinds) if asked[0] == "hand_out"]
    return handed_out[worker]


def files(seed: int, worker: int | None = None) -> Mapping[str, str]:
    """Return the files that a subagent, or one of its workers, leaves: short name -> text."""
    return files_of(dialogue(seed, worker))


def files_of(answers: Sequence[Sequence[Asked]]) -> Mapping[str, str]:
    """Return the files that answers leave: short name -> text."""
    return {
        str(args["name"]): str(args["text"])
        for answer in answers
        for kind, args in answer
        if kind == "files_write" and _is_only(args["name"], answer)
    }


def _is_only(name: Json, answer: Sequence[Asked]) -> bool:
    return [args.get("name") for _, args in answer].count(name) == 1


def _told(seed: int, node: NodeId, asked: Asked, beside: Sequence[Asked]) -> str:
    match asked:
        case "files_write", {"name": str(name), "text": str(text)}:
            if _is_only(name, beside):
                return json.dumps({"name": f"1/{node}/{name}", "size": len(text)}, separators=(",", ":"))
            return "another call of the same answer writes a file of this name; give each its own name"
        case "look", {"n": int(n)}:
            return "look: odd: it cannot be read" if n % 7 == 5 else str((n * 7 + 3) % 11)
        case "change", {"n": int(n)}:
            return "a person rejected this call: no, thanks" if n == 3 else "null"
        case _:
            number = int(str(asked[1]["instruction"]).partition("/")[2].split()[0])
            place = _place_of(seed, number)
            kept = ", ".join(
                f"1/{LEAD}-{place}/{name} ({len(text)} bytes)" for name, text in files(seed, number).items()
            )
            return f"worker returned:\n{expected(seed, number)}" + (f"\n\nIt kept: {kept}" if kept else "")


def answer(request: ModelRequest) -> Reply | str:
    """Return the next answer of whichever subagent asks, which the request alone decides."""
    words = request.messages[1].text.partition("seed ")[2].split()[0]
    seed, _, number = words.partition("/")
    answers = dialogue(int(seed), int(number) if number else None)
    given = sum(message.role == "assistant" for message in request.messages)
    if given < len(answers):
        return ToolCalls(calls=[ToolCall(name=name, arguments=args) for name, args in answers[given]])
    told = [message.text for message in request.messages if message.role == "tool"]
    given = re.findall(r"## File 1\n```\n(x+)\n```", request.messages[1].text)
    return json.dumps([*("null" if text == CONFIRMED else text for text in told), *given])


@dataclass(kw_only=True)
class World:
    """What the models and tools of one thread were asked."""

    #: Each answer of a model and each call of a green tool -> how often it was asked for.
    asked: Counter[str] = field(default_factory=Counter[str])
    #: Those of them that died with their process before a row had what came of them.
    lost: Counter[str] = field(default_factory=Counter[str])
    changed: Counter[NodeId] = field(default_factory=Counter[NodeId])
    happened: set[NodeId] = field(default_factory=set[NodeId])

    async def look(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        self.asked[context.idempotency_key] += 1
        n = int(str(args["n"]))
        await asyncio.sleep(n / 400)
        if n % 7 == 5:
            raise ToolError("odd", "it cannot be read")
        return (n * 7 + 3) % 11

    async def change(self, context: CallContext, _args: Mapping[str, Json]) -> Json:
        self.changed[context.node] += 1
        self.happened.add(context.node)
        return None

    def registry(self) -> Registry:
        tools = [
            Tool(
                name=ToolName(name),
                description=name,
                arguments={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
                colour=colour,
                call=call,
            )
            for name, colour, call in (("look", Colour.GREEN, self.look), ("change", Colour.RED, self.change))
        ]
        return Registry(tools, ROLES)


@dataclass(frozen=True, kw_only=True)
class _CountedModel:
    inner: AgentModel
    world: World

    async def respond(
        self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
    ) -> ChatMessage:
        given = sum(message.by == "ai" for message in messages)
        words = messages[1].text.partition("seed ")[2].split()[0]
        self.world.asked[f"{words} {given + 1}"] += 1
        return await self.inner.respond(role, messages, tools)


@dataclass(frozen=True)
class _Progress:
    inner: Progress
    killer: Killer

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        if not self.killer.dead:
            self.inner.note(thread, event)

    async def flush(self) -> None:
        if not self.killer.dead:
            await self.inner.flush()


class KilledSubagent:
    """A random subagent whose process dies a few times; each life knows the rows only."""

    def __init__(self, seed: int, rows: Rows, model: AgentModel, *, deaths: int) -> None:
        self.seed = seed
        self.world = World()
        self.thread: ThreadId = thread_id("T1", "C1", f"{seed}.0")
        self.stores = rows.stores()
        self.kills = 0
        self.parked = 0
        self._rows = rows
        self._model = model
        self._rng = random.Random(seed + 1)  # noqa: S311  # reproducible, not secret
        self._deaths = deaths

    async def run(self) -> None:
        """Run it to its end, and compare it with what it should have come to."""
        incoming = Incoming(
            tenant=Tenant("T1"),
            app="A1",
            event_id=str(self.seed),
            channel=ChannelId("C1"),
            ts=f"{self.seed}.0",
            thread=self.thread,
            author=UserId("U1"),
            text="go",
            kind=Kind.MENTION,
        )
        await self.stores.inbox.accept(incoming)
        while await self._life() is not AdvanceResult.FINISHED:
            await self._decide()
        await self._check()

    def _runner(self, killer: Killer) -> ThreadRunner:
        stores = copy(self._rows.stores())
        for name in ("log", "approvals", "ledger", "artifacts", "mailbox", "runs", "steps"):
            setattr(stores, name, killer.crashing(getattr(stores, name)))
        node = Node(
            id=LEAD,
            kind=NodeKind.SUBAGENT,
            title="Lead",
            role="chief",
            instruction=f"seed {self.seed} of it",
            tools=(ToolName("look"), ToolName("change")),
        )
        ports = runner_ports(
            stores,
            self._rows.notifications.changes,
            progress=_Progress(stores.progress, killer),
            work=NodeExecutor(
                registry=self.world.registry(),
                sandbox=None,
                artifacts=stores.artifacts,
                progress=_Progress(stores.progress, killer),
                agents=_CountedModel(inner=self._model, world=self.world),
                steps=stores.steps,
                model=None,
            ),
            feeder=FakeFeeder(stores.log, stores.mailbox, {"go": [Add(node=node)]}),
            replanner=FakeReplanner(stores.log),
            answerer=FakeAnswerer(stores.runs),
        )

        def checkpoints(*_: object) -> Checkpoints:
            saver = CrashingPostgresSaver(self._rows.pool, killer)
            return Checkpoints(saver=saver, committed=saver.committed, prune=saver.prune_thread, end=saver.end)

        return ThreadRunner(ports, checkpoints, limits=Limits())

    async def _life(self) -> AdvanceResult | None:
        killer = Killer()
        dies = self._deaths > 0
        at_a_step = self._rng.random() < 0.8
        if dies and at_a_step:
            killer.at, killer.after_effect = self._rng.randint(1, 50), self._rng.random() < 0.5
        before = Counter(self.world.asked)
        advancing = asyncio.create_task(self._runner(killer).advance(self.thread, HeldLease()))
        killer.runner = advancing
        if dies and not at_a_step:
            await asyncio.wait([advancing], timeout=self._rng.uniform(0.01, 0.4))
            if not advancing.done():
                killer.die()
        await asyncio.wait([advancing], timeout=LIFE_SECONDS)
        assert advancing.done(), "the runner hangs"
        if killer.dead:
            await asyncio.gather(advancing, return_exceptions=True)
            self.kills += 1
            self._deaths -= 1
            lost = (Counter(self.world.asked) - before) - Counter(await self._kept())
            await self._check_lost(lost)
            self.world.lost += lost
            return None
        ended = advancing.result()
        self.parked += ended is AdvanceResult.PARKED
        return ended

    async def _check_lost(self, lost: Counter[str]) -> None:
        """Check that a death costs each dialogue one answer at most, or the calls of its newest one."""
        answers = Counter(key.split()[0] for key in lost.elements() if " " in key)
        assert set(answers.values()) <= {1}, (self.seed, lost)
        calls = lost.total() - answers.total()
        assert calls <= MOST_AT_ONCE * (len(await self._nodes()) - len(answers)), (self.seed, lost)

    async def _kept(self) -> Sequence[str]:
        """Return everything of which a row has what came of it."""
        kept: list[str] = []
        for node in await self._nodes():
            for step in await self.stores.steps.of(self.thread, node.id):
                words = node.instruction.partition("seed ")[2].split()[0]
                kept.append(f"{words} {step.step}" if not step.call else digest_of([step.of, step.step, step.call]))
        return kept

    async def _nodes(self) -> Sequence[Node]:
        logged = await self.stores.log.after(self.thread, 0)
        nodes = [entry.operation.node for entry in logged if isinstance(entry.operation, Add)]
        return [node for node in nodes if node.kind is NodeKind.SUBAGENT]

    async def _decide(self) -> None:
        requests = await self.stores.approvals.read(self.thread)
        for record in requests.values():
            if record.decision is Decision.PENDING:
                await self.stores.approvals.decide(
                    Tenant("T1"),
                    record.id,
                    version=1,
                    by=DECIDER,
                    decision=await self._decision(record),
                    reason="no, thanks",
                )

    async def _decision(self, record: DecisionRecord) -> Decision:
        if record.kind is ApprovalKind.UNKNOWN:
            return Decision.HAPPENED if record.node in self.world.happened else Decision.AGAIN
        logged = await self.stores.log.after(self.thread, 0)
        args = {
            entry.operation.node.id: entry.operation.node.args for entry in logged if isinstance(entry.operation, Add)
        }
        return Decision.REJECTED if args[record.node]["n"] == 3 else Decision.APPROVED

    async def _check(self) -> None:
        told = f"seed {self.seed}"
        outcome = (await self.stores.statuses.of(self.thread))[LEAD].outcome
        assert isinstance(outcome, Succeeded), (told, outcome)
        assert outcome.value == expected(self.seed), told
        assert set(self.world.changed.values()) <= {1}, told
        await self._check_files()
        again = Counter({key: times - 1 for key, times in self.world.asked.items()})
        assert again <= self.world.lost, (told, again - self.world.lost)

    async def _check_files(self) -> None:
        """Check that each file is there once, with its last text."""
        for node in await self._nodes():
            words = node.instruction.partition("seed ")[2].split()[0]
            _, _, number = words.partition("/")
            written = files(self.seed, int(number) if number else None)
            outputs = (f"1/{node.id}/{node.id}.json", f"1/{node.id}/{node.id}.txt")
            found = {
                record.name.rpartition("/")[2]: (await self.stores.artifacts.get(self.thread, record.digest)).decode()
                for record in await self.stores.files.listed(self.thread, prefix=f"1/{node.id}/", most=100)
                if record.name not in outputs
            }
            assert found == written, (self.seed, node.id)
            outcome = (await self.stores.statuses.of(self.thread))[node.id].outcome
            assert isinstance(outcome, Succeeded)
            assert {ref.name for ref in outcome.files} == {f"1/{node.id}/{name}" for name in written}


@dataclass(kw_only=True)
class _Figures:
    subagents: int = 0
    kills: int = 0
    parked: int = 0
    red: int = 0
    #: Model answers and green calls.
    asked: int = 0
    #: Of them, asked for again because their process died before a row had them.
    again: int = 0


@asynccontextmanager
async def _model() -> AsyncGenerator[OpenAILanguageModel]:
    async with ScriptedModel([Script(answer=answer)]) as server:
        settings = ModelSettings(model="scripted", api_key="scripted", base_url=await server.start())
        client = OpenAILanguageModel(settings)
        yield client
        await client.close()


async def _killed(url: URL, kills: int) -> _Figures:
    """Run subagents until so many processes died in them, many at once."""
    figures = _Figures()
    at_once = asyncio.Semaphore(AT_ONCE)

    async def run(seed: int) -> None:
        async with at_once:
            if figures.kills >= kills:
                return
            subagent = KilledSubagent(seed, rows, model, deaths=random.Random(seed).randint(1, 5))  # noqa: S311
            await subagent.run()
            figures.subagents += 1
            figures.kills += subagent.kills
            figures.parked += subagent.parked
            figures.red += subagent.world.changed.total()
            figures.asked += subagent.world.asked.total()
            figures.again += sum(times - 1 for times in subagent.world.asked.values())

    async with open_rows(url) as rows, _model() as model, asyncio.TaskGroup() as group:
        for seed in range(SEED, SEED + kills):
            group.create_task(run(seed))
    print(f"seeds from {SEED}: {figures}")
    return figures


async def test_killed_subagents_repeat_no_model_call_and_no_tool_call_that_a_row_has(database_url: URL) -> None:
    figures = await _killed(database_url, SHORT_KILLS)
    assert figures.kills >= SHORT_KILLS
    assert min(figures.parked, figures.red, figures.asked) > 0


@pytest.mark.chaos
async def test_two_hundred_kills_in_subagents_repeat_no_call_that_a_row_has(database_url: URL) -> None:
    figures = await _killed(database_url, KILLS)
    assert figures.kills >= KILLS
    assert min(figures.parked, figures.red, figures.asked) > 0
