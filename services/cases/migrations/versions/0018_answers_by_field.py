"""When the answers were given that stand in the fields of cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "field_answer",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("field", sa.String(length=60), nullable=False),
        sa.Column("given_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "case_id", "field", name=op.f("pk_field_answer")),
    )


def downgrade() -> None:
    op.drop_table("field_answer")
