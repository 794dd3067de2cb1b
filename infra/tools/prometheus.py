"""The tools `prometheus_query` and `prometheus_alerts`: a Prometheus server, or what speaks its HTTP API."""

import asyncio
import math
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from pydantic import AfterValidator

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool, ToolError
from infra.tools.secret import Secret
from infra.tools.service import Service, base_address, is_open_to_others, json_object_in, trust_in, words_of
from sandbox.script import Json

PROMETHEUS_TOOLS = frozenset({"prometheus_alerts", "prometheus_query"})

_POINTS = 60
"""How many points of each series a range has when nobody says how far apart they are."""

_SHORTEST_STEP = 1.0
_MOST_QUERY = 10_000
_MOST_ERROR = 16 * 1024
_NO_SUCCESS = 300
_SERVER_ERROR = 500
_CODES: Mapping[int, str] = {401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}

_DURATION = re.compile(r"(?:[0-9]{1,6}(?:ms|[smhdwy])){1,6}")
_DURATION_PART = re.compile(r"([0-9]{1,6})(ms|[smhdwy])")
_UNIT_SECONDS: Mapping[str, float] = {
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "w": 7 * 86400,
    "y": 365 * 86400,
}

_DURATION_ARGUMENT: Mapping[str, Json] = {"type": "string", "pattern": f"^{_DURATION.pattern}$", "maxLength": 40}
_TIME_ARGUMENT: Mapping[str, Json] = {
    "type": "string",
    "maxLength": 40,
    "description": "As 2026-11-24T07:00:00Z, or in seconds since 1970.",
}

QUERY_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": _MOST_QUERY, "description": "PromQL."},
        "time": {**_TIME_ARGUMENT, "description": "The moment to look at; without it: now."},
        "last": {**_DURATION_ARGUMENT, "description": "Returns how it went in this time until now, such as 2h."},
        "start": _TIME_ARGUMENT,
        "end": _TIME_ARGUMENT,
        "step": {**_DURATION_ARGUMENT, "description": "Between two points of last, or of start and end."},
    },
    "required": ["query"],
    "dependentRequired": {"start": ["end"], "end": ["start"]},
    "additionalProperties": False,
}

ALERTS_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "state": {"enum": ["firing", "pending", "all"]},
        "labels": {
            "type": "object",
            "description": "Only alerts with these labels.",
            "additionalProperties": {"type": "string", "maxLength": 500},
            "maxProperties": 20,
        },
        "rules": {"type": "boolean", "description": "Whether to return the alerting rules, too."},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class PrometheusConfig:
    """`[tools.prometheus]`: the server that is asked."""

    #: Its address, with the path before `/api/v1` if it has one.
    url: Annotated[str, AfterValidator(base_address)]
    token: Secret | None = None
    username: str = ""
    password: Secret | None = None
    #: The certificates (PEM) that it is checked with; none: those of the machine.
    ca_file: Path | None = None
    timeout_seconds: float = field(default=20.0, metadata={"gt": 0, "le": 300})
    #: The most series that a query may return, and the most alerts and rules.
    series: int = field(default=100, metadata={"ge": 1, "le": 10_000})
    #: The most points of all its series together.
    samples: int = field(default=6_000, metadata={"ge": 1, "le": 100_000})

    def __post_init__(self) -> None:
        """Refuse credentials that others can read, and halves of them.

        Raises:
            ValueError: see above.
        """
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password go together")
        if self.token is not None and self.password is not None:
            raise ValueError("token and password exclude each other")
        if (self.token or self.password) and is_open_to_others(self.url):
            raise ValueError("credentials are sent only to an https address")


def prometheus_tools(
    config: PrometheusConfig, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Sequence[Tool]:
    """Return the tools. `now` has a time zone."""
    green = partial(
        Tool,
        colour=Colour.GREEN,
        returns_outside_text=True,
        timeout_seconds=config.timeout_seconds + 15,
        retryable=True,
    )
    return (
        green(
            name=ToolName("prometheus_query"),
            description="Ask a Prometheus server in PromQL, for one moment or, with last or start and end, for a span "
            "of time. Returns type and series: labels with time and value, or with points [[time, value], ...]. At "
            f"most {config.series} series and {config.samples} points: aggregate, such as sum by (job) or topk.",
            arguments=QUERY_ARGUMENTS,
            call=partial(_query, config, now),
        ),
        green(
            name=ToolName("prometheus_alerts"),
            description="Read which alerts a Prometheus server has. Returns alerts: name, state (firing or pending), "
            "labels, annotations, since and value; firing ones first. With rules also its alerting rules.",
            arguments=ALERTS_ARGUMENTS,
            call=partial(_alerts, config),
        ),
    )


async def service_of(config: PrometheusConfig) -> Service:
    """Return the server with the credentials for it.

    Raises:
        ToolError: `no_secret`: they cannot be read.
    """
    headers: dict[str, str] = {}
    if config.token is not None:
        headers["Authorization"] = f"Bearer {await config.token.read()}"
    elif config.password is not None:
        login = f"{config.username}:{await config.password.read()}"
        headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    return Service(
        name="Prometheus",
        address=config.url,
        headers=headers,
        tls=await asyncio.to_thread(_tls, config.ca_file) if config.ca_file is not None else None,
        seconds=config.timeout_seconds + 5,
        answer_bytes=200 * config.samples + 4096 * config.series + 64 * 1024,
    )


def _tls(ca_file: Path) -> ssl.SSLContext:
    try:
        return trust_in(ca_file.expanduser().read_text())
    except (OSError, ValueError) as error:
        raise ToolError("no_secret", f"{ca_file} cannot be used: {type(error).__name__}") from error


async def answer_of(
    config: PrometheusConfig,
    path: str,
    form: Sequence[tuple[str, str]] = (),
    query: Sequence[tuple[str, str]] = (),
) -> Mapping[str, Json]:
    """Return what the server answers: `data` and perhaps `warnings`. With a form, it is sent in a POST.

    Raises:
        ToolError: it refuses, or gives no answer.
    """
    service = await service_of(config)
    headers = {"Accept": "application/json"}
    if form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    method, data = ("POST", urlencode(form).encode()) if form else ("GET", None)
    answer = await service.ask(method, f"api/v1/{path}", query=query, headers=headers, data=data)
    if answer.status >= _NO_SUCCESS:
        said = json_object_in(answer.body[:_MOST_ERROR]) or {}
        raise ToolError(_code(answer.status, said), f"Prometheus answers {answer.status}: {answer.words('error')}")
    found = await answer.json_object()
    if found.get("status") != "success" or not isinstance(found.get("data"), Mapping | list):
        raise ToolError("bad_answer", "Prometheus does not answer as its API says.")
    return found


def _code(status: int, said: Mapping[str, Json]) -> str:
    """Return the code of an error: a query that takes too long is not asked again unchanged."""
    if said.get("errorType") in ("timeout", "canceled"):
        return "query_timeout"
    if status in _CODES:
        return _CODES[status]
    return "unavailable" if status >= _SERVER_ERROR else "bad_query"


async def _query(
    config: PrometheusConfig, now: Callable[[], datetime], _context: CallContext, args: Mapping[str, Json]
) -> Json:
    form = [("query", str(args["query"])), ("timeout", f"{config.timeout_seconds:.6f}")]
    form.append(("limit", str(config.series + 1)))  # servers before 2.54 do not know it, and send all
    span = _span(config, now(), args)
    if span is None:
        form += [("time", str(args["time"]))] if "time" in args else []
        found = await answer_of(config, "query", form)
    else:
        form += [("start", f"{span.start:.3f}"), ("end", f"{span.end:.3f}"), ("step", f"{span.step:g}")]
        found = await answer_of(config, "query_range", form)
    data = _mapping(found["data"])
    told: dict[str, Json] = {"type": str(data.get("resultType", "")), **_result(config, data)}
    if span is not None:
        told["step_seconds"] = span.step
    for key in ("warnings", "infos"):
        if notes := found.get(key):
            told[key] = [words_of(note) for note in _list(notes)[:5]]
    return told


@dataclass(frozen=True, kw_only=True)
class _Span:
    """The time that a query is about, in seconds since 1970."""

    start: float
    end: float
    step: float


def _span(config: PrometheusConfig, now: datetime, args: Mapping[str, Json]) -> _Span | None:
    """Return the span of time that a query is about; None: it is about a moment.

    Raises:
        ToolError: it cannot be read, or has more points than a query may return.
    """
    if "last" in args:
        end = now.timestamp()
        start = end - _seconds(str(args["last"]))
    elif "start" in args:
        start, end = (_moment(str(args[name])) for name in ("start", "end"))
    else:
        return None
    if "time" in args or ("last" in args and "start" in args):
        raise ToolError("bad_arguments", "time, last, and start with end exclude each other.")
    if end < start:
        raise ToolError("bad_arguments", "The end is before the start.")
    step = _seconds(str(args["step"])) if "step" in args else max(_SHORTEST_STEP, math.ceil((end - start) / _POINTS))
    if step <= 0 or (end - start) / step + 1 > config.samples:
        raise ToolError("too_much", f"More than {config.samples} points of one series: take a longer step.")
    return _Span(start=start, end=end, step=step)


def _seconds(duration: str) -> float:
    """Return a duration of PromQL, such as `1h30m`, in seconds."""
    parts = _DURATION_PART.findall(duration) if _DURATION.fullmatch(duration) else []
    return sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def _moment(written: str) -> float:
    try:
        return float(written) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", written) else _timestamp(written)
    except (ValueError, OverflowError):
        raise ToolError("bad_time", f"{words_of(written)} is no time as 2026-11-24T07:00:00Z.") from None


def _timestamp(written: str) -> float:
    moment = datetime.fromisoformat(written)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.fromtimestamp(0, UTC)) / timedelta(seconds=1)


def _result(config: PrometheusConfig, data: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return a query's result with numbers in place of texts.

    Raises:
        ToolError: it has more series or points than may be.
    """
    result = _list(data.get("result"))
    if data.get("resultType") in ("scalar", "string"):
        return dict(zip(("time", "value"), (result[0], _number(result[1])), strict=True)) if len(result) == 2 else {}
    if len(result) > config.series:
        words = "Choose some by their labels, or aggregate: sum by (job) (...), topk(10, ...)."
        raise ToolError("too_much", f"More than {config.series} series. {words}")
    series = [_series(_mapping(entry)) for entry in result]
    points = sum(len(_list(entry.get("points"))) for entry in series)
    if points > config.samples:
        words = f"{points} points, more than {config.samples}. Take a longer step or a shorter time, or fewer series."
        raise ToolError("too_much", words)
    return {"series": series}


def _series(entry: Mapping[str, Json]) -> Mapping[str, Json]:
    labels = dict(_mapping(entry.get("metric")))
    if "value" in entry or "histogram" in entry:
        time, value = _point(entry.get("value") or entry.get("histogram"))
        return {"labels": labels, "time": time, "value": value}
    points = [list(_point(point)) for name in ("values", "histograms") for point in _list(entry.get(name))]
    return {"labels": labels, "points": points}


def _point(point: Json) -> tuple[Json, Json]:
    pair = _list(point)
    return (pair[0], _number(pair[1])) if len(pair) == 2 else (None, None)


def _number(value: Json) -> Json:
    """Return a sample's value as a number; the texts NaN, +Inf and -Inf stay; of a histogram its count and sum."""
    if isinstance(value, Mapping):
        return {key: _number(value.get(key)) for key in ("count", "sum")}
    try:
        number = float(str(value))
    except ValueError:
        return value
    return number if math.isfinite(number) else value


async def _alerts(config: PrometheusConfig, _context: CallContext, args: Mapping[str, Json]) -> Json:
    found = _mapping((await answer_of(config, "alerts"))["data"])
    state, wanted = str(args.get("state", "firing")), _mapping(args.get("labels"))
    alerts = [
        alert
        for alert in map(_mapping, _list(found.get("alerts")))
        if state in ("all", alert.get("state")) and wanted.items() <= _mapping(alert.get("labels")).items()
    ]
    alerts.sort(key=lambda alert: (alert.get("state") != "firing", str(alert.get("activeAt", ""))))
    told: dict[str, Json] = {"alerts": [_alert(alert) for alert in alerts[: config.series]]}
    if len(alerts) > config.series:
        told["left_out"] = len(alerts) - config.series
    if args.get("rules"):
        rules = list(_rules(_mapping((await answer_of(config, "rules", query=[("type", "alert")]))["data"])))
        told["rules"] = rules[: config.series]
        if len(rules) > config.series:
            told["rules_left_out"] = len(rules) - config.series
    return told


def _alert(alert: Mapping[str, Json]) -> Mapping[str, Json]:
    labels = _mapping(alert.get("labels"))
    return {
        "name": labels.get("alertname"),
        "state": alert.get("state"),
        "since": alert.get("activeAt"),
        "value": _number(alert.get("value")),
        "labels": {key: value for key, value in labels.items() if key != "alertname"},
        "annotations": alert.get("annotations"),
    }


def _rules(data: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    for group in map(_mapping, _list(data.get("groups"))):
        for rule in map(_mapping, _list(group.get("rules"))):
            told: Mapping[str, Json] = {
                "group": group.get("name"),
                "name": rule.get("name"),
                "state": rule.get("state"),
                "query": rule.get("query"),
                "for_seconds": rule.get("duration"),
                "health": rule.get("health"),
                "last_error": rule.get("lastError"),
                "labels": rule.get("labels"),
                "annotations": rule.get("annotations"),
            }
            yield {key: value for key, value in told.items() if value not in (None, "", {})}


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else []
