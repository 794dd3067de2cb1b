"""Clicks on calls that share a card, and on what a person's client still shows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.actions.interactions import payload_of, person_acting
from tests.acceptance.app_fixture import AppScene


@dataclass(frozen=True, kw_only=True)
class OpenCall:
    """A call that waits for people, on a card of its own or beside others on a shared one."""

    #: Of the message that holds its buttons.
    card: str
    block_id: str
    #: What its buttons carry.
    value: str
    #: The blocks above its buttons, up to another call's.
    shown: str
    #: The action ids of its buttons.
    actions: frozenset[str]


def open_calls(observer: ThreadObserver, words: str = "") -> Sequence[OpenCall]:
    """Return the calls of a thread that wait for people and show these words."""
    found: list[OpenCall] = []
    for card in observer.cards():
        above: list[Any] = []
        for block in card.message["blocks"]:
            if block["type"] != "actions":
                above.append(block)
                continue
            shown, above = json.dumps(above, ensure_ascii=False), []
            buttons = {one["action_id"]: one.get("value", "") for one in block["elements"]}
            value = buttons.get("decide_rejected") or buttons.get("decide_give_up")
            if words in shown and value:
                found.append(
                    OpenCall(
                        card=str(card.message["ts"]),
                        block_id=block["block_id"],
                        value=value,
                        shown=shown,
                        actions=frozenset(buttons),
                    )
                )
    return found


async def decide(scene: AppScene, observer: ThreadObserver, who: str, action: str, words: str) -> bool:
    """Have a person decide about the one open call that shows these words; True when the app acknowledged in time."""
    (call,) = open_calls(observer, words)
    return await scene.people.click(who, observer.channel, call.card, f"decide_{action}", block_id=call.block_id)


async def late_click(
    scene: AppScene,
    observer: ThreadObserver,
    card: str,
    value: str,
    *,
    action: str = "decide_approved",
    channel: str = "C0OPS",
    who: str = "Linus",
) -> None:
    """Deliver a person's click on a card whose buttons are gone for everybody else, or that they make up."""
    backend = scene.workspace.backend
    person = person_acting(backend, who)
    secret = backend.tickets.new_response_url(person.id, channel, message_ts=card)
    payload = payload_of(backend, "block_actions", person) | {
        "trigger_id": backend.tickets.new_trigger(person.id),
        "response_url": f"{backend.base_url}/response/{secret}",
        "container": {
            "type": "message",
            "message_ts": card,
            "channel_id": channel,
            "thread_ts": observer.thread_ts,
        },
        "channel": {"id": channel, "name": "ops"},
        "actions": [{"type": "button", "action_id": action, "block_id": "b", "value": value}],
    }
    await backend.deliveries.interact("interactive", payload)
