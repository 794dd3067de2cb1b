"""A goal: a request, and what a right plan for it does; read from a file of goals.

The file is JSON: a list of goals, or one object `{"goals": [...]}`. A goal:

    {"name": "post-health",
     "request": "Check the shop and post its status to #ops.",
     "steps": {
       "check": {"tool": "http_get", "args": {"url": "https://shop.example.com/"}, "gives": {"status": 200}},
       "post": {"tool": "slack_post_message", "colour": "red", "after": ["check"],
                "args": {"channel": "#ops", "text": {"has": ["200"]}}, "gives": {"ts": "1.0"}}},
     "artifacts": [], "facts": ["200"],
     "plan": [{"op": "add", ...}, ...]}

A request holds everything that a planner needs to know: addresses, columns, the fields of results.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from agent.reading.plan_file import read_plan
from agent.tool import Colour, Registry
from sandbox.script import Json


class GoalsInvalid(Exception):
    """The file is no list of goals; the text names the place and the fault."""


class Step(BaseModel):
    """A tool call that a right plan makes exactly once, and its result in this goal's world."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    #: Arguments the call must have, among others; `{"has": [texts]}` is any text that contains these, in any case.
    args: dict[str, JsonValue] = {}
    colour: Colour = Colour.GREEN
    #: Steps that must end before this one starts.
    after: tuple[str, ...] = ()
    #: The tool's result.
    gives: JsonValue = None
    #: The tool's error, which it raises instead.
    fails: str = ""
    #: How long the call takes.
    seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0

    def is_made_by(self, tool: str, args: Mapping[str, Json]) -> bool:
        """Return whether this call is the step."""
        return tool == self.tool and all(_fits(expected, args.get(key)) for key, expected in self.args.items())


class Goal(BaseModel):
    """A request, and what a right plan for it does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    request: Annotated[str, Field(min_length=1)]
    #: Name -> step.
    steps: Annotated[dict[str, Step], Field(min_length=1)]
    #: Texts; each must occur in an output that is too large for the run's state.
    artifacts: tuple[str, ...] = ()
    #: Texts that the answer must contain.
    facts: tuple[str, ...] = ()
    #: The operations that a planner without mistakes writes.
    plan: list[dict[str, JsonValue]] = []


_GOALS = TypeAdapter(list[Goal])


def _fits(expected: JsonValue, given: Json) -> bool:
    match expected:
        case {"has": [*texts]}:
            return isinstance(given, str) and all(str(text).lower() in given.lower() for text in texts)
        case _:
            return expected == given


def shipped_goals(registry: Registry) -> Sequence[Goal]:
    """Return the goals that come with Greenlight."""
    return _read("goals.json", files("infra.evaluation").joinpath("goals.json").read_text("utf-8"), registry)


def read_goals(path: Path, registry: Registry) -> Sequence[Goal]:
    """Return the goals of a file; their tools must be among the registry's.

    Raises:
        OSError: the file cannot be read.
        GoalsInvalid: it has another form, or a goal contradicts itself or the registry.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise GoalsInvalid(f"{path}: {error}") from error
    return _read(str(path), text, registry)


def _read(name: str, text: str, registry: Registry) -> Sequence[Goal]:
    try:
        content: object = json.loads(text)
        if isinstance(content, dict):
            content = cast("dict[str, object]", content)["goals"]
        goals = _GOALS.validate_python(content)
    except KeyError as error:
        raise GoalsInvalid(f"{name}: neither a list of goals nor an object with `goals`") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise GoalsInvalid(f"{name}: {where}{first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise GoalsInvalid(f"{name}: {error}") from error
    if not goals:
        raise GoalsInvalid(f"{name}: it contains no goal")
    names = [goal.name for goal in goals]
    if twice := next((goal for goal in names if names.count(goal) > 1), None):
        raise GoalsInvalid(f"{name}: there are two goals {twice!r}")
    for goal in goals:
        for problem in _problems(goal, registry):
            raise GoalsInvalid(f"{name}: {goal.name}: {problem}")
    return goals


def _problems(goal: Goal, registry: Registry) -> Iterator[str]:
    for name, step in goal.steps.items():
        if registry.find(step.tool) is None:
            known = ", ".join(tool.name for tool in registry)
            yield f"step {name!r}: there is no tool {step.tool!r}; there are: {known}"
        for before in step.after:
            if before not in goal.steps:
                yield f"step {name!r}: it is after {before!r}, which is no step"
    try:
        TopologicalSorter({name: step.after for name, step in goal.steps.items()}).prepare()
    except CycleError as error:
        yield f"these steps are after each other: {', '.join(error.args[1])}"
    if goal.plan:
        for fault in read_plan(json.dumps({"operations": goal.plan}), registry).faults:
            yield f"its plan: {fault.node or 'an operation'}: {fault.pointer} {fault.message}"
