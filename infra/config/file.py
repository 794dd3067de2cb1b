"""The configuration file (`GREENLIGHT_CONFIG`, TOML): tools, approval policies, limits, as typed values.

A table is a dataclass of the code that uses it: the fields are the table's keys, with their defaults and, in
`metadata`, their bounds. A table has a class here only where the file differs from the code (hours, money, several
owners).
"""

import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
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
    model_validator,
)
from pydantic_core import ErrorDetails

from agent.approval import ApprovalPolicy, Policies
from agent.budget.budget import Budget, Budgets
from agent.budget.usage import Prices
from agent.ids import UserId
from agent.limits import Limits, MemoryLimits, ModelOptions, PlanLanguage, PlanLimits, Privacy, Role
from agent.llm.shipped_roles import shipped_roles
from agent.policy.rules import PolicySet
from agent.tools.access import AccessRules
from agent.tools.circuit_breakers import CircuitBreaker
from agent.tools.decorator import ToolUnusable
from agent.tools.rate_limits import RateLimit
from bot.handlers.person_limits import PersonLimits
from infra.accounts.settings import AccountsSettings, AccountsTable
from infra.config.file_store import FilesTable
from infra.config.policy import (
    NOT_TOOLS,
    PolicyTable,
    known_approvals,
    known_pattern,
    policy_set,
    rule_places,
    table_policies,
)
from infra.config.privacy import PrivacyTable
from infra.config.roles import RoleTables
from infra.config.tool_access import ChannelKey, ChannelTable, GroupKey, GroupTable, access_rules
from infra.tools.catalogue import FileContext, ToolsConfig, beside, teams_tools
from infra.tools.mcp.settings import McpServerConfig, McpTables
from infra.tools.runbooks import RunbooksConfig
from infra.tools.secret import Secret
from infra.worker.worker import THREADS_AT_ONCE, Timings
from sandbox.docker_sandbox import DockerSettings
from sandbox.image_spec import ImageSpec
from sandbox.pool import PoolSize

_log = logging.getLogger(__name__)

RENAMED_ROLES: Mapping[str, Role] = {"reflexion": Role.REPAIR, "reflection": Role.REPLAN}
"""Keys of `[model] by_role` in files of earlier versions."""


class ConfigurationError(Exception):
    """The configuration cannot be used; the text names the file, the key and the broken rule."""


class Table(BaseModel):
    """A table of the file. Unknown keys are errors, because a misspelt policy must not silently become the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True)
class LimitsTable(PersonLimits, Limits):
    """`[limits]`: those of a run, of a process, of an approval and of a person."""

    #: Threads that one process works on at the same time.
    threads_at_once: int = field(default=THREADS_AT_ONCE, metadata={"ge": 1, "le": 1_000})
    #: Hours until an approval request expires; None: it waits until somebody decides.
    approval_hours: float | None = field(default=None, metadata={"gt": 0, "le": 24 * 365})

    def approvals_open_for(self) -> timedelta | None:
        """Return how long an approval request waits for a decision; None: for ever."""
        return None if self.approval_hours is None else timedelta(hours=self.approval_hours)

    def plan(self) -> PlanLimits:
        """Return the limits of a plan."""
        return PlanLimits(nodes=self.nodes_per_turn)


class PlanTable(Table):
    """`[plan]`: how plans are made."""

    #: Whether chains of green steps are packed into one script each.
    pack: bool = True
    #: How models are asked to write plans; either way of writing is read.
    language: PlanLanguage = PlanLanguage.PYTHON
    #: How long a thread must be quiet before its follow-up messages are planned.
    gather_seconds: float = Field(default=0.7, ge=0, le=60)


class FreezeTable(Table):
    """`[freeze]`: who may stop red calls."""

    #: User ids that may, besides the admins and owners of the workspace.
    admins: frozenset[UserId] = frozenset()


class AuditTable(Table):
    """`[audit]`: how the end of the audit is published."""

    #: Minutes between two signed heads, while there is anything new.
    seal_minutes: float = Field(default=5.0, gt=0, le=24 * 60)
    #: A file that each signed head is appended to, too; empty: only the audit and the log have it.
    heads_file: str = ""


class ContainersTable(Table):
    """`[containers]`: how scripts run where there is a container engine."""

    #: A runtime that the engine knows; empty: its default.
    runtime: str = ""
    #: The packages the image was built with, in the same order (`greenlight sandbox build --package NAME`).
    packages: tuple[str, ...] = ()
    #: Warm containers that wait for scripts.
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
    """`[budgets.thread]`: what may be spent without an approval; None and 0: no bound."""

    model_calls: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    #: In the price table's currency.
    cost: float | None = Field(default=None, ge=0, le=1_000_000_000)
    #: Minutes of work.
    minutes: float | None = Field(default=None, ge=0, le=60 * 24 * 365)
    nodes: int | None = Field(default=None, ge=0)

    def budget(self) -> Budget:
        """Return the budget."""
        return Budget(
            model_calls=self.model_calls or None,
            tokens=self.tokens or None,
            cost_micros=max(1, round(self.cost * 1_000_000)) if self.cost else None,
            milliseconds=max(1, round(self.minutes * 60_000)) if self.minutes else None,
            nodes=self.nodes or None,
        )


class RunBudgetTable(BudgetTable):
    """`[budgets.run]`: the same for one request; bounded unless the file says otherwise."""

    model_calls: int | None = Field(default=100, ge=0)
    tokens: int | None = Field(default=1_000_000, ge=0)
    minutes: float | None = Field(default=60, ge=0, le=60 * 24 * 365)


class BudgetsTable(Table):
    """`[budgets]`: the budgets of each run and of each thread."""

    run: RunBudgetTable = RunBudgetTable()
    thread: BudgetTable = BudgetTable()


def _keys_of(table: type) -> BeforeValidator:
    """Refuse the internal fields of a dataclass with the message for an unknown key."""
    internal = {field.name for field in fields(table) if "internal" in field.metadata}

    def refuse_internal(given: object) -> object:
        if isinstance(given, dict) and (unknown := internal.intersection(cast("dict[str, object]", given))):
            raise ValidationError.from_exception_data(
                "", [{"type": "extra_forbidden", "loc": (key,), "input": ""} for key in sorted(unknown)]
            )
        return cast("object", given)

    return BeforeValidator(refuse_internal)


def _rename_roles(model: object, info: ValidationInfo) -> object:
    """Accept keys of earlier versions in `by_role` with a warning; a new key comes before its old one."""
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


def _are_tools(name: str) -> str:
    if name in NOT_TOOLS:
        raise ValueError(f"no tool is called {name!r}")
    return name


def _limits_something(limit: RateLimit) -> RateLimit:
    if limit.calls is None and limit.per_person is None:
        raise ValueError("calls or per_person is needed")
    return limit


class Configuration(Table):
    """The whole file."""

    #: Variables that are read from elsewhere than the environment.
    secrets: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], Secret] = Field(
        default_factory=dict[str, Secret]
    )
    tools: ToolsConfig = ToolsConfig()
    mcp: McpTables = Field(default_factory=dict[str, McpServerConfig])
    approvals: dict[str, Annotated[ApprovalPolicy, _keys_of(ApprovalPolicy)]] = Field(
        default_factory=dict[str, ApprovalPolicy]
    )
    policy: PolicyTable = PolicyTable()
    plan: PlanTable = PlanTable()
    limits: Annotated[LimitsTable, _keys_of(LimitsTable)] = LimitsTable()
    worker: Annotated[Timings, _keys_of(Timings), AfterValidator(_in_order)] = Timings()
    model: Annotated[ModelOptions, BeforeValidator(_rename_roles)] = ModelOptions()
    memory: MemoryLimits = MemoryLimits()
    files: FilesTable = FilesTable()
    prices: Prices = Prices()
    budgets: BudgetsTable = BudgetsTable()
    audit: AuditTable = AuditTable()
    freeze: FreezeTable = FreezeTable()
    channels: dict[ChannelKey, ChannelTable] = Field(default_factory=dict[str, ChannelTable])
    runbooks: RunbooksConfig = RunbooksConfig()
    groups: dict[GroupKey, GroupTable] = Field(default_factory=dict[str, GroupTable])
    roles: RoleTables = Field(default_factory=lambda: dict(shipped_roles()))
    rate_limits: dict[
        Annotated[str, AfterValidator(known_pattern), AfterValidator(_are_tools)],
        Annotated[RateLimit, AfterValidator(_limits_something)],
    ] = Field(default_factory=dict[str, RateLimit])
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    privacy: PrivacyTable = Privacy()
    accounts: AccountsSettings = AccountsTable()
    sandbox: Literal["auto", "docker", "monty", "none"] = "auto"
    containers: ContainersTable = ContainersTable()

    @field_validator("approvals")
    @classmethod
    def _known(cls, policies: dict[str, ApprovalPolicy], info: ValidationInfo) -> dict[str, ApprovalPolicy]:
        return known_approvals(policies, info)

    def plan_limits(self) -> PlanLimits:
        """Return the limits of a plan that a model writes."""
        return replace(self.limits.plan(), masks=self.privacy.kinds)

    @model_validator(mode="after")
    def _known_accounts(self) -> "Configuration":
        """Refuse a tool with an account that no table is about."""
        named = {f"mcp.{name}.account": server.account for name, server in self.mcp.items() if server.account}
        for tool in ("http_get", "http_request"):
            if (config := getattr(self.tools, tool)) is not None:
                named |= {f"tools.{tool}.accounts.{origin}": name for origin, name in config.accounts.items()}
        if unknown := sorted(
            f"{where} = {name}" for where, name in named.items() if name not in self.accounts.providers
        ):
            raise ValueError(f"no such table in [accounts]: {', '.join(unknown)}")
        return self

    def bounds(self) -> Budgets:
        """Return the budgets of runs and threads."""
        return Budgets(
            run=self.budgets.run.budget(), thread=self.budgets.thread.budget(), currency=self.prices.currency
        )

    def access_rules(self) -> AccessRules:
        """Return which tools may be used where, and by whom."""
        return access_rules(self.channels, self.groups)

    def instructions(self) -> Mapping[str, str]:
        """Return channel -> the operator's instructions for it; `default` is every channel without a table."""
        return {channel: table.instructions for channel, table in self.channels.items()}

    def policies(self) -> Policies:
        """Return the approval policies per tool."""
        return table_policies(self.approvals)

    def policy_set(self, places: Sequence[str] = ()) -> PolicySet:
        """Return the rules and the approval policies; `places` are where the rules stand."""
        return policy_set(self.policy, self.approvals, places)


def read_configuration(path: Path | None) -> Configuration:
    """Read the file; without a path return the defaults.

    Raises:
        ConfigurationError: it cannot be read, is no TOML, or a key is unknown or has a wrong value.
    """
    if path is None:
        return parse_configuration({}, "")
    return parse_configuration(_with_policy_file(_table_of(path), path), str(path))


def read_policy(path: Path) -> PolicySet:
    """Read the file as `read_configuration` does, for its policy alone.

    Raises:
        ConfigurationError: as there.
    """
    configuration = read_configuration(path)
    source = policy_file(path, configuration)
    return configuration.policy_set(rule_places(source.read_text(encoding="utf-8"), source))


def policy_file(path: Path, configuration: Configuration) -> Path:
    """Return the file that holds the policy."""
    return path.parent / configuration.policy.file if configuration.policy.file else path


def _table_of(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"GREENLIGHT_CONFIG: cannot read {path}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error


def _with_policy_file(table: dict[str, object], path: Path) -> dict[str, object]:
    """Return the table with what the file that `policy.file` names holds."""
    policy = table.get("policy")
    if not isinstance(policy, dict) or not isinstance(name := cast("dict[str, object]", policy).get("file"), str):
        return table
    if not name:
        return table
    source = path.parent / name
    own = _table_of(source)
    if unknown := sorted(own.keys() - {"policy", "approvals"}):
        raise ConfigurationError(f"{source}: only [policy] and [approvals] stand here, not {', '.join(unknown)}")
    inside = own.get("policy", {})
    if len(cast("dict[str, object]", policy)) > 1 or (isinstance(inside, dict) and "file" in inside):
        raise ConfigurationError(f"{path}: with policy.file, everything else of [policy] stands in {source}")
    merged = {**cast("dict[str, object]", inside), "file": name} if isinstance(inside, dict) else inside
    approvals = own.get("approvals", table.get("approvals"))
    return {**table, "policy": merged} | ({} if approvals is None else {"approvals": approvals})


def parse_configuration(table: Mapping[str, object], source: str) -> Configuration:
    """Return the configuration of a TOML document; errors and warnings name its `source`.

    Raises:
        ConfigurationError: a key is unknown or has a wrong value, or a tool in Python cannot be loaded.
    """
    try:
        names = [found.tool.name for found in teams_tools(_tool_paths(table, source))]
        servers = table.get("mcp")
        prefixes = [*cast("Mapping[str, object]", servers)] if isinstance(servers, Mapping) else []
        return Configuration.model_validate(table, context=FileContext.of(source, names, prefixes))
    except ToolUnusable as error:
        raise ConfigurationError(str(error)) from error
    except ValidationError as error:
        # Only places and rules, because a wrong value may be a secret.
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {_rule(fault)}" for fault in error.errors()]
        raise ConfigurationError(f"{source}: " + "; ".join(faults)) from None


def _tool_paths(table: Mapping[str, object], source: str) -> list[Path]:
    """Return `tools.paths`; what is none is left to the validation."""
    tools = table.get("tools")
    paths = cast("Mapping[str, object]", tools).get("paths") if isinstance(tools, dict) else None
    given = cast("Sequence[object]", paths) if isinstance(paths, list | tuple) else ()
    return [beside(source, Path(path)) for path in given if isinstance(path, str)]


def _rule(fault: ErrorDetails) -> str:
    """Return the broken rule, in the file's terms where pydantic uses Python's."""
    match fault["type"]:
        case "unexpected_keyword_argument":
            return "Extra inputs are not permitted"
        case "dataclass_type" | "model_type":
            return "Input should be a table"
        case _:
            return fault["msg"]
