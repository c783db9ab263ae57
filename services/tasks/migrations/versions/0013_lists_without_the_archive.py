"""Lists of case tasks pass over none that lie in the archive, and the dates of each status are in an order of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_case_task_created", "case_task", ["firm_id", "created_at", "id"],
        sqlite_where=sa.text("archived = 0"), postgresql_where=sa.text("NOT archived"),
    )  # fmt: skip
    op.drop_index("ix_case_task_firm_id_created_at", table_name="case_task")
    op.drop_index("ix_case_task_firm_id_due_at", table_name="case_task")


def downgrade() -> None:
    op.create_index("ix_case_task_firm_id_due_at", "case_task", ["firm_id", "due_at", "id"])
    op.create_index("ix_case_task_firm_id_created_at", "case_task", ["firm_id", "created_at", "id"])
    op.drop_index("ix_case_task_created", table_name="case_task")
