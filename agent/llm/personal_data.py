"""Finds personal data in text: addresses, numbers and codes of people, and what an installation's own patterns match.

A candidate is found by its form and then checked by what keeps such numbers apart from others: the plans of telephone
numbers (phonenumbers, Google's library), the check digits of IBANs and cards (python-stdnum), the standard library for
addresses of machines. In doubt a datum is one. Names of people are none of it: nothing short of a language model of its
own finds them. Own patterns are RE2's, which takes linear time whatever they are; the forms here are bounded.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, cast

import phonenumbers
import re2  # pyright: ignore[reportMissingTypeStubs]  # it has none
from stdnum import iban, luhn, numdb  # pyright: ignore[reportMissingTypeStubs]  # as above

from agent.limits import PersonalKind, Privacy

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]++(?:@|%40|&#64;|&#x40;|\uff20| ?[(\[]at[)\]] ?)"
    r"(?:[^\W_][\w-]{0,62}+\.){1,10}(?:xn--[a-z0-9-]{1,59}|[^\W\d_]{2,24})",
    re.IGNORECASE,
)
_PHONE_ABROAD = re.compile(r"(?<!\d)(?:\+|00(?=[1-9]))\d(?:[ \u00a0().\-/]{0,2}\d){6,16}(?!\d)")
_PHONE_AT_HOME = re.compile(r"(?<![\d.,+\-/:])\(?\d(?:[ \u00a0().\-/]{0,2}\d){6,14}(?!\d)")
_NO_PHONE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}\.\d{1,2}\.\d|(?:\d{1,3}\.){3}\d")
"""How dates and addresses of machines begin."""

_IBAN = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))(?=([A-Za-z]{2}\d{2}(?:[ \u00a0-]?[A-Za-z0-9]){11,30}))")
_CARD = re.compile(r"(?<!\d)(?:\d[ \u00a0-]?){12,18}\d(?!\d)")
_CARD_NETWORK = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|(?:6\d|35)\d{14,17}|3[068]\d{12}"
)
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)")
_IPV6 = re.compile(
    r"(?:(?<![0-9A-Za-z:])|(?<=\\[nrtbf]))(?:[0-9A-Fa-f]{0,4}:){2,8}"
    r"(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![0-9A-Za-z:])"
)

_ESCAPE = re.compile(r"u[0-9a-fA-F]{4}|.", re.DOTALL)
_LEAST_HEX_DIGITS = 4
_SEPARATED = re.compile(r"\A[(0]|[ \u00a0().\-/]")
_PHONES_CHECKED = 2_000
"""Of one text; more that look like telephone numbers are taken for such: to check one takes a while."""

_ENDS_CHECKED = 4
_LEAST_PHONE_DIGITS = 7

_PLAIN = re.compile(r"""[^\s"'`\\{}$<>\x00-\x1f]+(?:[ \u00a0]+[^\s"'`\\{}$<>\x00-\x1f]+)*""")
"""What of a datum can stand in any text: it ends no literal, and is no reference and no mention."""


@dataclass(frozen=True, kw_only=True)
class Datum:
    """A personal datum in a text."""

    kind: str
    start: int
    end: int


class PersonalData:
    """Finds the kinds of data that the settings name."""

    def __init__(self, privacy: Privacy) -> None:
        self._region = privacy.region or None
        self._kinds = frozenset(privacy.mask)
        self._own = [(name, own_pattern(pattern)) for name, pattern in privacy.patterns.items()]
        #: The names of all kinds that it finds.
        self.kinds: Sequence[str] = (*privacy.patterns, *(kind.value for kind in PersonalKind if kind in self._kinds))

    def find(self, text: str) -> Sequence[Datum]:
        """Return the data in a text, in order; none of them overlap, and each can stand in any other text."""
        return [piece for datum in _merged(self._candidates(text)) for piece in _pieces(text, datum)]

    def _candidates(self, text: str) -> Iterator[Datum]:
        for name, pattern in self._own:
            for start, end in pattern.spans(text):
                yield _datum(text, name, start, end)
        for kind, spans in (
            (PersonalKind.EMAIL, _emails),
            (PersonalKind.IBAN, _ibans),
            (PersonalKind.CARD, _cards),
            (PersonalKind.IP, _addresses),
        ):
            if kind in self._kinds:
                yield from (_datum(text, kind.value, start, end) for start, end in spans(text))
        if PersonalKind.PHONE in self._kinds:
            yield from (_datum(text, PersonalKind.PHONE.value, start, end) for start, end in self._phones(text))

    def _phones(self, text: str) -> Iterator[tuple[int, int]]:
        left = _PHONES_CHECKED
        for found in _PHONE_ABROAD.finditer(text):
            left -= 1
            number = re.sub(r"\A00", "+", found[0])
            ends = _ends(number) if left >= 0 else ()
            end = next((end for end in ends if _is_phone(number[:end], None)), len(number))
            yield found.start(), found.end() - len(number) + end
        if self._region is None:
            return
        for found in _PHONE_AT_HOME.finditer(text):
            if _NO_PHONE.match(found[0]):
                continue
            left -= 1
            ends = (end for end in _ends(found[0]) if _SEPARATED.search(found[0][:end]))
            end = next((end for end in ends if left < 0 or _is_phone(found[0][:end], self._region)), None)
            if end is not None:
                yield found.start(), found.start() + end


class Pattern(Protocol):
    """A compiled pattern of an installation."""

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where it matches, empty matches left out."""
        ...


class _OwnPattern:
    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where it matches, empty matches left out."""
        # RE2 reads UTF-8, in which a lone surrogate is none; this keeps every place where it is.
        for found in self._pattern.finditer(text.encode(errors="replace").decode()):
            start, end = cast("tuple[int, int]", found.span())
            if start < end:
                yield start, end


def own_pattern(pattern: str) -> Pattern:
    """Return a compiled pattern.

    Raises:
        ValueError: RE2 does not read it, or it matches the empty text.
    """
    library = cast("Any", re2)
    options = library.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        compiled = library.compile(pattern, options)
    except library.error as error:
        said = error.args[0] if error.args else ""
        raise ValueError(f"no pattern of RE2: {said.decode() if isinstance(said, bytes) else said}") from error
    if compiled.search("") is not None:
        raise ValueError("it matches the empty text")
    return _OwnPattern(compiled)


def regions() -> AbstractSet[str]:
    """Return the countries whose telephone numbers are known."""
    return cast("AbstractSet[str]", phonenumbers.SUPPORTED_REGIONS)


def _datum(text: str, kind: str, start: int, end: int) -> Datum:
    """Return a datum without the letters that an escape before it (`\\n`) lends it."""
    before = start
    while before and text[before - 1] == "\\":
        before -= 1
        if start - before > 64:  # as many as nobody writes
            break
    if (start - before) % 2 and (escape := _ESCAPE.match(text, start)) is not None and escape.end() < end:
        start = escape.end()
    return Datum(kind=kind, start=start, end=end)


def _merged(data: Iterable[Datum]) -> Iterator[Datum]:
    """Yield data in order, those that overlap as one of the first one's kind."""
    last: Datum | None = None
    for datum in sorted(data, key=lambda datum: datum.start):
        if last is not None and datum.start < last.end:
            last = Datum(kind=last.kind, start=last.start, end=max(last.end, datum.end))
            continue
        if last is not None:
            yield last
        last = datum
    if last is not None:
        yield last


def _pieces(text: str, datum: Datum) -> Iterator[Datum]:
    for found in _PLAIN.finditer(text, datum.start, datum.end):
        yield Datum(kind=datum.kind, start=found.start(), end=found.end())


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for found in _EMAIL.finditer(text):
        yield found.span()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    until = 0
    for found in _IBAN.finditer(text):
        start, candidate = found.start(), found[1]
        if start < until:
            continue
        at = [place for place, character in enumerate(candidate) if character.isalnum()]
        compact = "".join(candidate[place] for place in at).upper()
        length = _iban_length(compact[:2])
        if not 0 < length <= len(at) or int(_in_digits(compact[4:length] + compact[:4])) % 97 != 1:
            continue
        if iban.is_valid(compact[:length], check_country=False):
            until = start + at[length - 1] + 1
            yield start, until


@cache
def _iban_length(country: str) -> int:
    """Return how long a country's IBANs are; 0: it has none."""
    [[_, found], *_] = cast("Any", numdb.get("iban")).info(f"{country}{'0' * 32}")
    return 4 + sum(int(part) for part in re.findall(r"(\d{1,4})!", found["bban"])) if "bban" in found else 0


def _in_digits(compact: str) -> str:
    """Return an IBAN with its letters as numbers (ISO 7064)."""
    return "".join(str(int(character, 36)) for character in compact)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for found in _CARD.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if _CARD_NETWORK.fullmatch(digits) and luhn.is_valid(digits):
            yield found.span()


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for form in (_IPV4, _IPV6):
        for found in form.finditer(text):
            try:
                address = ipaddress.ip_address(found[0])
            except ValueError:
                continue
            enough = sum(character != ":" for character in found[0]) >= _LEAST_HEX_DIGITS
            if enough and not (address.is_loopback or address.is_unspecified):
                yield found.span()


def _ends(number: str) -> Iterator[int]:
    """Yield where a number may end, the longest first: what follows it may be another one."""
    ends = [found.start() for found in re.finditer(r"(?<=\d)\D", number)]
    for end in (len(number), *ends[:-_ENDS_CHECKED:-1]):
        if sum(map(str.isdigit, number[:end])) >= _LEAST_PHONE_DIGITS:
            yield end


def _is_phone(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
