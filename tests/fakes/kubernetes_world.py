"""A cluster with a shop in it, behind the strict API server of `kubernetes_api.py` or a real kube-apiserver.

The real one runs where `GREENLIGHT_KUBE_APISERVER` names its binary and etcd is installed (Debian: etcd-server).
"""

import asyncio
import json
import os
import shutil
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from infra.tools.kubernetes.settings import ClusterConfig
from infra.tools.secret import Secret
from tests.fakes.kubernetes_api import ADMIN, KubernetesApi, Object, certificate

BINARY = os.environ.get("GREENLIGHT_KUBE_APISERVER", "")
SERVERS = ("strict", *(["real"] if BINARY else []))
READER = "reader-token-0123456789"

PODS = "/api/v1/namespaces/shop/pods"
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"


@dataclass(kw_only=True)
class KubernetesWorld:
    """A cluster, and the hands of somebody else in it."""

    url: str
    ca: Path
    #: None: the server is a real one.
    api: KubernetesApi | None

    def config(self, **more: Any) -> ClusterConfig:
        """Return the settings of this cluster; the token is in the variable KUBE_TOKEN."""
        return ClusterConfig(url=self.url, token=Secret(env="KUBE_TOKEN"), ca_file=self.ca, **more)

    def table(self, **more: Any) -> dict[str, Any]:
        """Return the same as a table of the configuration file."""
        return {"url": self.url, "token": {"env": "KUBE_TOKEN"}, "ca_file": str(self.ca), **more}

    async def ask(self, method: str, path: str, body: Object | None = None) -> Object:
        """Do something as the cluster's administrator, and return what is there then."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind}
        trust = ssl.create_default_context(cafile=str(self.ca))
        data = None if body is None else json.dumps(body)
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, data=data, headers=headers, ssl=trust) as response,
        ):
            found: Object = await response.json()
            assert response.status < 300, found
            return found

    async def replicas(self) -> int:
        """Return how many replicas the workload has."""
        found = await self.ask("GET", WEB)
        return int(found["spec"]["replicas"])

    async def touch(self, path: str) -> None:
        """Write to an object what nobody looks at, as a report about it does."""
        label = {"touched": os.urandom(4).hex()}
        await self.ask("PATCH", path, {"metadata": {"labels": label}})

    async def open_shop(self) -> None:
        """Put a workload with three pods, settings and a secret into the namespace."""
        await self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
        labels = {"app": "web"}
        spec: Object = {"containers": [{"name": "web", "image": "nginx:1"}]}
        template = {"metadata": {"labels": labels}, "spec": spec}
        deployment = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
        path = "/apis/apps/v1/namespaces/shop"
        web = await self.ask("POST", f"{path}/deployments", {"metadata": {"name": "web"}, "spec": deployment})
        owned = {"name": "web-7d", "labels": labels, "ownerReferences": [_owner("apps/v1", web)]}
        set_ = await self.ask("POST", f"{path}/replicasets", {"metadata": owned, "spec": deployment})
        for number in range(3):
            pod = {"name": f"web-{number}", "labels": labels, "ownerReferences": [_owner("apps/v1", set_)]}
            await self.ask("POST", PODS, {"metadata": pod, "spec": spec})
        await self.ask("POST", PODS, {"metadata": {"name": "alone"}, "spec": spec})
        copied = {"kubectl.kubernetes.io/last-applied-configuration": '{"stringData": {"password": "hunter2hunter2"}}'}
        values = {"password": "hunter2hunter2"}
        secret = {"metadata": {"name": "login", "annotations": copied}, "stringData": values}
        await self.ask("POST", "/api/v1/namespaces/shop/secrets", secret)
        settings = {"metadata": {"name": "settings"}, "data": {"colour": "green"}}
        await self.ask("POST", "/api/v1/namespaces/shop/configmaps", settings)

    async def event(self, name: str, reason: str, at: str, *, about: str = "web-0", type: str = "Warning") -> None:
        """Have something reported about a pod."""
        pod = await self.ask("GET", f"{PODS}/{about}")
        object_ = {"kind": "Pod", "name": about, "namespace": "shop", "uid": pod["metadata"]["uid"]}
        event = {"type": type, "reason": reason, "message": f"{reason} of {about}", "count": 2, "lastTimestamp": at}
        path = "/api/v1/namespaces/shop/events"
        await self.ask("POST", path, {"metadata": {"name": name}, "involvedObject": object_, **event})


def _owner(version: str, written: Mapping[str, Any]) -> Object:
    metadata = written["metadata"]
    return {
        "apiVersion": version,
        "kind": written["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


@asynccontextmanager
async def kubernetes_world(folder: Path, server: str = "strict") -> AsyncGenerator[KubernetesWorld]:
    """Yield a cluster with an open shop."""
    async with AsyncExitStack() as stack:
        ca, tls = await certificate(folder)
        if server == "real":
            world = KubernetesWorld(url=await stack.enter_async_context(_real(folder, ca)), ca=ca, api=None)
        else:
            api = KubernetesApi()
            await stack.enter_async_context(api.serving(tls))
            world = KubernetesWorld(url=api.url, ca=ca, api=api)
        await world.open_shop()
        yield world


@asynccontextmanager
async def _real(folder: Path, ca: Path) -> AsyncGenerator[str]:
    """Yield the address of a real kube-apiserver with a database of its own."""
    etcd = shutil.which("etcd")
    assert etcd is not None, "etcd is not installed (Debian: apt-get install etcd-server)"
    store, peers, port = (f"http://127.0.0.1:{_free_port()}", f"http://127.0.0.1:{_free_port()}", _free_port())
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{ADMIN},admin,1,"system:masters"\n{READER},reader,2\n')
    key = folder / "127.0.0.1-key.pem"
    commands: list[list[str]] = [
        [
            etcd,
            *("--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", store, "--advertise-client-urls", store),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"default={peers}"),
        ],
        [
            BINARY,
            *("--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", str(port)),
            *("--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none"),
            *("--tls-cert-file", str(ca), "--tls-private-key-file", str(key), "--token-auth-file", str(tokens)),
            *("--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24"),
            *("--service-account-issuer", "https://kubernetes", "--service-account-key-file", str(ca)),
            *("--service-account-signing-key-file", str(key), "--disable-admission-plugins", "ServiceAccount"),
        ],
    ]
    running: list[asyncio.subprocess.Process] = []
    try:
        for command in commands:
            with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
                running.append(await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log))
        url = f"https://127.0.0.1:{port}"
        await _until_ready(url, ca)
        yield url
    finally:
        for process in reversed(running):
            process.kill()
            await process.wait()


async def _until_ready(url: str, ca: Path) -> None:
    trust = ssl.create_default_context(cafile=str(ca))
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with asyncio.timeout(120), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/readyz", headers=headers, ssl=trust) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
