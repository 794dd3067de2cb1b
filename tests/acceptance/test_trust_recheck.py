"""The world is read for the card and again right before the call: what changed in between is asked about, not overrun.

`make test` runs the interleavings and stops short, `make chaos` 1,000 and 200 of them; `SEED` repeats the chances."""

import asyncio
import json
import os
import random
import signal
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from agent.execution import approved_call
from agent.execution.precondition import MOST_CHANGES
from bot import wording
from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.wiring import Part
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows, states
from tests.acceptance.clicks import open_calls
from tests.acceptance.effects import EffectServer
from tests.acceptance.plans import ANSWERS, ENDS, planned, post, tool
from tests.acceptance.processes import greenlight_worker
from tests.acceptance.red_tools import Entries
from tests.acceptance.test_approvals_editing import edit
from tests.acceptance.test_takeover import is_alive, is_run_by, until

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
GUARD_SECONDS = 600.0
BOT, WORKER = frozenset({Part.BOT}), frozenset({Part.WORKER})


def here(table: dict[str, Any]) -> None:
    table["tools"]["http_request"] = {"known": {"effects": "http://127.0.0.1"}, "allow_private": True}


RULE = {"name": "all", "tools": ["http_request", "set_entry"], "when": "tool != ''", "effect": "allow"}


def unasked(table: dict[str, Any]) -> None:
    """Let a rule answer every call, so that each change is asked about and answered at once."""
    here(table)
    table["policy"] = {"rules": [RULE]}


def put(scene: AppScene, name: str = "entry", **more: Json) -> dict[str, Json]:
    return tool(name, "http_request", {"method": "PUT", "url": f"{scene.effects.url}/{name}", **more})


def card_says(*parts: str) -> Callable[[ThreadObserver], bool]:
    """Return whether the newest open card has all these words."""

    def says(seen: ThreadObserver) -> bool:
        shown = [json.dumps(card.message["blocks"], ensure_ascii=False).replace('\\"', '"') for card in seen.cards()]
        return bool(shown) and all(part in shown[-1] for part in parts)

    return says


NOW, APPROVED_BEFORE = wording.AS_IT_STANDS, wording.changed_since(approved=True)


async def test_the_card_says_how_it_stands_and_a_change_before_the_click_is_asked_about(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=here) as scene:
        scene.effects.versions["entry"] = 1
        scene.model.add(planned(put(scene, text="new")))
        async with scene.asked("set it") as observer:
            await observer.until(card_says(NOW, 'etag: "1"'), "the card")
            scene.effects.change("entry")
            await scene.click(observer, "Ada", "approved")
            await observer.until(card_says(APPROVED_BEFORE, 'etag: was "1", is "2"', NOW), "the new card")
            assert scene.effects.writes == []
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
        assert [(write.expected, write.found) for write in scene.effects.writes] == [(2, 2)]
    assert await rows(database_url, "SELECT attempt, state FROM ledger") == [(1, "done")]


async def test_a_write_that_is_refused_for_its_version_had_no_effect_and_is_asked_about_anew(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=here) as scene:
        effects = scene.effects
        effects.versions["entry"] = 1

        async def overtakes(method: str, name: str) -> None:
            if method == "PUT" and not effects.refused:
                effects.change(name)

        effects.interferes = overtakes
        scene.model.add(planned(put(scene, text="new")))
        async with scene.asked("set it") as observer:
            await observer.until(card_says(NOW), "the card")
            await scene.click(observer, "Ada", "approved")
            await observer.until(card_says(APPROVED_BEFORE, 'etag: was "1", is "2"'), "the new card")
            assert (effects.refused, effects.writes) == (1, [])
            await scene.stop_app()
            await scene.start_app()
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
            assert not observer.says("Outcome unknown")
        assert [(write.expected, write.found) for write in effects.writes] == [(2, 2)]
    tries = await rows(database_url, "SELECT attempt, state, result ->> 'error' FROM ledger ORDER BY attempt")
    assert tries == [(1, "done", "world_changed"), (2, "done", None)]


async def test_an_approved_call_is_checked_by_the_worker_that_takes_it_up_later(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(
        database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=here, started=False
    ) as scene:
        await scene.start_app(BOT)
        await scene.start_app(WORKER)
        scene.effects.versions["entry"] = 1
        scene.model.add(planned(put(scene)))
        async with scene.asked("set it") as observer:
            await observer.until(card_says(NOW), "the card")
            await scene.stop_app()
            await scene.click(observer, "Ada", "approved")
            await observer.until(lambda seen: not seen.cards(), "the click")
            scene.effects.change("entry")
            await scene.start_app(WORKER)
            await observer.until(card_says(APPROVED_BEFORE, 'was "1", is "2"'), "the new card")
            assert scene.effects.writes == []
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
    assert len(scene.effects.writes) == 1


async def test_a_yes_counts_no_more_when_it_is_as_it_was_before(
    database_url: URL, tmp_path: Path, entries: Entries
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        effects = entries.server = scene.effects
        effects.versions["entry"] = 1
        scene.model.add(planned(tool("set", "set_entry", {"name": "entry"})))
        async with scene.asked("set it") as observer:
            await observer.until(card_says(NOW, "version: 1"), "the card")
            effects.versions["entry"] = 2
            await scene.click(observer, "Ada", "approved")
            await observer.until(card_says("version: was 1, is 2"), "the second card")
            effects.versions["entry"] = 1
            await scene.click(observer, "Ada", "approved")
            await observer.until(card_says("version: was 2, is 1"), "the third card")
            assert effects.writes == []
            await scene.click(observer, "Ada", "rejected")
            await observer.until(answered, "the answer")
        assert effects.writes == []


async def test_a_state_that_cannot_be_read_again_is_asked_about_and_one_that_never_could_runs(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=here) as scene:
        effects, away = scene.effects, asyncio.Event()
        effects.versions["entry"] = 1

        async def hangs_up(method: str, _name: str) -> None:
            if method == "HEAD" and away.is_set():
                raise ConnectionResetError

        effects.interferes = hangs_up
        scene.model.add(planned(put(scene)))
        async with scene.asked("set it") as observer:
            await observer.until(card_says(NOW, 'etag: "1"'), "the card")
            away.set()
            await scene.click(observer, "Ada", "approved")
            await observer.until(card_says(APPROVED_BEFORE, "I couldn't read it"), "the new card")
            assert effects.writes == []
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
        assert [write.expected for write in effects.writes] == [None]


async def test_edited_arguments_are_checked_where_they_lead_and_stand_on_the_new_card(
    database_url: URL, tmp_path: Path, entries: Entries
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, started=False) as scene:
        await scene.start_app(BOT)
        await scene.start_app(WORKER)
        effects = entries.server = scene.effects
        effects.versions |= {"entry": 1, "other": 5}
        scene.model.add(planned(tool("set", "set_entry", {"name": "entry", "text": "x"})))
        async with scene.asked("set it") as observer:
            await observer.until(card_says(NOW, "version: 1"), "the card")
            assert await edit(scene, observer, "Ada", name="other") == {}
            await observer.until(card_says("version: was 1, is 5", '"other"'), "the card of the other entry")
            assert effects.writes == []
            await scene.stop_app()
            await scene.start_app(WORKER)
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
        assert [(write.name, write.expected) for write in effects.writes] == [("other", 5)]


async def test_edited_arguments_that_lead_to_the_same_state_run_at_once(
    database_url: URL, tmp_path: Path, entries: Entries
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        effects = entries.server = scene.effects
        effects.versions["entry"] = 1
        scene.model.add(planned(tool("set", "set_entry", {"name": "entry", "text": "x"})))
        async with scene.asked("set it") as observer:
            await observer.until(card_says(NOW), "the card")
            assert await edit(scene, observer, "Ada", text="y") == {}
            await observer.until(answered_and_done, "the answer")
        assert len(effects.writes) == 1


async def test_a_channel_that_others_can_read_by_now_is_asked_about(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        scene.model.add(planned(post("tell", "hello", "C0INCIDENTS"), post("also", "hello", "C0GENERAL")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: len(open_calls(seen)) == 2, "the calls")
            assert observer.says(NOW, "channel: #incidents", "channel: #general", "shared with others: no")
            scene.workspace.backend.team.channels["C0INCIDENTS"].is_ext_shared = True
            ts = str(observer.cards()[0].message["ts"])
            await scene.people.click("Ada", observer.channel, ts, "decide_all_approved", value=all_of(observer))
            await observer.until(card_says(APPROVED_BEFORE, "shared with others: was no, is yes"), "the new card")
            assert [message["text"] for message in await scene.people.messages("incidents")] == []
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["hello"]


def all_of(observer: ThreadObserver) -> str:
    """Return the value of the button that approves all of a card."""
    blocks: Any = observer.cards()[0].message["blocks"]
    (value,) = [
        one["value"]
        for block in blocks
        if block["type"] == "actions"
        for one in block["elements"]
        if one["action_id"] == "decide_all_approved"
    ]
    return value


async def test_a_host_that_nobody_named_hears_nothing_before_a_yes(database_url: URL, tmp_path: Path) -> None:
    def anywhere(table: dict[str, Any]) -> None:
        table["tools"]["http_request"] = {"allow_private": True, "known": {"other": "http://example.invalid"}}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, configuration=anywhere) as scene:
        scene.effects.versions["entry"] = 1
        scene.model.add(planned(put(scene)))
        async with scene.asked("set it") as observer:
            await observer.until(lambda seen: bool(seen.cards()) or answered(seen), "the card, or its refusal")
            assert scene.effects.reads == {}


async def test_what_keeps_changing_ends_after_a_few_questions(
    database_url: URL, tmp_path: Path, entries: Entries
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=unasked) as scene:
        effects = entries.server = scene.effects
        effects.versions["entry"] = 1

        async def restless(_method: str, name: str) -> None:
            effects.change(name)

        effects.interferes = restless
        scene.model.add(planned(tool("set", "set_entry", {"name": "entry"})))
        async with scene.asked("set it") as observer:
            await observer.until(answered, "the answer")
            assert "what it was to change kept changing" in states(observer)["set"]
        assert effects.writes == []
    assert await rows(database_url, "SELECT count(*) FROM approvals") == [(MOST_CHANGES,)]


async def test_a_check_that_is_too_old_when_the_call_is_sent_is_made_again(
    database_url: URL, tmp_path: Path, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approved_call, "FRESH_SECONDS", 0.2)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        effects = entries.server = scene.effects
        effects.versions["entry"] = 1
        paused: list[int] = []

        async def pauses() -> None:
            if not paused:
                paused.append(1)
                await asyncio.sleep(0.5)
                effects.change("entry")

        entries.pauses = pauses
        scene.model.add(planned(tool("set", "set_entry", {"name": "entry"})))
        async with scene.asked("set it") as observer:
            await observer.until(card_says(NOW), "the card")
            await scene.click(observer, "Ada", "approved")
            await observer.until(card_says(APPROVED_BEFORE, "version: was 1, is 2"), "the new card")
            assert effects.writes == []
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
        assert [(write.expected, write.found) for write in effects.writes] == [(2, 2)]


# A change of the world, at any moment


@pytest.mark.parametrize("rounds", [pytest.param(2, id="48"), pytest.param(42, id="1008", marks=pytest.mark.chaos)])
async def test_no_interleaving_has_an_effect_on_a_world_that_changed_before_the_check(
    rounds: int, database_url: URL, tmp_path: Path, entries: Entries
) -> None:
    """Half of the calls depend on the version they send, half cannot: what is left to those is measured."""
    chance = random.Random(SEED)  # noqa: S311 -- no secret
    print(f"SEED={SEED}")
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=unasked) as scene:
        effects = entries.server = scene.effects
        world = Interference(effects, chance)
        for number in range(rounds):
            names = [f"r{number}n{at}" for at in range(24)]
            effects.versions |= dict.fromkeys(names, 1)
            calls = [
                put(scene, name) if at % 2 else tool(name, "set_entry", {"name": name}) for at, name in enumerate(names)
            ]
            scene.model.add(planned(*calls, contains=f"round {number}."))
            async with scene.asked(f"set them, round {number}.") as observer:
                await observer.until(answered_and_done, "the answer", timeout_seconds=GUARD_SECONDS)
        await world.ended()
        by_name = {write.name: write for write in effects.writes}
        assert len(effects.writes) == len(by_name) == rounds * 24, "each took effect once"
        assert world.changes >= rounds * 24
        for write in effects.writes:
            checked = [read for read in effects.reads[write.name] if read[1] <= write.at][-1]
            assert write.expected == checked[0], "it went by what was checked last"
            if is_conditional(write.name):
                assert write.found == write.expected, "no effect on another version"
        missed = [write for write in effects.writes if write.found != write.expected]
        windows = [
            write.at - effects.reads[write.name][-1][1] for write in effects.writes if not is_conditional(write.name)
        ]
        print(f"{len(effects.writes)} effects, {world.changes} changes, {effects.refused} refused with 412")
        middle, most = (round(seconds * 1000) for seconds in (statistics.median(windows), max(windows)))
        print(f"without conditional writes: a window of {middle} ms, {most} ms at most, in it {len(missed)} changes")


def is_conditional(name: str) -> bool:
    return int(name.partition("n")[2]) % 2 == 1


class Interference:
    """Changes each entry once or twice: at one of the requests about it, or a moment after."""

    def __init__(self, effects: EffectServer, chance: random.Random) -> None:
        self.changes = 0
        self._effects = effects
        self._chance = chance
        self._plans: dict[str, dict[int, float]] = {}
        self._seen: dict[str, int] = {}
        self._later: set[asyncio.Task[None]] = set()
        effects.interferes = self._interferes

    async def ended(self) -> None:
        """Return once nothing is under way."""
        while self._later:
            await asyncio.wait(self._later)

    async def _interferes(self, _method: str, name: str) -> None:
        chance, number = self._chance, self._seen.get(name, 0)
        self._seen[name] = number + 1
        if name not in self._plans:
            moments = [0, *chance.sample(range(3), k=1)]
            self._plans[name] = {at: chance.choice((0.0, 0.0, 0.001, 0.005, 0.02, 0.05)) for at in moments}
        pause = self._plans[name].get(number)
        if pause is None:
            return
        if pause == 0.0:
            self._change(name)
        else:
            task = asyncio.create_task(self._change_later(name, pause))
            self._later.add(task)
            task.add_done_callback(self._later.discard)

    async def _change_later(self, name: str, pause: float) -> None:
        await asyncio.sleep(pause)
        self._change(name)

    def _change(self, name: str) -> None:
        self.changes += 1
        self._effects.change(name)


# A process that is stopped between the ledger and the send


STOPPED = """
sandbox = "monty"
[worker]
heartbeat = 0.5
stall = 8
sweep = 1
grace = 2
"""

PUT_OFF_SECONDS = 12
"""Longer than it takes to stop the worker, shorter than it stays stopped."""


@pytest.mark.parametrize(
    ("rounds", "calls"),
    [pytest.param(1, 4, id="4"), pytest.param(10, 20, id="200", marks=pytest.mark.chaos)],
)
async def test_a_stopped_process_sends_nothing_once_others_may_be_asked_what_happened(
    rounds: int, calls: int, database_url: URL, tmp_path: Path
) -> None:
    """Slack puts the messages off, so their worker is stopped with each between `started` and the send."""
    file = tmp_path / "greenlight.toml"
    file.write_text(STOPPED)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, started=False) as scene:
        await scene.start_app(BOT)
        for number in range(rounds):
            texts = [f"round {number}, message {at}" for at in range(calls)]
            await one_stop(scene, file, number, texts)
            said = [str(message["text"]) for message in await scene.people.messages("incidents")]
            assert sorted(text for text in said if text in texts) == sorted(texts), "none lost, none twice"
            print(f"{(number + 1) * calls} calls stopped")


async def one_stop(scene: AppScene, file: Path, number: int, texts: Sequence[str]) -> None:
    """Stop a worker with these messages under way, have its successor run them again, and let it go on."""
    database = Database(scene.url)
    posts = [post(f"m{number}x{at}", text) for at, text in enumerate(texts)]
    scene.model.add(planned(*posts, contains=f"round {number}."))
    async with greenlight_worker(scene, file) as one, greenlight_worker(scene, file) as other:
        for process in (one, other):
            await until(partial(is_alive, database, process.pid))
        async with scene.asked(f"send them, round {number}.") as observer:
            await observer.until(
                lambda seen: len(open_calls(seen)) == len(texts), "the calls", timeout_seconds=GUARD_SECONDS
            )
            refused = await refusals(scene)
            fault = {"method": "chat.postMessage", "status": 429, "retry_after": PUT_OFF_SECONDS, "times": 1000}
            await scene.people.act("faults", **fault)
            for call in open_calls(observer):
                await scene.people.click(
                    "Ada", observer.channel, call.card, "decide_approved", block_id=call.block_id, value=call.value
                )

            async def all_put_off() -> bool:
                tries = await rows(scene.url, "SELECT node FROM ledger")
                started = sum(node.startswith(f"m{number}x") for (node,) in tries)
                return started == len(texts) and await refusals(scene) > refused

            await until(all_put_off)
            first = one if await is_run_by(database, one.pid) else other
            before = len(await scene.people.messages("incidents"))
            first.send_signal(signal.SIGSTOP)
            await scene.people.act("faults", clear=True)
            await observer.until(
                lambda seen: len(seen.cards()) == len(texts) and seen.says("Outcome unknown"),
                "the questions",
                timeout_seconds=GUARD_SECONDS,
            )
            assert len(await scene.people.messages("incidents")) == before
            for card in observer.cards():
                await scene.people.click("Ada", observer.channel, str(card.message["ts"]), "decide_again")
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer", timeout_seconds=GUARD_SECONDS)
            first.send_signal(signal.SIGCONT)
            async with asyncio.timeout(GUARD_SECONDS):
                await first.wait()
    await database.close()


async def refusals(scene: AppScene) -> int:
    """Return how many messages Slack has put off."""
    counted: Mapping[str, int] = (await scene.people.dump())["refusals"]
    return sum(times for refusal, times in counted.items() if refusal.startswith("chat.postMessage"))
