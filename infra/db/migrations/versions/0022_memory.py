"""Which facts and runbooks the models of a turn were shown, and the instructions of channels."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision: str | None = "0021"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("recalled", sa.JSON(), nullable=True))
    op.add_column("runs", sa.Column("runbooks", sa.JSON(), nullable=True))
    op.create_table(
        "instructions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "channel", name="pk_instructions"),
    )
