"""The forms that every new case of a type gets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("case_type") as batch_op:
        batch_op.add_column(sa.Column("default_form_ids", chassis.columns.Json, server_default="[]", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("case_type") as batch_op:
        batch_op.drop_column("default_form_ids")
