"""Binding: replaces references by the values they stand for. A pure core and a thin shell that loads artifacts.

`${node}` is the node's output when it succeeded, else its outcome as JSON (`{"state": ...}`), so that a fallback can
read what went wrong; `${a|b}` is the output of the first of them that succeeded. A string that is one reference takes
the value with its type; inside a longer text a string is inserted raw and anything else as JSON.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import NamedTuple, TypeVar, cast

from agent.errors import ArtifactMissing, ContentUnavailable
from agent.ids import NodeId, ThreadId
from agent.plan.conditions import Condition, Incomparable, condition_words, is_met
from agent.plan.json_values import least_bytes
from agent.plan.operations import canonical_json
from agent.plan.outcomes import Failed, Outcome, Succeeded, outcome_json
from agent.plan.references import (
    BadReference,
    PointerMissing,
    Reference,
    at_pointer,
    pieces,
    references_in,
    with_texts,
)
from agent.ports import Artifacts
from agent.tools.output import gone, output_of
from sandbox.script import Json

_T = TypeVar("_T")

BOUND_BYTES = 1024 * 1024
"""The most that a call's arguments may come to once every reference is resolved."""


_LOADED_BYTES = 32 * 1024 * 1024
"""The most that the outputs which one node refers to may come to, also when it needs only parts of them."""


class Unbound(Exception):
    """A reference cannot be resolved; the text says which and why."""


class TooLarge(Exception):
    """The value would come to more than BOUND_BYTES."""


def bound(value: Json, outputs: Mapping[NodeId, Json], succeeded: AbstractSet[NodeId] | None = None) -> Json:
    """Return `value` with every reference replaced from `outputs` and every `$${` unescaped.

    `succeeded` are the nodes that stand in for others; None: all with an output do.

    Raises:
        Unbound: a reference is malformed, names a node without an output, or points at nothing.
        TooLarge: what stands in the references' places is too much; it is counted before it is built.
    """
    return with_texts(value, _Binder(outputs, outputs.keys() if succeeded is None else succeeded).text)


class _Binder:
    """Resolves the references of one value."""

    def __init__(self, outputs: Mapping[NodeId, Json], succeeded: AbstractSet[NodeId]) -> None:
        self._outputs = outputs
        self._succeeded = succeeded
        self._room = BOUND_BYTES
        self._resolved: dict[Reference, Json] = {}

    def text(self, text: str) -> Json:
        """Return what a text becomes."""
        try:
            parts = pieces(text)
        except BadReference as error:
            raise Unbound(str(error)) from error
        if len(parts) == 1 and isinstance(parts[0], Reference):
            return self._value(parts[0])
        return "".join(part if isinstance(part, str) else rendered(self._value(part)) for part in parts)

    def _value(self, reference: Reference) -> Json:
        if reference not in self._resolved:
            self._resolved[reference] = self._output(reference)
        value = self._resolved[reference]
        self._room -= least_bytes(value, self._room)
        if self._room < 0:
            raise TooLarge
        return value

    def _output(self, reference: Reference) -> Json:
        node = _chosen(reference, self._succeeded)
        if node is None:
            raise Unbound(f"{reference}: none of these nodes succeeded")
        if node not in self._outputs:
            raise Unbound(f"{reference}: node {node!r} has no output")
        try:
            return at_pointer(self._outputs[node], reference.pointer)
        except PointerMissing:
            shape = _shape(self._outputs[node])
            raise Unbound(f"{reference}: the output of {node!r} has nothing there; it is {shape}") from None


def _chosen(reference: Reference, succeeded: AbstractSet[NodeId]) -> NodeId | None:
    """Return the node whose output a reference stands for: of several, the first that succeeded."""
    if not reference.others:
        return reference.node
    return next((node for node in reference.nodes if node in succeeded), None)


def _shape(value: Json) -> str:
    match value:
        case None:
            return "null"
        case str():
            return "a text"
        case Mapping():
            return f"an object with the keys {', '.join(list(value)[:20])}"[:300]
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return f"a {type(value).__name__}"


def rendered(value: Json) -> str:
    """Return a value as it stands inside a text: a string raw, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def bind_object(
    thread: ThreadId, written: Mapping[str, Json], outcomes: Mapping[NodeId, Outcome], artifacts: Artifacts
) -> Mapping[str, Json] | Failed:
    """Return arguments or inputs with every reference resolved, or why one cannot be.

    Raises:
        StoreUnavailable: the database with an artifact cannot be reached.
    """
    return await _resolving(thread, written, outcomes, artifacts, partial(_bound_within, written))


async def check_met(
    thread: ThreadId, condition: Condition, outcomes: Mapping[NodeId, Outcome], artifacts: Artifacts
) -> bool | Failed:
    """Return whether a condition is met, or why nobody can tell.

    Raises:
        StoreUnavailable: the database with an artifact cannot be reached.
    """
    return await _resolving(thread, condition, outcomes, artifacts, partial(_met_within, condition))


class _Outputs(NamedTuple):
    """The outputs that a node refers to."""

    values: Mapping[NodeId, Json]
    succeeded: AbstractSet[NodeId]


async def _resolving(
    thread: ThreadId,
    written: Json,
    outcomes: Mapping[NodeId, Outcome],
    artifacts: Artifacts,
    resolved: Callable[[_Outputs], _T | Failed],
) -> _T | Failed:
    """Load the outputs that `written` refers to, and return what `resolved` makes of them."""
    try:
        references = [reference for _, reference in references_in(written)]
        named = {node for reference in references for node in reference.nodes}
        succeeded = {node for node in named if isinstance(outcomes.get(node), Succeeded)}
        chosen = (_chosen(reference, succeeded) for reference in references)
        needed = {node: outcome for node in chosen if node and (outcome := outcomes.get(node)) is not None}
        refs = [ref for outcome in needed.values() if isinstance(outcome, Succeeded) and (ref := outcome.artifact)]
        if (size := sum(ref.size for ref in refs)) > _LOADED_BYTES:
            return _too_large(
                f"the outputs that are needed here come to {size} bytes together, more than {_LOADED_BYTES}"
            )
        values = {node: await _referred(thread, outcome, artifacts) for node, outcome in needed.items()}
        outputs = _Outputs(values, succeeded)
        # An artifact is large: it is gone through where it holds nobody up.
        return await asyncio.to_thread(resolved, outputs) if refs else resolved(outputs)
    except (Unbound, BadReference) as error:
        return Failed(error="binding", message=str(error))
    except ArtifactMissing as missing:
        return Failed(error="artifact_missing", message=gone(missing))
    except ContentUnavailable:
        return Failed(error="store_unavailable", message="the store of files cannot be reached; nothing is lost")


def _bound_within(written: Mapping[str, Json], outputs: _Outputs) -> Mapping[str, Json] | Failed:
    try:
        result = cast("Mapping[str, Json]", bound(written, *outputs))
    except TooLarge:
        return _too_large(f"the arguments come to more than {BOUND_BYTES} bytes")
    size = len(canonical_json(result).encode())
    return result if size <= BOUND_BYTES else _too_large(f"the arguments come to {size} bytes, more than {BOUND_BYTES}")


def _met_within(condition: Condition, outputs: _Outputs) -> bool | Failed:
    try:
        return is_met(condition, lambda value: bound(value, *outputs))
    except TooLarge:
        return _too_large(f"a value of the condition comes to more than {BOUND_BYTES} bytes")
    except Incomparable as error:
        return Failed(error="not_comparable", message=f"{condition_words(condition)}: {error}")


def _too_large(message: str) -> Failed:
    return Failed(error="arguments_too_large", message=message)


async def _referred(thread: ThreadId, outcome: Outcome, artifacts: Artifacts) -> Json:
    return await output_of(thread, outcome, artifacts) if isinstance(outcome, Succeeded) else outcome_json(outcome)
