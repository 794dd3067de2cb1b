"""The local workspace itself: one HTTP server on this machine that stands for Slack."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler

from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.actions.response_urls import ResponseUrls
from infra.dev.local_slack.block_kit.views import Views
from infra.dev.local_slack.control.control import Control
from infra.dev.local_slack.control.test_api import TestApi, end_streams
from infra.dev.local_slack.delivery.announcer import Announcer
from infra.dev.local_slack.delivery.deliveries import RETRY_DELAYS_SECONDS, Deliveries
from infra.dev.local_slack.delivery.sockets import Sockets
from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.faults import Faults
from infra.dev.local_slack.state.feed import Feed
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.local_slack.state.rates import RateLimits
from infra.dev.local_slack.state.seed import seeded_team
from infra.dev.local_slack.state.snapshot import load, save
from infra.dev.local_slack.state.tickets import TRIGGER_SECONDS, Tickets
from infra.dev.local_slack.web_api.files import StoredFiles
from infra.dev.local_slack.web_api.web_api import WebApi
from sandbox.background_task import BackgroundTask

PAGE = Path(__file__).parent / "page"
MOST_BODY_BYTES = 64 * 1024 * 1024


class Workspace:
    """A workspace with the app installed in it, on 127.0.0.1 only.

    Start it, point SLACK_API_URL at `api_url`, SLACK_BOT_TOKEN and SLACK_APP_TOKEN at `bot_token` and `app_token`, and
    open `base_url` in a browser.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        app: InstalledApp | None = None,
        snapshot: Path | None = None,
        rate_limits: bool = True,
        ack_seconds: float = 3.0,
        trigger_seconds: float = TRIGGER_SECONDS,
        retry_delays: tuple[float, ...] = RETRY_DELAYS_SECONDS,
    ) -> None:
        app = app or InstalledApp()
        clock, feed, faults = Clock(), Feed(), Faults()
        team = seeded_team(clock, bot_user_id=app.bot_user_id, bot_name=app.name)
        sockets = Sockets(app_id=app.id, ack_seconds=ack_seconds, feed=feed)
        deliveries = Deliveries(
            app=app, team=team, sockets=sockets, faults=faults, feed=feed, retry_delays=retry_delays
        )
        tickets = Tickets(clock, trigger_seconds=trigger_seconds)
        self.backend = Backend(
            app=app,
            clock=clock,
            team=team,
            feed=feed,
            faults=faults,
            sockets=sockets,
            deliveries=deliveries,
            announcer=Announcer(app=app, team=team, deliveries=deliveries, feed=feed, tickets=tickets),
            rates=RateLimits(enabled=rate_limits),
            tickets=tickets,
            views=Views(team=team, feed=feed, app_id=app.id, bot_id=app.bot_id),
        )
        self._port = port
        self._snapshot = snapshot
        self._runner: web.AppRunner | None = None
        self._housekeeping: BackgroundTask | None = None

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`, where the page is."""
        return self.backend.base_url

    @property
    def api_url(self) -> str:
        """The Web API's base, for SLACK_API_URL."""
        return f"{self.base_url}/api/"

    @property
    def bot_token(self) -> str:
        """The xoxb token."""
        return self.backend.app.bot_token

    @property
    def app_token(self) -> str:
        """The xapp token."""
        return self.backend.app.app_token

    async def start(self, port: int | None = None) -> None:
        """Listen on 127.0.0.1 on `port` or the one given before; 0 takes a free one. A second start moves there."""
        if self._runner is not None:
            await self._stop()
        if self._snapshot is not None:
            load(self.backend.team, self._snapshot)
        self._runner = web.AppRunner(application(self.backend), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port if port is None else port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.backend.base_url = f"http://{host}:{bound}"
        self._housekeeping = BackgroundTask("the workspace's housekeeping", self._keep_house)
        self._housekeeping.start()

    async def close(self) -> None:
        """Stop, and write the snapshot."""
        await self._stop()
        await self.backend.deliveries.close()
        self._save()

    async def _stop(self) -> None:
        """Release the port and close every connection."""
        if self._housekeeping is not None:
            await self._housekeeping.stop()
        self.backend.feed.close()
        await self.backend.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _keep_house(self, well: Callable[[], None]) -> None:
        """End streams whose time is over and save the snapshot, about once a second while something changes."""
        seen = -1
        while True:
            await asyncio.sleep(1)
            end_streams(self.backend)
            if self.backend.feed.number != seen:
                self._save()
                seen = self.backend.feed.number
            well()

    def _save(self) -> None:
        if self._snapshot is not None:
            save(self.backend.team, self._snapshot)


def application(backend: Backend) -> web.Application:
    """Return everything that the workspace answers: the Web API, Socket Mode, people's actions and the page."""
    application = web.Application(middlewares=[_this_page_or_no_browser], client_max_size=MOST_BODY_BYTES)
    control, test_api, files = Control(backend), TestApi(backend), StoredFiles(backend)
    application.add_routes(
        [
            web.route("*", "/api/{method}", WebApi(backend).answer),
            web.get("/link", backend.sockets.serve),
            web.post("/response/{secret}", ResponseUrls(backend).answer),
            web.post("/upload/{id}", files.receive),
            web.get("/files/{id}/{name}", files.send),
            web.get("/control/files/{id}", files.show),
            web.get("/control/dump", test_api.dump),
            web.get("/control/calls", test_api.calls),
            web.get("/control/seen", test_api.seen),
            web.get("/control/stream", test_api.stream, allow_head=False),
            web.post("/control/{path:.+}", control.answer),
            web.get("/", _page),
            web.get("/archives/{channel}/{message}", _page),
            web.static("/page", PAGE),
        ]
    )
    return application


async def _page(_request: web.Request) -> web.FileResponse:
    policy = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
    return web.FileResponse(
        PAGE / "index.html", headers={"Cache-Control": "no-cache", "Content-Security-Policy": policy}
    )


_OWN_SITE = ("same-origin", "none")
"""What a browser says in `Sec-Fetch-Site` of the page itself, and of an address that a person typed."""


@web.middleware
async def _this_page_or_no_browser(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other hosts' names, and other pages: none may act or read here through the browser of this machine.

    A page on another port of this machine is another one, too (`same-site`). Programs send neither header.
    """
    host = request.host.rpartition(":")[0] or request.host
    origins = request.headers.getall("Origin", [])
    sites = request.headers.getall("Sec-Fetch-Site", [])
    ours = all(origin == f"http://{request.host}" for origin in origins) and all(site in _OWN_SITE for site in sites)
    if host not in ("127.0.0.1", "localhost") or not ours:
        return web.Response(status=403, text="This workspace answers its own page on this machine only.")
    return await handler(request)
