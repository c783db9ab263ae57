"""When each version of a form was made, and templates that are archived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No operation has written a version yet: there is none without its time. SQLite adds such a column to a new table.
    recreate = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("form_version", recreate=recreate) as batch_op:
        batch_op.add_column(sa.Column("created_at", chassis.columns.Instant(), nullable=False))
    with op.batch_alter_table("task_template") as batch_op:
        batch_op.add_column(sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("task_template") as batch_op:
        batch_op.drop_column("archived")
    with op.batch_alter_table("form_version") as batch_op:
        batch_op.drop_column("created_at")
