"""Artifacts on PostgreSQL."""

import asyncio

import pytest
from sqlalchemy import text

from agent.errors import ArtifactMissing
from agent.ids import Digest
from infra.db.database import Database
from infra.stores.stores import Stores
from tests.fakes.rows import ELSEWHERE, OTHER, THREAD


async def test_equal_content_is_stored_once_per_tenant(stores: Stores, database: Database) -> None:
    content = b"x" * 100_000
    puts = (stores.artifacts.put(thread, "log", content, "text/plain") for thread in (THREAD, OTHER, THREAD) * 5)
    refs = await asyncio.gather(*puts)
    assert len({ref.digest for ref in refs}) == 1
    async with database.begin() as connection:
        stored = (await connection.execute(text("SELECT count(*) FROM artifacts"))).scalar_one()
    assert stored == 1
    assert await stores.artifacts.get(OTHER, refs[0].digest) == content


async def test_another_tenant_cannot_read_it(stores: Stores) -> None:
    ref = await stores.artifacts.put(THREAD, "log", b"secret", "text/plain")
    with pytest.raises(ArtifactMissing):
        await stores.artifacts.get(ELSEWHERE, ref.digest)


async def test_what_was_never_stored_is_missing(stores: Stores) -> None:
    with pytest.raises(ArtifactMissing):
        await stores.artifacts.get(THREAD, Digest("0" * 64))


async def test_the_head_is_its_first_512_characters(stores: Stores) -> None:
    ref = await stores.artifacts.put(THREAD, "n", ("é" * 600).encode(), "text/plain")
    assert (ref.head, ref.size, ref.name, ref.media_type) == ("é" * 512, 1200, "n", "text/plain")
