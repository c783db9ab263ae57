"""A batch knows the group of clients that it was sent to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_OF_GROUPS = sa.text("group_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("batch", sa.Column("group_id", chassis.columns.Id, nullable=True))
    op.create_index(
        "ix_batch_group",
        "batch",
        ["firm_id", "group_id", "created_at", "id"],
        sqlite_where=_OF_GROUPS,
        postgresql_where=_OF_GROUPS,
    )


def downgrade() -> None:
    op.drop_index("ix_batch_group", table_name="batch")
    with op.batch_alter_table("batch") as batch_op:
        batch_op.drop_column("group_id")
