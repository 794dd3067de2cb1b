"""Turns intents into operations over the real tools, as the JSON Lines a planner would write."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import assert_never

from infra.dev.scripted_model.documents import PlanRow, Situation
from infra.dev.scripted_model.error_rate_script import FIRST_DRAFT, RESULT_SCHEMA
from infra.dev.scripted_model.intents import (
    Check,
    DatabaseErrors,
    Deployments,
    ErrorRates,
    Hour,
    Intent,
    Post,
    Summary,
    Unknown,
    When,
    Withdraw,
)
from sandbox.script import Json

TITLE_CHARACTERS = 150
"""The most that a node's title may have."""

OPEN_STATES = frozenset({"planned", "running", "asking"})
USABLE_STATES = OPEN_STATES | {"succeeded"}

HOUR_OF_ERRORS = """\
SELECT coalesce(kind, 'all kinds') AS kind, count(*) AS errors, CAST(:hour AS timestamptz) AS hour
FROM payments_errors
WHERE at >= CAST(:hour AS timestamptz) AND at < CAST(:hour AS timestamptz) + interval '1 hour'
GROUP BY ROLLUP (kind) ORDER BY GROUPING(kind) DESC, errors DESC"""

DAY_OF_ERRORS = """\
SELECT date_trunc('hour', at) AS hour, count(*) AS errors
FROM payments_errors
WHERE at >= CAST(:day AS timestamptz) AND at < CAST(:day AS timestamptz) + interval '1 day'
GROUP BY 1 ORDER BY 1"""

DEPLOYED_AROUND_HOUR = """\
SELECT service, version, deployed_at, deployed_by, change
FROM deployments
WHERE deployed_at >= CAST(:hour AS timestamptz) - interval '1 hour'
  AND deployed_at < CAST(:hour AS timestamptz) + interval '2 hours'
ORDER BY deployed_at"""

DEPLOYED_ON_DAY = """\
SELECT service, version, deployed_at, deployed_by, change
FROM deployments
WHERE deployed_at >= CAST(:day AS timestamptz) AND deployed_at < CAST(:day AS timestamptz) + interval '1 day'
ORDER BY deployed_at"""

WHAT_I_CAN_DO = """\
I am Greenlight's scripted model: a small program in a language model's place, because no model key is set. \
The tools, approvals and scripts behind me are real. I understand requests like these, and combinations of them:
- `check our three services and post a summary to #incidents; also work out yesterday's error rate per service \
from the access log`
- `how many errors did the payments database record in that hour?` (or `at 14:00`)
- `what was deployed yesterday?`
- `is payments up?`
- `post "The sale starts at noon" to #general`"""


class Planner:
    """Writes one plan. Node ids are new in the whole thread; existing results are referred to."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._taken = {row.id for row in situation.plan}
        self._operations: list[Mapping[str, Json]] = []
        self._sources: list[str] = []
        self._excuses: list[str] = []

    def plan(self, wanted: Sequence[Intent]) -> Sequence[Mapping[str, Json]]:
        """Return operations and replies for what is wanted."""
        asked_for_deployments = any(isinstance(intent, Deployments) for intent in wanted)
        for intent in _data_first(wanted):
            self._grant(intent, with_deployments=not asked_for_deployments)
        if self._excuses:
            self._operations.append({"op": "reply", "text": "(scripted model) " + " ".join(self._excuses)})
        return self._operations

    def _grant(self, intent: Intent, *, with_deployments: bool) -> None:
        match intent:
            case Check(services=services, urls=urls):
                self._check(services, urls)
            case ErrorRates():
                self._error_rates(with_deployments=with_deployments)
            case DatabaseErrors(hour=hour):
                self._database_errors(hour)
            case Deployments(hour=hour):
                self._deployments(hour)
            case Summary(channel=channel):
                self._summary(channel)
            case Post(channel=channel, text=text):
                title = f"Post “{text[:60]}{'…' * (len(text) > 60)}” to {channel}"
                self._post("post_message", title, channel, text.replace("${", "$${"))
            case Withdraw():
                self._withdraw()
            case Unknown(text=text):
                self._excuses.append(f"I did not understand this part: “{text}”. Ask me “help” for what I can do.")
            case _:
                assert_never(intent)

    def _has(self, tool: str) -> bool:
        if tool in self._situation.tools:
            return True
        self._excuses.append(f"The tool `{tool}` is not installed here, so I left out what needs it.")
        return False

    def _add(self, base: str, kind: str, title: str, fields: Mapping[str, Json]) -> str:
        node = next(name for name in _numbered(base) if name not in self._taken)
        self._taken.add(node)
        self._operations.append({"op": "add", "id": node, "kind": kind, "title": title[:TITLE_CHARACTERS], **fields})
        return node

    def _tool(self, base: str, title: str, tool: str, args: Mapping[str, Json]) -> str:
        return self._add(base, "tool", title, {"tool": tool, "args": args})

    def _check(self, services: Sequence[str], urls: Sequence[str]) -> None:
        if not self._has("http_get"):
            return
        known = self._situation.services
        names = services or ([] if urls else list(known))
        if not names and not urls:
            self._excuses.append("No services are configured, so I do not know what to check.")
        for name in names:
            self._sources.append(self._tool(f"check_{_word(name)}", f"Check {name}", "http_get", {"url": known[name]}))
        for url in urls:
            host = re.sub(r"\Ahttps?://", "", url).split("/")[0]
            self._sources.append(self._tool(f"check_{_word(host)}", f"Check {host}", "http_get", {"url": url}))

    def _error_rates(self, *, with_deployments: bool) -> str | None:
        if not self._has("read_access_log"):
            return None
        if not self._situation.has_sandbox:
            self._excuses.append("There is no sandbox here to run a script in, so I cannot work out error rates.")
            return None
        rates = self._add(
            "error_rates",
            "package",
            "Work out error rates from the access log",
            {
                "tools": ["read_access_log"],
                "inputs": {"day": self._yesterday},
                "code": FIRST_DRAFT,
                "result_schema": RESULT_SCHEMA,
            },
        )
        self._sources.append(rates)
        if with_deployments and "sql_query" in self._situation.tools:
            hour: dict[str, Json] = {"hour": f"${{{rates}#/worst/hour}}"}
            title = "Find what was deployed around the worst hour"
            self._query("deployments", title, DEPLOYED_AROUND_HOUR, hour)
        return rates

    def _database_errors(self, hour: Hour) -> None:
        if not self._has("sql_query"):
            return
        if hour is When.ALL_DAY:
            title = "Count the payments database's errors by hour"
            self._query("database_errors", title, DAY_OF_ERRORS, {"day": self._yesterday})
        elif at := self._hour(hour):
            title = "Count the payments database's errors in the hour"
            self._sources.append(self._query("database_errors", title, HOUR_OF_ERRORS, {"hour": at}))

    def _deployments(self, hour: Hour) -> None:
        if not self._has("sql_query"):
            return
        if hour is When.ALL_DAY:
            day = {"day": self._yesterday}
            self._query("deployments", "Find what was deployed yesterday", DEPLOYED_ON_DAY, day)
        elif at := self._hour(hour):
            self._query("deployments", "Find what was deployed around the hour", DEPLOYED_AROUND_HOUR, {"hour": at})

    def _query(self, base: str, title: str, query: str, parameters: Mapping[str, Json]) -> str:
        return self._tool(base, title, "sql_query", {"query": query, "parameters": parameters})

    def _hour(self, hour: Hour) -> str | None:
        """Return the beginning of the hour, or a reference to the result that will hold it."""
        if not isinstance(hour, When):
            return f"{self._yesterday}T{hour:02}:00:00Z"
        rates = self._known("error_rates") or self._error_rates(with_deployments=False)
        return None if rates is None else f"${{{rates}#/worst/hour}}"

    @property
    def _yesterday(self) -> str:
        return (self._situation.now - timedelta(days=1)).date().isoformat()

    def _known(self, base: str) -> str | None:
        """Return the thread's newest node of that kind that has a result or will have one."""
        rows = [(row.id, row.state) for row in self._situation.plan]
        rows += [(str(operation["id"]), "planned") for operation in self._operations if operation["op"] == "add"]
        usable = [node for node, state in rows if state in USABLE_STATES and _base(node) == base]
        return usable[-1] if usable else None

    def _summary(self, channel: str) -> None:
        sources = self._sources or self._earlier_sources()
        if not channel:
            self._excuses.append("Which channel shall I post to? Name it, as in “post a summary to #incidents”.")
        elif not sources:
            self._excuses.append("There is nothing in this thread yet that I could sum up: ask me to check something.")
        else:
            lines = [line for source in sources for line in self._summary_lines(source)]
            self._post("post_summary", f"Post the summary to {channel}", channel, "\n".join(lines))

    def _earlier_sources(self) -> Sequence[str]:
        """Return the newest node of each kind that the thread has."""
        newest = {
            _base(row.id): row.id
            for row in self._situation.plan
            if row.state in USABLE_STATES and row.id.startswith(("check_", "error_rates"))
        }
        return list(newest.values())

    def _summary_lines(self, source: str) -> Iterator[str]:
        if source.startswith("check_"):
            name = _base(source).removeprefix("check_")
            yield f"• {name}: HTTP ${{{source}#/status}} after ${{{source}#/milliseconds}} ms"
        elif source.startswith("error_rates"):
            yield (
                f"• worst hour of ${{{source}#/day}}: ${{{source}#/worst/service}} at ${{{source}#/worst/hour}}, "
                f"${{{source}#/worst/errors}} of ${{{source}#/worst/requests}} requests failed"
            )
        else:
            yield (
                f"• the payments database recorded ${{{source}#/rows/0/1}} errors "
                f"in the hour from ${{{source}#/rows/0/2}}"
            )

    def _post(self, base: str, title: str, channel: str, text: str) -> None:
        if any(row.title == title[:TITLE_CHARACTERS] and row.state in OPEN_STATES for row in self._situation.plan):
            self._excuses.append(f"“{title}” is already planned and not decided yet.")
        elif self._has("slack_post_message"):
            self._tool(base, title, "slack_post_message", {"channel": channel, "text": text})

    def _withdraw(self) -> None:
        waiting = [row for row in self._situation.plan if row.id.startswith("post_") and row.state in OPEN_STATES]
        if not waiting:
            self._excuses.append("Nothing is waiting to be posted, so there is nothing to withdraw.")
        self._operations += [{"op": "cancel", "id": row.id, "why": "withdrawn on request"} for row in waiting]


def _data_first(wanted: Sequence[Intent]) -> Sequence[Intent]:
    """Move a leading summary to the end; it would have nothing to sum up."""
    if not wanted or not isinstance(wanted[0], Summary):
        return wanted
    return [*wanted[1:], wanted[0]]


def _numbered(base: str) -> Iterator[str]:
    yield base
    yield from (f"{base}_{number}" for number in itertools.count(2))


def _base(id: str) -> str:
    return re.sub(r"_\d+\Z", "", id)


def _word(name: str) -> str:
    """Return a name as part of a node id."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name)[:40].strip("_")


def plan_text(operations: Sequence[Mapping[str, Json]]) -> str:
    """Return JSON Lines."""
    return "".join(json.dumps(operation, ensure_ascii=False) + "\n" for operation in operations)


def refusal(rows: Sequence[PlanRow], faults: Sequence[str]) -> Mapping[str, Json]:
    """Return the reply to a plan that the engine refused. A second try would write the same plan again."""
    planned = "Some of it is planned. " if any(row.state in OPEN_STATES for row in rows) else ""
    return {"op": "reply", "text": f"(scripted model) I could not plan all of it. {planned}{'; '.join(faults[:3])}"}
