"""Counts what a PostgreSQL server was asked, from its log: the statements of all processes, and transaction control."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOGGING: Mapping[str, str] = {"log_statement": "all", "log_line_prefix": "~%a~", "log_min_duration_statement": "-1"}
"""The options of a server whose log is read."""

_ENTRY = re.compile(r"~(?P<application>[^~\n]*)~LOG:  (?:statement|execute [^:\n]*): (?P<text>.*)", re.DOTALL)
_CONTROL = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|START TRANSACTION|SET)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Statements:
    """The statements of a while: text, in one line -> how often."""

    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def control(self) -> int:
        """Those that only begin, end or configure a transaction."""
        return self._of(lambda text: _CONTROL.match(text) is not None)

    def _of(self, chosen: Callable[[str], bool]) -> int:
        return sum(count for text, count in self.counts.items() if chosen(text))


class StatementLog:
    """The log of a server that was started with `LOGGING`."""

    def __init__(self, log: Path, *, apart_from: str = "") -> None:
        """`apart_from` is the `application_name` of connections that only look and are not counted."""
        self._log = log
        self._apart_from = apart_from
        self._read_until = 0
        self.forget()

    def forget(self) -> None:
        """Count from here."""
        with suppress(FileNotFoundError):
            self._read_until = self._log.stat().st_size

    def read(self) -> Statements:
        """Return what was asked since the last call, or since `forget`."""
        with self._log.open("rb") as file:
            file.seek(self._read_until)
            text = file.read()
        self._read_until += len(text)
        counts: Counter[str] = Counter()
        for entry in re.split(r"\n(?=~)", text.decode(errors="replace")):
            if (found := _ENTRY.match(entry)) is not None and found["application"] != self._apart_from:
                counts[" ".join(found["text"].split())] += 1
        return Statements(counts=counts)
