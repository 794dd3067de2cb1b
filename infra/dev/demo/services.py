"""The demo's three small HTTP services, each on a loopback port of its own; payments is unhealthy."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

from aiohttp import web

from sandbox.script import Json


@dataclass(frozen=True, kw_only=True)
class Service:
    """What one service answers on `/health`, and how long it takes for it."""

    name: str
    version: str
    latency_seconds: float
    status: int
    health: str
    details: Mapping[str, Json]


# Slow on purpose: their checks look into their dependencies, and a person can watch three at once.
SERVICES = (
    Service(
        name="storefront",
        version="11.8.4",
        latency_seconds=2.4,
        status=200,
        health="ok",
        details=MappingProxyType({"instances": 6}),
    ),
    Service(
        name="search",
        version="5.8.1",
        latency_seconds=2.7,
        status=200,
        health="ok",
        details=MappingProxyType({"instances": 4, "index_age_seconds": 41}),
    ),
    Service(
        name="payments",
        version="2.7.3",
        latency_seconds=3.1,
        status=503,
        health="unhealthy",
        details=MappingProxyType({"instances": 3, "reason": "card network unreachable: 3 of 3 gateways timed out"}),
    ),
)


@asynccontextmanager
async def running_services() -> AsyncGenerator[Mapping[str, str]]:
    """Start the services on free ports of 127.0.0.1 and give service name -> health URL."""
    runners: list[web.AppRunner] = []
    urls: dict[str, str] = {}
    try:
        for service in SERVICES:
            runner = web.AppRunner(_app(service), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
            await runner.setup()
            runners.append(runner)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            urls[service.name] = f"http://127.0.0.1:{runner.addresses[0][1]}/health"
        yield urls
    finally:
        for runner in runners:
            await runner.cleanup()


def _app(service: Service) -> web.Application:
    started = time.monotonic()

    async def health(_request: web.Request) -> web.Response:
        await asyncio.sleep(service.latency_seconds)
        body: dict[str, Json] = {
            "service": service.name,
            "status": service.health,
            "version": service.version,
            "uptime_seconds": round(time.monotonic() - started),
            **service.details,
        }
        return web.json_response(body, status=service.status)

    app = web.Application()
    app.router.add_get("/health", health)
    return app
