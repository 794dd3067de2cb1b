"""Inline results: bounded each and all together, the others in artifacts."""

import asyncio

from agent.execution.execution_context import INLINE_BYTES_PER_RUN, InlineResults
from agent.execution.step import Step
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.plan.artifacts import INLINE_BYTES, TEXT
from agent.plan.files import FileOrigin
from agent.plan.operations import Node, NodeKind, canonical_json
from agent.plan.outcomes import ArtifactRef, Failed, Succeeded, outcome_json
from agent.tools.output import output_of
from tests.fakes.ports_in_memory import ArtifactsInMemory

THREAD = ThreadId("T1:C1:1.0")
STEP = Step(
    thread=THREAD,
    turn=1,
    author=UserId("U1"),
    node=Node(id=NodeId("a"), kind=NodeKind.TOOL, title="Do a", tool=ToolName("t")),
)
FULL = Failed(error="x", message="y" * INLINE_BYTES_PER_RUN)


async def test_small_result_stays_inline() -> None:
    outcome = Succeeded(value={"n": 1})
    assert await InlineResults(ArtifactsInMemory()).fit(STEP, outcome) is outcome


async def test_large_result_moves_to_an_artifact_with_its_age() -> None:
    artifacts = ArtifactsInMemory()
    moved = await InlineResults(artifacts).fit(STEP, Succeeded(value=["x"] * INLINE_BYTES, age_seconds=7))
    assert isinstance(moved, Succeeded)
    assert (moved.value, moved.age_seconds) == (None, 7)
    assert await output_of(THREAD, moved, artifacts) == ["x"] * INLINE_BYTES


async def test_text_that_finds_no_room_becomes_a_text_artifact() -> None:
    artifacts = ArtifactsInMemory()
    inline = InlineResults(artifacts)
    inline.count([FULL])
    moved = await inline.fit(STEP, Succeeded(value="middling " * 200))
    assert isinstance(moved, Succeeded)
    assert moved.artifact is not None
    assert (moved.artifact.name, moved.artifact.media_type) == ("a.txt", TEXT)
    assert await output_of(THREAD, moved, artifacts) == "middling " * 200


async def test_result_that_is_an_artifact_already_stays_one_without_room() -> None:
    artifacts = ArtifactsInMemory()
    moved = await InlineResults(artifacts).fit(STEP, Succeeded(value="x" * INLINE_BYTES))
    inline = InlineResults(artifacts)
    inline.count([FULL])
    assert await inline.fit(STEP, moved) is moved


async def test_failure_needs_no_room() -> None:
    inline = InlineResults(ArtifactsInMemory())
    assert await inline.fit(STEP, FULL) is FULL
    assert await inline.fit(STEP, FULL) is FULL


async def test_result_no_larger_than_a_reference_stays_inline_without_room() -> None:
    artifacts = ArtifactsInMemory()
    inline = InlineResults(artifacts)
    inline.count([FULL])
    small = Succeeded(value="x" * 720)
    assert await inline.fit(STEP, small) is small
    moved = await inline.fit(STEP, Succeeded(value="x" * 1100))
    assert len(canonical_json(outcome_json(small))) <= 1.1 * len(canonical_json(outcome_json(moved)))


async def test_results_are_moved_out_a_few_at_a_time() -> None:
    class Counting(ArtifactsInMemory):
        now = most = 0

        async def put(
            self, thread: ThreadId, name: str, content: bytes, media_type: str, origin: FileOrigin | None = None
        ) -> ArtifactRef:
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                return await super().put(thread, name, content, media_type)
            finally:
                self.now -= 1

    artifacts = Counting()
    inline = InlineResults(artifacts)
    await asyncio.gather(*(inline.fit(STEP, Succeeded(value=f"{at} " * 3000)) for at in range(200)))
    assert len(artifacts.contents) == 200
    assert artifacts.most <= 4
