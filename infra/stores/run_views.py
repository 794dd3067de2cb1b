"""Runs as people see them: a turn with its nodes, questions and posts, read in one snapshot."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, RowMapping, Select, and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from agent.approval import Decision
from agent.facts import is_used
from agent.grant import PlannedCall
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, Tenant, ThreadId, ToolName, UserId
from agent.packing.packing import packing_from_json
from agent.plan.dependencies import PlannedNode, waiting_behind
from agent.plan.operations import NodeKind, node_from_json
from agent.plan.outcomes import NodeState, outcome_from_json
from agent.ports import Message, Recalled, RunStatus, Subscription, requests_of
from agent.tool import Colour
from bot.ports import (
    ApprovalView,
    AttemptView,
    NodeView,
    OpenRun,
    Post,
    PostedMessage,
    RunView,
    Slot,
    is_of_card,
    places_of,
)
from infra.db.database import Database
from infra.db.tables import ApprovalRow, AttemptRow, InboxRow, NodeRow, OperationRow, PostRow, RunRow
from infra.stores.approvals import FROZEN, record_in, request_in
from infra.stores.facts import facts_of, told_by
from infra.stores.mailbox import IS_MESSAGE, messages_of
from infra.stores.runs import cited_in, recalled_in
from infra.stores.spending import spent_in
from infra.stores.votes import VOTES, votes_in
from infra.worker.notifications import Notifier

_TO_COME = (NodeState.PLANNED.value, NodeKind.TOOL.value, Colour.RED.value)
"""State, kind and colour of a step that will ask."""

_ASKED = select(ApprovalRow.__table__, FROZEN, VOTES)


class PostgresRunViews:
    """RunViews."""

    def __init__(self, database: Database, views: Notifier) -> None:
        self._database = database
        self._views = views

    async def unsettled(self, thread: ThreadId) -> Sequence[RunView]:
        """Return the turns that may still have something to show, oldest first."""
        runs = select(RunRow.__table__).where(RunRow.of_thread(thread), RunRow.settled.is_(False)).order_by(RunRow.turn)
        async with self._database.snapshot() as connection:
            rows = (await connection.execute(runs)).mappings().all()
            if not rows:
                return ()
            parts = await _read_parts(connection, thread, {row["turn"]: row["status"] for row in rows})
            views = [_run_view(thread, row, parts) for row in rows]
            return [
                await _with_facts(connection, view, recalled_in(row["recalled"])) if row["recalled"] else view
                for view, row in zip(views, rows, strict=True)
            ]

    async def approval(self, tenant: Tenant, approval: ApprovalId) -> ApprovalView | None:
        """Return a request as it stands."""
        asked = _ASKED.where(ApprovalRow.tenant == tenant, ApprovalRow.id == approval)
        async with self._database.autocommit() as connection:
            if (row := (await connection.execute(asked)).first()) is None:
                return None
            thread = ThreadId(row.thread)
            posts = await _posts(connection, thread, [row.turn])
            scripts = await _scripts(connection, thread, [row])
            planned, standing = await _planned_nodes(connection, thread, row.turn)
            return _approval_view(row, planned, posts.get(row.turn, {}), scripts, standing)

    async def on_card(self, tenant: Tenant, approval: ApprovalId) -> Sequence[ApprovalView]:
        """Return the requests on the card of a request."""
        this = select(ApprovalRow.card).where(ApprovalRow.tenant == tenant, ApprovalRow.id == approval)
        same = and_(ApprovalRow.card != "", ApprovalRow.card == this.scalar_subquery())
        asked = _ASKED.where(ApprovalRow.tenant == tenant)
        async with self._database.autocommit() as connection:
            found = asked.where(or_(ApprovalRow.id == approval, same)).order_by(ApprovalRow.asked)
            if not (rows := (await connection.execute(found)).all()):
                return ()
            thread = ThreadId(rows[0].thread)
            posts = await _posts(connection, thread, sorted({row.turn for row in rows}))
            scripts = await _scripts(connection, thread, rows)
            planned, standing = await _planned_nodes(connection, thread, rows[0].turn)  # a card is of one turn
            return [_approval_view(row, planned, posts.get(row.turn, {}), scripts, standing) for row in rows]

    async def planned_calls(self, thread: ThreadId, turn: int) -> Sequence[PlannedCall]:
        """Return the red calls of a turn's plan that nobody was asked about yet, in plan order."""
        node = and_(OperationRow.tenant == NodeRow.tenant, OperationRow.thread == NodeRow.thread)
        asked = select(ApprovalRow.id).where(
            ApprovalRow.tenant == NodeRow.tenant,
            ApprovalRow.thread == NodeRow.thread,
            ApprovalRow.node == NodeRow.node,
            ApprovalRow.status.in_([Decision.PENDING.value, Decision.APPROVED.value]),
        )
        rows = (
            select(NodeRow.node, OperationRow.author, OperationRow.operation)
            .join(OperationRow, node & (OperationRow.adds == NodeRow.node))
            .where(NodeRow.of_thread(thread), NodeRow.turn == turn, ~asked.exists())
            .where(tuple_(NodeRow.state, NodeRow.kind, NodeRow.colour) == tuple_(*_TO_COME))
            .order_by(NodeRow.noted)
        )
        return [_planned_call(thread, turn, row) for row in await self._database.execute(rows)]

    async def open_of(self, tenant: Tenant, requester: UserId) -> Sequence[OpenRun]:
        """Return this person's open runs, newest first."""
        return await self._open(RunRow.tenant == tenant, RunRow.requester == requester)

    async def open_in(self, tenant: Tenant, channel: ChannelId) -> Sequence[OpenRun]:
        """Return the channel's open runs, newest first."""
        return await self._open(RunRow.tenant == tenant, RunRow.channel == channel)

    def watch(self, thread: ThreadId) -> AbstractContextManager[Subscription]:
        """Return notifications that the result of `unsettled` may have changed."""
        return self._views.subscribe(thread)

    async def _open(self, *which: ColumnElement[bool]) -> Sequence[OpenRun]:
        return [
            OpenRun(
                thread=ThreadId(row.thread),
                turn=row.turn,
                status=RunStatus(row.status),
                requester=UserId(row.requester),
                request=row.request,
                started_at=row.started_at,
                waiting=row.waiting,
            )
            for row in await self._database.execute(_open_runs(*which))
        ]


class _Standing(NamedTuple):
    """How far a turn is, once only people can move it on: a card is not edited at each step's end."""

    #: `ApprovalView.progress`.
    progress: tuple[int, int] | None = None
    #: `ApprovalView.to_come`.
    to_come: int = 0


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """The parts of a thread's turns: turn -> its rows, in the order people see them."""

    requests: Mapping[int | None, Sequence[Message]]
    nodes: Mapping[int, Sequence[NodeView]]
    approvals: Mapping[int, Sequence[ApprovalView]]
    posts: Mapping[int, Mapping[Slot, PostedMessage]]


def _open_runs(*which: ColumnElement[bool]) -> Select[str, int, str, str, datetime, str, int]:
    same = (ApprovalRow.tenant == RunRow.tenant, ApprovalRow.thread == RunRow.thread, ApprovalRow.turn == RunRow.turn)
    waiting = select(func.count()).where(*same, ApprovalRow.status == Decision.PENDING.value)
    request = (
        select(InboxRow.text)
        .where(InboxRow.tenant == RunRow.tenant, InboxRow.thread == RunRow.thread, IS_MESSAGE)
        .where(or_(InboxRow.turn == RunRow.turn, InboxRow.turn.is_(None)))
        .order_by(InboxRow.id)
        .limit(1)
    )
    return (
        select(
            RunRow.thread,
            RunRow.turn,
            RunRow.status,
            RunRow.requester,
            RunRow.started_at,
            func.coalesce(request.scalar_subquery(), "").label("request"),
            waiting.scalar_subquery().label("waiting"),
        )
        .where(*which, RunRow.ended_at.is_(None))
        .order_by(RunRow.started_at.desc(), RunRow.turn.desc())
    )


async def _read_parts(connection: AsyncConnection, thread: ThreadId, statuses: Mapping[int, str]) -> _Parts:
    """Read the turns whose statuses are given."""
    turns = list(statuses)
    requests: dict[int | None, list[Message]] = defaultdict(list)
    of_turns = or_(InboxRow.turn.in_(turns), InboxRow.turn.is_(None))
    for turn, message in await messages_of(connection, thread, of_turns):
        requests[turn].append(message)
    of_thread = select(NodeRow.__table__).where(NodeRow.of_thread(thread)).order_by(NodeRow.noted)
    rows = (await connection.execute(of_thread)).all()
    attempts = await _attempts(connection, thread, turns)
    nodes: dict[int, list[NodeView]] = defaultdict(list)
    for row in rows:
        nodes[row.turn].append(_node_view(row, attempts))
    planned = [_planned_node(row) for row in rows]
    asked = _ASKED.where(ApprovalRow.of_thread(thread), ApprovalRow.turn.in_(turns))
    approvals: dict[int, list[ApprovalView]] = defaultdict(list)
    posts = await _posts(connection, thread, turns)
    questions = (await connection.execute(asked.order_by(ApprovalRow.asked))).all()
    scripts = await _scripts(connection, thread, questions)
    for row in questions:
        standing = _standing(statuses.get(row.turn), [node for node in rows if node.turn == row.turn])
        approvals[row.turn].append(_approval_view(row, planned, posts.get(row.turn, {}), scripts, standing))
    return _Parts(requests=requests, nodes=nodes, approvals=approvals, posts=posts)


async def _posts(
    connection: AsyncConnection, thread: ThreadId, turns: Sequence[int]
) -> Mapping[int, Mapping[Slot, PostedMessage]]:
    """Return the messages of each turn that stand in Slack."""
    posts: dict[int, dict[Slot, PostedMessage]] = defaultdict(dict)
    posted = (PostRow.of_thread(thread), PostRow.turn.in_(turns), PostRow.ts.is_not(None))
    for row in await connection.execute(select(PostRow.__table__).where(*posted)):
        slot = Slot(Post(row.post), row.key)
        posts[row.turn][slot] = PostedMessage(row.ts, Digest(row.shown))
    return posts


async def _scripts(
    connection: AsyncConnection, thread: ThreadId, questions: Sequence[Row[*tuple[Any, ...]]]
) -> Mapping[str, str]:
    """Return node -> code of the scripts that the requests are about."""
    nodes = [row.node for row in questions if row.tool == NodeKind.PACKAGE.value]
    if not nodes:
        return {}
    added = select(OperationRow.adds, OperationRow.operation).where(OperationRow.of_thread(thread))
    rows = await connection.execute(added.where(OperationRow.adds.in_(nodes)))
    return {str(row.adds): str(row.operation.get("code", "")) for row in rows}


async def _planned_nodes(
    connection: AsyncConnection, thread: ThreadId, turn: int
) -> tuple[Sequence[PlannedNode], _Standing]:
    """Return the thread's nodes, and how far a turn is."""
    status = select(RunRow.status).where(RunRow.of_turn(thread, turn)).scalar_subquery()
    shown = (NodeRow.title, NodeRow.state, NodeRow.kind, NodeRow.colour, NodeRow.depends_on, NodeRow.turn)
    columns = (NodeRow.node, *shown, status.label("status"))
    asked = select(*columns).where(NodeRow.of_thread(thread)).order_by(NodeRow.noted)
    rows = (await connection.execute(asked)).all()
    nodes = [row for row in rows if row.turn == turn]
    return [_planned_node(row) for row in rows], _standing(rows[0].status if rows else None, nodes)


def _standing(status: str | None, nodes: Sequence[Row[*tuple[Any, ...]]]) -> _Standing:
    """Return how far the turn with these nodes is."""
    if status != RunStatus.WAITING.value:
        return _Standing()
    done = sum(node.state == NodeState.SUCCEEDED.value for node in nodes)
    to_come = sum((node.state, node.kind, node.colour) == _TO_COME for node in nodes)
    return _Standing(progress=(done, len(nodes)), to_come=to_come)


def _planned_call(thread: ThreadId, turn: int, row: Row[*tuple[Any, ...]]) -> PlannedCall:
    node = node_from_json(row.operation)
    return PlannedCall(
        thread=thread,
        turn=turn,
        node=node.id,
        title=node.title,
        tool=node.tool or ToolName(""),
        author=UserId(row.author),
        args=node.args,
    )


def _planned_node(row: Row[*tuple[Any, ...]]) -> PlannedNode:
    return PlannedNode(row.node, row.title, NodeState(row.state), row.depends_on)


def _approval_view(
    row: Row[*tuple[Any, ...]],
    planned: Sequence[PlannedNode],
    posts: Mapping[Slot, PostedMessage],
    scripts: Mapping[str, str],
    standing: _Standing,
) -> ApprovalView:
    record = record_in(row)
    card = (posted for slot, posted in posts.items() if is_of_card(slot, row.card or row.id))
    return ApprovalView(
        request=request_in(row),
        record=record,
        asked_at=row.asked_at,
        version=row.version,
        expires_at=row.expires_at,
        waiting=waiting_behind(row.node, planned),
        shown_whole=not any(posted.is_cut for posted in card),
        places=places_of(posts, row.id),
        frozen=row.frozen,
        card=ApprovalId(row.card) if row.card else None,
        votes=votes_in(row.votes, record),
        script=scripts.get(row.node, "") if row.tool == NodeKind.PACKAGE.value else "",
        progress=standing.progress,
        to_come=standing.to_come,
    )


async def _attempts(
    connection: AsyncConnection, thread: ThreadId, turns: Sequence[int]
) -> Mapping[str, Sequence[AttemptView]]:
    rows = (
        select(AttemptRow.node, AttemptRow.attempt, AttemptRow.kind, AttemptRow.error)
        .join(
            NodeRow,
            and_(NodeRow.tenant == AttemptRow.tenant, NodeRow.thread == AttemptRow.thread)
            & (NodeRow.node == AttemptRow.node),
        )
        .where(AttemptRow.of_thread(thread), NodeRow.turn.in_(turns))
        .order_by(AttemptRow.attempt)
    )
    attempts: dict[str, list[AttemptView]] = defaultdict(list)
    for row in await connection.execute(rows):
        attempts[row.node].append(AttemptView(attempt=row.attempt, kind=row.kind, error=row.error))
    return attempts


def _node_view(row: Row[*tuple[Any, ...]], attempts: Mapping[str, Sequence[AttemptView]]) -> NodeView:
    return NodeView(
        id=NodeId(row.node),
        title=row.title,
        kind=NodeKind(row.kind),
        colour=Colour(row.colour),
        state=NodeState(row.state),
        tool=row.tool,
        detail=row.detail,
        outcome=None if row.outcome is None else outcome_from_json(row.outcome),
        attempts=tuple(attempts.get(row.node, ())),
        depends_on=tuple(NodeId(node) for node in row.depends_on),
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


async def _with_facts(connection: AsyncConnection, view: RunView, recalled: Sequence[Recalled]) -> RunView:
    """Return the turn with the facts that its models were shown and that its plan or its words hold something of."""
    facts = await facts_of(connection, view.thread, list(dict.fromkeys(one.fact for one in recalled)))
    if not facts:
        return view
    planned = select(OperationRow.operation).where(OperationRow.of_thread(view.thread), OperationRow.turn == view.turn)
    operations = (await connection.execute(planned)).scalars()
    told = told_by(view.answer, view.replies, operations)
    asked = "\n".join(message.text for message in view.requests)
    return replace(view, facts=tuple(fact for fact in facts if is_used(fact, asked, told)))


def _run_view(thread: ThreadId, row: RowMapping, parts: _Parts) -> RunView:
    turn: int = row["turn"]
    status = RunStatus(row["status"])
    packing = packing_from_json(row["packing"])
    return RunView(
        thread=thread,
        turn=turn,
        status=status,
        requester=UserId(row["requester"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        requests=tuple(requests_of(status, parts.requests.get(turn, ()), parts.requests.get(None, ()))),
        nodes=tuple(parts.nodes.get(turn, ())),
        approvals=tuple(parts.approvals.get(turn, ())),
        replies=tuple(row["replies"]),
        answer=row["answer"],
        error=row["trouble"],
        spent=spent_in(row),
        fusions=packing.fusions,
        splits=packing.splits,
        posts=parts.posts.get(turn, {}),
        runbooks=cited_in(row["runbooks"]),
    )
