"""The configuration file (`GREENLIGHT_CONFIG`, TOML): tools, approval policies, limits, as typed values.

A table is the dataclass of whoever works with it. Its fields are the table's keys, with the defaults and, in
`metadata`, the bounds that they have there. Only where the file says something in other words than the code does
(hours, money, several owners) has a table a class here.
"""

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from agent.approval import ApprovalPolicy, Policies
from agent.budget.budget import Budget, Budgets
from agent.budget.usage import Prices
from agent.ids import ToolName
from agent.limits import Limits, MemoryLimits, ModelOptions, PlanLimits, Role
from agent.plan.operations import NodeKind
from infra.tools.catalogue import ToolsConfig, known_names
from infra.worker.worker import THREADS_AT_ONCE, Timings
from sandbox.docker_sandbox import DockerSettings
from sandbox.image_spec import ImageSpec
from sandbox.pool import PoolSize

_log = logging.getLogger(__name__)

NOT_TOOLS = frozenset({"default", NodeKind.PACKAGE.value, NodeKind.SUBAGENT.value})
"""What has a policy besides tools; a package or a subagent asks when a plan wants it to."""

RENAMED_ROLES: Mapping[str, Role] = {"reflexion": Role.REPAIR, "reflection": Role.REPLAN}
"""Keys of `[model] by_role` that files of earlier versions have."""


class ConfigurationError(Exception):
    """The configuration cannot be used; the text names the file, the key and what is wrong with it."""


class Table(BaseModel):
    """A table of the file. Unknown keys are errors: a misspelt policy must not silently mean the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True)
class LimitsTable(Limits):
    """`[limits]`: those of a run, and two more."""

    #: Threads that one process works on.
    threads_at_once: int = field(default=THREADS_AT_ONCE, metadata={"ge": 1, "le": 1_000})
    #: How long a card stays open; None: until somebody decides.
    approval_hours: float | None = field(default=None, metadata={"gt": 0, "le": 24 * 365})

    def questions_open_for(self) -> timedelta | None:
        """Return how long a question waits for its decision; None: for ever."""
        return None if self.approval_hours is None else timedelta(hours=self.approval_hours)

    def plan(self) -> PlanLimits:
        """Return what bounds a plan's size."""
        return PlanLimits(nodes=self.nodes_per_turn)


class PlanTable(Table):
    """`[plan]`."""

    #: Whether chains of green steps are packed into one script each.
    pack: bool = True
    #: How long nobody must have written in a thread before its follow-ups are planned.
    gather_seconds: float = Field(default=0.7, ge=0, le=60)


class ContainersTable(Table):
    """`[containers]`: how scripts run where there is a container engine."""

    #: One that the engine knows; empty takes its default.
    runtime: str = ""
    #: Those the image was built with, in the same order (`greenlight sandbox build --package NAME`).
    packages: tuple[str, ...] = ()
    #: Containers that wait while scripts come.
    ready: int = Field(default=PoolSize.ready, ge=0, le=100)
    #: Scripts that run at the same time.
    at_once: int = Field(default=DockerSettings.concurrency, ge=1, le=1_000)

    def settings(self) -> DockerSettings:
        """Return the sandbox's settings."""
        return DockerSettings(
            image=ImageSpec(packages=self.packages),
            runtime=self.runtime or None,
            pool=PoolSize(ready=self.ready),
            concurrency=self.at_once,
        )


class BudgetTable(Table):
    """`[budgets.run]` and `[budgets.thread]`: what may be spent before somebody is asked; None: as much as it takes."""

    model_calls: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    #: In the price table's currency.
    cost: float | None = Field(default=None, gt=0, le=1_000_000_000)
    #: Minutes at work.
    minutes: float | None = Field(default=None, gt=0, le=60 * 24 * 365)
    nodes: int | None = Field(default=None, ge=1)

    def budget(self) -> Budget:
        """Return the budget."""
        return Budget(
            model_calls=self.model_calls,
            tokens=self.tokens,
            cost_micros=None if self.cost is None else max(1, round(self.cost * 1_000_000)),
            milliseconds=None if self.minutes is None else max(1, round(self.minutes * 60_000)),
            nodes=self.nodes,
        )


class BudgetsTable(Table):
    """`[budgets]`: of every run and of every thread."""

    run: BudgetTable = BudgetTable()
    thread: BudgetTable = BudgetTable()


def _keys_of(table: type) -> BeforeValidator:
    """Refuse the fields of a dataclass that are no keys, in the words for any unknown key."""
    internal = {field.name for field in fields(table) if "internal" in field.metadata}

    def refuse_internal(given: object) -> object:
        if isinstance(given, dict) and (unknown := internal.intersection(cast("dict[str, object]", given))):
            raise ValidationError.from_exception_data(
                "", [{"type": "extra_forbidden", "loc": (key,), "input": ""} for key in sorted(unknown)]
            )
        return cast("object", given)

    return BeforeValidator(refuse_internal)


def _rename_roles(model: object, info: ValidationInfo) -> object:
    """Take keys of earlier versions in `by_role`, with a warning; a new key goes before its old one."""
    if not isinstance(model, dict) or not isinstance(by_role := cast("dict[str, object]", model).get("by_role"), dict):
        return cast("object", model)
    roles = cast("dict[str, object]", by_role)
    for old, new in RENAMED_ROLES.items():
        if old in roles:
            _log.warning("%s: model.by_role.%s is now %s; the old key still works", info.context, old, new.value)
            roles = {new.value: roles[old]} | {role: name for role, name in roles.items() if role != old}
    return {**cast("dict[str, object]", model), "by_role": roles}


def _in_order(timings: Timings) -> Timings:
    if timings.heartbeat * 3 > timings.stall or timings.grace >= timings.stall:
        raise ValueError("stall must be at least three heartbeats, and longer than grace")
    return timings


class Configuration(Table):
    """The whole file."""

    tools: ToolsConfig = ToolsConfig()
    approvals: dict[str, ApprovalPolicy] = Field(default_factory=dict[str, ApprovalPolicy])
    plan: PlanTable = PlanTable()
    limits: Annotated[LimitsTable, _keys_of(LimitsTable)] = LimitsTable()
    worker: Annotated[Timings, _keys_of(Timings), AfterValidator(_in_order)] = Timings()
    model: Annotated[ModelOptions, BeforeValidator(_rename_roles)] = ModelOptions()
    memory: MemoryLimits = MemoryLimits()
    prices: Prices = Prices()
    budgets: BudgetsTable = BudgetsTable()
    sandbox: Literal["auto", "docker", "monty", "none"] = "auto"
    containers: ContainersTable = ContainersTable()

    @field_validator("approvals")
    @classmethod
    def _of_something(cls, policies: dict[str, ApprovalPolicy]) -> dict[str, ApprovalPolicy]:
        known_names(frozenset(policies) - NOT_TOOLS)
        return policies

    def bounds(self) -> Budgets:
        """Return what runs and threads may spend."""
        return Budgets(
            run=self.budgets.run.budget(), thread=self.budgets.thread.budget(), currency=self.prices.currency
        )

    def policies(self) -> Policies:
        """Return who may decide, per tool."""
        by_tool = {ToolName(name): policy for name, policy in self.approvals.items() if name != "default"}
        return Policies(default=self.approvals.get("default", ApprovalPolicy()), by_tool=by_tool)


def read_configuration(path: Path | None) -> Configuration:
    """Read the file; without one everything has its default.

    Raises:
        ConfigurationError: it cannot be read, is no TOML, or a key is unknown or has a wrong value.
    """
    if path is None:
        return Configuration()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"GREENLIGHT_CONFIG: cannot read {path}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error
    return parse_configuration(table, str(path))


def parse_configuration(table: Mapping[str, object], source: str) -> Configuration:
    """Return the configuration a TOML document says; `source` is named in errors and warnings.

    Raises:
        ConfigurationError: a key is unknown or has a wrong value.
    """
    try:
        return Configuration.model_validate(table, context=source)
    except ValidationError as error:
        # Only places and rules: an offending value may be a secret.
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {_rule(fault)}" for fault in error.errors()]
        raise ConfigurationError(f"{source}: " + "; ".join(faults)) from None


def _rule(fault: ErrorDetails) -> str:
    """Return the broken rule; where pydantic speaks of Python's own things, in the file's words."""
    match fault["type"]:
        case "unexpected_keyword_argument":
            return "Extra inputs are not permitted"
        case "dataclass_type" | "model_type":
            return "Input should be a table"
        case _:
            return fault["msg"]
