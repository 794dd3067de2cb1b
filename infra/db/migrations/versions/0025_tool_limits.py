"""The calls that rate limits of tools count, and the numbers that stand for personal data of a thread."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision: str | None = "0024"
branch_labels: str | None = None
depends_on: str | None = None

# A sliding window over the newest calls: exact, where a token bucket lets up to twice as many calls through in a span
# that begins with a full bucket. The rows are locked in the order of their keys, and the clock is read only then: so
# calls are in the order of their times, whoever waited for whom, also when the server's clock is set back.
# `given` is the clock of tests.
_TAKE = """
CREATE FUNCTION greenlight_take_places(
    of_tenant text, keys text[], most integer[], spans double precision[], given timestamptz DEFAULT NULL
) RETURNS double precision[] LANGUAGE plpgsql AS $$
DECLARE
    clock timestamptz;
    waits double precision[];
BEGIN
    INSERT INTO tool_limits (tenant, key) SELECT of_tenant, wanted FROM unnest(keys) AS wanted ORDER BY wanted
        ON CONFLICT DO NOTHING;
    PERFORM 1 FROM tool_limits WHERE tenant = of_tenant AND key = ANY(keys) ORDER BY key FOR UPDATE;
    SELECT greatest(coalesce(given, clock_timestamp()), max(calls[cardinality(calls)])) INTO clock
        FROM tool_limits WHERE tenant = of_tenant AND key = ANY(keys);
    SELECT array_agg(
        CASE WHEN cardinality(calls) < wanted_most THEN 0
        ELSE greatest(0, wanted_span - extract(epoch FROM clock - calls[cardinality(calls) - wanted_most + 1])) END
        ORDER BY place) INTO waits
        FROM unnest(keys, most, spans) WITH ORDINALITY AS wanted (wanted_key, wanted_most, wanted_span, place)
        JOIN tool_limits ON tenant = of_tenant AND key = wanted_key;
    IF 0 >= ALL (waits) THEN
        UPDATE tool_limits SET calls = calls[greatest(1, cardinality(calls) - wanted_most + 2):] || clock
            FROM unnest(keys, most) AS wanted (wanted_key, wanted_most)
            WHERE tenant = of_tenant AND key = wanted_key;
    END IF;
    RETURN waits;
END;
$$;
"""


def upgrade() -> None:
    op.create_table(
        "tool_limits",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("calls", sa.ARRAY(sa.DateTime(timezone=True)), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", name="pk_tool_limits"),
    )
    op.create_table(
        "masks",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "thread", "kind", "digest", name="pk_masks"),
        sa.UniqueConstraint("tenant", "thread", "kind", "number", name="uq_masks_tenant_thread_kind_number"),
    )
    op.execute(sa.text(_TAKE.replace(":", r"\:")))
