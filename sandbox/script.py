"""A script and how it ended: the job, its limits, its outcome, and the Sandbox that runs it.

The Protocol lives here, beside its implementations, so that `agent` depends on a sandbox's
shape and never on Docker or Monty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

Json: TypeAlias = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""A value that survives a JSON round trip unchanged (no NaN, no infinities)."""


NO_SANDBOX = "NoSandbox"
"""`ScriptError.type` of an `infra` outcome that no later run changes."""


class OutcomeKind(StrEnum):
    """How a script ended, as the host saw it, never as the script says."""

    OK = "ok"
    ERROR = "error"
    SYNTAX = "syntax"
    TIMEOUT = "timeout"
    OOM = "oom"
    OUTPUT_LIMIT = "output_limit"
    PROTOCOL = "protocol"
    CALL_LIMIT = "call_limit"
    DIED = "died"
    INFRA = "infra"
    #: Each call that it still waits for is deferred. It is to be run again when they can be answered.
    SUSPENDED = "suspended"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that one script may use. The host enforces every field."""

    #: From start to outcome, waits for tool calls included.
    wall_seconds: float = 60.0
    memory_bytes: int = 256 * 1024 * 1024
    cpus: float = 1.0
    pids: int = 64
    #: JSON text of the result.
    result_bytes: int = 1024 * 1024
    #: The end of the printed output that is kept.
    log_bytes: int = 256 * 1024
    #: A script that prints more than this is ended.
    output_kill_bytes: int = 8 * 1024 * 1024
    #: The longest message between host and script: code with inputs, one call, one answer.
    line_bytes: int = 2 * 1024 * 1024
    #: All messages of the script to the host together.
    wire_bytes: int = 16 * 1024 * 1024
    #: Tool calls of the whole script.
    calls: int = 200
    calls_in_flight: int = 16


@dataclass(frozen=True, kw_only=True)
class Job:
    """One script to run once."""

    #: Defines `main(inputs)`, plain or async. Its return value is the result.
    code: str
    inputs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    #: The allow-list. The host refuses a call to any other name.
    tools: frozenset[str] = frozenset()
    limits: Limits = Limits()
    #: For whom the script runs. Where scripts wait for each other, the queues take turns.
    queue: str = ""


@dataclass(frozen=True, kw_only=True)
class ScriptError:
    """The error that the script raised or the host noticed."""

    #: The name of the exception's class, or the kind of the outcome.
    type: str
    message: str
    #: The script's own frames.
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class CallRecord:
    """One tool call the script made, in the order the host answered it."""

    tool: str
    #: Of long arguments, the beginning of their text.
    args: Mapping[str, Json]
    ok: bool
    milliseconds: float


@dataclass(frozen=True, kw_only=True)
class ScriptOutcome:
    """How a script ended."""

    kind: OutcomeKind
    #: Set only for `ok`.
    result: Json = None
    #: Set for every kind but `ok`.
    error: ScriptError | None = None
    logs: str = ""
    calls: tuple[CallRecord, ...] = ()
    milliseconds: float = 0.0


def outcome_json(outcome: ScriptOutcome) -> dict[str, Json]:
    """Return the outcome as plain JSON."""
    return {
        "kind": outcome.kind.value,
        "result": outcome.result,
        "error": asdict(outcome.error) if outcome.error else None,
        "logs": outcome.logs,
        "calls": [asdict(call) for call in outcome.calls],
        "milliseconds": outcome.milliseconds,
    }


class ToolCallRefused(Exception):
    """The host will not make, or could not make, this tool call; the text reaches the script."""


class CallRejected(ToolCallRefused):
    """A person said no to this tool call; the text is their reason. Raised inside the script as CallRejected."""


class CallDeferred(Exception):
    """Nobody can answer this tool call in this run; the script waits for it until everything else it does is done."""


class CallTool(Protocol):
    """Answers a script's tool call on the host, after the sandbox checked the allow-list and quota."""

    async def __call__(self, tool: str, args: Mapping[str, Json]) -> Json:
        """Return the tool's output.

        Raises:
            ToolCallRefused: the call is not allowed or failed; raised inside the script as ToolError.
            CallDeferred: it cannot be answered in this run, which ends as `suspended` once nothing else goes on.
        """
        ...


class Sandbox(Protocol):
    """Runs one script in isolation and keeps nothing of it."""

    @property
    def name(self) -> str:
        """`docker` or `monty`, as logged at start and named to people."""
        ...

    @property
    def dialect(self) -> str:
        """The rules that a model must know to write a script for this sandbox (Markdown for a prompt)."""
        ...

    async def run(self, job: Job, call: CallTool) -> ScriptOutcome:
        """Run the job to its outcome. Never raises for anything the script did.

        Cancelling this coroutine destroys the script and leaves nothing behind.
        """
        ...

    async def close(self) -> None:
        """Give back what the sandbox holds (pools, clients). Idempotent."""
        ...
