"""A message or call whose provider names its price later says when to ask for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DUE = sa.text("price_due_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("delivery", sa.Column("price_due_at", chassis.columns.Instant(), nullable=True))
    op.create_index("ix_delivery_price_due_at", "delivery", ["price_due_at"], sqlite_where=_DUE, postgresql_where=_DUE)


def downgrade() -> None:
    op.drop_index("ix_delivery_price_due_at", table_name="delivery")
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.drop_column("price_due_at")
