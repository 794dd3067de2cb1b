"""A secret of the configuration: the file names where it is, never what it is.

    token = { env = "GITHUB_TOKEN" }
    token = { file = "/run/secrets/github" }
    token = { command = ["pass", "show", "github"] }

It is read when it is needed, so that a new one counts without a restart, and hidden everywhere from then on.
"""

import asyncio
import os
import re
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from agent.redaction import SECRETS
from agent.tool import ToolError
from infra.tools.child_process import end

_IN_A_HEADER = re.compile(r"(?:Bearer|Basic|Token) +(\S+)", re.IGNORECASE)

COMMAND_SECONDS = 20.0
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Secret:
    """Where a secret is: exactly one of a variable of the environment, a file, or a command that prints it."""

    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse none, and more than one.

        Raises:
            ValueError: it is not exactly one.
        """
        if sum(given is not None for given in (self.env, self.file, self.command)) != 1 or self.command == ():
            raise ValueError('a secret is one of { env = "NAME" }, { file = "path" } and { command = ["program"] }')

    async def read(self) -> str:
        """Return the secret without the white space around it.

        Raises:
            ToolError: `no_secret`: it is not there, empty or too long; the text says where it was looked for.
        """
        try:
            value = await self._value()
        except (OSError, UnicodeError, TimeoutError) as error:
            raise ToolError("no_secret", f"{self.where} cannot be read: {type(error).__name__}") from None
        if not 0 < len(value) <= MOST_BYTES:
            raise ToolError("no_secret", f"{self.where} {'holds too much' if value else 'is not set or empty'}")
        for name, part in parts_of(self.where, value):
            SECRETS.learn(name, part)
        return value

    def read_now(self) -> str:
        """Do the same where no event loop runs. Blocks."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self.read()).result()

    @property
    def where(self) -> str:
        """Where the secret is, for people."""
        if self.env is not None:
            return f"the variable {self.env}"
        return f"the file {self.file}" if self.file is not None else f"what {(self.command or ('',))[0]} prints"

    async def _value(self) -> str:
        if self.env is not None:
            return os.environ.get(self.env, "").strip()
        if self.file is not None:
            return (await asyncio.to_thread(_start_of, self.file)).decode().strip()
        return (await _printed(self.command or ())).decode().strip()


def parts_of(name: str, value: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of a secret, of the password in an address, and of the token in a header."""
    yield name, value
    if password := _password_in(value):
        yield f"the password in {name}", password
    if token := _IN_A_HEADER.fullmatch(value):
        yield name, token[1]


def _password_in(address: str) -> str:
    try:
        return str(make_url(address).password or "")
    except (ArgumentError, ValueError):
        return ""


async def secret_text(given: str | Secret) -> str:
    """Return a setting that is a secret, or stands in the configuration itself.

    Raises:
        ToolError: `no_secret`: it cannot be read.
    """
    return given if isinstance(given, str) else await given.read()


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


async def _printed(command: tuple[str, ...]) -> bytes:
    """Return what a command prints; nothing when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, start_new_session=True
    )
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            output = b""
            while process.stdout is not None and len(output) <= MOST_BYTES:
                if not (chunk := await process.stdout.read(MOST_BYTES)):
                    break
                output += chunk
            return output if len(output) > MOST_BYTES or await process.wait() == 0 else b""
    finally:
        await end(process)
