"""The answer to people, written from results: what was found, what was done, what did not happen and why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeGuard

from infra.dev.scripted_model.documents import PlanRow
from sandbox.script import Json

SIGNATURE = "_(scripted model)_"
SHOWN_ROWS = 30


def answer_text(rows: Sequence[PlanRow]) -> str:
    """Return the answer in Markdown: checks, error rates, query results, posts, then what did not happen."""
    done = [row for row in rows if row.state == "succeeded"]
    parts = [
        _checks([row for row in done if _is_check(row.result)]),
        *(_error_rates(row.result) for row in done if _is_error_rates(row.result)),
        *(_query(row) for row in done if _is_query(row.result)),
        _bullets(_post(row) for row in done if _is_post(row.result)),
        _bullets(_other(row) for row in done if not any(known(row.result) for known in KNOWN)),
        _not_done(rows),
        SIGNATURE,
    ]
    return "\n\n".join(part for part in parts if part)


def _is_check(result: Json) -> TypeGuard[Mapping[str, Json]]:
    return isinstance(result, Mapping) and {"status", "milliseconds", "body"} <= result.keys()


def _is_error_rates(result: Json) -> TypeGuard[Mapping[str, Json]]:
    return isinstance(result, Mapping) and {"services", "worst"} <= result.keys()


def _is_query(result: Json) -> TypeGuard[Mapping[str, Json]]:
    return isinstance(result, Mapping) and {"columns", "rows"} <= result.keys()


def _is_post(result: Json) -> TypeGuard[Mapping[str, Json]]:
    return isinstance(result, Mapping) and {"channel", "ts"} <= result.keys()


KNOWN: tuple[Callable[[Json], bool], ...] = (_is_check, _is_error_rates, _is_query, _is_post)


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


def _time(value: Json) -> str:
    """Return an ISO time as people write it: `2025-11-20 14:00 UTC`."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _hour(value: Json) -> str:
    """Return an hour from its beginning: `14:00-15:00 UTC on 2025-11-20`."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return f"{at:%H}:00-{(at.hour + 1) % 24:02}:00 UTC on {at:%Y-%m-%d}"


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
    answers = [(row.title.removeprefix("Check "), _object(row.result)) for row in rows]
    bad = [(name, result) for name, result in answers if not 200 <= _number(result["status"]) < 300]
    if bad:
        verdict = f"**{len(answers) - len(bad)} of {len(answers)} healthy.** " + "; ".join(
            f"{name} answers {result['status']}{_reason(result)}" for name, result in bad
        )
    else:
        verdict = f"**{'All healthy' if len(answers) > 1 else f'{answers[0][0]} is healthy'}.**"
    table = _table(
        ("Service", "Status", "Answered in"),
        [
            (name, f"{result['status']}{_word(result)}", f"{_count(result['milliseconds'])} ms")
            for name, result in answers
        ],
    )
    return f"{verdict}\n\n{table}"


def _reason(result: Mapping[str, Json]) -> str:
    reason = _object(result["body"]).get("reason")
    return f" ({reason})" if reason else ""


def _word(result: Mapping[str, Json]) -> str:
    word = _object(result["body"]).get("status")
    return f" {word}" if word else ""


def _error_rates(result: Mapping[str, Json]) -> str:
    worst = _object(result["worst"])
    services = sorted(
        ((name, _object(each)) for name, each in _object(result["services"]).items()),
        key=lambda each: -_number(each[1].get("rate")),
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
    columns = [str(each) for each in _list(result["columns"])]
    records = [dict(zip(columns, _list(each), strict=False)) for each in _list(result["rows"])]
    if columns == ["kind", "errors", "hour"] and records:
        text = _hour_of_errors(records)
    elif columns == ["hour", "errors"]:
        text = _day_of_errors(records)
    elif columns == ["service", "version", "deployed_at", "deployed_by", "change"]:
        text = _deployments(row.title.removeprefix("Find what was ").capitalize(), records)
    else:
        text = f"**{row.title}**\n\n" + _table(columns, [[str(each[c]) for c in columns] for each in records])
    return f"{text}\n\nThe result was cut off; there is more." if result.get("truncated") else text


def _hour_of_errors(records: Sequence[Mapping[str, Json]]) -> str:
    total, *kinds = records
    head = f"**The payments database recorded {_count(total['errors'])} errors** in the hour {_hour(total['hour'])}."
    return (
        f"{head}\n\n{_table(('Kind', 'Errors'), [(str(k['kind']), _count(k['errors'])) for k in kinds])}"
        if kinds
        else head
    )


def _day_of_errors(records: Sequence[Mapping[str, Json]]) -> str:
    if not records:
        return "**The payments database recorded no errors.**"
    worst = max(records, key=lambda each: _number(each["errors"]))
    total = sum(_number(each["errors"]) for each in records)
    head = (
        f"**The payments database recorded {_count(total)} errors**, most of them ({_count(worst['errors'])}) "
        f"in the hour {_hour(worst['hour'])}."
    )
    return (
        f"{head}\n\n{_table(('Hour', 'Errors'), [(_time(each['hour']), _count(each['errors'])) for each in records])}"
    )


def _deployments(head: str, records: Sequence[Mapping[str, Json]]) -> str:
    if not records:
        return f"**{head}:** nothing."
    rows = [
        (_time(r["deployed_at"]), f"{r['service']} {r['version']}", str(r["deployed_by"]), str(r["change"]))
        for r in records
    ]
    return f"**{head}**\n\n" + _table(("When", "What", "By", "Change"), rows)


def _post(row: PlanRow) -> str:
    channel = str(_object(row.result)["channel"])
    where = f"<#{channel}>" if channel[:1] in ("C", "G") and channel.isupper() else channel
    return f"{row.title}: done, in {where}."


def _other(row: PlanRow) -> str:
    artifact = _object(_object(row.result).get("artifact"))
    if artifact:
        return f"{row.title}: done ({_count(artifact.get('size'))} bytes)."
    return f"{row.title}: {str(row.result)[:300]}"


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
