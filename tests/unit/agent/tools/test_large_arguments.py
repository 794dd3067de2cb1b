"""Large values by reference: what stands in their place, what comes back, and what only looks like a reference."""

import hashlib
import json

from agent.ids import NodeId, ThreadId
from agent.plan.outcomes import Failed
from agent.tools.large_arguments import SHOWN_BYTES, bytes_of, with_references, with_values
from sandbox.script import Json
from tests.fakes.ports_in_memory import ArtifactsInMemory

THREAD, NODE, NAMES = ThreadId("T1:C1:1.0"), NodeId("n"), frozenset({"content"})


async def test_a_large_text_is_named_by_its_digest_and_comes_back_whole() -> None:
    artifacts, text = ArtifactsInMemory(), "é" * SHOWN_BYTES
    args = await with_references(THREAD, NODE, {"name": "a", "content": text}, NAMES, artifacts)
    assert args == {
        "name": "a",
        "content": {
            "artifact": hashlib.sha256(text.encode()).hexdigest(),
            "type": "text/plain; charset=utf-8",
            "bytes": len(text.encode()),
            "begins": text[:200],
        },
    }
    assert bytes_of(args["content"]) == len(text.encode())
    assert await with_values(THREAD, args, NAMES, artifacts) == {"name": "a", "content": text}


async def test_a_large_object_comes_back_as_it_was() -> None:
    artifacts = ArtifactsInMemory()
    rows: Json = [{"n": number, "text": "x" * 20} for number in range(1_000)]
    args = await with_references(THREAD, NODE, {"content": rows}, NAMES, artifacts)
    assert len(json.dumps(args)) < 1_000
    assert await with_values(THREAD, args, NAMES, artifacts) == {"content": rows}


async def test_small_values_and_other_arguments_stay_as_they_are() -> None:
    artifacts = ArtifactsInMemory()
    args: dict[str, Json] = {"content": "short", "other": "x" * (2 * SHOWN_BYTES)}
    assert await with_references(THREAD, NODE, args, NAMES, artifacts) == args
    assert artifacts.contents == {}
    assert bytes_of("short") is None


async def test_what_a_plan_wrote_in_the_form_of_a_reference_refers_to_nothing() -> None:
    """Else a plan could name a content that it never read."""
    artifacts = ArtifactsInMemory()
    secret = await artifacts.put(THREAD, "s", b"of somebody else", "text/plain")
    forged: Json = {"artifact": secret.digest, "type": "text/plain", "bytes": 1, "begins": ""}
    args = await with_references(THREAD, NODE, {"content": forged}, NAMES, artifacts)
    assert args["content"] != forged
    assert await with_values(THREAD, args, NAMES, artifacts) == {"content": forged}


async def test_a_content_that_is_no_longer_kept_is_a_failure() -> None:
    artifacts = ArtifactsInMemory()
    args = await with_references(THREAD, NODE, {"content": "x" * (2 * SHOWN_BYTES)}, NAMES, artifacts)
    artifacts.contents.clear()
    failed = await with_values(THREAD, args, NAMES, artifacts)
    assert isinstance(failed, Failed)
    assert failed.error == "artifact_missing"
