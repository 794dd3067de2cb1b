"""Clicks on what a person's client still shows."""

from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.actions.interactions import payload_of, person_acting
from tests.acceptance.app_fixture import AppScene


async def late_click(scene: AppScene, observer: ThreadObserver, card: str, value: str) -> None:
    """Deliver Linus' click on a card whose buttons are gone for everybody else."""
    backend = scene.workspace.backend
    payload = payload_of(backend, "block_actions", person_acting(backend, "Linus")) | {
        "container": {
            "type": "message",
            "message_ts": card,
            "channel_id": "C0OPS",
            "thread_ts": observer.thread_ts,
        },
        "channel": {"id": "C0OPS", "name": "ops"},
        "actions": [{"type": "button", "action_id": "decide_approved", "block_id": "b", "value": value}],
    }
    await backend.deliveries.interact("interactive", payload)
