"""Eviction over random runs against a model of its rule: nothing that is referred to is ever gone, everything else is.

The model knows the rule alone: done and older than so many rounds or steps, a file leaves the prompts, and then, by age
and by the quotas of run, thread and workspace, the store, the oldest first; never what an unfinished node, an open
request, an answer or the audit refers to. A thread without a run under way shows no prompts.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import URL, text

from agent.approval import Decision
from agent.errors import ArtifactMissing
from agent.ids import ApprovalId, Digest, NodeId, ThreadId, thread_parts
from agent.plan.eviction import FileLimits
from agent.plan.file_names import FILES_GREP, FILES_READ
from agent.plan.files import FileOrigin, FileRecord
from agent.plan.operations import Add, NodeKind
from agent.plan.outcomes import NodeState, Succeeded
from agent.ports import RunStatus
from infra.db.database import Database
from infra.stores.artifacts import digest_of_content
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.rows import ADA, GRACE, NOON, a_message, a_node, a_request, changed, planned

_numbers = itertools.count(1)

THREADS = st.integers(0, 2)
PICKS = st.integers(0, 1_000)
"""Which of those there are: modulo their number."""


def limits_of(quotas: Mapping[str, int], rounds: int, steps: int) -> FileLimits:
    """Return limits with these quotas, and no others."""
    run, thread, tenant = (quotas.get(of, 10**9) for of in ("run", "thread", "tenant"))
    return FileLimits(prompt_rounds=rounds, prompt_steps=steps, run_bytes=run, thread_bytes=thread, tenant_bytes=tenant)


LIMITS = st.builds(
    limits_of,
    st.dictionaries(st.sampled_from(["run", "thread", "tenant"]), st.sampled_from([1, 60, 120]), min_size=1),
    st.integers(1, 2),
    st.sampled_from([1, 3, 1_000]),
)

MENTIONS = (
    "It is in `{name}`.",
    "See {end} under *Files*.",
    "Done:\n{end}",
    "See \u201c{end}\u201d, _please_.",
    "See _{end}_",
)
WORDS = st.sampled_from([*MENTIONS, "See x{end}, my_{end} and {end}x.", "All is well."])

WAYS: Mapping[str, Callable[[Sequence[str], str], dict[str, Any]]] = {
    "each": lambda needs, _: {"args": {need: f"${{{need}}}" for need in needs}},
    "whichever": lambda needs, _: {"args": {"of": f"${{{'|'.join(needs)}}}"}},
    "condition": lambda needs, _: {"when": f"${{{needs[0]}}}"},
    "template": lambda needs, _: {"for_each": f"${{{needs[0]}#/list}}"},
    "order": lambda _needs, _: {},
    "subagent": lambda needs, _: {
        "kind": NodeKind.SUBAGENT,
        "tool": None,
        "role": "analyst",
        "instruction": "Look.",
        "files": tuple(f"${{{need}}}" for need in needs),
    },
    "file": lambda _, name: {"tool": FILES_READ, "args": {"name": name}},
    "search": lambda _, name: {"tool": FILES_GREP, "args": {"pattern": "a", "prefix": name[:-4]}},
    "words": lambda _, name: {"args": {"text": f"see {name}"}},
}
"""How a node refers to others, or to a file."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A node to plan."""

    way: str
    needs: Sequence[int]
    #: Its output: letter and bytes; few, so that nodes and threads share some.
    letter: str
    size: int
    report: bool
    ends: bool


PLANS = st.lists(
    st.builds(
        Planned,
        way=st.sampled_from(["none", "none", "item", "item", "search", *WAYS]),
        needs=st.lists(PICKS, min_size=1, max_size=2),
        letter=st.sampled_from("ab"),
        size=st.sampled_from([10, 25, 50]),
        report=st.booleans(),
        ends=st.sampled_from([True, True, False]),
    ),
    min_size=1,
    max_size=6,
)


@dataclass(kw_only=True)
class ModelNode:
    """A node, with all that it refers to."""

    id: str
    turn: int
    needs: set[str] = field(default_factory=set[str])
    #: Last parts of files' names in its fields.
    ends: set[str] = field(default_factory=set[str])
    #: How the names begin of the files that it searches; empty: none.
    prefix: str = ""
    item_of: str = ""
    ended: bool = False
    audited: bool = False

    @property
    def counts(self) -> bool:
        """Return whether it may still be asked what it refers to."""
        return self.audited or not self.ended


@dataclass(kw_only=True)
class ModelFile:
    """A file, or what is left of it."""

    node: ModelNode
    end: str
    content: bytes
    #: Whether it is older than files are kept, and its place among all files.
    made: tuple[int, int]
    found: int | None = None
    gone: str = ""

    @property
    def name(self) -> str:
        """Return its name in the thread."""
        return f"{self.node.turn}/{self.node.id}/{self.end}"


@dataclass(kw_only=True)
class ModelThread:
    """A thread."""

    id: ThreadId
    turn: int = 0
    running: bool = False
    mail: bool = False
    rounds: int = 0
    nodes: dict[str, ModelNode] = field(default_factory=dict[str, ModelNode])
    files: dict[str, ModelFile] = field(default_factory=dict[str, ModelFile])
    #: Turn and last part of a file's name, of each answer and reply.
    told: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    #: The last part that each open request names; empty: none.
    asked: dict[ApprovalId, str] = field(default_factory=dict[ApprovalId, str])

    @property
    def live(self) -> list[ModelFile]:
        """Return the files that are kept, oldest first."""
        return sorted(
            (file for file in self.files.values() if not file.gone), key=lambda file: (-file.made[0], file.made[1])
        )

    def is_referred_to(self, file: ModelFile) -> bool:
        """Return whether an unfinished node, an open request, an answer or the audit refers to a file."""
        counting = [node for node in self.nodes.values() if node.counts]
        parent = self.nodes.get(file.node.item_of)
        return (
            file.node in counting
            or any(file.node.id in node.needs for node in counting)
            or (parent is not None and parent in counting)
            or any(file.end in node.ends for node in counting if not node.ended)
            or any(node.prefix and file.name.startswith(node.prefix) for node in counting if not node.ended)
            or file.end in self.asked.values()
            or any(turn >= file.node.turn and end == file.end for turn, end in self.told)
        )

    def is_shown(self, file: ModelFile, limits: FileLimits) -> bool:
        """Return whether prompts show a file: new, or at most so many rounds and so many ended steps old."""
        rounds = 0 if file.found is None else self.rounds - file.found
        planned_since = itertools.islice(self.nodes.values(), list(self.nodes).index(file.node.id) + 1, None)
        steps = sum(node.ended for node in planned_since)
        return rounds == 0 or (rounds <= limits.prompt_rounds and steps <= limits.prompt_steps)


class FilesMachine(RuleBasedStateMachine):
    """Three threads of a workspace of its own; the store's files must be those of the model."""

    def __init__(self, url: URL) -> None:
        super().__init__()
        self.number = next(_numbers)
        self.threads = [ModelThread(id=ThreadId(f"T{self.number}:C1:{at}.0")) for at in range(3)]
        self.limits = FileLimits()
        self.runner = asyncio.Runner()
        self.database = Database(url)
        self.counter = itertools.count(1)
        #: Whether the last pass of the chore left the workspace above its quota.
        self.in_excess = False

    @initialize(limits=LIMITS, plans=st.tuples(PLANS, PLANS, PLANS))
    def open(self, limits: FileLimits, plans: tuple[Sequence[Planned], ...]) -> None:
        self.limits = limits
        notifications = PgNotifications(self.database)
        self.stores = Stores(self.database, Queue(self.database), notifications, file_limits=limits)
        for at, plan in enumerate(plans):
            self.run(self._begun(self.threads[at]))
            self.plan(at, plan)

    def teardown(self) -> None:
        """Each run ends with evictions."""
        try:
            if hasattr(self, "stores"):
                for at in range(3):
                    self.begin_rounds(at, 3)
                    self.answer(at, 0, MENTIONS[0], "answer", goes_on=False)
                self.prune()
                for thread in self.threads:
                    live = {file.content for file in thread.live}
                    for content in {file.content for file in thread.files.values()}:
                        assert self.run(self._read(thread.id, content)) == (content if content in live else None)
        finally:
            self._close()

    def _close(self) -> None:
        # The chore looks at every workspace; those of other runs are none of this one's.
        self.sql(f"DELETE FROM files WHERE tenant = 'T{self.number}'")  # noqa: S608 - our own number
        if hasattr(self, "stores"):
            self.run(self.stores.progress.close())
        self.run(self.database.close())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def sql(self, statement: str) -> None:
        async def executed() -> None:
            async with self.database.begin() as connection:
                await connection.execute(text(statement))

        self.run(executed())

    # What happens in a thread.

    @rule(at=THREADS)
    def write(self, at: int) -> None:
        """A person writes; nobody has read it yet."""
        thread = self.threads[at]
        if not thread.running and not thread.mail:
            self.run(self._written(thread))

    async def _written(self, thread: ModelThread) -> None:
        await self.stores.inbox.accept(a_message(ts=f"{self.number}.{next(self.counter)}", thread=thread.id))
        thread.mail = True

    @rule(at=THREADS)
    def follow_up(self, at: int) -> None:
        if not self.threads[at].running:
            self.run(self._begun(self.threads[at]))

    async def _begun(self, thread: ModelThread) -> None:
        if not thread.mail:
            await self._written(thread)
        thread.turn += 1
        thread.running, thread.mail = True, False
        mail = [message.id for message in await self.stores.mailbox.untaken(thread.id)]
        await self.stores.runs.begin(thread.id, thread.turn)
        await self.stores.mailbox.taken(thread.id, thread.turn, mail)

    @rule(at=THREADS, plan=PLANS)
    def plan(self, at: int, plan: Sequence[Planned]) -> None:
        """Plan nodes, store what they made, and end some of them."""
        thread = self.threads[at]
        if thread.running:
            self.run(self._all_planned(thread, plan))

    async def _all_planned(self, thread: ModelThread, plan: Sequence[Planned]) -> None:
        nodes = [await self._planned(thread, one) for one in plan[: 24 - len(thread.nodes)]]
        await self._ended(thread, *(node for node, one in zip(nodes, plan, strict=False) if one.ends))

    async def _planned(self, thread: ModelThread, plan: Planned) -> ModelNode:
        node = ModelNode(id=f"n{len(thread.nodes):02}", turn=thread.turn)
        fields = self._referring(thread, node, plan)
        needs = sorted(node.needs) if plan.way == "order" else []
        made = replace(a_node(node.id, *needs), **fields)
        await self.stores.log.append(thread.id, thread.turn, ADA, [Add(node=made)])
        self.stores.progress.note(thread.id, planned(node.id, *needs, turn=thread.turn))
        thread.nodes[node.id] = node
        await self._put(thread, node, f"{node.id}.txt", (plan.letter * plan.size).encode())
        if plan.report:
            await self._put(thread, node, "report.md", (plan.letter * 10).encode())
        return node

    def _referring(self, thread: ModelThread, node: ModelNode, plan: Planned) -> dict[str, Any]:
        """Have a node refer to others, or to a file, if there are any; return its fields."""
        others, files = list(thread.nodes.values()), list(thread.files.values())
        if plan.way == "none" or not others:
            return {}
        if plan.way == "item":
            unfinished = [other for other in others if not other.ended] or others
            node.item_of = unfinished[plan.needs[0] % len(unfinished)].id
            return {"item_of": NodeId(node.item_of)}
        file = files[plan.needs[0] % len(files)]
        match plan.way:
            case "search":
                node.prefix = file.name[:-4]
            case "words":
                node.ends = {file.end}
            case "file":
                node.ends, node.needs = {file.end}, {file.node.id}
            case _:
                most = 1 if plan.way in ("condition", "template") else 2
                node.needs = {others[pick % len(others)].id for pick in plan.needs[:most]}
        return WAYS[plan.way](sorted(node.needs), file.name)

    async def _put(self, thread: ModelThread, node: ModelNode, end: str, content: bytes) -> None:
        origin = FileOrigin(turn=node.turn, node=NodeId(node.id), author=ADA)
        await self.stores.artifacts.put(thread.id, end, content, "text/plain", origin)
        file = ModelFile(node=node, end=end, content=content, made=(0, next(self.counter)))
        thread.files[file.name] = file

    async def _ended(self, thread: ModelThread, *nodes: ModelNode) -> None:
        for node in nodes:
            ended = changed(node.id, NodeState.SUCCEEDED, NOON, outcome=Succeeded(value=None))
            self.stores.progress.note(thread.id, ended)
            node.ended = True
        await self.stores.progress.flush()

    @rule(at=THREADS, pick=PICKS, letter=st.sampled_from("ab"))
    def make_again(self, at: int, pick: int, letter: str) -> None:
        """A node that has not ended stores its output once more."""
        thread = self.threads[at]
        if unfinished := [node for node in thread.nodes.values() if not node.ended]:
            node = unfinished[pick % len(unfinished)]
            self.run(self._put(thread, node, f"{node.id}.txt", letter.encode() * 25))

    @rule(at=THREADS, pick=PICKS)
    def end(self, at: int, pick: int) -> None:
        thread = self.threads[at]
        if unfinished := [node for node in thread.nodes.values() if not node.ended]:
            self.run(self._ended(thread, unfinished[pick % len(unfinished)]))

    @rule(at=THREADS, pick=PICKS, how=st.sampled_from(["started", "denied", "rejected"]))
    def call(self, at: int, pick: int, how: str) -> None:
        """A node is a red call that reaches the audit."""
        thread = self.threads[at]
        if thread.nodes:
            node = list(thread.nodes.values())[pick % len(thread.nodes)]
            self.run(self._called(thread, NodeId(node.id), how))
            node.audited = True

    async def _called(self, thread: ModelThread, node: NodeId, how: str) -> None:
        if how == "started":
            await self.stores.ledger.start(thread.id, node, Digest("d" * 64), 1)
            return
        request = a_request(ApprovalId(f"{self.number}-{next(self.counter)}"), thread.id, node=node)
        if how == "denied":
            await self.stores.approvals.deny(request, "never")
            return
        await self.stores.approvals.ask(request)
        await self._decided(thread, request.id)

    @rule(at=THREADS, pick=PICKS, words=WORDS)
    def ask(self, at: int, pick: int, words: str) -> None:
        """A person is asked about something that speaks of a file."""
        thread = self.threads[at]
        if thread.files:
            file = list(thread.files.values())[pick % len(thread.files)]
            said = {"channel": "#ops", "text": words.format(name=file.name, end=file.end)}
            request = a_request(ApprovalId(f"{self.number}-{next(self.counter)}"), thread.id, args=said)
            self.run(self.stores.approvals.ask(request))
            thread.asked[request.id] = file.end if words in MENTIONS else ""

    @precondition(lambda self: any(thread.asked for thread in self.threads))
    @rule(pick=PICKS)
    def decide(self, pick: int) -> None:
        asked = [(thread, request) for thread in self.threads for request in thread.asked]
        thread, request = asked[pick % len(asked)]
        self.run(self._decided(thread, request))
        del thread.asked[request]

    async def _decided(self, thread: ModelThread, request: ApprovalId) -> None:
        tenant = thread_parts(thread.id).tenant
        await self.stores.approvals.decide(tenant, request, version=1, by=GRACE, decision=Decision.REJECTED)

    @rule(at=THREADS, pick=PICKS, words=WORDS, by=st.sampled_from(["answer", "reply"]), goes_on=st.booleans())
    def answer(self, at: int, pick: int, words: str, by: str, *, goes_on: bool) -> None:
        """Every node ends, and so does the run, with words that speak of a file; a follow-up may stand there by then.

        The report of the next turn has the name of an earlier one.
        """
        thread = self.threads[at]
        if not thread.running:
            return
        file = list(thread.files.values())[pick % len(thread.files)] if thread.files else None
        said = words.format(name=file.name, end=file.end) if file else "Done."
        self.run(self._answered(thread, said, by))
        if file and words in MENTIONS:
            thread.told.append((thread.turn, file.end))
        if goes_on:
            self.run(self._begun(thread))
            self.plan(at, [Planned(way="none", needs=[0], letter="a", size=10, report=True, ends=True)])

    async def _answered(self, thread: ModelThread, said: str, by: str) -> None:
        await self._ended(thread, *(node for node in thread.nodes.values() if not node.ended))
        if by == "reply":
            await self.stores.mailbox.taken(thread.id, thread.turn, [], reply=said)
        await self.stores.runs.finish(thread.id, thread.turn, RunStatus.DONE, said if by == "answer" else "")
        thread.running = False

    @rule(at=THREADS, pick=PICKS)
    def grow_old(self, at: int, pick: int) -> None:
        """The oldest files of a thread become older than files are kept."""
        thread = self.threads[at]
        oldest = [file for file in thread.live if not file.made[0]][: 1 + pick % 6]
        for file in oldest:
            file.made = (1, file.made[1])
        names = ", ".join(f"'{file.name}'" for file in oldest)
        if names:
            which = f"tenant = 'T{self.number}' AND thread = '{thread.id}' AND name IN ({names})"
            self.sql(f"UPDATE files SET made_at = made_at - interval '40 days' WHERE {which}")  # noqa: S608 - our own

    # Eviction.

    @rule(at=THREADS, count=st.integers(1, 3))
    def begin_rounds(self, at: int, count: int) -> None:
        thread = self.threads[at]
        if thread.running:
            for _ in range(count):
                self._round(thread, self.run(self.stores.files.begin(thread.id)))
            self.check()

    @precondition(lambda self: not self.in_excess)
    @rule(pick=PICKS, letter=st.sampled_from("ab"))
    def begin_while_another_stores(self, pick: int, letter: str) -> None:
        """Another thread stores what this one may be deleting."""
        thread, other = self.threads[:2]
        unfinished = [node for node in other.nodes.values() if not node.ended]
        if not thread.running or not unfinished:
            return
        node = unfinished[pick % len(unfinished)]

        async def both() -> Any:
            putting = self._put(other, node, f"{node.id}.txt", letter.encode() * 25)
            return (await asyncio.gather(self.stores.files.begin(thread.id), putting))[0]

        self._round(thread, self.run(both()))
        self.check()

    def _round(self, thread: ModelThread, shown: Any) -> None:
        if thread.live:
            thread.rounds += 1
            for file in thread.live:
                file.found = thread.rounds if file.found is None else file.found
            kept = {file.name for file in thread.live if thread.is_shown(file, self.limits)}
            assert shown.fresh | shown.older == kept
            self.in_excess = self.in_excess and self._workspace_bytes() > self.limits.tenant_bytes
            self._evict(thread, lambda file: not thread.is_shown(file, self.limits), for_workspace=self.in_excess)

    @rule()
    def prune(self) -> None:
        """The chore's pass, so long after the last one that it looks again at what could not go."""
        self.sql("UPDATE files SET spared_at = spared_at - interval '13 hours'")
        self.run(self.stores.files.prune())
        idle = [thread for thread in self.threads if thread.live and not thread.running and not thread.mail]
        for thread in sorted(idle, key=lambda thread: (-thread.live[0].made[0], thread.live[0].made[1])):
            self._evict(thread, lambda _: True, for_workspace=True)
        self.in_excess = self._workspace_bytes() > self.limits.tenant_bytes
        self.check()

    def _workspace_bytes(self) -> int:
        return sum(len(file.content) for thread in self.threads for file in thread.live)

    def _evict(self, thread: ModelThread, may_go: Callable[[ModelFile], bool], *, for_workspace: bool) -> None:
        """The rule: what may go and nothing refers to goes by age, then oldest first while any quota is exceeded."""
        spare = [file for file in thread.live if may_go(file) and not thread.is_referred_to(file)]
        for file in spare:
            if file.made[0]:
                file.gone = "age"
        for file in (file for file in spare if not file.gone):
            of_run = sum(len(other.content) for other in thread.live if other.node.turn == file.node.turn)
            if of_run > self.limits.run_bytes:
                file.gone = "run"
            elif sum(len(other.content) for other in thread.live) > self.limits.thread_bytes:
                file.gone = "thread"
            elif for_workspace and self._workspace_bytes() > self.limits.tenant_bytes:
                file.gone = "tenant"

    def check(self) -> None:
        """Compare names, tombstones, and what can be read, with the model."""
        for thread in self.threads:
            listed: Sequence[FileRecord] = self.run(self.stores.files.listed(thread.id, most=1_000))
            assert {one.name: one.evicted.why.value if one.evicted else "" for one in listed} == {
                file.name: file.gone for file in thread.files.values()
            }
            for one in listed:
                assert (one.size, one.media_type) == (len(thread.files[one.name].content), "text/plain")
                assert one.summary.startswith("1 line: ")
        used = {(thread.id, digest_of_content(file.content)) for thread in self.threads for file in thread.live}
        assert self.run(self._found("SELECT thread, digest FROM artifact_uses")) == used
        assert self.run(self._found("SELECT digest FROM artifacts")) == {(digest,) for _, digest in used}

    async def _found(self, query: str) -> set[tuple[str, ...]]:
        rows = await self.database.execute(text(f"{query} WHERE tenant = 'T{self.number}'"))
        return {tuple(row) for row in rows}

    async def _read(self, thread: ThreadId, content: bytes) -> bytes | None:
        try:
            return await self.stores.artifacts.get(thread, digest_of_content(content))
        except ArtifactMissing:
            return None


def test_eviction_keeps_to_its_rule_over_random_runs(database_url: URL) -> None:
    run_state_machine_as_test(
        lambda: FilesMachine(database_url),  # pyright: ignore[reportArgumentType]  # documented: a class or a factory
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
