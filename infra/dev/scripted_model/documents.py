"""Parses the agent's prompts: the tools of a system message, the sections of a human one."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.script import Json

_PLAN_SECTIONS = (
    "Now",
    "Thread",
    "Request",
    "Tools",
    "Pattern",
    "Instructions",
    "Runbooks",
    "Runbook",
    "From memory",
    "Follow up",
    "Plan so far",
    "Results",
    "Part",
    "Length",
    "Faults",
    "Goal",
    "Task",
)
_MEMORY_SECTIONS = ("Summary so far", "Turns")
_SCRIPT_SECTIONS = ("Script", "Outcome", "Traceback", "Logs", "Calls")
SECTIONS = frozenset((*_PLAN_SECTIONS, *_MEMORY_SECTIONS, *_SCRIPT_SECTIONS))
KNOWN_SERVICE = re.compile(r"(?<![\w-])([A-Za-z0-9][\w-]*+) = (https?://[^\s,;\"]+)")
NAMED_TOOLS = re.compile(r"^(?:All of them, b|B)y name: (.+)$", re.MULTILINE)
DESCRIBED_TOOL = re.compile(r"^(\w+) \((?:green|red)\): ", re.MULTILINE)
AUTHOR = re.compile(r"^- <@\w+(?:\|[^<>]*)?>: ", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """A node as a prompt shows it to a model."""

    id: str
    title: str
    state: str
    #: The value, an artifact's description, or the error.
    result: Json = None


@dataclass(frozen=True, kw_only=True)
class Situation:
    """The content of a planner prompt."""

    now: datetime
    request: str
    plan: tuple[PlanRow, ...]
    faults: tuple[str, ...]
    #: Tool name -> description.
    tools: Mapping[str, str]
    has_sandbox: bool
    #: Whether plans are to be written in the plan language.
    writes_python: bool = False

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
        faults=tuple(str(fault.get("message", "")) for fault in json_lines(found.get("Faults", ""))),
        tools=_tools(system) | _tools(found.get("Tools", "")),
        has_sandbox="There is no sandbox" not in system,
        writes_python="Write a small subset of Python" in system,
    )


def _tools(text: str) -> dict[str, str]:
    """Return tool name -> description of the tools that a prompt shows; of those that it only names, no description."""
    named = [name for names in NAMED_TOOLS.findall(text) for name in names.split(", ")]
    named += DESCRIBED_TOOL.findall(text)
    whole = {
        str(tool["name"]): str(tool.get("description", ""))
        for tool in json_lines(text)
        if "name" in tool and "colour" in tool
    }
    return dict.fromkeys(named, "") | whole


def request_text(found: Mapping[str, str]) -> str:
    """Return the request without the names in front of its messages."""
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
            id=str(row.get("id", "")),
            title=str(row.get("title", "")),
            state=str(row.get("state", "")),
            result=row.get("result"),
        )
        for row in json_lines(lines)
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
