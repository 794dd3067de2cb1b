"""Where a cluster's API server is and what it is told, read anew for each call: tokens and certificates change.

A kubeconfig file is read as kubectl does, except that no program it names is run, and no unchecked server is asked.
"""

import base64
import binascii
import os
import ssl
import tempfile
from asyncio import to_thread
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml

from agent.redaction import SECRETS
from agent.tool import ToolError
from infra.tools.kubernetes.settings import ClusterConfig
from infra.tools.secret import Secret
from infra.tools.service import base_address, is_open_to_others, trust_in

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token and the cluster's certificates."""

_FILE_BYTES = 1024 * 1024


class LoginUnusable(Exception):
    """A kubeconfig file, or what it names, cannot be used; the text is for the operator."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """How to reach a cluster."""

    address: str
    token: Secret | None = None
    #: The token itself, where a kubeconfig file holds it.
    written_token: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None
    #: The name that the server's certificate must have; None: that of the address.
    server_name: str | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that say who asks.

        Raises:
            ToolError: `no_secret`: the token cannot be read.
        """
        token = self.written_token if self.token is None else await self.token.read()
        return {"Authorization": f"Bearer {token}"} if token else {}


async def login_of(name: str, config: ClusterConfig) -> Login:
    """Return how to reach a cluster.

    Raises:
        ToolError: `no_secret`: what its settings name cannot be read or used.
    """
    try:
        return await to_thread(_login, config)
    except (LoginUnusable, OSError, ValueError) as error:
        words = str(error) if isinstance(error, LoginUnusable) else type(error).__name__
        raise ToolError("no_secret", f"The login of the cluster {name} cannot be used: {words}") from error


def _login(config: ClusterConfig) -> Login:
    if config.kubeconfig is not None:
        return _from_kubeconfig(config.kubeconfig.expanduser(), config.context)
    if config.in_cluster:
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise LoginUnusable("Greenlight does not run in a cluster: KUBERNETES_SERVICE_HOST is not set")
        return Login(
            address=base_address(f"https://{f'[{host}]' if ':' in host else host}:{port}"),
            token=Secret(file=SERVICE_ACCOUNT / "token"),
            tls=_trusting(_text_of(SERVICE_ACCOUNT / "ca.crt")),
        )
    tls = _trusting(_text_of(config.ca_file.expanduser())) if config.ca_file is not None else None
    return Login(address=config.url, token=config.token, tls=tls)


def _trusting(pem: str) -> ssl.SSLContext:
    try:
        return trust_in(pem)
    except ValueError:
        raise LoginUnusable("the cluster's certificates are not in PEM") from None


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES + 1)
    except OSError as error:
        raise LoginUnusable(f"{path} cannot be read: {type(error).__name__}") from error
    if len(content) > _FILE_BYTES:
        raise LoginUnusable(f"{path} is too large")
    return content.decode()


def _from_kubeconfig(path: Path, context: str) -> Login:
    try:
        read: object = yaml.safe_load(_text_of(path))
    except (yaml.YAMLError, RecursionError) as error:
        raise LoginUnusable(f"{path} is no YAML") from error
    file = _mapping(read, str(path))
    chosen = _named(file, "contexts", context or _text(file, "current-context"), path)
    cluster = _named(file, "clusters", _text(chosen, "cluster"), path)
    login = _text(chosen, "user")
    user = _named(file, "users", login, path) if login else dict[str, object]()
    if cluster.get("insecure-skip-tls-verify"):
        raise LoginUnusable("insecure-skip-tls-verify is not obeyed: name the server's certificates")
    if refused := sorted({"exec", "auth-provider", "username", "as"} & user.keys()):
        words = "which is not supported: use url and token = { command = [...] }"
        raise LoginUnusable(f"it logs in by {refused[0]}, {words}")
    address = base_address(_text(cluster, "server"))
    token_file, token = _text(user, "tokenFile"), _text(user, "token")
    if token:
        SECRETS.learn(f"the token in {path.name}", token)
    if (token or token_file) and is_open_to_others(address):
        raise LoginUnusable("a token is sent only to an https address")
    return Login(
        address=address,
        token=Secret(file=path.parent / token_file) if token_file else None,
        written_token="" if token_file else token,
        tls=_tls(cluster, user, path.parent),
        server_name=_text(cluster, "tls-server-name") or None,
    )


def _tls(cluster: Mapping[str, object], user: Mapping[str, object], folder: Path) -> ssl.SSLContext | None:
    """Return what checks the server, and shows it the user's certificate if there is one."""
    ca = _content(cluster, "certificate-authority", folder)
    certificate, key = (_content(user, name, folder) for name in ("client-certificate", "client-key"))
    if not (ca or certificate):
        return None
    tls = _trusting(ca) if ca else ssl.create_default_context()
    if certificate:
        # OpenSSL's context takes files only; this one is readable by this user only and gone at once.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(f"{certificate}\n{key}")
            file.flush()
            try:
                tls.load_cert_chain(file.name)
            except ssl.SSLError as error:
                raise LoginUnusable("the client's certificate and key are none") from error
    return tls


def _content(table: Mapping[str, object], name: str, folder: Path) -> str:
    """Return what stands in a file, or beside its name in base64."""
    if data := _text(table, f"{name}-data"):
        try:
            return base64.b64decode(data, validate=True).decode()
        except (binascii.Error, ValueError):
            raise LoginUnusable(f"{name}-data is no base64") from None
    path = _text(table, name)
    return _text_of(folder / path) if path else ""


def _named(file: Mapping[str, object], kind: str, name: str, path: Path) -> Mapping[str, object]:
    """Return the entry of this name in one of the lists of a kubeconfig file."""
    entries = file.get(kind)
    for entry in cast("Sequence[object]", entries) if isinstance(entries, list) else ():
        if isinstance(entry, dict) and (found := cast("dict[str, object]", entry)).get("name") == name:
            return _mapping(found.get(kind.removesuffix("s")), f"{kind} of {path}")
    raise LoginUnusable(f"{path} has no {name or 'current context'} among its {kind}")


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise LoginUnusable(f"{where} holds no table")
    return cast("dict[str, object]", value)


def _text(table: Mapping[str, object], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""
