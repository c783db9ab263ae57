"""The days that matter in a case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "case_key_date",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name=op.f("fk_case_key_date_firm_id_case_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_id", "id", name=op.f("pk_case_key_date")),
    )
    op.create_index("ix_case_key_date_day", "case_key_date", ["firm_id", "day", "case_id"])


def downgrade() -> None:
    op.drop_table("case_key_date")
