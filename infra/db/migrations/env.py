"""Alembic's entry: runs the numbered migrations on the connection that `alembic_commands.py` hands over."""

from alembic import context

from infra.db.alembic_commands import is_ours
from infra.db.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    include_object=is_ours,
    compare_type=True,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
