"""A goal: what somebody asks for, and what a right plan for it does; read from a file of goals.

The file is JSON: a list of goals, or one object `{"goals": [...]}`. A goal:

    {"name": "post-health",
     "request": "Check the shop and post its status to #ops.",
     "steps": {
       "check": {"tool": "http_get", "args": {"url": "https://shop.example.com/"}, "gives": {"status": 200}},
       "post": {"tool": "slack_post_message", "colour": "red", "after": ["check"],
                "args": {"channel": "#ops", "text": {"has": ["200"]}}, "gives": {"ts": "1.0"}}},
     "artifacts": [], "facts": ["200"],
     "plan": [{"op": "add", ...}, ...]}

`steps` are the tool calls that must be made, each once: by what tool, with which arguments (others may stand
beside them; `{"has": [texts]}` is any text that holds these, in capitals or not), behind which other steps. `gives`
is what the tool answers in this goal's world, `fails` the error it answers instead, `seconds` how long it takes.
`artifacts` are texts of which each must stand in an output that is too large for the run's state, `facts` are what
the answer must say. `plan` is what a planner that makes no mistake writes: a list of operations. A
request must hold everything that a planner needs to know: addresses, columns, the fields of answers.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from agent.reading.plan_file import read_plan
from agent.tool import Colour, Registry
from sandbox.script import Json


class GoalsInvalid(Exception):
    """The file is no list of goals; the text says where it went wrong."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One tool call that a right plan makes, and what it is answered."""

    name: str
    tool: str
    args: Mapping[str, Json]
    colour: Colour
    after: tuple[str, ...]
    gives: Json
    fails: str
    seconds: float

    def is_made_by(self, tool: str, args: Mapping[str, Json]) -> bool:
        """Return whether this call is the step."""
        return tool == self.tool and all(_fits(each, args.get(key)) for key, each in self.args.items())


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is asked, and what must come of it."""

    name: str
    request: str
    steps: Mapping[str, Step]
    artifacts: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    plan: Sequence[Mapping[str, Json]] = field(default_factory=list[Mapping[str, Json]])


def _fits(expected: Json, given: Json) -> bool:
    match expected:
        case {"has": [*texts]}:
            return isinstance(given, str) and all(str(each).lower() in given.lower() for each in texts)
        case _:
            return expected == given


class _WrittenStep(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    args: dict[str, JsonValue] = {}
    colour: Colour = Colour.GREEN
    after: list[str] = []
    gives: JsonValue = None
    fails: str = ""
    seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0


class _WrittenGoal(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    request: Annotated[str, Field(min_length=1)]
    steps: Annotated[dict[str, _WrittenStep], Field(min_length=1)]
    artifacts: list[str] = []
    facts: list[str] = []
    plan: list[dict[str, JsonValue]] = []


_GOALS = TypeAdapter(list[_WrittenGoal])


def shipped_goals(registry: Registry) -> Sequence[Goal]:
    """Return the goals that come with Greenlight."""
    return _read("goals.json", files("infra.evaluation").joinpath("goals.json").read_text("utf-8"), registry)


def read_goals(path: Path, registry: Registry) -> Sequence[Goal]:
    """Return the goals of a file; their tools must be among the registry's.

    Raises:
        OSError: it cannot be read.
        GoalsInvalid: it has another form, or a goal in it makes no sense.
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
        goals = [_goal(each) for each in _GOALS.validate_python(content)]
    except KeyError as error:
        raise GoalsInvalid(f"{name}: neither a list of goals nor an object with `goals`") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise GoalsInvalid(f"{name}: {where}{first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise GoalsInvalid(f"{name}: {error}") from error
    if not goals:
        raise GoalsInvalid(f"{name}: there is no goal in it")
    names = [each.name for each in goals]
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise GoalsInvalid(f"{name}: {twice!r} stands there twice")
    for goal in goals:
        for wrong in _wrong_with(goal, registry):
            raise GoalsInvalid(f"{name}: {goal.name}: {wrong}")
    return goals


def _goal(written: _WrittenGoal) -> Goal:
    return Goal(
        name=written.name,
        request=written.request,
        steps={
            name: Step(
                name=name,
                tool=each.tool,
                args=cast("Mapping[str, Json]", each.args),
                colour=each.colour,
                after=tuple(each.after),
                gives=cast("Json", each.gives),
                fails=each.fails,
                seconds=each.seconds,
            )
            for name, each in written.steps.items()
        },
        artifacts=tuple(written.artifacts),
        facts=tuple(written.facts),
        plan=cast("Sequence[Mapping[str, Json]]", written.plan),
    )


def _wrong_with(goal: Goal, registry: Registry) -> Iterator[str]:
    for step in goal.steps.values():
        if registry.find(step.tool) is None:
            known = ", ".join(tool.name for tool in registry)
            yield f"step {step.name!r}: there is no tool {step.tool!r}; there are: {known}"
        for each in step.after:
            if each not in goal.steps:
                yield f"step {step.name!r}: it is after {each!r}, which is no step"
    try:
        TopologicalSorter({step.name: step.after for step in goal.steps.values()}).prepare()
    except CycleError as error:
        yield f"these steps are after each other: {', '.join(error.args[1])}"
    if goal.plan:
        for fault in read_plan(json.dumps({"operations": goal.plan}), registry).faults:
            yield f"its plan: {fault.node or 'an operation'}: {fault.pointer} {fault.message}"
