"""Files that answer case tasks."""

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
        "task_file",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("case_task_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=True),
        sa.Column("link_id", chassis.columns.Id, nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("filename", sa.String(length=200), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_task_file")),
    )
    op.create_index("ix_task_file_case_task_id", "task_file", ["case_task_id"])
    for name, column, where in (
        ("ix_task_file_client_id", "client_id", "client_id IS NOT NULL"),
        ("ix_task_file_to_tidy", "created_at", "state <> 'answered'"),
    ):
        op.create_index(name, "task_file", [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    op.drop_table("task_file")
