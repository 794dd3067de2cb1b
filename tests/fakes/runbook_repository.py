"""A repository of runbooks, and a git host that takes connections and never answers."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(kw_only=True)
class SilentHost:
    """A git host on loopback that takes connections and never answers."""

    address: str = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached.set()
        while await reader.read(1024):
            pass
        self.left.set()
        writer.close()


@asynccontextmanager
async def silent_host(scheme: str = "git") -> AsyncGenerator[SilentHost]:
    host = SilentHost()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.address = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/runbooks"
    try:
        yield host
    finally:
        server.close()


def committed(folder: Path) -> Path:
    """Return a repository with one runbook."""
    folder.mkdir()
    (folder / "restart.md").write_text("---\nname: restart\ndescription: d\n---\nLook.\n", encoding="utf-8")
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run(["git", *identity, "-C", str(folder), *words], check=True, capture_output=True)
    return folder
