"""How fresh what filters know of clients is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_facts_mark",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("event_at", chassis.columns.Instant(), nullable=False),
        sa.Column("applied_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "source", name=op.f("pk_client_facts_mark")),
    )


def downgrade() -> None:
    op.drop_table("client_facts_mark")
