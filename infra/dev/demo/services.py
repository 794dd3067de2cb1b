"""The demo's three small HTTP services, each on a loopback port of its own; payments is unhealthy.

The storefront also answers on `/orders`, an API that fails, changes shape, and recovers: at every third request from
the first on it is overloaded, and version 2 of the API, which `v=2` asks for, has its orders under another key and
says how many requests there were.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from sandbox.script import Json


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service that answers on `/health`."""

    name: str
    #: How long an answer takes.
    latency_seconds: float
    http_status: int
    #: The answer's members besides `service` and `uptime_seconds`.
    health: Mapping[str, Json]


_GATEWAYS_DOWN = "card network unreachable: 3 of 3 gateways timed out"

# Slow on purpose, so that a person can watch three checks run at the same time.
SERVICES = (
    Service(
        name="storefront",
        latency_seconds=2.4,
        http_status=200,
        health={"status": "ok", "version": "11.8.4", "instances": 6},
    ),
    Service(
        name="search",
        latency_seconds=2.7,
        http_status=200,
        health={"status": "ok", "version": "5.8.1", "instances": 4, "index_age_seconds": 41},
    ),
    Service(
        name="payments",
        latency_seconds=3.1,
        http_status=503,
        health={"status": "unhealthy", "version": "2.7.3", "instances": 3, "reason": _GATEWAYS_DOWN},
    ),
)


@asynccontextmanager
async def running_services() -> AsyncGenerator[Mapping[str, str]]:
    """Start the services on free ports of 127.0.0.1 and yield service name -> health URL."""
    urls: dict[str, str] = {}
    async with AsyncExitStack() as started:
        for service in SERVICES:
            runner = web.AppRunner(_app(service), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
            started.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            urls[service.name] = f"http://127.0.0.1:{runner.addresses[0][1]}/health"
        yield urls


def _app(service: Service) -> web.Application:
    started = time.monotonic()

    async def health(_request: web.Request) -> web.Response:
        await asyncio.sleep(service.latency_seconds)
        facts: dict[str, Json] = {"service": service.name, "uptime_seconds": round(time.monotonic() - started)}
        return web.json_response({**facts, **service.health}, status=service.http_status)

    app = web.Application()
    app.router.add_get("/health", health)
    if service.name == "storefront":
        app.router.add_get("/orders", _FlakyOrders().answer)
    return app


class _FlakyOrders:
    """An API as scripts meet it in the wild."""

    def __init__(self) -> None:
        self._asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Answer the requests in turn: overloaded, gone in this version, as it should be."""
        self._asked += 1
        if self._asked % 3 == 1:
            return web.json_response({"error": "overloaded", "retry": "with another value of try"}, status=503)
        if request.query.get("v") != "2":
            return web.json_response({"error": "moved", "use": "v=2", "orders": None})
        orders: Json = [{"id": number, "total": total} for number, total in _ORDERS]
        return web.json_response({"data": {"orders": orders}, "requests": self._asked})


_ORDERS = ((1041, 19.9), (1042, 250.0), (1043, 7.5), (1044, 80.0))
