"""The file `.env` of the folder a command is started in: what the environment does not say itself.

It is read by the commands that need settings (run, bot, worker, migrate, doctor, plan run, sandbox, eval), and never
by the demo. Its values go into the process's environment, where other libraries (Docker's, a proxy's) look too.
"""

import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import load_dotenv
from dotenv.parser import Binding, parse_stream

ENV_FILE = Path(".env")


class EnvFileUnusable(Exception):
    """The file cannot be read, or a line of it is no assignment; the text names the line, never what it says."""


def filled_environment(file: Path = ENV_FILE) -> Mapping[str, str]:
    """Return the process's environment, after adding what the file says.

    What is set already stays, even when it is set to nothing. Values are taken as they are written: `$` means
    nothing, and quotes around a value are left away. python-dotenv's PYTHON_DOTENV_DISABLED switches it off.

    Raises:
        EnvFileUnusable: it cannot be read, or a line is no `NAME=value`; then nothing of it counts.
    """
    if not file.exists() or file.is_dir():
        return os.environ
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvFileUnusable(f"cannot read {file}: it must be a text file in UTF-8 that I may read") from error
    if bad := [str(_line_number(each)) for each in parse_stream(StringIO(text)) if _is_bad(each)]:
        lines = f"line {bad[0]} is" if len(bad) == 1 else f"lines {', '.join(bad)} are"
        raise EnvFileUnusable(f"{file}: {lines} not NAME=value (quote a value that holds quotes or begins with one)")
    load_dotenv(stream=StringIO(text), interpolate=False)
    return os.environ


def _is_bad(line: Binding) -> bool:
    """Tell whether a line says something, and it is no assignment."""
    return line.error or (line.key is not None and (line.value is None or not line.key.isidentifier()))


def _line_number(line: Binding) -> int:
    """Return where it stands; the library counts the empty lines before it as its own."""
    said = line.original.string
    return line.original.line + said[: len(said) - len(said.lstrip())].count("\n")
