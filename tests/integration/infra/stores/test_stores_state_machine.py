"""The stores against a model of them, in any order of calls: inbox, operations, approvals, ledger."""

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import URL

from agent.approval import Decision
from agent.errors import DuplicateNode
from agent.ids import ApprovalId, Digest, NodeId, ThreadId
from agent.ports import LedgerState
from bot.ports import Kind, Receipt
from infra.db.database import Database
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.rows import ADA, GRACE, a_message, a_request, an_add, tenant_of, waiting_jobs

_numbers = itertools.count(1)

MESSAGES = st.integers(1, 6)
NAMES = st.sampled_from(["a", "b", "c"])
DECISIONS = st.sampled_from([Decision.APPROVED, Decision.REJECTED])
DIGEST = Digest("d" * 64)


class StoresMachine(RuleBasedStateMachine):
    """One thread of its own for each run; what the stores say must be what the model says."""

    def __init__(self, url: URL) -> None:
        super().__init__()
        number = next(_numbers)
        self.thread = ThreadId(f"T{number}:C1:1.0")
        self.runner = asyncio.Runner()
        self.database = Database(url)
        self.stores = Stores(self.database, Queue(self.database), PgNotifications(self.database))
        self.inbox: dict[int, tuple[bool, int | None]] = {}
        self.log: list[str] = []
        self.approvals: dict[str, Decision] = {}
        self.tries: dict[tuple[str, int], LedgerState] = {}
        self.woken = False

    def teardown(self) -> None:
        self.run(self.database.close())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @rule(ts=MESSAGES, stop=st.booleans())
    def accept(self, ts: int, stop: bool) -> None:
        waits = any(taken is None and not is_stop for is_stop, taken in self.inbox.values())
        wanted = Receipt.DUPLICATE if ts in self.inbox else Receipt.ACCEPTED
        if stop and not waits:
            wanted = Receipt.IDLE
        kind = Kind.STOP if stop else Kind.MENTION
        got = self.run(self.stores.inbox.accept(a_message(ts=f"{ts}.0", thread=self.thread, kind=kind)))
        assert got is wanted
        if got is Receipt.ACCEPTED:
            self.inbox[ts] = (stop, None)
            self.woken = True

    @rule(turn=st.integers(1, 3))
    def take(self, turn: int) -> None:
        messages = self.run(self.stores.mailbox.untaken(self.thread))
        waiting = [ts for ts, (stop, taken) in self.inbox.items() if taken is None and not stop]
        assert len(messages) == len(waiting)
        self.run(self.stores.mailbox.taken(self.thread, turn, [message.id for message in messages]))
        self.inbox.update(dict.fromkeys(waiting, (False, turn)))

    @rule(turn=st.integers(1, 3))
    def hear_stop(self, turn: int) -> None:
        """Rows of the inbox are in the order they came, which a dict keeps."""
        by = self.run(self.stores.mailbox.stopped(self.thread, turn))
        if any(stop and taken == turn for stop, taken in self.inbox.values()):
            assert by == ADA
            return
        first = next((ts for ts, (stop, taken) in self.inbox.items() if stop and taken is None), None)
        assert by == (None if first is None else ADA)
        for ts, (stop, taken) in list(self.inbox.items()):
            if first is None:
                return
            if taken is None:
                self.inbox[ts] = (stop, turn)
            if ts == first:
                return

    @rule(name=NAMES)
    def append(self, name: str) -> None:
        try:
            (logged,) = self.run(self.stores.log.append(self.thread, 1, ADA, [an_add(name)]))
        except DuplicateNode:
            assert name in self.log
        else:
            self.log.append(name)
            assert logged.seq == len(self.log)

    @rule(name=NAMES)
    def ask(self, name: str) -> None:
        record = self.run(self.stores.approvals.ask(a_request(self._approval(name), self.thread)))
        assert record.decision is self.approvals.setdefault(name, Decision.PENDING)

    @rule(name=NAMES, decision=DECISIONS, version=st.integers(1, 2))
    def decide(self, name: str, decision: Decision, version: int) -> None:
        record = self.run(
            self.stores.approvals.decide(
                tenant_of(self.thread), self._approval(name), version=version, by=GRACE, decision=decision
            )
        )
        if self.approvals.get(name) is not Decision.PENDING or version != 1:
            assert record is None
        else:
            assert record.decision is decision
            self.approvals[name] = decision
            self.woken = True

    @rule(name=NAMES)
    def withdraw(self, name: str) -> None:
        if name not in self.approvals:
            return
        record = self.run(self.stores.approvals.withdraw(self.thread, self._approval(name), "no longer"))
        if self.approvals[name] is Decision.PENDING:
            self.approvals[name] = Decision.WITHDRAWN
        assert record.decision is self.approvals[name]

    @rule(name=NAMES, attempt=st.integers(1, 2))
    def start(self, name: str, attempt: int) -> None:
        fresh = self.run(self.stores.ledger.start(self.thread, NodeId(name), DIGEST, attempt))
        assert fresh is ((name, attempt) not in self.tries)
        self.tries.setdefault((name, attempt), LedgerState.STARTED)

    @rule(name=NAMES, attempt=st.integers(1, 2))
    def finish(self, name: str, attempt: int) -> None:
        self.run(self.stores.ledger.finish(self.thread, NodeId(name), attempt, {"state": "succeeded"}))
        if (name, attempt) in self.tries:
            self.tries[name, attempt] = LedgerState.DONE

    @invariant()
    def the_rows_are_the_models(self) -> None:
        logged = self.run(self.stores.log.after(self.thread, 0))
        assert [entry.seq for entry in logged] == list(range(1, len(self.log) + 1))
        records = self.run(self.stores.approvals.read(self.thread))
        assert {key: record.decision for key, record in records.items()} == {
            self._approval(name): decision for name, decision in self.approvals.items()
        }
        for name in ("a", "b", "c"):
            entry = self.run(self.stores.ledger.read(self.thread, NodeId(name)))
            newest = max((attempt for node, attempt in self.tries if node == name), default=None)
            assert (None if entry is None else (entry.attempt, entry.state)) == (
                None if newest is None else (newest, self.tries[name, newest])
            )
        assert self.run(waiting_jobs(self.database, self.thread)) == int(self.woken)

    def _approval(self, name: str) -> ApprovalId:
        return ApprovalId(f"{self.thread}/{name}")


def test_the_stores_agree_with_their_model_in_any_order_of_calls(database_url: URL) -> None:
    run_state_machine_as_test(
        lambda: StoresMachine(database_url),  # pyright: ignore[reportArgumentType]  # documented: a class or a factory
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
