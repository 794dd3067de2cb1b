"""The files that a subagent is given: what each is called in its thread, and those that its lead hands on."""

from collections.abc import Mapping, Sequence

from agent.errors import ArtifactMissing
from agent.ids import NodeId, ThreadId
from agent.plan.operations import HandedFile, Node, canonical_json
from agent.plan.outcomes import Failed, Outcome, Succeeded
from agent.plan.references import references_in
from agent.ports import Artifacts
from agent.tools.binding import BOUND_BYTES
from agent.tools.output import gone
from sandbox.script import Json


def file_names(node: Node, outcomes: Mapping[NodeId, Outcome]) -> tuple[str, ...]:
    """Return the name of each file of a subagent; "" of a part of one, and of what is no file of the thread."""
    return (*(_name(text, outcomes) for text in node.files), *(file.name for file in node.handed))


def _name(text: str, outcomes: Mapping[NodeId, Outcome]) -> str:
    for _, reference in references_in(text):
        results = (outcomes.get(node) for node in reference.nodes)
        result = next((one for one in results if isinstance(one, Succeeded)), None)
        # An output that an earlier version stored is no file: it has no path.
        if result is not None and result.artifact is not None and "/" in result.artifact.name:
            return "" if reference.pointer else result.artifact.name
    return ""


async def with_handed(
    thread: ThreadId, args: Mapping[str, Json], handed: Sequence[HandedFile], artifacts: Artifacts
) -> Mapping[str, Json] | Failed:
    """Return a subagent's arguments with the texts of the files that its lead hands on, in place of their names.

    Raises:
        StoreUnavailable: the database, or the store of contents, cannot be reached.
    """
    files = args.get("files")
    given = list(files[: -len(handed)]) if isinstance(files, list | tuple) else []
    size = len(canonical_json({**args, "files": given}).encode()) + sum(file.size for file in handed)
    if size > BOUND_BYTES:
        message = (
            f"with its files this comes to {size} bytes, more than {BOUND_BYTES}; hand out fewer, or parts of them"
        )
        return Failed(error="arguments_too_large", message=message)
    texts: list[Json] = []
    for file in handed:
        try:
            content = await artifacts.get(thread, file.digest)
        except ArtifactMissing:
            return Failed(error="artifact_missing", message=gone(ArtifactMissing(file.name, f"{file.size} bytes")))
        texts.append(content.decode(errors="replace"))
    return {**args, "files": [*given, *texts]}
