"""The demo's story, played by people in the local workspace and checked step by step: `greenlight demo --check`."""

import shutil
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from bot.wording import UNDONE_TITLE
from infra.dev.demo.thread_observer import ExpectationTimeout, Sighting, TaskSeen, ThreadObserver, texts, watching
from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.state.payload import JsonObject

REQUEST = (
    "check our three services and post a summary to #incidents; "
    "also work out yesterday's error rate per service from the access log"
)
FOLLOW_UP = "and how many errors did the payments database record in that hour?"
ALERT = "ALERT payments: too many 5xx yesterday, the rate of errors was far over its limit for an hour"
REVERT_REQUEST = "find the commit behind the payments alert, revert it and announce that in #incidents"
CHECK_REQUEST = "check our three services"

Tell = Callable[[str], None]


class Story:
    """Plays the story and passes `tell` a line per step with its time.

    Every method raises ExpectationTimeout at the first step that fails.
    """

    def __init__(self, client: WorkspaceClient, tell: Tell) -> None:
        self._client = client
        self._say = tell
        self._began = time.monotonic()

    async def all(self) -> None:
        """Play everything: approval and follow-up, rejection, slash command, direct message, alert."""
        await self.approved()
        await self.rejected()
        await self.by_command()
        await self.by_direct_message()
        if shutil.which("git") is None:
            self._tell("git is not installed here: the alert's story is left out")
        else:
            await self.reverted()
        self._tell("the whole story was seen")

    async def approved(self) -> None:
        """Play the main request, approved by a second person, and its follow-up."""
        posted_before = await self._incidents()
        async with self._asked(REQUEST) as observer:
            await self._runs_beside_the_card(observer)
            card = observer.cards()[0]
            await self._client.click("Ada", "ops", str(card.message["ts"]), "decide_approved")
            await self._refused_privately("U0ADA", observer.thread_ts)
            self._tell("Ada, who asked, may not approve her own request: told so privately")
            clicked = time.monotonic()
            await self._client.click("Grace", "ops", str(card.message["ts"]), "decide_approved")
            await self._until(
                observer, lambda seen: seen.says("*Approved* by <@U0GRACE>"), "Grace approved: the card says so"
            )
            await self._client.wait_for(lambda dump: len(dump["channels"]["incidents"]["messages"]) > posted_before)
            self._tell(f"the summary stands in #incidents, {time.monotonic() - clicked:.2f} s after the click")
            await self._until(observer, _answered, "the answer", timeout_seconds=90)
            _require(observer.says("scripted model", "payments"), "the answer names the services", observer)
            await self._follow_up(observer)
        posted = await self._incidents() - posted_before
        if posted != 1:
            raise ExpectationTimeout(f"one message in #incidents (there are {posted})", [])
        self._tell("#incidents got the message exactly once")

    async def rejected(self) -> None:
        """Play the same request, rejected: the rest stays done and the answer says so."""
        posted_before = await self._incidents()
        async with self._asked(REQUEST) as observer:
            await self._until(observer, lambda seen: bool(seen.cards()), "the approval card")
            await self._client.click("Grace", "ops", str(observer.cards()[0].message["ts"]), "decide_rejected")
            await self._until(observer, _answered, "the answer", timeout_seconds=90)
            tasks = observer.tasks()
            rejected = [looks[-1] for looks in tasks.values() if "rejected" in looks[-1].text.lower()]
            _require(len(rejected) == 1, "one step ends as rejected", observer)
            _require(_completed(tasks) >= 4, "the steps that do not depend on it are done", observer)
            _require(observer.says("rejected", "scripted model"), "the answer says that it was rejected", observer)
        if await self._incidents() != posted_before:
            raise ExpectationTimeout("nothing new in #incidents after the rejection", [])
        self._tell("rejected: nothing was posted, the other steps stand, the answer says so")

    async def reverted(self) -> None:
        """Play an alert: its commit is found and reverted, which is announced, and all of that is undone."""
        announced_before = await self._incidents()
        alert = await self._client.post("Linus", "ops", ALERT)
        self._tell(f"Linus passes an alert on: {ALERT}")
        await self._client.post("Ada", "ops", f"@Greenlight {REVERT_REQUEST}", thread_ts=alert)
        self._tell(f"Ada asks in its thread: {REVERT_REQUEST}")
        async with watching(self._client, "ops", alert) as observer:
            await self._until(
                observer,
                lambda seen: _repaired(seen.tasks()),
                "the script over the logs, after its first script crashed",
            )
            await self._granted(observer, "the revert", "- pool_size = 20\n+ pool_size = 100")
            await self._granted(observer, "the announcement", "#incidents", "reverted a commit")
            await self._until(observer, _answered, "the answer", timeout_seconds=90)
            _require(observer.says("Cut the database connection pool"), "the answer names the commit", observer)
            _require(await self._incidents() == announced_before + 1, "the announcement", observer)
            await self._client.post("Ada", "ops", "!undo", thread_ts=alert)
            self._tell("Ada writes !undo")
            await self._granted(observer, "the undoing of the announcement", "Undo: Post the summary")
            await self._granted(observer, "the undoing of the revert", "- pool_size = 100\n+ pool_size = 20")
            await self._until(observer, lambda seen: seen.says(UNDONE_TITLE), "the report of what was undone")
            _require(await self._incidents() == announced_before, "the announcement is gone", observer)

    async def _granted(self, observer: ThreadObserver, what: str, *words: str) -> None:
        """Have Grace approve the card that says these words."""

        def card_of(seen: ThreadObserver) -> Sighting | None:
            shown = ((card, "\n".join(texts(card.message.get("blocks")))) for card in seen.cards())
            return next((card for card, text in shown if all(word in text for word in words)), None)

        await self._until(observer, lambda seen: card_of(seen) is not None, f"the card of {what}", timeout_seconds=90)
        card = card_of(observer)
        assert card is not None  # noqa: S101 -- it was seen
        ts = str(card.message["ts"])
        await self._client.click("Grace", "ops", ts, "decide_approved")
        decided = "*Approved* by <@U0GRACE>"
        await self._until(observer, lambda seen: decided in str(seen.latest[ts].message), f"Grace approves {what}")

    async def by_command(self) -> None:
        """Open a thread with `/greenlight <request>`."""
        before = {message["ts"] for message in await self._client.messages("ops")}
        await self._client.command("Linus", "ops", "/greenlight", CHECK_REQUEST)
        dump = await self._client.wait_for(lambda dump: any(ts not in before for ts in _roots(dump, "ops")))
        root = next(ts for ts in _roots(dump, "ops") if ts not in before)
        async with watching(self._client, "ops", root) as observer:
            await self._until(observer, _answered, "/greenlight opened a thread and it was answered")

    async def by_direct_message(self) -> None:
        """Send a direct message, which is a request without a mention."""
        ts = await self._client.post("Grace", "@app", CHECK_REQUEST)
        async with watching(self._client, "@app", ts) as observer:
            await self._until(observer, _answered, "a direct message was answered in its thread")

    async def _runs_beside_the_card(self, observer: ThreadObserver) -> None:
        """Wait until a step started and one ended while the card was open, and the package was repaired in view."""
        await self._until(observer, lambda seen: bool(seen.boards()), "the board with the plan")
        await self._until(observer, lambda seen: _at_once(seen.boards()) >= 2, "checks running at the same time")
        await self._until(observer, lambda seen: bool(seen.cards()), "the approval card")
        card_ts = observer.cards()[0].message["ts"]
        card = next(sighting for sighting in observer.sightings if sighting.message["ts"] == card_ts)
        shown = " ".join(texts(card.message.get("blocks"))).replace("\u200b", "")
        exact = all(word in shown for word in ("slack_post_message", "#incidents", "503"))
        _require(exact, "its exact arguments", observer)
        await self._until(
            observer, lambda seen: _attempts(seen.tasks()), "the package's first script crashed", timeout_seconds=90
        )
        await self._until(
            observer, lambda seen: _repaired(seen.tasks()), "its second script, repaired, worked", timeout_seconds=90
        )
        await self._until(
            observer, lambda seen: _moved_since(seen.tasks(), card.at), "steps started and ended beside the open card"
        )
        _require(observer.latest[card_ts] in observer.cards(), "the card is still open", observer)

    async def _follow_up(self, observer: ThreadObserver) -> None:
        answers = len(observer.words())
        await self._client.post("Ada", "ops", FOLLOW_UP, thread_ts=observer.thread_ts)
        self._tell(f"Ada follows up: {FOLLOW_UP}")
        await self._until(
            observer,
            lambda seen: any(
                all(word in text.lower() for word in ("payment", "error", "scripted model"))
                for text in seen.words()[answers:]
            ),
            "the follow-up is answered with the thread's earlier context",
        )

    @asynccontextmanager
    async def _asked(self, request: str) -> AsyncGenerator[ThreadObserver]:
        ts = await self._client.post("Ada", "ops", f"@Greenlight {request}")
        self._tell(f"Ada writes in #ops: @Greenlight {request}")
        async with watching(self._client, "ops", ts) as observer:
            await self._client.wait_for(lambda dump: _has_eyes(dump, ts), timeout_seconds=10)
            self._tell("eyes reaction")
            yield observer

    async def _until(
        self,
        observer: ThreadObserver,
        condition: Callable[[ThreadObserver], bool],
        what: str,
        *,
        timeout_seconds: float = 60,
    ) -> None:
        await observer.until(condition, what, timeout_seconds=timeout_seconds)
        self._tell(what)

    async def _refused_privately(self, person_id: str, thread_ts: str) -> None:
        await self._client.wait_for(
            lambda dump: any(
                ephemeral["user"] == person_id and thread_ts in str(ephemeral["message"])
                for ephemeral in dump["ephemerals"]
            ),
            timeout_seconds=10,
        )

    async def _incidents(self) -> int:
        return len(await self._client.messages("incidents"))

    def _tell(self, what: str) -> None:
        self._say(f"{time.monotonic() - self._began:7.2f} s  {what}")


def _require(holds: bool, what: str, observer: ThreadObserver) -> None:
    if not holds:
        raise ExpectationTimeout(what, observer.words())


def _answered(observer: ThreadObserver) -> bool:
    return observer.says("scripted model") and bool(observer.boards()) and _settled(observer.boards()[-1])


def _settled(board: Sighting) -> bool:
    titles = " ".join(str(plan.get("title", "")) for plan in _plans(board)).lower()
    return "done:" in titles or "trouble" in titles


def _plans(board: Sighting) -> list[JsonObject]:
    return [block for block in board.message["blocks"] if block["type"] == "plan"]


def _at_once(boards: list[Sighting]) -> int:
    """Return the most tasks that one board showed in progress."""
    plans = [plan for board in boards for plan in _plans(board)]
    return max((sum(task["status"] == "in_progress" for task in plan["tasks"]) for plan in plans), default=0)


def _attempts(tasks: dict[str, list[TaskSeen]]) -> bool:
    return any("attempt 1" in look.text for looks in tasks.values() for look in looks)


def _repaired(tasks: dict[str, list[TaskSeen]]) -> bool:
    return any("attempt 2" in looks[-1].text and looks[-1].status == "complete" for looks in tasks.values())


def _moved_since(tasks: dict[str, list[TaskSeen]], card_at: float) -> bool:
    """Return whether, after the card, one step was first seen running and one first seen complete."""
    return all(
        any(look.at > card_at for looks in tasks.values() for look in _first(looks, status))
        for status in ("in_progress", "complete")
    )


def _first(looks: list[TaskSeen], status: str) -> list[TaskSeen]:
    return [look for look in looks if look.status == status][:1]


def _completed(tasks: dict[str, list[TaskSeen]]) -> int:
    return sum(looks[-1].status == "complete" for looks in tasks.values())


def _roots(dump: JsonObject, channel: str) -> list[str]:
    """Return the ts of every message that is no reply."""
    messages = dump["channels"][channel]["messages"]
    return [message["ts"] for message in messages if message.get("thread_ts") in (None, message["ts"])]


def _has_eyes(dump: JsonObject, ts: str) -> bool:
    messages = dump["channels"]["ops"]["messages"]
    return any("eyes" in str(message.get("reactions")) for message in messages if message["ts"] == ts)
