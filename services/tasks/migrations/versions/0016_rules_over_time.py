"""Rules know what statuses are called by now, tasks how many rules led to them, and old runs are found by their age."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "renamed_status",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("case_type_id", chassis.columns.Id, nullable=False),
        sa.Column("was", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("renamed_at", chassis.columns.Instant(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_renamed_status")),
        sa.UniqueConstraint(
            "firm_id", "case_type_id", "was", "renamed_at",
            name=op.f("uq_renamed_status_firm_id_case_type_id_was_renamed_at"),
        ),
    )  # fmt: skip
    with op.batch_alter_table("automation_rule") as batch_op:
        batch_op.add_column(sa.Column("status_names", chassis.columns.Json, server_default="{}", nullable=False))
    with op.batch_alter_table("case_task") as batch_op:
        batch_op.add_column(sa.Column("automation_depth", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_index("ix_automation_run_age", "automation_run", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_automation_run_age", table_name="automation_run")
    with op.batch_alter_table("case_task") as batch_op:
        batch_op.drop_column("automation_depth")
    with op.batch_alter_table("automation_rule") as batch_op:
        batch_op.drop_column("status_names")
    op.drop_table("renamed_status")
