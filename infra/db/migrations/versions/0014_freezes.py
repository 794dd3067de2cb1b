"""A freeze stops red calls: the trigger that links their start to the audit refuses it."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None

# The freezes are read while the head of the chain is locked, and a freeze has its own row in the chain: each start is
# either before a freeze, in the audit too, or refused.
_REFUSE_FROZEN = """
CREATE OR REPLACE FUNCTION greenlight_audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM greenlight_audit_append(NEW);
    IF NEW.event = 'started' AND EXISTS (
        SELECT 1 FROM freezes WHERE freezes.tenant = NEW.tenant AND (
            scope = 'workspace' OR (scope = 'channel' AND target = split_part(NEW.thread, ':', 2))
            OR (scope = 'tool' AND target = NEW.details ->> 'tool'))
    ) THEN
        RAISE EXCEPTION 'red calls are frozen' USING ERRCODE = 'GL001';
    END IF;
    RETURN NULL;
END;
$$;
"""


def upgrade() -> None:
    op.create_table(
        "freezes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "scope", "target", name="pk_freezes"),
    )
    op.execute(sa.text(_REFUSE_FROZEN.replace(":", r"\:")))
