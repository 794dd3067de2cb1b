"""Recognises by keywords what a request asks for, and plans it.

The text becomes intents, in the order they are named. Each intent adds its nodes to a plan.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from operator import itemgetter
from typing import TypeAlias, cast

from agent.plan.references import with_texts
from infra.dev.scripted_model.demo_plan import DEPLOYED_AROUND_HOUR, OPEN_STATES, USABLE_STATES, Planner, base_id
from infra.dev.scripted_model.documents import PlanRow, Situation
from sandbox.script import Json


class When(Enum):
    """Which part of yesterday is meant, when it is not an hour by number."""

    ALL_DAY = auto()
    WORST_HOUR = auto()


Hour: TypeAlias = int | When

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

DEPLOYED_ON_DAY = """\
SELECT service, version, deployed_at, deployed_by, change
FROM deployments
WHERE deployed_at >= CAST(:day AS timestamptz) AND deployed_at < CAST(:day AS timestamptz) + interval '1 day'
ORDER BY deployed_at"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Check that services answer. Without services and URLs: all of them."""

    services: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def plan(self, planner: Planner) -> None:
        """Add one request for each service and URL."""
        if not planner.has("http_get"):
            return
        known = planner.situation.services
        targets = [(name, known[name]) for name in self.services or ([] if self.urls else known)]
        targets += [(re.sub(r"\Ahttps?://", "", url).split("/")[0], url) for url in self.urls]
        if not targets:
            planner.excuses.append("No services are configured, so I do not know what to check.")
        for name, url in targets:
            base = re.sub(r"[^A-Za-z0-9]+", "_", name)[:40].strip("_")
            planner.sources.append(planner.tool(f"check_{base}", f"Check {name}", "http_get", {"url": url}))


@dataclass(frozen=True, kw_only=True)
class ErrorRates:
    """Work out yesterday's error rates from the access log."""

    def plan(self, planner: Planner) -> None:
        """Add the package, and the deployments around the worst hour unless they are asked for themselves."""
        planner.error_rates(with_deployments=planner.with_deployments)


@dataclass(frozen=True, kw_only=True)
class DatabaseErrors:
    """Count what the payments database recorded."""

    hour: Hour

    def plan(self, planner: Planner) -> None:
        """Add a query by hour for the day, or by kind for one hour; only the latter can be summed up."""
        day = ("Count the payments database's errors by hour", DAY_OF_ERRORS)
        hour = ("Count the payments database's errors in the hour", HOUR_OF_ERRORS)
        node = _query(planner, self.hour, "database_errors", day, hour)
        if node is not None and self.hour is not When.ALL_DAY:
            planner.sources.append(node)


@dataclass(frozen=True, kw_only=True)
class Deployments:
    """List what was deployed."""

    hour: Hour

    def plan(self, planner: Planner) -> None:
        """Add a query of the day's deployments or of those around the hour."""
        day = ("Find what was deployed yesterday", DEPLOYED_ON_DAY)
        hour = ("Find what was deployed around the hour", DEPLOYED_AROUND_HOUR)
        _query(planner, self.hour, "deployments", day, hour)


@dataclass(frozen=True, kw_only=True)
class Culprit:
    """Find the commit that the worst hour came of."""

    #: Whether it is to be reverted, too.
    revert: bool

    def plan(self, planner: Planner) -> None:
        """Add a search of the repository of the service with the worst hour, and the revert of what it finds."""
        if planner.has("git_log") and (not self.revert or planner.has("git_commit")):
            planner.culprit(revert=self.revert)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Post a summary of the results so far."""

    #: `#name`, an id, or empty when none was named.
    channel: str

    def plan(self, planner: Planner) -> None:
        """Add a post that refers to the plan's results, or without any to the thread's newest."""
        sources = planner.sources or _earlier_sources(planner.situation.plan)
        if not self.channel:
            planner.excuses.append("Which channel shall I post to? Name it, as in “post a summary to #incidents”.")
        elif not sources:
            planner.excuses.append(
                "There is nothing in this thread yet that I could sum up: ask me to check something."
            )
        else:
            text = "\n".join(_summary_line(source) for source in sources)
            planner.post("post_summary", f"Post the summary to {self.channel}", self.channel, text)


@dataclass(frozen=True, kw_only=True)
class Post:
    """Post this very text."""

    channel: str
    text: str

    def plan(self, planner: Planner) -> None:
        """Add the post; `${` in the text refers to nothing."""
        shown = f"{self.text[:60]}{'…' * (len(self.text) > 60)}"
        planner.post("post_message", f"Post “{shown}” to {self.channel}", self.channel, self.text.replace("${", "$${"))


@dataclass(frozen=True, kw_only=True)
class CallTool:
    """Call this very tool."""

    tool: str
    args: Mapping[str, Json]

    def plan(self, planner: Planner) -> None:
        """Add the call; `${` in its texts refers to nothing."""
        if planner.has(self.tool):
            args = cast("Mapping[str, Json]", with_texts(self.args, lambda text: text.replace("${", "$${")))
            planner.tool(f"call_{self.tool}", f"Call {self.tool}", self.tool, args)


@dataclass(frozen=True, kw_only=True)
class Withdraw:
    """Do not post after all."""

    def plan(self, planner: Planner) -> None:
        """Cancel the posts that wait."""
        rows = planner.situation.plan
        waiting = [row.id for row in rows if row.id.startswith("post_") and row.state in OPEN_STATES]
        if not waiting:
            planner.excuses.append("Nothing is waiting to be posted, so there is nothing to withdraw.")
        planner.operations += [{"op": "cancel", "id": node, "why": "withdrawn on request"} for node in waiting]


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A part of the request that is not recognised."""

    text: str

    def plan(self, planner: Planner) -> None:
        """Say so."""
        planner.excuses.append(f"I did not understand this part: “{self.text}”. Ask me “help” for what I can do.")


Intent: TypeAlias = (
    Check | ErrorRates | DatabaseErrors | Deployments | Culprit | Summary | Post | CallTool | Withdraw | Unknown
)


def operations(wanted: Sequence[Intent], situation: Situation) -> Sequence[Mapping[str, Json]]:
    """Return operations and replies for what is wanted. A leading summary comes last: it needs something to sum up."""
    with_deployments = not any(isinstance(intent, Deployments) for intent in wanted)
    planner = Planner(situation, with_deployments=with_deployments)
    leading = 1 if wanted and isinstance(wanted[0], Summary) else 0
    for intent in (*wanted[leading:], *wanted[:leading]):
        intent.plan(planner)
    if planner.excuses:
        planner.operations.append({"op": "reply", "text": "(scripted model) " + " ".join(planner.excuses)})
    return planner.operations


def _query(planner: Planner, at: Hour, base: str, day: tuple[str, str], hour: tuple[str, str]) -> str | None:
    """Add the title and query of `day` for a whole day, else those of `hour`; None when that cannot run here."""
    if not planner.has("sql_query"):
        return None
    if at is When.ALL_DAY:
        return planner.query(base, *day, {"day": planner.yesterday})
    # The beginning of the hour: a time, or a reference to the result that will hold it.
    began = planner.worst_hour() if isinstance(at, When) else f"{planner.yesterday}T{at:02}:00:00Z"
    return planner.query(base, *hour, {"hour": began}) if began else None


def _earlier_sources(rows: Sequence[PlanRow]) -> Sequence[str]:
    """Return the newest node of each kind that the thread has."""
    usable = [row.id for row in rows if row.state in USABLE_STATES and row.id.startswith(("check_", "error_rates"))]
    return list({base_id(node): node for node in usable}.values())


def _summary_line(source: str) -> str:
    if source.startswith("check_"):
        name = base_id(source).removeprefix("check_")
        return f"• {name}: HTTP ${{{source}#/status}} after ${{{source}#/milliseconds}} ms"
    if source.startswith("error_rates"):
        return (
            f"• worst hour of ${{{source}#/day}}: ${{{source}#/worst/service}} at ${{{source}#/worst/hour}}, "
            f"${{{source}#/worst/errors}} of ${{{source}#/worst/requests}} requests failed"
        )
    if source.startswith("revert_commit"):
        return f"• reverted a commit on ${{{source}#/branch}} of ${{{source}#/repository}}: now at ${{{source}#/head}}"
    return f"• the payments database recorded ${{{source}#/rows/0/1}} errors in the hour from ${{{source}#/rows/0/2}}"


def _any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


CHANNEL = r"(?:<#(?P<id>\w+)(?:\|(?P<label>[^<>]*+))?>|(?<![\w&])#(?P<name>[a-z0-9][\w.-]*))"
QUOTED = r"[\"“”«»](?P<text>[^\"“”«»]+)[\"“”«»]"
POST = r"\b(?:post|send|say|write|publish)\b"
GAP = r"\s{1,20}+"
INTO = rf"(?:{GAP}(?:to|in|into|on|at))"

LITERAL_POSTS = (
    _any_case(rf"{POST}{GAP}(?:the (?:message|text) )?{QUOTED}{INTO}?{GAP}{CHANNEL}"),
    _any_case(rf"{POST}{INTO}{GAP}{CHANNEL}\s*+[:,]?\s*+{QUOTED}"),
    _any_case(rf"{POST}{INTO}{GAP}{CHANNEL}\s*+:\s*+(?P<text>[^\n]+)"),
    _any_case(rf"{POST}{GAP}(?P<text>[^;,.\n]{{1,100}}?){INTO}{GAP}{CHANNEL}"),
)
"""Ways to dictate a message: the first that matches counts."""

CALL = _any_case(r"\Acall\s++`?(?P<tool>\w++)(?P<args>(?s:.*+))")
STRAIGHT_QUOTES = str.maketrans("“”„", '"""')
"""What phones write for the quotes of JSON."""

ABOUT_RESULTS = _any_case(
    r"\b(summar\w*|overview|result\w*|status|report\w*|rates?|errors?|deploy\w*|findings?|outcome|"
    r"it|them|that|this|these|those|everything)\b"
)
NO_DICTATION = _any_case(r"#|\b(and|then)\b")
CLAUSE_END = _any_case(r"[;!?\n,]|\.(?=\s|$)|\b(?:and|then|also|plus|but)\b(?=\s+[^\d\s?])")
MENTION = _any_case(r"<@\w+(?:\|[^<>]*+)?>|@greenlight\b")
LINK = re.compile(r"<(https?://[^|<>\s]++)(?:\|[^<>]*+)?>|(https?://[^\s<>|]++)")
ANY_CHANNEL = _any_case(CHANNEL)

_SENDS = r"\b(?:send|tell|report|write|let)\b"
_NAMES_CHANNEL = r"(?:<#|(?<!\w)#[a-z])"

SUMMARY = _any_case(
    r"\b(post|share|publish|announce)\b|\bsummar(?:y|i[sz]e)\b|"
    rf"{_SENDS}(?>(?:(?!{_SENDS}|{_NAMES_CHANNEL})[^;\n])*){_NAMES_CHANNEL}"
)
ERROR_RATES = _any_case(
    r"\b(error|failure)[- ]?rates?\b|\baccess[- ]?logs?\b|\b(errors?|failures?) per (service|hour)\b|"
    r"\b(which|what|find|worst) (the )?(worst )?hour\b|\bworst hour (was|of yesterday)\b"
)
DATABASE = _any_case(r"\b(databases?|db|postgres\w*)\b")
ERRORS = _any_case(r"\b(errors?|failures?|failed|fail|problems?|record\w*|exceptions?)\b")
DEPLOYMENTS = _any_case(r"\b(deploy\w*|releas\w+|roll(?:ed)?[- ]?(?:out|back)\w*|ship(?:ped|s)?)\b")
CULPRIT = _any_case(r"\b(culprit|commits?|revert\w*)\b")
REVERTING = _any_case(r"\brevert\w*\b")
CHECKING = _any_case(
    r"\b(check\w*|ping|probe|test|health\w*|status|state|up|down|alive|running|reachable|ok|okay|doing|look|works?)\b"
)
ALL_SERVICES = _any_case(r"\b(services|service (?:status|health|check)|everything|systems|all of (?:them|it))\b")
WITHDRAW = _any_case(r"\b(cancel|withdraw|forget|never ?mind|don'?t post|do not post|don’t post)\b")
WORST = _any_case(r"\b(that|this|the same|same|the worst|worst|the peak) hour\b|\b(then|at that time|around it)\b")
CLOCK = _any_case(
    r"\b(?:(?P<twelve>1[0-2]|0?[1-9])(?::\d\d)? ?(?P<half>am|pm)\b|(?P<clock>[01]?\d|2[0-3]):\d\d\b"
    r"|(?P<hours>[01]?\d|2[0-3]) ?(?:h|utc|o'?clock)\b|hour (?P<hour>[01]?\d|2[0-3])\b)"
)
BARE_HOUR = _any_case(r"\b(?:at|between|from) ([01]?\d|2[0-3])\b")
FILLER = re.compile(
    r"a|all|an|any|are|as|at|both|but|can|could|do|everyone|everybody|first|for|from|give|hello|hey|hi|how|"
    r"i|if|in|is|it|just|kindly|like|lot|me|my|now|of|ok|okay|on|our|please|service|services|so|some|soon|"
    r"thank|thanks|that|the|them|these|they|this|three|to|today|too|two|us|want|we|well|what|with|would|"
    r"yes|yesterday|you|your|utc|day"
)
"""Words without a meaning of their own."""


def intents(request: str, services: Collection[str]) -> tuple[Intent, ...]:
    """Return the intents of a request. `services` are the names that can be checked."""
    text = MENTION.sub(" ", request)
    if (call := _call(text)) is not None:
        return (call,)
    posts: list[tuple[int, Intent]] = []
    while (literal := _literal_post(text)) is not None:
        start, end, post = literal
        posts.append((start, post))
        text = text[:start] + "\n" + " " * (end - start - 1) + text[end:]
    found = sorted([*posts, *_intents_by_clause(text, services)], key=itemgetter(0))
    return _merged([intent for _, intent in found])


def _call(text: str) -> CallTool | None:
    """Return the call that a whole request writes out, as in `call open_hours {"city": "Lisbon"}`."""
    if (found := CALL.match(text.strip())) is None:
        return None
    try:
        args: Json = json.loads((found["args"].strip("` \n") or "{}").translate(STRAIGHT_QUOTES))
    except ValueError:
        return None
    return CallTool(tool=found["tool"], args=args) if isinstance(args, Mapping) else None


def _channel(found: re.Match[str]) -> str:
    """Return the channel as `#name` where the name is known, else as its id."""
    name = found["name"] or found["label"]
    return f"#{name}" if name else str(found["id"])


def _literal_post(text: str) -> tuple[int, int, Post] | None:
    for number, pattern in enumerate(LITERAL_POSTS):
        for found in pattern.finditer(text):
            words = found["text"].strip()
            quoted = number < len(LITERAL_POSTS) - 1
            if words and (quoted or not (ABOUT_RESULTS.search(words) or NO_DICTATION.search(words))):
                return found.start(), found.end(), Post(channel=_channel(found), text=words)
    return None


def _intents_by_clause(text: str, services: Collection[str]) -> Iterator[tuple[int, Intent]]:
    """Return the intents of each clause with its offset; a clause of names alone belongs to the one before."""
    clauses: list[tuple[int, str]] = []
    for start, clause in _clauses(text):
        if clauses and not any(_intents_in(clause, services)) and not _unknown(clause, services):
            at, before = clauses[-1]
            clauses[-1] = (at, f"{before}, {clause}")
        else:
            clauses.append((start, clause))
    for start, clause in clauses:
        understood = list(_intents_in(clause, services))
        if not understood and (unknown := _unknown(clause, services)):
            understood = [Unknown(text=unknown)]
        yield from ((start, intent) for intent in understood)


def _clauses(text: str) -> Iterator[tuple[int, str]]:
    hidden = LINK.sub(lambda link: "x" * len(link[0]), text)
    start = 0
    for end in [*CLAUSE_END.finditer(hidden), None]:
        stop = len(text) if end is None else end.start()
        if text[start:stop].strip():
            yield start, text[start:stop].strip()
        start = stop if end is None else end.end()


def _intents_in(clause: str, services: Collection[str]) -> Iterator[Intent]:
    if WITHDRAW.search(clause):
        yield Withdraw()
        return
    named = tuple(name for name in services if _any_case(rf"\b{re.escape(name)}\b").search(clause))
    urls = tuple(found[1] or found[2].rstrip(".,") for found in LINK.finditer(clause))
    if CULPRIT.search(clause):
        yield Culprit(revert=REVERTING.search(clause) is not None)
    elif DEPLOYMENTS.search(clause):
        yield Deployments(hour=_hour(clause))
    elif ERROR_RATES.search(clause) and not DATABASE.search(clause):
        yield ErrorRates()
    elif ERRORS.search(clause) and (DATABASE.search(clause) or _hour(clause) is not When.ALL_DAY):
        yield DatabaseErrors(hour=_hour(clause))
    elif urls or (CHECKING.search(clause) and (named or ALL_SERVICES.search(clause))):
        yield Check(services=named, urls=urls)
    if SUMMARY.search(clause):
        channel = ANY_CHANNEL.search(clause)
        yield Summary(channel=_channel(channel) if channel else "")


def _hour(clause: str) -> Hour:
    if found := CLOCK.search(clause):
        if found["twelve"]:
            return int(found["twelve"]) % 12 + (12 if found["half"].lower() == "pm" else 0)
        return int(found["clock"] or found["hours"] or found["hour"])
    if found := BARE_HOUR.search(clause):
        return int(found[1])
    return When.WORST_HOUR if WORST.search(clause) else When.ALL_DAY


def _unknown(clause: str, services: Collection[str]) -> str:
    """Return the clause if it has at least two words that are neither names nor filler, else an empty text."""
    names = {name.lower() for name in services}
    words = re.findall(r"[\w'’]+", ANY_CHANNEL.sub(" ", clause).lower())
    telling = [word for word in words if word not in names and not FILLER.fullmatch(word)]
    return clause if len(telling) > 1 else ""


def _merged(found: Sequence[Intent]) -> tuple[Intent, ...]:
    """Drop repeated intents, and merge those of a kind that follow each other."""
    merged: list[Intent] = []
    for intent in found:
        last = merged[-1] if merged else None
        if isinstance(intent, Check) and isinstance(last, Check) and (last.services or last.urls):
            merged[-1] = Check(
                services=tuple(dict.fromkeys((*last.services, *intent.services))),
                urls=tuple(dict.fromkeys((*last.urls, *intent.urls))),
            )
        elif isinstance(intent, Culprit) and isinstance(last, Culprit):
            merged[-1] = Culprit(revert=intent.revert or last.revert)
        elif intent not in merged:
            merged.append(intent)
    return tuple(merged)
