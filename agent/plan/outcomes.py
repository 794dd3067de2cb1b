"""How a node ends (outcomes as values) and what it looks like on the way (states).

Outcomes cross LangGraph's checkpoints as plain dicts: `outcome_json` / `outcome_from_json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

from agent.ids import Digest, NodeId, UserId
from agent.plan.operations import On
from sandbox.script import Json


class NodeState(StrEnum):
    """What a node is doing, as shown to people. The last six are final."""

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


@dataclass(frozen=True, kw_only=True)
class Succeeded:
    """The node's output."""

    value: Json = None
    #: In place of a value over 4 KiB.
    artifact: ArtifactRef | None = None
    #: How old the output was when it was taken from the cache. None: the node's own work made it.
    age_seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The node's work ended in an error."""

    #: A short machine word: `timeout`, `tool_error`, `sandbox_oom`, ...
    error: str
    #: For the model. It may hold a tool's words; people read `bot/wording.py`.
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A person said no."""

    by: UserId
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Expired:
    """Nobody decided in time. This is no refusal, and neither people nor the model read of one."""


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


Outcome: TypeAlias = Succeeded | Failed | Rejected | Expired | Skipped | Cancelled


def state_of(outcome: Outcome) -> NodeState:
    """Return the final state that shows this outcome."""
    match outcome:
        case Succeeded():
            return NodeState.SUCCEEDED
        case Failed():
            return NodeState.FAILED
        case Rejected():
            return NodeState.REJECTED
        case Expired():
            return NodeState.EXPIRED
        case Skipped():
            return NodeState.SKIPPED
        case Cancelled():
            return NodeState.CANCELLED
        case _:
            assert_never(outcome)


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
    if isinstance(outcome, Succeeded) and outcome.age_seconds is not None:
        state["age_seconds"] = outcome.age_seconds
    match outcome:
        case Succeeded(artifact=ArtifactRef() as ref):
            return {**state, "artifact": artifact_json(ref)}
        case Succeeded(value=value):
            return {**state, "value": value}
        case Failed(error=error, message=message):
            return {**state, "error": error, "message": message}
        case Rejected(by=by, reason=reason):
            return {**state, "by": by, "reason": reason}
        case Expired():
            return state
        case Skipped(because=because, why=why):
            return {**state, "because": because, **({"why": why} if why else {})}
        case Cancelled(why=why):
            return {**state, "why": why}
        case _:
            assert_never(outcome)


def artifact_json(ref: ArtifactRef) -> dict[str, Json]:
    """Return the reference as plain JSON."""
    return {
        "digest": ref.digest,
        "name": ref.name,
        "size": ref.size,
        "media_type": ref.media_type,
        "head": ref.head,
    }


def outcome_from_json(value: Mapping[str, Json]) -> Outcome:
    """Read what `outcome_json` wrote.

    Raises:
        ValueError: the state is not a final one.
    """

    def text(key: str) -> str:
        return str(value.get(key, ""))

    match value.get("state"):
        case "succeeded":
            ref = value.get("artifact")
            given = value.get("age_seconds")
            age = given if isinstance(given, int) else None
            if isinstance(ref, Mapping):
                return Succeeded(artifact=artifact_from_json(ref), age_seconds=age)
            return Succeeded(value=value.get("value"), age_seconds=age)
        case "failed":
            return Failed(error=text("error"), message=text("message"))
        case "rejected":
            return Rejected(by=UserId(text("by")), reason=text("reason"))
        case "expired":
            return Expired()
        case "skipped":
            return Skipped(because=NodeId(text("because")), why=text("why"))
        case "cancelled":
            return Cancelled(why=text("why"))
        case other:
            raise ValueError(f"not a final state: {other!r}")


def artifact_from_json(value: Mapping[str, Json]) -> ArtifactRef:
    """Read what `artifact_json` wrote."""
    size = value["size"]
    return ArtifactRef(
        digest=Digest(str(value["digest"])),
        name=str(value["name"]),
        size=size if isinstance(size, int) else int(str(size)),
        media_type=str(value["media_type"]),
        head=str(value["head"]),
    )


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """The state of a node."""

    state: NodeState
    #: Set exactly when `state` is final.
    outcome: Outcome | None = None
