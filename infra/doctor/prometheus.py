"""Prometheus' part of the examination: it answers, takes the credentials, and evaluates a query."""

from agent.tool import ToolError
from infra.doctor.finding import Finding, ok, wrong
from infra.tools.prometheus import PrometheusConfig, answer_of
from infra.tools.service import words_of

CHECK = "prometheus"


async def prometheus_findings(config: PrometheusConfig | None) -> list[Finding]:
    """Return the finding on the configured server."""
    if config is None:
        return []
    try:
        await answer_of(config, "query", [("query", "vector(1)")])
        return [ok(CHECK, f"{await _version(config)}, it answers queries")]
    except ToolError as error:
        return [wrong(CHECK, str(error), "Correct [tools.prometheus], or start the server; its tools fail until then.")]


async def _version(config: PrometheusConfig) -> str:
    """Return the version; servers that only speak the same API may not have one."""
    try:
        data = (await answer_of(config, "status/buildinfo"))["data"]
    except ToolError:
        return "no version is told"
    version = data.get("version") if isinstance(data, dict) else None
    return f"version {words_of(version)}" if version else "no version is told"
