"""Values outside a run's state: stored once per tenant and content, with the threads that refer to them."""

from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.errors import ArtifactMissing
from agent.ids import Digest, ThreadId, thread_parts
from agent.plan.artifacts import head_of
from agent.plan.outcomes import ArtifactRef
from infra.db.database import Database
from infra.db.tables import ArtifactRow, ArtifactUseRow, thread_key


class PostgresArtifacts:
    """Artifacts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, thread: ThreadId, name: str, content: bytes, media_type: str) -> ArtifactRef:
        """Store the content unless the tenant has it, and note that the thread refers to it."""
        async with self._database.begin() as connection:
            digest = await keep(connection, thread, name, content, media_type)
        return ArtifactRef(digest=digest, name=name, size=len(content), media_type=media_type, head=head_of(content))

    async def get(self, thread: ThreadId, digest: Digest) -> bytes:
        """Return the content."""
        row = select(ArtifactRow.content).where(
            ArtifactRow.tenant == thread_parts(thread).tenant, ArtifactRow.digest == digest
        )
        content = (await self._database.execute(row)).scalar_one_or_none()
        if content is None:
            raise ArtifactMissing
        return content


async def keep(connection: AsyncConnection, thread: ThreadId, name: str, content: bytes, media_type: str) -> Digest:
    """Store the content unless the tenant has it, and note the thread's reference, in the caller's transaction."""
    tenant = thread_parts(thread).tenant
    digest = digest_of_content(content)
    # Locked, so that an eviction does not take it away before our reference is committed.
    known = (
        select(ArtifactRow.digest)
        .where(ArtifactRow.tenant == tenant, ArtifactRow.digest == digest)
        .with_for_update(key_share=True, read=True)
    )
    use = insert(ArtifactUseRow).values(**thread_key(thread), digest=digest, name=name, media_type=media_type)
    if (await connection.execute(known)).first() is None:
        row = insert(ArtifactRow).values(tenant=tenant, digest=digest, content=content)
        await connection.execute(row.on_conflict_do_nothing())
    await connection.execute(
        use.on_conflict_do_update(index_elements=["tenant", "thread", "digest"], set_={"used_at": func.now()})
    )
    return digest


def digest_of_content(content: bytes) -> Digest:
    """Return the name under which a tenant has this content."""
    return Digest(sha256(content).hexdigest())
