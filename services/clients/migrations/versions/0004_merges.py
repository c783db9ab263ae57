"""Clients that were merged, and what an undo needs to know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _only_where(condition: str) -> dict[str, sa.TextClause]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "client_merge",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("surviving_id", chassis.columns.Id, nullable=False),
        sa.Column("merged_id", chassis.columns.Id, nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.Column("by", chassis.columns.Id, nullable=True),
        sa.Column("keep", chassis.columns.Json, nullable=False),
        sa.Column("before", chassis.columns.Json, nullable=True),
        sa.Column("after", chassis.columns.Json, nullable=True),
        sa.Column("undone_at", chassis.columns.Instant(), nullable=True),
        sa.Column("undone_by", chassis.columns.Id, nullable=True),
        sa.Column("tell_at", chassis.columns.Instant(), nullable=True),
        sa.Column("told", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("surviving_id <> merged_id", name=op.f("ck_client_merge_of_two")),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_client_merge")),
    )
    op.create_index(
        "uq_client_merge_merged", "client_merge", ["firm_id", "merged_id"], unique=True,
        **_only_where("undone_at IS NULL"),
    )  # fmt: skip
    op.create_index("ix_client_merge_surviving", "client_merge", ["firm_id", "surviving_id"])
    op.create_index("ix_client_merge_at", "client_merge", ["firm_id", "at", "id"])
    op.create_index("ix_client_merge_tell_at", "client_merge", ["tell_at"], **_only_where("tell_at IS NOT NULL"))
    op.create_index("ix_client_merge_kept", "client_merge", ["at"], **_only_where("before IS NOT NULL"))
    op.create_table(
        "client_merge_move",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("merge_id", chassis.columns.Id, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("row_id", chassis.columns.Id, nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "merge_id", "kind", "row_id", name=op.f("pk_client_merge_move")),
    )
    op.create_table(
        "client_former_external_id",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("merge_id", chassis.columns.Id, nullable=False),
        sa.Column("merged_id", chassis.columns.Id, nullable=False),
        sa.Column("external_source", sa.String(length=60), nullable=False),
        sa.Column("external_source_id", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "merge_id", name=op.f("pk_client_former_external_id")),
    )
    op.create_index(
        "ix_client_former_external_id", "client_former_external_id",
        ["firm_id", "external_source", "external_source_id"],
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("client_former_external_id")
    op.drop_table("client_merge_move")
    op.drop_table("client_merge")
