"""What people and plans read of a cluster's objects: no secret values, no bookkeeping of the API. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from infra.tools.kubernetes.kinds import Kind
from sandbox.script import Json

_BOOKKEEPING = frozenset({"managedFields"})
_COPIES = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
"""Annotations that repeat the whole object, of a Secret its values, too."""

_VALUES = frozenset({"data", "stringData", "binaryData"})
_OPERATORS = {"In": "in", "NotIn": "notin"}


def shown(written: Mapping[str, Json], kind: Kind) -> Mapping[str, Json]:
    """Return an object as plans may read it: of a Secret the keys and the sizes, never a value."""
    hidden = kind.is_secret or written.get("kind") == "Secret"
    found: dict[str, Json] = {}
    for key, value in written.items():
        if key == "metadata":
            found[key] = _metadata(value)
        elif hidden and key in _VALUES:
            found[key] = {name: {"characters": len(str(text))} for name, text in mapping(value).items()}
        else:
            found[key] = value
    return found


def _metadata(written: Json) -> Mapping[str, Json]:
    found = {key: value for key, value in mapping(written).items() if key not in _BOOKKEEPING}
    if annotations := mapping(found.get("annotations")):
        found["annotations"] = {key: value for key, value in annotations.items() if key not in _COPIES}
    return found


def table_rows(table: Mapping[str, Json], *, with_namespace: bool) -> Sequence[Mapping[str, Json]]:
    """Return the rows of a list as the API prints it, each column by its name in small letters."""
    columns = [str(column.get("name", "")).lower() for column in objects(table.get("columnDefinitions"))]
    rows: list[Mapping[str, Json]] = []
    for row in objects(table.get("rows")):
        cells = row.get("cells")
        printed = dict(zip(columns, cells if isinstance(cells, list) else [], strict=False))
        namespace = text(mapping(mapping(row.get("object")).get("metadata")), "namespace")
        rows.append({**({"namespace": namespace} if with_namespace and namespace else {}), **printed})
    return rows


def pod_summary(pod: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return what a person looks at first: how many containers are ready, how often they restarted, and why not."""
    status, spec = mapping(pod.get("status")), mapping(pod.get("spec"))
    containers = list(objects(status.get("containerStatuses")))
    wanted = len(list(objects(spec.get("containers"))))
    reasons = [reason for container in containers for reason in _reasons(container)]
    metadata = mapping(pod.get("metadata"))
    found: dict[str, Json] = {
        "name": text(metadata, "name"),
        "phase": text(status, "phase"),
        "ready": f"{sum(container.get('ready') is True for container in containers)}/{wanted}",
        "restarts": sum(number(container.get("restartCount")) for container in containers),
        "node": text(spec, "nodeName"),
        "started": text(status, "startTime"),
        "why": ", ".join(dict.fromkeys([reason for reason in (text(status, "reason"), *reasons) if reason])),
        "deleted": text(metadata, "deletionTimestamp"),
    }
    return {key: value for key, value in found.items() if value != ""}


def _reasons(container: Mapping[str, Json]) -> Iterator[str]:
    """Yield why a container does not run, and how it ended before."""
    state, last = mapping(container.get("state")), mapping(container.get("lastState"))
    yield text(mapping(state.get("waiting")), "reason")
    for ended in (mapping(state.get("terminated")), mapping(last.get("terminated"))):
        if ended:
            yield f"{text(ended, 'reason') or 'ended'} (exit code {number(ended.get('exitCode'))})"


def event_summary(event: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return an event in the words of both APIs that write them."""
    about, series = mapping(event.get("involvedObject")), mapping(event.get("series"))
    source = mapping(event.get("source"))
    found: dict[str, Json] = {
        "type": text(event, "type"),
        "reason": text(event, "reason"),
        "message": text(event, "message"),
        "object": f"{text(about, 'kind')}/{text(about, 'name')}",
        "namespace": text(about, "namespace"),
        "count": number(series.get("count")) or number(event.get("count")) or 1,
        "first": text(event, "firstTimestamp") or text(event, "eventTime"),
        "last": last_seen(event),
        "from": text(source, "component") or text(event, "reportingComponent"),
    }
    return {key: value for key, value in found.items() if value != ""}


def last_seen(event: Mapping[str, Json]) -> str:
    """Return when an event was seen last, in a form that sorts."""
    series = text(mapping(event.get("series")), "lastObservedTime")
    created = text(mapping(event.get("metadata")), "creationTimestamp")
    return series or text(event, "lastTimestamp") or text(event, "eventTime") or created


def pods_selector(written: Mapping[str, Json]) -> str:
    """Return the label selector of the pods that an object has; empty: it has none."""
    selector = mapping(mapping(written.get("spec")).get("selector"))
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in selector.items() if isinstance(value, str))
    parts = [f"{key}={value}" for key, value in mapping(selector.get("matchLabels")).items()]
    for rule in objects(selector.get("matchExpressions")):
        key, operator, values = text(rule, "key"), text(rule, "operator"), rule.get("values")
        if operator in _OPERATORS:
            listed = ",".join(map(str, values if isinstance(values, list) else ()))
            parts.append(f"{key} {_OPERATORS[operator]} ({listed})")
        else:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts)


def controller_of(written: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the reference to the object that manages this one; empty: none does."""
    owners = list(objects(mapping(written.get("metadata")).get("ownerReferences")))
    managing = [owner for owner in owners if owner.get("controller") is True]
    return (managing or owners or [dict[str, Json]()])[0]


def mapping(value: Json) -> Mapping[str, Json]:
    """Return a value that should be an object; an empty one for any other."""
    return value if isinstance(value, Mapping) else {}


def objects(value: Json) -> Iterator[Mapping[str, Json]]:
    """Return the objects of a value that should be a list of them."""
    return (entry for entry in (value if isinstance(value, list) else ()) if isinstance(entry, Mapping))


def text(written: Mapping[str, Json], key: str) -> str:
    """Return a text of an object; empty for anything else."""
    value = written.get(key)
    return value if isinstance(value, str) else ""


def number(value: Json) -> int:
    """Return a value that should be a whole number; 0 for any other."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
