"""Files: the names of large outputs in their threads, and contents that another store keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision: str | None = "0019"
branch_labels: str | None = None
depends_on: str | None = None

_LIVE = sa.text("evicted_at IS NULL")

_EARLIER = """
    INSERT INTO files (tenant, thread, name, turn, node, author, digest, size, media_type, summary, personal, outside,
        made_at)
    SELECT nodes.tenant, nodes.thread, nodes.turn || '/' || nodes.node || '/' || (nodes.outcome->'artifact'->>'name'),
        nodes.turn, nodes.node, nodes.author, nodes.outcome->'artifact'->>'digest',
        (nodes.outcome->'artifact'->>'size')::bigint, nodes.outcome->'artifact'->>'media_type', '',
        json_build_array(json_build_array(coalesce(nodes.tool, nodes.kind), nodes.author)), true,
        coalesce(nodes.ended_at, nodes.changed_at)
    FROM nodes
    WHERE nodes.outcome->'artifact' IS NOT NULL
    ON CONFLICT DO NOTHING
"""
"""What nodes of earlier versions left. Nobody noted what they had read, so each is its author's alone to read."""


def upgrade() -> None:
    op.alter_column("artifacts", "content", existing_type=sa.LargeBinary(), nullable=True)
    op.add_column("artifacts", sa.Column("key", sa.Text(), nullable=True))
    op.add_column("threads", sa.Column("file_rounds", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "files",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("personal", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("outside", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("found_in", sa.BigInteger(), nullable=True),
        sa.Column("spared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evicted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evicted_for", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("tenant", "thread", "name", name="pk_files"),
    )
    op.create_index(
        "ix_files_live",
        "files",
        ["tenant", "thread", "found_in"],
        postgresql_include=["turn", "size", "made_at"],
        postgresql_where=_LIVE,
    )
    op.create_index("ix_files_tenant_thread_made_at", "files", ["tenant", "thread", "made_at"])
    op.create_index("ix_files_old", "files", ["made_at"], postgresql_where=_LIVE)
    op.create_table(
        "discarded_contents",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_discarded_contents"),
    )
    op.create_index("ix_discarded_contents_due_at", "discarded_contents", ["due_at"])
    op.execute(_EARLIER)
