"""A goal: a request, and what a right plan for it does; read from a file of goals.

The file is JSON: a list of goals, or one object `{"goals": [...]}`; or TOML with `[[goals]]`. A goal:

    {"name": "post-health",
     "request": "Check the shop and post its status to #ops.",
     "steps": {
       "check": {"tool": "http_get", "args": {"url": "https://shop.example.com/"}, "gives": {"status": 200}},
       "post": {"tool": "slack_post_message", "colour": "red", "after": ["check"],
                "args": {"channel": "#ops", "text": {"has": ["200"]}}, "gives": {"ts": "1.0"}}},
     "artifacts": [], "facts": ["200"],
     "plan": [{"op": "add", ...}, ...]}

`tools` describes tools of the goal's world that this installation may not have, `comment` is for people: goals that
`greenlight eval --feedback` writes have both. A request holds everything that a planner needs to know: addresses,
columns, the fields of results.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from agent.ids import ToolName
from agent.reading.plan_file import read_plan
from agent.tool import CallContext, Colour, Registry, Tool
from infra.config.list_file import Described, ListFileInvalid, read_list
from sandbox.script import Json

SHIPPED_GOALS = Path(__file__).with_name("goals.json")
"""The goals that come with Greenlight."""


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


class ToolShape(BaseModel):
    """A tool of a goal's world, as planners see it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    #: A JSON Schema.
    arguments: dict[str, JsonValue]
    colour: Colour = Colour.RED


class Goal(Described):
    """A request, and what a right plan for it does."""

    name: Annotated[str, Field(min_length=1)]
    request: Annotated[str, Field(min_length=1)]
    #: Name -> step.
    steps: Annotated[dict[str, Step], Field(min_length=1)]
    #: Texts; each must occur in an output that is too large for the run's state.
    artifacts: tuple[str, ...] = ()
    #: Texts that the answer must contain.
    facts: tuple[str, ...] = ()
    #: The operations that a planner without mistakes writes.
    plan: list[dict[str, JsonValue]] = Field(default=[])
    #: Name -> tool; one that the registry has is that one.
    tools: dict[str, ToolShape] = Field(default={})
    #: What people said about the run that it was made of.
    comment: str = ""


def _fits(expected: JsonValue, given: Json) -> bool:
    match expected:
        case {"has": [*texts]}:
            return isinstance(given, str) and all(str(text).lower() in given.lower() for text in texts)
        case _:
            return expected == given


def with_tools(goals: Iterable[Goal], registry: Registry) -> Registry:
    """Return the registry with the tools that the goals describe besides; nothing can be called."""
    described = {name: shape for goal in goals for name, shape in goal.tools.items() if registry.find(name) is None}
    more = (
        Tool(
            name=ToolName(name),
            description=shape.description,
            arguments=cast("Mapping[str, Json]", shape.arguments),
            colour=shape.colour,
            call=_no_call,
        )
        for name, shape in described.items()
    )
    return Registry((*registry, *more), registry.roles)


async def _no_call(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    raise NotImplementedError


def read_goals(path: Path, registry: Registry) -> Sequence[Goal]:
    """Return the goals of a file; their tools must be among the registry's, or described there.

    Raises:
        OSError: the file cannot be read.
        ListFileInvalid: it is no list of goals, or a goal contradicts itself or the registry.
    """
    goals = read_list(path, "goals", TypeAdapter(list[Goal]))
    if not goals:
        raise ListFileInvalid(f"{path}: it contains no goal")
    known = with_tools(goals, registry)
    for goal in goals:
        for problem in _problems(goal, known):
            raise ListFileInvalid(f"{path}: {goal.name}: {problem}")
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
