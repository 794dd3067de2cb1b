"""What the agent's prompts say, taken apart again: the tools of a system message, the sections of a human one."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.script import Json

SECTIONS = frozenset(
    (
        "Now",
        "Thread",
        "Request",
        "Plan so far",
        "Results",
        "Length",
        "Summary so far",
        "Turns",
        "Faults",
        "Goal",
        "Script",
        "Outcome",
        "Traceback",
        "Logs",
        "Calls",
    )
)
KNOWN_SERVICE = re.compile(r"([A-Za-z0-9][\w-]*) = (https?://[^\s,;\"]+)")
AUTHOR = re.compile(r"^- <@\w+(?:\|[^<>]*)?>: ", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """A node as a model is shown it; `result` is the value, an artifact's description, or what went wrong."""

    id: str
    title: str
    state: str
    result: Json = None


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Everything the planner is told. `tools` is name -> description."""

    now: datetime
    request: str
    plan: tuple[PlanRow, ...]
    faults: tuple[str, ...]
    tools: Mapping[str, str]
    has_sandbox: bool

    @property
    def services(self) -> Mapping[str, str]:
        """Return service name -> URL, as `http_get` names them."""
        return dict(KNOWN_SERVICE.findall(self.tools.get("http_get", "")))


def situation(system: str, human: str) -> Situation:
    """Read a planner request."""
    found = sections(human)
    now = found.get("Now", "")
    return Situation(
        now=datetime.fromisoformat(now) if now else datetime.now(UTC),
        request=request_text(found),
        plan=plan_rows(found.get("Plan so far", "")),
        faults=tuple(str(each.get("message", "")) for each in json_lines(found.get("Faults", ""))),
        tools={
            str(each["name"]): str(each.get("description", ""))
            for each in json_lines(system)
            if "name" in each and "colour" in each
        },
        has_sandbox="There is no sandbox" not in system,
    )


def request_text(found: Mapping[str, str]) -> str:
    """Return what people wrote, without the names in front of several messages."""
    return AUTHOR.sub("", found.get("Request", ""))


def sections(text: str) -> Mapping[str, str]:
    """Return section title -> content. Of a title that occurs twice the first counts: quoted text comes later."""
    found: dict[str, str] = {}
    heads = [head for head in re.finditer(r"^## ([A-Z][a-z ]+)$", text, re.MULTILINE) if head[1] in SECTIONS]
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        end = len(text) if following is None else following.start()
        found.setdefault(head[1], text[head.end() : end].strip())
    return found


def plan_rows(lines: str) -> tuple[PlanRow, ...]:
    """Read `## Plan so far` or `## Results`."""
    return tuple(
        PlanRow(
            id=str(each.get("id", "")),
            title=str(each.get("title", "")),
            state=str(each.get("state", "")),
            result=each.get("result"),
        )
        for each in json_lines(lines)
    )


def json_lines(text: str) -> Iterator[Mapping[str, Json]]:
    """Yield the objects of the lines that are JSON; the others are left out."""
    for line in text.split("\n"):
        if not line.startswith("{"):
            continue
        try:
            value: Json = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, Mapping):
            yield value
