"""How the effect of a red call can be taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("ledger", sa.Column("inverse", sa.JSON(), nullable=True))
