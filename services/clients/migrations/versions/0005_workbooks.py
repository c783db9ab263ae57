"""Imports of workbooks, and what an import can be told of dates and empty cells."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = ("table_key", "sheet", "sheets", "date_format", "clear_empty")


def upgrade() -> None:
    with op.batch_alter_table("file_import") as batch_op:
        batch_op.add_column(sa.Column("table_key", sa.String(length=300), nullable=True))
        batch_op.add_column(sa.Column("sheet", sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column("sheets", chassis.columns.Json, nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("date_format", sa.String(length=20), nullable=False, server_default="auto"))
        batch_op.add_column(sa.Column("clear_empty", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("file_import") as batch_op:
        for name in ("sheets", "date_format", "clear_empty"):
            batch_op.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("file_import") as batch_op:
        for name in _COLUMNS:
            batch_op.drop_column(name)
