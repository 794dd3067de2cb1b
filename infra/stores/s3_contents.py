"""Contents in an S3-compatible store, over obstore: signed requests of its own, no SDK of Amazon's.

Compared with aioboto3 and s3fs (botocore: 25 MB of service descriptions, pinned by the patch), and minio (blocking).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store

from agent.errors import ArtifactMissing, ContentUnavailable
from agent.tool import ToolError
from infra.config.file_store import FilesTable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

_T = TypeVar("_T")

CONNECT_SECONDS = 5
REQUEST_SECONDS = 60
PAUSES_SECONDS = (0.2, 1.0)
"""Before a request that failed is made again; whoever asked has retries of its own besides."""


class S3Contents:
    """Contents. Credentials are read anew after a refusal, so that rotated ones count."""

    def __init__(self, config: FilesTable, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._config = config
        self._pause = pause
        self._store: S3Store | None = None

    async def put(self, key: str, content: bytes) -> None:
        """Store an object, whole or not at all."""

        async def put(store: S3Store) -> None:
            await store.put_async(key, content)

        await self._tried(put)

    async def get(self, key: str) -> bytes:
        """Return an object's content."""

        async def get(store: S3Store) -> bytes:
            return bytes(await (await store.get_async(key)).bytes_async())

        return await self._tried(get)

    async def delete(self, key: str) -> None:
        """Delete an object."""

        async def delete(store: S3Store) -> None:
            await store.delete_async(key)

        try:
            await self._tried(delete)
        except ArtifactMissing:
            return

    async def _tried(self, call: Callable[[S3Store], Awaitable[_T]]) -> _T:
        for seconds in (*PAUSES_SECONDS, None):
            try:
                store = self._store = self._store or await self._opened()
                return await call(store)
            except FileNotFoundError:
                raise ArtifactMissing from None
            except (BaseError, ToolError, OSError) as error:
                self._store = None
                if seconds is None:
                    raise ContentUnavailable from error
            await self._pause(seconds)
        raise ContentUnavailable

    async def _opened(self) -> S3Store:
        """Return a store with today's credentials.

        Raises:
            ToolError: they cannot be read.
        """
        config = self._config
        options: ClientConfig = {
            "timeout": f"{REQUEST_SECONDS}s",
            "connect_timeout": f"{CONNECT_SECONDS}s",
            "allow_http": urlsplit(config.endpoint).scheme == "http",
        }
        found: S3Config = {"bucket": config.bucket, "region": config.region}
        if config.endpoint:
            found["endpoint"] = config.endpoint
        if config.access_key is not None and config.secret_key is not None:
            found["access_key_id"] = await config.access_key.read()
            found["secret_access_key"] = await config.secret_key.read()
        prefix = config.prefix or None
        return S3Store(prefix=prefix, config=found, client_options=options, retry_config={"max_retries": 0})
