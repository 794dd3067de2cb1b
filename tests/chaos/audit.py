"""The claims of the storm, checked after it in the rows, in Slack and in the outside world."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from sqlalchemy import text

from agent.plan.outcomes import NodeState
from infra.db.database import Database
from sandbox.script import Json
from tests.chaos.people import People
from tests.chaos.storm import operations

_UNFINISHED: Mapping[str, str] = {
    "jobs waiting or running": "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
    "open turns": "SELECT count(*) FROM runs WHERE ended_at IS NULL OR NOT settled",
    "untaken messages": "SELECT count(*) FROM inbox WHERE turn IS NULL",
    "open questions": "SELECT count(*) FROM approvals WHERE status = 'pending'",
    "leases": "SELECT count(*) FROM leases",
    "dead workers that hold threads": "SELECT count(*) FROM workers WHERE dead_at IS NOT NULL AND buried_at IS NULL",
    "red calls of unknown outcome": """
        SELECT count(*) FROM ledger WHERE state = 'started' AND NOT EXISTS (SELECT 1 FROM ledger AS later
        WHERE later.thread = ledger.thread AND later.node = ledger.node AND later.attempt > ledger.attempt)""",
}

_ORPHANS: Mapping[str, str] = {
    "jobs waiting or running": "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
    "jobs that broke off": "SELECT count(*) FROM procrastinate_jobs WHERE status NOT IN ('todo', 'doing')",
    "workers that never ended": "SELECT count(*) FROM workers WHERE buried_at IS NULL",
    "nodes without an outcome": "SELECT count(*) FROM nodes WHERE outcome IS NULL",
    "posts begun and never noted": "SELECT count(*) FROM posts WHERE ts IS NULL",
    "checkpoints beyond the newest": "SELECT count(*) - count(DISTINCT thread_id) FROM checkpoints",
    "writes of no checkpoint": """
        SELECT count(*) FROM checkpoint_writes AS write WHERE NOT EXISTS (SELECT 1 FROM checkpoints AS head
        WHERE head.thread_id = write.thread_id AND head.checkpoint_id = write.checkpoint_id)""",
    "artifacts nobody uses": """
        SELECT count(*) FROM artifacts WHERE NOT EXISTS (SELECT 1 FROM artifact_uses AS used
        WHERE used.tenant = artifacts.tenant AND used.digest = artifacts.digest)""",
}

_TWICE: Mapping[str, str] = {
    "questions decided twice": """
        SELECT count(*) FROM (SELECT details ->> 'question' FROM audit WHERE event = 'decided'
        GROUP BY 1 HAVING count(*) > 1) AS twice""",
    "red calls without an approval": """
        SELECT count(*) FROM ledger WHERE NOT EXISTS (SELECT 1 FROM approvals
        WHERE approvals.thread = ledger.thread AND approvals.node = ledger.node AND status = 'approved')""",
    "turns beyond one for each request": "SELECT (SELECT count(*) FROM runs) - (SELECT count(*) FROM inbox)",
}


async def unfinished(database: Database) -> Mapping[str, int]:
    """Return how much work is left, by kind, without the zeros."""
    return await _counts(database, _UNFINISHED)


async def ended_nodes(database: Database) -> int:
    """Return how many nodes have come to their end."""
    async with database.begin() as connection:
        return (await connection.execute(text("SELECT count(outcome) FROM nodes"))).scalar_one()


async def orphans(database: Database) -> Sequence[str]:
    """Return the rows that no process will ever read again, in words, once every process has ended."""
    return [f"{count} {what}" for what, count in (await _counts(database, _ORPHANS)).items()]


async def violations(database: Database, people: People) -> Sequence[str]:
    """Return every broken claim in words; nothing when all hold."""
    effects = people.effects
    found = [f"{count} {what}" for what, count in (await _counts(database, _TWICE)).items()]
    planned = [operation for job in people.threads for operation in operations(job, effects.url)]
    found += wrong_ends(planned, people.chosen, await _ends(database))
    for job in people.threads:
        answers = len(people.answers(job))
        if answers != 1:
            found.append(f"job {job} has {answers} answers")
        for name in (f"red-{job}-1", f"red-{job}-2"):
            found += _red(name, people.chosen.get(name), effects.calls[name])
    found += [f"a card is still open: {card}" for card in people.open_cards()]
    return found


async def _ends(database: Database) -> Mapping[str, str]:
    """Return how each node of all threads ended: its state, and the error of one that failed."""
    query = "SELECT node, concat_ws(': ', state, outcome ->> 'error') AS ended FROM nodes"
    async with database.begin() as connection:
        return {row.node: row.ended for row in await connection.execute(text(query))}


def wrong_ends(
    planned: Sequence[Mapping[str, Json]], chosen: Mapping[str, str], ended: Mapping[str, str]
) -> Sequence[str]:
    """Return, in words, every node that ended as neither its plan, nor people, nor a blow of the storm is a reason for.

    No blow is one: each falls on a process, the database, the queue's hints or Slack, and no node of a job needs
    Slack. So a node succeeds unless people rejected it, and is skipped when one that it needs did not succeed. A state
    that is none of an end is as wrong. `chosen` is red call -> what people decided about it at first.
    """
    wanted: dict[str, str] = {}
    for operation in planned:
        node, asked = str(operation["id"]), json.dumps(operation)
        needs = {*re.findall(r"\$\{(\w+)", asked), *cast("Sequence[str]", operation.get("depends_on", ()))}
        red = re.search(r"red-\d+-\d+", asked)
        if any(wanted[need] != _SUCCEEDED for need in needs):
            wanted[node] = NodeState.SKIPPED.value
        else:
            wanted[node] = _ENDS[chosen.get(red[0], "")] if red else _SUCCEEDED
    states = {node: ended.get(node, "not there") for node in wanted}
    found = [f"{node} is {state}, not {wanted[node]}" for node, state in states.items() if state != wanted[node]]
    return [*found, *(f"{node} is in no plan" for node in ended.keys() - wanted.keys())]


_SUCCEEDED = NodeState.SUCCEEDED.value

_ENDS: Mapping[str, str] = {
    "approved": _SUCCEEDED,
    "rejected": NodeState.REJECTED.value,
    "": "ended only after people decided",
}
"""What people decided about a red call, if anything -> how it ends."""


def _red(name: str, chosen: str | None, calls: int) -> Sequence[str]:
    wanted = {"approved": 1, "rejected": 0, None: None}[chosen]
    if wanted is None:
        return [f"{name} was never asked about"]
    return [] if calls == wanted else [f"{name} was {chosen} and happened {calls} times"]


async def outcomes(database: Database) -> Counter[str]:
    """Return how many nodes ended in which state, and how many questions in which decision."""
    counts: Counter[str] = Counter()
    async with database.begin() as connection:
        for table, column in (("nodes", "state"), ("approvals", "status")):
            rows = await connection.execute(text(f"SELECT {column}, count(*) FROM {table} GROUP BY 1"))  # noqa: S608
            counts.update({f"{table} {state}": count for state, count in rows.all()})
    return counts


async def _counts(database: Database, queries: Mapping[str, str]) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    async with database.begin() as connection:
        for what, query in queries.items():
            if count := (await connection.execute(text(query))).scalar_one():
                counted[what] = count
    return counted
