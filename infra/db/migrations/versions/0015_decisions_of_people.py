"""What people may decide besides yes and no, and what a card shows besides the arguments."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("approvals", sa.Column("facts", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("approvals", sa.Column("edited", sa.JSON(), nullable=True))
    op.add_column("approvals", sa.Column("result", sa.JSON(), nullable=True))
    op.add_column("approvals", sa.Column("claimed_by", sa.Text(), nullable=True))
