"""The people of a chaos run: they ask, and click what is open, often twice, until nothing is open any more.

They see Slack alone, not the app's processes. They decide each request once and repeat the click until the card shows
an end; for an unknown outcome they look at the outside world, as real people would.
"""

import asyncio
import json
import random
import re
from collections.abc import Mapping
from typing import Any

from infra.dev.local_slack.control.client import WorkspaceClient
from tests.acceptance.effects import EffectServer
from tests.fakes.late_clicks import LateClick

Message = Mapping[str, Any]

ENOUGH_JOBS = 6

MOST_JOBS = 200
"""Enough to bring a process to every point many times over; without an end, one that is never reached fails nothing."""

HESITATION_SECONDS = (0.0, 0.0, 0.9)
"""How long a card is looked at before its first click: at once for runs that wait hot, longer for those that park."""


class People:
    """Asks for jobs and decides their cards."""

    def __init__(self, client: WorkspaceClient, effects: EffectServer, rng: random.Random) -> None:
        self._client = client
        self.effects = effects
        self._rng = rng
        #: ts -> the message as it stands now.
        self.latest: dict[str, Message] = {}
        #: Job -> the ts of its thread.
        self.threads: dict[int, str] = {}
        #: Approval id -> action.
        self.decided: dict[str, str] = {}
        #: Name of a red call -> what was decided about it at first.
        self.chosen: dict[str, str] = {}
        self.clicks = 0
        #: ts of a card -> the loop's time of its first click.
        self._due: dict[str, float] = {}

    async def ask(self, job: int) -> None:
        """Ask for a job in a thread of its own."""
        self.threads[job] = await self._client.post("Ada", "ops", f"@Greenlight please do job {job}.")

    async def ask_one_more(self) -> None:
        """Ask for the next job."""
        await self.ask(len(self.threads))

    async def keep_busy(self) -> None:
        """Ask for the next job unless enough are under way: more would only make everything slower."""
        if len(self.unanswered()) < ENOUGH_JOBS and len(self.threads) < MOST_JOBS:
            await self.ask_one_more()

    def unanswered(self) -> list[int]:
        """Return the jobs without an answer."""
        return [job for job in self.threads if not self.answers(job)]

    async def watch(self) -> None:
        """Keep the newest version of every message. Runs until cancelled."""
        async with self._client.happenings(since=0) as happenings:
            while True:
                happening = await happenings.next()
                if happening["type"] in ("message", "message_changed"):
                    message = happening["message"]
                    self.latest[str(message["ts"])] = message

    async def decide(self) -> None:
        """Click every open card. Runs until cancelled."""
        while True:
            for ts, message in list(self.latest.items()):
                for element in _buttons(message)[:1]:
                    now = asyncio.get_running_loop().time()
                    if self._due.setdefault(ts, now + self._rng.choice(HESITATION_SECONDS)) > now:
                        continue
                    await self._click(message, str(element["value"]).partition(":")[2])
            await asyncio.sleep(0.3)

    async def _click(self, message: Message, approval: str) -> None:
        asked = json.dumps(message)
        if "decide_try_again" in asked:  # enough processes died in a row while they ran the thread
            await self._press(message, "try_again")
            return
        unknown = "decide_happened" in asked
        name = _effect_of(message, approval)
        action = self.decided.get(approval)
        if action is None:
            if unknown:
                action = "happened" if self.effects.calls[name] else "again"
            else:
                action = "rejected" if self._rng.random() < 0.2 else "approved"
                self.chosen[name] = action
            self.decided[approval] = action
        await self._press(message, action, approval)

    async def _press(self, message: Message, action: str, approval: str = "") -> None:
        """Click once or several times at the same moment."""
        times = self._rng.choice((1, 1, 2, 3))
        self.clicks += times
        same = (button for button in _buttons(message) if button["action_id"] == f"decide_{action}")
        values = [str(button["value"]) for button in same if str(button["value"]).endswith(f":{approval}")]
        which = {"value": values[0]} if values else {}
        clicks = [
            self._client.click(who, "ops", str(message["ts"]), f"decide_{action}", **which)
            for who in ("Grace", "Ada", "Grace")[:times]
        ]
        with LateClick():
            await asyncio.gather(*clicks)

    def reads(self, job: int) -> list[str]:
        """Return what a job's thread says."""
        own = (message for message in self.latest.values() if message.get("thread_ts") == self.threads[job])
        return [str(message.get("text", ""))[:200] for message in own]

    def open_cards(self) -> list[str]:
        """Return the messages that still have buttons."""
        return [str(message.get("text", "")) for message in self.latest.values() if _buttons(message)]

    def answers(self, job: int) -> list[Message]:
        """Return the answers in a job's thread."""
        root = self.threads[job]
        own = [
            message for message in self.latest.values() if message.get("thread_ts") == root and message.get("bot_id")
        ]
        return [message for message in own if f"ANSWER to job {job}." in json.dumps(message)]


def _buttons(message: Message) -> list[Mapping[str, Any]]:
    """Return the buttons that decide something."""
    blocks: list[Mapping[str, Any]] = message.get("blocks") or []
    elements = [element for block in blocks if block.get("type") == "actions" for element in block["elements"]]
    return [element for element in elements if str(element.get("action_id")).startswith("decide_")]


def _effect_of(message: Message, approval: str) -> str:
    """Return the effect that a request is about: on a shared card, that of the call above its buttons."""
    named = ""
    blocks: list[Mapping[str, Any]] = message.get("blocks") or []
    for block in blocks:
        written = json.dumps(block)
        if block.get("type") == "actions" and named and f":{approval}" in written:
            return named
        named = next(iter(re.findall(r"red-\d+-\d+", written)), named)
    assert named, message
    return named
