"""Attempts of packages: the call they belong to, and the artifact with their logs, calls and answers."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("of", sa.Text(), server_default="", nullable=False))
    op.add_column("attempts", sa.Column("record", sa.Text(), nullable=True))
