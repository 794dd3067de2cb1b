"""Operations in a real run: alerts of a real Prometheus, pods and logs of a cluster, and changes as their cards say.

The cluster is behind the strict API server of `tests/fakes/kubernetes_api.py`: no package that can be installed brings
a kube-apiserver, and that file says from which real one its answers were recorded.
"""

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import URL

from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import Script
from infra.doctor.finding import State
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, rows, states
from tests.acceptance.clicks import open_calls
from tests.acceptance.doctor_fixtures import patient
from tests.acceptance.plans import ANSWERS, ENDS, goes_on, planned, results_told, tool
from tests.fakes.kubernetes_api import ADMIN
from tests.fakes.kubernetes_world import PODS, WEB, KubernetesWorld, kubernetes_world
from tests.fakes.prometheus_server import prometheus


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Prometheus with an alert that fires."""
    with prometheus(tmp_path_factory.mktemp("prometheus")) as url:
        yield url


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cluster with an open shop."""
    monkeypatch.setenv("KUBE_TOKEN", ADMIN)
    (tmp_path / "cluster").mkdir()
    async with kubernetes_world(tmp_path / "cluster") as opened:
        yield opened


@asynccontextmanager
async def operations(
    url: URL,
    data: Path,
    world: KubernetesWorld,
    metrics: str = "http://127.0.0.1:1",
    scripts: Sequence[Script] = (ENDS, ANSWERS),
) -> AsyncGenerator[AppScene]:
    def configured(table: dict[str, object]) -> None:
        clusters = {"production": world.table(namespaces=["shop"])}
        table["tools"] = {"kubernetes": {"clusters": clusters}, "prometheus": {"url": metrics}}

    async with app_scene(url, data, scripts, approvals={}, configuration=configured) as scene:
        yield scene


def scale(id: str = "scale", replicas: int = 5, **more: Any) -> dict[str, Any]:
    args = {"kind": "deployment", "namespace": "shop", "name": "web", "replicas": replicas, **more}
    return tool(id, "kubernetes_scale", args)


def questions(observer: ThreadObserver) -> list[str]:
    """Return the ts of each card that asks what became of a call."""
    return [str(card.message["ts"]) for card in observer.cards() if "decide_happened" in json.dumps(card.message)]


async def test_an_alert_is_looked_into_scaled_away_on_a_card_and_undone(
    database_url: URL, tmp_path: Path, world: KubernetesWorld, metrics: str
) -> None:
    assert world.api is not None
    world.api.logs["shop", "web-0", "web"] = "starting\nERROR queue is full\n"
    await world.event("one", "Unhealthy", "2026-11-24T07:05:00Z")
    scripts = (ENDS, goes_on(scale()), ANSWERS)
    async with operations(database_url, tmp_path, world, metrics, scripts) as scene:
        scene.model.add(
            planned(
                tool("alerts", "prometheus_alerts", {}),
                tool("load", "prometheus_query", {"query": "vector(42)", "last": "30m"}),
                tool("pods", "kubernetes_get", {"kind": "pods", "namespace": "shop", "label_selector": "app=web"}),
                tool("logs", "kubernetes_logs", {"namespace": "shop", "pod": "${pods#/rows/0/name}", "tail_lines": 5}),
                tool("why", "kubernetes_describe", {"kind": "deployment", "namespace": "shop", "name": "web"}),
                tool("events", "kubernetes_events", {"namespace": "shop", "type": "Warning"}),
            )
        )
        async with scene.asked("the checkout is slow") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            told = results_told(scene.model.requests_of("conclude")[0])
            assert told["alerts"]["alerts"][0]["name"] == "CheckoutDown"
            assert told["load"]["series"][0]["points"][0][1] == 42
            assert [row["name"] for row in told["pods"]["rows"]] == ["web-0", "web-1", "web-2"]
            assert told["logs"]["text"] == "starting\nERROR queue is full\n"
            assert told["events"]["events"][0]["reason"] == "Unhealthy"
            (call,) = open_calls(observer)
            for shown in ("Scale", "deployment", "Replicas: 5", "now", "then"):
                assert shown in call.shown
            assert '\\"now\\": 3' in call.shown
            assert await world.replicas() == 3, "nothing before a person said yes"
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered, "the answer")
            assert await world.replicas() == 5
            await scene.people.post("Ada", observer.channel, "!undo", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: bool(open_calls(seen, "Undo: Title of scale")), "the card of the undoing")
            await scene.click(observer, "Ada", "approved")
            await observer.until(lambda seen: seen.says(wording.UNDONE_TITLE), "the report")
            assert await world.replicas() == 3
        assert [write for write in world.api.writes if write.startswith("PUT")] == ["PUT web/scale"] * 2
    assert await rows(database_url, "SELECT count(*) FROM ledger WHERE state <> 'done'") == [(0,)]


async def test_a_workload_that_others_changed_meanwhile_is_asked_about_again(
    database_url: URL, tmp_path: Path, world: KubernetesWorld
) -> None:
    async with operations(database_url, tmp_path, world) as scene:
        scene.model.add(planned(scale()))
        async with scene.asked("more of them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await world.ask("PATCH", WEB, {"spec": {"replicas": 8}})
            await scene.click(observer, "Ada", "approved")
            await observer.until(lambda seen: bool(open_calls(seen, '\\"now\\": 8')), "the card with what is now")
            assert await world.replicas() == 8
            await scene.click(observer, "Ada", "rejected")
            await observer.until(answered, "the answer")
            assert await world.replicas() == 8


async def test_what_others_scaled_since_is_not_undone(
    database_url: URL, tmp_path: Path, world: KubernetesWorld
) -> None:
    async with operations(database_url, tmp_path, world) as scene:
        scene.model.add(planned(scale()))
        async with scene.asked("more of them") as observer:
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered, "the answer")
            await world.ask("PATCH", WEB, {"spec": {"replicas": 8}})
            await scene.people.post("Ada", observer.channel, "!undo", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("it was changed since"), "the report")
            assert open_calls(observer) == []
            assert await world.replicas() == 8


async def test_a_restart_and_a_deleted_pod_are_as_their_cards_say(
    database_url: URL, tmp_path: Path, world: KubernetesWorld
) -> None:
    async with operations(database_url, tmp_path, world) as scene:
        place = {"namespace": "shop", "name": "web"}
        restart = tool("restart", "kubernetes_restart", {**place, "kind": "deployment"})
        delete = tool("delete", "kubernetes_delete_pod", {"namespace": "shop", "name": "web-1"})
        scene.model.add(planned(restart, delete))
        async with scene.asked("restart it") as observer:
            await observer.until(lambda seen: len(open_calls(seen)) == 2, "both cards")
            (restarting,) = open_calls(observer, "Title of restart")
            assert "RollingUpdate" in restarting.shown or "nginx:1" in restarting.shown
            (deleting,) = open_calls(observer, "Title of delete")
            assert "ReplicaSet/web-7d" in deleting.shown
            for call in (restarting, deleting):
                await scene.people.click(
                    "Ada", observer.channel, call.card, "decide_approved", block_id=call.block_id, value=call.value
                )
            await observer.until(answered, "the answer")
        assert {row["metadata"]["name"] for row in (await world.ask("GET", PODS))["items"]} == {
            "alone",
            "web-0",
            "web-2",
        }
        web_ = await world.ask("GET", WEB)
        assert "kubectl.kubernetes.io/restartedAt" in web_["spec"]["template"]["metadata"]["annotations"]


async def test_a_namespace_that_is_not_open_is_refused_before_anybody_is_asked(
    database_url: URL, tmp_path: Path, world: KubernetesWorld
) -> None:
    async with operations(database_url, tmp_path, world) as scene:
        scene.model.add(planned(scale(namespace="kube-system"), scale("typo", name="wbe")))
        async with scene.asked("more of them") as observer:
            await observer.until(answered, "the answer")
            assert observer.cards() == []
            assert "that namespace isn't open to me" in states(observer)["scale"]
            assert "it isn't there" in states(observer)["typo"]


async def test_a_change_whose_answer_is_lost_is_not_sent_again_before_a_person_looked(
    database_url: URL, tmp_path: Path, world: KubernetesWorld
) -> None:
    api = world.api
    assert api is not None

    async def hangs_up(request: web.Request) -> None:
        if request.method == "PUT" and "dryRun" not in request.query and request.transport is not None:
            request.transport.abort()

    api.after = hangs_up
    async with operations(database_url, tmp_path, world) as scene:
        scene.model.add(planned(scale()))
        async with scene.asked("more of them") as observer:
            await scene.click(observer, "Ada", "approved")
            await observer.until(lambda seen: bool(questions(seen)), "the question")
            await scene.people.click("Ada", observer.channel, questions(observer)[0], "decide_happened")
            await observer.until(answered, "the answer")
    assert [write for write in api.writes if write.startswith("PUT")] == ["PUT web/scale"]


async def test_no_value_of_a_secret_reaches_a_model_or_a_person(
    database_url: URL, tmp_path: Path, world: KubernetesWorld
) -> None:
    async with operations(database_url, tmp_path, world) as scene:
        secret = {"kind": "secrets", "namespace": "shop"}
        scene.model.add(
            planned(
                tool("one", "kubernetes_get", {**secret, "name": "login"}),
                tool("all", "kubernetes_get", {**secret, "output": "objects"}),
                tool("why", "kubernetes_describe", {**secret, "name": "login"}),
            )
        )
        async with scene.asked("what is the password") as observer:
            await observer.until(answered, "the answer")
        told = json.dumps([message.text for request in scene.model.requests for message in request.messages])
        assert '\\"password\\"' in told.replace("\\\\", "\\")
        everything = told + json.dumps(await scene.people.dump())
        assert "hunter2" not in everything
        assert "aHVudGVy" not in everything
        assert ADMIN not in everything


def may(*rights: str) -> Callable[[str, str, str], bool]:
    """Return rights in the namespace shop, such as `get pods`."""
    return lambda verb, resource, namespace: namespace == "shop" and f"{verb} {resource}" in rights


async def test_doctor_tries_each_cluster_and_prometheus(
    database_url: URL, tmp_path: Path, world: KubernetesWorld, metrics: str
) -> None:
    assert world.api is not None
    async with patient(database_url, tmp_path) as sick:
        lines = [
            f'sandbox = "monty"\n[tools.prometheus]\nurl = "{metrics}"',
            *(
                f'[tools.kubernetes.clusters.{name}]\nurl = "{world.url}"\nca_file = "{world.ca}"\n'
                f'token = {{ env = "{token}" }}\nnamespaces = ["shop"]'
                for name, token in (("one", "KUBE_TOKEN"), ("two", "OTHER_TOKEN"))
            ),
        ]
        sick.configuration.write_text("\n".join(lines))
        found = await sick.findings()
        assert (found["prometheus"].state, found["kubernetes one"].state) == (State.OK, State.OK)
        assert "version 2." in found["prometheus"].says
        assert "v1.20.2, its login may do what the tools need in shop" in found["kubernetes one"].says
        assert found["kubernetes two"].state is State.WRONG
        assert "the variable OTHER_TOKEN is not set" in found["kubernetes two"].says

        reads = ("list pods", "get pods", "get pods/log", "list events", "list deployments", "get deployments")
        world.api.people[ADMIN] = ("somebody", may(*reads))
        lacking = (await sick.findings())["kubernetes one"]
        assert lacking.state is State.WRONG
        assert "may not get deployments/scale in shop, update deployments/scale in shop" in lacking.says
        assert "kubernetes_delete_pod, kubernetes_restart, kubernetes_scale" in lacking.mend
        lines.insert(1, "")
        off = '[tools]\ndisabled = ["kubernetes_delete_pod", "kubernetes_restart", "kubernetes_scale"]'
        sick.configuration.write_text("\n".join([lines[0].replace("[tools.prom", f"{off}\n[tools.prom"), *lines[1:]]))
        assert (await sick.findings())["kubernetes one"].state is State.OK

        world.api.people.clear()
        assert "does not accept the token" in (await sick.findings())["kubernetes one"].says
        sick.configuration.write_text(f'[tools.prometheus]\nurl = "{world.url}"')
        assert "not safe" in (await sick.findings())["prometheus"].says
        sick.configuration.write_text('[tools.prometheus]\nurl = "http://127.0.0.1:1"')
        assert "Nothing answers at 127.0.0.1:1" in (await sick.findings())["prometheus"].says
