"""Forms can be assigned to many cases, and what was left out is listed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bulk_assignment", sa.Column("frozen", chassis.columns.JsonOrNull, nullable=True))
    op.create_index("ix_bulk_assignment_created_at", "bulk_assignment", ["firm_id", "created_at", "id"])
    op.create_table(
        "bulk_left_out",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("bulk_assignment_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("what_id", chassis.columns.Id, nullable=True),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "bulk_assignment_id"],
            ["bulk_assignment.firm_id", "bulk_assignment.id"],
            name=op.f("fk_bulk_left_out_firm_id_bulk_assignment_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_bulk_left_out")),
        sa.UniqueConstraint(
            "firm_id",
            "bulk_assignment_id",
            "case_id",
            "what_id",
            name=op.f("uq_bulk_left_out_firm_id_bulk_assignment_id_case_id_what_id"),
        ),
    )


def downgrade() -> None:
    op.drop_table("bulk_left_out")
    op.drop_index("ix_bulk_assignment_created_at", table_name="bulk_assignment")
    op.drop_column("bulk_assignment", "frozen")
