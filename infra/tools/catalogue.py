"""The tools this installation offers, built from their settings.

A new tool that everybody gets has a config class in its own file, a field in `ToolsConfig` and a line in `open_tools`.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from agent.plan.file_names import FILE_TOOLS
from agent.runbooks import SAVE_RUNBOOK
from agent.tool import Registry, Tool
from bot.slack.client import WebApi, open_client
from bot.slack.membership import Principals
from bot.tools.catalogue import SLACK_TOOLS, slack_tools
from bot.tools.remember import MEMORY_TOOLS, memory_tools
from infra.tools.access_log import AccessLogConfig, read_access_log
from infra.tools.calculate import calculate
from infra.tools.clock import calculate_time, current_time
from infra.tools.files import ThreadFiles, file_tools
from infra.tools.git.catalogue import GIT_TOOLS, git_tools
from infra.tools.git.settings import GitConfig, RepositoryConfig
from infra.tools.host_metrics import HostMetricsConfig, host_metrics
from infra.tools.http import HttpGetConfig, HttpRequestConfig, http_get, http_request
from infra.tools.kubernetes.catalogue import KUBERNETES_TOOLS, kubernetes_tools
from infra.tools.kubernetes.settings import ClusterConfig, KubernetesConfig
from infra.tools.mail import MailConfig, send_mail
from infra.tools.prometheus import PROMETHEUS_TOOLS, PrometheusConfig, prometheus_tools
from infra.tools.python_tools import PythonToolFound, python_tools
from infra.tools.reducers import REDUCE_LIST, REQUIRE_PASSED, reduce_list, require_passed
from infra.tools.save_runbook import save_runbook
from infra.tools.secret import Secret
from infra.tools.sql import SqlConfig, sql_query
from infra.tools.sql_execute import SqlExecuteConfig, sql_execute


class FileContext(str):
    """The name of the file that is read, as validators get it, and what else of it they must know."""

    #: The names of the tools that a team wrote in Python.
    names: AbstractSet[str] = frozenset()
    #: The beginnings of the names of tools that are known only once the servers of the file are asked.
    prefixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: str, names: Iterable[str], servers: Iterable[str]) -> "FileContext":
        """Return the context of a file with these tools in Python and these MCP servers."""
        context = cls(source)
        context.names = frozenset(names)
        context.prefixes = tuple(f"{server}_" for server in servers)
        return context


def names_in(info: ValidationInfo) -> AbstractSet[str]:
    """Return the names of the tools in Python that the file which is read may name."""
    context: object = info.context
    return context.names if isinstance(context, FileContext) else frozenset()


def may_be_later(name: str, info: ValidationInfo) -> bool:
    """Return whether a name is one that a server of the same file may give a tool."""
    context: object = info.context
    return isinstance(context, FileContext) and name.startswith(context.prefixes)


def beside(source: str, path: Path) -> Path:
    """Return the absolute path of what a file names."""
    return (Path(source).parent / path.expanduser()).resolve()


def _resolved(path: Path, info: ValidationInfo) -> Path:
    return beside(str(info.context or ""), path)


def known_names(names: frozenset[str], info: ValidationInfo) -> frozenset[str]:
    """Return the names after checking each one, because a misspelt name must not silently be ignored.

    Raises:
        ValueError: there is no tool with one of the names.
    """
    unknown = sorted(name for name in names - TOOL_NAMES - names_in(info) if not may_be_later(name, info))
    if unknown:
        raise ValueError(f"no such tool: {', '.join(unknown)}")
    return names


@dataclass(frozen=True, kw_only=True)
class ToolsConfig:
    """`[tools]`: a tool exists when its table does; Slack's tools, and those of `SETTLED`, always do."""

    http_get: HttpGetConfig | None = None
    read_access_log: AccessLogConfig | None = None
    sql_query: SqlConfig | None = None
    sql_execute: SqlExecuteConfig | None = None
    http_request: HttpRequestConfig | None = None
    host_metrics: HostMetricsConfig | None = None
    send_mail: MailConfig | None = None
    kubernetes: KubernetesConfig | None = None
    prometheus: PrometheusConfig | None = None
    git: GitConfig | None = None
    #: Files and folders of tools in Python, relative to the configuration file.
    paths: tuple[Annotated[Path, AfterValidator(_resolved)], ...] = ()
    #: Tools that are switched off, Slack's included.
    disabled: Annotated[frozenset[str], AfterValidator(known_names)] = frozenset()


SETTLED = frozenset({"calculate", "calculate_time", "current_time", REDUCE_LIST, REQUIRE_PASSED}) | FILE_TOOLS
"""The names of the tools that need no settings."""

_NO_TOOL = frozenset({"disabled", "git", "kubernetes", "paths", "prometheus"})
"""The fields of `ToolsConfig` that are no tool's name."""

TOOL_NAMES = (
    frozenset(field.name for field in fields(ToolsConfig)) - _NO_TOOL
    | GIT_TOOLS
    | KUBERNETES_TOOLS
    | PROMETHEUS_TOOLS
    | SLACK_TOOLS
    | SETTLED
    | MEMORY_TOOLS
    | {SAVE_RUNBOOK}
)
"""The names of all tools except those in Python that a team wrote."""


def teams_tools(paths: Sequence[Path] = ()) -> tuple[PythonToolFound, ...]:
    """Return the tools that a team wrote in Python: those of installed packages, and those of the paths.

    Raises:
        ToolUnusable: one cannot be loaded, or has the name of another.
    """
    return python_tools(paths, TOOL_NAMES)


@asynccontextmanager
async def open_tools(config: ToolsConfig, files: ThreadFiles | None = None) -> AsyncGenerator[tuple[Tool, ...]]:
    """Yield the configured tools except Slack's; their database connections live as long as the context.

    Without `files` the tools that read a thread's files can only be planned.
    """
    async with AsyncExitStack() as stack:
        tools: list[Tool] = [calculate(), calculate_time(), current_time(), reduce_list(), require_passed()]
        tools += file_tools(files)
        if config.http_get is not None:
            tools.append(http_get(config.http_get))
        if config.read_access_log is not None:
            tools.append(read_access_log(config.read_access_log))
        if config.sql_query is not None:
            tools.append(await stack.enter_async_context(sql_query(config.sql_query)))
        if config.sql_execute is not None:
            tools.append(sql_execute(config.sql_execute))
        if config.http_request is not None:
            tools.append(http_request(config.http_request))
        if config.host_metrics is not None:
            tools.append(host_metrics(config.host_metrics))
        if config.send_mail is not None:
            tools.append(send_mail(config.send_mail))
        if config.kubernetes is not None:
            tools += kubernetes_tools(config.kubernetes)
        if config.prometheus is not None:
            tools += prometheus_tools(config.prometheus)
        if config.git is not None:
            tools += git_tools(config.git)
        tools += [found.tool for found in teams_tools(config.paths)]
        yield tuple(tools)


def enabled(tools: Iterable[Tool], disabled: frozenset[str]) -> tuple[Tool, ...]:
    """Return the tools without the disabled ones."""
    return tuple(tool for tool in tools if tool.name not in disabled)


async def switched_on(config: ToolsConfig) -> tuple[Tool, ...]:
    """Return the tools that this installation offers, Slack's included, for planning only: calls may not work."""
    async with open_tools(config) as tools:
        configured = {tool.name for tool in tools} | SLACK_TOOLS | MEMORY_TOOLS
    known = await known_tools(config.paths, clusters_of(config))
    return enabled((tool for tool in known if tool.name in configured), config.disabled)


def clusters_of(config: ToolsConfig) -> Mapping[str, ClusterConfig]:
    """Return the clusters that plans may name."""
    return {} if config.kubernetes is None else config.kubernetes.clusters


async def known_tools(paths: Sequence[Path] = (), clusters: Mapping[str, ClusterConfig] | None = None) -> Registry:
    """Return all tools for planning only: they have no credentials, so calls do not work.

    `paths` and `clusters` are those of the configuration; plans name clusters.
    """
    forge = "https://api.github.com/repos/example/example"
    repository = RepositoryConfig(address="/example.git", api=forge, token=Secret(env="GITHUB_TOKEN"))
    config = ToolsConfig(
        http_get=HttpGetConfig(),
        read_access_log=AccessLogConfig(path=Path("access.log")),
        sql_query=SqlConfig(database_url="postgresql+psycopg://"),
        sql_execute=SqlExecuteConfig(database_url=Secret(env="DATABASE_URL")),
        http_request=HttpRequestConfig(),
        host_metrics=HostMetricsConfig(),
        send_mail=MailConfig(host="localhost", sender="greenlight@example.com"),
        kubernetes=KubernetesConfig(clusters=clusters or {"cluster": ClusterConfig(url="https://localhost")}),
        prometheus=PrometheusConfig(url="http://localhost:9090"),
        git=GitConfig(folder=Path("git"), repositories={"example": repository}),
        paths=tuple(paths),
    )
    api = WebApi(open_client(""))
    async with open_tools(config) as tools:
        return Registry(
            (*tools, *slack_tools(api, Principals(api)), *memory_tools(None), save_runbook(Path("runbooks")))
        )
