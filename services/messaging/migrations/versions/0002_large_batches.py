"""Large batches: the next to prepare are read in order, and a lease changes a delivery in its own page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _index("accepted", ["firm_id", "due_at", "id"])
    # Not of `lease_until`: no index may hold what a lease changes.
    _index("sending", ["sender_id"])
    _on_postgresql("ALTER TABLE delivery SET (fillfactor = 45)")


def downgrade() -> None:
    _on_postgresql("ALTER TABLE delivery RESET (fillfactor)")
    _index("sending", ["lease_until"])
    _index("accepted", ["firm_id", "due_at"])


def _index(state: str, columns: list[str]) -> None:
    name, where = f"ix_delivery_{state}", sa.text(f"state = '{state}'")
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.drop_index(name)
        batch_op.create_index(name, columns, unique=False, sqlite_where=where, postgresql_where=where)


def _on_postgresql(statement: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(statement)
