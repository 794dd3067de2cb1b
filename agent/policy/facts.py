"""The facts of a call that a rule's condition may ask about. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent.ids import ChannelId, ToolName, UserId
from sandbox.script import Json


@dataclass(frozen=True, kw_only=True)
class RunCounts:
    """What the run has done so far, the call itself left out."""

    #: Red calls that were started.
    red_calls: int = 0
    #: Those of the same tool.
    calls_of_tool: int = 0
    #: Requests that wait for a decision.
    open_cards: int = 0


@dataclass(frozen=True, kw_only=True)
class CallFacts:
    """A call, as conditions see it."""

    tool: ToolName
    #: As they would run.
    args: Mapping[str, Json]
    #: Who asked for it.
    author: UserId
    #: Where it was asked for.
    channel: ChannelId
    #: Without `#`; empty in a direct message; None: it could not be learnt.
    channel_name: str | None = ""
    #: `reversible`, `compensable` or `final`; unknown is final.
    reversibility: str = "final"
    #: Whether the arguments hold text from outside.
    outside: bool = False
    counts: RunCounts = field(default_factory=RunCounts)
    now: datetime
