"""What a test says in a thread, approves and reads there while effects are undone."""

import re
from collections.abc import Callable, Sequence

from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from tests.acceptance.app_fixture import AppScene
from tests.acceptance.clicks import open_calls
from tests.fakes.late_clicks import LateClick


async def say(scene: AppScene, observer: ThreadObserver, text: str, who: str = "Ada") -> None:
    """Have a person write in the thread."""
    await scene.people.post(who, observer.channel, text, thread_ts=observer.thread_ts)


def reports(observer: ThreadObserver) -> Sequence[str]:
    """Return what the thread says was undone and was not, each report once."""
    titles = (wording.UNDONE_TITLE, wording.UNDONE_NOTHING)
    said = [words.removesuffix(f" {wording.THUMBS_UP} {wording.THUMBS_DOWN}") for words in observer.words()]
    return [words for words in said if words.startswith(titles) or any(f"\n{t}" in words for t in titles)]


def lines(report: str) -> dict[str, str]:
    """Return title -> why it was not undone, "" for what was."""
    found: dict[str, str] = {}
    undone = False
    for line in report.splitlines():
        if any(title in line for title in (wording.UNDONE_TITLE, wording.UNDONE_NOT, wording.UNDONE_NOTHING)):
            undone = wording.UNDONE_TITLE in line  # the fallback text, which says it all once more, may stand before it
        if told := re.match(r"- \*\*(.+?)\*\*(?:: (.*))?$", line):
            found[told[1]] = "" if undone else told[2]
    return found


async def approve_all(
    scene: AppScene, observer: ThreadObserver, done: Callable[[ThreadObserver], bool], who: str = "Ada"
) -> None:
    """Approve each card as it comes until `done`; one that was decided before it could be pressed is left."""
    clicked: set[str] = set()
    while True:
        await observer.until(
            lambda seen: done(seen) or any(one.value not in clicked for one in open_calls(seen)), "a card or the end"
        )
        if done(observer):
            return
        for one in [one for one in open_calls(observer) if one.value not in clicked]:
            clicked.add(one.value)
            with LateClick():
                await scene.people.click(
                    who, observer.channel, one.card, "decide_approved", block_id=one.block_id, value=one.value
                )


def finished(number: int) -> Callable[[ThreadObserver], bool]:
    """Return whether so many reports stand in the thread."""

    def says(seen: ThreadObserver) -> bool:
        return len(reports(seen)) >= number

    return says
