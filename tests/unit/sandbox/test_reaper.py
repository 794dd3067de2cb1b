"""Which containers have nobody left to remove them."""

import os

import pytest

from sandbox.hardening import DEADLINE_LABEL, INSTANCE_LABEL, OWNER_LABEL
from sandbox.reaper import is_orphan
from sandbox.warm_container import process_started

ALIVE = f"here:{os.getpid()}:{process_started(os.getpid())}"


@pytest.mark.parametrize(
    ("deadline", "instance", "owner", "orphan"),
    [
        ("2000", "mine", ALIVE, False),
        ("900", "mine", ALIVE, True),
        ("2000", "other", ALIVE, False),
        ("900", "other", ALIVE, True),
        ("2000", "other", "here:4194304:123", True),
        ("2000", "other", f"here:{os.getpid()}:1", True),
        ("2000", "other", "elsewhere:4194304:123", False),
        ("900", "other", "elsewhere:4194304:123", True),
        ("2000", "other", "nonsense", False),
        ("", "other", ALIVE, True),
        ("soon", "mine", ALIVE, True),
    ],
    ids=[
        "own",
        "own-late",
        "alive",
        "alive-late",
        "dead",
        "pid-reused",
        "remote",
        "remote-late",
        "odd-owner",
        "no-deadline",
        "odd-deadline",
    ],
)
def test_orphans_are_told_apart(deadline: str, instance: str, owner: str, orphan: bool) -> None:
    labels = {DEADLINE_LABEL: deadline, INSTANCE_LABEL: instance, OWNER_LABEL: owner}
    assert is_orphan(labels, now=1000.0, instance="mine", host="here") is orphan
