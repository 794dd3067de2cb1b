"""Eviction against a model of it, in any order: nothing that is referred to is ever gone, everything else is."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import URL

from agent.errors import ArtifactMissing
from agent.ids import ApprovalId, Digest, NodeId, ThreadId
from agent.plan.eviction import FileLimits
from agent.plan.file_names import FILES_READ
from agent.plan.operations import Add, NodeKind
from agent.ports import RunStatus
from infra.db.database import Database
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.files import add_node, end_node, put_output
from tests.fakes.rows import ADA, a_message, a_node, a_request, planned

_numbers = itertools.count(1)

LIMITS = FileLimits(prompt_rounds=1, prompt_steps=1_000, run_bytes=1, thread_bytes=1)
NAMES = st.sampled_from(["a", "b", "c", "d"])
CONTENTS = st.sampled_from(["one", "two"])
"""Few, so that nodes and threads share some."""

_WAYS_OF: Mapping[str, Callable[[Sequence[str]], dict[str, Any] | None]] = {
    "each": lambda _: None,
    "whichever": lambda needs: {"args": {"of": f"${{{'|'.join(needs)}}}"}},
    "condition": lambda needs: {"when": f"${{{needs[0]}}}"},
    "template": lambda needs: {"for_each": f"${{{needs[0]}#/list}}"},
    "subagent": lambda needs: {
        "kind": NodeKind.SUBAGENT,
        "tool": None,
        "role": "analyst",
        "instruction": "Look.",
        "files": tuple(f"${{{need}}}" for need in needs),
    },
    "file": lambda needs: {"tool": FILES_READ, "args": {"name": f"1/{needs[0]}/{needs[0]}.txt"}},
}
WAYS = sorted(_WAYS_OF)
"""How a node refers to others."""


class FilesMachine(RuleBasedStateMachine):
    """Two threads of a tenant of its own; the store's files must be those of the model."""

    def __init__(self, url: URL) -> None:
        super().__init__()
        self.number = next(_numbers)
        self.threads = [ThreadId(f"T{self.number}:C1:{at}.0") for at in (1, 2)]
        self.runner = asyncio.Runner()
        self.database = Database(url)
        notifications = PgNotifications(self.database)
        self.stores = Stores(self.database, Queue(self.database), notifications, file_limits=LIMITS)
        #: Node -> those it refers to; its content; when a round found it; whether it ended; whether it was started.
        self.plan: dict[tuple[int, str], list[str]] = {}
        self.content: dict[tuple[int, str], str] = {}
        self.found: dict[tuple[int, str], int | None] = {}
        self.ended: set[tuple[int, str]] = set()
        self.started: set[tuple[int, str]] = set()
        #: By an answer; by an open request.
        self.named: set[tuple[int, str]] = set()
        self.asked: dict[ApprovalId, tuple[int, str]] = {}
        self.closed: set[ApprovalId] = set()
        self.gone: set[tuple[int, str]] = set()
        self.rounds = [0, 0]

    def teardown(self) -> None:
        self.run(self.stores.progress.close())
        self.run(self.database.close())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @rule(at=st.integers(0, 1), name=NAMES, needs=st.sets(NAMES, max_size=2), way=st.sampled_from(WAYS))
    def add(self, at: int, name: str, needs: set[str], way: str) -> None:
        refers_to = [other for other in sorted(needs) if (at, other) in self.plan]
        if (at, name) not in self.plan:
            self.run(self._added(at, name, refers_to, way))
            self.plan[at, name] = refers_to[:1] if way == "file" else refers_to

    async def _added(self, at: int, name: str, refers_to: Sequence[str], way: str) -> None:
        """Add a node that refers to others one by one, to whichever of them succeeded, in other fields or by a file."""
        thread, fields = self.threads[at], _WAYS_OF[way](refers_to) if refers_to else None
        if fields is None:
            await add_node(self.stores, name, *refers_to, thread=thread)
            return
        needs = () if way == "file" else refers_to
        made = replace(a_node(name, *needs), **{"args": {}, **fields})
        await self.stores.log.append(thread, 1, ADA, [Add(node=made)])
        self.stores.progress.note(thread, planned(name, *needs, turn=1))

    @rule(at=st.integers(0, 1), name=NAMES, content=CONTENTS)
    def put(self, at: int, name: str, content: str) -> None:
        if (at, name) in self.plan and (at, name) not in self.ended:
            self.run(put_output(self.stores, name, content, thread=self.threads[at]))
            self.content[at, name], self.found[at, name] = content, None

    @rule(at=st.integers(0, 1), name=NAMES)
    def end(self, at: int, name: str) -> None:
        if (at, name) in self.plan:
            self.run(end_node(self.stores, name, self.threads[at]))
            self.ended.add((at, name))

    @rule(at=st.integers(0, 1), name=NAMES)
    def start(self, at: int, name: str) -> None:
        if (at, name) in self.plan:
            self.run(self.stores.ledger.start(self.threads[at], NodeId(name), Digest("d" * 64), 1))
            self.started.add((at, name))

    @rule(at=st.integers(0, 1), name=NAMES, by_answer=st.booleans())
    def mention(self, at: int, name: str, by_answer: bool) -> None:
        thread, words = self.threads[at], f"see 1/{name}/{name}.txt"
        if by_answer and not any(where == at for where, _ in self.named):
            self.run(self.stores.inbox.accept(a_message(ts=f"{self.number}.{at}", thread=thread)))
            self.run(self.stores.runs.begin(thread, 1))
            self.run(self.stores.runs.finish(thread, 1, RunStatus.DONE, words))
        else:
            request = a_request(ApprovalId(f"{self.number}-{at}-{name}"), thread, args={"text": words})
            if request.id in self.closed:
                return
            self.run(self.stores.approvals.ask(request))
            self.asked.setdefault(request.id, (at, name))
            return
        self.named.add((at, name))

    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        if self.asked:
            request = data.draw(st.sampled_from(sorted(self.asked)))
            thread = self.threads[self.asked.pop(request)[0]]
            self.run(self.stores.approvals.withdraw(thread, request, "not needed"))
            self.closed.add(request)

    @rule(at=st.integers(0, 1))
    def begin(self, at: int) -> None:
        self.run(self.stores.files.begin(self.threads[at]))
        self._begun(at)

    @rule(name=NAMES, content=CONTENTS)
    def begin_both_while_one_stores(self, name: str, content: str) -> None:
        """The other thread stores what this one may be deleting; it is found by a later round or by this one."""
        stores = (at for at in (1,) if (at, name) in self.plan and (at, name) not in self.ended)

        async def all_at_once() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.stores.files.begin(self.threads[0]))
                for at in stores:
                    group.create_task(put_output(self.stores, name, content, thread=self.threads[at]))
                    self.content[at, name], self.found[at, name] = content, None

        self.run(all_at_once())
        self._begun(0)

    def _begun(self, at: int) -> None:
        live = [key for key in self.content if key[0] == at and key not in self.gone]
        if not live:
            return
        self.rounds[at] += 1
        for key in live:
            found = self.found[key]
            self.found[key] = self.rounds[at] if found is None else found
            if found is not None and self.rounds[at] - found > LIMITS.prompt_rounds and not self._is_needed(key):
                # Two files of a few bytes are more than the run's quota of one byte; so is one.
                self.gone.add(key)

    def _is_needed(self, key: tuple[int, str]) -> bool:
        at, name = key
        if key in self.named or key in self.asked.values() or key in self.started or key not in self.ended:
            return True
        users = (other for other, needs in self.plan.items() if other[0] == at and name in needs)
        return any(user not in self.ended or user in self.started for user in users)

    @invariant()
    def nothing_needed_is_gone_and_everything_else_is(self) -> None:
        for (at, name), content in self.content.items():
            thread = self.threads[at]
            found = self.run(self.stores.files.find(thread, f"1/{name}/{name}.txt"))
            assert (found.evicted is not None) is ((at, name) in self.gone)
            if found.evicted is None:
                assert self.run(self.stores.artifacts.get(thread, found.digest)) == content.encode()
            elif content not in self._live_contents(at):
                assert self.run(self._is_missing(thread, found.digest))

    def _live_contents(self, at: int) -> set[str]:
        return {content for key, content in self.content.items() if key[0] == at and key not in self.gone}

    async def _is_missing(self, thread: ThreadId, digest: Digest) -> bool:
        try:
            await self.stores.artifacts.get(thread, digest)
        except ArtifactMissing:
            return True
        return False


def test_eviction_keeps_to_its_model(database_url: URL) -> None:
    run_state_machine_as_test(
        lambda: FilesMachine(database_url),  # pyright: ignore[reportArgumentType]  # documented: a class or a factory
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
