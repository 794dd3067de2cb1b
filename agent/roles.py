"""Roles of subagents: what a model is told that works on one step of a plan, what it may use, and how long."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import GetPydanticSchema
from pydantic_core import core_schema

from agent.limits import ReasoningEffort
from sandbox.script import Json

MOST_ROLES = 8
"""Of an installation: the planner reads a line about each."""

MOST_PROMPT_CHARACTERS = 16 * 1024


def _object_schema(_type: object, _handler: object) -> core_schema.CoreSchema:
    return core_schema.nullable_schema(core_schema.dict_schema(strict=True))


@dataclass(frozen=True, kw_only=True)
class SubagentRole:
    """A role that a step of a plan may have."""

    #: How plans name it.
    name: str = field(metadata={"internal": True})
    #: Its system message.
    prompt: str = field(metadata={"min_length": 1, "max_length": MOST_PROMPT_CHARACTERS})
    #: One line for the planner: what to give it.
    purpose: str = field(default="", metadata={"max_length": 120})
    #: Names of tools. One with a `*` stands for every green tool that it fits; a red tool is named whole, and so is
    #: `files_write`, which subagents alone have.
    tools: tuple[str, ...] = ()
    #: The name of its model; "": the default one.
    model: str = ""
    #: How much it thinks first; None: its server decides.
    reasoning_effort: ReasoningEffort | None = None
    #: Whether it is asked over OpenAI's Responses API instead of chat completions.
    use_responses_api: bool = False
    #: Answers of its model for one step of a plan, at most.
    steps: int = field(default=8, metadata={"ge": 1, "le": 50})
    #: Seconds of work on one step of a plan, over all its runs: without the time in which people decide.
    seconds: float = field(default=900.0, metadata={"gt": 0, "le": 24 * 3600})
    #: The JSON Schema of its result; None: a text.
    result_schema: Annotated[Mapping[str, Json] | None, GetPydanticSchema(_object_schema)] = None
    #: Whether it may hand out work to other roles.
    lead: bool = False
    #: Those it may hand work to; none named: all that are no leads.
    roles: tuple[str, ...] = ()


def workers_of(lead: SubagentRole, roles: Iterable[SubagentRole]) -> tuple[SubagentRole, ...]:
    """Return the roles that a lead may hand work to, in order; of one that is no lead there are none."""
    if not lead.lead:
        return ()
    return tuple(role for role in roles if (role.name in lead.roles if lead.roles else not role.lead))
