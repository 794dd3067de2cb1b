"""`[tools.kubernetes]`: which clusters there are, how Greenlight logs in to each, and which namespaces are open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from infra.tools.secret import Secret
from infra.tools.service import base_address, is_open_to_others

NAMESPACE = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


def _address(text: str) -> str:
    return base_address(text) if text else ""


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """`[tools.kubernetes.clusters.NAME]`: a cluster, by its address, by a kubeconfig file, or the one we run in."""

    #: The address of its API server.
    url: Annotated[str, AfterValidator(_address)] = ""
    token: Secret | None = None
    #: The certificates (PEM) that its API server is checked with; none: those of the machine.
    ca_file: Path | None = None
    #: A kubeconfig file in place of these.
    kubeconfig: Path | None = None
    #: The context of that file; empty: its current one.
    context: str = ""
    #: Whether it is the cluster that Greenlight runs in, with the service account of its pod.
    in_cluster: bool = False
    #: The namespaces that tools may read and change; empty: any that the login may.
    namespaces: frozenset[Annotated[str, Field(pattern=NAMESPACE)]] = frozenset()
    #: Whether what belongs to no namespace, such as nodes, may be read although `namespaces` has some.
    cluster_wide: bool = False

    def __post_init__(self) -> None:
        """Refuse none and more than one way to log in, and a token that others can read.

        Raises:
            ValueError: see above.
        """
        if sum(map(bool, (self.url, self.kubeconfig, self.in_cluster))) != 1:
            raise ValueError("a cluster has one of url, kubeconfig and in_cluster")
        if not self.url and (self.token or self.ca_file):
            raise ValueError("token and ca_file go with url")
        if self.context and self.kubeconfig is None:
            raise ValueError("context goes with kubeconfig")
        if self.token is not None and is_open_to_others(self.url):
            raise ValueError("a token is sent only to an https address")


@dataclass(frozen=True, kw_only=True)
class KubernetesConfig:
    """`[tools.kubernetes]`: the clusters, and how much of them a call may read or ask for."""

    #: Name -> cluster.
    clusters: Mapping[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")], ClusterConfig]
    timeout_seconds: float = field(default=15.0, metadata={"gt": 0, "le": 300})
    #: The most objects that one call lists.
    objects: int = field(default=500, metadata={"ge": 1, "le": 5_000})
    #: The most of an answer that is read.
    answer_bytes: int = field(default=8 * 1024 * 1024, metadata={"ge": 64 * 1024, "le": 64 * 1024 * 1024})
    #: The most of a log that one call returns.
    log_bytes: int = field(default=256 * 1024, metadata={"ge": 1024, "le": 8 * 1024 * 1024})
    #: The most replicas that a workload may be scaled to.
    replicas: int = field(default=100, metadata={"ge": 0, "le": 10_000})

    def __post_init__(self) -> None:
        """Refuse a table without a cluster.

        Raises:
            ValueError: there is none.
        """
        if not self.clusters:
            raise ValueError("name a cluster: [tools.kubernetes.clusters.NAME]")
