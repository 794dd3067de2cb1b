"""A cluster's login: kubeconfig files as kubectl reads them, a pod's service account, and what is refused."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.redaction import SECRETS
from agent.tool import ToolError
from infra.tools.kubernetes import login
from infra.tools.kubernetes.login import login_of
from infra.tools.kubernetes.settings import ClusterConfig
from infra.tools.secret import Secret
from tests.fakes.kubernetes_api import certificate

TOKEN = "token-of-a-file-0123456789"


def kubeconfig(folder: Path, user: Mapping[str, Any], **cluster: Any) -> ClusterConfig:
    """Write a file with one cluster and one user, and return the settings that name it."""
    written: Mapping[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "main", "user": "me", "namespace": "shop"}},
            {"name": "there", "context": {"cluster": "other", "user": "me"}},
            {"name": "nobody", "context": {"cluster": "main"}},
        ],
        "clusters": [
            {"name": "main", "cluster": {"server": "https://10.0.0.1:6443/", **cluster}},
            {"name": "other", "cluster": {"server": "https://10.0.0.2:6443"}},
        ],
        "users": [{"name": "me", "user": dict(user)}],
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(written))
    return ClusterConfig(kubeconfig=file)


async def refused(config: ClusterConfig) -> str:
    with pytest.raises(ToolError) as caught:
        await login_of("main", config)
    assert caught.value.code == "no_secret"
    return str(caught.value)


@pytest.mark.usefixtures("_knowing_no_secret")
async def test_the_current_context_of_a_kubeconfig_file_is_taken(tmp_path: Path) -> None:
    found = await login_of("main", kubeconfig(tmp_path, {"token": TOKEN}))
    assert found.address == "https://10.0.0.1:6443"
    assert await found.headers() == {"Authorization": f"Bearer {TOKEN}"}
    assert SECRETS.hide(f"it is {TOKEN}") == "it is [secret the token in config]"
    assert TOKEN not in repr(found)


async def test_another_context_can_be_named(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path, {"token": TOKEN})
    assert (await login_of("main", ClusterConfig(kubeconfig=config.kubeconfig, context="there"))).address == (
        "https://10.0.0.2:6443"
    )
    nobody = await login_of("main", ClusterConfig(kubeconfig=config.kubeconfig, context="nobody"))
    assert await nobody.headers() == {}
    assert "has no nowhere among its contexts" in await refused(
        ClusterConfig(kubeconfig=config.kubeconfig, context="nowhere")
    )


async def test_a_token_file_beside_the_kubeconfig_file_is_read_anew_for_each_call(tmp_path: Path) -> None:
    found = await login_of("main", kubeconfig(tmp_path, {"tokenFile": "token", "token": "an older one"}))
    for token in ("first-token-0123456789", "second-token-0123456789"):
        (tmp_path / "token").write_text(f"{token}\n")
        assert await found.headers() == {"Authorization": f"Bearer {token}"}


async def test_certificates_stand_in_the_file_or_beside_it(tmp_path: Path) -> None:
    ca, _ = await certificate(tmp_path)
    data = base64.b64encode(ca.read_bytes()).decode()
    inside = await login_of("main", kubeconfig(tmp_path, {}, **{"certificate-authority-data": data}))
    beside = await login_of(
        "main", kubeconfig(tmp_path, {}, **{"certificate-authority": ca.name, "tls-server-name": "kubernetes"})
    )
    assert inside.tls is not None
    assert beside.tls is not None
    assert [len(tls.get_ca_certs()) for tls in (inside.tls, beside.tls)] == [1, 1]
    assert (inside.server_name, beside.server_name) == (None, "kubernetes")


async def test_a_certificate_of_the_user_is_shown(tmp_path: Path) -> None:
    own, _ = await certificate(tmp_path)
    key = base64.b64encode((tmp_path / "127.0.0.1-key.pem").read_bytes()).decode()
    found = await login_of("main", kubeconfig(tmp_path, {"client-certificate": own.name, "client-key-data": key}))
    assert found.tls is not None
    wrong = kubeconfig(tmp_path, {"client-certificate": own.name, "client-key-data": base64.b64encode(b"x").decode()})
    assert "certificate and key are none" in await refused(wrong)


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"exec": {"command": "aws"}}, {}, "logs in by exec"),
        ({"auth-provider": {"name": "gcp"}}, {}, "logs in by auth-provider"),
        ({"username": "me", "password": "secret"}, {}, "logs in by username"),
        ({"token": TOKEN}, {"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify is not obeyed"),
        ({"token": TOKEN}, {"server": "http://10.0.0.1"}, "only to an https address"),
        ({"token": TOKEN}, {"certificate-authority-data": "%"}, "no base64"),
        ({"token": TOKEN}, {"certificate-authority-data": "eA=="}, "not in PEM"),
        ({"token": TOKEN}, {"certificate-authority": "nowhere.pem"}, "nowhere.pem cannot be read"),
    ],
    ids=["exec", "provider", "password", "insecure", "open", "no base64", "no PEM", "no file"],
)
async def test_what_is_not_safe_or_not_there_is_refused(
    tmp_path: Path, user: Mapping[str, Any], cluster: Mapping[str, Any], words: str
) -> None:
    said = await refused(kubeconfig(tmp_path, user, **cluster))
    assert words in said
    assert TOKEN not in said


@pytest.mark.parametrize(
    "text", ["", "- a list", "clusters: 7", "{", "current-context: here\ncontexts: [1, {name: here}]"]
)
async def test_a_file_that_is_no_kubeconfig_is_said_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    assert "config" in await refused(ClusterConfig(kubeconfig=tmp_path / "config"))
    assert "cannot be read" in await refused(ClusterConfig(kubeconfig=tmp_path / "nowhere"))


async def test_a_huge_kubeconfig_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(json.dumps({"a": "x" * 2_000_000}))
    assert "too large" in await refused(ClusterConfig(kubeconfig=tmp_path / "config"))


async def test_a_pod_logs_in_with_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    inside = ClusterConfig(in_cluster=True)
    assert "does not run in a cluster" in await refused(inside)
    ca, _ = await certificate(tmp_path)
    ca.rename(tmp_path / "ca.crt")
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setattr(login, "SERVICE_ACCOUNT", tmp_path)
    for host, address in (("10.0.0.1", "https://10.0.0.1:6443"), ("fd00::1", "https://[fd00::1]:6443")):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
        found = await login_of("main", inside)
        assert (found.address, await found.headers()) == (address, {"Authorization": f"Bearer {TOKEN}"})


async def test_an_address_and_a_token_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_TOKEN", TOKEN)
    found = await login_of("main", ClusterConfig(url="https://10.0.0.1:6443", token=Secret(env="KUBE_TOKEN")))
    assert (found.address, found.tls) == ("https://10.0.0.1:6443", None)
    assert await found.headers() == {"Authorization": f"Bearer {TOKEN}"}
