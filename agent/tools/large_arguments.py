"""Large values of arguments that a tool takes by reference (`Tool.by_reference`).

Such a value is an artifact, and the argument says which: `{"artifact": its SHA-256, "type", "bytes", "begins"}`. So a
card shows the argument whole, and what was approved is exactly that content.
"""

import asyncio
from collections.abc import Mapping

from agent.errors import ArtifactMissing
from agent.ids import Digest, NodeId, ThreadId
from agent.plan.artifacts import content_of, value_of
from agent.plan.json_values import fits
from agent.plan.outcomes import Failed
from agent.ports import Artifacts
from sandbox.script import Json

SHOWN_BYTES = 16 * 1024
"""A smaller value stands in the argument itself, and on the card."""

_BEGINS_CHARACTERS = 200


async def with_references(
    thread: ThreadId, node: NodeId, args: Mapping[str, Json], names: frozenset[str], artifacts: Artifacts
) -> Mapping[str, Json]:
    """Return the arguments with a reference in place of each large value among `names`.

    A value that looks like a reference is stored like a large one: only this function makes those that count.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    made: dict[str, Json] = {}
    for name in names & args.keys():
        value = args[name]
        if fits(value, SHOWN_BYTES) and not _is_reference(value):
            continue
        content = await asyncio.to_thread(content_of, node, value)
        ref = await artifacts.put(thread, content.name, content.content, content.media_type)
        begins = ref.head[:_BEGINS_CHARACTERS]
        made[name] = {"artifact": ref.digest, "type": ref.media_type, "bytes": ref.size, "begins": begins}
    return {**args, **made}


async def with_values(
    thread: ThreadId, args: Mapping[str, Json], names: frozenset[str], artifacts: Artifacts
) -> Mapping[str, Json] | Failed:
    """Return the arguments with the values that `with_references` took out, or why there is none any more.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    whole: dict[str, Json] = {}
    for name in names:
        value = args.get(name)
        if isinstance(value, Mapping) and _is_reference(value):
            try:
                content = await artifacts.get(thread, Digest(str(value["artifact"])))
            except ArtifactMissing:
                return Failed(error="artifact_missing", message=f"what {name} refers to is no longer kept")
            whole[name] = await asyncio.to_thread(value_of, content, str(value["type"]))
    return {**args, **whole}


def bytes_of(value: Json) -> int | None:
    """Return how large the content is that an argument refers to; None: it is no reference."""
    size = value.get("bytes") if isinstance(value, Mapping) and _is_reference(value) else None
    return size if isinstance(size, int) else None


def _is_reference(value: Json) -> bool:
    return isinstance(value, Mapping) and set(value) == {"artifact", "type", "bytes", "begins"}
