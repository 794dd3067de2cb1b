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

`tools` and `roles` describe those of the goal's world that this installation may not have; `work` is what subagents
return in it, `earlier` and `before` what the thread's earlier turns returned and were asked. `bad_answer` is a direct
answer that was bad. `comment` is for people.
Goals that `greenlight eval --feedback` writes have these. A request holds everything that a planner needs to know:
addresses, columns, the fields of results.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from agent.ids import NodeId, ToolName
from agent.plan.operations import Node, NodeKind
from agent.reading.plan_file import read_plan
from agent.roles import SubagentRole
from agent.tool import CallContext, Colour, Registry, Tool
from infra.config.list_file import Described, ListFileInvalid, read_list
from sandbox.script import Json

SHIPPED_GOALS = Path(__file__).with_name("goals.json")
"""The goals that come with Greenlight."""


class Ended(BaseModel):
    """How something ended in this goal's world."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Its result.
    gives: JsonValue = None
    #: Why it failed instead.
    fails: str = ""


class _Expected(Ended):
    """What a right plan does exactly once, and its result in this goal's world."""

    colour: Colour = Colour.GREEN
    #: Steps and work that must end before this starts.
    after: tuple[str, ...] = ()
    #: How long it takes.
    seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0


class Step(_Expected):
    """A tool call that a right plan makes exactly once, and its result in this goal's world."""

    tool: str
    #: Arguments the call must have, among others; `{"has": [texts]}` is any text that contains these, in any case.
    args: dict[str, JsonValue] = {}

    def is_made_by(self, tool: str, args: Mapping[str, Json]) -> bool:
        """Return whether this call is the step."""
        return tool == self.tool and all(_fits(expected, args.get(key)) for key, expected in self.args.items())


class Work(_Expected):
    """What a right plan gives to a subagent. The calls that one makes are a part of its work, and no steps."""

    role: str
    #: The work of the lead that hands this out; "": the plan itself does.
    of: str = ""


class Earlier(Ended):
    """A node of an earlier turn, to which plans may refer."""

    title: str
    #: "": it was a script or subagent.
    tool: str = ""

    def node(self, name: str) -> Node:
        """Return the node as a planner knows it."""
        kind = NodeKind.TOOL if self.tool else NodeKind.PACKAGE
        return Node(id=NodeId(name), kind=kind, title=self.title, tool=ToolName(self.tool) if self.tool else None)


class ToolShape(BaseModel):
    """A tool of a goal's world, as planners see it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    #: A JSON Schema.
    arguments: dict[str, JsonValue]
    colour: Colour = Colour.RED


class RoleShape(BaseModel):
    """A role of a goal's world, as planners see it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    purpose: str = ""
    #: As in a role's table.
    tools: tuple[str, ...] = ()
    #: A JSON Schema.
    result_schema: dict[str, JsonValue] | None = None
    lead: bool = False
    roles: tuple[str, ...] = ()


class Goal(Described):
    """A request, and what a right plan for it does."""

    name: Annotated[str, Field(min_length=1)]
    request: Annotated[str, Field(min_length=1)]
    #: The answer that people found bad to a request that needs no plan. A right one is another; where the goal expects
    #: no step and no work either, it may be a plan, too.
    bad_answer: str = ""
    #: Name -> what a subagent returns. A plan's node of the same name gets it, else the first one of the same role.
    work: dict[str, Work] = Field(default={})
    #: Name -> step.
    steps: dict[str, Step]
    #: Texts; each must occur in an output that is too large for the run's state.
    artifacts: tuple[str, ...] = ()
    #: Texts that the answer must contain.
    facts: tuple[str, ...] = ()
    #: The operations that a planner without mistakes writes.
    plan: list[dict[str, JsonValue]] = Field(default=[])
    #: Name -> tool; one that the registry has is that one.
    tools: dict[str, ToolShape] = Field(default={})
    #: Name -> role; one that the registry has is that one.
    roles: dict[str, RoleShape] = Field(default={})
    #: Node of an earlier turn -> how it ended.
    earlier: dict[str, Earlier] = Field(default={})
    #: What people asked in earlier turns, in order.
    before: tuple[str, ...] = ()
    #: What people said about the run that it was made of.
    comment: str = ""

    @field_validator("steps")
    @classmethod
    def _expects_something(cls, steps: dict[str, Step], info: ValidationInfo) -> dict[str, Step]:
        if not steps and not info.data.get("work") and not info.data.get("bad_answer"):
            raise PydanticCustomError("no_steps", "a goal expects a step or work of a subagent, or has a bad answer")
        return steps

    @property
    def expected(self) -> Mapping[str, Step | Work]:
        """Name -> step or work, each of which a right plan does exactly once."""
        return {**self.steps, **self.work}

    @property
    def known(self) -> Mapping[NodeId, Node]:
        """The nodes of earlier turns."""
        return {NodeId(name): earlier.node(name) for name, earlier in self.earlier.items()}


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


def with_roles(goal: Goal, registry: Registry) -> Registry:
    """Return the registry with the roles that the goal describes besides; nothing of them can work."""
    described = (
        SubagentRole(
            name=name,
            prompt=shape.purpose or name,
            purpose=shape.purpose,
            tools=shape.tools,
            result_schema=cast("Mapping[str, Json] | None", shape.result_schema),
            lead=shape.lead,
            roles=shape.roles,
        )
        for name, shape in goal.roles.items()
        if registry.role(name) is None
    )
    return Registry(registry, (*registry.roles, *described))


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
    expected, known = goal.expected, with_roles(goal, registry)
    for name, step in goal.steps.items():
        if registry.find(step.tool) is None:
            there_are = ", ".join(tool.name for tool in registry)
            yield f"step {name!r}: there is no tool {step.tool!r}; there are: {there_are}"
    for name, work in goal.work.items():
        if name in goal.steps:
            yield f"work {name!r}: a step has the same name"
        if known.role(work.role) is None:
            yield f"work {name!r}: there is no role {work.role!r}"
        if work.of and (work.of == name or work.of not in goal.work or goal.work[work.of].of):
            yield f"work {name!r}: it is of {work.of!r}, which is no work of a lead"
    for name, what in expected.items():
        for before in what.after:
            if before not in expected:
                yield f"step {name!r}: it is after {before!r}, which is no step"
    try:
        TopologicalSorter({name: what.after for name, what in expected.items()}).prepare()
    except CycleError as error:
        yield f"these steps are after each other: {', '.join(error.args[1])}"
    if goal.plan:
        for fault in read_plan(json.dumps({"operations": goal.plan}), known, known=goal.known).faults:
            yield f"its plan: {fault.node or 'an operation'}: {fault.pointer} {fault.message}"
