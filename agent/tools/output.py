"""A node's output as an artifact: moved out of the run's state, and read back."""

import asyncio
from dataclasses import replace

from agent.ids import NodeId, ThreadId
from agent.plan.artifacts import content_of, value_of
from agent.plan.outcomes import Succeeded
from agent.ports import Artifacts
from sandbox.script import Json


async def moved_out(thread: ThreadId, node: NodeId, outcome: Succeeded, artifacts: Artifacts) -> Succeeded:
    """Return the outcome with its value in an artifact.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    content = await asyncio.to_thread(content_of, node, outcome.value)
    ref = await artifacts.put(thread, content.name, content.content, content.media_type)
    return replace(outcome, value=None, artifact=ref)


async def output_of(thread: ThreadId, outcome: Succeeded, artifacts: Artifacts) -> Json:
    """Return the node's whole output.

    Raises:
        ArtifactMissing: its artifact is no longer kept.
        StoreUnavailable: the database cannot be reached.
    """
    if (ref := outcome.artifact) is None:
        return outcome.value
    return await asyncio.to_thread(value_of, await artifacts.get(thread, ref.digest), ref.media_type)
