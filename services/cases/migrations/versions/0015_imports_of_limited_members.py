"""Imports keep which types of cases who runs them is limited to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("file_import", sa.Column("sees_only", chassis.columns.JsonOrNull, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("file_import") as batch_op:
        batch_op.drop_column("sees_only")
