"""How a node ends (outcomes as values) and what it looks like on the way (states).

Outcomes cross LangGraph's checkpoints as plain dicts: `outcome_json` / `outcome_from_json`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, TypeAlias, assert_never

from pydantic import GetPydanticSchema, TypeAdapter
from pydantic_core import core_schema

from agent.ids import Digest, NodeId, UserId
from agent.plan.operations import On
from sandbox.script import Json


class NodeState(StrEnum):
    """The state of a node, as shown to people. The last six are final."""

    PLANNED = "planned"
    RUNNING = "running"
    ASKING = "asking"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class ArtifactRef:
    """A value kept outside the run's state, as models and people see it."""

    digest: Digest
    name: str
    #: In bytes.
    size: int
    media_type: str
    #: The first 512 characters at most.
    head: str
    #: One line that says what it looks like.
    summary: str = ""


@dataclass(frozen=True, kw_only=True)
class Comment:
    """What a person said with the decision that let the call run."""

    by: UserId
    text: str


@dataclass(frozen=True, kw_only=True)
class Succeeded:
    """The node's output."""

    value: Annotated[Json, GetPydanticSchema(lambda _type, _handler: core_schema.any_schema())] = None
    #: In place of a value over 4 KiB.
    artifact: ArtifactRef | None = None
    #: How old the output was when it was taken from the cache. None: the node's own work made it.
    age_seconds: int | None = None
    comment: Comment | None = None
    #: What its script kept besides, by name.
    files: tuple[ArtifactRef, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The node's work ended in an error."""

    #: A short machine word: `timeout`, `tool_error`, `sandbox_oom`, ...
    error: str
    #: For the model. It may hold a tool's words; people read `bot/wording.py`.
    message: str = ""
    comment: Comment | None = None


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A person rejected the call."""

    by: UserId
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Expired:
    """No person decided in time. Nothing shows people or the model a refusal."""


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """The node never ran."""

    #: The node that did not end as the dependency on it requires, or whose value the condition was about.
    because: NodeId
    #: Set when a condition did not hold.
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """The node was cancelled before it finished."""

    why: str = ""
    #: Who asked for changes; `why` are their words.
    by: UserId | None = None


WORLD_CHANGED = "world_changed"
"""The error of a try that had no effect because the world was another one: the call is asked about again."""

OUTCOME_UNKNOWN = "outcome_unknown"
"""The `error` of a call that may have taken effect or not. A red call that ends so is asked about."""

NOT_UNDONE = "not_undone"
"""The `error` of a call that was to undo another one, and that was refused by what it asked."""

INPUT_REQUIRED = "input_required"

NOT_CONNECTED = "not_connected"
"""The person whose account a call needs did not connect it."""
"""The error of a call that asked for input which it did not get; it had no effect."""

NOT_ALLOWED = "not_allowed"
"""The error of a step whose author may not use its tool where it was asked; nothing was done."""

NOT_YOURS = "not_yours"
"""The `error` of a step that was to work with what was read with another person's rights; nobody was asked about it."""

REFUSED_BY_POLICY = "refused_by_policy"
"""The `error` of a red call that a rule refuses; the message has the rule's words."""

RATE_LIMIT = "rate_limit"
"""The `error` of a call that got no place in its tool's rate limit in time; nothing was called."""

NOT_TRIED = "not_tried"
"""The `error` of a call that was not made, as those before it failed; the message says when one is tried again."""

TOLD_IN_WORDS = frozenset({REFUSED_BY_POLICY, RATE_LIMIT, NOT_TRIED})
"""Errors whose message people read as it is."""

Outcome: TypeAlias = Succeeded | Failed | Rejected | Expired | Skipped | Cancelled


_STATES: Mapping[type[Outcome], NodeState] = {
    Succeeded: NodeState.SUCCEEDED,
    Failed: NodeState.FAILED,
    Rejected: NodeState.REJECTED,
    Expired: NodeState.EXPIRED,
    Skipped: NodeState.SKIPPED,
    Cancelled: NodeState.CANCELLED,
}
_READERS = {state.value: TypeAdapter[Outcome](outcome) for outcome, state in _STATES.items()}


def state_of(outcome: Outcome) -> NodeState:
    """Return the final state that shows this outcome."""
    return _STATES[type(outcome)]


def satisfies(outcome: Outcome, on: On) -> bool:
    """Return whether a dependency that wants `on` is met. Only Succeeded is success; only Failed is failure."""
    match on:
        case On.SUCCEEDED:
            return isinstance(outcome, Succeeded)
        case On.FAILED:
            return isinstance(outcome, Failed)
        case On.FINISHED:
            return True
        case _:
            assert_never(on)


def outcome_json(outcome: Outcome) -> dict[str, Json]:
    """Return the outcome as plain JSON, `state` first."""
    state: dict[str, Json] = {"state": state_of(outcome).value}
    if isinstance(outcome, Succeeded | Failed) and outcome.comment is not None:
        state["comment"] = vars(outcome.comment)
    match outcome:
        case Succeeded(value=value, artifact=artifact, age_seconds=age, files=files):
            if age is not None:
                state["age_seconds"] = age
            if files:
                state["files"] = [_ref_json(file) for file in files]
            return {**state, "value": value} if artifact is None else {**state, "artifact": _ref_json(artifact)}
        case Failed(error=error, message=message):
            return {**state, "error": error, "message": message}
        case Cancelled(why=why, by=None):
            return {**state, "why": why}
        case Skipped(because=because, why=""):
            return {**state, "because": because}
        case _:
            return {**state, **vars(outcome)}


def _ref_json(ref: ArtifactRef) -> dict[str, Json]:
    return {name: value for name, value in asdict(ref).items() if name != "summary" or value}


def outcome_from_json(value: Mapping[str, Json]) -> Outcome:
    """Return the outcome that `outcome_json` printed.

    Raises:
        ValueError: the state is not a final one, or a field is missing.
    """
    state = value.get("state")
    if (reader := _READERS.get(str(state))) is None:
        raise ValueError(f"not a final state: {state!r}")
    return reader.validate_python(value)


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """The state of a node."""

    state: NodeState
    #: Set exactly when `state` is final.
    outcome: Outcome | None = None
