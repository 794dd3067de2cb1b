"""Runbooks from a folder or a git repository, read again when they change; a file that is none is left out."""

import asyncio
import contextlib
import hashlib
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from agent.ids import ThreadId
from agent.runbooks import LONGEST, MOST, NotARunbook, Runbook, read_runbook
from infra.tools.catalogue import beside
from infra.tools.child_process import end, send_signal

_log = logging.getLogger(__name__)

_LOOKED_AT_SECONDS = 5.0
"""How long the files are taken to be as they were."""

_MOST_ENTRIES = 5_000
_MOST_BYTES = 4 * LONGEST
_GIT_SECONDS = 60.0
_TERMINATION_SECONDS = 2.0
_STALE_LOCK_SECONDS = 2 * _GIT_SECONDS
"""A lock of git's that is so old belongs to a process that was killed."""

_NO_PROMPT: Mapping[str, str] = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file:git:https:ssh",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
}


def _resolved(path: Path | None, info: ValidationInfo) -> Path | None:
    return None if path is None else beside(str(info.context or ""), path)


@dataclass(frozen=True, kw_only=True)
class RunbooksConfig:
    """`[runbooks]`: where the team's procedures are."""

    #: A folder of Markdown files, relative to the configuration file.
    folder: Annotated[Path | None, AfterValidator(_resolved)] = None
    #: The address of a git repository; what needs a password is for git's own credential helpers.
    repository: str = ""
    #: Its branch; empty: its default.
    branch: str = ""
    #: The folder in it.
    path: str = ""
    #: Minutes between two looks at the repository.
    fetch_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 15.0
    #: Whether the canvases pinned in a channel are runbooks there.
    canvases: bool = False
    #: Minutes for which they count as they were read.
    canvas_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 1.0

    @property
    def is_used(self) -> bool:
        """Whether there may be runbooks."""
        return self.folder is not None or bool(self.repository) or self.canvases


@dataclass(kw_only=True)
class RunbookFiles:
    """The `Runbooks` of `agent/ports.py`: those of the folder, then those of the repository."""

    config: RunbooksConfig
    #: The data folder; the repository's clone is in it.
    data: Path
    clock: Callable[[], float] = time.monotonic
    _known: Sequence[Runbook] = field(default=(), init=False)
    _looked_at: float = field(default=-_LOOKED_AT_SECONDS, init=False)
    _told: set[str] = field(default_factory=set[str], init=False)

    async def of(self, thread: ThreadId) -> Sequence[Runbook]:  # noqa: ARG002 -- they are those of every thread
        """Return them as they are now, or were a moment ago, for every thread; the first of several with one name."""
        if self.clock() - self._looked_at >= _LOOKED_AT_SECONDS:
            self._known = await asyncio.to_thread(self._read)
            self._looked_at = self.clock()
        return self._known

    async def follow(self, well: Callable[[], None]) -> None:
        """Bring the clone of the repository up to date now and at every interval; call `well` each time.

        A `Work` of `sandbox/background_task.py`. A repository that cannot be reached leaves the runbooks as they were.

        Raises:
            RepositoryNotFetched: it cannot be reached, does not answer in time, or the clone cannot be written.
        """
        while True:
            try:
                async with asyncio.timeout(_GIT_SECONDS):
                    await self._fetch()
            except (OSError, TimeoutError, _GitFailed) as error:
                raise RepositoryNotFetched(type(error).__name__) from None
            self._looked_at = -_LOOKED_AT_SECONDS
            well()
            await asyncio.sleep(60 * self.config.fetch_minutes)

    @property
    def _clone(self) -> Path:
        named = hashlib.sha256(f"{self.config.repository} {self.config.branch}".encode()).hexdigest()[:16]
        return self.data / "runbooks" / named

    async def _fetch(self) -> None:
        clone, branch = self._clone, self.config.branch or "HEAD"
        if not (clone / ".git").is_dir():
            await asyncio.to_thread(clone.mkdir, parents=True, exist_ok=True)
            await _git(clone, "init", "--quiet")
        await asyncio.to_thread(_remove_stale_locks, clone / ".git")
        await _git(clone, "fetch", "--quiet", "--depth=1", "--no-tags", "--", self.config.repository, branch)
        await _git(clone, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")

    def _read(self) -> Sequence[Runbook]:
        found: dict[str, Runbook] = {}
        for root, name in self._roots():
            for file in _files(root):
                book = self._book(file, f"{name}{file.relative_to(root)}")
                if book is not None and len(found) < MOST:
                    found.setdefault(book.name, book)
        return tuple(found.values())

    def _roots(self) -> Iterable[tuple[Path, str]]:
        if self.config.folder is not None:
            yield self.config.folder, ""
        if self.config.repository:
            inside = (self._clone / self.config.path).resolve()
            if inside.is_relative_to(self._clone.resolve()):
                yield inside, f"{self.config.repository.rpartition('/')[2]}: "

    def _book(self, file: Path, source: str) -> Runbook | None:
        try:
            with file.open("rb") as opened:
                content = opened.read(_MOST_BYTES + 1)
            return read_runbook(content.decode("utf-8"), source)
        except (OSError, UnicodeDecodeError, NotARunbook) as error:
            if source not in self._told:
                self._told.add(source)
                _log.warning("not a runbook: %s", error if isinstance(error, NotARunbook) else source)
            return None


class RepositoryNotFetched(Exception):
    """The runbooks' repository could not be fetched; its text is the type of the error."""


class _GitFailed(Exception):
    """git ended with an error; what it printed may hold a password."""


async def _git(folder: Path, *words: str) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "SSH_AUTH_SOCK") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *("git", "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false", "-C", str(folder), *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**environment, **_NO_PROMPT},
        start_new_session=True,
    )
    try:
        if await process.wait() != 0:
            raise _GitFailed
    finally:
        if process.returncode is None:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End git with the programs that it started for the connection; it removes its locks where it gets the time."""
    send_signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(_TERMINATION_SECONDS):
            await process.wait()
    except TimeoutError:
        await end(process)


def _remove_stale_locks(folder: Path) -> None:
    for lock in folder.glob("*.lock"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - lock.stat().st_mtime > _STALE_LOCK_SECONDS:
                lock.unlink()


def _files(root: Path) -> Iterable[Path]:
    """Yield the Markdown files below a folder in the order of their paths; a link that leads out of it is left out."""
    inside = root.resolve()
    entries = 0
    found: list[Path] = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        entries += len(names) + len(files)
        found += [Path(folder) / file for file in files if file.endswith(".md")]
        if entries > _MOST_ENTRIES:
            _log.warning("%s has more than %s entries: runbooks are read from the first ones", root, _MOST_ENTRIES)
            break
    yield from (file for file in sorted(found) if file.resolve().is_relative_to(inside))
