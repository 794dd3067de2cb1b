"""A turn keeps the reflections made while it waited for people."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("runs", sa.Column("reflections", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("runs", "reflections")
