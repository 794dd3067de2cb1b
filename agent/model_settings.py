"""Where the model is and how long to wait for it: apart from its client, whose import takes seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.dialogue import Role


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Where the model is and how long to wait. `by_role` names other models for some roles.

    `retries` are those before the first byte of an answer: connection errors, 429 and 5xx, with the
    client's backoff. `silence_seconds` bounds the wait for each piece, `total_seconds` a whole answer,
    `answer_characters` one that is not read as a stream: some models never stop.
    """

    model: str
    api_key: str = field(repr=False)
    base_url: str | None = None
    by_role: Mapping[Role, str] = field(default_factory=dict[Role, str])
    retries: int = 2
    connect_seconds: float = 10.0
    silence_seconds: float = 120.0
    total_seconds: float = 600.0
    answer_characters: int = 256 * 1024
