"""A strict API server of Kubernetes over the wire, for what cannot be installed here; it keeps objects and no pods run.

No package that can be installed brings a kube-apiserver. Debian has the source of 1.20.2 (`apt-get source kubernetes`,
built with golang-1.19 and golang-github-modern-go-reflect2-dev in place of the vendored one); what this server answers
(Status objects and their messages, tables, paging, versions, dry runs, preconditions, content types, 410) was recorded
from that one on 2026-11-24. `tests/fakes/kubernetes_world.py` runs the same tests against it where it is.
"""

import asyncio
import base64
import copy
import itertools
import json
import re
import ssl
import subprocess
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

Object = dict[str, Any]
Rights = Callable[[str, str, str], bool]
"""Returns whether a person may do a verb (`get`) to a resource (`pods/log`) in a namespace ("" is all)."""

ADMIN = "admin-token-0123456789"
CREATED = "2026-11-24T07:17:41Z"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A kind, as discovery lists it."""

    group: str = ""
    version: str = "v1"
    name: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def title(self) -> str:
        return f"{self.name}.{self.group}" if self.group else self.name


RESOURCES = (
    Resource(name="pods", kind="Pod", short=("po",)),
    Resource(name="events", kind="Event", short=("ev",)),
    Resource(name="services", kind="Service", short=("svc",)),
    Resource(name="secrets", kind="Secret"),
    Resource(name="configmaps", kind="ConfigMap", short=("cm",)),
    Resource(name="nodes", kind="Node", namespaced=False),
    Resource(name="namespaces", kind="Namespace", namespaced=False),
    Resource(group="apps", name="deployments", kind="Deployment", short=("deploy",)),
    Resource(group="apps", name="statefulsets", kind="StatefulSet", short=("sts",)),
    Resource(group="apps", name="daemonsets", kind="DaemonSet", short=("ds",)),
    Resource(group="apps", name="replicasets", kind="ReplicaSet", short=("rs",)),
    Resource(group="batch", name="jobs", kind="Job"),
    Resource(group="batch", version="v1beta1", name="cronjobs", kind="CronJob", short=("cj",)),
    Resource(group="autoscaling", name="horizontalpodautoscalers", kind="HorizontalPodAutoscaler", short=("hpa",)),
)
_SCALED = frozenset({"deployments", "statefulsets", "replicasets"})
_FIELDS = frozenset(
    {
        "metadata.name",
        "metadata.namespace",
        "type",
        "spec.nodeName",
        "involvedObject.name",
        "involvedObject.kind",
        "involvedObject.uid",
    }
)
_PATCHES = frozenset(
    {"application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"}
)
_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
)


class Refused(Exception):
    """A request that the API refuses, with a Status object."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
            **({"details": details} if details else {}),
        }


def everything(_verb: str, _resource: str, _namespace: str) -> bool:
    """Allow everything."""
    return True


class KubernetesApi:
    """The server. `before` and `after` see each request, and may raise or answer in its place."""

    def __init__(self) -> None:
        self.url = ""
        self.minor = "20"
        #: Token -> who it is, and what they may do.
        self.people: dict[str, tuple[str, Rights]] = {ADMIN: ("admin", everything)}
        #: (namespace, pod, container) -> its log.
        self.logs: dict[tuple[str, str, str], str] = {}
        #: Method and path with query of each request.
        self.requests: list[str] = []
        #: Method and path of each write that took effect.
        self.writes: list[str] = []
        self.before: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None
        self.after: Callable[[web.Request], Awaitable[None]] | None = None
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._versions = itertools.count(190)
        self._version = 189
        #: The oldest version of which lists are still continued.
        self._oldest = 0

    def forget_lists(self) -> None:
        """Keep no list for those who are in the middle of one, as a compaction of the database does."""
        self._oldest = self._next_version()

    def _next_version(self) -> int:
        self._version = next(self._versions)
        return self._version

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None) -> AsyncGenerator[None]:
        """Serve on loopback."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        if self.before is not None and (answer := await self.before(request)) is not None:
            return answer
        try:
            code, found = self._respond(request, await request.read())
        except Refused as refusal:
            code, found = refusal.status["code"], refusal.status
        except LookupError:
            return web.Response(status=404, text="404 page not found\n")
        if self.after is not None:
            await self.after(request)
        if isinstance(found, str):
            return web.Response(status=code, text=found)
        return web.json_response(found, status=code)

    def _respond(self, request: web.Request, body: bytes) -> tuple[int, Object | str]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.people:
            raise Refused(401, "Unauthorized", "Unauthorized")
        user, rights = self.people[token]
        path = request.path
        if path == "/version":
            return 200, {"major": "1", "minor": self.minor, "gitVersion": f"v1.{self.minor}.2"}
        if path == "/apis":
            return 200, _groups()
        if (listed := _discovered(path)) is not None:
            return 200, listed
        if path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" and request.method == "POST":
            return 201, _reviewed(json.loads(body), rights)
        resource, namespace, name, part = _place(path)
        verb = _verb(request.method, name)
        title = f"{resource.name}/{part}" if part else resource.name
        if not rights(verb, title, namespace):
            what = f'{resource.title} "{name}"' if name else resource.title
            where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
            may_not = f'User "{user}" cannot {verb} resource "{title}" in API group "{resource.group}"'
            raise Refused(403, "Forbidden", f"{what} is forbidden: {may_not}{where}", kind=resource.name)
        return self._handle(request, resource, namespace, name, part, body)

    def _handle(
        self, request: web.Request, resource: Resource, namespace: str, name: str, part: str, body: bytes
    ) -> tuple[int, Object | str]:
        dry = request.query.get("dryRun") == "All"
        match request.method, bool(name), part:
            case "GET", False, "":
                return 200, self._list(request, resource, namespace)
            case "POST", False, "":
                return 201, self._create(resource, namespace, json.loads(body))
            case "GET", True, "":
                return 200, self._found(resource, namespace, name)
            case "PATCH", True, "":
                return 200, self._patch(request, resource, namespace, name, json.loads(body), dry=dry)
            case "DELETE", True, "":
                return 200, self._delete(resource, namespace, name, body, dry=dry)
            case "GET", True, "log" if resource.name == "pods":
                return 200, self._log(request, namespace, name)
            case "GET", True, "scale" if resource.name in _SCALED:
                return 200, _scale_of(self._found(resource, namespace, name, "scale"))
            case "PUT", True, "scale" if resource.name in _SCALED:
                return 200, self._scale(resource, namespace, name, json.loads(body), dry=dry)
            case _:
                raise Refused(404, "NotFound", "the server could not find the requested resource")

    def _found(self, resource: Resource, namespace: str, name: str, part: str = "") -> Object:
        if (found := self._objects.get((resource.title, namespace, name))) is None:
            kind = f"{resource.name}/{part}" if part else resource.name
            title = f"{kind}.{resource.group}" if resource.group else kind
            raise Refused(404, "NotFound", f'{title} "{name}" not found', name=name, kind=kind)
        return copy.deepcopy(found)

    def _create(self, resource: Resource, namespace: str, given: Object) -> Object:
        name = given["metadata"]["name"]
        if (resource.title, namespace, name) in self._objects:
            raise Refused(409, "AlreadyExists", f'{resource.title} "{name}" already exists', name=name)
        if resource.namespaced and ("namespaces", "", namespace) not in self._objects:
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found', name=namespace, kind="namespaces")
        version = f"{resource.group}/{resource.version}" if resource.group else resource.version
        made: Object = copy.deepcopy(given) | {"kind": resource.kind, "apiVersion": version}
        made["metadata"] |= {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": CREATED,
            "managedFields": [{"manager": "a test", "operation": "Update", "fieldsV1": {"f:spec": {}}}],
            **({"namespace": namespace} if namespace else {}),
            **({"generation": 1} if resource.group == "apps" else {}),
        }
        texts: dict[str, str] = made.pop("stringData", {})
        for key, text in texts.items():
            made.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()
        if resource.name == "pods":
            made.setdefault("status", {}).setdefault("phase", "Pending")
        self._store(resource, namespace, name, made)
        return made

    def _store(self, resource: Resource, namespace: str, name: str, made: Object) -> None:
        made["metadata"]["resourceVersion"] = str(self._next_version())
        self._objects[resource.title, namespace, name] = copy.deepcopy(made)

    def _list(self, request: web.Request, resource: Resource, namespace: str) -> Object:
        matches = _selected(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
        found = [
            (f"{place}/{name}", copy.deepcopy(written))
            for (title, place, name), written in sorted(self._objects.items(), key=lambda item: item[0])
            if title == resource.title and namespace in ("", place) and matches(written)
        ]
        metadata: Object = {"resourceVersion": str(self._version)}
        if given := request.query.get("continue"):
            version, start = _position(given)
            if 0 < version < self._oldest:
                refusal = Refused(410, "Expired", _TOO_OLD)
                refusal.status["metadata"] = {"continue": _continue(-1, start)}
                raise refusal
            found = [(key, written) for key, written in found if key > start]
        limit = int(request.query.get("limit") or 0)
        if limit and len(found) > limit:
            metadata["continue"] = _continue(self._version, found[limit - 1][0])
            if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
                metadata["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        items = [written for _, written in found]
        if "as=Table" in request.headers.get("Accept", ""):
            return _table(resource, items, metadata)
        bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items]
        version = f"{resource.group}/{resource.version}" if resource.group else resource.version
        return {"kind": f"{resource.kind}List", "apiVersion": version, "metadata": metadata, "items": bare}

    def _log(self, request: web.Request, namespace: str, name: str) -> str:
        pod = self._found(next(one for one in RESOURCES if one.name == "pods"), namespace, name)
        names = [container["name"] for container in pod["spec"]["containers"]]
        container = request.query.get("container", names[0] if len(names) == 1 else "")
        if not container:
            words = f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
            raise Refused(400, "BadRequest", words)
        if container not in names:
            raise Refused(400, "BadRequest", f"container {container} is not valid for pod {name}")
        if request.query.get("previous") == "true":
            container += " before"
            if (namespace, name, container) not in self.logs:
                words = f'previous terminated container "{container.split()[0]}" in pod "{name}" not found'
                raise Refused(400, "BadRequest", words)
        lines = self.logs.get((namespace, name, container), "").splitlines(keepends=True)
        return "".join(lines[-int(request.query.get("tailLines") or len(lines) or 1) :])

    def _scale(self, resource: Resource, namespace: str, name: str, given: Object, *, dry: bool) -> Object:
        found = self._found(resource, namespace, name, "scale")
        _check_version(resource, found, given.get("metadata", {}))
        replicas = given["spec"].get("replicas", 0)
        if replicas < 0:
            words = f"spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0"
            raise Refused(422, "Invalid", f'Scale.autoscaling "{name}" is invalid: {words}', name=name, kind="Scale")
        changed = copy.deepcopy(found)
        changed["spec"]["replicas"] = replicas
        return _scale_of(self._updated(f"PUT {name}/scale", resource, namespace, name, found, changed, dry=dry))

    def _patch(
        self, request: web.Request, resource: Resource, namespace: str, name: str, patch: Object, *, dry: bool
    ) -> Object:
        if request.content_type not in _PATCHES:
            raise Refused(415, "UnsupportedMediaType", "415: Unsupported Media Type")
        found = self._found(resource, namespace, name)
        _check_version(resource, found, patch.get("metadata", {}), is_patch=True)
        changed = _merged(found, patch)
        return self._updated(f"PATCH {name}", resource, namespace, name, found, changed, dry=dry)

    def _updated(
        self, write: str, resource: Resource, namespace: str, name: str, found: Object, changed: Object, *, dry: bool
    ) -> Object:
        if changed.get("spec") != found.get("spec") and "generation" in found["metadata"]:
            changed["metadata"]["generation"] = found["metadata"]["generation"] + 1
        if not dry:
            self._store(resource, namespace, name, changed)
            self.writes.append(write)
        return changed

    def _delete(self, resource: Resource, namespace: str, name: str, body: bytes, *, dry: bool) -> Object:
        """Delete an object. With a body its options are those in it, and none of the query."""
        found = self._found(resource, namespace, name)
        options: Object = json.loads(body) if body else {"dryRun": ["All"] if dry else []}
        wanted: Object = options.get("preconditions", {})
        metadata: Object = found["metadata"]
        for key, words in (
            ("uid", "the UID in the precondition ({}) does not match the UID in record ({})"),
            (
                "resourceVersion",
                "the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({})",
            ),
        ):
            if key in wanted and wanted[key] != metadata[key]:
                message = f'Operation cannot be fulfilled on {resource.kind} "{name}": '
                message += words.format(wanted[key], metadata[key])
                raise Refused(409, "Conflict", message, name=name, kind=resource.kind)
        runs = bool(found.get("spec", {}).get("nodeName"))
        metadata |= {"deletionTimestamp": CREATED, "deletionGracePeriodSeconds": 30 if runs else 0}
        if options.get("dryRun") != ["All"]:
            self.writes.append(f"DELETE {name}")
            self._next_version()
            if runs:  # until its node has ended it
                self._store(resource, namespace, name, found)
            else:
                del self._objects[resource.title, namespace, name]
        return found


def _check_version(resource: Resource, found: Object, given: Object, *, is_patch: bool = False) -> None:
    name, metadata = found["metadata"]["name"], found["metadata"]
    if given.get("resourceVersion") not in (None, "", metadata["resourceVersion"]):
        message = f'Operation cannot be fulfilled on {resource.title} "{name}": {_MODIFIED}'
        raise Refused(409, "Conflict", message, name=name, kind=resource.name)
    if given.get("uid") not in (None, "", metadata["uid"]):
        if is_patch:
            words = f'metadata.uid: Invalid value: "{given["uid"]}": field is immutable'
            raise Refused(422, "Invalid", f'{resource.kind}.{resource.group} "{name}" is invalid: {words}', name=name)
        words = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {metadata['uid']}"
        raise Refused(
            409, "Conflict", f'Operation cannot be fulfilled on {resource.title} "{name}": {words}', name=name
        )


def _merged(found: Any, patch: Any) -> Any:
    """Return a value with a patch of RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    base: Object = dict(found) if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownArgumentType] -- JSON
    given: Object = patch  # pyright: ignore[reportUnknownVariableType] -- JSON
    for key, value in given.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = _merged(base.get(key), value)
    return base


def _scale_of(found: Object) -> Object:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels: Object = found["spec"].get("selector", {}).get("matchLabels", {})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: found["metadata"][key] for key in kept},
        "spec": {"replicas": found["spec"].get("replicas", 1)},
        "status": {
            "replicas": found.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in labels.items()),
        },
    }


def _verb(method: str, name: str) -> str:
    if method == "GET":
        return "get" if name else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[method]


def _place(path: str) -> tuple[Resource, str, str, str]:
    """Return what a path is about: resource, namespace, name, subresource."""
    for resource in RESOURCES:
        inside = r"(?:/namespaces/(?P<namespace>[^/]+))?" if resource.namespaced else ""
        pattern = rf"{resource.root}{inside}/{resource.name}(?:/(?P<name>[^/]+)(?:/(?P<part>[^/]+))?)?"
        if found := re.fullmatch(pattern, path):
            parts = found.groupdict()
            return resource, parts.get("namespace") or "", parts["name"] or "", parts["part"] or ""
    raise LookupError(path)


def _groups() -> Object:
    groups: dict[str, list[str]] = {}
    for resource in RESOURCES:
        if resource.group and resource.version not in (versions := groups.setdefault(resource.group, [])):
            versions.append(resource.version)

    def version(group: str, name: str) -> Object:
        return {"groupVersion": f"{group}/{name}", "version": name}

    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {
                "name": group,
                "versions": [version(group, name) for name in versions],
                "preferredVersion": version(group, versions[0]),
            }
            for group, versions in groups.items()
        ],
    }


def _discovered(path: str) -> Object | None:
    found = [resource for resource in RESOURCES if resource.root == path]
    if not found:
        return None
    listed: list[Object] = []
    for resource in found:
        entry = {"name": resource.name, "singularName": "", "namespaced": resource.namespaced, "kind": resource.kind}
        short = {"shortNames": list(resource.short)} if resource.short else {}
        listed.append({**entry, "verbs": ["get", "list"], **short})
        listed.append({**entry, "name": f"{resource.name}/status"})
    return {"kind": "APIResourceList", "groupVersion": path.partition("/api")[2].lstrip("s/"), "resources": listed}


def _reviewed(review: Object, rights: Rights) -> Object:
    asked = review["spec"]["resourceAttributes"]
    title = f"{asked['resource']}/{asked['subresource']}" if asked.get("subresource") else asked["resource"]
    return review | {"status": {"allowed": rights(asked["verb"], title, asked.get("namespace", ""))}}


def _selected(labels: str, fields: str) -> Callable[[Object], bool]:
    """Return whether an object is one of those that selectors choose."""
    wanted = list(_label_rules(labels))
    by_field = [part.partition("=")[::2] for part in fields.split(",") if part]
    for field, _ in by_field:
        if field not in _FIELDS:
            raise Refused(400, "BadRequest", f"field label not supported: {field}")

    def matches(written: Object) -> bool:
        own = written["metadata"].get("labels", {})
        return all(rule(own) for rule in wanted) and all(_at(written, field) == value for field, value in by_field)

    return matches


def _label_rules(labels: str) -> Iterator[Callable[[Mapping[str, str]], bool]]:
    for part in re.split(r",(?![^(]*\))", labels) if labels else ():
        if found := re.fullmatch(r"([\w./-]+) (in|notin) \(([^()]*)\)", part):
            key, inside, values = found[1], found[2] == "in", found[3].split(",")
            yield lambda own, key=key, values=values, inside=inside: (own.get(key) in values) is inside
        elif found := re.fullmatch(r"!([\w./-]+)", part):
            yield lambda own, key=found[1]: key not in own
        elif found := re.fullmatch(r"([\w./-]+)==?([\w.-]*)", part):
            yield lambda own, key=found[1], value=found[2]: own.get(key) == value
        elif re.fullmatch(r"[\w./-]+", part):
            yield lambda own, key=part: key in own
        else:
            words = "unable to parse requirement: found '=', expected: identifier"
            raise Refused(400, "BadRequest", words)


def _at(written: Any, field: str) -> str:
    for key in field.split("."):
        written = written.get(key, {})
    return written or ""


def _continue(version: int, start: str) -> str:
    position = {"v": "meta.k8s.io/v1", "rv": version, "start": f"{start}\0"}
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _position(given: str) -> tuple[int, str]:
    try:
        position = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        return position["rv"], position["start"].rstrip("\0")
    except (ValueError, KeyError, TypeError):
        words = "invalid continue token: continue key is not valid: invalid character looking for beginning of value"
        raise Refused(400, "BadRequest", words) from None


def _table(resource: Resource, items: list[Object], metadata: Object) -> Object:
    """Return a list as it is printed; recorded for pods and secrets, others have name and age."""
    columns = {"pods": ["Name", "Ready", "Status", "Restarts", "Age"], "secrets": ["Name", "Type", "Data", "Age"]}
    rows: list[Object] = []
    for item in items:
        name = item["metadata"]["name"]
        cells: list[Any] = [name, "5m"]
        if resource.name == "pods":
            states = item["status"].get("containerStatuses", [])
            ready = sum(state.get("ready", False) for state in states)
            restarts = sum(state.get("restartCount", 0) for state in states)
            waits = [state["state"]["waiting"]["reason"] for state in states if "waiting" in state.get("state", {})]
            status = waits[0] if waits else item["status"]["phase"]
            cells = [name, f"{ready}/{len(item['spec']['containers'])}", status, restarts, "5m"]
        elif resource.name == "secrets":
            cells = [name, item.get("type", "Opaque"), len(item.get("data", {})), "5m"]
        partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}
        rows.append({"cells": cells, "object": partial})
    definitions = [{"name": name, "priority": 0} for name in columns.get(resource.name, ["Name", "Age"])]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    }


async def certificate(folder: Path, name: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """Return a new certificate for a name (an address), and the context of a server that has it."""
    key, certificate = folder / f"{name}-key.pem", folder / f"{name}.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    made = ["openssl", "req", "-x509", *curve, "-nodes", "-subj", f"/CN={name}", "-days", "2"]
    named = ["-addext", f"subjectAltName=IP:{name}", "-keyout", key, "-out", certificate]
    await asyncio.to_thread(subprocess.run, [*made, *named], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return certificate, context
