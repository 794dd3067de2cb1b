"""Files that a subagent is given: their names, and the texts of those that its lead hands on."""

from dataclasses import replace

import pytest

from agent.ids import Digest, NodeId, ThreadId
from agent.plan.operations import HandedFile, Node, NodeKind
from agent.plan.outcomes import ArtifactRef, Failed, Outcome, Succeeded
from agent.tools.given_files import file_names, with_handed
from tests.fakes.ports_in_memory import ArtifactsInMemory

THREAD = ThreadId("T1:C1:1.0")
NODE = Node(id=NodeId("n"), kind=NodeKind.SUBAGENT, title="N", role="worker", instruction="Do it")
REF = ArtifactRef(digest=Digest("d"), name="1/a/a.txt", size=3, media_type="text/plain", head="")
HANDED = HandedFile(name="1/lead/b.md", digest=Digest("d"), size=3)


@pytest.mark.parametrize(
    ("text", "outcomes", "name"),
    [
        ("${a}", {"a": Succeeded(artifact=REF)}, "1/a/a.txt"),
        ("${a#/x}", {"a": Succeeded(artifact=REF)}, ""),
        ("${a|b}", {"a": Failed(error="x"), "b": Succeeded(artifact=replace(REF, name="1/b/b.txt"))}, "1/b/b.txt"),
        ("${a}", {"a": Succeeded(value="short")}, ""),
        ("${a#/x}", {"a": Succeeded(value={"x": 1})}, ""),
        ("${a}", {"a": Failed(error="x")}, ""),
        ("${a}", {"a": Succeeded(artifact=replace(REF, name="a.txt"))}, ""),
    ],
    ids=["whole", "part", "the one that succeeded", "inline", "part of inline", "failed", "of an earlier version"],
)
def test_given_file_has_the_name_of_the_output(text: str, outcomes: dict[NodeId, Outcome], name: str) -> None:
    node = replace(NODE, files=(text,), handed=(HANDED,))
    assert file_names(node, outcomes) == (name, "1/lead/b.md")


async def test_handed_files_stand_behind_the_others_with_their_texts() -> None:
    artifacts = ArtifactsInMemory()
    ref = await artifacts.put(THREAD, "b.md", b"text", "text/markdown")
    handed = HandedFile(name="1/lead/b.md", digest=ref.digest, size=4)
    args = {"instruction": "x", "files": [{"given": 1}, "1/lead/b.md"]}
    assert await with_handed(THREAD, args, [handed], artifacts) == {"instruction": "x", "files": [{"given": 1}, "text"]}


async def test_handed_file_that_is_no_longer_kept_is_said_by_its_name() -> None:
    failed = await with_handed(THREAD, {"files": ["1/lead/b.md"]}, [HANDED], ArtifactsInMemory())
    assert isinstance(failed, Failed)
    assert failed.error == "artifact_missing"
    assert "'1/lead/b.md' (3 bytes)" in failed.message


async def test_handed_files_that_come_to_more_than_a_step_may_have_are_refused_unread() -> None:
    big = replace(HANDED, size=1024 * 1024)
    failed = await with_handed(THREAD, {"files": ["1/lead/b.md"]}, [big], ArtifactsInMemory())
    assert isinstance(failed, Failed)
    assert failed.error == "arguments_too_large"
