"""A node's output as an artifact: moved out of the run's state, and read back."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.errors import ArtifactMissing
from agent.ids import NodeId, ThreadId
from agent.plan.artifacts import content_of, value_of
from agent.plan.file_names import media_type_of
from agent.plan.files import FileOrigin
from agent.plan.outcomes import ArtifactRef, Succeeded
from agent.ports import Artifacts
from agent.redaction import SECRETS
from sandbox.script import Json


async def moved_out(
    thread: ThreadId, node: NodeId, outcome: Succeeded, artifacts: Artifacts, origin: FileOrigin | None = None
) -> Succeeded:
    """Return the outcome with its value in an artifact, which with `origin` is a file.

    Raises:
        StoreUnavailable: the database, or the store of contents, cannot be reached.
    """
    content = await asyncio.to_thread(content_of, node, outcome.value)
    ref = await artifacts.put(thread, content.name, content.content, content.media_type, origin)
    return replace(outcome, value=None, artifact=ref)


async def files_kept(
    thread: ThreadId, texts: Mapping[str, str], artifacts: Artifacts, origin: FileOrigin
) -> Sequence[ArtifactRef]:
    """Store name -> text as files of the node; return them as models see them.

    Raises:
        StoreUnavailable: as above; some may be stored already, and are stored again next time.
    """
    refs: list[ArtifactRef] = []
    for name, text in texts.items():
        content = (await asyncio.to_thread(SECRETS.hide, text)).encode()
        refs.append(await artifacts.put(thread, name, content, media_type_of(name), origin))
    return [replace(ref, head="") for ref in refs]


async def output_of(thread: ThreadId, outcome: Succeeded, artifacts: Artifacts) -> Json:
    """Return the node's whole output.

    Raises:
        ArtifactMissing: its artifact is no longer kept.
        StoreUnavailable: the database, or the store of contents, cannot be reached.
    """
    if (ref := outcome.artifact) is None:
        return outcome.value
    try:
        content = await artifacts.get(thread, ref.digest)
    except ArtifactMissing:
        raise ArtifactMissing(ref.name, f"{ref.size} bytes, {ref.summary or ref.media_type}") from None
    return await asyncio.to_thread(value_of, content, ref.media_type)


def gone(missing: ArtifactMissing) -> str:
    """Return what a step is told whose input was evicted."""
    what = f"the output {missing.name!r}" if missing.name else "an earlier output"
    what += f" ({missing.what})" if missing.what else ""
    return f"{what} that is needed here is no longer kept; add a step that makes it again"
