"""Imports are listed by when they were made."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_file_import_created", "file_import", ["firm_id", "created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_file_import_created", table_name="file_import")
