"""What happened in cases, from here on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "case_activity",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.Column("kind", sa.String(length=120), nullable=False),
        sa.Column("facts", chassis.columns.Json, nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_case_activity")),
    )
    op.create_index("ix_case_activity_case", "case_activity", ["firm_id", "case_id", "at", "id"])


def downgrade() -> None:
    op.drop_table("case_activity")
