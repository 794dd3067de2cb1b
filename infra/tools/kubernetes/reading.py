"""The green tools of a cluster: `kubernetes_get`, `kubernetes_logs`, `kubernetes_events` and `kubernetes_describe`."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import cast

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool, ToolError
from infra.tools.kubernetes.cluster import JSON, Cluster
from infra.tools.kubernetes.kinds import EVENT, POD, Kind, Kinds
from infra.tools.kubernetes.objects import (
    controller_of,
    event_summary,
    last_seen,
    mapping,
    objects,
    pod_summary,
    pods_selector,
    shown,
    table_rows,
    text,
)
from infra.tools.kubernetes.settings import NAMESPACE, KubernetesConfig
from sandbox.script import Json

TABLE = f"application/json;as=Table;v=v1;g=meta.k8s.io,{JSON}"
"""Asks for a list as `kubectl get` prints it; an API that cannot answers with the objects."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,252}")
NAME = f"^{_NAME.pattern}$"
KIND = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$"

_LISTED = 50
_EVENTS = 30
_EVENT_PAGES = 5
_PAGE = 500
_PODS = 50
_OWNERS = 5
_TAIL = 200
_MOST_LINES = 10_000

NAMESPACE_ARGUMENT: Mapping[str, Json] = {"type": "string", "pattern": NAMESPACE}
NAME_ARGUMENT: Mapping[str, Json] = {"type": "string", "pattern": NAME}
_SELECTOR: Mapping[str, Json] = {"type": "string", "maxLength": 1000}

Call = Callable[["Reader", Cluster, Mapping[str, Json]], Awaitable[Json]]


class Clusters:
    """The clusters of the settings, by the argument that names one."""

    def __init__(self, config: KubernetesConfig) -> None:
        self.limits = config
        self._clusters = {
            name: Cluster(name=name, config=cluster, limits=config) for name, cluster in config.clusters.items()
        }

    def of(self, args: Mapping[str, Json]) -> Cluster:
        """Return the cluster that a call is about."""
        return self._clusters[str(args.get("cluster") or next(iter(self._clusters)))]

    def schema(self, properties: Mapping[str, Json], *required: str) -> Mapping[str, Json]:
        """Return the schema of a tool's arguments; with several clusters, which one must be said."""
        named: tuple[str, ...] = ("cluster",) if len(self._clusters) > 1 else ()
        return {
            "type": "object",
            "properties": {"cluster": {"enum": list(self._clusters)}, **properties},
            "required": [*named, *required],
            "additionalProperties": False,
        }

    @property
    def about(self) -> str:
        """Which clusters and namespaces there are, for the planner."""
        told = [
            f"{name} ({', '.join(sorted(config.namespaces)) if config.namespaces else 'all namespaces'})"
            for name, config in self.limits.clusters.items()
        ]
        return f" Clusters: {'; '.join(told)}."


def reading_tools(clusters: Clusters, kinds: Kinds) -> Sequence[Tool]:
    """Return the tools that only read."""
    reader = Reader(clusters.limits, kinds)
    green = partial(_green, clusters)
    return (
        green(
            "kubernetes_get",
            "Read objects of a Kubernetes cluster. With name: the object. Without: a list, as rows of a table or as "
            "whole objects in items; continue in the result, passed on, returns what comes next. Kinds are pods, "
            "deployments and any other, custom ones with their group (certificates.cert-manager.io). Of a Secret "
            "only keys and sizes are returned.",
            clusters.schema(
                {
                    "kind": {"type": "string", "pattern": KIND},
                    "namespace": {**NAMESPACE_ARGUMENT, "description": "Without it: all."},
                    "name": NAME_ARGUMENT,
                    "label_selector": _SELECTOR,
                    "field_selector": _SELECTOR,
                    "output": {"enum": ["table", "objects"]},
                    "limit": {"type": "integer", "minimum": 1, "maximum": clusters.limits.objects},
                    "continue": {"type": "string", "maxLength": 4096},
                },
                "kind",
            ),
            reader.get,
        ),
        green(
            "kubernetes_logs",
            "Read the end of a container's log in a Kubernetes cluster. Returns text, lines and truncated. previous "
            "reads the log of the container's run before it restarted.",
            clusters.schema(
                {
                    "namespace": NAMESPACE_ARGUMENT,
                    "pod": NAME_ARGUMENT,
                    "container": {**NAME_ARGUMENT, "description": "Needed when the pod has several."},
                    "tail_lines": {"type": "integer", "minimum": 1, "maximum": _MOST_LINES},
                    "since_seconds": {"type": "integer", "minimum": 1, "maximum": 31 * 24 * 3600},
                    "previous": {"type": "boolean"},
                },
                "namespace",
                "pod",
            ),
            reader.logs,
        ),
        green(
            "kubernetes_events",
            "Read the newest events of a Kubernetes namespace, or about one object in it. Returns events: type, "
            "reason, message, object, count, first, last; newest first.",
            clusters.schema(
                {
                    "namespace": {**NAMESPACE_ARGUMENT, "description": "Without it: all."},
                    "kind": {"type": "string", "pattern": KIND, "description": "Of the object, such as Pod."},
                    "name": {**NAME_ARGUMENT, "description": "Of the object."},
                    "type": {"enum": ["Normal", "Warning"]},
                    "limit": {"type": "integer", "minimum": 1, "maximum": _PAGE},
                }
            ),
            reader.events,
        ),
        green(
            "kubernetes_describe",
            "Read one object of a Kubernetes cluster with what explains it. Returns object, events (newest first), "
            "owners (which object manages it, up to the top), pods (of a workload, a service or a node: ready, "
            "restarts, why) and left_out (what could not be read, and why).",
            clusters.schema(
                {
                    "kind": {"type": "string", "pattern": KIND},
                    "namespace": {**NAMESPACE_ARGUMENT, "description": "Of kinds that are in one."},
                    "name": NAME_ARGUMENT,
                },
                "kind",
                "name",
            ),
            reader.describe,
        ),
    )


def _green(
    clusters: Clusters,
    name: str,
    description: str,
    arguments: Mapping[str, Json],
    call: Callable[[Cluster, Mapping[str, Json]], Awaitable[Json]],
) -> Tool:
    async def called(_context: CallContext, args: Mapping[str, Json]) -> Json:
        return await call(clusters.of(args), args)

    return Tool(
        name=ToolName(name),
        description=description + clusters.about,
        arguments=arguments,
        colour=Colour.GREEN,
        returns_outside_text=True,
        call=called,
        timeout_seconds=4 * clusters.limits.timeout_seconds,
        retryable=True,
    )


def place_of(cluster: Cluster, kind: Kind, args: Mapping[str, Json], *, one: bool) -> str | None:
    """Return the namespace that a call is about; None: of a kind that is in none, or all.

    Raises:
        ToolError: it is not open, or missing where one object is meant.
    """
    given = args.get("namespace")
    namespace = str(given) if given is not None and kind.namespaced else None
    if kind.namespaced and one and namespace is None:
        raise ToolError("bad_arguments", f"Objects of the kind {kind.title} are in a namespace: say which.")
    cluster.check_open(str(args["name"]) if one and kind.resource == "namespaces" and not kind.group else namespace)
    return namespace


class Reader:
    """Reads clusters."""

    def __init__(self, limits: KubernetesConfig, kinds: Kinds) -> None:
        self._limits = limits
        self._kinds = kinds

    async def get(self, cluster: Cluster, args: Mapping[str, Json]) -> Json:
        """Return one object, or a page of a list."""
        kind = await self._kinds.find(cluster, str(args["kind"]))
        if "name" in args:
            namespace = place_of(cluster, kind, args, one=True)
            return shown(await cluster.read(kind.path(namespace, str(args["name"]))), kind)
        namespace = place_of(cluster, kind, args, one=False)
        limit = min(int(str(args.get("limit", _LISTED))), self._limits.objects)
        query = [("limit", str(limit))]
        for argument, parameter in (
            ("label_selector", "labelSelector"),
            ("field_selector", "fieldSelector"),
            ("continue", "continue"),
        ):
            if given := args.get(argument):
                query.append((parameter, str(given)))
        as_table = args.get("output", "table") == "table"
        listed = await cluster.read(kind.path(namespace), query, accept=TABLE if as_table else JSON)
        return _page(listed, kind, limit, with_namespace=kind.namespaced and namespace is None)

    async def logs(self, cluster: Cluster, args: Mapping[str, Json]) -> Json:
        """Return the end of a log; of one that is too long, the end of that."""
        namespace, most = str(args["namespace"]), self._limits.log_bytes
        cluster.check_open(namespace)
        query = [("tailLines", str(args.get("tail_lines", _TAIL)))]
        if "container" in args:
            query.append(("container", str(args["container"])))
        if "since_seconds" in args:
            query.append(("sinceSeconds", str(args["since_seconds"])))
        if args.get("previous"):
            query.append(("previous", "true"))
        path = POD.path(namespace, str(args["pod"]), "log")
        # Not limitBytes: that would cut off the end, where the newest lines are.
        answer = await cluster.ask("GET", path, query=query, headers={"Accept": f"text/plain, {JSON}"})
        if answer.truncated:
            raise ToolError(
                "too_much", f"So many lines have more than {len(answer.body)} bytes: take fewer tail_lines."
            )
        log = answer.body[-most:].decode("utf-8", "replace")
        return {"text": log, "lines": len(log.splitlines()), "truncated": len(answer.body) > most}

    async def events(self, cluster: Cluster, args: Mapping[str, Json]) -> Json:
        """Return the newest events."""
        namespace = None if args.get("namespace") is None else str(args["namespace"])
        cluster.check_open(namespace)
        fields = [f"involvedObject.name={args['name']}"] if "name" in args else []
        if "kind" in args:
            fields.append(f"involvedObject.kind={(await self._kinds.find(cluster, str(args['kind']))).kind}")
        if "type" in args:
            fields.append(f"type={args['type']}")
        return await self._events(cluster, namespace, fields, int(str(args.get("limit", _EVENTS))))

    async def _events(
        self, cluster: Cluster, namespace: str | None, fields: Sequence[str], most: int
    ) -> Mapping[str, Json]:
        """Return the newest events of those that are looked through: the API lists them by name, not by time."""
        found: list[Mapping[str, Json]] = []
        query = [("limit", str(_PAGE)), *([("fieldSelector", ",".join(fields))] if fields else [])]
        more = ""
        for _ in range(_EVENT_PAGES):
            try:
                listed = await cluster.read(EVENT.path(namespace), [*query, *([("continue", more)] if more else [])])
            except ToolError as error:
                if not more or error.code != "list_expired":
                    raise
                break
            found += objects(listed.get("items"))
            if not (more := text(mapping(listed.get("metadata")), "continue")):
                break
        newest = sorted(found, key=last_seen, reverse=True)[:most]
        told: dict[str, Json] = {"events": [event_summary(event) for event in newest]}
        if len(newest) < len(found):
            told["older"] = len(found) - len(newest)
        return {**told, "not_all_seen": True} if more else told

    async def describe(self, cluster: Cluster, args: Mapping[str, Json]) -> Json:
        """Return an object, its events, its owners and its pods; what cannot be read is named."""
        kind = await self._kinds.find(cluster, str(args["kind"]))
        namespace = place_of(cluster, kind, args, one=True)
        found = await cluster.read(kind.path(namespace, str(args["name"])))
        left_out: dict[str, Json] = {}

        async def unless_refused(part: str, asked: Awaitable[Json]) -> Json:
            try:
                return await asked
            except ToolError as error:
                left_out[part] = str(error)
                return None

        about = [f"involvedObject.name={args['name']}", f"involvedObject.kind={kind.kind}"]
        if uid := text(mapping(found.get("metadata")), "uid"):
            about.append(f"involvedObject.uid={uid}")
        if kind.resource == "nodes":
            about = about[:2]  # events about a node have its name where its uid should be
        events, owners, pods = await asyncio.gather(
            unless_refused("events", self._events(cluster, namespace if kind.namespaced else None, about, _EVENTS)),
            unless_refused("owners", self._owners(cluster, namespace, found)),
            unless_refused("pods", self._pods(cluster, kind, namespace, found)),
        )
        told: dict[str, Json] = {"object": shown(found, kind), "events": mapping(events).get("events", [])}
        if owners:
            told["owners"] = owners
        if kind == POD:
            told["pods"] = [pod_summary(found)]
        elif pods is not None:
            told |= mapping(pods)
        return {**told, **({"left_out": left_out} if left_out else {})}

    async def _owners(self, cluster: Cluster, namespace: str | None, found: Mapping[str, Json]) -> Json:
        owners: list[Json] = []
        while len(owners) < _OWNERS and (owner := controller_of(found)):
            group = text(owner, "apiVersion").rpartition("/")[0]
            name, word = text(owner, "name"), text(owner, "kind")
            owners.append({"kind": word, "name": name})
            kind = await self._kinds.find(cluster, f"{word}.{group}" if group else word)
            if not kind.namespaced:
                break
            found = await cluster.read(kind.path(namespace, _checked(name)))
        return owners

    async def _pods(self, cluster: Cluster, kind: Kind, namespace: str | None, found: Mapping[str, Json]) -> Json:
        query = [("limit", str(_PODS))]
        if kind.resource == "nodes" and not kind.group:
            cluster.check_open(None)
            query.append(("fieldSelector", f"spec.nodeName={text(mapping(found.get('metadata')), 'name')}"))
        elif kind.namespaced and kind.resource != "pods" and (selector := pods_selector(found)):
            query.append(("labelSelector", selector))
        else:
            return None
        listed = await cluster.read(POD.path(namespace), query)
        metadata = mapping(listed.get("metadata"))
        more = metadata.get("remainingItemCount") or bool(metadata.get("continue"))
        pods = cast("Json", [pod_summary(pod) for pod in objects(listed.get("items"))])
        return {"pods": pods, **({"more_pods": more} if more else {})}


def _checked(name: str) -> str:
    """Return a name that the API gave, for a path.

    Raises:
        ToolError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise ToolError("bad_answer", "The cluster names an object in a way that it does not allow itself.")
    return name


def _page(listed: Mapping[str, Json], kind: Kind, limit: int, *, with_namespace: bool) -> Json:
    """Return a page of a list, of at most as much as was asked for."""
    told: dict[str, Json] = {}
    if listed.get("kind") == "Table":
        told["rows"] = list(table_rows(listed, with_namespace=with_namespace))[:limit]
    else:
        told["items"] = [shown(written, kind) for written in objects(listed.get("items"))][:limit]
    metadata = mapping(listed.get("metadata"))
    if more := text(metadata, "continue"):
        told["continue"] = more
        if remaining := metadata.get("remainingItemCount"):
            told["remaining"] = remaining
    return told
