"""What one running workspace is made of, handed to everything that acts on it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from infra.workspace.announcer import Announcer
from infra.workspace.app import InstalledApp
from infra.workspace.clock import Clock
from infra.workspace.deliveries import Deliveries
from infra.workspace.faults import Faults
from infra.workspace.feed import Feed
from infra.workspace.payload import JsonObject
from infra.workspace.rates import RateLimits
from infra.workspace.sockets import Sockets
from infra.workspace.team import Team
from infra.workspace.tickets import Tickets
from infra.workspace.views import Views


@dataclass(kw_only=True)
class Switches:
    """What a test or the page may turn on and off."""

    agent_sessions: bool = True
    """False: agents.* answers unknown_method, as in a workspace without the feature."""
    streaming: bool = True
    """False: chat.*Stream answers unknown_method."""
    stream_seconds: float = 300.0


@dataclass(kw_only=True)
class Backend:
    """The parts of one workspace."""

    app: InstalledApp
    clock: Clock
    team: Team
    feed: Feed
    faults: Faults
    sockets: Sockets
    deliveries: Deliveries
    announcer: Announcer
    rates: RateLimits
    tickets: Tickets
    views: Views
    switches: Switches = field(default_factory=Switches)
    base_url: str = ""
    calls: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[str] = field(default_factory=Counter[str])
    """`method error` -> how often."""
    call_log: deque[JsonObject] = field(default_factory=lambda: deque[JsonObject](maxlen=2000))
    complaints: list[str] = field(default_factory=list[str])
    """What Slack would let pass, and a careful app would not do."""
