"""Which runbooks a request and a conclusion are shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agent.ids import ThreadId, UserId
from agent.llm.guidance import Guidance
from agent.ports import Run, RunStatus
from agent.runbooks import Runbook, used

THREAD = ThreadId("T1:C1:1700000000.000100")
OF_FILE = Runbook(name="restart", description="How to restart", text="Look.", source="restart.md")
CANVAS = Runbook(name="stop", description="How to stop", text="Ask.", source="Stop", canvas="https://a.example/F1")
RUN = Run(thread=THREAD, turn=1, requester=UserId("U1"), status=RunStatus.RUNNING)


@dataclass(kw_only=True)
class Books:
    books: Sequence[Runbook]
    asked: list[ThreadId] = field(default_factory=list[ThreadId])

    async def of(self, thread: ThreadId) -> Sequence[Runbook]:
        self.asked.append(thread)
        return self.books


async def test_of_two_runbooks_with_one_name_the_first_sources_counts() -> None:
    canvases = Books(books=[replace(CANVAS, name="restart"), CANVAS])
    guidance = Guidance(runbooks=(Books(books=[OF_FILE]), canvases))
    assert list(await guidance.all(THREAD)) == [OF_FILE, CANVAS]
    assert canvases.asked == [THREAD]


async def test_a_conclusion_is_shown_canvases_as_the_plan_saw_them_or_not_at_all() -> None:
    edited = replace(CANVAS, text="Ask nobody.", description="How to stop all")
    canvases, files = Books(books=[CANVAS]), Books(books=[OF_FILE])
    guidance = Guidance(runbooks=(files, canvases))
    shown = tuple(used(book, whole=whole) for book in (OF_FILE, CANVAS) for whole in (False, True))
    run = replace(RUN, runbooks=shown)
    again = await guidance.again(run, ())
    assert (list(again.listed), list(again.whole)) == ([OF_FILE, CANVAS], [OF_FILE, CANVAS])
    canvases.books, files.books = [edited], [replace(OF_FILE, text="Look twice.")]
    again = await guidance.again(run, ())
    assert list(again.listed) == list(again.whole) == files.books, "the operator's words are read as they are now"


async def test_searches_of_many_channels_are_kept_ready_in_bounds() -> None:
    books = Books(books=[])
    guidance = Guidance(runbooks=(books,))
    for channel in range(40):
        books.books = [replace(OF_FILE, name=f"book-{number}", text=f"{channel}") for number in range(20)]
        assert len((await guidance.fitting(THREAD, ())).listed) == 8
    assert len(guidance._searches) <= 16  # pyright: ignore[reportPrivateUsage] -- nothing else tells
