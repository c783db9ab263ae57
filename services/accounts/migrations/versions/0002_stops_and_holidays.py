"""What a STOP ends, and the calendar of public holidays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("firm", schema=None) as batch_op:
        batch_op.add_column(sa.Column("holiday_calendar", sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column("opt_out_scope", sa.String(length=20), server_default="channel", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("firm", schema=None) as batch_op:
        batch_op.drop_column("opt_out_scope")
        batch_op.drop_column("holiday_calendar")
