"""Cases are found by their types, and bulk assignments keep which of them who asked is limited to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bulk_assignment", sa.Column("sees_only", chassis.columns.JsonOrNull, nullable=True))
    op.create_index("ix_known_case_case_type_id", "known_case", ["case_type_id", "case_id"])


def downgrade() -> None:
    op.drop_index("ix_known_case_case_type_id", table_name="known_case")
    with op.batch_alter_table("bulk_assignment") as batch_op:
        batch_op.drop_column("sees_only")
