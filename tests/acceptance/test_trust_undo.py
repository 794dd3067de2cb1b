"""Undo, over the wire: what was changed is taken back step by step, each on a card, or it is said what is left."""

import asyncio
import json
import os
import random
import re
import tomllib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from agent.plan.effects import Left
from agent.tool import Reversibility
from bot import wording
from bot.payloads import UNDO_ACTION
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import Script
from infra.wiring import Part
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, rows, states, whispered, whispers
from tests.acceptance.clicks import OpenCall, decide, late_click, open_calls
from tests.acceptance.entry_store import WRITES, Entry, EntryStore, HangUp
from tests.acceptance.plans import ANSWERS, ENDS, planned, post, tool
from tests.acceptance.plans import lines as json_lines
from tests.acceptance.processes import greenlight_worker
from tests.acceptance.undo_steps import approve_all, finished, lines, reports, say
from tests.fakes.late_clicks import LateClick


@asynccontextmanager
async def store_scene(url: URL, data: Path, **more: Any) -> AsyncGenerator[tuple[AppScene, EntryStore]]:
    """Open a scene whose `http_request` may reach a store of entries."""

    def here(table: dict[str, Any]) -> None:
        table["tools"]["http_request"] = {"known": {"store": store.url}, "allow_private": True}
        table |= more.pop("table", {})

    async with (
        EntryStore() as store,
        app_scene(url, data, [ENDS, ANSWERS], approvals={}, configuration=here, **more) as scene,
    ):
        yield scene, store


def call(id: str, store: EntryStore, method: str, name: str, text: str | None = None, **more: Json) -> dict[str, Json]:
    args: dict[str, Json] = {"method": method, "url": f"{store.url}/{name}"}
    return tool(id, "http_request", args if text is None else {**args, "text": text}, **more)


async def test_a_post_is_deleted_and_posted_again_and_deleted_again(database_url: URL, tmp_path: Path) -> None:
    text = "A & B <https://example.com|page> ${x} $${y}"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        scene.model.add(planned(post("tell", text.replace("${", "$${"))))

        async def said() -> list[str]:
            return [str(message["text"]) for message in await scene.people.messages("incidents")]

        async with scene.asked("tell them") as observer:
            await approve_all(scene, observer, answered)
            posted = await said()
            assert len(posted) == 1
            for number, expected in enumerate([[], posted, []], start=1):
                await say(scene, observer, "!undo")
                await observer.until(lambda seen: bool(seen.cards()), "the card")
                assert observer.says("Undoes: Title of tell", "<@U0ADA>")
                await scene.click(observer, "Ada", "approved")
                await observer.until(lambda seen, at=number: len(reports(seen)) == at, "the report")
                assert await said() == expected
            assert lines(reports(observer)[0]) == {"Title of tell": ""}
        assert scene.workspace.backend.complaints == []


def answered_or_late(seen: ThreadObserver) -> bool:
    """Return whether the second report stands there, or nothing was left to undo."""
    return finished(2)(seen) or seen.says(wording.UNDONE_BEFORE)


async def test_writes_of_every_kind_are_taken_back_in_reverse_and_made_again(database_url: URL, tmp_path: Path) -> None:
    async with store_scene(database_url, tmp_path) as (scene, store):
        store.set("old", "first ${a} $${b} \u00e9", kind="text/x-note; charset=utf-8")
        store.set("gone", '{"kept": 1.0}', kind="application/json")
        before = dict(store.world())
        chain = (
            call("one", store, "PUT", "old", "second"),
            call("two", store, "PATCH", "old", " and more", depends_on=["one"]),
            call("three", store, "PUT", "new", "made", depends_on=["two"]),
            call("four", store, "PATCH", "new", "!", depends_on=["three"]),
            call("five", store, "DELETE", "gone", depends_on=["four"]),
            call("six", store, "POST", "", "posted", depends_on=["five"]),
        )
        scene.model.add(planned(*chain))
        async with scene.asked("write them") as observer:
            await approve_all(scene, observer, answered)
            after = dict(store.world())
            assert after.keys() == {"old", "new", "made1"}
            await say(scene, observer, "!undo")
            await approve_all(scene, observer, finished(1))
            assert set(lines(reports(observer)[0])) == {f"Title of {call['id']}" for call in chain}
            assert dict(store.world()) == before
            assert [name for _, name in store.writes[6:]] == ["made1", "gone", "new", "new", "old", "old"]
            await say(scene, observer, "!undo")
            await approve_all(scene, observer, finished(2))
            made = dict(store.world())
            assert (made["old"], made["new"], "gone" in made) == (after["old"], after["new"], False)
            await say(scene, observer, "!undo")
            await approve_all(scene, observer, finished(3))
            assert dict(store.world()) == before
    assert await rows(database_url, "SELECT count(*) FROM ledger WHERE state <> 'done'") == [(0,)]


async def test_a_step_nobody_takes_back_stops_only_those_that_came_before_it(database_url: URL, tmp_path: Path) -> None:
    async with store_scene(database_url, tmp_path) as (scene, store):
        for name in ("a", "b", "c"):
            store.set(name, "before")
        calls = (
            call("first", store, "PUT", "a", "after"),
            call("second", store, "PUT", "b", "after", depends_on=["first"]),
            call("apart", store, "PUT", "c", "after"),
        )
        scene.model.add(planned(*calls))
        async with scene.asked("write them") as observer:
            await approve_all(scene, observer, answered)
            await say(scene, observer, "!undo")
            await observer.until(lambda seen: len(open_calls(seen)) == 2, "the cards of the last steps")
            (refused,) = open_calls(observer, "Undo: Title of second")
            await scene.people.click("Ada", observer.channel, refused.card, "decide_rejected")
            await approve_all(scene, observer, finished(1))
            told = lines(reports(observer)[0])
            assert told["Title of apart"] == ""
            assert told["Title of second"].startswith("rejected")
            assert told["Title of first"] == wording.not_undone_because("Undo: Title of second")
            assert {name: body for name, (body, _) in store.world().items()} == {
                "a": b"after",
                "b": b"after",
                "c": b"before",
            }


async def test_what_was_left_of_a_partial_undo_is_undone_by_the_button(database_url: URL, tmp_path: Path) -> None:
    async with store_scene(database_url, tmp_path) as (scene, store):
        store.set("a", "before")
        scene.model.add(
            planned(call("one", store, "PUT", "a", "after"), call("two", store, "PATCH", "a", "!", depends_on=["one"]))
        )
        async with scene.asked("write them") as observer:
            await approve_all(scene, observer, answered)
            await observer.until(lambda seen: bool(undo_buttons(seen)), "the button")
            board = undo_buttons(observer)[0]
            await say(scene, observer, "!undo")
            await observer.until(lambda seen: bool(open_calls(seen)), "the card of the last write")
            await scene.click(observer, "Ada", "approved")
            first = "Approval needed: Undo: Title of one"
            await observer.until(lambda seen: bool(open_calls(seen, first)), "the card of the first")
            await decide(scene, observer, "Ada", "rejected", first)
            await observer.until(finished(1), "the report")
            assert store.world()["a"][0] == b"after"
            await scene.people.click("Grace", observer.channel, board, UNDO_ACTION)
            await approve_all(scene, observer, finished(2), "Grace")
            assert lines(reports(observer)[1]) == {"Title of one": ""}
            assert store.world()["a"][0] == b"before"


async def test_what_others_changed_since_is_named_and_not_overwritten(database_url: URL, tmp_path: Path) -> None:
    async with store_scene(database_url, tmp_path) as (scene, store):
        store.set("a", "before")
        store.set("b", "before")
        scene.model.add(planned(call("one", store, "PUT", "a", "after"), call("two", store, "PUT", "b", "after")))
        async with scene.asked("write them") as observer:
            await approve_all(scene, observer, answered)
            store.set("a", "theirs")
            await say(scene, observer, "!undo")
            await observer.until(lambda seen: bool(open_calls(seen, "Title of two")), "the card")
            assert not open_calls(observer, "Title of one"), "nobody is asked about what cannot succeed"
            store.set("b", "theirs, too")
            await approve_all(scene, observer, finished(1))
            why = wording.failure("changed_since")
            assert lines(reports(observer)[0]) == {"Title of one": why, "Title of two": why}
            assert [body for body, _ in store.world().values()] == [b"theirs", b"theirs, too"]


async def test_what_cannot_be_undone_is_named_without_a_card(database_url: URL, tmp_path: Path) -> None:
    async with store_scene(database_url, tmp_path) as (scene, store):
        store.has_versions = False
        store.set("a", "before")
        store.refuses["b"] = 409

        async def hangs_up(method: str, name: str) -> None:
            if (method, name) == ("PUT", "c"):
                raise HangUp

        store.after = hangs_up
        calls = [call(name, store, "PUT", name, "after") for name in ("a", "b", "c")]
        scene.model.add(planned(*calls))
        async with scene.asked("write them") as observer:
            await observer.until(lambda seen: len(open_calls(seen)) == 3, "the cards")
            assert not observer.says(wording.UNDOING[Reversibility.REVERSIBLE])
            for one in open_calls(observer):
                await scene.people.click("Ada", observer.channel, one.card, "decide_approved", block_id=one.block_id)
            await observer.until(lambda seen: seen.says("Outcome unknown"), "the question")
            await scene.click(observer, "Ada", "give_up")
            await observer.until(answered, "the answer")
            assert UNDO_ACTION not in json.dumps(observer.boards()[-1].message)
            await say(scene, observer, "!undo")
            await observer.until(finished(1), "the report")
            told = lines(reports(observer)[0])
            assert told == {"Title of a": wording.LEFT[Left.FINAL], "Title of c": wording.LEFT[Left.UNKNOWN]}
            assert reports(observer)[0].startswith(wording.UNDONE_NOTHING)


async def test_a_card_says_that_a_call_can_be_undone_only_where_it_can(database_url: URL, tmp_path: Path) -> None:
    async with store_scene(database_url, tmp_path) as (scene, store):
        store.set("text", "before")
        store.set("long", "x" * 20_000)
        store.entries["picture"] = Entry(body=b"\x89PNG\xff", kind="image/png", version=999)
        names = {"text": True, "none": True, "long": False, "picture": False}
        for name, can in names.items():
            scene.model.add(planned(call(name, store, "PUT", name, "after"), contains=f"write {name}."))
            async with scene.asked(f"write {name}.") as observer:
                await observer.until(lambda seen: bool(open_calls(seen)), "the card")
                shown = json.dumps(observer.cards()[0].message)
                assert (wording.UNDOING[Reversibility.REVERSIBLE] in shown) == can, name
                assert (wording.UNDOING[Reversibility.FINAL] in shown) != can, name


async def test_nothing_is_undone_while_anything_is_under_way(database_url: URL, tmp_path: Path) -> None:
    async with store_scene(database_url, tmp_path) as (scene, store):
        store.set("a", "before")
        scene.model.add(planned(call("one", store, "PUT", "a", "after"), post("tell", "hello")))
        async with scene.asked("write them") as observer:
            await observer.until(lambda seen: len(open_calls(seen)) == 2, "the cards")
            (one,) = open_calls(observer, "Title of one")
            await scene.people.click("Ada", observer.channel, one.card, "decide_approved", block_id=one.block_id)
            await observer.until(lambda seen: "complete" in states(seen).get("one", ""), "the write")
            await say(scene, observer, "!undo")
            await observer.until(lambda seen: seen.says(wording.UNDO_FIRST_STOP), "the refusal")
            await say(scene, observer, "!stop")
            await observer.until(lambda seen: seen.says(wording.STOPPED), "the end")
            await say(scene, observer, "!undo please")
            await observer.until(lambda seen: seen.says(wording.UNDO_ALONE), "what to write")
            await say(scene, observer, "!undo", "Grace")
            await approve_all(scene, observer, finished(1))
            assert lines(reports(observer)[0]) == {"Title of one": ""}
            assert store.world()["a"][0] == b"before"


def undo_buttons(observer: ThreadObserver) -> list[str]:
    """Return the timestamps of the boards with an Undo button."""
    return [str(board.message["ts"]) for board in observer.boards() if UNDO_ACTION in json.dumps(board.message)]


async def test_the_button_undoes_once_and_an_old_one_says_so(database_url: URL, tmp_path: Path) -> None:
    async with store_scene(database_url, tmp_path) as (scene, store):
        store.set("a", "before")
        scene.model.add(planned(call("one", store, "PUT", "a", "after")))
        async with scene.asked("write it") as observer:
            await approve_all(scene, observer, answered)
            await observer.until(lambda seen: bool(undo_buttons(seen)), "the button")
            (board,) = undo_buttons(observer)
            await asyncio.gather(
                *(scene.people.click(who, observer.channel, board, UNDO_ACTION) for who in ("Ada", "Grace"))
            )
            told = await whispers(scene, "U0ADA") + await whispers(scene, "U0GRACE")
            assert any(wording.UNDOING_NOW in words for words in told)
            await approve_all(scene, observer, finished(1))
            assert store.world()["a"][0] == b"before"
            assert len(store.writes) == 2
            await observer.until(lambda seen: len(set(undo_buttons(seen))) == 2, "the button of the undo")
            heard = len(await whispers(scene, "U0ADA"))
            await scene.people.click("Ada", observer.channel, board, UNDO_ACTION)
            assert wording.UNDONE_BEFORE in (await whispers(scene, "U0ADA", heard + 1))[-1]
            assert len(store.writes) == 2


async def test_a_frozen_undo_waits_and_goes_on(database_url: URL, tmp_path: Path) -> None:
    async with store_scene(database_url, tmp_path) as (scene, store):
        store.set("a", "before")
        scene.model.add(planned(call("one", store, "PUT", "a", "after")))
        async with scene.asked("write it") as observer:
            await approve_all(scene, observer, answered)
            await say(scene, observer, "!undo")
            await observer.until(lambda seen: bool(open_calls(seen)), "the card")
            (undoing,) = open_calls(observer)
            await scene.people.command("Ada", "ops", "/greenlight", "freeze")
            await whispers(scene, "U0ADA")
            await late_click(scene, observer, undoing.card, undoing.value)  # a client that still shows the button
            assert wording.FROZEN_CLICK in (await whispers(scene, "U0LINUS"))[-1]
            assert store.world()["a"][0] == b"after"
            await scene.people.command("Ada", "ops", "/greenlight", "unfreeze")
            await observer.until(lambda seen: "decide_approved" in json.dumps(seen.cards()[-1].message), "the button")
            await scene.click(observer, "Ada", "approved")
            await observer.until(finished(1), "the report")
            assert lines(reports(observer)[0]) == {"Title of one": ""}
            assert store.world()["a"][0] == b"before"


async def test_a_channel_that_was_made_is_archived_after_what_was_posted_there_is_gone(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        calls = (
            tool("make", "slack_create_channel", {"name": "incident-7"}),
            post("tell", "It began.", "${make#/channel}"),
        )
        scene.model.add(planned(*calls))
        async with scene.asked("open a channel") as observer:
            await approve_all(scene, observer, answered)
            await say(scene, observer, "!undo")
            await approve_all(scene, observer, finished(1))
            assert lines(reports(observer)[0]) == {"Title of tell": "", "Title of make": ""}
            (channel,) = [one for one in scene.workspace.backend.team.channels.values() if one.name == "incident-7"]
            posted = [one for one in channel.messages.values() if one.bot_id]
            assert (channel.is_archived, posted) == (True, [])
            await say(scene, observer, "!undo")
            await approve_all(scene, observer, finished(2))
            told = lines(reports(observer)[1])
            assert told["Undo: Title of make"] == wording.LEFT[Left.FINAL]
            assert told["Undo: Title of tell"] == wording.failure("is_archived")
        for name, channel in (("general", "#general"), ("gone", "incident-7")):
            args: dict[str, Json] = {"channel": channel}
            scene.model.add(planned(tool(name, "slack_archive_channel", args), contains=f"archive {name}."))
            async with scene.asked(f"archive {name}.") as observer:
                await observer.until(answered, "the answer")
                assert states(observer)[name].startswith("error")
                assert not open_calls(observer)


async def test_only_what_the_tool_posted_is_deleted(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        theirs = await scene.people.post("Linus", "incidents", "mine")
        scene.model.add(planned({"op": "reply", "text": "Hello."}, contains="say hello."))
        await scene.people.command("Ada", "ops", "/greenlight", "say hello.")
        await scene.people.wait_for(lambda dump: "Hello." in json.dumps(dump))
        ours = next(str(one["ts"]) for one in await scene.people.messages("ops") if one.get("bot_id"))
        for name, channel, ts in (
            ("theirs", "#incidents", theirs),
            ("root", "#ops", ours),
            ("none", "#ops", "1.000001"),
        ):
            scene.model.add(
                planned(tool(name, "slack_delete_message", {"channel": channel, "ts": ts}), contains=f"delete {name}.")
            )
            async with scene.asked(f"delete {name}.") as observer:
                await observer.until(answered, "the answer")
                why = "message_not_found" if name == "none" else "cant_delete_message"
                assert wording.failure(why).lower() in states(observer)[name]
                assert not open_calls(observer)


# Chains of effects, with failures, kills and partial undo


SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
GUARD_SECONDS = 600.0
CHAINS = 24
"""In a round of the long form."""

SHORT_CHAINS = 8

SETTINGS = """
sandbox = "monty"
[worker]
heartbeat = 0.5
stall = 8
sweep = 1
grace = 2
[tools.http_request]
known = {{ store = "{url}" }}
allow_private = true
[[policy.rules]]
name = "unasked"
tools = ["http_request", "slack_post_message", "slack_delete_message"]
when = "!(has(args.url) && args.url.contains('asked'))"
effect = "allow"
"""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """A step of a chain: a write to an entry, or a message."""

    id: str
    method: str
    #: Of the entry; empty for what is posted or made.
    entry: str = ""

    @property
    def title(self) -> str:
        return f"Title of {self.id}"

    @property
    def text(self) -> str:
        return f"<{self.id}>" if self.method != "message" else self.id


@dataclass(kw_only=True)
class Faults:
    """What goes wrong at the store: broken connections, refusals, changes by others."""

    store: EntryStore
    chance: random.Random
    hang_ups: float = 0.0
    #: How often somebody else changes an entry as it is written to.
    changes: float = 0.0
    theirs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    happened: Counter[str] = field(default_factory=Counter[str])

    async def before(self, method: str, name: str) -> None:
        if method in WRITES and self.chance.random() < self.hang_ups:
            self.happened["hang-ups before"] += 1
            raise HangUp
        made = name.startswith("made")  # those are found again by what they hold
        if name in self.store.entries and not made and self.chance.random() < self.changes:
            self.change(name)

    async def after(self, method: str, _name: str) -> None:
        if method in WRITES and self.chance.random() < self.hang_ups:
            self.happened["hang-ups after"] += 1
            raise HangUp

    def change(self, name: str) -> None:
        self.happened["changes"] += 1
        self.store.set(name, f"theirs {self.happened['changes']}")
        self.theirs[name] = self.store.entries[name].body


@dataclass(kw_only=True)
class Round:
    """Chains of one run, what became of them, and what the thread says."""

    scene: AppScene
    store: EntryStore
    faults: Faults
    chance: random.Random
    number: int
    count: int
    chains: list[list[Deed]] = field(default_factory=list[list[Deed]])
    #: Entry -> its values from the first on, as the forward run wrote them; None: there was none.
    values: dict[str, list[bytes | None]] = field(default_factory=dict[str, list[bytes | None]])
    #: Title -> why an effect stands, "" when it was undone; of the newest report about it.
    told: dict[str, str] = field(default_factory=dict[str, str])

    def plan(self) -> list[dict[str, Json]]:
        """Make up the chains, put their entries there, and return the operations."""
        operations: list[dict[str, Json]] = []
        for at in range(self.count):
            names = [f"{self.chance.choice(('', '', '', 'asked'))}r{self.number}c{at}{part}" for part in "ab"]
            for name in names:
                if self.chance.random() < 0.7:
                    self.store.set(name, f"first {name} ${{x}}")
                self.values[name] = [self.body(name)]
            there = {name: name in self.store.entries for name in names}
            chain: list[Deed] = []
            for step in range(self.chance.randint(2, 5)):
                name_of_step = f"r{self.number}c{at}s{step}"
                kind, name = self.chance.random(), self.chance.choice(names)
                if kind < 0.12:
                    deed = Deed(id=name_of_step, method="message")
                elif kind < 0.2:
                    deed = Deed(id=name_of_step, method="POST")
                else:
                    method = self.chance.choice(("PUT", "PATCH", "DELETE")) if there[name] else "PUT"
                    there[name] = method != "DELETE"
                    deed = Deed(id=name_of_step, method=method, entry=name)
                after: Any = {"depends_on": [chain[-1].id]} if chain else {}
                if deed.method == "message":
                    operations.append(post(name_of_step, deed.text, **after))
                else:
                    text = None if deed.method == "DELETE" else deed.text
                    operations.append(call(name_of_step, self.store, deed.method, deed.entry, text, **after))
                chain.append(deed)
            self.chains.append(chain)
        return operations

    def body(self, name: str) -> bytes | None:
        found = self.store.entries.get(name)
        return None if found is None else found.body

    async def lead(
        self, observer: ThreadObserver, done: Callable[[ThreadObserver], bool], worker: "Workers", *, kills: bool
    ) -> None:
        """Answer the cards of a phase until it is done; kill the worker in it."""
        seconds = self.chance.choice((0.3, 0.8, 1.5, 3.0))
        killing = asyncio.create_task(worker.replace_after(seconds)) if kills else None
        clicked: set[str] = set()

        def news(seen: ThreadObserver) -> bool:
            return done(seen) or any(one.value not in clicked for one in open_calls(seen))

        while not done(observer):
            await observer.until(news, f"round {self.number}: a card or the end", timeout_seconds=GUARD_SECONDS)
            for one in [one for one in open_calls(observer) if one.value not in clicked]:
                clicked.add(one.value)
                action = await self.answer(one)
                with LateClick():
                    where = {"block_id": one.block_id, "value": one.value}
                    await self.scene.people.click("Ada", observer.channel, one.card, action, **where)
        if killing is not None:
            await killing

    async def answer(self, card: OpenCall) -> str:
        """Return the button that a person who looks at the world presses."""
        undoes = "Undo: " in card.shown
        if "decide_give_up" not in card.actions:
            return "decide_rejected" if undoes and self.chance.random() < 0.3 else "decide_approved"
        (step,) = set(re.findall(r"Title of (r\d+c\d+s\d+)", card.shown.partition("Asked for")[0]))
        deed = next(deed for chain in self.chains for deed in chain if deed.id == step)
        happened = await self.stands(deed)
        self.faults.happened["asked what happened"] += 1
        if undoes:
            return self.chance.choice(("decide_give_up", "decide_again"))
        if deed.method == "DELETE":
            return "decide_give_up"
        return self.chance.choice(("decide_happened" if happened else "decide_again", "decide_give_up"))

    async def stands(self, deed: Deed) -> bool:
        """Return whether the world shows what a step wrote."""
        if deed.method == "message":
            return any(message["text"] == deed.id for message in await self.scene.people.messages("incidents"))
        if deed.entry:
            return deed.text.encode() in (self.body(deed.entry) or b"")
        return any(entry.body == deed.text.encode() for entry in self.store.entries.values())

    async def check(self) -> Counter[str]:
        """Check that the world is as before, or exactly what is left is named; return how the chains ended."""
        ended: Counter[str] = Counter()
        for chain in self.chains:
            ways: set[str] = set()
            for name in {deed.entry for deed in chain if deed.entry}:
                ways.add(self.check_entry(name, [deed for deed in chain if deed.entry == name]))
            for deed in chain:
                if not deed.entry:
                    ways.add(self.check_made(deed, stands=await self.stands(deed)))
            worst = [way for way in ("others", "unsure", "left", "restored", "nothing") if way in ways]
            ended[worst[0]] += 1
        return ended

    def check_made(self, deed: Deed, *, stands: bool) -> str:
        why = self.told.get(deed.title)
        if why == "":
            assert not stands, f"{deed} was undone"
            return "restored"
        if is_unsure(why):
            return "unsure"
        assert stands == (why is not None), f"{deed} is named: {why}"
        return "left" if stands else "nothing"

    def check_entry(self, name: str, deeds: Sequence[Deed]) -> str:
        """Check one entry: the newest writes may be undone, one more may be in doubt, and all others are named."""
        values, now = self.values[name], self.body(name)
        effects = [deed for deed in deeds if self.took_effect(deed)]
        assert len(effects) == len(values) - 1, f"{name}: {effects} {values}"
        told = [self.told.get(deed.title) for deed in effects]
        assert None not in told, f"an effect on {name} is neither undone nor named: {effects} {told}"
        named = [deed for deed in deeds if self.told.get(deed.title) == "" and deed not in effects]
        assert not named, f"{named} did nothing that was undone"
        if name in self.faults.theirs:
            assert now == self.faults.theirs[name], f"what others wrote to {name} stands"
            return "others"
        left = [at for at, why in enumerate(told) if why != ""]
        undone = len(told) - (left[-1] + 1 if left else 0)
        assert [why == "" for why in told] == [at >= len(told) - undone for at in range(len(told))], "newest first"
        allowed = [values[len(told) - undone]]
        if left and is_unsure(told[left[-1]]):
            allowed.append(values[left[-1]])
        assert now in allowed, f"{name}: {now}, not {allowed}; {told}"
        if not effects:
            return "nothing"
        return "restored" if not left else "unsure" if is_unsure(told[left[-1]]) else "left"

    def took_effect(self, deed: Deed) -> bool:
        """Return whether a write to an entry is among those that the store had in the forward run."""
        return deed.id in self.done

    @property
    def done(self) -> set[str]:
        """The steps whose writes the store had, by what stood there after each."""
        found: set[str] = set()
        for chain in self.chains:
            for name, values in self.values.items():
                waiting = [deed for deed in chain if deed.entry == name]
                for value in values[1:]:
                    wrote = None if value is None else re.findall(rb"<(r\d+c\d+s\d+)>", value)[-1].decode()
                    while waiting:
                        deed = waiting.pop(0)
                        if deed.id == wrote or (value is None and deed.method == "DELETE"):
                            found.add(deed.id)
                            break
        return found


def is_unsure(why: str | None) -> bool:
    """Return whether the thread says that nobody knows."""
    unknown = {wording.MAYBE_UNDONE, wording.LEFT[Left.UNKNOWN], wording.failure("outcome_unknown")}
    return why in unknown


@dataclass(kw_only=True)
class Workers:
    """The one worker process, and those that came before it. One that ends by itself is started again."""

    scene: AppScene
    file: Path
    stack: AsyncExitStack
    kills: int = 0
    #: Of workers that ended by themselves: one that a busy machine kept from its heartbeats counts as dead, and ends.
    ends: int = 0
    process: asyncio.subprocess.Process | None = None
    _supervisor: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._start()
        self._supervisor = asyncio.create_task(self._supervise())
        self.stack.callback(self._supervisor.cancel)

    async def _start(self) -> None:
        self.process = await self.stack.enter_async_context(greenlight_worker(self.scene, self.file))

    async def _supervise(self) -> None:
        killed = 0
        while self.process is not None:
            await self.process.wait()
            self.ends += self.kills == killed
            killed = self.kills
            await self._start()

    async def replace_after(self, seconds: float) -> None:
        """Kill the worker after so long; another one is started."""
        await asyncio.sleep(seconds)
        assert self.process is not None
        self.kills += 1
        self.process.kill()


@pytest.mark.parametrize(
    ("rounds", "chains"),
    [pytest.param(1, SHORT_CHAINS, id="8"), pytest.param(42, CHAINS, id="1008", marks=pytest.mark.chaos)],
)
async def test_chains_of_effects_are_undone_or_exactly_what_is_left_is_named(
    rounds: int, chains: int, database_url: URL, tmp_path: Path
) -> None:
    """Connections break, hosts refuse, others write, people reject, and the worker is killed, in run and undo."""
    print(f"SEED={SEED}")
    chance = random.Random(SEED)  # noqa: S311 -- no secret
    file = tmp_path / "greenlight.toml"
    ended: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    async with EntryStore() as store, AsyncExitStack() as stack:
        file.write_text(SETTINGS.format(url=store.url))

        def configured(table: dict[str, Any]) -> None:
            table |= tomllib.loads(file.read_text())

        opened = app_scene(
            database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=configured, started=False
        )
        scene = await stack.enter_async_context(opened)
        await scene.start_app(frozenset({Part.BOT}))
        faults = Faults(store=store, chance=chance)
        store.before, store.after = faults.before, faults.after
        workers = Workers(scene=scene, file=file, stack=stack)
        await workers.start()
        for number in range(rounds):
            one = Round(scene=scene, store=store, faults=faults, chance=chance, number=number, count=chains)
            await run_round(one, workers)
            ended += await one.check()
            reasons += Counter(one.told.values())
            print(f"round {number}: {dict(ended)}, {workers.kills} kills, {workers.ends} ends, {dict(faults.happened)}")
        print(f"effects: {dict(reasons)}")
    assert sum(ended.values()) == rounds * chains


async def run_round(one: Round, workers: Workers) -> None:
    """Run the chains, undo them, and once more what is left."""
    scene, faults, chance = one.scene, one.faults, one.chance
    # as often as it is asked: a worker may be killed while it plans
    scene.model.add(Script(role="planner", contains=rf"round {one.number}\.", answer=json_lines(one.plan())))
    one.store.history.clear()
    faults.theirs.clear()
    async with scene.asked(f"write them, round {one.number}.") as observer:
        faults.hang_ups = 0.02
        await one.lead(observer, answered, workers, kills=chance.random() < 0.5)
        for name, value in one.store.history:
            if name in one.values:
                one.values[name].append(value)
        for name in one.values:
            if name in one.store.entries and chance.random() < 0.05:
                faults.change(name)
            elif chance.random() < 0.05:
                one.store.refuses[name] = chance.choice((403, 409))
        faults.changes = 0.01
        await say(scene, observer, "!undo")
        await one.lead(observer, finished(1), workers, kills=chance.random() < 0.7)
        one.told |= lines(reports(observer)[0])
        faults.hang_ups = faults.changes = 0.0
        one.store.refuses.clear()
        if chance.random() < 0.5 and any(why and not is_unsure(why) for why in one.told.values()):
            await undo_what_is_left(one, observer, workers)


async def undo_what_is_left(one: Round, observer: ThreadObserver, workers: Workers) -> None:
    """Press the button on the first board once more."""
    board, people = str(observer.boards()[0].message["ts"]), one.scene.people
    heard = len(whispered(await people.dump(), "U0ADA"))
    with LateClick():  # nothing could ever be undone
        await people.click("Ada", observer.channel, board, UNDO_ACTION)
        if wording.UNDOING_NOW in (await whispers(one.scene, "U0ADA", heard + 1))[-1]:
            await one.lead(observer, answered_or_late, workers, kills=False)
            one.told |= {title: why for report in reports(observer)[1:] for title, why in lines(report).items()}
