"""All tools of the clusters, as `[tools.kubernetes]` configures them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from agent.tool import Tool
from infra.tools.kubernetes.changing import changing_tools
from infra.tools.kubernetes.kinds import Kinds
from infra.tools.kubernetes.reading import Clusters, reading_tools
from infra.tools.kubernetes.settings import KubernetesConfig

KUBERNETES_TOOLS = frozenset(
    {
        "kubernetes_delete_pod",
        "kubernetes_describe",
        "kubernetes_events",
        "kubernetes_get",
        "kubernetes_logs",
        "kubernetes_restart",
        "kubernetes_scale",
    }
)


def _now() -> datetime:
    return datetime.now(UTC)


def kubernetes_tools(config: KubernetesConfig, now: Callable[[], datetime] = _now) -> Sequence[Tool]:
    """Return the tools. The kinds that a cluster has are remembered by all of them."""
    clusters, kinds = Clusters(config), Kinds()
    return (*reading_tools(clusters, kinds), *changing_tools(clusters, kinds, now))
