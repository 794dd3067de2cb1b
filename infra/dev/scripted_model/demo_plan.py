"""Writes operations over the real tools, as a planner would write them; intents.py says which."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from agent.ids import NodeId
from agent.plan.operations import Add, Cancel
from agent.reading.operation_reader import Reply, read_operation
from agent.reading.plan_language.printer import plan_text as python_text
from infra.dev.scripted_model.documents import PlanRow, Situation
from infra.dev.scripted_model.error_rate_script import FIRST_DRAFT, RESULT_SCHEMA
from sandbox.script import Json

TITLE_CHARACTERS = 150
"""The most that a node's title may have."""

OPEN_STATES = frozenset({"planned", "running", "asking"})
USABLE_STATES = OPEN_STATES | {"succeeded"}

REPOSITORY, BRANCH = "payments", "main"
"""The demo's repository."""

DEPLOYED_AROUND_HOUR = """\
SELECT service, version, deployed_at, deployed_by, change
FROM deployments
WHERE deployed_at >= CAST(:hour AS timestamptz) - interval '1 hour'
  AND deployed_at < CAST(:hour AS timestamptz) + interval '2 hours'
ORDER BY deployed_at"""

WHAT_I_CAN_DO = """\
I am Greenlight's scripted model: a small program in a language model's place, because no model key is set. \
The tools, approvals and scripts behind me are real. I understand requests like these, and combinations of them:
- `check our three services and post a summary to #incidents; also work out yesterday's error rate per service \
from the access log`
- `how many errors did the payments database record in that hour?` (or `at 14:00`)
- `what was deployed yesterday?`
- `is payments up?`
- `find the commit behind the payments alert, revert it and announce that in #incidents`
- `post "The sale starts at noon" to #general`
- `call open_hours {"city": "Lisbon"}`: any tool, with its arguments as JSON"""


class Planner:
    """Writes one plan. Node ids are new in the whole thread; existing results are referred to."""

    def __init__(self, situation: Situation, *, with_deployments: bool) -> None:
        self.situation = situation
        self.operations: list[Mapping[str, Json]] = []
        #: The nodes of this plan that a summary sums up.
        self.sources: list[str] = []
        #: Sentences about what is left out of the plan.
        self.excuses: list[str] = []
        #: Error rates come with what was deployed around the worst hour.
        self.with_deployments = with_deployments
        self._taken = {row.id for row in situation.plan}

    def has(self, tool: str) -> bool:
        """Return whether the tool is installed; if not, add an excuse."""
        if tool in self.situation.tools:
            return True
        self.excuses.append(f"The tool `{tool}` is not installed here, so I left out what needs it.")
        return False

    def _add(self, base: str, kind: str, title: str, fields: Mapping[str, Json]) -> str:
        node = next(name for name in _numbered(base) if name not in self._taken)
        self._taken.add(node)
        self.operations.append({"op": "add", "id": node, "kind": kind, "title": title[:TITLE_CHARACTERS], **fields})
        return node

    def tool(self, base: str, title: str, tool: str, args: Mapping[str, Json]) -> str:
        """Add a call of a tool and return the node's id: `base`, numbered when that is taken."""
        return self._add(base, "tool", title, {"tool": tool, "args": args})

    def error_rates(self, *, with_deployments: bool) -> str | None:
        """Add the package that works the error rates out; None when it cannot run here."""
        if not self.has("read_access_log"):
            return None
        if not self.situation.has_sandbox:
            self.excuses.append("There is no sandbox here to run a script in, so I cannot work out error rates.")
            return None
        rates = self._add(
            "error_rates",
            "package",
            "Work out error rates from the access log",
            {
                "tools": ["read_access_log"],
                "inputs": {"day": self.yesterday},
                "code": FIRST_DRAFT,
                "result_schema": RESULT_SCHEMA,
            },
        )
        self.sources.append(rates)
        if with_deployments and "sql_query" in self.situation.tools:
            hour: dict[str, Json] = {"hour": f"${{{rates}#/worst/hour}}"}
            title = "Find what was deployed around the worst hour"
            self.query("deployments", title, DEPLOYED_AROUND_HOUR, hour)
        return rates

    def culprit(self, *, revert: bool) -> None:
        """Add how the commit behind the worst hour is found, and the revert of it that people are asked about."""
        rates = self._known("error_rates") or self.error_rates(with_deployments=False)
        if rates is None:
            return
        found = self.tool(
            "find_commit",
            "Find the commit behind it",
            "git_log",
            {
                "repository": REPOSITORY,
                "until": f"${{{rates}#/worst/hour}}",
                "text": "pool_size",
                "limit": 1,
            },
        )
        if not revert:
            return
        edits = self.tool(
            "work_out_revert",
            "Work out how to revert it",
            "git_revert_changes",
            {"repository": REPOSITORY, "branch": BRANCH, "commit": f"${{{found}#/commits/0/id}}"},
        )
        worked_out = {name: f"${{{edits}#/{name}}}" for name in ("message", "changes", "base")}
        args: Mapping[str, Json] = {"repository": REPOSITORY, "branch": BRANCH, **worked_out}
        self.sources.append(self.tool("revert_commit", "Revert that commit", "git_commit", args))

    def query(self, base: str, title: str, query: str, parameters: Mapping[str, Json]) -> str:
        """Add a query of the demo's database and return the node's id."""
        return self.tool(base, title, "sql_query", {"query": query, "parameters": parameters})

    def worst_hour(self) -> str | None:
        """Return a reference to the result that will hold the worst hour."""
        rates = self._known("error_rates") or self.error_rates(with_deployments=False)
        return None if rates is None else f"${{{rates}#/worst/hour}}"

    @property
    def yesterday(self) -> str:
        """Return the day the demo's data is about, as an ISO date."""
        return (self.situation.now - timedelta(days=1)).date().isoformat()

    def _known(self, base: str) -> str | None:
        """Return the thread's newest node of that kind that has a result or will have one."""
        rows = [(row.id, row.state) for row in self.situation.plan]
        rows += [(str(operation["id"]), "planned") for operation in self.operations if operation["op"] == "add"]
        usable = [node for node, state in rows if state in USABLE_STATES and base_id(node) == base]
        return usable[-1] if usable else None

    def post(self, base: str, title: str, channel: str, text: str) -> None:
        """Add a post, unless the same one waits for its decision."""
        if any(row.title == title[:TITLE_CHARACTERS] and row.state in OPEN_STATES for row in self.situation.plan):
            self.excuses.append(f"“{title}” is already planned and not decided yet.")
        elif self.has("slack_post_message"):
            self.tool(base, title, "slack_post_message", {"channel": channel, "text": text})


def _numbered(base: str) -> Iterator[str]:
    yield base
    yield from (f"{base}_{number}" for number in itertools.count(2))


def base_id(id: str) -> str:
    """Return a node's id without its number."""
    return re.sub(r"_\d+\Z", "", id)


def plan_text(operations: Sequence[Mapping[str, Json]], situation: Situation) -> str:
    """Return the operations in the language that the prompt asks for."""
    if not situation.writes_python:
        return "".join(json.dumps(operation, ensure_ascii=False) + "\n" for operation in operations)
    read = [read_operation(operation, None) for operation in operations]
    steps = [operation for operation in read if isinstance(operation, Add | Cancel)]
    replies = [f"reply({json.dumps(reply.text, ensure_ascii=False)})\n" for reply in read if isinstance(reply, Reply)]
    known = [NodeId(row.id) for row in situation.plan]
    return "".join([python_text(steps, situation.tools.keys(), known), *replies])


def refusal(rows: Sequence[PlanRow], faults: Sequence[str]) -> Mapping[str, Json]:
    """Return the reply to a plan that the engine refused. A second try would write the same plan again."""
    planned = "Some of it is planned. " if any(row.state in OPEN_STATES for row in rows) else ""
    return {"op": "reply", "text": f"(scripted model) I could not plan all of it. {planned}{'; '.join(faults[:3])}"}
