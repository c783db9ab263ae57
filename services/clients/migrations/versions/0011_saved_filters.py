"""Filters of clients with a name"""

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
        "saved_filter",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("filter", chassis.columns.Json, nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_saved_filter")),
        sa.UniqueConstraint("firm_id", "name", name="uq_saved_filter_name"),
    )
    op.create_index("ix_saved_filter_created", "saved_filter", ["firm_id", "created_at", "id"])
    op.create_table(
        "filter_use",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("user_id", chassis.columns.Id, nullable=False),
        sa.Column("saved_filter_id", chassis.columns.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "saved_filter_id"], ["saved_filter.firm_id", "saved_filter.id"], name="fk_filter_use_filter"
        ),
        sa.PrimaryKeyConstraint("firm_id", "user_id", "saved_filter_id", name=op.f("pk_filter_use")),
    )
    op.create_index("ix_filter_use_filter", "filter_use", ["firm_id", "saved_filter_id"])


def downgrade() -> None:
    op.drop_table("filter_use")
    op.drop_table("saved_filter")
