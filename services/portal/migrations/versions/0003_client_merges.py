"""Clients that were merged, and what of theirs followed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_merge",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("cause_id", chassis.columns.Id, nullable=False),
        sa.Column("old_id", chassis.columns.Id, nullable=False),
        sa.Column("new_id", chassis.columns.Id, nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "cause_id", name=op.f("pk_client_merge")),
    )
    in_force = sa.text("NOT ended")
    for column in ("old_id", "new_id"):
        op.create_index(
            f"ix_client_merge_{column}", "client_merge", [column], sqlite_where=in_force, postgresql_where=in_force
        )
    op.create_table(
        "client_merge_move",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("cause_id", chassis.columns.Id, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("row_id", chassis.columns.Id, nullable=False),
        sa.Column("facts", chassis.columns.Json, nullable=True),
        sa.PrimaryKeyConstraint("firm_id", "cause_id", "kind", "row_id", name=op.f("pk_client_merge_move")),
    )


def downgrade() -> None:
    op.drop_table("client_merge_move")
    op.drop_table("client_merge")
