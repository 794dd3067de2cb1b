"""What a request takes under the policy it was posted with, when something is due about it, and votes."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("approvals", sa.Column("policy", sa.JSON(), nullable=True))
    op.add_column("approvals", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_approvals_due", "approvals", ["due_at"], postgresql_where=sa.text("status = 'pending'"))
    op.create_index(
        "ix_approvals_open_of_author",
        "approvals",
        ["tenant", "author"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "votes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("approval", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("stages", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("stage", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "approval", "digest", "stages", "by", name="pk_votes"),
    )
