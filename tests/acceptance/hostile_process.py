"""`greenlight worker` or `run` as a process with a tool that breaks it.

The product has no switch for this: the process adds the tool to its own catalogue. A file says what the tool does
(`kill`, `stall`, else nothing, and nothing yet while it says `wait`); each of its calls adds a character to the file
beside it.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import typer

import infra.wiring
from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool
from infra.cli.run import run, worker
from infra.tools.catalogue import ToolsConfig
from infra.tools.files import ThreadFiles
from sandbox.script import Json

TOOL = "hostile"


class Hostile:
    """What the tool does from now on, and how often it was called."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._calls = file.with_suffix(".calls")
        self._calls.touch()

    def becomes(self, does: str) -> None:
        """Let the next calls do this. The file changes at once: a reader never meets it empty."""
        draft = self.file.with_suffix(".new")
        draft.write_text(does)
        draft.replace(self.file)

    @property
    def waits(self) -> bool:
        """Whether a call does nothing yet."""
        return self.file.read_text() == "wait"

    @property
    def calls(self) -> int:
        """How often it was called, in any process."""
        return len(self._calls.read_text())

    def call(self) -> str:
        """Note a call, then do it."""
        with self._calls.open("a") as file:
            file.write(".")
        does = self.file.read_text()
        if does == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        while does == "stall":
            time.sleep(60)
        return does


def main(part: str, environment: Mapping[str, str], file: Path) -> None:
    """Run the part until it ends."""
    os.environ.update(environment)
    hostile = Hostile(file)
    catalogue = infra.wiring.open_tools

    async def call(_context: CallContext, _args: Mapping[str, Json]) -> Json:
        while hostile.waits:  # noqa: ASYNC110 - a file that another process writes
            await asyncio.sleep(0.05)
        return hostile.call()

    @asynccontextmanager
    async def with_hostile(config: ToolsConfig, files: ThreadFiles | None = None) -> AsyncGenerator[tuple[Tool, ...]]:
        async with catalogue(config, files) as tools:
            yield (
                *tools,
                Tool(
                    name=ToolName(TOOL),
                    description="Breaks its process.",
                    arguments={"type": "object"},
                    colour=Colour.GREEN,
                    call=call,
                ),
            )

    infra.wiring.open_tools = with_hostile
    try:
        {"run": run, "worker": worker}[part]()
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
