"""Writes the answer to people from the results: findings, actions, and steps that did not happen with the reason."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from infra.dev.scripted_model.documents import PlanRow
from sandbox.script import Json

SIGNATURE = "_(scripted model)_"
SHOWN_ROWS = 30


def answer_text(rows: Sequence[PlanRow]) -> str:
    """Return the answer in Markdown: checks, error rates, query results, posts, then what did not happen."""
    done: dict[str | None, list[PlanRow]] = {kind: [] for kind in (*_SHAPES, None)}
    for row in rows:
        if row.state == "succeeded":
            done[_kind(row.result)].append(row)
    parts = [
        _checks(done["check"]),
        *(_error_rates(_object(row.result)) for row in done["error rates"]),
        *(_query(row) for row in done["query"]),
        *(_commits(_object(row.result)) for row in done["commits"]),
        _bullets(_commit(row) for row in done["commit"]),
        _bullets(_post(row) for row in done["post"]),
        _bullets(_other(row) for row in done[None]),
        _not_done(rows),
        SIGNATURE,
    ]
    return "\n\n".join(part for part in parts if part)


_SHAPES = {
    "check": {"status", "milliseconds", "body"},
    "error rates": {"services", "worst"},
    "query": {"columns", "rows"},
    "commits": {"commits", "more"},
    "revert": {"base", "changes", "message"},
    "commit": {"branch", "head", "parent"},
    "post": {"channel", "ts"},
}
"""The kinds of results that the answer knows, by the keys they have."""


def _kind(result: Json) -> str | None:
    if not isinstance(result, Mapping):
        return None
    return next((kind for kind, keys in _SHAPES.items() if keys <= result.keys()), None)


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _number(value: Json) -> float:
    return value if isinstance(value, int | float) else 0.0


def _count(value: Json) -> str:
    return f"{_number(value):,.0f}"


def _rate(value: Json) -> str:
    return f"{_number(value) * 100:.2f} %"


def _time(value: Json, form: str = "{0:%Y-%m-%d %H:%M} UTC") -> str:
    """Return an ISO time as people write it: `2025-11-20 14:00 UTC`."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return form.format(at, at + timedelta(hours=1))


def _hour(value: Json) -> str:
    """Return an hour from its beginning: `14:00-15:00 UTC on 2025-11-20`."""
    return _time(value, "{0:%H}:00-{1:%H}:00 UTC on {0:%Y-%m-%d}")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows[:SHOWN_ROWS]]
    more = f"\n\n…and {len(rows) - SHOWN_ROWS} more rows" if len(rows) > SHOWN_ROWS else ""
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + more


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _bullets(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _checks(rows: Sequence[PlanRow]) -> str:
    if not rows:
        return ""
    bad: list[str] = []
    table: list[tuple[str, str, str]] = []
    for row in rows:
        name, result = row.title.removeprefix("Check "), _object(row.result)
        body = _object(result["body"])
        if not 200 <= _number(result["status"]) < 300:
            reason = body.get("reason")
            bad.append(f"{name} answers {result['status']}" + (f" ({reason})" if reason else ""))
        word = body.get("status")
        status = f"{result['status']}" + (f" {word}" if word else "")
        table.append((name, status, f"{_count(result['milliseconds'])} ms"))
    if bad:
        headline = f"**{len(rows) - len(bad)} of {len(rows)} healthy.** " + "; ".join(bad)
    else:
        headline = f"**{'All healthy' if len(rows) > 1 else f'{table[0][0]} is healthy'}.**"
    return f"{headline}\n\n{_table(('Service', 'Status', 'Answered in'), table)}"


def _error_rates(result: Mapping[str, Json]) -> str:
    worst = _object(result["worst"])
    services = sorted(
        ((name, _object(rates)) for name, rates in _object(result["services"]).items()),
        key=lambda service: -_number(service[1].get("rate")),
    )
    table = _table(
        ("Service", "Requests", "Errors (5xx)", "Error rate"),
        [(name, _count(e.get("requests")), _count(e.get("errors")), _rate(e.get("rate"))) for name, e in services],
    )
    unreadable = result.get("unreadable_lines")
    note = f"\n\n{_count(unreadable)} broken log lines could not be read and are not counted." if unreadable else ""
    return (
        f"**Error rates on {result.get('day', 'the day')}.** The worst hour was {_hour(worst.get('hour'))}: "
        f"{worst.get('service')} failed {_count(worst.get('errors'))} of {_count(worst.get('requests'))} requests "
        f"({_rate(worst.get('rate'))}).\n\n{table}{note}"
    )


def _query(row: PlanRow) -> str:
    result = _object(row.result)
    columns = [str(column) for column in _list(result["columns"])]
    records = [dict(zip(columns, _list(row), strict=False)) for row in _list(result["rows"])]
    if columns == ["kind", "errors", "hour"] and records:
        text = _hour_of_errors(records)
    elif columns == ["hour", "errors"]:
        text = _day_of_errors(records)
    elif columns == ["service", "version", "deployed_at", "deployed_by", "change"]:
        text = _deployments(row.title.removeprefix("Find what was ").capitalize(), records)
    else:
        text = f"**{row.title}**\n\n" + _table(columns, [[str(record[c]) for c in columns] for record in records])
    return f"{text}\n\nThe result was cut off; there is more." if result.get("truncated") else text


def _hour_of_errors(records: Sequence[Mapping[str, Json]]) -> str:
    total, *kinds = records
    head = f"**The payments database recorded {_count(total['errors'])} errors** in the hour {_hour(total['hour'])}."
    rows = [(str(kind["kind"]), _count(kind["errors"])) for kind in kinds]
    return f"{head}\n\n{_table(('Kind', 'Errors'), rows)}" if rows else head


def _day_of_errors(records: Sequence[Mapping[str, Json]]) -> str:
    if not records:
        return "**The payments database recorded no errors.**"
    worst = max(records, key=lambda record: _number(record["errors"]))
    total = sum(_number(record["errors"]) for record in records)
    head = (
        f"**The payments database recorded {_count(total)} errors**, most of them ({_count(worst['errors'])}) "
        f"in the hour {_hour(worst['hour'])}."
    )
    rows = [(_time(record["hour"]), _count(record["errors"])) for record in records]
    return f"{head}\n\n{_table(('Hour', 'Errors'), rows)}"


def _deployments(head: str, records: Sequence[Mapping[str, Json]]) -> str:
    if not records:
        return f"**{head}:** nothing."
    rows = [
        (_time(r["deployed_at"]), f"{r['service']} {r['version']}", str(r["deployed_by"]), str(r["change"]))
        for r in records
    ]
    return f"**{head}**\n\n" + _table(("When", "What", "By", "Change"), rows)


def _commits(result: Mapping[str, Json]) -> str:
    rows = [
        (str(c.get("id"))[:12], str(c.get("subject")), str(c.get("author")), _time(c.get("at")))
        for c in map(_object, _list(result["commits"]))
    ]
    return (
        f"**Found by git**\n\n{_table(('Commit', 'What', 'By', 'When'), rows)}" if rows else "**Git found no commit.**"
    )


def _commit(row: PlanRow) -> str:
    result = _object(row.result)
    return f"{row.title}: done, {result['branch']} of {result['repository']} is at `{str(result['head'])[:12]}`."


def _post(row: PlanRow) -> str:
    channel = str(_object(row.result)["channel"])
    where = f"<#{channel}>" if channel[:1] in ("C", "G") and channel.isupper() else channel
    return f"{row.title}: done, in {where}."


def _other(row: PlanRow) -> str:
    artifact = _object(_object(row.result).get("artifact"))
    if artifact:
        return f"{row.title}: done ({_count(artifact.get('size'))} bytes)."
    return f"{row.title}: {json.dumps(row.result, ensure_ascii=False)[:300]}"


def _not_done(rows: Sequence[PlanRow]) -> str:
    titles = {row.id: row.title for row in rows}
    return _bullets(f"{row.title}: {_why(row, titles)}" for row in rows if row.state != "succeeded")


def _why(row: PlanRow, titles: Mapping[str, str]) -> str:
    why = _object(row.result)
    match row.state:
        case "rejected":
            reason = f" (“{why['reason']}”)" if why.get("reason") else ""
            return f"**rejected** by <@{why.get('by', '')}>{reason}. Nothing was sent or changed."
        case "expired":
            return "**expired**: nobody decided in time."
        case "skipped":
            because = str(why.get("because", ""))
            return f"**skipped**, because it waits for “{titles.get(because, because)}”, which did not happen."
        case "failed":
            return f"**failed** ({why.get('error', 'unknown')}): {why.get('message', '')}"[:500]
        case "cancelled":
            return f"**cancelled** ({why.get('why') or 'withdrawn'})."
        case other:
            return f"not finished ({other})."
