"""What bounds a run's work and memory: apart from what keeps to it, whose import takes seconds.

The configuration file is validated against these classes (`infra/config/file.py`): a field's `metadata` holds the
bounds of the key with its name, and `internal` marks a field that is no key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """The part a model plays; `agent/llm/prompts/<role>.md` is its system message."""

    PLANNER = "planner"
    REPAIR = "repair"
    REPLAN = "replan"
    ANSWER = "answer"
    SUMMARY = "summary"


BYTES_PER_TOKEN = 4
"""The usual estimate; of text that is not English a token is fewer characters, but as many bytes."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds on the work of one run."""

    #: Green nodes at work at the same time.
    nodes_at_once: int = field(default=32, metadata={"ge": 1, "le": 1_000})
    #: Items of one template.
    fan_out: int = field(default=50, metadata={"ge": 1, "le": 1_000})
    #: Nodes of one turn, the items of its templates included.
    nodes_per_turn: int = field(default=200, metadata={"ge": 1, "le": 10_000})
    #: How long a lost notification may go unnoticed.
    poll_seconds: float = field(default=5.0, metadata={"internal": True})


@dataclass(frozen=True, kw_only=True)
class MemoryLimits:
    """How much of a thread's earlier turns the models are shown."""

    #: All of it: half for the dialogue, a quarter for the summary, a quarter for earlier nodes with the heads of
    #: their results.
    tokens: int = field(default=16_000, metadata={"ge": 400, "le": 1_000_000})
    #: The most turns that are shown word by word, however short they are.
    turns: int = field(default=12, metadata={"ge": 2, "le": 1_000})

    @property
    def dialogue_tokens(self) -> int:
        """The tokens of the turns that are shown word by word."""
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
        """The bytes of the nodes of earlier turns."""
        return self.tokens // 4 * BYTES_PER_TOKEN

    @property
    def message_characters(self) -> int:
        """The most of one message."""
        return self.tokens // 8 * BYTES_PER_TOKEN


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model plays which role, and how long to wait for it."""

    #: Other models than the default one.
    by_role: Mapping[Role, str] = field(default_factory=dict[Role, str])
    #: The longest wait for each piece of an answer.
    silence_seconds: float = field(default=60.0, metadata={"gt": 0})
    #: The longest wait for a whole answer.
    total_seconds: float = field(default=300.0, metadata={"gt": 0})


@dataclass(frozen=True, kw_only=True)
class ModelSettings(ModelOptions):
    """Where the model is, and how it is asked."""

    model: str
    api_key: str = field(repr=False)
    base_url: str | None = None
    #: Retries before the first byte of an answer: connection errors and 5xx, with the client's backoff. A server that
    #: is busy (429) is asked again until `total_seconds` are over; with 0 retries it is not.
    retries: int = 2
    connect_seconds: float = 10.0
    #: The longest answer that is not read as a stream: some models never stop.
    answer_characters: int = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class PlanLimits:
    """How large a plan may be."""

    #: Nodes of one turn, the items of its templates included.
    nodes: int = Limits.nodes_per_turn
    text_characters: int = 1024 * 1024
    operation_bytes: int = 256 * 1024
    code_bytes: int = 64 * 1024
    schema_bytes: int = 8 * 1024
    instruction_characters: int = 16 * 1024
    title_characters: int = 150
    depth: int = 32


DEFAULT_LIMITS = PlanLimits()
