"""The clusters' part of the examination: each answers, takes the login, and lets it do what the tools need."""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from agent.tool import ToolError
from infra.doctor.finding import Finding, ok, wrong
from infra.tools.kubernetes.cluster import Cluster
from infra.tools.kubernetes.objects import mapping, text
from infra.tools.kubernetes.settings import KubernetesConfig
from infra.tools.service import words_of

REVIEWS = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

_MOST_NAMESPACES = 5
"""In how many of the open namespaces the rights are looked at."""


@dataclass(frozen=True, kw_only=True)
class Right:
    """What a tool has to be allowed."""

    tool: str
    verb: str
    resource: str
    group: str = ""
    part: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'/{self.part}' if self.part else ''}"


RIGHTS = (
    Right(tool="kubernetes_get", verb="list", resource="pods"),
    Right(tool="kubernetes_get", verb="list", resource="deployments", group="apps"),
    Right(tool="kubernetes_logs", verb="get", resource="pods", part="log"),
    Right(tool="kubernetes_events", verb="list", resource="events"),
    Right(tool="kubernetes_describe", verb="get", resource="pods"),
    Right(tool="kubernetes_scale", verb="get", resource="deployments", group="apps", part="scale"),
    Right(tool="kubernetes_scale", verb="update", resource="deployments", group="apps", part="scale"),
    Right(tool="kubernetes_restart", verb="get", resource="deployments", group="apps"),
    Right(tool="kubernetes_restart", verb="patch", resource="deployments", group="apps"),
    Right(tool="kubernetes_delete_pod", verb="get", resource="pods"),
    Right(tool="kubernetes_delete_pod", verb="delete", resource="pods"),
)


async def kubernetes_findings(config: KubernetesConfig | None, disabled: AbstractSet[str]) -> list[Finding]:
    """Return a finding per configured cluster. What a tool that is disabled would need is not looked at."""
    if config is None:
        return []
    clusters = [Cluster(name=name, config=cluster, limits=config) for name, cluster in config.clusters.items()]
    return list(await asyncio.gather(*(_finding(cluster, disabled) for cluster in clusters)))


async def _finding(cluster: Cluster, disabled: AbstractSet[str]) -> Finding:
    check, table = f"kubernetes {cluster.name}", f"[tools.kubernetes.clusters.{cluster.name}]"
    wanted = [right for right in RIGHTS if right.tool not in disabled]
    namespaces: list[str] = sorted(cluster.config.namespaces)[:_MOST_NAMESPACES] or [""]
    try:
        version = words_of(text(await cluster.read("version"), "gitVersion") or "of no version")
        asked = [(right, namespace) for namespace in namespaces for right in wanted]
        allowed = await asyncio.gather(*(_may(cluster, right, namespace) for right, namespace in asked))
    except ToolError as error:
        return wrong(check, str(error), f"Correct {table}, or start the cluster; its tools fail until then.")
    lacking = [asked[at] for at, granted in enumerate(allowed) if not granted]
    where = ", ".join(namespaces) if namespaces != [""] else "all namespaces"
    if lacking:
        told = dict.fromkeys(f"{right}{f' in {namespace}' if namespace else ''}" for right, namespace in lacking)
        tools = ", ".join(sorted({right.tool for right, _ in lacking}))
        return wrong(
            check,
            f"{version}: its login may not {', '.join(told)}",
            f"Grant that by a Role and a RoleBinding, name in {table} the namespaces that it may use, or put what "
            f"needs it into tools.disabled: {tools}.",
        )
    return ok(check, f"{version}, its login may do what the tools need in {where}")


async def _may(cluster: Cluster, right: Right, namespace: str) -> bool:
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.part,
        "namespace": namespace,
    }
    given: Mapping[str, str] = {name: value for name, value in attributes.items() if value}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": given},
    }
    answer = await cluster.ask("POST", REVIEWS, body=review)
    return mapping((await answer.json_object()).get("status")).get("allowed") is True
