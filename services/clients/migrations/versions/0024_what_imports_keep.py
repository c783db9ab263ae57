"""Imports tell how far their preview is, and when they were emptied."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_KEPT = sa.text("emptied_at IS NULL")


def upgrade() -> None:
    # Processes of the version before do not name it.
    op.add_column(
        "file_import", sa.Column("preview_position", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("file_import", sa.Column("emptied_at", chassis.columns.Instant(), nullable=True))
    op.create_index("ix_file_import_kept", "file_import", ["updated_at"], sqlite_where=_KEPT, postgresql_where=_KEPT)


def downgrade() -> None:
    op.drop_index("ix_file_import_kept", table_name="file_import")
    op.execute("UPDATE file_import SET state = 'uploaded' WHERE state = 'previewing'")
    with op.batch_alter_table("file_import") as batch_op:
        batch_op.drop_column("emptied_at")
        batch_op.drop_column("preview_position")
