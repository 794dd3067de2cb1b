"""The parts of one running workspace, handed to everything that acts on it."""

from collections import Counter, deque
from dataclasses import dataclass, field

from infra.dev.local_slack.block_kit.views import Views
from infra.dev.local_slack.delivery.announcer import Announcer
from infra.dev.local_slack.delivery.deliveries import Deliveries
from infra.dev.local_slack.delivery.sockets import Sockets
from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.faults import Faults
from infra.dev.local_slack.state.feed import Feed
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.rates import RateLimits
from infra.dev.local_slack.state.team import Team
from infra.dev.local_slack.state.tickets import Tickets


@dataclass(kw_only=True)
class Switches:
    """Features that a test may turn on and off."""

    #: False: agents.* answers unknown_method, as in a workspace without the feature.
    agent_sessions: bool = True
    #: False: chat.*Stream answers unknown_method.
    streaming: bool = True
    #: False: assistant.search.context answers feature_not_enabled.
    search: bool = True
    #: For how long the team lets messages be edited; None: for ever.
    edit_seconds: float | None = None


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
    #: `METHOD ERROR` -> how often.
    refusals: Counter[str] = field(default_factory=Counter[str])
    call_log: deque[JsonObject] = field(default_factory=lambda: deque[JsonObject](maxlen=2000))
    #: Calls that Slack lets pass and a careful app does not make, in words.
    complaints: list[str] = field(default_factory=list[str])
