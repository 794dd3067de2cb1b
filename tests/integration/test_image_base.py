"""The base of the sandbox image, asked for over the wire of an engine that has no registry."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiohttp import web

from sandbox.build import build_image
from sandbox.container import connect
from sandbox.errors import BuildFailed
from sandbox.image_spec import ImageSpec


class EngineWithoutRegistry:
    """Has no image, and pulls none; `pulled` are the queries of the pulls."""

    def __init__(self) -> None:
        self.pulled: list[dict[str, str]] = []
        self.app = web.Application()
        self.app.router.add_get("/version", self._version)
        self.app.router.add_get("/{version}/images/{name:.+}/json", self._image)
        self.app.router.add_post("/{version}/images/create", self._pull)

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response({"Version": "20.10", "ApiVersion": "1.41", "MinAPIVersion": "1.12"})

    async def _image(self, _request: web.Request) -> web.Response:
        return web.json_response({"message": "no such image"}, status=404)

    async def _pull(self, request: web.Request) -> web.Response:
        self.pulled.append(dict(request.query))
        return web.json_response({"message": "no registry"}, status=500)


async def test_base_of_a_registry_is_pulled_by_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = EngineWithoutRegistry()
    runner = web.AppRunner(fake.app)
    await runner.setup()
    with TemporaryDirectory() as folder:  # pytest's own paths are too long for a socket
        socket = Path(folder) / "docker.sock"
        await web.UnixSite(runner, str(socket)).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
        engine = await connect()
        with pytest.raises(BuildFailed, match="no registry"):
            await build_image(engine, ImageSpec(), "registry", lambda _line: None)
        await engine.close()
        await runner.cleanup()
    [query] = fake.pulled
    assert query["fromImage"] == "python:3.12-slim"
    algorithm, _, digest = query["tag"].partition(":")
    assert algorithm == "sha256"
    assert len(digest) == 64
