"""The local clone of a repository: kept as fresh as its settings say, and asked by whole commit ids only."""

import asyncio
import base64
import fcntl
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.tool import ToolError
from infra.tools.git.names import is_commit_id, is_path, revision_parts
from infra.tools.git.program import GitProgram, Printed, git_environment
from infra.tools.git.settings import GitConfig, RepositoryConfig, transport_of

FILE_BYTES = 1024 * 1024
"""A larger file is neither changed nor compared by edits."""

_WORDS = 200

_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_REGULAR = frozenset({"100644", "100755"})


@dataclass(frozen=True, kw_only=True)
class TreeEntry:
    """What stands at a path of a commit."""

    #: As git has it: `100644`, `100755` (executable), `120000` (a link), `160000` (another repository), `040000`.
    mode: str
    id: str

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file."""
        return self.mode in _REGULAR


class Clone:
    """A repository that plans may read."""

    def __init__(
        self,
        name: str,
        repository: RepositoryConfig,
        config: GitConfig,
        program: GitProgram,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.repository = repository
        self._config = config
        self._program = program
        self._now = now
        self._folder = config.folder.expanduser().absolute() / f"{name}.git"
        self._fetched: float | None = None
        self._fetching = asyncio.Lock()

    @property
    def output_bytes(self) -> int:
        """The most that one call returns."""
        return self._config.output_bytes

    async def fetched(self, *, needs: str = "") -> None:
        """Return once what the clone knows of its remote is fresh, and the commit `needs` is among it.

        Raises:
            ToolError: the remote is out of reach, or has no such commit.
        """
        asked = self._now()
        async with self._fetching:
            if needs and await self._has(needs):
                return
            old = self._fetched is None or self._fetched <= asked - self._config.fresh_seconds
            if old or (needs and self._fetched is not None and self._fetched < asked):
                began = self._now()
                await self._fetch()
                self._fetched = began
        if needs and not await self._has(needs):
            raise ToolError("unknown_revision", f"{self.name} has no commit {needs[:12]}.")

    async def commit(self, revision: str) -> str:
        """Return the id of the commit that a plan names: a branch, a tag, a commit id, or one of these with `~2`, `^`.

        Raises:
            ToolError: there is no such commit.
        """
        await self.fetched()
        named = revision.removeprefix("HEAD")
        parts = revision_parts(self.repository.branch + named if not named or named[0] in "~^" else revision)
        names, suffix = parts or ((), "")
        for name in names:
            printed = await self.run(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}{suffix}^{{commit}}"
            )
            if printed.code == 0 and is_commit_id(found := printed.text.strip()):
                return found
        raise ToolError("unknown_revision", f"{self.name} has no branch, tag or commit {revision!r}.")

    async def entry(self, commit: str, path: str) -> TreeEntry | None:
        """Return what stands at a path of a commit; None: nothing.

        Raises:
            ToolError: it is no path inside a repository.
        """
        if not is_path(path):
            raise ToolError("unknown_path", f"{path!r} is no path inside a repository.")
        printed = await self.printed("ls-tree", "-z", "--full-tree", commit, "--", path)
        for line in printed.output.decode("utf-8", "surrogateescape").split("\0"):
            head, _, found = line.partition("\t")
            if found == path:
                mode, _, object_id = head.split()
                return TreeEntry(mode=mode, id=object_id)
        return None

    async def blob(self, id: str, most_bytes: int = FILE_BYTES) -> Printed:
        """Return the content of a file by its own id."""
        return await self.printed("cat-file", "blob", id, most_bytes=most_bytes)

    async def text(self, id: str, path: str) -> str:
        """Return the whole text of a file that is small enough to be changed.

        Raises:
            ToolError: it is no text in UTF-8, or too large.
        """
        printed = await self.blob(id)
        if printed.cut:
            raise ToolError("too_large_file", f"{path} has more than {FILE_BYTES} bytes.")
        if (text := text_of(printed.output)) is None:
            raise ToolError("no_text", f"{path} is no text.")
        return text

    async def run(
        self,
        *arguments: str,
        most_bytes: int | None = None,
        given: bytes = b"",
        extra: Mapping[str, str] | None = None,
    ) -> Printed:
        """Run a command on the clone, whatever its exit code. See `GitProgram.run`."""
        return await self._program.run(
            self._folder,
            arguments,
            seconds=self._config.command_seconds,
            most_bytes=self._config.output_bytes if most_bytes is None else most_bytes,
            given=given,
            environment=git_environment(extra=extra),
        )

    async def printed(
        self,
        *arguments: str,
        most_bytes: int | None = None,
        given: bytes = b"",
        extra: Mapping[str, str] | None = None,
    ) -> Printed:
        """Run a command that has no reason to fail.

        Raises:
            ToolError: it failed.
        """
        printed = await self.run(*arguments, most_bytes=most_bytes, given=given, extra=extra)
        if printed.code != 0 and not printed.cut:
            raise ToolError("git_failed", f"git could not do that in {self.name}: {first_line(printed.errors)}")
        return printed

    async def _has(self, commit: str) -> bool:
        return self._folder.is_dir() and (await self.run("cat-file", "-e", f"{commit}^{{commit}}")).code == 0

    async def _fetch(self) -> None:
        """Make the clone what its remote is now: branches and tags that are gone there go here, too."""
        transport = transport_of(self.repository.address)
        environment = git_environment(transport, await self._credentials())
        arguments = ["fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-auto-gc", "--no-write-fetch-head"]
        arguments += ["--no-recurse-submodules", "--end-of-options", self.repository.address, *_REFS]
        try:
            async with asyncio.timeout(self._config.fetch_seconds), _alone(self._folder.with_suffix(".lock")):
                await self._made()
                printed = await self._program.reach(self._folder, arguments, environment)
        except TimeoutError as error:
            words = f"The remote of {self.name} took longer than {self._config.fetch_seconds:g} s."
            raise ToolError("unreachable", words) from error
        except OSError as error:
            raise ToolError("unreadable", f"The folder of the clone of {self.name} cannot be used.") from error
        if printed.code != 0:
            words = f"The remote of {self.name} cannot be read: {first_line(printed.errors)}"
            raise ToolError("unreachable", words)

    async def _made(self) -> None:
        if (self._folder / "HEAD").exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        made = ("init", "--bare", "--quiet", "--template=", f"--initial-branch={self.repository.branch}")
        await self._program.run(self._folder, made, seconds=self._config.command_seconds)

    async def _credentials(self) -> Mapping[str, str]:
        """Return the variables with which git sends the token to the remote's address, and nowhere else."""
        if self.repository.token is None or not self.repository.address.startswith("https:"):
            return {}
        token = await self.repository.token.read()
        login = base64.b64encode(f"{self.repository.user}:{token}".encode()).decode()
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{self.repository.address}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
        }


@asynccontextmanager
async def _alone(path: Path) -> AsyncGenerator[None]:
    """Hold the right to change a clone, which one process has at a time, until the context is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def text_of(raw: bytes) -> str | None:
    """Return the text that is these bytes; None where there is none that can be kept."""
    if b"\0" in raw:
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def first_line(words: str) -> str:
    """Return the beginning of what git says is wrong."""
    return next((line[:_WORDS] for line in words.splitlines() if line.strip()), "no reason given")
