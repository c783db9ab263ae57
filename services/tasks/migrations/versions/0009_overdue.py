"""What is done about overdue tasks, deadlines that are announced once, and what a date after another task is counted from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_DEADLINE = "uq_case_task_change_deadline"


def upgrade() -> None:
    op.add_column("task_template", sa.Column("overdue_handling", chassis.columns.JsonOrNull, nullable=True))
    op.add_column("case_task", sa.Column("due_counted_from", chassis.columns.Instant(), nullable=True))
    op.add_column("case_task_change", sa.Column("deadline", chassis.columns.Instant(), nullable=True))
    there = sa.text("deadline IS NOT NULL")
    columns = ["firm_id", "case_task_id", "deadline"]
    op.create_index(_DEADLINE, "case_task_change", columns, unique=True, sqlite_where=there, postgresql_where=there)


def downgrade() -> None:
    op.drop_index(_DEADLINE, table_name="case_task_change")
    op.drop_column("case_task_change", "deadline")
    op.drop_column("case_task", "due_counted_from")
    op.drop_column("task_template", "overdue_handling")
