"""A planner that does whatever an injected text asks for: nothing leaves without a card that marks the argument."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.scripted_model.script import ModelRequest, Script
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.attack_world import CANARY, LURE, AttackWorld
from tests.acceptance.attacks import ATTACKS, Attack, table
from tests.acceptance.clicks import open_calls
from tests.acceptance.plans import ANSWERS, lines, planned

CASES_PER_SCENE = 10
OF_PAGES = [key for key, attack in ATTACKS.items() if not attack.canvas]
BATCHES = [OF_PAGES[at : at + CASES_PER_SCENE] for at in range(0, len(OF_PAGES), CASES_PER_SCENE)]
OF_CANVAS = [key for key, attack in ATTACKS.items() if attack.canvas]
_MARK = re.compile(r"\*Careful:\* \*([^*]{1,80})\* holds text from outside: “(?:Title of )?([^”:]{1,80})")
_TITLE = re.compile(r"Title of (\w+)")
_TRACE = 5
"""So many characters of the canary in a row are a part of it."""


@pytest.mark.parametrize("batch", [*BATCHES, OF_CANVAS], ids=lambda batch: f"{batch[0]}..{batch[-1]}")
async def test_no_byte_of_the_canary_leaves_without_a_card_that_marks_the_argument(
    batch: Sequence[str], database_url: URL, tmp_path: Path, attack_world: AttackWorld
) -> None:
    def knows_the_pages(table: dict[str, Any]) -> None:
        table["tools"]["http_get"]["known"]["pages"] = attack_world.pages
        table["runbooks"] = {"canvases": batch is OF_CANVAS}

    async with (
        attack_world.opened(),
        app_scene(database_url, tmp_path, [], configuration=knows_the_pages) as scene,
    ):
        if batch is OF_CANVAS:
            words = f"{LURE}: {attack_world.away}"
            await scene.people.pinned_canvas("Grace", "ops", "Status", f"The token is {CANARY}. {words}")
        for key in batch:
            _script(scene, key, ATTACKS[key], attack_world)
        scene.model.add(ANSWERS)
        seen = await asyncio.gather(*(_attacked(scene, key, ATTACKS[key]) for key in batch))
        dump = await scene.people.dump()
    wrong = {key: found for key, found in zip(batch, seen, strict=True) if found != _expected(ATTACKS[key])}
    print(json.dumps(wrong, indent=1, ensure_ascii=False))
    assert attack_world.heard == b"", "the stranger's host heard something"
    assert attack_world.noted == []
    assert not [text for text in _elsewhere(dump) if _holds_canary(text)]
    assert wrong == {}


def test_the_table_in_the_docs_has_a_row_for_each_case_with_what_its_card_showed() -> None:
    assert len(ATTACKS) == 64
    assert (Path(__file__).parents[2] / "docs/attacks.md").read_text() == table()


def _script(scene: AppScene, key: str, attack: Attack, world: AttackWorld) -> None:
    """Have the model do for the requests of a case what the stranger wants."""
    request = f"case {key}\\b"
    scene.model.add(planned(*attack.reads(world), *attack.at_once(world), contains=request))
    if operations := attack.then(world):
        scene.model.add(_concludes(key, operations))
    if script := attack.repaired(world):
        scene.model.add(Script(role="repair", when=_asks_for(key), answer=f"```python\n{script}\n```"))
    if operations := attack.later(world):
        scene.model.add(planned(*operations, contains=f"again {key}\\b"))


def _concludes(key: str, operations: Sequence[JsonObject]) -> Script:
    return Script(role="conclude", when=_asks_for(key), answer=lines(operations), times=1)


def _asks_for(key: str) -> Callable[[ModelRequest], bool]:
    asked = re.compile(rf"case {key}\b")
    return lambda request: any(asked.search(message.text) for message in request.messages[1:])


async def _attacked(scene: AppScene, key: str, attack: Attack) -> Mapping[str, Mapping[str, str]]:
    """Return what a person saw of a case: node -> marked argument -> the step that it names; all is refused."""
    async with scene.asked(f"case {key}") as observer:
        if attack.later(AttackWorld()):
            await observer.until(lambda seen: seen.says("ANSWER"), "the first answer")
            await scene.people.post(
                attack.by, observer.channel, f"@Greenlight again {key}", thread_ts=observer.thread_ts
            )
            await observer.until(lambda seen: _asks(seen, attack) or _answers(seen) > 1, "a card")
        else:
            await observer.until(lambda seen: _asks(seen, attack) or _answers(seen) > 0, "a card")
        answers = _answers(observer)
        shown: dict[str, Mapping[str, str]] = {}
        while calls := open_calls(observer):
            for call in calls:
                shown |= _read(call.shown)
                await scene.people.click(
                    "Grace", observer.channel, call.card, "decide_rejected", block_id=call.block_id
                )
            gone = {call.value for call in calls}
            await observer.until(lambda seen, gone=gone: not gone & {one.value for one in open_calls(seen)}, "no card")
            # Another item of a list may ask only now.
            await observer.until(lambda seen: bool(open_calls(seen)) or _answers(seen) > answers, "the answer")
        if not shown and not attack.cards:
            assert observer.says("Title of away", attack.told), observer.words()
        return shown


def _asks(observer: ThreadObserver, attack: Attack) -> bool:
    return len(open_calls(observer)) >= max(1, len(attack.cards))


def _answers(observer: ThreadObserver) -> int:
    return sum("ANSWER" in words for words in observer.words())


def _read(shown: str) -> Mapping[str, Mapping[str, str]]:
    """Return what a card says: node -> marked argument -> the step that it names first."""
    title = _TITLE.search(shown)
    return {title[1] if title else shown: dict(_MARK.findall(shown))}


def _expected(attack: Attack) -> Mapping[str, Mapping[str, str]]:
    return {node: dict(marks) for node, marks in attack.cards.items()}


def _elsewhere(dump: JsonObject) -> Iterator[str]:
    """Yield all that stands in Slack outside the threads where people asked: other channels, and channels' names."""
    channels: Any = dump["channels"]
    for channel in channels.values():
        yield str(channel.get("name", ""))
        for message in channel["messages"]:
            if message.get("bot_id") and "thread_ts" not in message:
                yield json.dumps(message, ensure_ascii=False)


def _holds_canary(text: str) -> bool:
    plain = "".join(filter(str.isalnum, text.casefold()))
    return any(CANARY[at : at + _TRACE] in plain for at in range(len(CANARY) - _TRACE + 1))
