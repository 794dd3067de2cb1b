"""Grants and shared cards; a start is refused while a person is asked about that very call."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on: str | None = None

# As migration 0014, and: a grant that was revoked made the requests it had answered pending again. They are read while
# the head of the chain is locked, and the revocation has its row there: each start is before it, or refused.
_REFUSE_PENDING = """
CREATE OR REPLACE FUNCTION greenlight_audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM greenlight_audit_append(NEW);
    IF NEW.event = 'started' AND (EXISTS (
        SELECT 1 FROM freezes WHERE freezes.tenant = NEW.tenant AND (
            scope = 'workspace' OR (scope = 'channel' AND target = split_part(NEW.thread, ':', 2))
            OR (scope = 'tool' AND target = NEW.details ->> 'tool'))
    ) OR EXISTS (
        SELECT 1 FROM approvals WHERE approvals.tenant = NEW.tenant AND approvals.thread = NEW.thread
            AND approvals.node = NEW.node AND approvals.digest = NEW.digest AND approvals.status = 'pending'
    )) THEN
        RAISE EXCEPTION 'red calls are frozen' USING ERRCODE = 'GL001';
    END IF;
    RETURN NULL;
END;
$$;
"""


def upgrade() -> None:
    op.add_column("approvals", sa.Column("card", sa.Text(), server_default="", nullable=False))
    op.add_column("approvals", sa.Column("grant_id", sa.Text(), server_default="", nullable=False))
    op.create_index("ix_approvals_of_tool", "approvals", ["tenant", "tool", "asked_at"])
    op.create_table(
        "grants",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("most_uses", sa.BigInteger(), nullable=False),
        sa.Column("uses", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_grants"),
    )
    op.create_index("ix_grants_tenant_tool", "grants", ["tenant", "tool"])
    op.execute(sa.text(_REFUSE_PENDING.replace(":", r"\:")))
