"""The `[tools]` tables of the configuration file: each tool's own, as typed values."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

from bot.tools import SLACK_TOOLS
from infra.tools.access_log import AccessLogConfig
from infra.tools.catalogue import ToolsConfig
from infra.tools.host_metrics import HostMetricsConfig
from infra.tools.http import HttpConfig
from infra.tools.http_request import HttpRequestConfig, origin_of
from infra.tools.sql import SqlConfig

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
