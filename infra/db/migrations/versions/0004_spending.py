"""What each run has spent: model calls, tokens, money and time."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    for name in ("model_calls", "input_tokens", "output_tokens", "cost_micros", "work_milliseconds"):
        op.add_column("runs", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
