"""Which facts the models of a turn were shown."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision: str | None = "0018"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("recalled", sa.JSON(), nullable=True))
