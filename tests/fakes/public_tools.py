"""500 tools and 200 requests that somebody else wrote: live_multiple of the Berkeley Function Calling Leaderboard.

Patil et al., https://gorilla.cs.berkeley.edu/leaderboard, Apache License 2.0, from the package `bfcl-eval`. Its 457
tools of that name are filled up to 500 from its set "multiple". The requests were drawn with this seed before anything
was tuned; `others` are the rest, with which it was.
"""

import importlib.util
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool
from sandbox.script import Json

SEED = 13
TOOLS = 500
REQUESTS = 200

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}


@dataclass(frozen=True, kw_only=True)
class PublicRequest:
    """What a person asks for, and the tools that do it."""

    text: str
    right: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class PublicSet:
    """The whole set."""

    tools: Sequence[Tool]
    requests: Sequence[PublicRequest]
    others: Sequence[PublicRequest]


@cache
def public_set() -> PublicSet:
    """Return the set, always the same."""
    asked, filling = _lines("BFCL_v4_live_multiple.json"), _lines("BFCL_v4_multiple.json")
    answers = {line["id"]: line["ground_truth"] for line in _lines("possible_answer/BFCL_v4_live_multiple.json")}
    functions = _functions(asked)
    rng = random.Random(SEED)  # noqa: S311 -- reproducible, not secret
    drawn = rng.sample(asked, REQUESTS)
    more = [function for name, function in _functions(filling).items() if name not in functions]
    chosen = [*functions.values(), *rng.sample(more, TOOLS - len(functions))]
    ids = {line["id"] for line in drawn}

    def request(line: Mapping[str, Any]) -> PublicRequest:
        text = "\n".join(said["content"] for said in line["question"][0] if said["role"] == "user")
        return PublicRequest(text=text, right=frozenset(name for call in answers[line["id"]] for name in call))

    return PublicSet(
        tools=[_tool(function) for function in chosen],
        requests=[request(line) for line in drawn],
        others=[request(line) for line in asked if line["id"] not in ids],
    )


def _functions(lines: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        for function in line["function"]:
            found.setdefault(function["name"], function)
    return found


def _lines(name: str) -> list[dict[str, Any]]:
    package = importlib.util.find_spec("bfcl_eval")  # not imported: its dependencies are not installed
    assert package is not None
    assert package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0])
    return [json.loads(line) for line in (folder / "data" / name).read_text().splitlines()]


def _tool(function: Mapping[str, Any]) -> Tool:
    async def call(context: CallContext, args: Mapping[str, Json]) -> Json:
        return {"tool": function["name"], "args": dict(args)}

    return Tool(
        name=ToolName(function["name"]),
        description=function["description"],
        arguments=cast("Mapping[str, Json]", _schema(function["parameters"])),
        colour=Colour.GREEN,
        call=call,
    )


def _schema(written: Any) -> Any:
    """Return JSON Schema: the set names types as Python does."""
    if isinstance(written, list):
        return [_schema(inner) for inner in cast("list[Any]", written)]
    if not isinstance(written, dict):
        return written
    schema = {key: _schema(inner) for key, inner in cast("dict[str, Any]", written).items()}
    named = schema.get("type")
    if isinstance(named, str):
        schema["type"] = _TYPES.get(named, named)
        if named == "any":
            del schema["type"]
    return schema
