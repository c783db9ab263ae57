"""Whose draft it is, and why a task was reopened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAMED = sa.text("draft_client_id IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("case_task", schema=None) as batch_op:
        batch_op.add_column(sa.Column("draft_client_id", chassis.columns.Id, nullable=True))
        batch_op.add_column(sa.Column("reopened", chassis.columns.JsonOrNull, nullable=True))
    op.create_index(
        "ix_case_task_draft_client_id", "case_task", ["draft_client_id"], sqlite_where=_NAMED, postgresql_where=_NAMED
    )


def downgrade() -> None:
    op.drop_index("ix_case_task_draft_client_id", table_name="case_task")
    with op.batch_alter_table("case_task", schema=None) as batch_op:
        batch_op.drop_column("reopened")
        batch_op.drop_column("draft_client_id")
