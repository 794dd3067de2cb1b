"""Cached tokens: how many of a run's input tokens the model's server found in its cache."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("cached_tokens", sa.BigInteger(), server_default="0", nullable=False))
