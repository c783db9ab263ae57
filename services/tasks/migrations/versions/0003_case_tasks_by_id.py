"""Case tasks are found by their ids alone, however many a firm has."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("uq_case_task_id", "case_task", ["id"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_case_task_id", table_name="case_task")
