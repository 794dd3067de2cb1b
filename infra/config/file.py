"""The configuration file (`GREENLIGHT_CONFIG`, TOML): tools, approval policies, limits, as typed values."""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from agent.approval import ApprovalPolicy, GroupId, Policies
from agent.budget.budget import Budget, Budgets
from agent.budget.usage import Price, Prices
from agent.ids import ToolName, UserId
from agent.limits import Limits, MemoryLimits, PlanLimits, Role
from agent.plan.operations import NodeKind
from bot.tools.post_message import SLACK_TOOLS
from infra.tools.access_log import AccessLogConfig
from infra.tools.catalogue import ToolsConfig
from infra.tools.host_metrics import HostMetricsConfig
from infra.tools.http import HttpConfig, HttpRequestConfig, origin_of
from infra.tools.sql import SqlConfig
from infra.worker.worker import Timings
from sandbox.docker_sandbox import DockerSettings
from sandbox.image_spec import ImageSpec
from sandbox.pool import PoolSize

Seconds = Annotated[float, Field(gt=0)]


class Table(BaseModel):
    """A table of the file. Unknown keys are errors: a misspelt policy must not silently mean the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpGetTable(Table):
    """`[tools.http_get]`: which services the model is told about, whether private addresses may be read, and for
    how long an answer may be given again (0: never)."""

    known: dict[str, str] = Field(default_factory=dict[str, str])
    allow_private: bool = False
    timeout_seconds: Seconds = 10.0
    cache_seconds: Annotated[float, Field(ge=0, le=24 * 3600)] = 0.0


class AccessLogTable(Table):
    """`[tools.read_access_log]`: the file it reads and the form of its lines."""

    path: Path
    line_format: str = ""


class SqlTable(Table):
    """`[tools.sql_query]`: a login that may only read, and what is in that database."""

    database_url: SecretStr
    about: str = ""
    statement_seconds: Seconds = 10.0
    rows: int = Field(default=200, ge=1, le=10_000)


class HttpRequestTable(Table):
    """`[tools.http_request]`: which services the model is told about, and the credentials each origin gets."""

    known: dict[str, str] = Field(default_factory=dict[str, str])
    headers: dict[Annotated[str, AfterValidator(origin_of)], dict[str, SecretStr]] = Field(
        default_factory=dict[str, dict[str, SecretStr]]
    )
    idempotency_header: str = Field(default="Idempotency-Key", pattern=r"^[A-Za-z0-9-]+$")
    allow_private: bool = False
    timeout_seconds: Seconds = 20.0

    def config(self) -> HttpRequestConfig:
        """Return what the tool is built from."""
        headers = {
            origin: {name: value.get_secret_value() for name, value in values.items()}
            for origin, values in self.headers.items()
        }
        return HttpRequestConfig(
            known=self.known,
            headers=headers,
            idempotency_header=self.idempotency_header,
            allow_private=self.allow_private,
            timeout_seconds=self.timeout_seconds,
        )


class HostMetricsTable(Table):
    """`[tools.host_metrics]`: how many of the biggest processes are named."""

    processes: int = Field(default=5, ge=0, le=50)


class ToolsTable(Table):
    """`[tools]`: a tool exists when its table does, Slack's always; `disabled` switches any of them off."""

    http_get: HttpGetTable | None = None
    read_access_log: AccessLogTable | None = None
    sql_query: SqlTable | None = None
    http_request: HttpRequestTable | None = None
    host_metrics: HostMetricsTable | None = None
    disabled: frozenset[str] = frozenset()

    @field_validator("disabled")
    @classmethod
    def _only_tools(cls, names: frozenset[str]) -> frozenset[str]:
        require_tools(names)
        return names

    def config(self) -> ToolsConfig:
        """Return what the tools are built from."""
        http, log, sql, host = self.http_get, self.read_access_log, self.sql_query, self.host_metrics
        return ToolsConfig(
            http=http
            and HttpConfig(
                known=http.known,
                allow_private=http.allow_private,
                timeout_seconds=http.timeout_seconds,
                cache_seconds=http.cache_seconds,
            ),
            access_log=log and AccessLogConfig(path=log.path, line_format=log.line_format),
            sql=sql
            and SqlConfig(
                database_url=sql.database_url.get_secret_value(),
                about=sql.about,
                statement_seconds=sql.statement_seconds,
                rows=sql.rows,
            ),
            http_request=self.http_request and self.http_request.config(),
            host=host and HostMetricsConfig(processes=host.processes),
        )


TOOL_NAMES = frozenset(ToolsTable.model_fields) - {"disabled"} | SLACK_TOOLS
"""Every tool that there can be."""


def require_tools(names: Iterable[str]) -> None:
    """Raise ValueError when one of them is no tool's: a misspelt name must not silently mean nothing."""
    if unknown := sorted(set(names) - TOOL_NAMES):
        raise ValueError(f"no such tool: {', '.join(unknown)}")


class ConfigurationError(Exception):
    """The configuration cannot be used; the text names the file, the key and what is wrong with it."""


_NO_TOOLS = frozenset({"default", NodeKind.PACKAGE.value, NodeKind.SUBAGENT.value})
"""What has a policy besides tools; a package or a subagent asks when a plan wants it to."""


class PolicyTable(Table):
    """`[approvals.<tool>]` and `[approvals.default]`. A list that is there but empty means nobody."""

    self_approval: bool = True
    users: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    quorum: Literal[1] = 1

    def policy(self) -> ApprovalPolicy:
        """Return the policy."""
        return ApprovalPolicy(
            self_approval=self.self_approval,
            users=None if self.users is None else frozenset(UserId(each) for each in self.users),
            groups=None if self.groups is None else frozenset(GroupId(each) for each in self.groups),
            quorum=self.quorum,
        )


class LimitsTable(Table):
    """`[limits]`. `approval_hours` is how long a card stays open; without it, until somebody decides."""

    nodes_per_turn: int = Field(default=200, ge=1, le=10_000)
    nodes_at_once: int = Field(default=32, ge=1, le=1_000)
    fan_out: int = Field(default=50, ge=1, le=1_000)
    threads_at_once: int = Field(default=32, ge=1, le=1_000)
    approval_hours: Annotated[float, Field(gt=0, le=24 * 365)] | None = None

    def questions_open_for(self) -> timedelta | None:
        """Return how long a question waits for its decision; None: for ever."""
        return None if self.approval_hours is None else timedelta(hours=self.approval_hours)

    def executor(self) -> Limits:
        """Return what bounds one run's work."""
        return Limits(nodes_at_once=self.nodes_at_once, fan_out=self.fan_out, nodes_per_turn=self.nodes_per_turn)

    def plan(self) -> PlanLimits:
        """Return what bounds a plan's size."""
        return PlanLimits(nodes=self.nodes_per_turn)


class PlanTable(Table):
    """`[plan]`: whether chains of green steps are packed into one script each, and for how long nobody must
    have written in a thread before its follow-ups are planned."""

    pack: bool = True
    gather_seconds: Annotated[float, Field(ge=0, le=60)] = 0.7


class ContainersTable(Table):
    """`[containers]`: how scripts run where there is a container engine.

    `packages` must be those the image was built with, in the same order (`greenlight sandbox build
    --package NAME`). `runtime` is one the engine knows; empty takes its default.
    """

    runtime: str = ""
    packages: tuple[str, ...] = ()
    ready: int = Field(default=4, ge=0, le=100)
    at_once: int = Field(default=16, ge=1, le=1_000)

    def settings(self) -> DockerSettings:
        """Return the sandbox's settings."""
        return DockerSettings(
            recipe=ImageSpec(packages=self.packages),
            runtime=self.runtime or None,
            pool=PoolSize(ready=self.ready),
            concurrency=self.at_once,
        )


class WorkerTable(Table):
    """`[worker]`: seconds. A worker silent for `stall` is declared dead; one told to stop gives what
    runs `grace`. Takeover comes after `stall` and `sweep` at the latest."""

    heartbeat: Seconds = 2.0
    stall: Seconds = 22.0
    sweep: Seconds = 5.0
    grace: Seconds = 10.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.heartbeat * 3 > self.stall or self.grace >= self.stall:
            raise ValueError("stall must be at least three heartbeats, and longer than grace")
        return self

    def timings(self) -> Timings:
        """Return the worker's clockwork."""
        return Timings(heartbeat=self.heartbeat, stall=self.stall, sweep=self.sweep, grace=self.grace)


class ModelTable(Table):
    """`[model]`: other models for some roles, and how long to wait."""

    by_role: dict[Role, str] = Field(default_factory=dict[Role, str])
    silence_seconds: Seconds = 60.0
    total_seconds: Seconds = 300.0


class MemoryTable(Table):
    """`[memory]`: how many tokens the models are shown of a thread's earlier turns."""

    tokens: int = Field(default=16_000, ge=400, le=1_000_000)

    def limits(self) -> MemoryLimits:
        """Return what bounds a thread's memory."""
        return MemoryLimits(tokens=self.tokens)


class PriceTable(Table):
    """`[prices.models."NAME"]`: what a million tokens cost, in and out."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class PricesTable(Table):
    """`[prices]`: the price table. Its currency is only ever shown."""

    currency: str = Field(default="$", min_length=1, max_length=5)
    models: dict[str, PriceTable] = Field(default_factory=dict[str, PriceTable])

    def prices(self) -> Prices:
        """Return the price table."""
        models = {name: Price(input=each.input, output=each.output) for name, each in self.models.items()}
        return Prices(currency=self.currency, models=models)


class BudgetTable(Table):
    """`[budgets.run]` and `[budgets.thread]`: what may be spent before somebody is asked. Without a key: as much
    as it takes. `minutes` are those at work; `cost` is in the price table's currency."""

    model_calls: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    cost: float | None = Field(default=None, gt=0, le=1_000_000_000)
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


class Configuration(Table):
    """The whole file."""

    tools: ToolsTable = ToolsTable()
    approvals: dict[str, PolicyTable] = Field(default_factory=dict[str, PolicyTable])
    plan: PlanTable = PlanTable()
    limits: LimitsTable = LimitsTable()
    worker: WorkerTable = WorkerTable()
    model: ModelTable = ModelTable()
    memory: MemoryTable = MemoryTable()
    prices: PricesTable = PricesTable()
    budgets: BudgetsTable = BudgetsTable()
    sandbox: Literal["auto", "docker", "monty", "none"] = "auto"
    containers: ContainersTable = ContainersTable()

    @field_validator("approvals")
    @classmethod
    def _of_something(cls, tables: dict[str, PolicyTable]) -> dict[str, PolicyTable]:
        require_tools(set(tables) - _NO_TOOLS)
        return tables

    def bounds(self) -> Budgets:
        """Return what runs and threads may spend."""
        return Budgets(
            run=self.budgets.run.budget(), thread=self.budgets.thread.budget(), currency=self.prices.currency
        )

    def policies(self) -> Policies:
        """Return who may decide, per tool."""
        default = self.approvals.get("default", PolicyTable()).policy()
        by_tool = {ToolName(name): each.policy() for name, each in self.approvals.items() if name != "default"}
        return Policies(default=default, by_tool=by_tool)


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
    """Return the configuration a TOML document says; `source` is named in errors."""
    try:
        return Configuration.model_validate(table)
    except ValidationError as error:
        # Only places and rules: an offending value may be a secret.
        faults = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
        raise ConfigurationError(f"{source}: " + "; ".join(faults)) from None
