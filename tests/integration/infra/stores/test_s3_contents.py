"""Contents of files in an S3-compatible store: moto's server, over the wire, with its outages."""

from collections.abc import AsyncGenerator, Generator

import pytest
from sqlalchemy import text

from agent.errors import ArtifactMissing, ContentUnavailable
from agent.ids import Digest
from infra.db.database import Database
from infra.stores.artifacts import PostgresArtifacts
from infra.stores.s3_contents import S3Contents
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.files import done, put_output
from tests.fakes.rows import OTHER, THREAD
from tests.fakes.s3_server import S3Server, s3_server


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Generator[S3Server]:
    """A server with an empty bucket, and credentials for it."""
    monkeypatch.setenv("TEST_S3_KEY", "AKIA0123456789")
    monkeypatch.setenv("TEST_S3_SECRET", "s3-secret-0123456789")
    with s3_server() as server:
        yield server


@pytest.fixture
async def stores(
    database: Database, queue: Queue, notifications: PgNotifications, s3: S3Server
) -> AsyncGenerator[Stores]:
    """Every store, with the contents of files in the bucket."""
    settings = s3.settings(prompt_rounds=1, run_bytes=1)
    contents = S3Contents(settings, pause=_at_once)
    stores = Stores(database, queue, notifications, file_limits=settings, contents=contents)
    yield stores
    await stores.progress.close()


async def _at_once(_seconds: float) -> None:
    """Wait for nothing between two tries."""


async def _discarded(database: Database) -> int:
    return (await database.execute(text("SELECT count(*) FROM discarded_contents"))).scalar_one()


async def test_contents_are_objects_named_by_their_digest_once_per_tenant(
    stores: Stores, s3: S3Server, database: Database
) -> None:
    ref = await put_output(stores, "a", "x" * 100_000)
    await put_output(stores, "b", "x" * 100_000, thread=OTHER)
    (key,) = s3.keys()
    assert key.startswith(f"gl/T1/{ref.digest[:2]}/{ref.digest}-")
    assert await stores.artifacts.get(OTHER, ref.digest) == b"x" * 100_000
    rows = (await database.execute(text("SELECT content, key FROM artifacts"))).all()
    assert [(row.content, f"gl/{row.key}") for row in rows] == [(None, key)]
    assert await _discarded(database) == 0


async def test_another_content_than_was_put_there_is_refused(stores: Stores, s3: S3Server) -> None:
    ref = await put_output(stores, "a", "right")
    await S3Contents(s3.settings()).put(s3.keys()[0].removeprefix("gl/"), b"wrong")
    with pytest.raises(ContentUnavailable):
        await stores.artifacts.get(THREAD, ref.digest)


async def test_an_outage_is_told_and_loses_nothing(stores: Stores, s3: S3Server) -> None:
    ref = await put_output(stores, "a", "before")
    s3.stop()
    with pytest.raises(ContentUnavailable):
        await stores.artifacts.get(THREAD, ref.digest)
    with pytest.raises(ContentUnavailable):
        await put_output(stores, "b", "meanwhile")
    assert await stores.files.find(THREAD, "1/b/b.txt") is None
    s3.start()
    assert await stores.artifacts.get(THREAD, ref.digest) == b"before"
    again = await put_output(stores, "b", "meanwhile")
    assert await stores.artifacts.get(THREAD, again.digest) == b"meanwhile"


async def test_an_evicted_content_is_deleted_once_the_store_can_be_reached(
    stores: Stores, s3: S3Server, database: Database
) -> None:
    ref = await done(stores, "a", "old")
    for _ in range(3):
        await stores.files.begin(THREAD)
    with pytest.raises(ArtifactMissing):
        await stores.artifacts.get(THREAD, ref.digest)
    s3.stop()
    with pytest.raises(ContentUnavailable):
        await stores.artifacts.delete_discarded()
    s3.start()
    assert len(s3.keys()) == 1
    await database.execute(text("UPDATE discarded_contents SET due_at = now()"))
    assert await stores.artifacts.delete_discarded() == 1
    assert s3.keys() == []
    assert await _discarded(database) == 0


class _Locked:
    """Contents of which the other store keeps one, as under a retention lock."""

    def __init__(self, contents: S3Contents, locked: str) -> None:
        self._contents = contents
        self._locked = locked

    async def put(self, key: str, content: bytes) -> None:
        await self._contents.put(key, content)

    async def get(self, key: str) -> bytes:
        return await self._contents.get(key)

    async def delete(self, key: str) -> None:
        if key == self._locked:
            raise ContentUnavailable
        await self._contents.delete(key)


async def test_an_object_that_cannot_be_deleted_holds_up_no_other(s3: S3Server, database: Database) -> None:
    contents = S3Contents(s3.settings(), pause=_at_once)
    for at, key in enumerate(("T1/aa/locked", "T1/bb/free", "T1/cc/free")):
        await contents.put(key, b"nobody's")
        due = text("INSERT INTO discarded_contents VALUES (:key, now() - make_interval(hours => :hours))")
        await database.execute(due, {"key": key, "hours": 9 - at})
    artifacts = PostgresArtifacts(database, _Locked(contents, "T1/aa/locked"))
    assert await artifacts.delete_discarded() == 2
    assert s3.keys() == ["gl/T1/aa/locked"]
    assert await artifacts.delete_discarded() == 0
    assert await _discarded(database) == 1
    await database.execute(text("UPDATE discarded_contents SET due_at = now()"))
    with pytest.raises(ContentUnavailable):
        await artifacts.delete_discarded()


async def test_a_content_that_comes_again_while_its_object_waits_to_be_deleted_is_kept(
    stores: Stores, s3: S3Server
) -> None:
    await done(stores, "a", "same")
    for _ in range(3):
        await stores.files.begin(THREAD)
    again = await put_output(stores, "b", "same", thread=OTHER)
    assert await stores.artifacts.delete_discarded() == 1
    assert await stores.artifacts.get(OTHER, again.digest) == b"same"
    assert len(s3.keys()) == 1


async def test_an_object_whose_process_died_before_its_row_is_deleted_later(
    stores: Stores, s3: S3Server, database: Database
) -> None:
    await put_output(stores, "a", "kept")
    contents = S3Contents(s3.settings(), pause=_at_once)
    await contents.put("T1/de/dead-1", b"nobody's")
    waiting = "INSERT INTO discarded_contents VALUES ('T1/de/dead-1', now() + interval '1 hour')"
    await database.execute(text(waiting))
    assert await stores.artifacts.delete_discarded() == 0
    await database.execute(text("UPDATE discarded_contents SET due_at = now()"))
    assert await stores.artifacts.delete_discarded() == 1
    assert len(s3.keys()) == 1


async def test_an_object_that_somebody_deleted_is_missing(stores: Stores, s3: S3Server) -> None:
    ref = await put_output(stores, "a", "gone")
    contents = S3Contents(s3.settings(), pause=_at_once)
    await contents.delete(s3.keys()[0].removeprefix("gl/"))
    with pytest.raises(ArtifactMissing):
        await stores.artifacts.get(THREAD, ref.digest)
    with pytest.raises(ArtifactMissing):
        await stores.artifacts.get(THREAD, Digest("0" * 64))


async def test_what_the_database_kept_before_stays_readable(
    stores: Stores, database: Database, queue: Queue, notifications: PgNotifications
) -> None:
    before = Stores(database, queue, notifications)
    ref = await put_output(before, "a", "in the database")
    assert await stores.artifacts.get(THREAD, ref.digest) == b"in the database"
    assert (await put_output(stores, "b", "in the database")).digest == ref.digest
