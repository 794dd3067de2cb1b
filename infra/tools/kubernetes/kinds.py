"""The kinds of objects that a cluster has: the common ones by heart, all others as its API names them."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.tool import ToolError
from infra.tools.kubernetes.cluster import Cluster
from sandbox.script import Json

KEPT_SECONDS = 600.0
"""For how long it is believed what the API said of its kinds."""

KEPT_IN_PART_SECONDS = 30.0
"""The same where a part of the API did not answer."""

MOST_VERSIONS = 400
_AT_ONCE = 8

_PART = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of objects, and where the API has them."""

    #: Empty: the core group.
    group: str = ""
    version: str = "v1"
    #: In the plural, as in paths.
    resource: str
    #: As objects name it, in capitals.
    kind: str
    namespaced: bool = True
    #: Other words for it.
    words: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The plural with the group, for people and paths of errors."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def is_secret(self) -> bool:
        """Whether its objects hold values that nobody may read."""
        return self.resource == "secrets" or self.kind == "Secret"

    def path(self, namespace: str | None, name: str = "", part: str = "") -> str:
        """Return where an object is, or the list of all; `part` is a subresource."""
        root = f"apis/{self.group}/{self.version}" if self.group else f"api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace is not None else ""
        return f"{root}{inside}/{self.resource}{f'/{name}' if name else ''}{f'/{part}' if part else ''}"

    def is_named(self, word: str) -> bool:
        """Return whether a word, in small letters, is one for this kind."""
        return word in (self.resource, self.kind.lower(), *self.words)


POD = Kind(resource="pods", kind="Pod", words=("po",))
EVENT = Kind(resource="events", kind="Event", words=("ev",))
DEPLOYMENT = Kind(group="apps", resource="deployments", kind="Deployment", words=("deploy",))
STATEFUL_SET = Kind(group="apps", resource="statefulsets", kind="StatefulSet", words=("sts",))
DAEMON_SET = Kind(group="apps", resource="daemonsets", kind="DaemonSet", words=("ds",))
AUTOSCALER = Kind(
    group="autoscaling", resource="horizontalpodautoscalers", kind="HorizontalPodAutoscaler", words=("hpa",)
)

COMMON = (
    POD,
    EVENT,
    DEPLOYMENT,
    STATEFUL_SET,
    DAEMON_SET,
    Kind(group="apps", resource="replicasets", kind="ReplicaSet", words=("rs",)),
    Kind(resource="services", kind="Service", words=("svc",)),
    Kind(resource="configmaps", kind="ConfigMap", words=("cm",)),
    Kind(resource="secrets", kind="Secret"),
    Kind(resource="nodes", kind="Node", namespaced=False, words=("no",)),
    Kind(resource="namespaces", kind="Namespace", namespaced=False, words=("ns",)),
    Kind(resource="persistentvolumeclaims", kind="PersistentVolumeClaim", words=("pvc",)),
    Kind(resource="serviceaccounts", kind="ServiceAccount", words=("sa",)),
    AUTOSCALER,
    Kind(group="batch", resource="jobs", kind="Job"),
    Kind(group="networking.k8s.io", resource="ingresses", kind="Ingress", words=("ing",)),
)
"""Kinds that every cluster has had for years; nobody needs to ask about them."""


class Kinds:
    """Finds kinds by the words that plans have for them. Asks each cluster at most every `KEPT_SECONDS`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        #: Cluster -> until when its kinds are believed, and they.
        self._known: dict[str, tuple[float, Sequence[Kind]]] = {}

    async def find(self, cluster: Cluster, word: str) -> Kind:
        """Return the kind of this name: `pods`, `Pod`, `po`, or with its group, `certificates.cert-manager.io`.

        Raises:
            ToolError: `unknown_kind`: there is none, or more than one.
        """
        name, _, group = word.lower().partition(".")
        found = [kind for kind in COMMON if kind.is_named(name) and group in ("", kind.group)]
        if not found:
            known = await self._all(cluster)
            found = [kind for kind in known if kind.is_named(name) and group in ("", kind.group)]
        if len(found) > 1:
            found = [kind for kind in found if kind.resource == name] or found
        if len(found) == 1:
            return found[0]
        if found:
            titles = ", ".join(sorted(kind.title for kind in found))
            raise ToolError("unknown_kind", f"{word} may be one of {titles}: write it with its group.")
        raise ToolError("unknown_kind", f"The cluster {cluster.name} has no kind named {word}.")

    async def _all(self, cluster: Cluster) -> Sequence[Kind]:
        until, kinds = self._known.get(cluster.name, (0.0, ()))
        if self._now() < until:
            return kinds
        kinds, complete = await _asked(cluster)
        self._known[cluster.name] = (self._now() + (KEPT_SECONDS if complete else KEPT_IN_PART_SECONDS), kinds)
        return kinds


async def _asked(cluster: Cluster) -> tuple[Sequence[Kind], bool]:
    """Return every kind that the API has, in the version that it prefers of those that have it, and if all answered.

    A group whose server is away has none: it must not hide those of the others.
    """
    groups = list(_versions(await cluster.read("apis")))[:MOST_VERSIONS]
    places = asyncio.Semaphore(_AT_ONCE)

    async def kinds_of(group: str, version: str) -> Sequence[Kind] | None:
        async with places:
            try:
                listed = await cluster.read(f"apis/{group}/{version}" if group else f"api/{version}")
            except ToolError:
                return None
        return list(_kinds(group, version, listed))

    found = await asyncio.gather(kinds_of("", "v1"), *(kinds_of(group, version) for group, version in groups))
    first: dict[tuple[str, str], Kind] = {}
    for kind in (kind for kinds in found for kind in kinds or ()):
        first.setdefault((kind.group, kind.resource), kind)
    return list(first.values()), None not in found


def _versions(listed: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield each group with each of its versions, the one that it prefers first."""
    for entry in _objects(listed.get("groups")):
        preferred = entry.get("preferredVersion")
        first = preferred.get("version") if isinstance(preferred, Mapping) else None
        versions = [first, *(version.get("version") for version in _objects(entry.get("versions")))]
        name = entry.get("name")
        yield from (
            (str(name), str(version)) for version in dict.fromkeys(versions) if _is_part(name) and _is_part(version)
        )


def _kinds(group: str, version: str, listed: Mapping[str, Json]) -> Iterator[Kind]:
    for entry in _objects(listed.get("resources")):
        name, short = entry.get("name"), entry.get("shortNames")
        if not _is_part(name):
            continue  # a subresource, such as pods/log
        words = [str(entry.get("singularName") or ""), *map(str, short if isinstance(short, list) else ())]
        yield Kind(
            group=group,
            version=version,
            resource=str(name),
            kind=str(entry.get("kind") or name),
            namespaced=entry.get("namespaced") is True,
            words=tuple(word.lower() for word in words if word),
        )


def _is_part(text: Json) -> bool:
    return isinstance(text, str) and _PART.fullmatch(text) is not None


def _objects(value: Json) -> Iterator[Mapping[str, Json]]:
    return (entry for entry in (value if isinstance(value, list) else ()) if isinstance(entry, Mapping))
