"""What bounds a run's work and memory: apart from what keeps to it, whose import takes seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`nodes_at_once` bounds the green nodes at work. `poll_seconds` is how long a lost hint may go unnoticed."""

    nodes_at_once: int = 32
    poll_seconds: float = 5.0
