"""The health of the processes that share a data folder: each keeps a file there, which `greenlight doctor` reads."""

import asyncio
import fcntl
import json
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agent.tools.circuit_breakers import OpenCircuit, open_circuits
from sandbox.background_task import BackgroundTask, background_health

_log = logging.getLogger(__name__)

WRITE_SECONDS = 5.0
SILENT_SECONDS = 60.0
"""A process that has not written its file for so long hangs."""


@dataclass(frozen=True, kw_only=True)
class FailingTask:
    """A background task that does not do its work now."""

    name: str
    #: The type of the last error.
    error: str
    #: Failures in a row.
    failures: int


@dataclass(frozen=True, kw_only=True)
class ProcessHealth:
    """How a process is."""

    pid: int
    #: Such as `bot` and `worker`.
    parts: Sequence[str]
    #: Seconds since 1970.
    written_at: float
    failing: Sequence[FailingTask]
    #: What no tool calls now, because calls failed.
    left_alone: Sequence[OpenCircuit] = ()


_PROCESS = TypeAdapter(ProcessHealth)


def _folder(data: Path) -> Path:
    return data / "health"


@asynccontextmanager
async def published_health(data: Path, parts: Iterable[str]) -> AsyncGenerator[None]:
    """Keep this process's file up to date while the context lasts. A folder that takes no file is only logged."""
    path, named = _folder(data) / f"{os.getpid()}-{os.urandom(4).hex()}.json", sorted(parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        _log.warning("`greenlight doctor` will not see this process: %s", error.strerror)
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)  # held as long as the process lives: a file without it is left over
        _write(file, named)

        async def write(well: Callable[[], None]) -> None:
            while True:
                await asyncio.sleep(WRITE_SECONDS)
                _write(file, named)
                well()

        writer = BackgroundTask("the health file", write, expected=(OSError,))
        writer.start()
        try:
            yield
        finally:
            await writer.stop()
            path.unlink(missing_ok=True)


def _write(file: TextIOWrapper, parts: Sequence[str]) -> None:
    failing = [
        FailingTask(name=health.name, error=health.error, failures=health.failures)
        for health in background_health()
        if health.failing_since is not None
    ]
    health = ProcessHealth(
        pid=os.getpid(), parts=parts, written_at=time.time(), failing=failing, left_alone=open_circuits()
    )
    file.seek(0)
    file.write(json.dumps(asdict(health)))
    file.truncate()
    file.flush()


def running_processes(data: Path) -> list[ProcessHealth]:
    """Return the health of each process that runs now with this data folder. Removes files that are left over."""
    found: list[ProcessHealth] = []
    for path in sorted(_folder(data).glob("*.json")):
        try:
            with path.open(encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    found.append(_PROCESS.validate_json(file.read()))
                else:
                    path.unlink(missing_ok=True)
        except (OSError, ValidationError, UnicodeDecodeError):  # gone meanwhile, another user's, or being written
            _log.debug("cannot read %s", path.name, exc_info=True)
    return found
