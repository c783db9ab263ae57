"""Large batches: the next to prepare are read in order, and a lease changes a delivery in its own page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _index(["firm_id", "due_at", "id"])
    _fill(45)


def downgrade() -> None:
    _fill(70)
    _index(["firm_id", "due_at"])


def _index(columns: list[str]) -> None:
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.drop_index("ix_delivery_accepted")
        batch_op.create_index(
            "ix_delivery_accepted",
            columns,
            unique=False,
            sqlite_where=sa.text("state = 'accepted'"),
            postgresql_where=sa.text("state = 'accepted'"),
        )


def _fill(percent: int) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE delivery SET (fillfactor = {percent})")
