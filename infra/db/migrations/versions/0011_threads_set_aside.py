"""How often a thread was taken over from a process that broke down, and whether it is set aside because of that."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("threads", sa.Column("takeovers", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("threads", sa.Column("ended", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("threads", sa.Column("set_aside_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("workers", sa.Column("signed_off", sa.Boolean(), server_default=sa.text("false"), nullable=False))
