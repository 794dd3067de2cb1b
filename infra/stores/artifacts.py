"""Values outside a run's state: stored once per tenant and content, with the threads and files that refer to them.

The content is in the database, or an object of another store (`Contents`). An object has a key of its own for each
upload, so that deleting one never takes away what somebody stores again meanwhile; a row of `discarded_contents`
stands for it until a row needs it, and again once none does.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Protocol
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.errors import ArtifactMissing, ContentUnavailable
from agent.ids import Digest, ThreadId, thread_parts
from agent.plan.artifacts import head_of
from agent.plan.files import FileOrigin, content_summary
from agent.plan.outcomes import ArtifactRef
from infra.db.database import Database
from infra.db.tables import ArtifactRow, ArtifactUseRow, AttemptRow, DiscardedContentRow, FileRow, ThreadRow, thread_key

UPLOAD_TIME = timedelta(hours=1)
"""An object that no row needs this long after its upload began never gets one."""

_TRIES = 5

_AGAIN_AFTER = timedelta(hours=1)
"""An object that could not be deleted is tried again after this time: the others come first."""

_FAILURES_IN_A_ROW = 5
"""After so many the other store counts as out of reach."""

_log = logging.getLogger(__name__)


class Contents(Protocol):
    """A store of objects. Every method raises `ContentUnavailable` when it cannot be reached."""

    async def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        ...

    async def get(self, key: str) -> bytes:
        """Return an object's content.

        Raises:
            ArtifactMissing: there is none.
        """
        ...

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        ...


class PostgresArtifacts:
    """Artifacts. Without `contents` the database keeps what is put; either way it has what it got before."""

    def __init__(self, database: Database, contents: Contents | None = None) -> None:
        self._database = database
        self._contents = contents

    async def put(
        self, thread: ThreadId, name: str, content: bytes, media_type: str, origin: FileOrigin | None = None
    ) -> ArtifactRef:
        """Store the content unless the tenant has it, and note that the thread, and its file, refer to it."""
        digest, summary = await asyncio.to_thread(_seen, content, media_type)
        ref = ArtifactRef(
            digest=digest,
            name=name if origin is None else origin.path(name),
            size=len(content),
            media_type=media_type,
            head=head_of(content),
            summary=summary,
        )
        had: Digest | None = None
        in_database = content if self._contents is None else None
        for _ in range(_TRIES):
            key = None if self._contents is None else await self._uploaded(self._contents, thread, digest, content)
            async with self._database.begin() as connection:
                kept = await _kept(connection, thread, digest, name, media_type, content=in_database, key=key)
                if kept and origin is not None:
                    had = await _write_file(connection, thread, origin, ref)
            if kept:
                break
        else:
            raise ContentUnavailable
        if had is not None:
            async with self._database.begin() as connection:
                await lock_thread(connection, thread)
                await release(connection, thread, [had])
        return ref

    async def get(self, thread: ThreadId, digest: Digest) -> bytes:
        """Return the content.

        Raises:
            ContentUnavailable: the other store has it, and cannot be reached or returned something else.
        """
        used = exists().where(ArtifactUseRow.of_thread(thread), ArtifactUseRow.digest == digest)
        row = select(ArtifactRow.content, ArtifactRow.key).where(_content(thread, digest), used)
        found = (await self._database.execute(row)).one_or_none()
        if found is None:
            raise ArtifactMissing
        if found.key is None or found.content is not None:
            return found.content
        if self._contents is None:
            raise ContentUnavailable
        content = await self._contents.get(found.key)
        if await asyncio.to_thread(digest_of_content, content) != digest:
            raise ContentUnavailable
        return content

    async def delete_discarded(self) -> int:
        """Delete the objects that no row needs; return how many. One that cannot be deleted now stays noted.

        Raises:
            ContentUnavailable: the other store cannot be reached.
        """
        if self._contents is None:
            return 0
        due = select(DiscardedContentRow.key).where(DiscardedContentRow.due_at <= func.now())
        keys = (await self._database.execute(due.order_by(DiscardedContentRow.due_at).limit(200))).scalars().all()
        count = failures = 0
        failed: ContentUnavailable | None = None
        for key in keys:
            of_key = DiscardedContentRow.key == key
            try:
                await self._contents.delete(key)
            except ContentUnavailable as error:
                later = update(DiscardedContentRow).where(of_key).values(due_at=func.now() + _AGAIN_AFTER)
                await self._database.execute(later)
                _log.warning("the object %s cannot be deleted now", key)
                failed, failures = error, failures + 1
                if failures == _FAILURES_IN_A_ROW:
                    break
                continue
            await self._database.execute(delete(DiscardedContentRow).where(of_key))
            count, failures = count + 1, 0
        if failed is not None and (not count or failures == _FAILURES_IN_A_ROW):
            raise failed
        return count

    async def _uploaded(self, contents: Contents, thread: ThreadId, digest: Digest, content: bytes) -> str | None:
        """Return the key of a new object with the content; None: the tenant has it already."""
        if (await self._database.execute(select(ArtifactRow.digest).where(_content(thread, digest)))).first():
            return None
        key = f"{thread_parts(thread).tenant}/{digest[:2]}/{digest}-{uuid4().hex[:12]}"
        noted = insert(DiscardedContentRow).values(key=key, due_at=func.now() + UPLOAD_TIME)
        await self._database.execute(noted)
        await contents.put(key, content)
        return key


async def lock_thread(connection: AsyncConnection, thread: ThreadId, *, skip_locked: bool = False) -> bool:
    """Lock the thread's row until the transaction ends: no operation is appended meanwhile. Return whether it is."""
    row = select(ThreadRow.thread).where(ThreadRow.of_thread(thread)).with_for_update(skip_locked=skip_locked)
    return (await connection.execute(row)).first() is not None


def _seen(content: bytes, media_type: str) -> tuple[Digest, str]:
    return digest_of_content(content), content_summary(content, media_type)


def _content(thread: ThreadId, digest: Digest) -> ColumnElement[bool]:
    return and_(ArtifactRow.tenant == thread_parts(thread).tenant, ArtifactRow.digest == digest)


async def keep(connection: AsyncConnection, thread: ThreadId, name: str, content: bytes, media_type: str) -> Digest:
    """Store the content in the database unless the tenant has it, and note the thread's reference to it.

    In the caller's transaction.
    """
    digest = digest_of_content(content)
    while not await _kept(connection, thread, digest, name, media_type, content=content):
        pass  # another process stored it and let it go, both since we looked
    return digest


async def _kept(
    connection: AsyncConnection,
    thread: ThreadId,
    digest: Digest,
    name: str,
    media_type: str,
    *,
    content: bytes | None,
    key: str | None = None,
) -> bool:
    """Note the thread's reference to a content, and store it unless the tenant has it; return whether it is there.

    `key` is that of an object with the content, uploaded for this row. With neither, the tenant had it a moment ago.
    """
    # Locked, so that an eviction does not take it away before our reference is committed.
    known = select(ArtifactRow.digest).where(_content(thread, digest)).with_for_update(key_share=True, read=True)
    if (await connection.execute(known)).first() is None:
        if content is None and key is None:
            return False
        row = insert(ArtifactRow).values(tenant=thread_parts(thread).tenant, digest=digest, content=content, key=key)
        stored = await connection.execute(row.on_conflict_do_nothing().returning(ArtifactRow.digest))
        if stored.first() is None:
            return False
        if key is not None:
            await connection.execute(delete(DiscardedContentRow).where(DiscardedContentRow.key == key))
    use = insert(ArtifactUseRow).values(**thread_key(thread), digest=digest, name=name, media_type=media_type)
    await connection.execute(
        use.on_conflict_do_update(index_elements=["tenant", "thread", "digest"], set_={"used_at": func.now()})
    )
    return True


async def _write_file(
    connection: AsyncConnection, thread: ThreadId, origin: FileOrigin, ref: ArtifactRef
) -> Digest | None:
    """Store a file's row; return the digest of the content that it had before, if it was another one."""
    before = select(FileRow.digest).where(FileRow.of_thread(thread), FileRow.name == ref.name).with_for_update()
    had = (await connection.execute(before)).scalar_one_or_none()
    made = {
        "turn": origin.turn,
        "node": origin.node,
        "author": origin.author,
        "digest": ref.digest,
        "size": ref.size,
        "media_type": ref.media_type,
        "summary": ref.summary,
        "personal": sorted([source.tool, source.author] for source in origin.personal),
        "outside": origin.outside,
        "made_at": func.now(),
        "found_in": None,
        "evicted_at": None,
        "evicted_for": "",
    }
    row = insert(FileRow).values(**thread_key(thread), name=ref.name, **made)
    await connection.execute(row.on_conflict_do_update(index_elements=["tenant", "thread", "name"], set_=made))
    return None if had is None or had == ref.digest else Digest(had)


async def release(connection: AsyncConnection, thread: ThreadId, digests: Iterable[str]) -> None:
    """Take back the thread's references to contents that no file and no attempt of it has, and delete what nobody has.

    In the caller's transaction, which holds the thread's row.
    """
    for digest in sorted(set(digests)):  # in one order everywhere: two evictions never wait for each other
        file = exists().where(FileRow.of_thread(thread), FileRow.digest == digest, FileRow.evicted_at.is_(None))
        record = exists().where(AttemptRow.of_thread(thread), AttemptRow.record == digest)
        use = delete(ArtifactUseRow).where(ArtifactUseRow.of_thread(thread), ArtifactUseRow.digest == digest)
        await connection.execute(use.where(~file, ~record))
        row = _content(thread, Digest(digest))
        await connection.execute(select(ArtifactRow.digest).where(row).with_for_update())
        # A statement of its own: it sees the references that were committed while the lock was waited for.
        tenant = thread_parts(thread).tenant
        others = exists().where(ArtifactUseRow.tenant == tenant, ArtifactUseRow.digest == digest)
        deleted = await connection.execute(delete(ArtifactRow).where(row, ~others).returning(ArtifactRow.key))
        if (key := deleted.scalar_one_or_none()) is not None:
            await connection.execute(insert(DiscardedContentRow).values(key=key, due_at=func.now()))


def digest_of_content(content: bytes) -> Digest:
    """Return the name under which a tenant has this content."""
    return Digest(sha256(content).hexdigest())
