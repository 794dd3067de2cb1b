"""Questions and decisions on PostgreSQL."""

import asyncio
from datetime import timedelta

from agent.ids import ApprovalId, Tenant
from agent.plan.outcomes import NodeState, Succeeded
from agent.ports import Decision
from bot.ports import AlreadyDecided, Decided, Outdated, UnknownApproval
from infra.db.database import Database
from infra.stores.decisions import PostgresDecisions
from infra.stores.questions import PostgresApprovals
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.rows import (
    ADA,
    ELSEWHERE,
    GRACE,
    OTHER,
    THREAD,
    a_question,
    audited,
    changed,
    planned,
    tenant_of,
    waiting_jobs,
)

TEAM, Q1 = tenant_of(THREAD), ApprovalId("q1")


async def test_asking_twice_leaves_the_first_row(stores: Stores) -> None:
    await stores.questions.ask(a_question())
    await stores.decisions.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED)
    again = await stores.questions.ask(a_question(title="other"))
    assert (again.decision, again.by) == (Decision.APPROVED, GRACE)


async def test_one_of_a_hundred_racing_clicks_decides(stores: Stores, database: Database) -> None:
    await stores.questions.ask(a_question())

    async def click(number: int) -> object:
        decision = Decision.APPROVED if number % 2 else Decision.REJECTED
        return await stores.decisions.decide(TEAM, Q1, version=1, by=GRACE, decision=decision)

    verdicts = await asyncio.gather(*(click(number) for number in range(100)))
    deciding = [each for each in verdicts if isinstance(each, Decided)]
    others = [each for each in verdicts if isinstance(each, AlreadyDecided)]
    assert (len(deciding), len(others)) == (1, 99)
    assert {each.view.standing for each in others} == {deciding[0].view.standing}
    assert await audited(database) == ["asked", "decided"]
    assert await waiting_jobs(database) == 1


async def test_a_decision_is_news_to_the_runner(stores: Stores, wakeups: PgNotifications) -> None:
    await stores.questions.ask(a_question())
    with wakeups.changes.subscribe(THREAD) as news:
        await stores.decisions.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED)
        assert await news.wait(10)
    standings = await stores.questions.standings(THREAD)
    assert standings[Q1].decision is Decision.APPROVED


async def test_a_click_on_an_outdated_card_decides_nothing(stores: Stores) -> None:
    await stores.questions.ask(a_question())
    verdict = await stores.decisions.decide(TEAM, Q1, version=2, by=GRACE, decision=Decision.APPROVED)
    assert isinstance(verdict, Outdated)
    assert verdict.view.standing.decision is Decision.PENDING


async def test_another_tenants_question_is_unknown(stores: Stores) -> None:
    await stores.questions.ask(a_question())
    elsewhere = tenant_of(ELSEWHERE)
    verdict = await stores.decisions.decide(elsewhere, Q1, version=1, by=GRACE, decision=Decision.APPROVED)
    assert isinstance(verdict, UnknownApproval)
    assert await stores.decisions.read(Tenant("T9"), Q1) is None


async def test_a_withdrawn_question_cannot_be_decided(stores: Stores) -> None:
    await stores.questions.ask(a_question())
    withdrawn = await stores.questions.withdraw(Q1, "replanned")
    assert (withdrawn.decision, withdrawn.reason, withdrawn.by) == (Decision.WITHDRAWN, "replanned", None)
    verdict = await stores.decisions.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED)
    assert isinstance(verdict, AlreadyDecided)


async def test_withdrawing_what_was_decided_returns_the_decision(stores: Stores) -> None:
    await stores.questions.ask(a_question())
    await stores.decisions.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.REJECTED, reason="not now")
    standing = await stores.questions.withdraw(Q1, "replanned")
    assert (standing.decision, standing.by, standing.reason) == (Decision.REJECTED, GRACE, "not now")


async def test_an_overdue_question_expires_at_the_click_and_wakes_its_thread(
    database: Database, queue: Queue, wakeups: PgNotifications
) -> None:
    questions = PostgresApprovals(database, wakeups.views, timedelta(seconds=-1))
    decisions = PostgresDecisions(database, queue)
    await questions.ask(a_question())
    verdict = await decisions.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED)
    assert isinstance(verdict, AlreadyDecided)
    assert verdict.view.standing.decision is Decision.EXPIRED
    assert await waiting_jobs(database) == 1


async def test_the_sweep_expires_only_what_is_overdue(
    stores: Stores, database: Database, wakeups: PgNotifications
) -> None:
    await stores.questions.ask(a_question())
    overdue = PostgresApprovals(database, wakeups.views, timedelta(seconds=-1))
    await overdue.ask(a_question("q2", OTHER))
    assert await stores.decisions.expire_due() == 1
    assert await stores.decisions.expire_due() == 0
    assert (await stores.questions.standings(THREAD))[Q1].decision is Decision.PENDING
    assert await waiting_jobs(database, OTHER) == 1


async def test_a_card_names_what_still_waits_behind_its_node(stores: Stores) -> None:
    for event in (planned("post"), planned("tell", "post"), planned("log", "tell"), planned("other")):
        stores.progress.note(THREAD, event)
    stores.progress.note(THREAD, changed("tell", NodeState.SUCCEEDED, outcome=Succeeded()))
    await stores.progress.flush()
    await stores.questions.ask(a_question(blocks=("Step tell", "Step log")))
    view = await stores.decisions.read(TEAM, Q1)
    assert view is not None
    assert view.question.blocks == ("Step log",)
    assert view.question.author == ADA
