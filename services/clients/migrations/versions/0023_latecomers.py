"""When services are told of an erasure for the last time"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tell_last_at", chassis.columns.Instant(), nullable=True))
        batch_op.create_index(
            "ix_erasure_tell_last_at",
            ["tell_last_at"],
            unique=False,
            sqlite_where=sa.text("tell_last_at IS NOT NULL"),
            postgresql_where=sa.text("tell_last_at IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_erasure_tell_last_at",
            sqlite_where=sa.text("tell_last_at IS NOT NULL"),
            postgresql_where=sa.text("tell_last_at IS NOT NULL"),
        )
        batch_op.drop_column("tell_last_at")
