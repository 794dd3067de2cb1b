"""Binding: replaces references by the values they stand for. A pure core and a thin shell that loads artifacts.

`${node}` is the node's output when it succeeded, else its outcome as JSON (`{"state": ...}`), so that a fallback can
read what went wrong. A string that is one reference takes the value with its type; inside a longer text a string is
inserted raw and anything else as JSON.
"""

import json
from collections.abc import Mapping
from typing import cast

from agent.errors import ArtifactMissing
from agent.ids import NodeId, ThreadId
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
from agent.tools.output import output_of
from sandbox.script import Json

BOUND_BYTES = 1024 * 1024
"""The most that a call's arguments may come to once every reference is resolved."""


class Unbound(Exception):
    """A reference cannot be resolved; the text says which and why."""


def bound(value: Json, outputs: Mapping[NodeId, Json]) -> Json:
    """Return `value` with every reference replaced from `outputs` and every `$${` unescaped.

    Raises:
        Unbound: a reference is malformed, names a node without an output, or points at nothing.
    """
    return with_texts(value, lambda text: _bound_text(text, outputs))


def _bound_text(text: str, outputs: Mapping[NodeId, Json]) -> Json:
    try:
        parts = pieces(text)
    except BadReference as error:
        raise Unbound(str(error)) from error
    if len(parts) == 1 and isinstance(parts[0], Reference):
        return _resolved(parts[0], outputs)
    return "".join(part if isinstance(part, str) else rendered(_resolved(part, outputs)) for part in parts)


def _resolved(reference: Reference, outputs: Mapping[NodeId, Json]) -> Json:
    if reference.node not in outputs:
        raise Unbound(f"{reference}: node {reference.node!r} has no output")
    try:
        return at_pointer(outputs[reference.node], reference.pointer)
    except PointerMissing:
        shape = _shape(outputs[reference.node])
        raise Unbound(f"{reference}: the output of {reference.node!r} has nothing there; it is {shape}") from None


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
    try:
        needed = {reference.node for _, reference in references_in(written)}
        outputs = {node: await _referred(thread, outcomes[node], artifacts) for node in needed if node in outcomes}
        result = cast("Mapping[str, Json]", bound(written, outputs))
    except (Unbound, BadReference) as error:
        return Failed(error="binding", message=str(error))
    except ArtifactMissing:
        return Failed(error="artifact_missing", message="an earlier output that is needed here is no longer kept")
    size = len(canonical_json(result).encode())
    if size > BOUND_BYTES:
        message = f"the arguments come to {size} bytes, more than {BOUND_BYTES}"
        return Failed(error="arguments_too_large", message=message)
    return result


async def _referred(thread: ThreadId, outcome: Outcome, artifacts: Artifacts) -> Json:
    return await output_of(thread, outcome, artifacts) if isinstance(outcome, Succeeded) else outcome_json(outcome)
