"""Files of a subagent: what is kept, what is refused, and what another run of it knows again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import pytest

from agent.errors import StoreUnavailable
from agent.events import SubagentStep
from agent.ids import Digest, NodeId, ThreadId, ToolName
from agent.plan.file_names import FILES_GREP, FILES_READ, FILES_WRITE
from agent.plan.files import FileOrigin
from agent.plan.operations import Dependency, HandedFile, On, canonical_json
from agent.plan.outcomes import ArtifactRef, Succeeded
from agent.plan.script_calls import Suspended
from agent.ports import ChatMessage
from agent.roles import SubagentRole
from agent.subagents.dialogue import MOST_GIVEN_CHARACTERS, request_message
from agent.tool import CallContext, Colour, Tool
from sandbox.script import Json
from tests.fakes.ports_in_memory import ArtifactsInMemory
from tests.fakes.subagents import ROLE, Bench, asks, says

WRITER = SubagentRole(name="worker", prompt="Write.", tools=(FILES_WRITE, "change"))


def _write(name: str, text: str) -> tuple[str, dict[str, str]]:
    return FILES_WRITE, {"name": name, "text": text}


def _told(bench: Bench) -> list[str]:
    return [message.text for message in bench.asked[-1] if message.by == "tool"]


@dataclass(kw_only=True)
class _Store(ArtifactsInMemory):
    """Counts what is put, and is out of reach at first."""

    unavailable: int = 0
    put_names: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        super().__init__()

    async def put(
        self, thread: ThreadId, name: str, content: bytes, media_type: str, origin: FileOrigin | None = None
    ) -> ArtifactRef:
        if self.unavailable:
            self.unavailable -= 1
            raise StoreUnavailable
        self.put_names.append(name)
        return await super().put(thread, name, content, media_type, origin)


async def test_result_has_the_files_with_their_last_texts_also_when_an_earlier_run_wrote_them() -> None:
    store = _Store()
    answers = [
        asks(_write("a.md", "1"), ("change", {"n": 1})),
        asks(_write("b.md", "2"), _write("a.md", "3")),
        says("Done."),
    ]
    bench = Bench(role=WRITER, answers=answers, artifacts=store)
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    bench.decide(suspended, lambda _: Succeeded(value="changed"))
    ended = await bench.run()
    assert isinstance(ended, Succeeded)
    assert [(ref.name, ref.size, ref.head) for ref in ended.files] == [("1/n/a.md", 1, ""), ("1/n/b.md", 1, "")]
    assert await store.get(ThreadId(""), Digest(ended.files[0].digest)) == b"3"
    assert store.put_names == ["a.md", "b.md", "a.md"]
    assert await bench.run() == ended
    assert store.put_names == ["a.md", "b.md", "a.md"], "a run from the journal writes nothing"


async def test_role_that_does_not_list_the_tool_has_none() -> None:
    bench = Bench(answers=[asks(_write("a.md", "1")), says("Done.")])
    ended = await bench.run()
    assert ended == Succeeded(value="Done.")
    assert _told(bench) == ["there is no tool 'files_write'; there are: look, change"]


async def test_file_of_more_than_a_mebibyte_is_refused() -> None:
    bench = Bench(role=WRITER, answers=[asks(_write("a.md", "é" * 600_000)), says("Done.")])
    assert await bench.run() == Succeeded(value="Done.")
    assert _told(bench) == ["a.md has 1200000 bytes, and may have 1048576; write it as several files"]


async def test_files_of_more_than_four_mebibytes_together_are_refused() -> None:
    writes = [_write(f"{number}.md", "x" * 1_000_000) for number in range(5)]
    bench = Bench(role=WRITER, answers=[asks(*writes), says("Done.")])
    ended = await bench.run()
    assert isinstance(ended, Succeeded)
    assert len(ended.files) == 4
    assert _told(bench)[-1] == "the files of a step come to 4194304 bytes at most"


async def test_more_than_twenty_files_are_refused_whichever_run_wrote_them() -> None:
    first = [_write(f"{number}.md", "x") for number in range(15)]
    second = [_write(f"{number}.md", "x") for number in range(15, 21)]
    bench = Bench(role=WRITER, answers=[asks(*first, ("change", {"n": 1})), asks(*second), says("Done.")])
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    bench.decide(suspended, lambda _: Succeeded(value="changed"))
    ended = await bench.run()
    assert isinstance(ended, Succeeded)
    assert len(ended.files) == 20
    assert _told(bench)[-1] == "a step keeps 20 files at most"


async def test_dialogue_counts_what_was_written_and_ends_when_it_is_too_long() -> None:
    big = "x" * 450_000
    bench = Bench(role=WRITER, answers=[asks(_write("a.md", big)), asks(_write("b.md", big)), says("Done.")])
    assert isinstance(await bench.run(), Succeeded)
    assert [bool(tools) for tools in bench.offered] == [True, True, False]


async def test_store_that_is_out_of_reach_for_long_is_told_and_nothing_was_kept() -> None:
    store = _Store(unavailable=4)
    bench = Bench(
        role=WRITER, answers=[asks(_write("a.md", "1")), asks(_write("a.md", "1")), says("Done.")], artifacts=store
    )
    ended = await bench.run()
    assert isinstance(ended, Succeeded)
    first, second = _told(bench)
    assert first == "store_unavailable: the file could not be stored; nothing was kept"
    assert json.loads(second)["name"] == "1/n/a.md"
    assert [ref.name for ref in ended.files] == ["1/n/a.md"]


async def test_tool_of_the_subagents_is_no_tool_of_its_node() -> None:
    bench = Bench(role=WRITER, answers=[says("Done.")])
    await bench.run()
    assert FILES_WRITE in {tool.name for tool in bench.offered[0]}
    assert bench.registry().find(ToolName(FILES_WRITE)) is None


LEAD = SubagentRole(name="worker", prompt="Lead.", lead=True, roles=("helper",), tools=(FILES_WRITE,))
HELPER = SubagentRole(name="helper", prompt="Help.")


def _hands_out(*files: str) -> tuple[str, dict[str, Json]]:
    return "hand_out", {"role": "helper", "instruction": "Help", "files": [*files]}


def _lead(*answers: ChatMessage, names: Sequence[str] = ("1/a/a.txt", "")) -> Bench:
    bench = Bench(role=LEAD, roles=[HELPER], answers=answers, file_names=tuple(names))
    edges = (Dependency(node=NodeId("a")), Dependency(node=NodeId("b"), on=On.FINISHED), Dependency(node=NodeId("c")))
    bench.node = replace(bench.node, files=("${a}", "${b#/x}"), depends_on=edges)
    return bench


@pytest.mark.parametrize("name", ["File 1", "1/a/a.txt"])
async def test_given_file_is_handed_out_by_its_reference_whatever_it_is_called(name: str) -> None:
    bench = _lead(asks(_hands_out(name, "File 2", name)), says("Done."))
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    (node,) = bench.decide(suspended, lambda _: Succeeded(value="helped"))
    assert (node.files, node.handed) == (("${a}", "${b#/x}"), ())
    assert node.depends_on == (Dependency(node=NodeId("a")), Dependency(node=NodeId("b"), on=On.FINISHED))


async def test_written_file_is_handed_out_as_it_was_then() -> None:
    bench = _lead(asks(_write("n.md", "1")), asks(_hands_out("n.md")), asks(_write("n.md", "2")), says("Done."))
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    (node,) = bench.decide(suspended, lambda _: Succeeded(value="helped"))
    first = Digest(sha256(b"1").hexdigest())
    assert node.handed == (HandedFile(name="1/n/n.md", digest=first, size=1),)
    assert isinstance(await bench.run(), Succeeded)
    assert bench.nodes[0].handed[0].digest == first


async def test_files_and_long_results_of_the_team_are_handed_out_too() -> None:
    result = ArtifactRef(digest=Digest("r"), name="1/n-0/n-0.txt", size=40_000, media_type="text/plain", head="")
    kept = replace(result, digest=Digest("k"), name="1/n-0/k.md", size=5)
    bench = _lead(asks(_hands_out()), asks(_hands_out("1/n-0/n-0.txt", "1/n-0/k.md")), says("Done."))
    suspended = await bench.run()
    assert isinstance(suspended, Suspended)
    bench.decide(suspended, lambda _: Succeeded(value="y" * 40_000, artifact=result, files=(kept,)))
    again = await bench.run()
    assert isinstance(again, Suspended)
    (worker,) = [call.worker for call in again.calls]
    assert worker is not None
    assert [file.digest for file in worker.handed] == ["r", "k"]
    told = _told(bench)[0]
    assert told.startswith("helper returned:\nyyyy")
    assert told.endswith(
        'That was its beginning. Read on with files_read: {"name": "1/n-0/n-0.txt", "offset": 32768}; it has 40000 '
        "bytes.\n\nIt kept: 1/n-0/k.md (5 bytes)"
    )


@pytest.mark.parametrize("name", ["File 3", "File 0", "1/b/b.txt", "n.md", ""])
async def test_file_that_a_lead_does_not_have_is_refused(name: str) -> None:
    bench = _lead(asks(_hands_out(name)), says("Done."))
    assert isinstance(await bench.run(), Succeeded)
    assert _told(bench) == [f"you have no file {name!r} to hand out; you have: File 1, File 2"]


def test_file_that_is_shown_in_part_says_how_to_read_on() -> None:
    text = "é" * (MOST_GIVEN_CHARACTERS + 1)
    shown = request_message(ROLE, {"instruction": "x", "files": [text]}, None, names=["1/a/a.txt"]).text
    assert f'files_read: {{"name": "1/a/a.txt", "offset": {2 * (MOST_GIVEN_CHARACTERS - 1)}}}' in shown
    spaced: Json = [[1]] * (MOST_GIVEN_CHARACTERS // 8)
    closer = request_message(ROLE, {"instruction": "x", "files": [spaced]}, None, names=["1/a/a.json"]).text
    assert "files_read" not in closer, "as it is stored it fits"
    assert canonical_json(spaced) in closer
    unnamed = request_message(ROLE, {"instruction": "x", "files": [text]}, None).text
    assert "files_read" not in unnamed


@pytest.mark.parametrize(("characters", "lent"), [(10, False), (MOST_GIVEN_CHARACTERS + 1, True)])
async def test_tools_that_read_its_own_files_are_lent_where_one_is_shown_in_part(characters: int, lent: bool) -> None:
    tools = [
        Tool(name=name, description="", arguments={"type": "object"}, colour=Colour.GREEN, call=_read)
        for name in (FILES_READ, FILES_GREP)
    ]
    given: dict[str, Json] = {"files": ["x" * characters]}
    reads = [(FILES_READ, {"name": "File 1", "limit": 60_000}), (FILES_READ, {"name": "1/b/b.txt"})]
    answers = [asks(*reads, (FILES_GREP, {"pattern": "x"})), says("Done.")]
    bench = Bench(answers=answers, tools=tools, given=given, file_names=("1/a/a.txt",))
    assert isinstance(await bench.run(), Succeeded)
    own = "reads your own files here, by `name`: 1/a/a.txt"
    expected = ['{"limit":16384,"name":"1/a/a.txt"}', f"files_read {own}", f"files_grep {own}"]
    assert (_told(bench) == expected) == lent


async def _read(_context: CallContext, args: Mapping[str, Json]) -> Json:
    return dict(args)


async def test_journal_as_it_is_stored_gives_its_files_and_its_seconds() -> None:
    ref = {"digest": "d", "name": "1/n/a.md", "size": 2, "media_type": "text/markdown", "head": "", "summary": "1 line"}
    answer: dict[str, Json] = {"text": "", "calls": [{"name": "files_write", "args": {"name": "a.md", "text": "ab"}}]}
    told: dict[str, Json] = {"text": '{"name":"1/n/a.md","size":2}', "failed": False, "file": {**ref, "later_key": 1}}
    bench = Bench(role=WRITER, answers=[says("never asked"), says("Done.")])
    bench.journal.rows = [
        SubagentStep(node=NodeId("n"), of=Digest("key"), step=1, call=0, content={**answer, "seconds": 1.5}),
        SubagentStep(node=NodeId("n"), of=Digest("key"), step=1, call=1, content={**told, "seconds": 100.0}),
    ]
    ended = await bench.run()
    assert isinstance(ended, Succeeded)
    assert [(ref.name, ref.digest, ref.summary) for ref in ended.files] == [("1/n/a.md", "d", "1 line")]
    last = bench.journal.rows[-1].content
    assert {*last} == {"text", "calls", "seconds"}
    assert float(str(last["seconds"])) >= 100


async def test_row_of_a_written_file_has_what_is_told_of_it() -> None:
    bench = Bench(role=WRITER, answers=[asks(_write("a.md", "ab")), says("Done.")])
    await bench.run()
    content = bench.journal.rows[1].content
    assert {*content} == {"text", "failed", "file", "seconds"}
    digest = sha256(b"ab").hexdigest()
    stored = {"digest": digest, "name": "1/n/a.md", "size": 2, "media_type": "text/markdown; charset=utf-8"}
    assert content["file"] == {**stored, "head": "", "summary": ""}
