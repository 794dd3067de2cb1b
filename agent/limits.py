"""What bounds a run's work and memory: apart from what keeps to it, whose import takes seconds.

The configuration file is validated against these classes (`infra/config/file.py`): a field's `metadata` holds the
bounds of the key with its name, and `internal` marks a field that is no key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """The part a model plays; `agent/llm/prompts/<role>.md` is its task, the planner's the system message of all."""

    PLANNER = "planner"
    REPAIR = "repair"
    #: Writes the answer once the plan has run, or plans on.
    CONCLUDE = "conclude"
    #: Decides about failures while people are waited for.
    REPLAN = "replan"
    #: Writes the answer of a turn that cannot be planned on.
    ANSWER = "answer"
    SUMMARY = "summary"


class PlanLanguage(StrEnum):
    """How models are asked to write plans; either way of writing is read."""

    #: The plan language: a small subset of Python.
    PYTHON = "python"
    #: One JSON object per line.
    JSON = "json"


class PersonalKind(StrEnum):
    """A kind of personal data that can be found in text."""

    EMAIL = "email"
    PHONE = "phone"
    IBAN = "iban"
    CARD = "card"
    #: Of a machine, IPv4 and IPv6.
    IP = "ip"


class ReasoningEffort(StrEnum):
    """How much a model thinks before it answers, where its server lets a caller say so."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"


BYTES_PER_TOKEN = 4
"""The usual estimate; of text that is not English a token is fewer characters, but as many bytes."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds on the work of one run."""

    #: Green nodes at work at the same time. What they use has bounds of its own, which are the ones to be reached.
    nodes_at_once: int = field(default=256, metadata={"ge": 1, "le": 1_000})
    #: Calls of one green tool at the same time in a process; one thread has half of them at most.
    calls_per_tool: int = field(default=256, metadata={"ge": 1, "le": 1_000})
    #: Calls of green tools to one host at the same time in a process; one thread has half of them at most.
    calls_per_host: int = field(default=64, metadata={"ge": 1, "le": 1_000})
    #: Model calls at the same time in a process, whoever makes them; one thread has half of them at most.
    model_calls_at_once: int = field(default=128, metadata={"ge": 1, "le": 1_000})
    #: Model calls that repair scripts at the same time in a process; one thread has half of them at most.
    repairs_at_once: int = field(default=16, metadata={"ge": 1, "le": 1_000})
    #: Items of one template.
    fan_out: int = field(default=50, metadata={"ge": 1, "le": 1_000})
    #: How often one turn may be planned anew before a person is asked; each "plan further" allows as many again.
    rounds_per_turn: int = field(default=3, metadata={"ge": 1, "le": 5})
    #: Nodes of one turn, the items of its templates included.
    nodes_per_turn: int = field(default=200, metadata={"ge": 1, "le": 10_000})
    #: How long a lost notification may go unnoticed.
    poll_seconds: float = field(default=5.0, metadata={"internal": True})


@dataclass(frozen=True, kw_only=True)
class MemoryLimits:
    """How much of a thread's earlier turns the models are shown, and how much is remembered beyond threads."""

    #: All of it: half for the dialogue, a quarter for the summary, a quarter for earlier nodes with the heads of
    #: their results.
    tokens: int = field(default=16_000, metadata={"ge": 400, "le": 1_000_000})
    #: The most turns that are shown word by word, however short they are.
    turns: int = field(default=12, metadata={"ge": 2, "le": 1_000})
    #: The most facts of one person in one place, of one channel, and of the team.
    facts: int = field(default=200, metadata={"ge": 0, "le": 1_000})
    #: Days until a fact is forgotten of which nobody said how long it holds; 0: never.
    fact_days: int = field(default=0, metadata={"ge": 0, "le": 3_650})

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
class Privacy:
    """`[privacy]`: the personal data that models read a mask of, such as `[email 1]`."""

    mask: tuple[PersonalKind, ...] = ()
    #: Kinds of one's own, by name: patterns of RE2.
    patterns: Mapping[str, str] = field(default_factory=dict[str, str])
    #: The country (ISO 3166: DE, US) whose telephone numbers are known without their `+`; "": of none.
    region: str = ""
    #: Only what results of these tools hold is masked, wherever it stands, `*` stands for any characters; none: all.
    tools: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of all kinds."""
        return (*self.patterns, *(kind.value for kind in self.mask))


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model plays which role, and how long to wait for it."""

    #: Other models than the default one.
    by_role: Mapping[Role, str] = field(default_factory=dict[Role, str])
    #: The model that makes vectors, at the same address, so that tools are found by meaning, too. "": by words alone.
    embeddings: str = ""
    #: How much it thinks first; a role that is not in it says nothing about that to the server.
    reasoning_effort: Mapping[Role, ReasoningEffort] = field(default_factory=dict[Role, ReasoningEffort])
    #: The roles that are asked over OpenAI's Responses API instead of chat completions.
    use_responses_api: Mapping[Role, bool] = field(default_factory=dict[Role, bool])
    #: The longest wait for the first piece of an answer: a model that thinks first says nothing meanwhile.
    first_token_seconds: float = field(default=180.0, metadata={"gt": 0})
    #: The longest wait for each later piece.
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

    def model_of(self, role: Role) -> "RoleModel":
        """Return how a role is asked. Conclusions have what answers have, unless they have something of their own."""
        alike = (role, Role.ANSWER) if role is Role.CONCLUDE else (role,)
        return RoleModel(
            name=next((self.by_role[one] for one in alike if one in self.by_role), self.model),
            effort=next((self.reasoning_effort[one] for one in alike if one in self.reasoning_effort), None),
            responses=next((self.use_responses_api[one] for one in alike if one in self.use_responses_api), False),
        )


@dataclass(frozen=True, kw_only=True)
class RoleModel:
    """The model of a role, and how it is asked."""

    name: str
    effort: ReasoningEffort | None
    #: Over the Responses API instead of chat completions.
    responses: bool


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
    #: Kinds of masks that models read in place of personal data (`Privacy.kinds`).
    masks: tuple[str, ...] = ()
    #: The most of a plan in the plan language, and of one line of it.
    python_characters: int = 256 * 1024
    line_characters: int = 16 * 1024
    depth: int = 32


DEFAULT_LIMITS = PlanLimits()
