"""Cases remember which clients were erased: a case of nobody else is emptied."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("client_facts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("erased_at", chassis.columns.Instant(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("client_facts", schema=None) as batch_op:
        batch_op.drop_column("erased_at")
