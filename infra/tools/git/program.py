"""Runs the program git on a bare repository: without a shell, hooks, pagers, prompts or anybody's configuration.

What git starts by itself (transports, filters, signers) is what its arguments, environment and configuration say; all
three are made here. Its output and its time are bounded, and its whole process group ends with the call.
"""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from agent.tool import ToolError
from infra.tools.child_process import close_pipes, end, send_signal

AT_ONCE = 4
"""Commands that run at the same time in this process."""

ERROR_BYTES = 4096
_CHUNK = 64 * 1024

_OPTIONS = (
    "--no-pager",
    "--no-replace-objects",
    "--literal-pathspecs",
    *(
        word
        for option in (
            "advice.detachedHead=false",
            "color.ui=never",
            "core.attributesFile=/dev/null",
            "core.fsmonitor=false",
            "core.hooksPath=/dev/null",
            "core.quotePath=false",
            "credential.helper=",
            "fetch.recurseSubmodules=no",
            "gc.auto=0",
            "grep.threads=2",
            "http.followRedirects=false",
            "log.showSignature=false",
            "maintenance.auto=false",
            "submodule.recurse=false",
        )
        for word in ("-c", option)
    ),
)

_PASSED_ON = ("PATH", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PASSED_TO_SSH = ("HOME", "SSH_AUTH_SOCK", "USER")


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What a command printed."""

    output: bytes
    #: Whether it had more to say, and was ended.
    cut: bool
    #: Its exit code; of one that was ended it says nothing.
    code: int
    errors: str

    @property
    def text(self) -> str:
        """The output as text; bytes that are none are replaced. What was cut ends with a whole line."""
        whole = self.output[: self.output.rfind(b"\n") + 1] if self.cut else self.output
        return (whole or self.output).decode("utf-8", "replace")


def git_environment(transport: str = "none", extra: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Return the whole environment of a command, which may reach remotes by this transport only."""
    names = (*_PASSED_ON, *(_PASSED_TO_SSH if transport == "ssh" else ()))
    passed = {name: os.environ[name] for name in names if name in os.environ}
    certificates = {"GIT_SSL_CAINFO": passed["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in passed else {}
    return {
        "HOME": os.devnull,
        **passed,
        **certificates,
        "LC_ALL": "C.UTF-8",
        "GIT_ALLOW_PROTOCOL": transport,
        "GIT_ASKPASS": "false",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes",
        "GIT_TERMINAL_PROMPT": "0",
        "SSH_ASKPASS": "false",
        "XDG_CONFIG_HOME": os.devnull,
        **(extra or {}),
    }


class GitProgram:
    """The program git, as it is run here."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(
        self,
        folder: Path,
        arguments: Sequence[str],
        *,
        seconds: float,
        most_bytes: int = ERROR_BYTES,
        given: bytes = b"",
        environment: Mapping[str, str] | None = None,
    ) -> Printed:
        """Run a command on this bare repository and return what it printed, whatever its exit code.

        Raises:
            ToolError: `no_git`: it is not installed; `too_slow`: it took longer.
        """
        try:
            async with asyncio.timeout(seconds), self._places:
                return await _run(folder, arguments, most_bytes, given, environment or git_environment())
        except TimeoutError as error:
            words = f"git took longer than {seconds:g} s; ask for less: a path, a shorter time."
            raise ToolError("too_slow", words) from error

    async def reach(self, folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Printed:
        """Run a command that waits for a remote; how long, its caller says."""
        return await _run(folder, arguments, ERROR_BYTES, b"", environment)


async def _run(
    folder: Path, arguments: Sequence[str], most_bytes: int, given: bytes, environment: Mapping[str, str]
) -> Printed:
    if (program := shutil.which("git")) is None:
        raise ToolError("no_git", "The program git is not installed on the machine that runs this tool.")
    process = await asyncio.create_subprocess_exec(
        program,
        *_OPTIONS,
        f"--git-dir={folder}",
        *arguments,
        stdin=PIPE if given else DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        cwd=folder,
        start_new_session=True,
    )
    try:
        return await _printed(process, given, most_bytes)
    finally:
        with anyio.CancelScope(shield=True):
            await end(process)


async def _printed(process: Process, given: bytes, most_bytes: int) -> Printed:
    async with asyncio.TaskGroup() as group:
        group.create_task(_feed(process, given))
        errors = group.create_task(_start_of(process.stderr))
        output = group.create_task(_bounded(process, most_bytes))
    code = await process.wait()
    raw = output.result()
    return Printed(output=raw[:most_bytes], cut=len(raw) > most_bytes, code=code, errors=errors.result())


async def _feed(process: Process, given: bytes) -> None:
    if process.stdin is None:
        return
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended without reading; its exit code says why
        process.stdin.write(given)
        await process.stdin.drain()
        process.stdin.close()


async def _start_of(stream: asyncio.StreamReader | None) -> str:
    """Return the beginning of what is printed, and read the rest."""
    kept = b""
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        kept += chunk[: ERROR_BYTES - len(kept)]
    return kept.decode("utf-8", "replace")


async def _bounded(process: Process, most_bytes: int) -> bytes:
    """Return the output, or one byte more of it than may be kept; then the process is ended."""
    kept = bytearray()
    while process.stdout is not None and (chunk := await process.stdout.read(_CHUNK)):
        kept += chunk[: most_bytes + 1 - len(kept)]
        if len(kept) > most_bytes:
            send_signal(process, signal.SIGKILL)
            close_pipes(process)
            break
    return bytes(kept)
