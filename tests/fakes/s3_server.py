"""An S3-compatible server on this machine: moto's, over HTTP, with what a test can do to it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from moto.server import ThreadedMotoServer

from infra.config.file_store import FilesTable
from infra.tools.secret import Secret

BUCKET = "greenlight-files"


class S3Server:
    """The server. It can be stopped and started again; a new start is empty, so `outage` keeps its objects."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()
        requests.put(f"{self.url}/{BUCKET}", timeout=30).raise_for_status()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Take the server off the network; its objects stay in this process."""
        self._server.stop()

    def start(self) -> None:
        """Bring it back at the same address."""
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()

    def settings(self, **more: Any) -> FilesTable:
        """Return `[files]` with this server."""
        keys = {"access_key": Secret(env="TEST_S3_KEY"), "secret_key": Secret(env="TEST_S3_SECRET")}
        return FilesTable(store="s3", bucket=BUCKET, endpoint=self.url, prefix="gl", **keys, **more)

    def table(self, **more: object) -> Mapping[str, object]:
        """Return the same as the configuration file has it."""
        return {
            "store": "s3",
            "bucket": BUCKET,
            "endpoint": self.url,
            "prefix": "gl",
            "access_key": {"env": "TEST_S3_KEY"},
            "secret_key": {"env": "TEST_S3_SECRET"},
            **more,
        }

    def keys(self) -> list[str]:
        """Return the keys of all objects."""
        listing = requests.get(f"{self.url}/{BUCKET}?list-type=2", timeout=30).text
        return [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]


@contextmanager
def s3_server() -> Generator[S3Server]:
    """Yield a server with an empty bucket."""
    server = S3Server()
    try:
        yield server
    finally:
        requests.post(f"{server.url}/moto-api/reset", timeout=30)
        server.stop()
