"""The red tools of a cluster: `kubernetes_scale`, `kubernetes_restart` and `kubernetes_delete_pod`.

Each is tried by the server for its card (a dry run), and names the version of what it changes, so that the server
refuses it when that is no longer as it was read. What a card shows is not that version, which changes with every
report of a pod, but what people look at: replicas, generation, phase.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import ClassVar, Protocol

from agent.ids import ToolName
from agent.plan.effects import Inverse, InverseCall, NoInverse
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.preview import FieldsPreview, Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing, WorldChanged
from infra.tools.kubernetes.cluster import MERGE_PATCH, Cluster
from infra.tools.kubernetes.kinds import AUTOSCALER, DAEMON_SET, DEPLOYMENT, POD, STATEFUL_SET, Kind, Kinds
from infra.tools.kubernetes.objects import controller_of, mapping, number, objects, text
from infra.tools.kubernetes.reading import KIND, NAME_ARGUMENT, NAMESPACE_ARGUMENT, Clusters, place_of
from sandbox.script import Json

TRIES = 4
"""How often a change is sent that the server refuses because the object was reported on since it was read."""

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The annotation of a pod template by which `kubectl rollout restart` makes it another one."""

_FIRST_DRY_RUN = 18
"""The minor version since which no server takes a dry run for the change itself."""

_DRY: tuple[str, str] = ("dryRun", "All")
_ON_THE_WAY = frozenset({"unreachable", "unavailable", "timeout", "rate_limited"})


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a call changes."""

    cluster: Cluster
    kind: Kind
    namespace: str
    name: str
    args: Mapping[str, Json]

    def path(self, part: str = "") -> str:
        """Return where it is."""
        return self.kind.path(self.namespace, self.name, part)


class Change(Protocol):
    """One kind of change."""

    #: The part of the object that is read and sent; empty: the object itself.
    part: ClassVar[str]

    def state(self, target: Target, found: Mapping[str, Json]) -> Mapping[str, Json]:
        """Return what a card shows of the object as it is.

        Raises:
            ToolError: it cannot be changed as asked.
        """
        ...

    async def send(self, target: Target, found: Mapping[str, Json], sent_for: CallContext | None) -> Mapping[str, Json]:
        """Have the server make the change, or with None only try it, and return what comes of it."""
        ...


def changing_tools(clusters: Clusters, kinds: Kinds, now: Callable[[], datetime]) -> Sequence[Tool]:
    """Return the tools that change something. `now` has a time zone."""
    place: Mapping[str, Json] = {"namespace": NAMESPACE_ARGUMENT, "name": NAME_ARGUMENT}
    limits = clusters.limits
    scale, restart, delete = (_Changer(clusters, kinds, change) for change in (_Scale(), _Restart(now), _DeletePod()))
    return (
        scale.tool(
            name=ToolName("kubernetes_scale"),
            description="Set the number of replicas of a workload in a Kubernetes cluster (deployments, statefulsets, "
            "replicasets, or any kind that can be scaled). Returns kind, replicas, before and version."
            + clusters.about,
            arguments=clusters.schema(
                {
                    "kind": {"type": "string", "pattern": KIND},
                    **place,
                    "replicas": {"type": "integer", "minimum": 0, "maximum": limits.replicas},
                    "version": {
                        "type": "string",
                        "maxLength": 200,
                        "description": "What an earlier call returned as version: refused unless it is still so.",
                    },
                },
                "kind",
                "namespace",
                "name",
                "replicas",
            ),
            reversibility=Reversibility.REVERSIBLE,
            undoing=Undoing(inverse=_scaled_back),
            preview=_previewer("Scale", "replicas"),
            targets=("cluster", "kind", "namespace", "name"),
        ),
        restart.tool(
            name=ToolName("kubernetes_restart"),
            description="Restart the pods of a workload in a Kubernetes cluster one after the other, as kubectl "
            "rollout restart does. Returns generation and restarted_at." + clusters.about,
            arguments=clusters.schema(
                {"kind": {"enum": ["deployment", "statefulset", "daemonset"]}, **place}, "kind", "namespace", "name"
            ),
            preview=_previewer("Restart"),
            targets=("cluster", "kind", "namespace", "name"),
        ),
        delete.tool(
            name=ToolName("kubernetes_delete_pod"),
            description="Delete one pod of a Kubernetes cluster. What manages it makes another one. Returns uid and "
            "owner." + clusters.about,
            arguments=clusters.schema(place, "namespace", "name"),
            undoing=Undoing(inverse=_no_inverse, before=delete.precondition, reversibility=_replaced),
            preview=_previewer("Delete a pod"),
            targets=("cluster", "namespace", "name"),
        ),
    )


def _previewer(title: str, *more: str) -> Callable[[Mapping[str, Json]], Sequence[Preview]]:
    def preview(args: Mapping[str, Json]) -> Sequence[Preview]:
        names = [name for name in ("cluster", "namespace", "kind", "name", *more) if name in args]
        return [
            FieldsPreview(
                covers=tuple(names),
                name=title,
                fields=tuple((name.capitalize(), str(args[name])) for name in names),
            )
        ]

    return preview


class _Changer:
    """Makes one kind of change: for the card, and once it is approved."""

    def __init__(self, clusters: Clusters, kinds: Kinds, change: Change) -> None:
        self._clusters = clusters
        self._kinds = kinds
        self._change = change
        #: A tool that makes this change.
        self.tool = partial(
            Tool,
            colour=Colour.RED,
            returns_outside_text=True,
            call=self.call,
            check=self.check,
            dry_run=self.dry_run,
            precondition=self.precondition,
            timeout_seconds=(TRIES + 1) * 2 * clusters.limits.timeout_seconds,
        )

    async def check(self, _context: CallContext, args: Mapping[str, Json]) -> None:
        """Refuse what is not open, not there, or cannot be changed so; a cluster that is away may be back by then."""
        target = await self._target(args)
        try:
            self._change.state(target, await target.cluster.read(target.path(self._change.part)))
        except ToolError as error:
            if error.code not in _ON_THE_WAY:
                raise

    async def precondition(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        """Return the object as a card shows it."""
        target = await self._target(args)
        return self._change.state(target, await target.cluster.read(target.path(self._change.part)))

    async def dry_run(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        """Have the server try it, with everything that may refuse it."""
        target = await self._target(args)
        await _check_dry_run(target.cluster)
        found = await target.cluster.read(target.path(self._change.part))
        self._change.state(target, found)
        return await self._change.send(target, found, None)

    async def call(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        """Make the change if the object is as the card showed it.

        A conflict changed nothing: the object was written to between reading and sending. It is read once more then.
        """
        target = await self._target(args)
        for _ in range(TRIES):
            found = await target.cluster.read(target.path(self._change.part))
            state = self._change.state(target, found)
            if context.expected not in (None, state):
                raise WorldChanged
            try:
                return await self._change.send(target, found, context)
            except ToolError as error:
                if error.code != "conflict":
                    raise
        raise ToolError("conflict", f"{target.name} was written to each time before the change came; nothing changed.")

    async def _target(self, args: Mapping[str, Json]) -> Target:
        cluster = self._clusters.of(args)
        cluster.check_open(str(args["namespace"]))
        kind = POD if "kind" not in args else await self._kinds.find(cluster, str(args["kind"]))
        namespace = place_of(cluster, kind, args, one=True)
        if namespace is None:
            raise ToolError("not_accepted", f"Objects of the kind {kind.title} are in no namespace.")
        return Target(cluster=cluster, kind=kind, namespace=namespace, name=str(args["name"]), args=args)


async def _check_dry_run(cluster: Cluster) -> None:
    """Return if the cluster knows dry runs: an old one would make the change instead.

    Raises:
        ToolError: it is too old.
    """
    version = await cluster.read("version")
    minor = text(version, "minor").rstrip("+")
    if text(version, "major") == "1" and minor.isdigit() and int(minor) < _FIRST_DRY_RUN:
        raise ToolError("not_accepted", f"Kubernetes 1.{minor} may not know dry runs, so none was made.")


async def _sent(
    target: Target,
    method: str,
    part: str,
    body: Mapping[str, Json],
    sent_for: CallContext | None,
    *,
    headers: Mapping[str, str] | None = None,
    query: Sequence[tuple[str, str]] = (),
) -> Mapping[str, Json]:
    """Return the object that a write leaves, or would leave.

    Raises:
        ToolError: it was refused; `outcome_unknown` also when the answer of a success cannot be read.
    """
    answer = await target.cluster.ask(
        method, target.path(part), query=query, headers=headers, body=body, sent_for=sent_for
    )
    try:
        return await answer.json_object()
    except ToolError as error:
        raise ToolError(error.code if sent_for is None else OUTCOME_UNKNOWN, str(error)) from error


def _version(found: Mapping[str, Json]) -> str:
    return text(mapping(found.get("metadata")), "resourceVersion")


def _uid(found: Mapping[str, Json]) -> str:
    return text(mapping(found.get("metadata")), "uid")


class _Scale:
    """Changes the number of replicas."""

    part: ClassVar[str] = "scale"

    def state(self, target: Target, found: Mapping[str, Json]) -> Mapping[str, Json]:
        replicas, uid = number(mapping(found.get("spec")).get("replicas")), _uid(found)
        if (version := target.args.get("version")) not in (None, _left(replicas, uid)):
            raise ToolError("changed_since", f"It has {replicas} replicas, which is not as {version} says.")
        return {"replicas": replicas, "uid": uid}

    async def send(self, target: Target, found: Mapping[str, Json], sent_for: CallContext | None) -> Mapping[str, Json]:
        wanted, before = number(target.args["replicas"]), number(mapping(found.get("spec")).get("replicas"))
        scale: Mapping[str, Json] = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {
                "name": target.name,
                "namespace": target.namespace,
                "uid": _uid(found),
                "resourceVersion": _version(found),
            },
            "spec": {"replicas": wanted},
        }
        query = () if sent_for is not None else (_DRY,)
        written = await _sent(target, "PUT", "scale", scale, sent_for, query=query)
        replicas = number(mapping(written.get("spec")).get("replicas"))
        if sent_for is None:
            running = number(mapping(found.get("status")).get("replicas"))
            told: dict[str, Json] = {"replicas": {"now": before, "then": replicas}, "pods_now": running}
            return {**told, **await _autoscaled(target)}
        return {
            "kind": target.kind.title,
            "replicas": replicas,
            "before": before,
            "version": _left(replicas, _uid(found)),
        }


async def _autoscaled(target: Target) -> Mapping[str, Json]:
    """Return which autoscaler will set the replicas as it likes, if the login may read those."""
    try:
        listed = await target.cluster.read(AUTOSCALER.path(target.namespace), [("limit", "500")])
    except ToolError:
        return {}
    for scaler in objects(listed.get("items")):
        spec = mapping(scaler.get("spec"))
        about = mapping(spec.get("scaleTargetRef"))
        if (text(about, "kind"), text(about, "name")) == (target.kind.kind, target.name):
            bounds = f"{number(spec.get('minReplicas')) or 1} to {number(spec.get('maxReplicas'))}"
            name = text(mapping(scaler.get("metadata")), "name")
            return {"autoscaler": f"{name} keeps it at {bounds} replicas, and may change this again"}
    return {}


def _left(replicas: int, uid: str) -> str:
    """Return the version of a workload for undoing: how many replicas which one has."""
    return f"{replicas}@{uid}"


def _scaled_back(_context: CallContext, args: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    """Return the call that sets the earlier number of replicas, if it still has those that were set."""
    told = mapping(output)
    before, version = number(told.get("before")), text(told, "version")
    if before == told.get("replicas"):
        return NoInverse.NO_EFFECT
    place = {name: args[name] for name in ("cluster", "kind", "namespace", "name") if name in args}
    one = {**place, "kind": told.get("kind")}  # by one word, whichever the plan had
    return InverseCall(
        tool=ToolName("kubernetes_scale"),
        args={**place, "replicas": before, "version": version},
        resource="kubernetes " + "/".join(map(str, one.values())),
        version_at="/version",
        version_in="/version",
        found=_left(before, version.partition("@")[2]),
    )


class _Restart:
    """Changes the template of a workload's pods, so that they are replaced as its strategy says."""

    part: ClassVar[str] = ""
    KINDS: ClassVar[frozenset[Kind]] = frozenset({DEPLOYMENT, STATEFUL_SET, DAEMON_SET})

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def state(self, target: Target, found: Mapping[str, Json]) -> Mapping[str, Json]:
        if target.kind not in self.KINDS:
            raise ToolError("not_accepted", f"Objects of the kind {target.kind.title} are not restarted.")
        if mapping(found.get("spec")).get("paused") is True:
            raise ToolError("not_accepted", "Its rollout is paused, so nothing would be restarted.")
        return {"generation": number(mapping(found.get("metadata")).get("generation")), "uid": _uid(found)}

    async def send(self, target: Target, found: Mapping[str, Json], sent_for: CallContext | None) -> Mapping[str, Json]:
        restarted_at = self._now().isoformat(timespec="seconds")
        patch: Mapping[str, Json] = {
            "metadata": {"uid": _uid(found), "resourceVersion": _version(found)},
            "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: restarted_at}}}},
        }
        query = () if sent_for is not None else (_DRY,)
        headers = {"Content-Type": MERGE_PATCH}
        written = await _sent(target, "PATCH", "", patch, sent_for, headers=headers, query=query)
        if sent_for is None:
            return _would_restart(written)
        generation = number(mapping(written.get("metadata")).get("generation"))
        return {"generation": generation, "restarted_at": restarted_at}


def _would_restart(written: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return how many pods are replaced, with what, and how."""
    spec, status = mapping(written.get("spec")), mapping(written.get("status"))
    strategy = mapping(spec.get("strategy") or spec.get("updateStrategy"))
    containers = objects(mapping(mapping(spec.get("template")).get("spec")).get("containers"))
    pods = spec.get("replicas", status.get("desiredNumberScheduled"))
    told: dict[str, Json] = {
        "pods": number(pods),
        "ready_now": number(status.get("readyReplicas", status.get("numberReady"))),
        "strategy": text(strategy, "type"),
        "images": [text(container, "image") for container in containers],
    }
    if told["strategy"] == "OnDelete":
        told["note"] = "OnDelete: a pod is replaced only once somebody deletes it."
    return told


class _DeletePod:
    """Deletes a pod."""

    part: ClassVar[str] = ""

    def state(self, target: Target, found: Mapping[str, Json]) -> Mapping[str, Json]:
        metadata, owner = mapping(found.get("metadata")), controller_of(found)
        if metadata.get("deletionTimestamp"):
            raise ToolError("not_accepted", f"{target.name} is being deleted already.")
        return {
            "uid": _uid(found),
            "phase": text(mapping(found.get("status")), "phase"),
            "owner": f"{text(owner, 'kind')}/{text(owner, 'name')}" if owner else "none: it is not made again",
        }

    async def send(self, target: Target, found: Mapping[str, Json], sent_for: CallContext | None) -> Mapping[str, Json]:
        options: Mapping[str, Json] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": _uid(found), "resourceVersion": _version(found)},
            # In the body: with one, the server does not look at the query, and a dry run named there is none.
            **({"dryRun": ["All"]} if sent_for is None else {}),
        }
        written = await _sent(target, "DELETE", "", options, sent_for)
        state = self.state(target, found)
        seconds = mapping(written.get("metadata")).get("deletionGracePeriodSeconds")
        more: Mapping[str, Json] = {"has_seconds_to_end": seconds} if isinstance(seconds, int) else {}
        if sent_for is None:
            return {"would_be_deleted": target.name, "owner": state["owner"], **more}
        return {"uid": state["uid"], "owner": state["owner"], **more}


def _no_inverse(_context: CallContext, _args: Mapping[str, Json], _output: Json, _before: Json) -> Inverse:
    return None


def _replaced(_args: Mapping[str, Json], before: Json) -> Reversibility:
    """Return whether what manages the pod makes another one."""
    owner = text(mapping(before), "owner")
    return Reversibility.COMPENSABLE if owner and not owner.startswith("none") else Reversibility.FINAL
