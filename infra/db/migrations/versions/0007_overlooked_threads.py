"""What the safety net needs: when it last woke a thread, and the messages nobody took."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("threads", sa.Column("looked_for_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_inbox_untaken", "inbox", ["tenant", "thread"], postgresql_where=sa.text("turn IS NULL"))
