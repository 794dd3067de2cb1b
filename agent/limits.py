"""What bounds a run's work and memory: apart from what keeps to it, whose import takes seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a model is asked to be; `agent/llm/prompts/<role>.md` is its system message."""

    PLANNER = "planner"
    REPAIR = "repair"
    REPLAN = "replan"
    ANSWER = "answer"
    SUMMARY = "summary"


BYTES_PER_TOKEN = 4
"""The usual estimate; of text that is not English a token is fewer characters, but as many bytes."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`nodes_at_once` bounds the green nodes at work, `fan_out` the items of one template, `nodes_per_turn` the
    nodes that one turn may have with the items of all of them.

    `poll_seconds` is how long a lost hint may go unnoticed.
    """

    nodes_at_once: int = 32
    fan_out: int = 50
    nodes_per_turn: int = 200
    poll_seconds: float = 5.0


@dataclass(frozen=True, kw_only=True)
class MemoryLimits:
    """`tokens` is what all that is shown of earlier turns comes to: half is the dialogue, a quarter the
    summary, a quarter the earlier nodes with the heads of their results."""

    tokens: int = 16_000

    @property
    def dialogue_tokens(self) -> int:
        """What the turns shown word by word come to."""
        return self.tokens // 2

    @property
    def turn_characters(self) -> int:
        """The most of one turn, however many messages it has: the newest is always shown."""
        return self.dialogue_tokens * BYTES_PER_TOKEN

    @property
    def summary_characters(self) -> int:
        """The most that the summary has."""
        return self.tokens // 4 * BYTES_PER_TOKEN

    @property
    def node_bytes(self) -> int:
        """What the nodes of earlier turns come to."""
        return self.tokens // 4 * BYTES_PER_TOKEN

    @property
    def message_characters(self) -> int:
        """The most of one message."""
        return self.tokens // 8 * BYTES_PER_TOKEN


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


@dataclass(frozen=True, kw_only=True)
class PlanLimits:
    """How large a plan may be. `nodes` counts those of one turn, items of templates included."""

    nodes: int = 200
    text_characters: int = 1024 * 1024
    operation_bytes: int = 256 * 1024
    code_bytes: int = 64 * 1024
    schema_bytes: int = 8 * 1024
    instruction_characters: int = 16 * 1024
    title_characters: int = 150
    depth: int = 32


DEFAULT_LIMITS = PlanLimits()
