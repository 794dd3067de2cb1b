"""Parking: who is live, who waits, who asks."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest
from langgraph.errors import GraphInterrupt

from agent.approval import ApprovalKind, ApprovalRequest, Decision, DecisionRecord
from agent.execution.parking import ExecutionClosed, Parking, Participant
from agent.execution.step import Step
from agent.ids import ApprovalId, Digest, ThreadId, ToolName, UserId
from agent.plan.outcomes import Cancelled
from agent.ports import Bound
from tests.fakes.ports_in_memory import record_of
from tests.fakes.work import node


def request(kind: ApprovalKind = ApprovalKind.APPROVE) -> ApprovalRequest:
    step = Step(thread=ThreadId("T1:C1:1.0"), turn=1, author=UserId("U1"), node=node("r", red=True))
    return step.question(kind, Bound(tool=ToolName("t"), args={}, digest=Digest("d")), 1, ())


class Requests:
    """Rows that stay pending; `stored` holds the first one up."""

    def __init__(self) -> None:
        self.stored = asyncio.Event()
        self.stored.set()

    async def ask(self, request: ApprovalRequest) -> DecisionRecord:
        await self.stored.wait()
        return record_of(request)


class Scene:
    def __init__(self) -> None:
        self.requests = Requests()
        self.parking = Parking(cast("Any", self.requests))
        self.participant = Participant(self.parking)
        self.participant.go_live()

    async def asking(self, asked: ApprovalRequest) -> "asyncio.Task[DecisionRecord | Cancelled]":
        asking = asyncio.create_task(self.participant.ask(asked))
        await asyncio.sleep(0)
        return asking


async def test_participant_that_waits_is_live_again_in_the_step_that_opens_its_gate():
    scene = Scene()
    waiting = asyncio.create_task(scene.participant.wait())
    await scene.parking.wake.wait()
    assert not scene.parking.live
    scene.participant.open_gate()
    assert scene.parking.live == {scene.participant}
    await waiting


async def test_participant_that_is_cancelled_while_it_waits_is_not_made_live_by_its_gate():
    scene = Scene()
    waiting = asyncio.create_task(scene.participant.wait())
    await scene.parking.wake.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    scene.participant.open_gate()
    assert not scene.parking.live


async def test_decision_reaches_the_participant_that_asked():
    scene, asked = Scene(), request()
    asking = await scene.asking(asked)
    decided = record_of(asked, Decision.APPROVED)
    records: Mapping[ApprovalId, DecisionRecord] = {asked.id: decided, ApprovalId("other"): decided}
    scene.parking.deliver(records)
    assert scene.parking.live
    assert await asking == decided


async def test_park_makes_every_open_request_an_interrupt():
    scene, asked = Scene(), request()
    asking = await scene.asking(asked)
    assert not scene.parking.live
    scene.parking.park()
    with pytest.raises(GraphInterrupt) as parked:
        await asking
    assert [interrupt.id for interrupt in parked.value.args[0]] == [asked.id]


@pytest.mark.parametrize("when", ["before the row is stored", "after the row is stored"])
async def test_cancel_withdraws_an_open_request(when: str):
    scene = Scene()
    if when == "before the row is stored":
        scene.requests.stored.clear()
    asking = await scene.asking(request())
    scene.participant.cancel("no more")
    scene.requests.stored.set()
    assert await asking == Cancelled(why="no more")


async def test_cancel_leaves_a_request_about_an_unknown_outcome_open():
    scene, asked = Scene(), request(ApprovalKind.UNKNOWN)
    asking = await scene.asking(asked)
    scene.participant.cancel("no more")
    scene.parking.deliver({asked.id: record_of(asked, Decision.HAPPENED)})
    assert await asking == record_of(asked, Decision.HAPPENED)


async def test_close_ends_a_request_that_is_being_stored():
    scene = Scene()
    scene.requests.stored.clear()
    asking = await scene.asking(request())
    scene.parking.close()
    scene.requests.stored.set()
    with pytest.raises(ExecutionClosed):
        await asking
