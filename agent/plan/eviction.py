"""Which files leave the prompts, and which contents the store lets go. Pure: records and references in, names out.

A file leaves the prompts once its node has been done for more than 3 planning rounds, or once more than 20 steps have
ended after it and a round has passed. What left the prompts may be deleted, by age and by quotas, the oldest first;
never what is referred to.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.ids import NodeId
from agent.plan.file_names import file_read_by, node_of
from agent.plan.files import Evicted, FileRecord
from agent.plan.operations import Node, references_of
from agent.plan.references import references_in


@dataclass(frozen=True, kw_only=True)
class FileLimits:
    """For how long the files of a thread stand in prompts, and for how long and up to how much they are kept.

    What an unfinished step, an open request, an answer or the audit refers to is kept beyond all of it.
    """

    #: Planning rounds after which a file leaves the prompts.
    prompt_rounds: int = field(default=3, metadata={"ge": 1, "le": 1_000})
    #: Steps that ended after it, after which it leaves them sooner.
    prompt_steps: int = field(default=20, metadata={"ge": 1, "le": 10_000})
    #: Days after which a file that left the prompts is deleted.
    days: float = field(default=30.0, metadata={"gt": 0, "le": 3_650})
    #: Bytes of one run's files, above which the oldest are deleted.
    run_bytes: int = field(default=256 * 1024 * 1024, metadata={"ge": 1})
    #: The same of a thread.
    thread_bytes: int = field(default=1024 * 1024 * 1024, metadata={"ge": 1})
    #: The same of a workspace.
    tenant_bytes: int = field(default=20 * 1024 * 1024 * 1024, metadata={"ge": 1})


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """A file with its age."""

    record: FileRecord
    #: Planning rounds since the one that first found it.
    rounds: int
    #: Nodes planned after its own that have ended.
    steps: int


@dataclass(frozen=True, kw_only=True)
class FileReferences:
    """What in a thread refers to files."""

    #: Their outputs are needed, or stand in the audit.
    nodes: AbstractSet[NodeId] = frozenset()
    #: Named by an answer, an open request or an unfinished step.
    names: AbstractSet[str] = frozenset()

    def cover(self, record: FileRecord) -> bool:
        """Return whether something refers to the file."""
        return record.origin.node in self.nodes or record.name in self.names


def steps_after(newest_first: Iterable[NodeId], ended: Callable[[NodeId], bool], most: int) -> Mapping[NodeId, int]:
    """Return node -> how many nodes planned after it have ended, of those nodes where it is at most `most`."""
    later: dict[NodeId, int] = {}
    count = 0
    for node in newest_first:
        if count > most:
            break
        later[node] = count
        count += ended(node)
    return later


def in_prompts(file: KeptFile, limits: FileLimits) -> bool:
    """Return whether models are still shown the file."""
    return file.rounds == 0 or (file.rounds <= limits.prompt_rounds and file.steps <= limits.prompt_steps)


@dataclass(frozen=True, kw_only=True)
class PromptFiles:
    """The files that the models of one planning round are shown."""

    #: New since the last round, and among the newest: their beginnings are shown, too.
    fresh: AbstractSet[str] = frozenset()
    #: In one line each.
    older: AbstractSet[str] = frozenset()
    #: So many nodes of earlier turns are shown with their results; of the others only the ids.
    steps: int = FileLimits.prompt_steps
    #: Nodes of this turn that have been done for more rounds than files stand in prompts: their results are shortened.
    old: AbstractSet[NodeId] = frozenset()

    @classmethod
    def of(cls, files: Iterable[KeptFile], limits: FileLimits) -> "PromptFiles":
        """Return those of a thread's files that are shown."""
        shown = [file for file in files if in_prompts(file, limits)]
        fresh = {file.record.name for file in shown if file.rounds == 0 and file.steps <= limits.prompt_steps}
        older = frozenset(file.record.name for file in shown) - fresh
        return cls(fresh=frozenset(fresh), older=older, steps=limits.prompt_steps)


def referred_nodes(
    nodes: Mapping[NodeId, Node], ended: AbstractSet[NodeId], audited: AbstractSet[NodeId]
) -> frozenset[NodeId]:
    """Return the nodes whose outputs may still be asked for.

    Those are each unfinished node, its items and everything it refers to; and, of each red call in the audit, the
    same, because its digest there covers what its arguments came from.
    """
    at_work = {name for name in nodes if name not in ended} | (audited & nodes.keys())
    referred = {*at_work, *audited}
    for name, node in nodes.items():
        if node.item_of in at_work:
            referred.add(name)
        if name in at_work:
            referred.update(_referred_by(node))
    return frozenset(referred)


def _referred_by(node: Node) -> Iterable[NodeId]:
    yield from (dependency.node for dependency in node.depends_on)
    yield from (named for _, reference in references_in(references_of(node)) for named in reference.nodes)
    if (of_file := node_of(file_read_by(node) or "")) is not None:
        yield of_file


def evictions(
    files: Collection[KeptFile],
    references: FileReferences,
    limits: FileLimits,
    *,
    now: datetime,
    tenant_excess: int = 0,
    idle: bool = False,
) -> Mapping[str, Evicted]:
    """Return name -> why its content goes.

    `tenant_excess` is how many bytes the workspace has above its quota. `idle`: the thread has no run under way, so no
    prompt shows anything of it.
    """
    oldest = sorted(files, key=lambda file: (file.record.made_at, file.record.name))
    spare = [
        file.record for file in oldest if (idle or not in_prompts(file, limits)) and not references.cover(file.record)
    ]
    gone: dict[str, Evicted] = {}
    for record in spare:
        if now - record.made_at > timedelta(days=limits.days):
            gone[record.name] = Evicted.AGE
    left = [file.record for file in files if file.record.name not in gone]
    of_turn = Counter[int]()
    for record in left:
        of_turn[record.origin.turn] += record.size
    of_thread = sum(record.size for record in left)
    tenant_excess -= sum(file.record.size for file in files) - of_thread
    for record in spare:
        if record.name in gone:
            continue
        if of_turn[record.origin.turn] > limits.run_bytes:
            gone[record.name] = Evicted.RUN_QUOTA
        elif of_thread > limits.thread_bytes:
            gone[record.name] = Evicted.THREAD_QUOTA
        elif tenant_excess > 0:
            gone[record.name] = Evicted.TENANT_QUOTA
        else:
            continue
        of_turn[record.origin.turn] -= record.size
        of_thread -= record.size
        tenant_excess -= record.size
    return gone
