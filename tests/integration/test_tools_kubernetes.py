"""The tools of a cluster against an API server over the wire: what they read, what they change, and what they refuse.

The server is the strict one of `tests/fakes/kubernetes_api.py`, which answers as recorded from kube-apiserver 1.20.2;
with GREENLIGHT_KUBE_APISERVER (see `tests/fakes/kubernetes_world.py`) the tests run against that one, too.
"""

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.effects import InverseCall, NoInverse
from agent.plan.outcomes import OUTCOME_UNKNOWN, Failed, Succeeded
from agent.tool import CallContext, Colour, Reversibility, Tool, TooLate, WorldChanged, uptime_seconds
from agent.tools.call import call_tool, dry_run, hopeless, inverse_of, world_state
from infra.tools.kubernetes.catalogue import KUBERNETES_TOOLS, kubernetes_tools
from infra.tools.kubernetes.changing import RESTARTED_AT, TRIES
from infra.tools.kubernetes.settings import ClusterConfig, KubernetesConfig
from sandbox.script import Json
from tests.fakes.kubernetes_api import ADMIN, KubernetesApi, certificate
from tests.fakes.kubernetes_world import PODS, READER, SERVERS, WEB, KubernetesWorld, kubernetes_world

CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("5" * 64))
PLACE: Mapping[str, Json] = {"namespace": "shop", "name": "web"}
SCALE: Mapping[str, Json] = {**PLACE, "kind": "deployment", "replicas": 5}
RESTART: Mapping[str, Json] = {**PLACE, "kind": "deployment"}
DELETE: Mapping[str, Json] = {"namespace": "shop", "name": "web-0"}
RED = {"kubernetes_scale": SCALE, "kubernetes_restart": RESTART, "kubernetes_delete_pod": DELETE}
NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Kubernetes:
    """The tools, and the cluster that they are about."""

    world: KubernetesWorld
    tools: Mapping[str, Tool] = field(default_factory=dict[str, Tool])

    def with_config(self, **more: Any) -> "Kubernetes":
        """Return the same with other settings of the cluster."""
        return of(self.world, self.world.config(**more))

    def tool(self, name: str) -> Tool:
        return self.tools[f"kubernetes_{name}"]

    async def outcome(self, tool: str, /, **args: Json) -> Succeeded | Failed:
        return await call_tool(self.tool(tool), CONTEXT, args, pause=at_once)

    async def get(self, tool: str, /, **args: Json) -> Mapping[str, Any]:
        outcome = await self.outcome(tool, **args)
        assert isinstance(outcome, Succeeded), outcome
        return cast("Mapping[str, Any]", outcome.value)

    async def refused(self, tool: str, /, **args: Json) -> Failed:
        outcome = await self.outcome(tool, **args)
        assert isinstance(outcome, Failed), outcome
        return outcome

    @property
    def api(self) -> KubernetesApi:
        assert self.world.api is not None, "only the strict server can do this"
        return self.world.api


async def at_once(_seconds: float) -> None:
    """Let no time pass between two tries."""


def of(world: KubernetesWorld, config: ClusterConfig, **limits: Any) -> Kubernetes:
    settings = KubernetesConfig(clusters={"main": config}, **limits)
    return Kubernetes(world=world, tools={tool.name: tool for tool in kubernetes_tools(settings, lambda: NOW)})


@pytest_asyncio.fixture(loop_scope="function", params=SERVERS)
async def either(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Kubernetes]:
    """The tools on whichever server there is."""
    monkeypatch.setenv("KUBE_TOKEN", ADMIN)
    async with kubernetes_world(tmp_path, str(request.param)) as world:
        yield of(world, world.config())


@pytest.fixture
async def strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Kubernetes]:
    """The tools on the strict server, which can misbehave, too."""
    monkeypatch.setenv("KUBE_TOKEN", ADMIN)
    async with kubernetes_world(tmp_path) as world:
        yield of(world, world.config(), timeout_seconds=60.0)


def test_reading_is_green_and_changing_is_red_and_never_tried_again() -> None:
    settings = KubernetesConfig(clusters={"main": ClusterConfig(url="https://localhost")})
    tools = {tool.name: tool for tool in kubernetes_tools(settings)}
    assert tools.keys() == KUBERNETES_TOOLS
    assert {name for name, tool in tools.items() if tool.colour is Colour.RED} == RED.keys()
    assert all(tool.retryable == (name not in RED) for name, tool in tools.items())
    assert all(tool.returns_outside_text for tool in tools.values())


async def test_a_list_comes_as_a_table_in_pages(either: Kubernetes) -> None:
    first = await either.get("get", kind="pods", namespace="shop", limit=3)
    assert [row["name"] for row in first["rows"]] == ["alone", "web-0", "web-1"]
    assert first["rows"][1]["ready"] == "0/1"
    assert first["rows"][1]["status"] == "Pending"
    assert first["remaining"] == 1
    rest = await either.get("get", kind="po", namespace="shop", limit=3, **{"continue": first["continue"]})
    assert [row["name"] for row in rest["rows"]] == ["web-2"]
    assert "continue" not in rest
    everywhere = await either.get("get", kind="Pod", label_selector="app=web")
    assert {(row["namespace"], row["name"]) for row in everywhere["rows"]} == {
        ("shop", f"web-{number}") for number in range(3)
    }


async def test_objects_come_whole_without_bookkeeping(either: Kubernetes) -> None:
    listed = await either.get(
        "get", kind="pods", namespace="shop", output="objects", field_selector="metadata.name=web-1"
    )
    (pod,) = listed["items"]
    assert pod["spec"]["containers"][0]["image"] == "nginx:1"
    assert "managedFields" not in pod["metadata"]
    settings = await either.get("get", kind="cm", namespace="shop", name="settings")
    assert settings["data"] == {"colour": "green"}


@pytest.mark.parametrize(
    ("call", "args"),
    [
        ("get", {"name": "login"}),
        ("get", {"output": "objects"}),
        ("get", {"output": "table"}),
        ("describe", {"name": "login"}),
    ],
    ids=["one", "objects", "table", "describe"],
)
async def test_no_value_of_a_secret_is_returned(either: Kubernetes, call: str, args: Mapping[str, Json]) -> None:
    found = await either.get(call, kind="secrets", namespace="shop", **args)
    told = json.dumps(found)
    assert "login" in told
    assert "hunter2" not in told
    assert "aHVudGVy" not in told


async def test_of_a_secret_keys_and_sizes_are_returned(either: Kubernetes) -> None:
    found = await either.get("get", kind="secret", namespace="shop", name="login")
    assert found["data"] == {"password": {"characters": 20}}


@pytest.mark.parametrize("word", ["cj", "CronJob", "cronjobs.batch", "cronjobs"])
async def test_a_kind_that_is_not_common_is_found_by_asking(either: Kubernetes, word: str) -> None:
    assert (await either.get("get", kind=word, namespace="shop"))["rows"] == []


async def test_a_part_of_the_api_that_is_away_hides_no_kind_of_the_others(strict: Kubernetes) -> None:
    async def away(request: web.Request) -> web.Response | None:
        return web.Response(status=503) if request.path == "/apis/autoscaling/v1" else None

    strict.api.before = away
    assert (await strict.get("get", kind="cj", namespace="shop"))["rows"] == []
    assert (await strict.refused("get", kind="scalers", namespace="shop")).error == "unknown_kind"


@pytest.mark.parametrize("body", ["no JSON", "[]", '{"kind": "Scale"', " " * 9_000_000])
@pytest.mark.parametrize("name", RED)
async def test_a_success_that_cannot_be_read_leaves_the_outcome_unknown(
    strict: Kubernetes, name: str, body: str
) -> None:
    async def mumbles(request: web.Request) -> web.Response | None:
        return web.Response(text=body) if is_write(request) else None

    strict.api.before = mumbles
    assert (await strict.refused(name.removeprefix("kubernetes_"), **RED[name])).error == OUTCOME_UNKNOWN


@pytest.mark.parametrize("word", ["nothing", "pods.apps", "pods-log"])
async def test_an_unknown_kind_is_said_so(either: Kubernetes, word: str) -> None:
    assert (await either.refused("get", kind=word, namespace="shop")).error == "unknown_kind"


@pytest.mark.parametrize("word", ["pods/log", "../pods", "pods?x"])
async def test_a_kind_is_no_path(either: Kubernetes, word: str) -> None:
    assert (await either.refused("get", kind=word, namespace="shop")).error == "bad_arguments"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ({"kind": "pods", "name": "web-0"}, "bad_arguments", "say which"),
        ({"kind": "pods", "namespace": "shop", "name": "gone"}, "not_found", 'pods "gone" not found'),
        ({"kind": "pods", "namespace": "shop", "continue": "bad"}, "not_accepted", "invalid continue token"),
        ({"kind": "pods", "namespace": "shop", "field_selector": "bogus=1"}, "not_accepted", "not supported: bogus"),
        ({"kind": "pods", "namespace": "shop", "label_selector": "a===b"}, "not_accepted", "unable to parse"),
    ],
    ids=["no namespace", "gone", "bad continue", "bad field", "bad label"],
)
async def test_what_the_api_refuses_is_told_in_its_words(
    either: Kubernetes, args: Mapping[str, Json], code: str, words: str
) -> None:
    failed = await either.refused("get", **args)
    assert failed.error == code
    assert words in failed.message


async def test_who_may_not_read_is_told_what_is_missing(either: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    if either.world.api is not None:
        either.world.api.people[READER] = ("reader", lambda _verb, _resource, _namespace: False)
    monkeypatch.setenv("KUBE_TOKEN", READER)
    failed = await either.refused("get", kind="pods", namespace="shop")
    assert failed.error == "forbidden"
    assert 'User "reader" cannot list resource "pods" in API group "" in the namespace "shop"' in failed.message
    monkeypatch.setenv("KUBE_TOKEN", "a-token-that-nobody-has")
    assert (await either.refused("get", kind="pods", namespace="shop")).error == "unauthorized"
    monkeypatch.delenv("KUBE_TOKEN")
    assert (await either.refused("get", kind="pods", namespace="shop")).error == "no_secret"


async def test_events_come_newest_first_and_about_one_object(either: Kubernetes) -> None:
    await either.world.event("one", "Pulled", "2026-11-24T07:00:00Z", type="Normal")
    await either.world.event("two", "BackOff", "2026-11-24T07:05:00Z")
    await either.world.event("three", "Killing", "2026-11-24T07:02:00Z", about="web-1")
    found = await either.get("events", namespace="shop")
    assert [event["reason"] for event in found["events"]] == ["BackOff", "Killing", "Pulled"]
    assert found["events"][0] == {
        "type": "Warning",
        "reason": "BackOff",
        "message": "BackOff of web-0",
        "object": "Pod/web-0",
        "namespace": "shop",
        "count": 2,
        "last": "2026-11-24T07:05:00Z",
    }
    warned = await either.get("events", namespace="shop", kind="pod", name="web-0", type="Warning")
    assert [event["reason"] for event in warned["events"]] == ["BackOff"]
    newest = await either.get("events", namespace="shop", limit=1)
    assert (len(newest["events"]), newest["older"]) == (1, 2)


async def test_describing_tells_what_explains_an_object(either: Kubernetes) -> None:
    await either.world.event("two", "BackOff", "2026-11-24T07:05:00Z")
    pod = await either.get("describe", kind="pod", namespace="shop", name="web-0")
    assert pod["object"]["metadata"]["name"] == "web-0"
    assert [event["reason"] for event in pod["events"]] == ["BackOff"]
    assert pod["owners"] == [{"kind": "ReplicaSet", "name": "web-7d"}, {"kind": "Deployment", "name": "web"}]
    assert pod["pods"] == [{"name": "web-0", "phase": "Pending", "ready": "0/1", "restarts": 0}]
    web = await either.get("describe", kind="deploy", namespace="shop", name="web")
    assert [found["name"] for found in web["pods"]] == ["web-0", "web-1", "web-2"]
    assert "left_out" not in web


async def test_describing_names_what_may_not_be_read(strict: Kubernetes) -> None:
    strict.api.people[ADMIN] = ("somebody", lambda _verb, resource, _namespace: resource in ("pods", "deployments"))
    web = await strict.get("describe", kind="deployment", namespace="shop", name="web")
    assert len(web["pods"]) == 3
    assert web["left_out"].keys() == {"events"}
    assert "cannot list resource" in web["left_out"]["events"]


async def test_why_a_pod_does_not_run_is_said_of_each(strict: Kubernetes) -> None:
    waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 7, "ready": False}
    ended = {"lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
    status = {"phase": "Running", "containerStatuses": [{"name": "web", **waiting, **ended}]}
    await strict.world.ask("PATCH", f"{PODS}/web-0", {"status": status})
    web = await strict.get("describe", kind="deployment", namespace="shop", name="web")
    assert web["pods"][0] == {
        "name": "web-0",
        "phase": "Running",
        "ready": "0/1",
        "restarts": 7,
        "why": "CrashLoopBackOff, OOMKilled (exit code 137)",
    }


async def test_a_list_that_is_no_longer_kept_is_begun_again(strict: Kubernetes) -> None:
    first = await strict.get("get", kind="pods", namespace="shop", limit=1)
    strict.api.forget_lists()
    failed = await strict.refused("get", kind="pods", namespace="shop", limit=1, **{"continue": first["continue"]})
    assert failed.error == "list_expired"
    assert "begin again without continue" in failed.message


async def test_the_end_of_a_log_is_read(strict: Kubernetes) -> None:
    logs = strict.api.logs
    logs["shop", "web-0", "web"] = "".join(f"line {number}\n" for number in range(1000))
    logs["shop", "web-0", "web before"] = "out of memory\n"
    read = await strict.get("logs", namespace="shop", pod="web-0", tail_lines=2, since_seconds=60)
    assert read == {"text": "line 998\nline 999\n", "lines": 2, "truncated": False}
    assert "sinceSeconds=60" in strict.api.requests[-1]
    before = await strict.get("logs", namespace="shop", pod="web-0", container="web", previous=True)
    assert before["text"] == "out of memory\n"
    failed = await strict.refused("logs", namespace="shop", pod="web-1", previous=True)
    assert 'previous terminated container "web" in pod "web-1" not found' in failed.message


async def test_of_several_containers_one_must_be_named(either: Kubernetes) -> None:
    containers = [{"name": "one", "image": "a"}, {"name": "two", "image": "b"}]
    await either.world.ask("POST", PODS, {"metadata": {"name": "both"}, "spec": {"containers": containers}})
    failed = await either.refused("logs", namespace="shop", pod="both")
    assert "choose one of: [one two]" in failed.message
    assert (await either.refused("logs", namespace="shop", pod="both", container="three")).error == "not_accepted"


async def test_of_a_long_log_the_newest_lines_are_kept(strict: Kubernetes) -> None:
    small = of(strict.world, strict.world.config(), log_bytes=1024, answer_bytes=64 * 1024)
    strict.api.logs["shop", "web-0", "web"] = "".join(f"{number:015}\n" for number in range(4000))
    read = await small.get("logs", namespace="shop", pod="web-0")
    assert read["truncated"]
    assert read["text"].endswith("000000000003999\n")
    assert len(read["text"]) == 1024
    strict.api.logs["shop", "web-0", "web"] *= 2
    assert (await small.refused("logs", namespace="shop", pod="web-0", tail_lines=10_000)).error == "too_much"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("get", {"kind": "pods", "namespace": "kube-system"}),
        ("get", {"kind": "pods"}),
        ("get", {"kind": "nodes"}),
        ("get", {"kind": "namespaces", "name": "kube-system"}),
        ("events", {}),
        ("events", {"namespace": "kube-system"}),
        ("logs", {"namespace": "kube-system", "pod": "dns"}),
        ("describe", {"kind": "node", "name": "one"}),
        ("scale", {**SCALE, "namespace": "kube-system"}),
        ("restart", {**RESTART, "namespace": "kube-system"}),
        ("delete_pod", {**DELETE, "namespace": "kube-system"}),
    ],
)
async def test_a_namespace_that_is_not_open_is_refused_without_asking_the_cluster(
    strict: Kubernetes, name: str, args: Mapping[str, Json]
) -> None:
    bounded = strict.with_config(namespaces=frozenset({"shop"}))
    asked = len(strict.api.requests)
    failed = await bounded.refused(name, **args)
    assert failed.error == "namespace_not_allowed"
    assert "these are: shop" in failed.message
    if bounded.tool(name).check is not None:
        told = await hopeless(bounded.tool(name), CONTEXT, args)
        assert told is not None
        assert told.error == "namespace_not_allowed"
    assert len(strict.api.requests) == asked


async def test_nodes_are_read_beside_some_namespaces_where_the_operator_says_so(strict: Kubernetes) -> None:
    bounded = strict.with_config(namespaces=frozenset({"shop"}), cluster_wide=True)
    await strict.world.ask("POST", "/api/v1/nodes", {"metadata": {"name": "one"}})
    assert [row["name"] for row in (await bounded.get("get", kind="nodes"))["rows"]] == ["one"]
    assert (await bounded.get("get", kind="namespace", name="shop"))["metadata"]["name"] == "shop"
    assert (await bounded.refused("get", kind="pods", namespace="default")).error == "namespace_not_allowed"


async def test_with_several_clusters_one_must_be_named(strict: Kubernetes) -> None:
    clusters = {"one": strict.world.config(), "two": strict.world.config(namespaces=frozenset({"other"}))}
    tools: dict[str, Tool] = {tool.name: tool for tool in kubernetes_tools(KubernetesConfig(clusters=clusters))}
    both = Kubernetes(world=strict.world, tools=tools)
    assert (await both.refused("get", kind="pods", namespace="shop")).error == "bad_arguments"
    assert (await both.get("get", cluster="one", kind="pods", namespace="shop"))["rows"]
    failed = await both.refused("get", cluster="two", kind="pods", namespace="shop")
    assert failed.error == "namespace_not_allowed"
    assert "Clusters: one (all namespaces); two (other)" in both.tool("get").description


async def test_a_dry_run_changes_nothing(either: Kubernetes) -> None:
    before = await either.world.ask("GET", WEB)
    pods = await either.world.ask("GET", PODS)
    told = {name: await dry_run(either.tools[name], CONTEXT, args) for name, args in RED.items()}
    assert {name: run.error for name, run in told.items() if run is not None} == dict.fromkeys(RED, "")
    scale, restart, delete = (json.loads(run.result) for run in told.values() if run is not None)
    assert scale == {"replicas": {"now": 3, "then": 5}, "pods_now": 0}
    assert (restart["pods"], restart["ready_now"], restart["images"]) == (3, 0, ["nginx:1"])
    assert (delete["would_be_deleted"], delete["owner"]) == ("web-0", "ReplicaSet/web-7d")
    assert await either.world.ask("GET", WEB) == before
    after = await either.world.ask("GET", PODS)
    assert after["items"] == pods["items"]


async def test_scaling_sets_the_replicas_and_says_how_to_set_them_back(either: Kubernetes) -> None:
    told = await either.get("scale", **SCALE)
    assert (told["kind"], told["replicas"], told["before"]) == ("deployments.apps", 5, 3)
    assert await either.world.replicas() == 5
    inverse = inverse_of(either.tool("scale"), CONTEXT, SCALE, told, None)
    assert isinstance(inverse, InverseCall)
    assert inverse.args == {**SCALE, "replicas": 3, "version": told["version"]}
    undone = await either.get("scale", **inverse.args)
    assert (undone["replicas"], undone["before"]) == (3, 5)
    assert undone["version"] == inverse.found
    assert await either.world.replicas() == 3


async def test_the_card_names_the_autoscaler_that_has_a_say(either: Kubernetes) -> None:
    about = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": about, "minReplicas": 2, "maxReplicas": 6}
    path = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers"
    await either.world.ask("POST", path, {"metadata": {"name": "follows-load"}, "spec": spec})
    run = await dry_run(either.tool("scale"), CONTEXT, SCALE)
    assert run is not None
    assert "follows-load keeps it at 2 to 6 replicas" in run.result


async def test_events_that_are_no_longer_listed_on_leave_those_seen(strict: Kubernetes) -> None:
    await strict.world.event("one", "Pulled", "2026-11-24T07:00:00Z")

    async def one_page(request: web.Request) -> web.Response | None:
        if request.path.endswith("/events"):
            if "continue" in request.query:
                return web.json_response({"message": "too old", "code": 410}, status=410)
            listed = await strict.world.ask("GET", f"{PODS}/web-0")
            return web.json_response({"items": [{"reason": "Pulled", **listed}], "metadata": {"continue": "more"}})
        return None

    strict.api.before = one_page
    found = await strict.get("events", namespace="shop")
    assert [event["reason"] for event in found["events"]] == ["Pulled"]
    assert found["not_all_seen"]


async def test_what_others_scaled_since_is_not_scaled_back(either: Kubernetes) -> None:
    told = await either.get("scale", **SCALE)
    await either.world.ask("PATCH", WEB, {"spec": {"replicas": 8}})
    back = {**SCALE, "replicas": 3, "version": told["version"]}
    asked = await hopeless(either.tool("scale"), CONTEXT, back)
    assert asked is not None
    assert asked.error == "changed_since"
    assert (await either.refused("scale", **back)).error == "changed_since"
    assert await either.world.replicas() == 8


async def test_setting_what_is_set_has_no_effect_to_undo(either: Kubernetes) -> None:
    same = {**SCALE, "replicas": 3}
    told = await either.get("scale", **same)
    assert inverse_of(either.tool("scale"), CONTEXT, same, told, None) is NoInverse.NO_EFFECT


async def test_more_replicas_than_the_operator_allows_are_refused(strict: Kubernetes) -> None:
    few = of(strict.world, strict.world.config(), replicas=4)
    assert (await few.refused("scale", **SCALE)).error == "bad_arguments"
    assert await strict.world.replicas() == 3


async def test_what_has_no_replicas_is_not_scaled(either: Kubernetes) -> None:
    pod = {**SCALE, "kind": "pods", "name": "web-0"}
    failed = await hopeless(either.tool("scale"), CONTEXT, pod)
    assert failed is not None
    assert failed.error == "not_found"


async def test_restarting_changes_the_template_of_the_pods_once(either: Kubernetes) -> None:
    told = await either.get("restart", **RESTART)
    web_ = await either.world.ask("GET", WEB)
    assert web_["spec"]["template"]["metadata"]["annotations"] == {RESTARTED_AT: "2026-11-24T07:30:00+00:00"}
    assert told == {"generation": 2, "restarted_at": "2026-11-24T07:30:00+00:00"}
    assert web_["metadata"]["generation"] == 2


async def test_a_paused_rollout_is_not_restarted(either: Kubernetes) -> None:
    await either.world.ask("PATCH", WEB, {"spec": {"paused": True}})
    failed = await hopeless(either.tool("restart"), CONTEXT, RESTART)
    assert failed is not None
    assert "paused" in failed.message


async def test_a_pod_is_deleted_and_its_card_says_what_makes_another(either: Kubernetes) -> None:
    tool = either.tool("delete_pod")
    state = await world_state(tool, CONTEXT, DELETE)
    assert state is not None
    read = cast("Mapping[str, Any]", state["read"])
    assert (read["phase"], read["owner"]) == ("Pending", "ReplicaSet/web-7d")
    assert tool.undoing is not None
    assert tool.undoing.reversibility is not None
    assert tool.undoing.reversibility(DELETE, read) is Reversibility.COMPENSABLE
    alone = await world_state(tool, CONTEXT, {**DELETE, "name": "alone"})
    assert alone is not None
    assert tool.undoing.reversibility(DELETE, alone["read"]) is Reversibility.FINAL
    told = await either.get("delete_pod", **DELETE)
    assert (told["uid"], told["owner"]) == (read["uid"], "ReplicaSet/web-7d")
    assert (await either.refused("get", kind="pods", **DELETE)).error == "not_found"
    assert inverse_of(tool, CONTEXT, DELETE, told, read) is None


async def test_a_pod_that_is_being_deleted_is_not_asked_about(strict: Kubernetes) -> None:
    await strict.world.ask("PATCH", f"{PODS}/web-0", {"spec": {"nodeName": "one"}})
    told = await strict.get("delete_pod", **DELETE)
    assert told["has_seconds_to_end"] == 30
    failed = await hopeless(strict.tool("delete_pod"), CONTEXT, DELETE)
    assert failed is not None
    assert "being deleted already" in failed.message


async def changed_deployment(world: KubernetesWorld) -> None:
    await world.ask("PATCH", WEB, {"spec": {"replicas": 4}})


async def another_pod(world: KubernetesWorld) -> None:
    spec = {"containers": [{"name": "web", "image": "nginx:2"}]}
    await world.ask("DELETE", f"{PODS}/web-0")
    await world.ask("POST", PODS, {"metadata": {"name": "web-0"}, "spec": spec})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("kubernetes_scale", changed_deployment),
        ("kubernetes_restart", changed_deployment),
        ("kubernetes_delete_pod", another_pod),
    ],
)
async def test_nothing_is_changed_that_is_not_as_its_card_showed(
    either: Kubernetes, name: str, change: Callable[[KubernetesWorld], Awaitable[None]]
) -> None:
    tool, args = either.tools[name], RED[name]
    state = await world_state(tool, CONTEXT, args)
    assert state is not None
    await change(either.world)
    before = await either.world.ask("GET", WEB), await either.world.ask("GET", f"{PODS}/web-0")
    with pytest.raises(WorldChanged):
        await call_tool(tool, replace(CONTEXT, expected=state["read"]), args)
    assert (await either.world.ask("GET", WEB), await either.world.ask("GET", f"{PODS}/web-0")) == before


@pytest.mark.parametrize("name", RED)
async def test_reports_about_an_object_ask_nobody_again(either: Kubernetes, name: str) -> None:
    tool, args = either.tools[name], RED[name]
    state = await world_state(tool, CONTEXT, args)
    await either.world.touch(WEB)
    await either.world.touch(f"{PODS}/web-0")
    assert await world_state(tool, CONTEXT, args) == state


@pytest.mark.parametrize("name", RED)
async def test_a_change_between_reading_and_sending_is_seen_by_the_server(strict: Kubernetes, name: str) -> None:
    """The change names the version that it read; a mere report in between is read, and the change sent once more."""
    tool, args = strict.tools[name], RED[name]
    state = await world_state(tool, CONTEXT, args)
    assert state is not None
    path = f"{PODS}/web-0" if name == "kubernetes_delete_pod" else WEB
    context, disturbed = replace(CONTEXT, expected=state["read"]), 0

    async def report_first(request: web.Request) -> None:
        nonlocal disturbed
        if is_write(request) and disturbed < most:
            disturbed, strict.api.before = disturbed + 1, None
            await strict.world.touch(path)
            strict.api.before = report_first

    most = TRIES
    strict.api.before = report_first
    failed = await call_tool(tool, context, args)
    assert isinstance(failed, Failed)
    assert (failed.error, disturbed) == ("conflict", TRIES)
    assert len(strict.api.writes) == TRIES, "nothing but the reports"
    disturbed, most = 0, 1
    assert isinstance(await call_tool(tool, context, args), Succeeded)
    assert (disturbed, len(strict.api.writes)) == (1, TRIES + 2)


def is_write(request: web.Request) -> bool:
    return request.method != "GET"


@pytest.mark.parametrize("name", RED)
async def test_a_lost_answer_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    strict: Kubernetes, name: str
) -> None:
    async def hangs_up(request: web.Request) -> None:
        if is_write(request) and request.transport is not None:
            request.transport.abort()

    strict.api.after = hangs_up
    failed = await call_tool(strict.tools[name], CONTEXT, RED[name])
    assert isinstance(failed, Failed)
    assert failed.error == OUTCOME_UNKNOWN
    assert len(strict.api.writes) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302])
@pytest.mark.parametrize("name", RED)
async def test_a_server_that_fails_a_write_may_have_done_it(strict: Kubernetes, name: str, status: int) -> None:
    async def fails(request: web.Request) -> web.Response | None:
        return web.Response(status=status, headers={"Location": "/"}) if is_write(request) else None

    strict.api.before = fails
    assert (await strict.refused(name.removeprefix("kubernetes_"), **RED[name])).error == OUTCOME_UNKNOWN
    assert sum(request.startswith(("PUT", "PATCH", "DELETE")) for request in strict.api.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429])
@pytest.mark.parametrize("name", RED)
async def test_a_write_that_is_refused_had_no_effect(strict: Kubernetes, name: str, status: int) -> None:
    async def refuses(request: web.Request) -> web.Response | None:
        if not is_write(request):
            return None
        return web.json_response({"kind": "Status", "message": "a webhook says no"}, status=status)

    strict.api.before = refuses
    failed = await strict.refused(name.removeprefix("kubernetes_"), **RED[name])
    assert failed.error not in (OUTCOME_UNKNOWN, "conflict")
    assert "a webhook says no" in failed.message


@pytest.mark.parametrize("name", RED)
async def test_what_an_admission_says_stands_on_the_card(strict: Kubernetes, name: str) -> None:
    async def refuses(request: web.Request) -> web.Response | None:
        status = {"kind": "Status", "message": "admission webhook denied the request: frozen", "code": 403}
        return web.json_response(status, status=403) if is_write(request) else None

    strict.api.before = refuses
    run = await dry_run(strict.tools[name], CONTEXT, RED[name])
    assert run is not None
    assert "admission webhook denied the request: frozen" in run.error


@pytest.mark.parametrize("name", RED)
async def test_an_old_server_is_not_asked_for_a_dry_run(strict: Kubernetes, name: str) -> None:
    strict.api.minor = "17+"
    run = await dry_run(strict.tools[name], CONTEXT, RED[name])
    assert run is not None
    assert "1.17 may not know dry runs" in run.error
    assert strict.api.writes == []


@pytest.mark.parametrize("name", RED)
async def test_nothing_is_sent_once_another_process_may_have_the_thread(strict: Kubernetes, name: str) -> None:
    late = replace(CONTEXT, not_after=lambda: uptime_seconds() - 1)
    with pytest.raises(TooLate):
        await call_tool(strict.tools[name], late, RED[name])
    assert strict.api.writes == []


async def test_too_many_requests_say_when_to_ask_again(strict: Kubernetes) -> None:
    async def busy(_request: web.Request) -> web.Response:
        return web.json_response({"message": "too many requests"}, status=429, headers={"Retry-After": "7"})

    strict.api.before = busy
    asked = len(strict.api.requests)
    failed = await strict.refused("get", kind="pods", namespace="shop")
    assert (failed.error, len(strict.api.requests) - asked) == ("rate_limited", 3)
    assert "again in 7 s" in failed.message


async def test_a_server_that_cannot_prove_its_name_gets_no_token(strict: Kubernetes, tmp_path: Path) -> None:
    asked = len(strict.api.requests)
    (tmp_path / "other").mkdir()
    other, _ = await certificate(tmp_path / "other")
    failed = await strict.with_config().refused("get", kind="pods", namespace="shop", name="gone")
    assert failed.error == "not_found"
    config = replace(strict.world.config(), ca_file=other)
    failed = await of(strict.world, config).refused("get", kind="pods", namespace="shop")
    assert failed.error == "untrusted"
    failed = await of(strict.world, config).refused("scale", **SCALE)
    assert failed.error == "untrusted"
    assert len(strict.api.requests) == asked + 1


async def test_a_token_follows_no_redirect(strict: Kubernetes) -> None:
    elsewhere = KubernetesApi()
    async with elsewhere.serving(None):

        async def sends_on(_request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"{elsewhere.url}/api/v1/pods"})

        strict.api.before = sends_on
        assert (await strict.refused("get", kind="pods", namespace="shop")).error == "bad_answer"
    assert elsewhere.requests == []


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        await response.write(b'{"items": [')
        while True:
            await response.write(b'{"metadata": {"name": "x"}},' * 1000)
    except ConnectionError:
        return response


async def says_nothing(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def packed(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=gzip.compress(b" " * 10_000_000), headers={"Content-Encoding": "gzip"})


def answering(body: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    return answer


HOSTILE = {
    "endless": (endless, "too_much"),
    "packed": (packed, "bad_answer"),
    "no JSON": (answering("<html>"), "bad_answer"),
    "a list": (answering("[]"), "bad_answer"),
    "deep": (answering('{"items":' + "[" * 200_000), "bad_answer"),
    "no number": (answering('{"items": [NaN]}'), "bad_answer"),
}


@pytest.mark.parametrize("trouble", HOSTILE)
async def test_a_hostile_server_only_fails_the_call(strict: Kubernetes, trouble: str) -> None:
    answer, code = HOSTILE[trouble]
    strict.api.before = answer
    tools = of(strict.world, strict.world.config(), timeout_seconds=60.0, answer_bytes=512 * 1024)
    assert (await tools.refused("get", kind="pods", namespace="shop")).error == code


@pytest.mark.parametrize(("name", "code"), [("kubernetes_get", "timeout"), ("kubernetes_scale", OUTCOME_UNKNOWN)])
async def test_a_silent_server_is_given_up(strict: Kubernetes, name: str, code: str) -> None:
    async def listens(request: web.Request) -> web.StreamResponse | None:
        return await says_nothing(request) if is_write(request) or name == "kubernetes_get" else None

    strict.api.before = listens
    tool = of(strict.world, strict.world.config(), timeout_seconds=3.0).tools[name]
    args = {"kind": "pods", "namespace": "shop"} if name == "kubernetes_get" else SCALE
    failed = await call_tool(replace(tool, retryable=False), CONTEXT, args)
    assert isinstance(failed, Failed)
    assert failed.error == code


ODD = ('{"items": "none", "metadata": []}', '{"items": [1, null, {"metadata": 7, "spec": []}]}', "{}")


@pytest.mark.parametrize("body", ODD)
@pytest.mark.parametrize("name", ["get", "events", "describe"])
async def test_objects_of_odd_shapes_break_no_tool(strict: Kubernetes, body: str, name: str) -> None:
    strict.api.before = answering(body)
    more: Mapping[str, Json] = (
        {} if name == "events" else {"kind": "pods", **({"name": "x"} if name == "describe" else {})}
    )
    outcome = await strict.outcome(name, namespace="shop", **more)
    assert isinstance(outcome, Succeeded), outcome


async def test_a_cluster_that_is_away_is_said_so(strict: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(strict.world.config(), url="https://127.0.0.1:1")
    away = of(strict.world, config)
    assert (await away.refused("get", kind="pods", namespace="shop")).error == "unreachable"
    assert await hopeless(away.tool("scale"), CONTEXT, SCALE) is None, "it may be back by the time somebody says yes"
    assert (await away.refused("scale", **SCALE)).error == "unreachable"


async def test_a_kubeconfig_file_is_enough(strict: Kubernetes, tmp_path: Path) -> None:
    file = tmp_path / "config"
    user = {"name": "me", "user": {"token": ADMIN}}
    cluster = {"server": strict.world.url, "certificate-authority": strict.world.ca.name}
    contexts = [{"name": "here", "context": {"cluster": "main", "user": "me"}}]
    written = {"clusters": [{"name": "main", "cluster": cluster}], "users": [user], "contexts": contexts}
    file.write_text(json.dumps({**written, "current-context": "here"}))
    found = of(strict.world, ClusterConfig(kubeconfig=file))
    assert len((await found.get("get", kind="pods", namespace="shop"))["rows"]) == 4
    other = of(strict.world, ClusterConfig(kubeconfig=file, context="elsewhere"))
    failed = await other.refused("get", kind="pods", namespace="shop")
    assert failed.error == "no_secret"
    assert "no elsewhere among its contexts" in failed.message
