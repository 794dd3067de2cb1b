"""A real Prometheus for tests (Debian: prometheus), which watches itself and has alerts; or a skip with the reason."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

USER, PASSWORD = "greenlight", "prometheus-0123456789"
_HASHED = "$2b$04$3kaEl6qjFSRiqEN6q2QJpu8EtQpZsJMgiX2h.KZTgQ0S35.k7Op22"

_RULES = """
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: CheckoutDown
        expr: vector(7)
        labels: {severity: page, team: shop}
        annotations: {summary: "Checkout answers with errors"}
      - alert: DiskFillsUp
        expr: vector(1)
        for: 5h
        labels: {severity: ticket}
      - record: shop:numbers
        expr: vector(1)
"""

_CONFIG = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ["rules.yml"]
scrape_configs:
  - job_name: itself
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""


@contextmanager
def prometheus(folder: Path, web: Mapping[str, Any] | None = None) -> Generator[str]:
    """Yield the address of a server; with `web`, its web configuration, it is given once it listens."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed (Debian: apt-get install prometheus)")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = int(listening.getsockname()[1])
    (folder / "rules.yml").write_text(_RULES)
    (folder / "prometheus.yml").write_text(_CONFIG % port)
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    if web is not None:
        (folder / "web.yml").write_text(json.dumps(web))  # which is YAML, too
        command.append(f"--web.config.file={folder / 'web.yml'}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _until_ready(process, port, folder, open_to_all=web is None)
        yield f"{'http' if web is None or 'tls_server_config' not in web else 'https'}://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _until_ready(process: subprocess.Popen[bytes], port: int, folder: Path, *, open_to_all: bool) -> None:
    """Wait until it listens, and where it asks for no credentials, until it has its alerts and saw itself."""
    ends = time.monotonic() + 120
    while time.monotonic() < ends and process.poll() is None:
        try:
            if not open_to_all:
                with socket.create_connection(("127.0.0.1", port)):
                    return
            alerts, up = (_data(port, path) for path in ("alerts", "query?query=up"))
            if len(alerts["alerts"]) == 2 and up["result"]:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text()[-2000:])


def _data(port: int, path: str) -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", f"/api/v1/{path}")
        return json.load(connection.getresponse())["data"]
    except (HTTPException, ValueError, KeyError) as error:
        raise OSError from error
    finally:
        connection.close()


def basic_auth(certificate: Path, key: Path) -> Mapping[str, Any]:
    """Return the web configuration of a server over TLS that asks for `USER` and `PASSWORD`."""
    return {
        "basic_auth_users": {USER: _HASHED},
        "tls_server_config": {"cert_file": str(certificate), "key_file": str(key)},
    }
