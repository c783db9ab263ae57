"""Imports that stand still are asked for again, those there too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_KEPT = sa.text("ask_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("file_import", sa.Column("ask_at", chassis.columns.Instant(), nullable=True))
    op.execute("UPDATE file_import SET ask_at = updated_at WHERE state IN ('previewing', 'running', 'undoing')")
    op.create_index("ix_file_import_ask_at", "file_import", ["ask_at"], sqlite_where=_KEPT, postgresql_where=_KEPT)


def downgrade() -> None:
    op.drop_index("ix_file_import_ask_at", table_name="file_import")
    op.drop_column("file_import", "ask_at")
