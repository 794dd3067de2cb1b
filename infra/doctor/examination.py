"""The whole examination: checks every part, whatever is wrong with the others, and keeps secrets out of the report."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agent.redaction import Redactor
from agent.tools.decorator import ToolUnusable
from infra.config.environment import model_settings, with_secrets
from infra.config.file import Configuration, ConfigurationError, ContainersTable, read_configuration
from infra.config.secrets import secrets_of
from infra.db.embedded_postgres import default_data_folder
from infra.doctor.accounts import account_findings
from infra.doctor.database import database_findings
from infra.doctor.finding import Finding, missing, ok, wrong
from infra.doctor.kubernetes import kubernetes_findings
from infra.doctor.mcp import mcp_findings
from infra.doctor.model import model_finding
from infra.doctor.prometheus import prometheus_findings
from infra.doctor.query_login import query_login_finding
from infra.doctor.slack import slack_findings
from infra.process_health import SILENT_SECONDS, ProcessHealth, running_processes
from infra.tools.mcp.settings import McpSettings, mcp_settings
from sandbox.choice import Wanted, choose_sandbox
from sandbox.pool import PoolSize

CONFIGURATION, TOOLS, SANDBOX, PROCESSES = "configuration", "tools", "sandbox", "processes"
_SHORTEST_SECRET = 6
"""A shorter value is no secret, and hiding it would make the report unreadable."""


async def examine(environ: Mapping[str, str]) -> list[Finding]:
    """Return one finding per thing the app needs, in the order to fix them."""
    given = {name: value for name, value in environ.items() if value.strip()}
    file, configuration = _configuration(given)
    try:
        given = with_secrets(given, configuration)
    except ConfigurationError as error:
        file = wrong(CONFIGURATION, str(error), "Put it where the file says, or correct the file.")
    async with asyncio.TaskGroup() as group:
        slack = group.create_task(slack_findings(given))
        database = group.create_task(asyncio.to_thread(database_findings, given))
        sandbox = group.create_task(sandbox_finding(configuration.sandbox, configuration.containers))
        model = group.create_task(model_finding(model_settings(given, configuration)))
        logins = [
            group.create_task(asyncio.to_thread(query_login_finding, config))
            for config in [configuration.tools.sql_query]
            if config is not None and "sql_query" not in configuration.tools.disabled
        ]
        servers = group.create_task(mcp_findings(_mcp_settings(given, configuration)))
        keys = given.get("GREENLIGHT_ACCOUNT_KEYS")
        accounts = group.create_task(account_findings(configuration.accounts, keys, _data(given)))
        tools = configuration.tools
        clusters = group.create_task(kubernetes_findings(tools.kubernetes, tools.disabled))
        metrics = group.create_task(prometheus_findings(tools.prometheus))
    checked = [*(login.result() for login in logins), *servers.result(), *accounts.result()]
    checked += [*clusters.result(), *metrics.result()]
    rest = [sandbox.result(), model.result(), process_finding(given)]
    findings = [file, *slack.result(), *database.result(), *checked, *rest]
    redactor = report_redactor(given, configuration)
    return [
        replace(finding, says=redactor.hide(finding.says), mend=redactor.hide(finding.mend)) for finding in findings
    ]


def report_redactor(given: Mapping[str, str], configuration: Configuration) -> Redactor:
    """Return what hides the secrets in a report, which may quote settings that no model ever sees: short ones, too."""
    redactor = Redactor(shortest=_SHORTEST_SECRET, shortest_word=_SHORTEST_SECRET)
    for name, value in secrets_of(given, configuration, _mcp_settings(given, configuration)):
        redactor.learn(name, value)
    return redactor


def _mcp_settings(given: Mapping[str, str], configuration: Configuration) -> McpSettings:
    file = Path(given["GREENLIGHT_CONFIG"]) if "GREENLIGHT_CONFIG" in given else None
    return mcp_settings(configuration.mcp, given, file, _data(given))


def _data(given: Mapping[str, str]) -> Path:
    return Path(given["GREENLIGHT_DATA"]) if "GREENLIGHT_DATA" in given else default_data_folder()


def _configuration(given: Mapping[str, str]) -> tuple[Finding, Configuration]:
    """Return the finding on the file, and its content; when it cannot be used, the defaults for the other checks."""
    path = Path(given["GREENLIGHT_CONFIG"]) if "GREENLIGHT_CONFIG" in given else None
    if path is not None and not path.exists():
        mend = "Copy greenlight.example.toml there, or unset GREENLIGHT_CONFIG."
        return missing(CONFIGURATION, f"there is no {path}", mend), Configuration()
    says = "GREENLIGHT_CONFIG is not set: everything has its default" if path is None else str(path)
    try:
        return ok(CONFIGURATION, says), read_configuration(path)
    except ConfigurationError as error:
        if isinstance(error.__cause__, ToolUnusable):
            return wrong(TOOLS, str(error), "Correct the tool, or take its path or package away."), Configuration()
        mend = "Correct the file; greenlight.example.toml shows every key."
        return wrong(CONFIGURATION, str(error), mend), Configuration()


async def sandbox_finding(wanted: Wanted, containers: ContainersTable | None = None) -> Finding:
    """Return the finding on the sandbox: which one this machine gets, and why."""
    settings = (containers or ContainersTable()).settings()
    choice = await choose_sandbox(wanted, replace(settings, pool=PoolSize(ready=0)))
    await choice.sandbox.close()
    says = f"{choice.sandbox.name}: {choice.reason}"
    if choice.sandbox.name != "none" or wanted == "none":
        return ok(SANDBOX, says)
    mend = "Start Docker and run `greenlight sandbox build`, or install pydantic-monty; until then scripts are refused."
    return missing(SANDBOX, says, mend)


def process_finding(environ: Mapping[str, str]) -> Finding:
    """Return the finding on the processes that run with the same data folder."""
    running = running_processes(_data(environ))
    if not running:
        return ok(PROCESSES, "none runs with this data folder")
    if troubles := [trouble for process in running for trouble in _troubles(process)]:
        mend = "It keeps trying. The log of the process says why it fails; restart a process that says nothing."
        return wrong(PROCESSES, "; ".join(troubles), mend)
    return ok(PROCESSES, f"{len(running)} running, all well")


def _troubles(process: ProcessHealth) -> list[str]:
    name = f"{' and '.join(process.parts)} (process {process.pid})"
    silent = time.time() - process.written_at
    if silent > SILENT_SECONDS:
        return [f"{name} has said nothing for {silent:.0f} s"]
    failing = [
        f"{name}: {task.name} failed {task.failures} times in a row ({task.error})"
        if task.failures > 1
        else f"{name}: {task.name} failed ({task.error})"
        for task in process.failing
    ]
    left_alone = [
        f"{name}: calls to {circuit.name} failed {circuit.failures} times in a row, so none is made for now"
        for circuit in process.left_alone
    ]
    return [*failing, *left_alone]
