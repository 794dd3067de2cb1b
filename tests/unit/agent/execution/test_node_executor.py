"""NodeExecutor and its tool calls: colour, binding, timeouts, retries, outputs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.errors import StoreUnavailable
from agent.events import NodeChanged
from agent.execution.node_executor import NodeExecutor
from agent.ids import Digest, NodeId, ThreadId, ToolName, UserId
from agent.plan.artifacts import INLINE_BYTES
from agent.plan.files import FileOrigin
from agent.plan.operations import Node, NodeKind
from agent.plan.outcomes import OUTCOME_UNKNOWN, ArtifactRef, Failed, NodeState, Outcome, Succeeded
from agent.ports import Bound
from agent.tool import CallContext, Colour, Registry, Tool, ToolError
from sandbox.script import Json
from tests.fakes.loop_stalls import loop_stalls
from tests.fakes.ports_in_memory import ArtifactsInMemory, ProgressInMemory

THREAD = ThreadId("T1:C1:1.0")
CONTEXT = CallContext(thread=THREAD, node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("k" * 64))

Call = Callable[[CallContext, Mapping[str, Json]], Awaitable[Any]]


async def echo(context: CallContext, args: Mapping[str, Json]) -> Json:
    return {"args": args, "by": context.author}


def tool(call: Call = echo, name: str = "t", **more: Any) -> Tool:
    schema: Mapping[str, Json] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    values: dict[str, Any] = {
        "name": ToolName(name),
        "description": "does it",
        "arguments": schema,
        "colour": Colour.GREEN,
        "call": call,
        **more,
    }
    return Tool(**values)


class Scene:
    """A NodeExecutor over some tools."""

    def __init__(self, *tools: Tool, artifacts: ArtifactsInMemory | None = None) -> None:
        self.artifacts = artifacts or ArtifactsInMemory()
        #: The pauses it made, in seconds.
        self.paused: list[float] = []
        self.progress = ProgressInMemory()
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.work = NodeExecutor(
            registry=Registry(tools or [tool()]),
            sandbox=None,
            artifacts=self.artifacts,
            progress=self.progress,
            model=None,
            clock=lambda: self.now,
            pause=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.paused.append(seconds)

    async def bind(self, node: Node, outcomes: Mapping[str, Outcome] | None = None) -> Bound | Failed:
        return await self.work.bind(THREAD, node, {NodeId(key): outcome for key, outcome in (outcomes or {}).items()})

    async def bound(self, node: Node, outcomes: Mapping[str, Outcome] | None = None) -> Bound:
        bound = await self.bind(node, outcomes)
        assert isinstance(bound, Bound), bound
        return bound

    async def perform(self, node: Node) -> Outcome:
        return await self.work.perform(node, await self.bound(node), CONTEXT)


def node(args: Mapping[str, Json] | None = None, name: str = "t", **more: Any) -> Node:
    values: dict[str, Any] = {"id": NodeId("n"), "kind": NodeKind.TOOL, "title": "N", "tool": ToolName(name)}
    values |= {"args": args or {}, **more}
    return Node(**values)


PACKAGE = Node(id=NodeId("p"), kind=NodeKind.PACKAGE, title="P", code="def main(inputs): return 1")


@pytest.mark.parametrize(
    ("subject", "colour"),
    [
        (node(), Colour.GREEN),
        (node(name="red"), Colour.RED),
        (node(name="gone"), Colour.RED),
        (node(require_human_approval=True), Colour.RED),
        (replace(PACKAGE, tools=(ToolName("t"),)), Colour.GREEN),
        (replace(PACKAGE, tools=(ToolName("t"), ToolName("red"))), Colour.GREEN),  # each red call is a node
        (replace(PACKAGE, tools=(ToolName("red"), ToolName("gone"))), Colour.RED),
        (replace(PACKAGE, tools=(ToolName("gone"),)), Colour.RED),
        (replace(PACKAGE, require_human_approval=True), Colour.RED),
        (node(kind=NodeKind.SUBAGENT), Colour.GREEN),  # each red call is a node
        (node(kind=NodeKind.SUBAGENT, tools=(ToolName("red"), ToolName("gone"))), Colour.GREEN),
        (node(kind=NodeKind.SUBAGENT, require_human_approval=True), Colour.RED),
    ],
)
def test_whatever_is_not_known_to_be_green_is_red(subject: Node, colour: Colour) -> None:
    assert Scene(tool(), tool(name="red", colour=Colour.RED)).work.colour(subject) is colour


async def test_line_of_a_tool_stands_beside_its_step_once_a_second_until_it_ended() -> None:
    kept: list[Callable[[str], None]] = []

    async def tells(context: CallContext, _args: Mapping[str, Json]) -> Json:
        kept.append(context.note_detail)
        for line in ("10%", "10%", "20%", "30%" * 100):
            context.note_detail(line)
            scene.now += timedelta(seconds=0.5)
        return None

    scene = Scene(tool(tells))
    await scene.perform(node())
    scene.now += timedelta(seconds=5)
    kept[0]("late")
    told = [event for event in scene.progress.events if isinstance(event, NodeChanged)]
    assert {event.state for event in told} == {NodeState.RUNNING}
    assert [event.detail[:3] for event in told] == ["10%", "20%"]


async def test_tool_gets_bound_arguments_and_the_author() -> None:
    scene = Scene()
    bound = await scene.bound(node({"n": "${a#/x}"}), {"a": Succeeded(value={"x": 7})})
    assert (bound.tool, bound.args) == ("t", {"n": 7})
    assert await scene.work.perform(node(), bound, CONTEXT) == Succeeded(value={"args": {"n": 7}, "by": "U1"})


async def test_value_that_does_not_fit_once_bound_fails_before_anybody_is_asked() -> None:
    failed = await Scene().bind(node({"n": "${a}"}), {"a": Succeeded(value="seven")})
    assert failed == Failed(error="bad_arguments", message="/args/n: 'seven' is not of type 'integer'")


async def test_tool_that_is_gone_fails_the_node() -> None:
    failed = await Scene().bind(node(name="gone"))
    assert isinstance(failed, Failed)
    assert failed.error == "unknown_tool"


async def test_digest_changes_with_everything_that_is_approved() -> None:
    scene = Scene(tool(), tool(name="t2"))
    base = {"a": Succeeded(value={"x": 7, "y": 1})}
    written = node({"n": "${a#/x}"})
    digests = [
        (await scene.bound(written, base)).digest,
        (await scene.bound(written, {"a": Succeeded(value={"x": 8, "y": 1})})).digest,
        (await scene.bound(written, {"a": Succeeded(value={"x": 7, "y": 2})})).digest,
        (await scene.bound(replace(written, tool=ToolName("t2")), base)).digest,
        (await scene.bound(replace(written, title="other"), base)).digest,
        (await scene.bound(replace(written, args={"n": 7}), base)).digest,
    ]
    assert len(set(digests)) == len(digests)
    assert (await scene.bound(written, base)).digest == digests[0]


async def test_output_up_to_4_kib_stays_inline() -> None:
    async def sized(context: CallContext, args: Mapping[str, Json]) -> Json:
        return "x" * (INLINE_BYTES - 2)

    assert await Scene(tool(sized)).perform(node()) == Succeeded(value="x" * (INLINE_BYTES - 2))


@pytest.mark.parametrize(
    ("output", "name", "media_type", "head"),
    [
        ("é" * 3000, "n.txt", "text/plain; charset=utf-8", "é" * 512),
        ({"rows": ["x" * 5000]}, "n.json", "application/json", '{"rows":["' + "x" * 502),
    ],
    ids=["text", "json"],
)
async def test_bigger_output_becomes_an_artifact(output: Json, name: str, media_type: str, head: str) -> None:
    async def big(context: CallContext, args: Mapping[str, Json]) -> Json:
        return output

    scene = Scene(tool(big))
    outcome = await scene.perform(node())
    assert isinstance(outcome, Succeeded)
    ref = outcome.artifact
    assert isinstance(ref, ArtifactRef)
    assert (outcome.value, ref.name, ref.media_type, ref.head) == (None, name, media_type, head)
    assert ref.size == len(scene.artifacts.contents[ref.digest])
    again = await scene.bound(node({"whole": "${n}"}), {"n": outcome})
    assert again.args == {"whole": output}


async def test_output_text_is_mended_so_that_it_can_be_stored() -> None:
    async def odd(context: CallContext, args: Mapping[str, Json]) -> Json:
        return {"a\0": ["\ud800"]}

    assert await Scene(tool(odd)).perform(node()) == Succeeded(value={"a\ufffd": ["\ufffd"]})


@pytest.mark.parametrize(
    "output", [float("nan"), {"a": float("inf")}, {1: 2}, {"a": {1, 2}}, b"x", 2**70, object], ids=repr
)
async def test_output_that_is_not_json_fails_the_node(output: Any) -> None:
    async def bad(context: CallContext, args: Mapping[str, Json]) -> Any:
        return output

    outcome = await Scene(tool(bad)).perform(node())
    assert isinstance(outcome, Failed)
    assert outcome.error == "bad_output"


@pytest.mark.parametrize(
    "output",
    [
        list(range(1_000_000)),
        [{"line": at, "text": "GET / 200", "slow": False} for at in range(100_000)],
        {f"key {at}": [None, 1.5, "x" * 100] for at in range(40_000)},
        ["nul \x00"] * 400_000,
        [[[0] * 10] * 10] * 10_000,
    ],
    ids=["integers", "rows", "keys", "text to mend", "nested"],
)
async def test_large_output_is_kept_beside_the_loop(output: Json) -> None:
    async def large(context: CallContext, args: Mapping[str, Json]) -> Json:
        return output

    scene = Scene(tool(large))
    async with loop_stalls() as stalls:
        outcome = await scene.perform(node())
    assert isinstance(outcome, Succeeded)
    assert outcome.artifact is not None
    assert outcome.artifact.size > 1024 * 1024
    assert stalls.longest < 0.2


async def test_tool_error_keeps_its_code_and_words() -> None:
    async def refusing(context: CallContext, args: Mapping[str, Json]) -> Json:
        raise ToolError("not_allowed", "only Mondays")

    assert await Scene(tool(refusing)).perform(node()) == Failed(error="not_allowed", message="only Mondays")


async def test_broken_tool_fails_its_node_without_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(context: CallContext, args: Mapping[str, Json]) -> Json:
        raise RuntimeError("postgres://user:hunter2@db")

    with caplog.at_level(logging.ERROR):
        outcome = await Scene(tool(broken)).perform(node())
    assert outcome == Failed(error="tool_fault", message="the tool broke (RuntimeError)")
    assert "tool t broke" in caplog.text


async def hang(context: CallContext, args: Mapping[str, Json]) -> Json:
    await asyncio.Event().wait()
    raise AssertionError


async def test_tool_that_hangs_times_out() -> None:
    outcome = await Scene(tool(hang, timeout_seconds=0.05)).perform(node())
    assert outcome == Failed(error="timeout", message="no answer within 0.05 seconds")


async def breaks(context: CallContext, args: Mapping[str, Json]) -> Json:
    raise AttributeError("get")


async def is_cancelled(context: CallContext, args: Mapping[str, Json]) -> Json:
    raise asyncio.CancelledError


async def returns_no_json(context: CallContext, args: Mapping[str, Json]) -> Any:
    return float("inf")


@pytest.mark.parametrize("call", [hang, breaks, is_cancelled, returns_no_json], ids=lambda call: call.__name__)
async def test_outcome_of_a_red_tool_that_ends_without_its_own_word_is_unknown(call: Any) -> None:
    """It may have sent what it was to send, so that "failed" would have people send it again."""
    outcome = await Scene(tool(call, timeout_seconds=0.05, colour=Colour.RED)).perform(node())
    assert isinstance(outcome, Failed)
    assert outcome.error == OUTCOME_UNKNOWN
    assert outcome.message.endswith("whether it took effect is not known")


async def test_tool_may_raise_timeouts_of_its_own() -> None:
    async def slow(context: CallContext, args: Mapping[str, Json]) -> Json:
        raise TimeoutError

    assert await Scene(tool(slow)).perform(node()) == Failed(
        error="tool_fault", message="the tool broke (TimeoutError)"
    )


async def test_cancelling_ends_the_call_and_is_passed_on() -> None:
    scene = Scene(tool(hang))
    task = asyncio.create_task(scene.perform(node()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_tool_cancelled_from_within_fails_its_node_only() -> None:
    async def cancelled(context: CallContext, args: Mapping[str, Json]) -> Json:
        raise asyncio.CancelledError

    outcome = await Scene(tool(cancelled)).perform(node())
    assert isinstance(outcome, Failed)
    assert outcome.error == "tool_error"


class Flaky:
    """Fails with `code` until it was called `good` times."""

    def __init__(self, code: str, good: int) -> None:
        self.code = code
        self.good = good
        self.calls = 0

    async def __call__(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        self.calls += 1
        if self.calls < self.good:
            raise ToolError(self.code, "not now")
        return self.calls


@pytest.mark.parametrize(
    ("code", "more", "calls", "succeeds"),
    [
        ("unavailable", {"retryable": True}, 3, True),
        ("unavailable", {"retryable": False}, 1, False),
        ("unavailable", {"retryable": True, "colour": Colour.RED}, 1, False),
        ("bad_query", {"retryable": True}, 1, False),
    ],
)
async def test_retryable_green_tools_alone_are_tried_again(
    code: str, more: Mapping[str, Any], calls: int, succeeds: bool
) -> None:
    flaky = Flaky(code, good=3)
    scene = Scene(tool(flaky, **more))
    outcome = await scene.perform(node())
    assert (flaky.calls, isinstance(outcome, Succeeded), len(scene.paused)) == (calls, succeeds, calls - 1)


async def test_retries_end() -> None:
    flaky = Flaky("unavailable", good=100)
    assert await Scene(tool(flaky, retryable=True)).perform(node()) == Failed(error="unavailable", message="not now")
    assert flaky.calls == 3


class AwayArtifacts(ArtifactsInMemory):
    """Artifacts whose store is away for the first `away` puts."""

    def __init__(self, away: int) -> None:
        super().__init__()
        self.away = away

    async def put(
        self, thread: ThreadId, name: str, content: bytes, media_type: str, origin: FileOrigin | None = None
    ) -> ArtifactRef:
        self.away -= 1
        if self.away >= 0:
            raise StoreUnavailable
        return await super().put(thread, name, content, media_type)


@pytest.mark.parametrize(("away", "kind"), [(2, Succeeded), (3, Failed)])
async def test_store_that_is_away_does_not_repeat_the_call(away: int, kind: type) -> None:
    calls = 0

    async def big(context: CallContext, args: Mapping[str, Json]) -> Json:
        nonlocal calls
        calls += 1
        return "x" * 9000

    outcome = await Scene(tool(big), artifacts=AwayArtifacts(away)).perform(node())
    assert (type(outcome), calls) == (kind, 1)


async def test_package_without_a_sandbox_fails_plainly() -> None:
    outcome = await Scene().perform(PACKAGE)
    assert isinstance(outcome, Failed)
    assert outcome.error == "no_sandbox"
