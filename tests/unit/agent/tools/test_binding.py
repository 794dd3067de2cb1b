"""Binding: what references become, and how it fails."""

import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import NodeId, ThreadId, UserId
from agent.plan.artifacts import content_of, head_of, value_of
from agent.plan.conditions import Condition
from agent.plan.outcomes import Failed, Outcome, Rejected, Succeeded
from agent.tools.binding import BOUND_BYTES, Unbound, bind_object, bound, check_met
from sandbox.script import Json
from tests.fakes.loop_stalls import loop_stalls
from tests.fakes.plans import json_values
from tests.fakes.ports_in_memory import ArtifactsInMemory

THREAD = ThreadId("T1:C1:1.0")
OUTPUTS: Mapping[NodeId, Any] = {
    NodeId("n"): {"status": 200, "body": {"a/b": ["x", None]}, "text": "héllo"},
    NodeId("s"): "plain",
    NodeId("z"): None,
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${n#/status}", 200),
        ("${n#/body/a~1b}", ["x", None]),
        ("${s}", "plain"),
        ("${z}", None),
        ("is ${n#/status}", "is 200"),
        ("${s} ${s}", "plain plain"),
        ("got ${n#/body} and ${z}", 'got {"a/b": ["x", null]} and null'),
        ("${n#/text}!", "héllo!"),
        ("$${s} ${s}", "${s} plain"),
        ({"k": ["${s}", 3, {"${s}": "${n#/status}"}]}, {"k": ["plain", 3, {"${s}": 200}]}),
    ],
)
def test_reference_becomes_its_value(written: Any, expected: Any) -> None:
    assert bound(written, OUTPUTS) == expected


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("${m}", "node 'm' has no output"),
        ("${n#/nope}", "an object with the keys status, body, text"),
        ("${n#/body/a~1b/2}", "nothing there"),
        ("${s#/0}", "it is a text"),
        ("${z#/x}", "it is null"),
        ("${broken", "is not a reference"),
    ],
)
def test_reference_to_nothing_says_why(written: str, says: str) -> None:
    with pytest.raises(Unbound, match=says):
        bound({"deep": [written]}, OUTPUTS)


@given(json_values)
def test_whole_reference_keeps_any_value(value: Json) -> None:
    assert bound(["${n}"], {NodeId("n"): value}) == [value]


@given(st.text())
def test_bound_values_are_not_bound_again(text: str) -> None:
    assert bound("<${n}>", {NodeId("n"): f"${{m}}{text}"}) == f"<${{m}}{text}>"


@given(json_values, json_values)
def test_any_arguments_are_bound_or_refused(written: Json, output: Json) -> None:
    try:
        bound(written, {NodeId("a"): output})
    except Unbound:
        return


@given(json_values.filter(lambda value: "\\ud" not in ascii(value)))
def test_artifact_content_reads_back_as_the_value(value: Json) -> None:
    content = content_of(NodeId("n"), value)
    assert value_of(content.content, content.media_type) == value


def test_artifact_is_text_for_a_text_and_json_for_anything_else() -> None:
    assert (content_of(NodeId("n"), "hé").name, content_of(NodeId("n"), "hé").content) == ("n.txt", "hé".encode())
    assert (content_of(NodeId("n"), [1]).name, content_of(NodeId("n"), [1]).content) == ("n.json", b"[1]")


def test_head_ends_at_a_whole_character() -> None:
    assert head_of(("é" * 2000).encode()) == "é" * 512
    assert head_of("ab🙂".encode()[:-1]) == "ab"


async def bind(written: Mapping[str, Json], outcomes: Mapping[str, Outcome], artifacts: ArtifactsInMemory) -> Any:
    return await bind_object(THREAD, written, {NodeId(key): value for key, value in outcomes.items()}, artifacts)


async def test_reference_reaches_into_an_artifact() -> None:
    artifacts = ArtifactsInMemory()
    content = content_of(NodeId("a"), {"rows": [[1, "x" * 5000]]})
    ref = await artifacts.put(THREAD, content.name, content.content, content.media_type)
    assert await bind({"n": "${a#/rows/0/0}"}, {"a": Succeeded(artifact=ref)}, artifacts) == {"n": 1}


async def test_evicted_artifact_fails_the_node() -> None:
    artifacts = ArtifactsInMemory()
    ref = await artifacts.put(THREAD, "a.txt", b"x", "text/plain")
    artifacts.contents.clear()
    failed = await bind({"n": "${a}"}, {"a": Succeeded(artifact=ref)}, artifacts)
    assert failed.error == "artifact_missing"


async def test_failed_node_is_read_as_its_outcome() -> None:
    outcomes: dict[str, Outcome] = {
        "a": Failed(error="timeout", message="too slow"),
        "b": Rejected(by=UserId("U2"), reason="not now"),
    }
    written = {"why": "${a#/error}: ${a#/message}", "state": "${b#/state}"}
    assert await bind(written, outcomes, ArtifactsInMemory()) == {"why": "timeout: too slow", "state": "rejected"}


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({"a": Succeeded(value={"x": 1}), "b": Succeeded(value={"x": 2})}, 1),
        ({"a": Failed(error="e"), "b": Succeeded(value={"x": 2})}, 2),
        ({"b": Succeeded(value={"x": 2})}, 2),
    ],
    ids=["first", "failed", "never there"],
)
async def test_reference_to_several_is_the_first_that_succeeded(outcomes: Any, expected: int) -> None:
    assert await bind({"x": "${a|b#/x}"}, outcomes, ArtifactsInMemory()) == {"x": expected}


async def test_reference_to_several_beside_one_to_the_failed_node_itself() -> None:
    outcomes: dict[str, Outcome] = {"a": Failed(error="e"), "b": Succeeded(value=2)}
    assert await bind({"x": "${a|b} ${a#/error}"}, outcomes, ArtifactsInMemory()) == {"x": "2 e"}


async def test_reference_to_several_of_which_none_succeeded_says_so() -> None:
    failed = await bind({"x": "${a|b}"}, {"a": Failed(error="e")}, ArtifactsInMemory())
    assert failed == Failed(error="binding", message="${a|b}: none of these nodes succeeded")


async def test_condition_reads_outputs_and_artifacts() -> None:
    artifacts = ArtifactsInMemory()
    content = content_of(NodeId("big"), {"rows": ["x" * 5000, True]})
    ref = await artifacts.put(THREAD, content.name, content.content, content.media_type)
    outcomes: Mapping[NodeId, Outcome] = {
        NodeId("big"): Succeeded(artifact=ref),
        NodeId("a"): Failed(error="timeout"),
        NodeId("b"): Succeeded(value={"n": 5}),
    }

    async def met(condition: Condition) -> bool | Failed:
        return await check_met(THREAD, condition, outcomes, artifacts)

    assert await met({"in": ["xxx", "${big#/rows/0}"]}) is True
    assert await met({"all": ["${big#/rows/1}", {"eq": ["${a|b#/n}", 5]}]}) is True
    assert await met({"eq": ["${a#/error}", "${b#/n} seconds"]}) is False
    assert await met("${big#/rows/2}") == Failed(
        error="binding",
        message="${big#/rows/2}: the output of 'big' has nothing there; it is an object with the keys rows",
    )
    assert await met({"gt": ["${b#/n}", "4"]}) == Failed(
        error="not_comparable", message='b#/n > "4": a number and a text have no order (>)'
    )


async def test_missing_output_is_an_outcome_not_an_error() -> None:
    assert await bind({"x": "${a}"}, {}, ArtifactsInMemory()) == Failed(
        error="binding", message="${a}: node 'a' has no output"
    )


async def test_arguments_that_grow_too_large_are_refused() -> None:
    outcomes = {"a": Succeeded(value="x" * 4000)}
    failed = await bind({"t": "${a}" * (BOUND_BYTES // 4000 + 1)}, outcomes, ArtifactsInMemory())
    assert isinstance(failed, Failed)
    assert failed.error == "arguments_too_large"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"t": "${a}" * 100}, "x" * 256 * 1024),
        ({"t": ["${a}"] * 2_000}, "x" * 1024 * 1024),
        ({"t": "${a} and ${a}"}, [0] * 4_000_000),
    ],
    ids=["one text", "a list of whole values", "a list inside a text"],
)
async def test_arguments_are_counted_before_they_are_built(written: Mapping[str, Json], value: Json) -> None:
    artifacts = ArtifactsInMemory()
    content = content_of(NodeId("a"), value)
    ref = await artifacts.put(THREAD, content.name, content.content, content.media_type)
    before = bind_peak(value)
    tracemalloc.start()
    try:
        async with loop_stalls() as stalls:
            failed = await bind(written, {"a": Succeeded(artifact=ref)}, artifacts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failed.error == "arguments_too_large"
    assert peak < before + 4 * BOUND_BYTES
    assert stalls.longest < 0.25


def bind_peak(value: Json) -> int:
    """Return the bytes that reading the value alone takes."""
    content = content_of(NodeId("a"), value)
    tracemalloc.start()
    try:
        value_of(content.content, content.media_type)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_outputs_that_are_too_large_together_are_not_loaded() -> None:
    artifacts = ArtifactsInMemory()
    refs = [
        await artifacts.put(THREAD, f"{at}.txt", bytes([65 + at]) * (12 * 1024 * 1024), "text/plain") for at in range(3)
    ]
    outcomes: dict[str, Outcome] = {f"n{at}": Succeeded(artifact=ref) for at, ref in enumerate(refs)}
    artifacts.contents.clear()
    failed = await bind({key: f"${{{key}#/0}}" for key in outcomes}, outcomes, artifacts)
    assert failed.error == "arguments_too_large"
    assert "together" in failed.message
