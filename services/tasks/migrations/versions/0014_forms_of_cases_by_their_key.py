"""The forms of cases are found by their key alone, not among all of their firm."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BEFORE = ["firm_id", "case_id", "assigned_once_key"]
_NOW = ["case_id", "assigned_once_key", "firm_id"]


def upgrade() -> None:
    _change(_BEFORE, _NOW)
    op.drop_index("ix_case_form_firm_id_form_id", table_name="case_form")
    op.create_index("ix_case_form_form_id", "case_form", ["form_id"])


def downgrade() -> None:
    op.drop_index("ix_case_form_form_id", table_name="case_form")
    op.create_index("ix_case_form_firm_id_form_id", "case_form", ["firm_id", "form_id"])
    _change(_NOW, _BEFORE)


def _change(before: list[str], now: list[str]) -> None:
    with op.batch_alter_table("case_form") as batch_op:
        batch_op.drop_constraint(op.f(f"uq_case_form_{'_'.join(before)}"), type_="unique")
        batch_op.create_unique_constraint(op.f(f"uq_case_form_{'_'.join(now)}"), now)
