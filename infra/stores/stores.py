"""Every store of a process, opened on one database: what `wiring.py` hands to agent and bot."""

from dataclasses import dataclass
from datetime import timedelta

from infra.db.database import Database
from infra.stores.approvals import PostgresApprovals
from infra.stores.artifacts import PostgresArtifacts
from infra.stores.attempts import PostgresAttempts
from infra.stores.inbox import PostgresInbox
from infra.stores.ledger import PostgresLedger
from infra.stores.mailbox import PostgresMailbox
from infra.stores.operation_log import PostgresOperationLog
from infra.stores.posted import PostgresPosted
from infra.stores.progress import PostgresNodeStatuses, PostgresProgress
from infra.stores.results import PostgresResults
from infra.stores.run_views import PostgresRunViews
from infra.stores.runs import PostgresRuns
from infra.stores.spending import PostgresSpending
from infra.stores.summaries import PostgresSummaries
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The ports of `agent/ports.py` and `bot/ports.py`, implemented on PostgreSQL."""

    log: PostgresOperationLog
    approvals: PostgresApprovals
    ledger: PostgresLedger
    artifacts: PostgresArtifacts
    progress: PostgresProgress
    attempts: PostgresAttempts
    statuses: PostgresNodeStatuses
    mailbox: PostgresMailbox
    runs: PostgresRuns
    inbox: PostgresInbox
    run_views: PostgresRunViews
    posted: PostgresPosted
    summaries: PostgresSummaries
    results: PostgresResults
    spending: PostgresSpending


def open_stores(
    database: Database, queue: Queue, notifications: PgNotifications, *, approvals_open_for: timedelta | None = None
) -> Stores:
    """Return the stores. They hold nothing of their own besides progress that is not written yet."""
    return Stores(
        log=PostgresOperationLog(database),
        approvals=PostgresApprovals(database, queue, notifications.views, approvals_open_for),
        ledger=PostgresLedger(database),
        artifacts=PostgresArtifacts(database),
        progress=PostgresProgress(database, notifications.views),
        attempts=PostgresAttempts(database),
        statuses=PostgresNodeStatuses(database),
        mailbox=PostgresMailbox(database, notifications.views),
        runs=PostgresRuns(database, notifications.views),
        inbox=PostgresInbox(database),
        run_views=PostgresRunViews(database, notifications.views),
        posted=PostgresPosted(database),
        summaries=PostgresSummaries(database),
        results=PostgresResults(database),
        spending=PostgresSpending(database, notifications.views),
    )
