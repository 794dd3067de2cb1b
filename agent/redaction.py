"""Hides secrets at every border: in what tools, models, people and servers say, and in what is said to them and logged.

A secret is known by its value, and is found as it is and as programs write it: escaped for JSON, Python or an address,
and in hexadecimal or base64. Text that was cut, compressed or encrypted around it hides it from this, too.
"""

import json
import logging
import re
from base64 import b64encode
from bisect import bisect_left
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import TypeVar, cast
from urllib.parse import quote, quote_plus

from ahocorasick_rs import AhoCorasick, MatchKind

from sandbox.script import Json

_SHORTEST_LINE = 16
"""A line of a longer secret, such as a key in a file, that is a secret of its own."""

_log = logging.getLogger(__name__)
_Text = TypeVar("_Text", bound=Json)


class Redactor:
    """Puts `[secret NAME]` in the place of each secret that it has learnt.

    A value shorter than `shortest`, and one of small letters alone shorter than `shortest_word`, is hidden nowhere: it
    may be any word, and nothing would stay readable.
    """

    def __init__(self, shortest: int = 8, shortest_word: int = 16) -> None:
        self._shortest = shortest
        self._shortest_word = shortest_word
        #: Every value that was learnt, also those that are hidden nowhere.
        self._learnt: set[str] = set()
        #: Form -> name.
        self._names: dict[str, str] = {}
        #: Of `_names`, sorted.
        self._forms: list[str] = []
        self._automaton: AhoCorasick | None = None

    def learn(self, name: str, value: str) -> None:
        """Hide a value from now on, under the name by which people know where it is. One that cannot be is logged."""
        if not value or value in self._learnt:
            return
        self._learnt.add(value)
        if len(value) < (self._shortest_word if re.fullmatch(r"[a-z]+", value) else self._shortest):
            _log.warning("%s is hidden nowhere: it is too short, or may be any word", name)
            return
        lines = [line.strip() for line in value.splitlines()]
        parts = [line for line in lines if len(line) >= _SHORTEST_LINE and not line.startswith("-----")]
        for secret in (value, *parts):
            for form in _forms(secret, self._shortest):
                self._names.setdefault(form, name)
        self._forms = sorted(self._names)
        self._automaton = AhoCorasick(self._forms, matchkind=MatchKind.LeftmostLongest)

    def unlearn(self, value: str) -> None:
        """Hide a value no more, which is no longer in use here; without effect on one that was not learnt."""
        if value not in self._learnt:
            return
        self._learnt.discard(value)
        for form in _forms(value, self._shortest):
            self._names.pop(form, None)
        self._forms = sorted(self._names)
        self._automaton = AhoCorasick(self._forms, matchkind=MatchKind.LeftmostLongest) if self._forms else None

    def forget(self) -> None:
        """Hide nothing any more."""
        self._learnt, self._names, self._forms, self._automaton = set(), {}, [], None

    def hide(self, text: str) -> str:
        """Return a text without the secrets."""
        if self._automaton is None or not (found := self._automaton.find_matches_as_indexes(text)):
            return text
        pieces: list[str] = []
        done = 0
        for form, start, end in found:
            pieces += (text[done:start], f"[secret {self._names[self._forms[form]]}]")
            done = end
        return "".join((*pieces, text[done:]))

    def hide_in(self, value: _Text) -> _Text:
        """Return a JSON value without the secrets in its texts and keys."""
        return value if self._automaton is None else cast("_Text", self._hidden(value))

    def _hidden(self, value: Json) -> Json:
        match value:
            case str():
                return self.hide(value)
            case Mapping():
                return {self.hide(key): self._hidden(inner) for key, inner in value.items()}
            case list() | tuple():
                return [self._hidden(inner) for inner in value]
            case _:
                return value

    async def hide_stream(self, pieces: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        """Yield the pieces of a text without the secrets; the end of a piece that may begin one waits for the next."""
        kept = ""
        async for piece in pieces:
            text = self.hide(kept + piece)
            begun = next((at for at in self._possible_starts(text) if self._begins(text[at:])), len(text))
            kept = text[begun:]
            if begun:
                yield text[:begun]
        if kept:
            yield kept

    def _possible_starts(self, text: str) -> Iterator[int]:
        longest = max(map(len, self._forms), default=0)
        return iter(range(max(0, len(text) - longest + 1), len(text)))

    def _begins(self, text: str) -> bool:
        """Return whether a secret begins with the text."""
        at = bisect_left(self._forms, text)
        return at < len(self._forms) and self._forms[at].startswith(text)


def _forms(secret: str, shortest: int) -> set[str]:
    """Return a secret as it is and as programs write it."""
    data = secret.encode(errors="surrogatepass")
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        data.hex(),
        data.hex().upper(),
    }
    escaped = {quote(data), quote(data, safe=""), quote_plus(data)}
    forms |= escaped | {re.sub(r"%..", lambda found: found[0].lower(), text) for text in escaped}
    for shift in range(3):  # where it stands in what was encoded
        encoded = b64encode(bytes(shift) + data).decode().rstrip("=")
        # The first and the last character hold bits of what is before it and behind it.
        core = encoded[-(-shift * 8 // 6) : len(encoded) - (1 if (shift + len(data)) % 3 else 0)]
        forms |= {core, core.translate(str.maketrans("+/", "-_"))}
    return {form for form in forms if len(form) >= shortest}


SECRETS = Redactor()
"""The secrets of this process."""
