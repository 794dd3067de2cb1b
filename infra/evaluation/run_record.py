"""Reads the record of a run that ended: its operations, how they ended, and what its scripts' calls were answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from agent.errors import ArtifactMissing, ContentUnavailable
from agent.events import AttemptEnded
from agent.facts import Fact, FactScope
from agent.ids import NodeId
from agent.plan.artifacts import value_of
from agent.plan.operations import Add, Operation, operation_from_json
from agent.plan.outcomes import Outcome, Succeeded, outcome_from_json
from infra.db.database import Database
from infra.db.tables import NodeRow, OperationRow, RunRow
from infra.stores.artifacts import PostgresArtifacts
from infra.stores.attempts import PostgresAttempts
from infra.stores.facts import facts_of
from infra.stores.feedback import BadTurn
from infra.stores.runs import recalled_in
from sandbox.script import Json


@dataclass(frozen=True, kw_only=True)
class RecordedNode:
    """How a node ended."""

    outcome: Outcome | None
    #: The whole output of one that succeeded.
    value: Json
    #: False: it was too large for its row, and is not kept any more.
    whole: bool
    ended_at: datetime | None
    attempts: Sequence[AttemptEnded] = ()


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run, and what people said about its answer."""

    turn: BadTurn
    #: In the order of the log, each with the time at which it was stored.
    operations: Sequence[tuple[Operation, datetime]]
    ended: Mapping[NodeId, RecordedNode]
    #: The facts of single people that its models were shown.
    personal_facts: Sequence[Fact] = ()
    #: Whether they were shown a fact that is not kept any more.
    facts_gone: bool = False


class RunRecords:
    """Reads the records of runs."""

    def __init__(self, database: Database, artifacts: PostgresArtifacts) -> None:
        self._database = database
        self._artifacts = artifacts
        self._attempts = PostgresAttempts(database)

    async def of(self, turn: BadTurn) -> RunRecord:
        """Return the record of a turn.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        logged = (
            select(OperationRow.operation, OperationRow.at)
            .where(OperationRow.of_thread(turn.thread), OperationRow.turn == turn.turn)
            .order_by(OperationRow.seq)
        )
        operations = [(operation_from_json(operation), at) for operation, at in await self._database.execute(logged)]
        rows = select(NodeRow.node, NodeRow.outcome, NodeRow.ended_at).where(
            NodeRow.of_thread(turn.thread), NodeRow.turn == turn.turn
        )
        found = (await self._database.execute(rows)).all()
        added = [operation.node for operation, _ in operations if isinstance(operation, Add)]
        scripts = {node.id for node in added if node.code}
        ended: dict[NodeId, RecordedNode] = {}
        for name, outcome, ended_at in found:
            node = NodeId(name)
            attempts = await self._attempts.of(turn.thread, node) if node in scripts else ()
            ended[node] = await self._node(turn, outcome, ended_at, attempts)
        facts, gone = await self._recalled(turn)
        personal = [fact for fact in facts if fact.scope in (FactScope.ME, FactScope.EVERYWHERE)]
        return RunRecord(turn=turn, operations=operations, ended=ended, personal_facts=personal, facts_gone=gone)

    async def _recalled(self, turn: BadTurn) -> tuple[Sequence[Fact], bool]:
        """Return the facts that models were shown in a turn, and whether some are not kept any more."""
        row = select(RunRow.recalled).where(RunRow.of_turn(turn.thread, turn.turn))
        async with self._database.snapshot() as connection:
            noted = recalled_in((await connection.execute(row)).scalar_one_or_none())
            ids = list(dict.fromkeys(one.fact for one in noted))
            facts = await facts_of(connection, turn.thread, ids) if ids else ()
        return facts, len(facts) < len(ids)

    async def _node(
        self,
        turn: BadTurn,
        stored: Mapping[str, Json] | None,
        ended_at: datetime | None,
        attempts: Sequence[AttemptEnded],
    ) -> RecordedNode:
        outcome = None if stored is None else outcome_from_json(stored)
        value: Json = outcome.value if isinstance(outcome, Succeeded) else None
        whole = True
        if isinstance(outcome, Succeeded) and outcome.artifact is not None:
            try:
                content = await self._artifacts.get(turn.thread, outcome.artifact.digest)
                value = value_of(content, outcome.artifact.media_type)
            except (ArtifactMissing, ContentUnavailable, ValueError):
                whole = False
        return RecordedNode(outcome=outcome, value=value, whole=whole, ended_at=ended_at, attempts=attempts)
