"""The tasks of a case, and of a template, are found by it alone, not among all of their firm."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_BEFORE = ["firm_id", "case_id", "assigned_once_key"]
_NOW = ["case_id", "assigned_once_key", "firm_id"]


def upgrade() -> None:
    _change(_BEFORE, _NOW)
    op.drop_index("ix_case_task_firm_id_template_id", table_name="case_task")
    op.create_index("ix_case_task_template_id", "case_task", ["template_id"])


def downgrade() -> None:
    op.drop_index("ix_case_task_template_id", table_name="case_task")
    op.create_index("ix_case_task_firm_id_template_id", "case_task", ["firm_id", "template_id"])
    _change(_NOW, _BEFORE)


def _change(before: list[str], now: list[str]) -> None:
    with op.batch_alter_table("case_task") as batch_op:
        batch_op.drop_constraint(op.f(f"uq_case_task_{'_'.join(before)}"), type_="unique")
        batch_op.create_unique_constraint(op.f(f"uq_case_task_{'_'.join(now)}"), now)
