"""Open tasks are grouped by assignee: the index has those of nobody too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_COLUMNS = ["firm_id", "assignee_id", "due_at", "id"]
_OPEN = "status IN ('to_do', 'in_progress')"


def _create(*more: str) -> None:
    op.create_index(
        "ix_case_task_assignee", "case_task", _COLUMNS,
        sqlite_where=sa.text(" AND ".join((_OPEN, "archived = 0", *more))),
        postgresql_where=sa.text(" AND ".join((_OPEN, "NOT archived", *more))),
    )  # fmt: skip


def upgrade() -> None:
    op.drop_index("ix_case_task_assignee", table_name="case_task")
    _create()


def downgrade() -> None:
    op.drop_index("ix_case_task_assignee", table_name="case_task")
    _create("assignee_id IS NOT NULL")
