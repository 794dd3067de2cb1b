"""How each run's plan was packed, and why the rest stayed apart."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("packing", sa.JSON(), server_default="{}", nullable=False))
