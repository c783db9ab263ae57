"""When a case was last opened with each client"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_case",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "case_id", "firm_id", name=op.f("pk_client_case")),
    )
    op.create_index("ix_client_case_case", "client_case", ["case_id", "firm_id"])
    op.create_table(
        "last_case",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "firm_id", name=op.f("pk_last_case")),
    )
    op.create_index("ix_last_case_at", "last_case", ["firm_id", "at", "client_id"])


def downgrade() -> None:
    op.drop_table("last_case")
    op.drop_table("client_case")
