"""Which hosts tools reach: what an operator named, and by no trick this machine or a metadata service."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web
from sqlalchemy import URL

from sandbox.script import Json
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned, results_told

HERE = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.1",
    "127.0.0.1.",
    "１２７.0.0.1",
    "127。0。0。1",
    "0",
    "0.0.0.0",  # noqa: S104 - refused here
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "localhost@127.0.0.1",
    "localhost:80@127.0.0.1",
    "localhost%40127.0.0.1",
    "localhost\\@127.0.0.1",
    "localhost.127.0.0.1.nip.invalid",
)
"""Names for the machine itself that nobody listed: `localhost` is the only one that is."""

ELSEWHERE = (
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://[fe80::1%25lo]/",
    "http://[fec0::1]/",
    "file:///etc/passwd",
    "gopher://localhost/",
    "ftp://localhost/",
    "//localhost/",
    "http:/localhost",
    "data:text/plain,x",
)


class Inside:
    """A service of this machine that trusts whoever asks; it counts who reads its secret."""

    def __init__(self) -> None:
        self.read = 0
        self.port = 0

    async def secret(self, _request: web.Request) -> web.Response:
        self.read += 1
        return web.Response(text="the secret")

    async def away(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response({"up": True})

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["Inside"]:
        app = web.Application()
        app.add_routes([web.get("/secret", self.secret), web.get("/away", self.away), web.get("/status", self.status)])
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()


async def test_tricks_to_reach_what_nobody_named_are_refused_on_every_hop_and_named_hosts_are_reached(
    database_url: URL, tmp_path: Path
) -> None:
    async with Inside().serving() as inside:

        def only_localhost(table: dict[str, object]) -> None:
            known = {"inside": f"http://localhost:{inside.port}"}
            table["tools"] = {"http_get": {"known": known, "allow_private": True, "timeout_seconds": 10}}

        direct = [f"http://{host}:{inside.port}/secret" for host in HERE]
        away = f"http://localhost:{inside.port}/away?to="
        hops = [away + quote(url, safe="") for url in (*direct[:8], *ELSEWHERE[:4])]
        tricks = [*direct, *ELSEWHERE, *hops]
        async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=only_localhost) as scene:
            fetches = [fetch(f"t{at}", url) for at, url in enumerate(tricks)]
            script = package(
                "script",
                "def main(inputs):\n"
                "    said = []\n"
                "    for url in inputs['urls']:\n"
                "        try:\n"
                "            said.append(tools.http_get(url=url))\n"
                "        except ToolError as error:\n"
                "            said.append('refused')\n"
                "    return said\n",
                inputs={"urls": list[Json](direct[:8])},
                tools=["http_get"],
            )
            named = fetch("named", f"http://localhost:{inside.port}/status")
            hop = fetch("hop", f"http://localhost:{inside.port}/away?to=/status")
            scene.model.add(planned(*fetches, named, hop, script))
            async with scene.asked(f"look inside, and at {' '.join(tricks)}") as observer:
                await observer.until(answered, "the answer")
            told: Any = results_told(scene.model.requests_of("conclude")[-1])
        went = [url for at, url in enumerate(tricks) if "error" not in told[f"t{at}"]]
        assert went == []
        assert told["script"] == ["refused"] * 8
        assert told["named"]["body"] == told["hop"]["body"] == {"up": True}
        assert inside.read == 0
        assert len(tricks) == 53
