"""References between nodes: `${node}` and `${node#/json/pointer}` in a text, and their places.

`${a|b#/pointer}` is the value of the first of these nodes that succeeded. `$${` is a literal `${`. A pointer is
RFC 6901; one that holds `{` or `}` cannot be written.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from agent.ids import NodeId
from sandbox.script import Json

NODE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TOKEN = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")

OF_ITEM = frozenset({NodeId("item"), NodeId("index")})
"""What references in a template name besides nodes: the item, and its number from 0."""


class BadReference(ValueError):
    """A text holds `${` that starts no well-formed reference."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:80]!r} is not a reference: write ${{node}} or ${{node#/json/pointer}}, or $${{ for a literal ${{"
        )


class PointerMissing(LookupError):
    """The document has nothing at this pointer."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A node's output, or the part of it that `pointer` names; an empty pointer is the whole."""

    node: NodeId
    pointer: str = ""
    #: Whose output it is when `node` did not succeed: that of the first of these that did.
    others: tuple[NodeId, ...] = ()

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """All nodes that it names, in their order."""
        return (self.node, *self.others)

    def __str__(self) -> str:
        names = "|".join(self.nodes)
        return f"${{{names}#{self.pointer}}}" if self.pointer else f"${{{names}}}"


Piece: TypeAlias = str | Reference


def pieces(text: str) -> tuple[Piece, ...]:
    """Return the text as literals (already unescaped) and references, in order.

    Raises:
        BadReference: a `${` starts no well-formed reference.
    """
    found: list[Piece] = []
    literal: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        literal.append(text[end : token.start()])
        end = token.end()
        if token.group() == "$${":
            literal.append("${")
            continue
        reference = _reference(token.group(), token.group(1))
        if any(literal):
            found.append("".join(literal))
        literal.clear()
        found.append(reference)
    literal.append(text[end:])
    if any(literal):
        found.append("".join(literal))
    return tuple(found)


def _reference(written: str, body: str | None) -> Reference:
    if body is None:
        raise BadReference(written)
    names, _, pointer = body.partition("#")
    node, *others = (NodeId(name) for name in names.split("|"))
    unique = len({node, *others}) == len(others) + 1
    if not unique or not all(map(NODE_ID.fullmatch, (node, *others))) or not _POINTER.fullmatch(pointer):
        raise BadReference(written)
    return Reference(node=node, pointer=pointer, others=tuple(others))


def strings_in(value: Json, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield (JSON pointer, text) for every string value inside `value`, in document order."""
    match value:
        case str():
            yield at, value
        case Mapping():
            for key, inner in value.items():
                yield from strings_in(inner, f"{at}/{pointer_token(key)}")
        case Sequence():
            for index, inner in enumerate(value):
                yield from strings_in(inner, f"{at}/{index}")
        case _:
            return


def with_texts(value: Json, replaced: Callable[[str], Any]) -> Any:
    """Return a copy of `value` with every string value in it, keys left out, replaced."""
    match value:
        case str():
            return replaced(value)
        case Mapping():
            return {key: with_texts(inner, replaced) for key, inner in value.items()}
        case list() | tuple():
            return [with_texts(inner, replaced) for inner in value]
        case _:
            return value


def with_literals(value: Json) -> Any:
    """Return a copy of `value` in which every text stands for itself, whatever it holds."""
    return with_texts(value, lambda text: text.replace("${", "$${"))


def references_in(value: Json, at: str = "") -> Iterator[tuple[str, Reference]]:
    """Yield (JSON pointer of the place, reference) in document order.

    Raises:
        BadReference: see `pieces`.
    """
    for place, text in strings_in(value, at):
        yield from ((place, piece) for piece in pieces(text) if isinstance(piece, Reference))


def renamed(text: str, names: Mapping[NodeId, NodeId]) -> str:
    """Return the text with other nodes in its references; those that `names` does not hold stay."""

    def written(found: re.Match[str]) -> str:
        if found.group() == "$${" or found[1] is None:
            return found.group()
        reference = _reference(found.group(), found[1])
        node, *others = (names.get(named, named) for named in reference.nodes)
        return str(Reference(node=node, pointer=reference.pointer, others=tuple(others)))

    return _TOKEN.sub(written, text)


def pointer_token(key: str) -> str:
    """Return a key as one reference token of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def at_pointer(document: Json, pointer: str) -> Json:
    """Return the value a JSON pointer names.

    Raises:
        PointerMissing: there is no such value.
    """
    current = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        match current:
            case Mapping() if name in current:
                current = current[name]
            case Sequence() if not isinstance(current, str) and _INDEX.fullmatch(name) and int(name) < len(current):
                current = current[int(name)]
            case _:
                raise PointerMissing(pointer)
    return current
