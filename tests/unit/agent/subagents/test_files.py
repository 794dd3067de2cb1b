"""Files of a subagent: what is kept, what is refused, and what another run of it knows again."""

import json
from dataclasses import dataclass, field

from agent.errors import StoreUnavailable
from agent.ids import Digest, ThreadId, ToolName
from agent.plan.file_names import FILES_WRITE
from agent.plan.files import FileOrigin
from agent.plan.outcomes import ArtifactRef, Succeeded
from agent.plan.script_calls import Suspended
from agent.roles import SubagentRole
from tests.fakes.ports_in_memory import ArtifactsInMemory
from tests.fakes.subagents import Bench, asks, says

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
