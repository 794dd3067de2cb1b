"""Reads the record of a run that ended: its operations, how they ended, and what its scripts' calls were answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select

from agent.errors import ArtifactMissing, ContentUnavailable
from agent.events import AttemptEnded
from agent.facts import Fact, FactScope
from agent.ids import NodeId
from agent.plan.artifacts import value_of
from agent.plan.operations import Add, Node, Operation, operation_from_json
from agent.plan.outcomes import Outcome, Succeeded, outcome_from_json
from infra.db.database import Database
from infra.db.tables import InboxRow, NodeRow, OperationRow, RunRow, SubagentStepRow
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
    #: What a subagent's model called its tools, for each that it asked for; None: its journal is not kept.
    asked: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run, and what people said about its answer."""

    turn: BadTurn
    #: In the order of the log, each with the time at which it was stored.
    operations: Sequence[tuple[Operation, datetime]]
    #: Of earlier turns too, these without the attempts of scripts, and with values only where this turn refers to them.
    ended: Mapping[NodeId, RecordedNode]
    #: The operations of earlier turns, in the order of the log.
    earlier: Sequence[Operation] = ()
    #: What people had asked in earlier turns, in order.
    before: Sequence[str] = ()
    #: The planner's words in place of a plan.
    replies: Sequence[str] = ()
    #: The facts of single people that its models were shown, in earlier turns, too.
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
            select(OperationRow.operation, OperationRow.at, OperationRow.turn)
            .where(OperationRow.of_thread(turn.thread), OperationRow.turn <= turn.turn)
            .order_by(OperationRow.seq)
        )
        found = (await self._database.execute(logged)).all()
        operations = [(operation_from_json(operation), at) for operation, at, number in found if number == turn.turn]
        earlier = [operation_from_json(operation) for operation, _, number in found if number < turn.turn]
        facts, gone = await self._recalled(turn)
        personal = [fact for fact in facts if fact.scope in (FactScope.ME, FactScope.EVERYWHERE)]
        return RunRecord(
            turn=turn,
            operations=operations,
            ended=await self._ended(
                turn, [operation.node for operation, _ in operations if isinstance(operation, Add)]
            ),
            earlier=earlier,
            before=await self._before(turn),
            replies=await self._replies(turn),
            personal_facts=personal,
            facts_gone=gone,
        )

    async def _ended(self, turn: BadTurn, added: Sequence[Node]) -> Mapping[NodeId, RecordedNode]:
        """Return how the nodes ended that the turn added, and those of earlier turns."""
        rows = select(NodeRow.node, NodeRow.outcome, NodeRow.ended_at, NodeRow.turn).where(
            NodeRow.of_thread(turn.thread), NodeRow.turn <= turn.turn
        )
        scripts = {node.id for node in added if node.code}
        needed = {node.id for node in added} | {need.node for node in added for need in node.depends_on}
        asked = await self._asked(turn)
        ended: dict[NodeId, RecordedNode] = {}
        for name, outcome, ended_at, number in (await self._database.execute(rows)).all():
            node = NodeId(name)
            attempts = await self._attempts.of(turn.thread, node) if node in scripts and number == turn.turn else ()
            recorded = await self._node(turn, outcome, ended_at, attempts, read=node in needed)
            ended[node] = replace(recorded, asked=asked.get(node))
        return ended

    async def _asked(self, turn: BadTurn) -> Mapping[NodeId, frozenset[str]]:
        """Return subagent -> what its model called the tools that it asked for."""
        rows = select(SubagentStepRow.node, SubagentStepRow.content).where(
            SubagentStepRow.of_thread(turn.thread), SubagentStepRow.call == 0
        )
        asked: dict[NodeId, frozenset[str]] = {}
        for name, content in (await self._database.execute(rows)).all():
            node = NodeId(name)
            asked[node] = asked.get(node, frozenset()) | {str(call["name"]) for call in content["calls"]}
        return asked

    async def _before(self, turn: BadTurn) -> Sequence[str]:
        rows = (
            select(InboxRow.text)
            .where(InboxRow.of_thread(turn.thread), InboxRow.turn < turn.turn)
            .order_by(InboxRow.id)
        )
        return [text for (text,) in (await self._database.execute(rows)).all()]

    async def _replies(self, turn: BadTurn) -> Sequence[str]:
        row = select(RunRow.replies).where(RunRow.of_turn(turn.thread, turn.turn))
        return (await self._database.execute(row)).scalar_one_or_none() or ()

    async def _recalled(self, turn: BadTurn) -> tuple[Sequence[Fact], bool]:
        """Return the facts that models were shown up to a turn, and whether some are not kept any more."""
        rows = select(RunRow.recalled).where(RunRow.of_thread(turn.thread), RunRow.turn <= turn.turn)
        async with self._database.snapshot() as connection:
            noted = [one for (row,) in await connection.execute(rows) for one in recalled_in(row)]
            ids = list(dict.fromkeys(one.fact for one in noted))
            facts = await facts_of(connection, turn.thread, ids) if ids else ()
        return facts, len(facts) < len(ids)

    async def _node(
        self,
        turn: BadTurn,
        stored: Mapping[str, Json] | None,
        ended_at: datetime | None,
        attempts: Sequence[AttemptEnded],
        *,
        read: bool,
    ) -> RecordedNode:
        outcome = None if stored is None else outcome_from_json(stored)
        value: Json = outcome.value if isinstance(outcome, Succeeded) else None
        whole = True
        if read and isinstance(outcome, Succeeded) and outcome.artifact is not None:
            try:
                content = await self._artifacts.get(turn.thread, outcome.artifact.digest)
                value = value_of(content, outcome.artifact.media_type)
            except (ArtifactMissing, ContentUnavailable, ValueError):
                whole = False
        return RecordedNode(outcome=outcome, value=value, whole=whole, ended_at=ended_at, attempts=attempts)
