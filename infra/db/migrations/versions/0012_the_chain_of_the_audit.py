"""The audit becomes append-only and a chain: one for each tenant, which begins with the rows that stand already."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None

# `infra/audit/chain.py` computes the same; a change of one needs a new version in the first field.
_LINK = """
CREATE FUNCTION greenlight_audit_field(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN value IS NULL THEN '-' ELSE octet_length(convert_to(value, 'UTF8')) || ':' || value END
$$;
CREATE FUNCTION greenlight_audit_append(written audit) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    head audit_heads;
    seasoning text;
    token text;
    link text;
BEGIN
    SELECT * INTO head FROM audit_heads WHERE tenant = written.tenant FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_heads (tenant) VALUES (written.tenant) ON CONFLICT DO NOTHING;
        SELECT * INTO head FROM audit_heads WHERE tenant = written.tenant FOR UPDATE;
    END IF;
    IF written."by" <> '' THEN
        SELECT salt INTO seasoning FROM audit_people WHERE tenant = written.tenant AND person = written."by";
        IF NOT FOUND THEN
            seasoning := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
            INSERT INTO audit_people (tenant, person, salt) VALUES (written.tenant, written."by", seasoning);
        END IF;
        token := encode(sha256(convert_to(seasoning || ':' || written."by", 'UTF8')), 'hex');
    END IF;
    head.seq := head.seq + 1;
    link := encode(sha256(convert_to(
        greenlight_audit_field('greenlight-audit/1') || greenlight_audit_field(head.hash)
        || greenlight_audit_field(written.tenant) || greenlight_audit_field(head.seq::text)
        || greenlight_audit_field(to_char(written.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || greenlight_audit_field(written.thread) || greenlight_audit_field(written.node)
        || greenlight_audit_field(written.event) || greenlight_audit_field(token)
        || greenlight_audit_field(written.digest) || greenlight_audit_field(written.details::text), 'UTF8')), 'hex');
    INSERT INTO audit_links (tenant, seq, entry, person, hash)
        VALUES (written.tenant, head.seq, written.id, token, link);
    UPDATE audit_heads SET seq = head.seq, hash = link,
        sealed_seq = CASE WHEN written.event = 'sealed' THEN head.seq ELSE sealed_seq END,
        sealed_at = CASE WHEN written.event = 'sealed' THEN written.at ELSE sealed_at END
        WHERE tenant = written.tenant;
END;
$$;
CREATE FUNCTION greenlight_audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM greenlight_audit_append(NEW);
    RETURN NULL;
END;
$$;
"""

_BEGIN_WITH_WHAT_STANDS = """
DO $$
DECLARE
    written audit;
BEGIN
    FOR written IN SELECT * FROM audit ORDER BY id LOOP
        PERFORM greenlight_audit_append(written);
    END LOOP;
END;
$$;
"""

# Deferred: the head is locked last and only while the server commits, never while it waits for a process.
_CHAIN = """
CREATE CONSTRAINT TRIGGER greenlight_audit_link AFTER INSERT ON audit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION greenlight_audit_link();
"""

# A person's id may be taken out of a row; nothing else of it ever changes.
_APPEND_ONLY = """
CREATE FUNCTION greenlight_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
END;
$$;
CREATE FUNCTION greenlight_audit_erase_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW."by" IS NULL AND (NEW.tenant, NEW.thread, NEW.id, NEW.at, NEW.node, NEW.event, NEW.digest, NEW.details::text)
        IS NOT DISTINCT FROM
        (OLD.tenant, OLD.thread, OLD.id, OLD.at, OLD.node, OLD.event, OLD.digest, OLD.details::text) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
END;
$$;
CREATE TRIGGER greenlight_audit_erase_only BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION greenlight_audit_erase_only();
CREATE TRIGGER greenlight_audit_refuse BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION greenlight_audit_refuse();
CREATE TRIGGER greenlight_audit_refuse_all BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION greenlight_audit_refuse();
CREATE TRIGGER greenlight_audit_refuse BEFORE UPDATE OR DELETE ON audit_links
    FOR EACH ROW EXECUTE FUNCTION greenlight_audit_refuse();
CREATE TRIGGER greenlight_audit_refuse_direct BEFORE INSERT ON audit_links
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION greenlight_audit_refuse();
CREATE TRIGGER greenlight_audit_refuse_all BEFORE TRUNCATE ON audit_links
    FOR EACH STATEMENT EXECUTE FUNCTION greenlight_audit_refuse();
CREATE TRIGGER greenlight_audit_refuse_direct BEFORE INSERT OR UPDATE OR DELETE ON audit_heads
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION greenlight_audit_refuse();
CREATE TRIGGER greenlight_audit_refuse_all BEFORE TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION greenlight_audit_refuse();
"""


def upgrade() -> None:
    op.create_table(
        "audit_links",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "seq", name="pk_audit_links"),
        sa.UniqueConstraint("tenant", "entry", name="uq_audit_links_tenant_entry"),
    )
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("hash", sa.Text(), server_default="", nullable=False),
        sa.Column("sealed_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant", name="pk_audit_heads"),
    )
    op.create_table(
        "audit_people",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "person", name="pk_audit_people"),
    )
    op.execute("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE")
    for statements in (_LINK, _BEGIN_WITH_WHAT_STANDS, _CHAIN, _APPEND_ONLY):
        op.execute(sa.text(statements.replace(":", r"\:")))
