"""Every store of a process, opened on one database: what `wiring.py` hands to agent and bot."""

from datetime import timedelta

from agent.plan.eviction import FileLimits
from infra.db.database import Database
from infra.stores.accounts import PostgresAccounts
from infra.stores.approvals import PostgresApprovals
from infra.stores.artifacts import Contents, PostgresArtifacts
from infra.stores.attempts import PostgresAttempts
from infra.stores.audit import PostgresClickLog
from infra.stores.call_counts import PostgresCallCounts
from infra.stores.call_places import PostgresCallPlaces
from infra.stores.explanations import PostgresExplanations
from infra.stores.facts import PostgresFacts
from infra.stores.feedback import PostgresFeedback
from infra.stores.files import PostgresFiles
from infra.stores.freezes import PostgresFreezes
from infra.stores.grants import PostgresGrants
from infra.stores.inbox import PostgresInbox
from infra.stores.instructions import PostgresInstructions
from infra.stores.ledger import PostgresEffects, PostgresLedger
from infra.stores.mailbox import PostgresMailbox
from infra.stores.masks import PostgresMasks
from infra.stores.news import PostgresNews
from infra.stores.operation_log import PostgresOperationLog
from infra.stores.posted import PostgresPosted
from infra.stores.progress import PostgresNodeStatuses, PostgresProgress
from infra.stores.results import PostgresResults
from infra.stores.run_views import PostgresRunViews
from infra.stores.runs import PostgresRuns
from infra.stores.search_tokens import PostgresSearchTokens, TokenSeal, sealed_by_nobody
from infra.stores.set_aside import SetAsideThreads
from infra.stores.spending import PostgresSpending
from infra.stores.subagent_steps import PostgresSubagentSteps
from infra.stores.summaries import PostgresSummaries
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue


class Stores:
    """The ports of `agent/ports.py` and `bot/ports.py`, implemented on PostgreSQL.

    They hold nothing of their own besides progress and spending that are not written yet.
    """

    def __init__(
        self,
        database: Database,
        queue: Queue,
        notifications: PgNotifications,
        *,
        approvals_open_for: timedelta | None = None,
        file_limits: FileLimits | None = None,
        contents: Contents | None = None,
        token_seal: TokenSeal | None = None,
    ) -> None:
        """`contents` keeps what files hold; without it the database does."""
        views = notifications.views
        self.log = PostgresOperationLog(database)
        self.approvals = PostgresApprovals(database, queue, views, approvals_open_for)
        self.accounts = PostgresAccounts(database, self.approvals)
        self.clicks = PostgresClickLog(database)
        self.call_counts = PostgresCallCounts(database)
        self.call_places = PostgresCallPlaces(database)
        self.freezes = PostgresFreezes(database)
        self.grants = PostgresGrants(database, queue, views)
        self.ledger = PostgresLedger(database)
        self.effects = PostgresEffects(database, self.log)
        self.artifacts = PostgresArtifacts(database, contents)
        self.files = PostgresFiles(database, self.log, file_limits or FileLimits())
        self.progress = PostgresProgress(database, views)
        self.attempts = PostgresAttempts(database)
        self.steps = PostgresSubagentSteps(database)
        self.statuses = PostgresNodeStatuses(database)
        self.mailbox = PostgresMailbox(database, views)
        self.news = PostgresNews(database, self.log)
        self.runs = PostgresRuns(database, views)
        self.inbox = PostgresInbox(database, sealed_by_nobody if token_seal is None else token_seal.seal)
        self.search_tokens = None if token_seal is None else PostgresSearchTokens(database, token_seal)
        self.run_views = PostgresRunViews(database, views)
        self.posted = PostgresPosted(database, queue)
        self.set_aside = SetAsideThreads(database, self.approvals, self.runs)
        self.summaries = PostgresSummaries(database)
        self.facts = PostgresFacts(database)
        self.instructions = PostgresInstructions(database)
        self.feedback = PostgresFeedback(database)
        self.explanations = PostgresExplanations(database)
        self.results = PostgresResults(database)
        self.masks = PostgresMasks(database)
        self.spending = PostgresSpending(database, views)
