"""Text shown as what it is: what shows nothing is spelt out, and so is what looks like other letters (pure).

What a person approves must not read as something else: `\\u202e` instead of a line that reads backwards, `p\\u0430y`
instead of a Cyrillic letter in a Latin word, and beside a host name the form in which it is looked up.

Look-alikes are those of Unicode Technical Standard 39 (`confusables.txt`), scripts may be mixed as its "highly
restrictive" level says. A word of one script is plain writing as long as a letter in it, or in a word beside it, looks
like no ASCII letter.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import itemgetter
from typing import cast

import idna

_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Letters and marks that show nothing: Default_Ignorable_Code_Point of Unicode, and the empty Braille pattern."""

_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})

_EMOJI = re.compile("\ufe0f")
"""The mark that asks for a symbol's colourful look."""

_SHARED = frozenset({"COMMON", "INHERITED", "Unknown"})
_MIXES = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)
"""Scripts that one word may mix."""

_ORDINARY = "\u0131"
"""A look-alike that is a letter of a living Latin alphabet: the Turkish dotless i."""

_LAST_ORDINARY = "\u00ff"
"""Symbols up to here are what keyboards have."""

_SEPARATORS = frozenset("/\\:.@?")
"""The marks that divide an address or a path."""

_WORD = re.compile(r"(?:(?<!\\)|(?![bfnrt]))[^\W_]+|(?<=\\[bfnrt])[^\W_]+")
"""A word; the letter of an escape of JSON is none of the word behind it."""

_LABEL = r"[^\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f\s\u3002\uff0e\uff61]"
_HOST = re.compile(rf"(?<!{_LABEL}){_LABEL}{{1,63}}(?:[.\u3002\uff0e\uff61]{_LABEL}{{1,63}}){{1,126}}(?!{_LABEL})")
_DOTS = re.compile(r"[.\u3002\uff0e\uff61]")
_ENCODED = "xn--"
"""Begins a label in Punycode."""

_HOST_CHARACTERS = 253
_CACHED_CHARACTERS = 100

_DENSE_CHARACTERS = 2000
_SHORTEST_WORDS = 4
"""Characters for each word of a text, spaces and marks included: the least of a text that people wrote."""


def visible(words: str) -> str:
    """Spell out characters that hide, reorder or separate text without being seen (bidi controls, zero widths, spaces
    of other widths, control codes, unassigned ones), and those that look like ASCII where they do not belong.

    A host name that holds such ones is followed by the form in which it is looked up.
    """
    if words.isascii() and words.isprintable() and _ENCODED not in words.lower():
        return words
    return _shown(words, [*_emoji(words), *_hosts(words)])


def _shown(words: str, changes: list[tuple[int, int, str]]) -> str:
    """Return the words with these changes, (begin, end, instead), and whatever else is spelt out."""
    characters = set(words)
    doubtful = {character for character in characters if not character.isascii() and _character(character).like}
    spelt = {ord(character): _code(character) for character in characters if _is_unseen(character)}
    if doubtful and _is_dense(words):
        spelt |= {ord(character): _code(character) for character in doubtful}
    elif doubtful:
        changes += _look_alikes(words, doubtful)
    shown: list[str] = []
    at = 0
    for start, end, instead in sorted(changes, key=itemgetter(0, 1)):
        shown += [words[at:start].translate(spelt), instead]
        at = end
    return "".join([*shown, words[at:].translate(spelt)])


def _is_dense(words: str) -> bool:
    """Return whether a long text has more words than any language: then no word is looked at by itself."""
    return len(words) > _DENSE_CHARACTERS and len(_WORD.findall(words)) * _SHORTEST_WORDS > len(words)


def _code(character: str) -> str:
    point = ord(character)
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _is_unseen(character: str) -> bool:
    if character in " \n\t":
        return False
    return unicodedata.category(character) in _UNSEEN_CATEGORIES or _UNSEEN.match(character) is not None


def _emoji(words: str) -> Iterator[tuple[int, int, str]]:
    """Yield the marks that stay as they are: those behind a symbol."""
    for found in _EMOJI.finditer(words):
        at = found.start()
        if at and unicodedata.category(words[at - 1]) == "So":
            yield at, at + 1, found[0]


@dataclass(frozen=True, kw_only=True)
class _Character:
    """What a character is to a reader."""

    script: str
    #: The ASCII character that it looks like, if it is none itself.
    like: str
    #: It is out of place in any word.
    always: bool

    @property
    def is_alike(self) -> bool:
        """Whether it looks like an ASCII letter or digit."""
        return self.like.isalnum()


@cache
def _ascii_look_alikes() -> Mapping[str, str]:
    """Return character -> the ASCII character it looks like. Loaded once, when a text first needs it: 1 MB."""
    from confusable_homoglyphs.confusables import confusables_data  # pyright: ignore[reportMissingTypeStubs] -- has none

    found: dict[str, str] = {}
    for character, others in cast("Mapping[str, Sequence[Mapping[str, str]]]", confusables_data).items():
        alike = next((other["c"] for other in others if len(other["c"]) == 1 and other["c"].isascii()), "")
        if alike and len(character) == 1 and not character.isascii():
            found[character] = alike
    return found


@lru_cache(maxsize=8192)
def _character(character: str) -> _Character:
    if character.isascii():
        return _Character(script="LATIN" if character.isalpha() else "COMMON", like="", always=False)
    from confusable_homoglyphs import categories  # pyright: ignore[reportMissingTypeStubs] -- has none

    script = cast("str", categories.alias(character))  # pyright: ignore[reportUnknownMemberType] -- untyped
    like = _ascii_look_alikes().get(character, "")
    form = unicodedata.decomposition(character)
    styled = form.startswith("<font>")
    plain = unicodedata.normalize("NFKC", character)
    if styled and plain.isascii():
        like = plain
    # Full-width letters are ordinary beside Chinese and Japanese, and seen to be other ones.
    foreign = script == "LATIN" and character != _ORDINARY and not form.startswith("<wide>")
    return _Character(script=script, like=like, always=like.isalnum() and (styled or foreign))


@dataclass(frozen=True, kw_only=True)
class _Word:
    """What a word is to a reader."""

    #: The scripts of its letters.
    scripts: frozenset[str]
    #: It mixes scripts that no language mixes.
    is_mixed: bool
    #: It is of one script other than Latin, and every letter of it looks like ASCII.
    is_whole: bool
    #: Those of its characters that are out of place in any word.
    always: frozenset[str]
    #: Those of its characters that are not Latin and look like ASCII letters or digits.
    alike: frozenset[str]

    @property
    def clear_script(self) -> frozenset[str]:
        """Its one script, if a letter shows it."""
        return frozenset() if self.is_mixed or self.is_whole else self.scripts

    def marked(self, *, beside: frozenset[str] = frozenset()) -> frozenset[str]:
        """Return which of its characters are marked; `beside` are the scripts that the words beside it show."""
        passes = self.is_mixed or (self.is_whole and not self.scripts <= beside)
        return self.always | self.alike if passes else self.always


_NO_WORD = _Word(scripts=frozenset(), is_mixed=False, is_whole=False, always=frozenset(), alike=frozenset())


@lru_cache(maxsize=4096)
def _word_of(characters: frozenset[str]) -> _Word:
    known = {character: _character(character) for character in characters}
    scripts = frozenset(found.script for found in known.values()) - _SHARED
    alike = frozenset(
        character for character, found in known.items() if found.is_alike and found.script not in ("LATIN", *_SHARED)
    )
    own = frozenset(character for character, found in known.items() if found.script not in _SHARED)
    return _Word(
        scripts=scripts,
        is_mixed=len(scripts) > 1 and not any(scripts <= mix for mix in _MIXES),
        is_whole=len(scripts) == 1 and "LATIN" not in scripts and own == alike,
        always=frozenset(character for character, found in known.items() if found.always),
        alike=alike,
    )


def _word(text: str) -> _Word:
    return _NO_WORD if text.isascii() else _word_of(frozenset(text))


@lru_cache(maxsize=4096)
def _spelt(text: str, before: str, after: str) -> str:
    """Return a word with its look-alikes as codes; `before` and `after` are the words beside it."""
    beside = _word(before).clear_script | _word(after).clear_script
    return text.translate({ord(character): _code(character) for character in _word(text).marked(beside=beside)})


def _look_alikes(words: str, doubtful: AbstractSet[str]) -> Iterator[tuple[int, int, str]]:
    """Yield what holds the `doubtful` letters and marks, which look like others, with their codes."""
    found = [at.span() for at in _WORD.finditer(words)]
    texts = ["", *(words[start:end] for start, end in found), ""]
    for (start, end), before, text, after in zip(found, texts, texts[1:], texts[2:], strict=False):
        if not text.isascii():
            spell = _spelt if len(before) + len(text) + len(after) <= _CACHED_CHARACTERS else _spelt.__wrapped__
            if (spelt := spell(text, before, after)) != text:
                yield start, end, spelt
    for character in doubtful:
        if not character.isalnum() and character > _LAST_ORDINARY:
            yield from _misplaced(words, character)


def _misplaced(words: str, character: str) -> Iterator[tuple[int, int, str]]:
    """Yield where a symbol that looks like an ASCII character may be read as part of a word or an address."""
    like, code, sign = _character(character).like, _code(character), re.escape(character)
    if like in _SEPARATORS:
        read = rf"(?<=[^\W_]){sign}(?=[^\W_])"
    elif like.isalnum():
        read = rf"(?<=[A-Za-z]){sign}|{sign}(?=[A-Za-z])"
    else:
        return
    for found in re.finditer(read, words):
        yield *found.span(), code


def _hosts(words: str) -> Iterator[tuple[int, int, str]]:
    """Yield the ends of the host names that may pass for others, with the form in which they are looked up.

    Of names that stand in that form, the one that people would see in a browser.
    """
    for found in _HOST.finditer(words):
        name = found[0]
        if len(name) > _HOST_CHARACTERS:
            continue
        other = _decoded_host(name) if name.isascii() else _doubtful_host(name)
        if other:
            yield found.end(), found.end(), f" ({other})"


@lru_cache(maxsize=1024)
def _doubtful_host(name: str) -> str:
    """Return the form in which a host name is looked up that may pass for another; empty for others."""
    return _looked_up(name) if _passes_for_another(name) else ""


@lru_cache(maxsize=1024)
def _decoded_host(name: str) -> str:
    """Return how a host name in ASCII reads that holds labels in Punycode; empty for others."""
    labels = [_decoded(label) for label in name.split(".")]
    decoded = ".".join(labels)
    return "" if decoded.isascii() else _shown(decoded, [])


def _decoded(label: str) -> str:
    if not label.lower().startswith(_ENCODED):
        return label
    try:
        return label[len(_ENCODED) :].encode().decode("punycode") or label
    except UnicodeError:
        return label


def _passes_for_another(name: str) -> bool:
    labels = _DOTS.split(name)
    if len(labels[-1]) < 2:
        return False
    if unicodedata.normalize("NFKC", ".".join(labels)).isascii():
        return True
    return any(word.is_mixed or word.marked() for word in map(_word, labels))


def _looked_up(name: str) -> str:
    try:
        return idna.encode(name, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return ".".join(map(_punycode, _DOTS.split(name)))


def _punycode(label: str) -> str:
    plain = unicodedata.normalize("NFKC", label.casefold())
    return plain if plain.isascii() else f"xn--{plain.encode('punycode').decode()}"
